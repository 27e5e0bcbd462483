"""Learning patterns: fields found by kind, words and place; held out honestly; nulls, single values, refusals."""

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
from suffice.errors import DataError
from suffice.ladder import rung
from suffice.ladder.patterns import fit_patterns
from suffice.ladder.takes import right_values, same, suggested
from suffice.programs.patterns import answer_of, patterns_text, read_patterns
from suffice.programs.recognize import Page


def slips(cases: int, seed: int = 0) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """Delivery slips in two layouts, with a date that is missing now and then."""
    rng = random.Random(seed)
    texts: list[str] = []
    wanted: list[dict[str, Any]] = []
    for i in range(cases):
        day, month = rng.randint(1, 28), rng.randint(1, 12)
        total, paid = rng.randint(100, 9999) / 100, rng.randint(10000, 20000) / 100
        shop = f"{rng.choice(['North', 'South', 'Old'])} {rng.choice(['Mill', 'Farm', 'Yard'])} {i} Ltd"
        dated = rng.random() > 0.1
        date = f"Date: {day:02}/{month:02}/2024" if dated else "thank you"
        if i % 2:
            texts.append(f"{shop}\n{date}\nitem {paid / 3:.2f}\nTOTAL DUE {total:.2f}\nCash {paid:.2f}")
        else:
            texts.append(f"{shop}\nDue: {total:.2f}\npaid {paid:.2f}\n{date}\nref 01/01/2020")
        iso = f"2024-{month:02}-{day:02}" if dated else None
        wanted.append({"shop": shop, "date": iso, "total": total})
    return texts, wanted, [str(i) for i in range(cases)]


def test_fields_are_found_and_new_texts_are_read():
    fitted = fit_patterns(*slips(80))
    texts, wanted, _ = slips(60, seed=1)
    right = {name: 0 for name in wanted[0]}
    for text, want in zip(texts, wanted, strict=True):
        got = answer_of(fitted.fields, text).value
        for name in want:
            right[name] += same(got[name], want[name])
    assert right == {"shop": 60, "date": 60, "total": 60}
    assert "due" in patterns_text({"total": fitted.fields["total"]})


def test_the_same_cases_give_the_same_text_which_reads_as_it_answers():
    texts, wanted, groups = slips(60)
    first, again = fit_patterns(texts, wanted, groups), fit_patterns(texts, wanted, groups)
    assert patterns_text(first.fields) == patterns_text(again.fields) and first.out_of_fold == again.out_of_fold
    read = read_patterns(patterns_text(first.fields), "p.txt")
    assert [answer_of(read, t) for t in texts] == [answer_of(first.fields, t) for t in texts]


def test_out_of_fold_answers_know_nothing_of_their_own_cluster():
    rng = random.Random(3)
    groups = [str(i // 4) for i in range(120)]
    code = {g: str(rng.randrange(10**6)) for g in groups}  # of a cluster: to be known by heart, and found nowhere
    texts = [f"cluster{g} says hello" for g in groups]
    fitted = fit_patterns(texts, [{"code": code[g]} for g in groups], groups)
    assert not any(same(a.value["code"], code[g]) for a, g in zip(fitted.out_of_fold, groups, strict=True))
    seen = [answer_of(fitted.fields, t).value["code"] == code[g] for t, g in zip(texts, groups, strict=True)]
    assert np.mean(seen) > 0.5
    assert np.mean([a.confidence for a in fitted.out_of_fold]) < 0.2


def test_confidence_is_about_the_share_of_answers_that_are_right_in_all_fields():
    texts, wanted, groups = slips(160)
    rng = random.Random(5)
    noisy = [w | {"total": w["total"] + (rng.random() < 0.3)} for w in wanted]
    fitted = fit_patterns(texts, noisy, groups)
    right = np.mean([all(same(a.value[n], w[n]) for n in w) for a, w in zip(fitted.out_of_fold, noisy, strict=True)])
    assert abs(np.mean([a.confidence for a in fitted.out_of_fold]) - right) < 0.07


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.text(alphabet="ab1.,/€ \n包\ud800", max_size=30),
            st.dictionaries(st.sampled_from("xyz"), st.sampled_from([None, 1, 1.5, "a", "1/1/2024", True, [1]])),
            st.integers(0, 5),
        ),
        max_size=20,
    )
)
def test_any_small_data_is_learned_from_or_refused_with_a_reason(cases: list[Any]):
    texts, expected, groups = [c[0] for c in cases], [c[1] for c in cases], [str(c[2]) for c in cases]
    try:
        fitted = fit_patterns(texts, expected, groups)
    except DataError as error:
        assert "patterns" in error.message
        return
    assert len(fitted.out_of_fold) == len(cases)
    if fitted.fields:
        read = read_patterns(patterns_text(fitted.fields), "p.txt")
        assert [answer_of(read, t) for t in texts] == [answer_of(fitted.fields, t) for t in texts]


