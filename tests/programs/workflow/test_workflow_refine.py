"""Refining a draft: when it stops, that the best is kept, what failures do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream_faults import Ok
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import BudgetError, RateLimited, SolutionError, UsageError
from suffice.programs.workflow import refine
from suffice.values import ABSTAIN, Answer, Score
from upstream import upstream


def start(text: str) -> str:
    return "0"


def more(text: str, draft: str, reason: str) -> str:
    return str(int(draft) + 1)


def test_it_stops_as_soon_as_a_draft_passes():
    answer, root = grown(lambda: refine(start, lambda x, draft: draft == "2", more, most=5).reply("x"))
    assert answer == Answer("2", 1.0)
    assert [line.split()[1] for line in lines(root)[1:]] == [
        "start",
        "<lambda>",
        "more",
        "<lambda>",
        "more",
        "<lambda>",
    ]


def test_a_check_that_never_passes_ends_at_the_cap_with_the_first_draft():
    made = refine(start, lambda x, draft: False, more, most=4)
    answer, root = grown(lambda: made.reply("x"))
    assert answer == Answer("0", 0.0) and sum("more" in line for line in lines(root)) == 4


def test_a_score_that_is_no_better_ends_it_and_the_best_is_kept():
    scores = {"0": 0.2, "1": 0.6, "2": 0.6, "3": 1.0}
    answer, root = grown(lambda: refine(start, lambda x, draft: scores[draft], more, most=9).reply("x"))
    assert answer == Answer("1", 0.6) and lines(root)[0] == "program refine (no better score)"


def test_the_same_draft_again_ends_it():
    answer, root = grown(lambda: refine(start, lambda x, d: False, lambda x, d, why: "1", most=9).reply("x"))
    assert answer == Answer("0", 0.0) and lines(root)[0] == "program refine (the same draft again)"


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75]), min_size=1, max_size=6), st.integers(1, 6))
def test_whatever_the_scores_the_answer_is_the_best_of_the_drafts_that_were_seen(scores, most):
    seen = []

    def evaluate(text, draft):
        seen.append(scores[int(draft) % len(scores)])
        return seen[-1]

    answer = sf.run(refine(start, evaluate, more, most=most).reply("x"))
    assert answer.confidence == max(seen) and seen.index(max(seen)) == int(answer.value)
    assert len(seen) <= most + 1


def test_the_reason_of_a_score_reaches_who_improves():
    reasons = []

    def improve(text, draft, reason):
        reasons.append(reason)
        return "better"

    def score(text, draft):
        return Score(1.0 if draft == "better" else 0.5, "no date")

    def fault(text, draft):
        return None if draft == "better" else "no date"

    for evaluate in (score, fault):
        assert sf.run(refine(start, evaluate, improve)("x")) == "better" and reasons.pop() == "no date"


def test_enough_may_be_less_than_all():
    assert sf.run(refine(start, lambda x, draft: int(draft) / 4, more, enough=0.5).reply("x")) == Answer("2", 0.5)


def test_a_model_call_that_fails_in_a_later_round_leaves_the_best_so_far():
    def broken(*given):
        raise RateLimited("ask less")

    answer, root = grown(lambda: refine(start, lambda x, d: 0.3, broken).reply("x"))
    assert answer == Answer("0", 0.3) and "the next draft failed" in lines(root)[0]
    assert sf.run(refine(start, lambda x, draft: 0.3 if draft == "0" else broken(), more).reply("x")) == Answer(
        "0", 0.3
    )


def test_what_a_later_round_raises_besides_is_raised_also_a_slip_of_the_pen():
    def slip(text, draft, reason):
        return undefined_name  # noqa: F821

    with pytest.raises(NameError):
        sf.run(refine(start, lambda x, d: 0.3, slip)("x"))
    with pytest.raises(KeyError):
        sf.run(refine(start, lambda x, d: {"0": 0.3}[d], more)("x"))


def test_a_function_that_does_not_take_what_it_is_called_with_is_refused_before_the_first_call():
    def improve(text, draft):
        return draft

    with pytest.raises(
        UsageError, match=r"improve\(inputs, draft, reason\), and improve takes \(text, draft\)"
    ) as found:
        refine(start, lambda x, d: True, improve)
    assert found.value.hint == "def improve(inputs, draft, reason): …"
    with pytest.raises(UsageError, match=r"evaluate\(inputs, draft\), and start takes \(text\)"):
        refine(start, start, more)
    with pytest.raises(UsageError, match="takes one input"):
        refine(start, lambda x, d: True, sf.workflow.chain(start))


def test_a_spent_budget_in_a_later_round_is_raised():
    def poor(*given):
        raise BudgetError("spent")

    with pytest.raises(BudgetError):
        sf.run(refine(start, lambda x, d: 0.3, poor)("x"))


def test_a_first_draft_that_fails_or_cannot_be_checked_is_an_error_and_who_abstains_hands_on():
    with pytest.raises(SolutionError, match="not a list"):
        sf.run(refine(start, lambda x, d: ["fine"], more)("x"))
    with pytest.raises(ZeroDivisionError):
        sf.run(refine(lambda x: 1 / 0, lambda x, d: True, more)("x"))
    assert sf.run(refine(lambda x: ABSTAIN, lambda x, d: 1 / 0, more)("x")) is ABSTAIN


def test_steps_draft_check_and_improve():
    @sf.step
    async def write(notes: str) -> str:
        """Write it up."""
        ...

    @sf.step
    async def check(notes: str, draft: str) -> Score:
        """How complete is the draft, from 0 to 1, and what is missing?"""
        ...

    @sf.step
    async def mend(notes: str, draft: str, missing: str) -> str:
        """Add what is missing."""
        ...

    def script(asked):
        if "response_format" not in asked.body:
            return Ok("full" if "<missing>" in asked.text else "short")
        full = "full" in asked.text
        return Ok('{"value": 1.0, "reason": ""}' if full else '{"value": 0.5, "reason": "the date"}')

    with upstream(script) as up, sf.using(model=f"{up.url}#m"):
        assert sf.run(refine(write, check, mend).reply("notes")) == Answer("full", 1.0)
        assert "the date" in up.log.asked[2].text and len(up.log.served) == 4
