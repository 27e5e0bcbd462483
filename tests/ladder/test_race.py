"""Families: raced on dev, and only the winner meets test."""

from __future__ import annotations

import dataclasses

import pytest
from climb_samples import Calls, a_task, climbed, learner, place, solver

from suffice.errors import UsageError
from suffice.ladder import rung
from suffice.store import ledger
from suffice.store.database import open_store


def variants(calls, **rates):
    return [solver(name, rate, calls=calls) for name, rate in rates.items()]


def tries_made(store):
    with open_store(store) as db:
        return len(ledger.tries(db, ledger.Block(1, frozenset(), 0, 0)))


def test_only_the_best_variant_meets_test_and_it_is_one_try(tmp_path):
    calls = Calls()
    prompts = rung.family("prompts", *variants(calls, short=0.6, long=0.97, odd=0.3))
    decision = climbed(a_task(), [prompts], tmp_path)
    assert decision.verdict == "PASS" and decision.solution.name == "long"
    assert (decision.rungs[0].name, decision.rungs[0].candidate) == ("prompts", "long")
    assert calls.on("short", "test") == calls.on("odd", "test") == 0 < calls.on("long", "test")
    assert tries_made(tmp_path) == 1


def test_a_clear_loser_costs_few_calls_and_every_call_is_counted(tmp_path):
    calls = Calls()
    prompts = rung.family("prompts", *variants(calls, hopeless=0.1, good=0.95))
    decision = climbed(a_task(dev=120), [prompts], tmp_path)
    assert calls.on("hopeless", "dev") == 12
    assert decision.rungs[0].calls == calls.of.total()


def test_a_tie_goes_to_the_first_named(tmp_path):
    twins = [solver(n, lambda t: place(t) < 0.97) for n in ("first", "second")]
    assert climbed(a_task(), [rung.family("twins", *twins)], tmp_path).solution.name == "first"


def test_a_family_costs_the_calls_of_its_variants_once(tmp_path):
    calls = Calls()
    prompts = rung.family("prompts", *variants(calls, a=0.9, b=0.92))
    climbed(a_task(), [prompts], tmp_path)
    made = calls.of.total()
    assert len(calls.inputs) == len(set(calls.inputs))  # the winner's dev is not asked twice
    climbed(a_task(), [prompts], tmp_path)
    assert calls.of.total() == made


def test_learners_are_raced_out_of_fold(tmp_path):
    words = rung.family("words", learner("weak", 0.6, (0.9, 1.0)), learner("strong", 1.0, (0.9, 1.0)))
    decision = climbed(a_task(train=80), [words], tmp_path)
    assert decision.solution.name == "strong" and decision.rungs[0].out_of_fold
    assert decision.rungs[0].calls == 0


def test_a_family_of_learners_and_functions_is_raced_on_dev(tmp_path):
    mixed = rung.family("mixed", learner("weak", 0.3), solver("good", 0.97))
    assert climbed(a_task(), [mixed], tmp_path).solution.name == "good"


def test_unsuited_variants_stand_aside_and_a_family_of_them_is_not_tried(tmp_path):
    no = rung.Rung("no", rung.constant().fit, "no", unsuited=lambda task: "no pictures here")
    also = dataclasses.replace(no, name="also", identity="also")
    alone = climbed(a_task(), [rung.family("one", no, solver("good", 0.97))], tmp_path / "one")
    assert alone.solution.name == "good"
    none = climbed(a_task(), [rung.family("none", no, also), solver("good", 0.97)], tmp_path / "none")
    assert none.rungs[0].state == "not tried" and none.rungs[0].note == "no pictures here"


def test_a_family_needs_two_variants():
    with pytest.raises(UsageError, match="at least two"):
        rung.family("alone", solver("a", 0.5))


def test_an_outage_during_the_race_pauses_the_family_and_can_be_mended(tmp_path):
    down = [True]
    prompts = rung.family("prompts", *(solver(n, r, fails=lambda t: down[0]) for n, r in (("a", 0.5), ("b", 0.97))))
    assert climbed(a_task(), [prompts], tmp_path).rungs[0].state == "paused"
    down[0] = False
    decision = climbed(a_task(), [prompts], tmp_path)
    assert decision.verdict == "PASS" and decision.solution.name == "b"
