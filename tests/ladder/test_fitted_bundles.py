"""A solution that was fitted on dev: dev shows nothing of it, and no sealed case that it was fitted on counts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from climb_samples import Calls, a_task, climbed, learner, place, rows, solver

from suffice.errors import UsageError
from suffice.evals.evaluate import evaluate
from suffice.evals.seal import sealed_blocks
from suffice.evals.task import Task
from suffice.ladder import rung
from suffice.ladder.gate import Gated, gate_dev, gate_test
from suffice.programs.bundle import load
from suffice.programs.learned import case_mark, learned_from
from suffice.programs.solution import Solution
from suffice.store import ledger
from suffice.store.database import open_store

FINE = learner("fine", 1.0, (0.84, 1.0))  # .92 of its answers are right, and all of those that it was fitted on


def made(task: Task, store: Path) -> Solution:
    """What a climb on this task decides on and a bundle of it holds: fitted on train and dev."""
    decision = climbed(task, [FINE], store)
    assert decision.verdict == "PASS" and decision.solution is not None
    return decision.solution


def tries_made(task: Task, store: Path) -> int:
    with open_store(store) as db:
        return sum(len(ledger.tries(db, b.block)) for b in sealed_blocks(db, task))


def gated(task: Task, solution: Any, store: Path, **options: Any) -> Gated:
    return asyncio.run(gate_test(task, solution, store=store, **options))


def on_dev(task: Task, solution: Any, against: Any, store: Path, **options: Any) -> Gated:
    report = asyncio.run(evaluate(task, against, store=store))
    report.save(store / "report.json")
    return asyncio.run(gate_dev(task, solution, store / "report.json", store=store, **options))


def test_a_decision_says_which_cases_it_was_fitted_on_and_so_does_its_bundle(tmp_path: Path) -> None:
    task = a_task(bar=0.15, test=300)
    decision = climbed(task, ["constant"], tmp_path / "store")
    fitted = {case_mark(c.key) for c in (*task.train, *task.dev)}
    assert decision.solution is not None and decision.solution.learned == fitted
    assert load(decision.save(tmp_path / "constant.suffice")).learned == fitted
    plain = climbed(a_task(), [solver("good", 0.97)], tmp_path / "store")
    assert plain.solution is not None and plain.solution.learned == frozenset()


def test_a_climb_takes_no_evidence_from_cases_that_it_was_fitted_on(tmp_path: Path) -> None:
    task = a_task(train=60)
    bundle = made(task, tmp_path)
    again = climbed(task, [bundle], tmp_path)  # its verdict is known
    assert again.verdict == "PASS" and again.rungs[0].chance is None and again.rungs[0].dev_seen == 0
    other = climbed(task, [bundle], tmp_path, bar=0.85)
    row = other.rungs[0]
    assert (other.verdict, row.state, row.chance, row.dev_seen, row.dev_fitted) == (
        "UNPROVEN",
        "not tried",
        None,
        0,
        60,
    )
    assert row.note == "it was fitted on 60 of 60 dev cases, which show nothing of it"
    assert other.sentence == "dev shows nothing of `fine`, which was fitted on it."
    assert any("Its chance is unknown, and no try was spent; `suffice gate` with --anyway" in a for a in other.advice)
    assert tries_made(task, tmp_path) == 1


def test_it_does_not_stand_in_front_of_others_and_a_harder_rung_is_judged_by_all_of_dev(tmp_path: Path) -> None:
    task = a_task(train=60)
    bundle = made(task, tmp_path)
    decision = climbed(task, [bundle, solver("harder", 0.97)], tmp_path, bar=0.9)
    assert decision.verdict == "PASS" and decision.rungs[1].candidate == "harder"
    assert [r.state for r in decision.rungs] == ["not tried", "PASS"] and decision.rungs[1].dev_seen >= 30


def test_the_gate_spends_a_try_only_when_told_to_and_says_that_the_chance_is_unknown(tmp_path: Path) -> None:
    task, lines = a_task(train=60), []
    bundle = made(task, tmp_path)
    held = gated(task, bundle, tmp_path, bar=0.85)
    assert held.verdict == "UNPROVEN" and tries_made(task, tmp_path) == 1
    assert any("--anyway spends one" in d for d in held.details)
    told = gated(task, bundle, tmp_path, bar=0.85, anyway=True, watch=lambda p: lines.append(p.line))
    assert told.verdict == "PASS" and tries_made(task, tmp_path) == 2
    assert any(line and line.endswith("; predicted chance unknown") for line in lines)


def test_dev_cases_that_came_later_are_evidence(tmp_path: Path) -> None:
    given = rows(train=60)
    bundle = made(a_task(given=given), tmp_path)
    grown, lines = a_task(given=[*given, *rows(train=0, dev=40, test=0, seed=1)]), []
    decision = climbed(grown, [bundle], tmp_path, bar=0.85, dev_only=True, watch=lambda p: lines.append(p.line))
    row = decision.rungs[0]
    assert (row.dev_seen, row.dev_total, row.dev_fitted) == (40, 40, 60)
    assert row.dev_right < 40 and row.chance is not None
    assert "fine: it was fitted on 60 of 100 dev cases, which show nothing of it" in lines


def test_of_a_customer_that_it_was_fitted_on_no_case_is_evidence(tmp_path: Path) -> None:
    given = rows(train=60, test=300)
    for i, row in enumerate(given):
        row["customer"] = f"{row['split']} {i}"
    bundle = made(a_task(given=given, cluster="customer"), tmp_path)
    later = rows(train=0, dev=40, test=0, seed=1)
    for i, row in enumerate(later):
        row["customer"] = f"dev {60 + i}"  # 40 of the 60 customers ask again
    grown = a_task(given=[*given, *later], cluster="customer")
    row = climbed(grown, [bundle], tmp_path, bar=0.85, dev_only=True).rungs[0]
    assert (row.dev_seen, row.chance) == (0, None)


def test_a_family_races_on_cases_that_none_of_its_variants_was_fitted_on(tmp_path: Path) -> None:
    given = rows(train=60)
    bundle = made(a_task(given=given), tmp_path)
    grown = a_task(given=[*given, *rows(train=0, dev=40, test=0, seed=1)])
    calls = Calls()
    both = rung.family("both", bundle, solver("better", 0.99, calls=calls))
    climbed(grown, [both], tmp_path, bar=0.85, dev_only=True)
    raced = [str(text) for _, text in calls.inputs]
    assert len(raced) >= 12 and all(text.endswith(" of 1") for text in raced[:12])
    assert both.learned == bundle.learned


# The sealed test


def test_sealed_cases_that_it_was_fitted_on_elsewhere_never_count(tmp_path: Path) -> None:
    """The same cases, split the other way round in another store: half of the sealed ones taught the bundle."""
    task = a_task(train=60)
    sealed = [c.inputs for c in task.sealed()]
    turned = rows(train=60)
    for row in turned:
        row["split"] = "train" if row["input"] in sealed[:100] else row["split"]
    bundle = asyncio.run(FINE.fit(a_task(given=turned), a_task(given=turned).train))
    bundle = learned_from(bundle, (c.key for c in a_task(given=turned).train))
    lines: list[str | None] = []
    told = gated(task, bundle, tmp_path, anyway=True, watch=lambda p: lines.append(p.line))
    assert "100 of 200 sealed cases are left out: a solution here was fitted on them" in lines
    assert "100 sealed cases" in told.sentence
    everything = learned_from(bundle, (c.key for c in task.sealed()))
    with pytest.raises(UsageError, match="every sealed case is one that a solution here was fitted on"):
        gated(task, everything, tmp_path, anyway=True)


def test_with_it_on_the_ladder_no_other_rung_counts_them_either(tmp_path: Path) -> None:
    task = a_task()
    bundle = learned_from(solver("bundle", 0.1), (c.key for c in task.sealed()[:100]))
    decision = climbed(task, [bundle, solver("good", 0.99)], tmp_path)
    assert decision.verdict == "PASS" and decision.claim.n == 100


# The gate on dev


def test_the_gate_on_dev_refuses_before_it_calls_anything(tmp_path: Path) -> None:
    task, calls = a_task(), Calls()
    fitted = learned_from(solver("bundle", 1.0, calls=calls), (c.key for c in (*task.train, *task.dev)))
    with pytest.raises(UsageError, match="was fitted on these dev cases") as caught:
        on_dev(task, fitted, solver("before", 0.8), tmp_path, instead="suffice gate b.suffice t.csv")
    assert "suffice gate b.suffice t.csv" in (caught.value.hint or "") and not calls.inputs
    with pytest.raises(UsageError, match="was fitted on these dev cases"):  # nor does such a report judge others
        on_dev(task, solver("after", 0.8), fitted, tmp_path)
    same = on_dev(task, fitted, fitted, tmp_path)
    assert same.verdict == "PASS" and "is the solution of the report" in same.sentence


def test_the_gate_on_dev_judges_on_the_cases_that_neither_was_fitted_on(tmp_path: Path) -> None:
    task = a_task(dev=160)
    known = {c.inputs for c in task.dev[:110]}
    before = solver("before", lambda text: place(text) < 0.8)
    bundle = solver("bundle", lambda text: text in known or place(text) < 0.4)
    fitted = learned_from(bundle, (c.key for c in task.dev[:110]))
    told = on_dev(task, fitted, before, tmp_path)
    assert told.verdict == "FAIL" and told.sentence.endswith("on the same 50 dev cases.")
    assert told.details[0].startswith(
        "110 of 160 dev cases are left out, because `bundle` was fitted on them; `suffice"
    )
    assert on_dev(task, replace(fitted, learned=frozenset()), before, tmp_path).verdict != "FAIL"  # as all cases say
