"""Tries on sealed cases: what they spend, what is a look-up, what failed calls do, and how a pause ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from climb_samples import Calls, a_task, climbed, place, rows, said, solver, states, truth

from suffice.errors import BarError, StoreBusy
from suffice.evals import grade
from suffice.evals.seal import sealed_blocks, unseal
from suffice.ladder import rung
from suffice.ladder.climb import climb, plan
from suffice.ladder.gate import ALWAYS
from suffice.programs.bundle import load
from suffice.stats.claim import Claim
from suffice.stats.predict import chance
from suffice.stats.trial import Trial
from suffice.store import ledger
from suffice.store.database import open_store
from suffice.values import Answer


def ledger_of(store: Path, task) -> list[tuple[int, float, str | None]]:
    with open_store(store) as db:
        found = [t for b in sealed_blocks(db, task) for t in ledger.tries(db, b.block)]
    return [(t.number, t.alpha, t.verdict) for t in found]


def good(name="good", **more):
    return solver(name, 0.97, **more)


def bad_on_test(name="bad", rate=0.4, **more):
    """It looks good on dev, so that it meets test."""
    return solver(name, lambda t: place(name, t) < (0.97 if t.startswith("dev") else rate), **more)


# What is spent.


def test_the_first_try_may_spend_half_and_a_pass_costs_nothing(tmp_path):
    task = a_task()
    for version in range(3):
        assert climbed(task, [good(version=version)], tmp_path).verdict == "PASS"
    alphas = [a for _, a, _ in ledger_of(tmp_path, task)]
    assert alphas == [0.025, 0.025 + 0.0125, 0.025 + 0.0125 + 0.00625]


def test_a_try_that_did_not_pass_is_spent(tmp_path):
    task = a_task()
    assert climbed(task, [bad_on_test()], tmp_path).verdict == "FAIL"
    # Between bar - tolerance and the bar: neither is shown.
    near = bad_on_test("near", 0.78)
    assert climbed(task, [near], tmp_path, tolerance=0.02).verdict == "UNPROVEN"
    assert climbed(task, [good()], tmp_path).verdict == "PASS"
    assert ledger_of(tmp_path, task) == [(1, 0.025, "FAIL"), (2, 0.0125, "UNPROVEN"), (3, 0.00625, "PASS")]


def test_a_changed_ladder_continues_the_ledger_and_predicts_with_what_is_left(tmp_path):
    task = a_task()
    climbed(task, [bad_on_test()], tmp_path)
    longer = climbed(task, [bad_on_test(), bad_on_test("worse"), good()], tmp_path)
    assert states(longer) == {"bad": "FAIL", "worse": "FAIL", "good": "PASS"}
    assert longer.rungs[0].tested.known and not longer.rungs[1].tested.known
    assert [a for _, a, _ in ledger_of(tmp_path, task)] == [0.025, 0.0125, 0.00625]
    assert longer.error == 0.00625


def test_after_a_spent_try_the_next_rung_is_judged_by_what_is_left(tmp_path):
    near = solver("near", 0.86)
    decision = climbed(a_task(), [bad_on_test(), near], tmp_path)
    row, claim = decision.rungs[1], decision.claim
    left = Claim(claim.bar, claim.tolerance, claim.n, 0.0125)
    assert decision.rungs[0].state == "FAIL" and row.chance == chance(row.dev_right, row.dev_seen, left)


@pytest.mark.parametrize(
    "changed",
    [
        {"bar": 0.85},
        {"tolerance": 0.03},
        {"coverage": 0.9},
        {"grader": grade.exact()},
        {"corrected": True},
    ],
    ids=lambda c: next(iter(c)),
)
def test_another_claim_on_the_same_cases_is_another_try_in_the_same_ledger(tmp_path, changed):
    given = rows()
    assert climbed(a_task(given=given), [bad_on_test()], tmp_path).verdict == "FAIL"
    if changed.pop("corrected", False):
        given[-1]["expected"] = next(x for x in ("billing", "orders") if x != given[-1]["expected"])
    task = a_task(given=given, **changed)
    climbed(task, [bad_on_test()], tmp_path)
    assert [(n, a) for n, a, _ in ledger_of(tmp_path, task)] == [(1, 0.025), (2, 0.0125)]


def test_a_corrected_label_is_scored_by_the_new_label_and_the_other_calls_are_not_repeated(tmp_path):
    given, calls = rows(test=60), Calls()
    always_billing = solver("billing", lambda t: truth(t) == "billing", calls=calls)
    first = climbed(a_task(given=given, bar=0.5), [always_billing], tmp_path, rule=ALWAYS)
    assert first.verdict == "FAIL"
    asked = set(calls.inputs)
    corrected = [r | ({"expected": "?"} if r["expected"] != "billing" else {}) for r in given]
    task = a_task(given=corrected, bar=0.5)
    calls.clear()
    # The same answers, "?" where it is not billing, are all right by the corrected labels.
    assert climbed(task, [always_billing], tmp_path).verdict == "PASS"
    billing = {(n, t) for n, t in calls.inputs if truth(t) == "billing"}
    assert not billing & asked


def test_cases_added_after_the_first_try_are_a_fresh_block(tmp_path):
    given = rows(test=120)
    assert climbed(a_task(given=given), [bad_on_test()], tmp_path).verdict == "FAIL"
    grown = [*given, *rows(train=0, dev=0, test=200, seed=1)]
    task, calls = a_task(given=grown), Calls()
    assert plan(task, store=tmp_path).alpha == 0.025
    decision = climbed(task, [good(calls=calls)], tmp_path)
    assert (decision.verdict, decision.error, decision.claim.n) == ("PASS", 0.025, 200)
    assert all(t.endswith("of 1") for _, t in calls.inputs if t.startswith("test"))


def test_an_unsealed_case_never_counts_in_a_claim(tmp_path):
    task, calls = a_task(), Calls()
    with open_store(tmp_path) as db:
        shown = {c.inputs for c in unseal(db, task, 50)}
    decision = climbed(task, [good(calls=calls)], tmp_path)
    assert decision.claim.n == 150 and decision.verdict == "PASS"
    on_dev = {t for _, t in calls.inputs[: decision.rungs[0].dev_seen]}
    assert not shown & {t for _, t in calls.inputs[decision.rungs[0].dev_seen :]}
    assert shown & on_dev  # they are dev now


def test_another_seed_inherits_what_was_spent(tmp_path):
    given = [{k: v for k, v in r.items() if k != "split"} for r in rows(test=300)]
    task = a_task(given=given, shape="30/20/50")
    climbed(task, [bad_on_test(rate=0.4)], tmp_path, rule=ALWAYS)
    other = a_task(given=given, shape="30/20/50", seed=5)
    with open_store(tmp_path) as db:
        old = {c.key for c in task.sealed()}
        for block in sealed_blocks(db, other):
            mine = {c.key for c in block.cases}
            assert mine <= old, "a case that was dev under the other seed is sealed no more"
            assert block.alpha == 0.0125


# Look-ups.


def test_a_saved_and_loaded_decision_is_known_to_the_ledger(tmp_path):
    task = a_task(
        given=[
            {"id": str(i), "input": f"{word} number {i}", "expected": label, "split": split}
            for i, (word, label, split) in enumerate(
                (w, lab, s)
                for s, n in (("train", 30), ("dev", 20), ("test", 60))
                for w, lab in (("parcel", "shipping"), ("bill", "billing"), ("refund", "returns"))
                for _ in range(n)
            )
        ],
        coverage=0.5,
    )
    decision = climbed(task, [rung.constant(), rung.words()], tmp_path / "store")
    assert decision.verdict == "PASS" and decision.rungs[-1].thresholds[-1] is not None
    bundle = load(decision.save(tmp_path / "bundle"))
    again = climbed(task, [bundle], tmp_path / "store")
    assert again.verdict == "PASS" and again.rungs[0].tested.known
    assert again.bound == decision.bound and again.share == decision.share
    assert len(ledger_of(tmp_path / "store", task)) == 1
    assert any("Known: decided on 20" in a for a in again.advice)


def test_a_known_verdict_is_looked_up_however_little_is_left_to_spend(tmp_path):
    task, calls = a_task(test=80), Calls()
    assert climbed(task, [good(calls=calls)], tmp_path).verdict == "PASS"
    for version in range(12):
        climbed(task, [solver("poor", 0.3, version=version)], tmp_path, rule=ALWAYS)
    calls.clear()
    ladder = [solver("fresh", 0.9), good(calls=calls)]
    decision = climbed(task, ladder, tmp_path)
    assert decision.verdict == "PASS" and decision.solution.name == "good" and decision.rungs[1].tested.known
    assert calls.of.total() == 0


def test_a_known_verdict_that_did_not_pass_is_told_with_its_date(tmp_path):
    climbed(a_task(), [bad_on_test()], tmp_path)
    again = climbed(a_task(), [bad_on_test()], tmp_path)
    assert any("bad: this verdict is 20" in a and "`--dev`" in a for a in again.advice)


def test_a_ledger_that_is_nearly_spent_is_refused_with_what_restores_it(tmp_path):
    task, calls = a_task(test=40, bar=0.9, tolerance=0.1), Calls()
    for spent in range(20):
        try:
            climbed(task, [solver("poor", 0.3, version=spent)], tmp_path, rule=ALWAYS)
        except BarError:
            break
    assert 4 <= spent <= 9 and len(ledger_of(tmp_path, task)) == spent
    for refused in (lambda: plan(task, store=tmp_path), lambda: climbed(task, [good(calls=calls)], tmp_path)):
        with pytest.raises(BarError, match=f"after {spent} tries .* would pass in 1?[0-9]%") as told:
            refused()
        assert "fresh test cases: they start a ledger of their own" in told.value.hint
    assert calls.of.total() == 0
    grown = a_task(given=[*rows(test=40), *rows(train=0, dev=0, test=120, seed=1)], bar=0.9, tolerance=0.1)
    assert climbed(grown, [solver("great", 0.99)], tmp_path).verdict == "PASS"


# Failed calls.


def test_a_few_failed_calls_count_against_a_pass_and_not_for_a_fail(tmp_path):
    lost = {f"test ticket {i} of 0" for i in (83, 120, 210)}
    decision = climbed(a_task(bar=0.9), [good(fails=lambda t: t in lost)], tmp_path)
    tested = decision.rungs[0].tested
    assert decision.verdict == "PASS" and 0 < tested.failed <= 3
    assert tested.failures == ("raised",)


def test_the_verdict_is_that_of_the_engine_on_the_cases_in_order(tmp_path):
    told, otherwise = [], []
    for seed in range(12):
        task, store = a_task(bar=0.85, dev=30, test=120, seed=seed), tmp_path / str(seed)

        def right(text):
            return text.startswith("dev") or place("r", text) < 0.76

        def lost(text):
            return text.startswith("test") and place("lost", text) < 0.045

        decision = climbed(task, [solver("shaky", right, fails=lost)], store)
        tested, claim = decision.rungs[0].tested, decision.claim
        if tested.paused:
            continue
        with open_store(store) as db:
            cases = sealed_blocks(db, task)[0].cases
        trials = [Trial(Claim(claim.bar, claim.tolerance, claim.n, 0.025)) for _ in range(2)]
        for case in cases:
            good, gone = right(case.inputs) and not lost(case.inputs), lost(case.inputs)
            for trial, excused in zip(trials, (gone, False), strict=True):
                if trial.verdict is None:
                    trial.observe(good, good or excused)
        told.append((tested.verdict, tested.used))
        assert told[-1] == (trials[0].conclude(), trials[0].used)
        otherwise.append((trials[1].conclude(), trials[1].used))
    assert len(told) >= 6 and told != otherwise  # where a lost call counted as wrong it would have been refuted sooner


def test_an_outage_pauses_the_try_and_the_same_command_goes_on_with_it(tmp_path):
    task, calls, down = a_task(bar=0.9), Calls(), [True]

    def fails(text):
        return down[0] and text.startswith("test") and calls.on("good", "test") > 25

    paused = climbed(task, [good(calls=calls, fails=fails), good("harder", calls=calls)], tmp_path, concurrency=1)
    assert paused.verdict == "UNPROVEN" and paused.solution is None
    assert paused.sentence == (
        "`good` is paused, not decided: 3 of 28 calls gave no answer (raised); mend that and run the same command "
        "again (pause 1 of 3)."
    )
    assert states(paused) == {"good": "paused", "harder": "waiting"}  # and no other try overtook it
    assert calls.of["harder"] == 0
    assert ledger_of(tmp_path, task) == [(1, 0.025, None)]
    answered = [pair for pair in calls.inputs if not pair[1].startswith("test")] + calls.inputs[-28:-3]
    calls.clear()
    down[0] = False
    mended = climbed(task, [good(calls=calls, fails=fails), good("harder")], tmp_path, concurrency=1)
    assert mended.verdict == "PASS" and mended.run == paused.run and mended.error == 0.025
    assert not set(calls.inputs) & set(answered)
    assert ledger_of(tmp_path, task) == [(1, 0.025, "PASS")]
    straight = climbed(task, [good(), good("harder")], tmp_path / "straight", concurrency=1)
    assert mended.rungs[0].tested.used == straight.rungs[0].tested.used


def test_a_try_pauses_three_times_and_is_then_decided_with_what_fails(tmp_path):
    task = a_task(bar=0.9)
    lost = good(fails=lambda t: t.startswith("test") and place("lost", t) < 0.2)
    for pause in (1, 2, 3):
        decision = climbed(task, [lost], tmp_path, concurrency=1)
        assert f"pause {pause} of 3" in decision.sentence
        assert ("the next run decides with what fails" in decision.sentence) == (pause == 3)
    decided = climbed(task, [lost], tmp_path, concurrency=1)
    tested = decided.rungs[0].tested
    assert decided.verdict == "UNPROVEN" and not tested.paused and tested.used == tested.calls == decided.claim.n
    assert tested.failed > 0.1 * tested.used
    assert ledger_of(tmp_path, task) == [(1, 0.025, "UNPROVEN")]


def test_an_outage_on_the_way_down_leaves_the_rung_that_passed(tmp_path):
    down = [True]
    easy = solver(
        "easy",
        lambda t: place("e", t) < (0.8 if t.startswith("dev") else 0.99),
        fails=lambda t: down[0] and t.startswith("test"),
    )
    task = a_task(bar=0.85)
    decision = climbed(task, [easy, good("hard")], tmp_path)
    assert decision.verdict == "PASS" and decision.solution.name == "hard"
    assert states(decision) == {"easy": "paused", "hard": "PASS"}
    assert any(a.startswith("`easy` is paused, not decided: ") for a in decision.advice)
    down[0] = False
    again = climbed(task, [easy, good("hard")], tmp_path)
    assert again.verdict == "PASS" and again.solution.name == "easy"


def test_an_outage_on_dev_pauses_the_rung_and_the_same_command_asks_it_again(tmp_path):
    task, calls, down = a_task(), Calls(), [True]
    flaky = good("flaky", calls=calls, fails=lambda t: down[0])
    decision = climbed(task, [flaky], tmp_path)
    assert decision.verdict == "UNPROVEN" and decision.rungs[0].state == "paused"
    assert calls.of["flaky"] <= 12
    text = " ".join(decision.advice)
    assert "flaky paused: 3 of 3 calls gave no answer, the first: raised: ConnectionError: no route to host" in text
    down[0] = False
    assert climbed(task, [flaky], tmp_path).verdict == "PASS"


def test_a_time_out_is_a_failed_call(tmp_path):
    slow = good("slow", delay=lambda t: 0.5 if place("slow", t) < 0.2 else 0.0)
    decision = climbed(a_task(), [slow], tmp_path, timeout=0.02)
    assert decision.rungs[0].state == "paused" and "no answer within 0.02 s" in " ".join(decision.advice)


# Free rungs, and what else counts.


def test_a_free_rung_runs_every_case_and_says_fail_only_at_the_end(tmp_path):
    calls = Calls()
    decision = climbed(a_task(), [solver("free", 0.99, calls=calls, free=True)], tmp_path)
    assert decision.verdict == "PASS" and calls.on("free", "test") == 200
    assert decision.rungs[0].tested.used == 200 and decision.rungs[0].calls == 0 and decision.cost == 0.0
    failed = climbed(a_task(), [bad_on_test("worse", 0.5, free=True)], tmp_path)
    assert failed.verdict == "FAIL" and failed.rungs[0].tested.used == 200


def test_what_an_input_costs_is_unknown_unless_the_solution_is_free_or_calls_a_model(tmp_path):
    assert climbed(a_task(), [good()], tmp_path).cost is None
    mixed = climbed(a_task(), [solver("poor", 0.1), good("free", free=True)], tmp_path / "mixed")
    assert mixed.verdict == "PASS" and mixed.cost == 0.0


def test_without_coverage_an_abstention_counts_as_wrong(tmp_path):
    shy = solver("shy", 1.0, hands_on=lambda t: place("shy", t) < 0.4)
    assert climbed(a_task(), [shy], tmp_path, rule=ALWAYS).verdict == "FAIL"
    covered = climbed(a_task(), [shy], tmp_path, coverage=0.5)
    assert covered.verdict == "PASS" and covered.share >= 0.45


def test_none_is_an_answer_and_is_graded(tmp_path):
    given = [r | {"expected": None if i % 2 else "billing"} for i, r in enumerate(rows())]
    task = a_task(given=given, nothing=True)

    async def knows(text: str) -> Answer:
        return Answer(None if int(text.split()[2]) % 2 else "billing")

    assert climbed(task, [knows], tmp_path).verdict == "PASS"
    never = solver("never", lambda t: True)
    assert climbed(task, [never], tmp_path).verdict != "PASS"


def test_one_case_of_each_cluster_is_used_and_the_sentence_says_so(tmp_path):
    calls = Calls()
    given = rows(dev=80, test=240)
    for i, row in enumerate(given):
        row["customer"] = f"{row['split']} customer {i // 2}"
    task = a_task(given=given, cluster="customer", per_cluster=1)
    decision = climbed(task, [good(calls=calls)], tmp_path)
    assert decision.claim.n == 120 and decision.claim.per == "customer"
    assert "of 120 sealed cases, one per customer)" in decision.sentence
    asked = [t for _, t in calls.inputs]
    assert len({int(t.split()[2]) // 2 for t in asked if t.startswith("test")}) == calls.on("good", "test")


def test_clusters_are_decided_by_their_cases_and_the_sentence_says_how_many_count(tmp_path):
    calls = Calls()
    given = rows(dev=80, test=240)
    for i, row in enumerate(given):
        row["customer"] = f"{row['split']} customer {i // 2}"
    decision = climbed(a_task(given=given, cluster="customer"), [good(calls=calls)], tmp_path)
    assert decision.verdict == "PASS" and decision.claim.n == 120 and decision.claim.most == 2
    assert "of 120 sealed customers, counting at most 2 cases of each)" in decision.sentence
    tested = decision.rungs[0].tested
    assert tested is not None and 2 * tested.used - 2 < calls.on("good", "test") <= 2 * tested.used + 8
    again = climbed(a_task(given=given, cluster="customer"), [good(calls=Calls())], tmp_path)
    assert again.sentence == decision.sentence


def test_a_mean_of_graded_scores_is_decided_by_betting(tmp_path):
    def shares(output: str, expected: str) -> float:
        return 0.9 if output == expected else 0.1

    task = a_task(bar=0.8, grader=grade.function(shares))
    decision = climbed(task, [solver("good", 0.97)], tmp_path)
    assert decision.claim.graded and decision.verdict == "PASS"
    assert "its mean score on future inputs like these is at least " in decision.sentence
    assert decision.rungs[0].dev_mean is not None and 0.7 < decision.rungs[0].dev_mean < 0.9
    assert climbed(task, [solver("poor", 0.4)], tmp_path).verdict != "PASS"


def test_another_process_on_the_same_try_is_told_to_wait(tmp_path):
    task = a_task()

    async def overlap():
        calls = Calls()
        slow = good(calls=calls, delay=lambda t: 0.05 if t.startswith("test") else 0.0)
        first = asyncio.create_task(climb(task, [slow], store=tmp_path))
        while not calls.on("good", "test"):
            await asyncio.sleep(0.005)
        with pytest.raises(StoreBusy, match="wait until it ends"):
            # Another ladder, but the same candidate.
            await climb(task, [solver("poor", 0.05), slow], store=tmp_path)
        return await first

    assert asyncio.run(overlap()).verdict == "PASS"
    assert len(ledger_of(tmp_path, task)) == 1


def test_repeating_a_paused_climb_replays_dev_and_says_the_same(tmp_path):
    rungs = [good(fails=lambda t: t.startswith("test"))]
    once = said(climbed(a_task(), rungs, tmp_path, concurrency=1))
    twice = said(climbed(a_task(), rungs, tmp_path, concurrency=1))
    assert once["rungs"][0]["state"] == twice["rungs"][0]["state"] == "paused"
    assert once["sentence"].replace("pause 1", "pause 2") == twice["sentence"]