def test_words_that_mislead_are_ruled_out():
    rng = random.Random(0)
    texts: list[str] = []
    wanted: list[dict[str, Any]] = []
    for _ in range(40):
        total = rng.randint(100, 9999) / 100
        parts = [f"sub total {total - 1:.2f}", f"grand total {total:.2f}", f"total vat {total / 5:.2f}"]
        rng.shuffle(parts)
        texts.append("\n".join(parts))
        wanted.append({"t": total})
    fitted = fit_patterns(texts, wanted, [str(i) for i in range(40)])
    assert sum(same(a.value["t"], w["t"]) for a, w in zip(fitted.out_of_fold, wanted, strict=True)) == 40


def test_what_is_suggested_stands_in_enough_cases():
    pages = [Page(f"Age: {n}\nnothing") for n in range(20)]
    wanted = list(range(20))
    actions, typed = suggested(pages, wanted, right_values(pages, wanted))
    assert typed and 'take first number after "age"' in map(str, actions)
    assert suggested(pages, [None] * 20, right_values(pages, [None] * 20)) == ([], False)


# As a rung.


def rows(cases: int = 160) -> list[dict[str, Any]]:
    texts, wanted, _ = slips(cases)
    splits = ["train"] * 40 + ["dev"] * 40 + ["test"] * (cases - 80)
    return [{"input": t, "expected": w, "split": s} for t, w, s in zip(texts, wanted, splits, strict=True)]


def test_patterns_climb_and_a_file_of_them_is_a_rung(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    decision = climbed(sf.Task(rows(), bar=0.9), ["constant", "patterns"], tmp_path / "store")
    assert decision.verdict == "PASS" and decision.solution.name == "patterns"
    (file,) = decision.save(tmp_path / "b").glob("patterns-*.txt")
    (tmp_path / "mine.txt").write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    mine = rung.from_text("patterns:mine.txt")
    task = sf.Task(rows(), bar=0.9)
    assert asyncio.run(mine.fit(task, ())).identity == decision.solution.identity


def test_a_number_is_taken_out_of_a_question(tmp_path):
    given = [
        {"input": f"{i % 7} people, {i} years old, from {i + 3} Main St", "expected": i, "split": "train"}
        for i in range(11, 60)
    ]
    task = sf.Task(given, kind="number")
    assert rung.patterns().unsuited(task) is None
    solution = asyncio.run(rung.patterns().fit(task, task.train))
    assert asyncio.run(solution("2 people, 99 years old, from 5 Main St")) == 99


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        (lambda i: f"an essay on {i * 7919}", "stand there"),
        (lambda i: [i], "a list"),
    ],
)
def test_patterns_say_why_they_do_not_suit(expected: Any, reason: str):
    task = sf.Task([{"input": f"case {i}", "expected": expected(i), "split": "train"} for i in range(30)])
    assert reason in (rung.patterns().unsuited(task) or "")


def test_labels_are_not_for_patterns_and_fields_are_proposed_them():
    assert "label" in (rung.patterns().unsuited(a_task()) or "")
    assert [r.name for r in rung.proposed(sf.Task(rows(), bar=0.9))] == ["constant", "patterns", "prompt"]
