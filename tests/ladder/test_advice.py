"""Failures are grouped with their places, and each advice has its evidence and a command to type."""

from __future__ import annotations

from typing import Any

import pytest

from suffice.errors import UsageError
from suffice.ladder.advice import Evaluated, advice_lines, advice_of
from suffice.ladder.advice_cost import break_even, break_even_lines
from suffice.ladder.advice_groups import failures_of, kind_of
from suffice.ladder.noise import Noise

NOBODY = Noise((), (), {"words": "it is not suited"})


def row(i: int, answer: Any = "a", expected: Any = "a", **more: Any) -> dict[str, Any]:
    right = answer == expected and not more.get("error")
    return {
        "id": f"c{i}",
        "source": f"t.csv:{i}",
        "inputs": f"a plain case {i}",
        "expected": expected,
        "answer": answer,
        "score": float(right),
        "error": None,
        **more,
    }


def done(rows: list[dict[str, Any]], **report: Any) -> Evaluated:
    said = {"solution": "triage", "task": "t", "run": "eval-1", "cases": rows, **report}
    return Evaluated(said, "t.csv", "my.py:triage", " --bar .9")


def rules(evaluated: Evaluated) -> dict[str, Any]:
    return {one.rule: one for one in advice_of(evaluated, NOBODY)}


def test_wrong_answers_are_grouped_by_pair_and_by_words_that_right_ones_lack() -> None:
    rows = [row(i) for i in range(20)]
    rows += [row(i, "b", "a", inputs=f"a refund case {i}") for i in range(20, 24)] + [row(24, "c", "a")]
    found = failures_of(rows)
    assert [(g.what, g.n, g.of) for g in found.pairs] == [("a → b", 4, 5), ("a → c", 1, 5)]
    assert found.pairs[0].cases == ("t.csv:20", "t.csv:21", "t.csv:22", "t.csv:23")
    word = found.words[0]
    assert (word.word, word.wrong, word.of_wrong, word.right, word.of_right) == ("refund", 4, 5, 0, 20)
    assert word.lift == pytest.approx((4.5 / 6) / (0.5 / 21))
    advice = rules(done(rows))
    assert advice["pair"].n == 4 and advice["word"].cases == found.pairs[0].cases
    assert advice["pair"].command == "suffice view eval-1"


def test_a_word_in_too_few_wrong_answers_is_not_told() -> None:
    rows = [*(row(i) for i in range(20)), row(20, "b", inputs="refund"), row(21, "b", inputs="refund")]
    assert failures_of(rows).words == ()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("timeout: no answer within 2 s", "time-out"),
        ("type: a set is no answer", "invalid output"),
        ("raised: OutputError: no JSON", "invalid output"),
        ("raised: ContentFiltered: no", "refused by a content filter"),
        ("refused: 401", "refused by the endpoint"),
        ("raised: KeyError: 'total' (my.py:12 in triage)", "raised KeyError"),
        ("raised: ValueError (my.py:3 in f)", "raised ValueError"),
    ],
)
def test_failed_calls_go_by_kind(error: str, kind: str) -> None:
    assert kind_of(error) == kind
    assert [(g.what, g.n) for g in failures_of([row(0), row(1, None, error=error)]).calls] == [(kind, 1)]


def test_each_advice_has_evidence_and_a_command() -> None:
    rows = [row(i, confidence=0.9) for i in range(70)]
    rows += [row(i, "b", confidence=0.3) for i in range(70, 90)]
    rows += [row(i, {"abstain": True}) for i in range(90, 110)]
    rows += [row(i, None, error="timeout: no answer within 2 s") for i in range(110, 113)]
    advice = rules(done(rows))
    assert advice["time-outs"].command == "suffice eval t.csv my.py:triage --timeout 240"
    held = advice["handed on"]
    assert (held.n, held.of) == (20, 113) and held.cases[0] == "t.csv:90"
    assert held.command == "suffice climb t.csv my.py:triage prompt --bar .9 --dev"
    assert "70 of the 70 answers" in advice["coverage"].text and advice["coverage"].command.endswith(
        "--coverage .62 --dev"
    )
    text = "\n".join(advice_lines(done(rows), advice_of(done(rows), NOBODY), NOBODY))
    assert text.count("evidence: ") == text.count("     next: suffice ") == len(advice)


def test_a_confidence_that_is_the_same_everywhere_tells_nothing() -> None:
    rows = [row(i, "a" if i % 2 else "b", confidence=0.9) for i in range(60)]
    assert "coverage" not in rules(done(rows))


def test_where_nothing_fails_there_is_no_advice_but_the_climb() -> None:
    evaluated = done([row(i) for i in range(9)])
    assert advice_of(evaluated, NOBODY) == []
    assert advice_lines(evaluated, [], NOBODY)[-1] == "  next: suffice climb t.csv my.py:triage --bar .9"


def test_break_even_is_the_first_number_of_cases_that_costs_no_more() -> None:
    found = break_even(1.2, 200, 0.1)
    assert found.cases == 181_819
    small, now = 200 + 0.0001 * found.cases, 0.0012 * found.cases
    assert small <= now and 200 + 0.0001 * (found.cases - 1) > 0.0012 * (found.cases - 1)
    assert "181,819 cases a month" in "\n".join(break_even_lines(found))


def test_a_small_model_that_saves_nothing_by_the_case_never_breaks_even() -> None:
    assert break_even(0.1, 200, 0.1).cases is None
    assert "never" in "\n".join(break_even_lines(break_even(0.1, 200, 0.2)))
    with pytest.raises(UsageError, match="0 or more"):
        break_even(-1, 200)
