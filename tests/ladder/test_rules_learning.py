"""Learning rules: what is found, that out-of-fold answers are held out, and that the text is the whole model."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest
from climb_samples import a_task, climbed
from hypothesis import given, settings
from hypothesis import strategies as st

import suffice as sf
from suffice.errors import DataError, SolutionError, UsageError
from suffice.ladder import rung
from suffice.ladder.covering import Cases, Limits, cover, firing, lower
from suffice.ladder.rules import A_LABEL, FEWEST, fit_rules
from suffice.programs.rules import answer_of, read_rules, rules_text

TOPICS = {"billing": "invoice", "shipping": "parcel", "returns": "send back"}


def tickets(cases: int, seed: int = 0, right: float = 1.0) -> tuple[list[str], list[str], list[str]]:
    """Texts with one telling word or pair among chatter; the label follows it with probability `right`."""
    rng = random.Random(seed)
    truth = [rng.choice(list(TOPICS)) for _ in range(cases)]
    chatter = "please my the now hello today it thanks about a question".split()
    texts = [" ".join([*rng.choices(chatter, k=3), TOPICS[t], *rng.choices(chatter, k=2)]) for t in truth]
    labels = [t if rng.random() < right else rng.choice(list(TOPICS)) for t in truth]
    return texts, labels, [str(i) for i in range(cases)]


def test_the_telling_words_are_found_and_the_list_is_short():
    fitted = fit_rules(*tickets(150))
    said = [str(rule) for rule in fitted.rules]
    assert len(said) <= 4
    assert any(line.startswith('if "invoice" then "billing"') for line in said[:3])
    assert sum(a.value == label for a, label in zip(fitted.out_of_fold, tickets(150)[1], strict=True)) >= 147


def test_the_same_cases_give_the_same_text_and_their_order_does_not_matter_for_it():
    texts, labels, groups = tickets(120, right=0.8)
    first = rules_text(fit_rules(texts, labels, groups).rules)
    assert first == rules_text(fit_rules(texts, labels, groups).rules)


def test_out_of_fold_answers_know_nothing_of_their_own_cluster():
    rng = random.Random(0)
    groups = [str(i // 8) for i in range(200)]
    texts = [f"customer{g} writes" for g in groups]  # each cluster's word tells its label, and nothing else does
    label = {g: rng.choice("ab") for g in groups}
    labels = [label[g] for g in groups]
    fitted = fit_rules(texts, labels, groups)
    held = np.mean([a.value == e for a, e in zip(fitted.out_of_fold, labels, strict=True)])
    seen = np.mean([answer_of(fitted.rules, t).value == e for t, e in zip(texts, labels, strict=True)])
    assert held < 0.65 and seen > 0.9
    assert np.mean([a.confidence for a in fitted.out_of_fold]) < 0.7  # and the confidence says so


def test_confidence_is_the_share_that_is_right():
    texts, labels, groups = tickets(900, right=0.7)
    fitted = fit_rules(texts, labels, groups)
    new_texts, new_labels, _ = tickets(900, seed=1, right=0.7)
    given = [answer_of(fitted.rules, t) for t in new_texts]
    right = np.mean([a.value == e for a, e in zip(given, new_labels, strict=True)])
    assert abs(np.mean([a.confidence for a in given]) - right) < 0.05


def test_what_the_text_says_is_what_the_rung_answers():
    texts, labels, groups = tickets(120, right=0.8)
    rules = fit_rules(texts, labels, groups).rules
    again = read_rules(rules_text(rules), "r.txt")
    assert [answer_of(again, t) for t in texts] == [answer_of(rules, t) for t in texts]


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.text(alphabet="ab €é包裹\ud800", max_size=8), st.sampled_from([None, True, 1, "a"]), st.integers(0, 6)
        ),
        max_size=25,
    )
)
def test_any_small_data_is_learned_from_or_refused_with_a_reason(cases: list[tuple[str, Any, int]]):
    texts, labels, groups = [c[0] for c in cases], [c[1] for c in cases], [str(c[2]) for c in cases]
    try:
        fitted = fit_rules(texts, labels, groups)
    except DataError as error:
        assert "rules" in error.message or "constant" in error.message
        return
    assert len(fitted.out_of_fold) == len(cases) and len(fitted.rules) <= max(FEWEST, 4 * A_LABEL) + 1
    assert all(a.confidence is not None and 0 < a.confidence < 1 for a in fitted.out_of_fold)
    again = read_rules(rules_text(fitted.rules), "r.txt")
    assert [answer_of(again, t) for t in texts] == [answer_of(fitted.rules, t) for t in texts]


@given(st.lists(st.tuples(st.sets(st.integers(0, 5)), st.integers(0, 2)), min_size=1, max_size=60))
def test_each_rule_counts_what_the_earlier_ones_leave_over(data: list[tuple[set[int], int]]):
    features = [np.array(sorted(f), dtype=np.intp) for f, _ in data]
    codes = np.array([c for _, c in data], dtype=np.intp)
    cases = Cases(features, 6, codes, 3)
    rules, left = cover(cases, Limits(most=10))
    remaining = np.ones(len(data), dtype=bool)
    for rule in rules:
        fires = firing(cases, rule) & remaining
        assert (int(fires.sum()), int((codes[fires] == rule.label).sum())) == (rule.n, rule.hits)
        assert rule.hits >= 3 and float(lower(rule.hits, rule.n)) >= 0.15
        remaining &= ~fires
    assert (remaining == left).all()


# As a rung.


def test_rules_climb_are_saved_and_an_edited_file_is_a_rung_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts, labels, _ = tickets(300)
    splits = ["train"] * 60 + ["dev"] * 60 + ["test"] * 180
    rows = [
        {"id": str(i), "input": f"{t} {i}", "expected": e, "split": s}
        for i, (t, e, s) in enumerate(zip(texts, labels, splits, strict=True))
    ]
    task = sf.Task(rows, bar=0.9)
    decision = climbed(task, ["constant", "rules"], tmp_path / "store")
    assert decision.verdict == "PASS" and decision.solution.name == "rules"
    folder = decision.save(tmp_path / "desk")
    (file,) = folder.glob("rules-*.txt")
    mine = tmp_path / "mine.txt"
    mine.write_text(file.read_text(encoding="utf-8").replace('"billing"', '"money"'), encoding="utf-8")
    edited = rung.from_text("rules:mine.txt")
    assert not edited.learns and edited.identity != decision.solution.identity
    solution = asyncio.run(edited.fit(task, task.train))
    assert asyncio.run(solution("the invoice")) == "money"
    mine.write_text("if rain then umbrella", encoding="utf-8")
    with pytest.raises(SolutionError, match=r"mine.txt:1: here a condition"):
        rung.from_text("rules:mine.txt")
    with pytest.raises(SolutionError, match="cannot be read"):
        rung.from_text("rules:nowhere.txt")


def test_a_task_folder_may_name_a_file_of_rules_in_it_and_no_other(tmp_path):
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "desk.txt").write_text('otherwise "billing" (0.5)', encoding="utf-8")
    (tmp_path / "outside.txt").write_text('otherwise "billing" (0.5)', encoding="utf-8")
    assert rung.from_name("rules:desk.txt", folder).name == "rules"
    with pytest.raises(DataError, match="outside"):
        rung.from_name("rules:../outside.txt", folder)
    with pytest.raises(UsageError):
        rung.from_name("ruels")


def test_rules_say_why_they_do_not_suit():
    numbers = sf.Task([{"input": f"{i} + 1", "expected": i + 1.5, "split": "dev"} for i in range(30)], kind="number")
    assert "number" in (rung.rules().unsuited(numbers) or "")
    assert rung.rules().unsuited(a_task()) is None
    assert rung.rules().identity != rung.rules(folds=4).identity
