"""The gate: a sealed claim at a release, a paired look at dev at every commit, and a file for CI."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from climb_samples import Calls, a_task, climbed, learner, place, rows, solver

from suffice.errors import DataError, UsageError
from suffice.evals.evaluate import evaluate
from suffice.evals.seal import sealed_blocks
from suffice.ladder.gate import Gated, gate_dev, gate_test, junit_xml
from suffice.programs.bundle import load
from suffice.store import ledger
from suffice.store.database import open_store


def gated(task, solution, store, **options) -> Gated:
    return asyncio.run(gate_test(task, solution, store=store, **options))


def tries_made(store, task) -> int:
    with open_store(store) as db:
        return sum(len(ledger.tries(db, b.block)) for b in sealed_blocks(db, task))


# At a release.


def test_a_release_that_suffices_passes_and_again_is_a_look_up_without_a_call(tmp_path):
    task, calls = a_task(), Calls()
    first = gated(task, solver("good", 0.97, calls=calls), tmp_path)
    assert first.verdict == "PASS" and first.sentence.startswith("`good` suffices: at least ")
    made = calls.of.total()
    again = gated(task, solver("good", 0.97, calls=calls), tmp_path)
    assert (again.verdict, again.sentence) == (first.verdict, first.sentence)
    assert calls.of.total() == made and tries_made(tmp_path, task) == 1
    assert any("Known: decided on" in d for d in again.details)


def test_releases_that_pass_can_be_gated_for_ever(tmp_path):
    task = a_task()
    for version in range(12):
        assert gated(task, solver("good", 0.98, version=version), tmp_path).verdict == "PASS"
    assert tries_made(tmp_path, task) == 12


def test_a_release_that_does_not_suffice_fails(tmp_path):
    bad = solver("bad", lambda t: place(t) < (0.97 if t.startswith("dev") else 0.5))
    told = gated(a_task(), bad, tmp_path)
    assert told.verdict == "FAIL" and "was refuted" in told.sentence


def test_a_release_that_dev_shows_to_be_hopeless_spends_nothing_unless_told_to(tmp_path):
    task, calls = a_task(), Calls()
    told = gated(task, solver("poor", 0.3, calls=calls), tmp_path)
    assert told.verdict == "UNPROVEN" and tries_made(tmp_path, task) == 0
    assert calls.of["poor"] == 12
    assert any("No try was spent: dev makes a PASS unlikely (0%). --anyway spends one." in d for d in told.details)
    anyway = gated(task, solver("poor", 0.3, calls=calls), tmp_path, anyway=True)
    assert anyway.verdict == "FAIL" and tries_made(tmp_path, task) == 1


def test_a_saved_decision_passes_its_gate_by_look_up(tmp_path):
    task = a_task(bar=0.15, test=300)
    decision = climbed(task, ["constant"], tmp_path / "store")
    assert decision.verdict == "PASS"
    bundle = load(decision.save(tmp_path / "constant.suffice"))
    told = gated(task, bundle, tmp_path / "store")
    assert told.verdict == "PASS" and tries_made(tmp_path / "store", task) == 1


def test_the_gate_puts_no_threshold_on_a_function(tmp_path):
    sure = solver("sure", 0.0, sure=(0.4, 1.0))
    task = a_task(bar=0.85, dev=120, coverage=0.3)
    alone = climbed(task, [sure], tmp_path / "climb")
    assert alone.rungs[0].thresholds[0] is not None
    told = gated(task, sure, tmp_path / "gate", anyway=True)
    assert told.verdict == "FAIL"  # all its answers count, and .7 of them are right
    assert told.name == "sure"


def test_a_rung_that_learns_is_fitted_before_it_is_gated(tmp_path):
    assert gated(a_task(train=60), learner("fine", 1.0, (0.92, 1.0)), tmp_path).verdict == "PASS"


# At every commit.


def reported(task, solution, path, store):
    report = asyncio.run(evaluate(task, solution, store=store))
    report.save(path)
    return path


def on_dev(task, solution, report, store, **options) -> Gated:
    return asyncio.run(gate_dev(task, solution, report, store=store, **options))


def test_the_same_solution_on_the_same_cases_passes_however_few_they_are(tmp_path):
    task = a_task(dev=25)
    report = reported(task, solver("good", 0.8), tmp_path / "r.json", tmp_path)
    told = on_dev(task, solver("good", 0.8), report, tmp_path)
    assert told.verdict == "PASS"
    assert told.sentence == "`good` is the solution of the report, and scores the same on the same 25 dev cases."
    assert tries_made(tmp_path, task) == 0


def test_a_slight_change_on_many_cases_passes_and_lists_its_flips(tmp_path):
    task = a_task(dev=400)
    report = reported(task, solver("before", lambda t: place(t) < 0.9), tmp_path / "r.json", tmp_path)
    told = on_dev(task, solver("after", lambda t: 0.01 < place(t) < 0.91), report, tmp_path)
    assert told.verdict == "PASS" and "`after` is not worse than before by more than 0.05: " in told.sentence
    assert told.sentence.endswith("on the same 400 dev cases.")
    text = "\n".join(told.details)
    assert "gained" in text and "lost" in text and "dev ticket" in text


def test_a_clearly_worse_solution_fails(tmp_path):
    task = a_task(dev=120)
    report = reported(task, solver("before", 0.95), tmp_path / "r.json", tmp_path)
    told = on_dev(task, solver("after", 0.5), report, tmp_path)
    assert told.verdict == "FAIL" and "is worse than before by more than 0.05" in told.sentence
    assert len(told.details) > 20


def test_too_few_cases_to_tell_is_unproven(tmp_path):
    task = a_task(dev=20)
    report = reported(task, solver("before", 0.8), tmp_path / "r.json", tmp_path)
    told = on_dev(task, solver("after", 0.8), report, tmp_path)
    assert told.verdict == "UNPROVEN" and "may or may not be worse" in told.sentence


def test_a_report_of_another_task_is_refused(tmp_path):
    report = reported(a_task(seed=7), solver("before", 0.9), tmp_path / "r.json", tmp_path)
    with pytest.raises(UsageError, match="no cases in common"):
        on_dev(a_task(), solver("after", 0.9), report, tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"cases": []}', "\x00", "[" * 100_000])
def test_a_file_that_is_no_report_is_refused_in_words(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="not a saved report"):
        on_dev(a_task(), solver("after", 0.9), path, tmp_path)
    with pytest.raises(DataError, match="cannot read the report"):
        on_dev(a_task(), solver("after", 0.9), tmp_path / "none.json", tmp_path)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, float("nan")])
def test_a_margin_that_is_no_share_is_refused(tmp_path, margin):
    report = reported(a_task(dev=20), solver("before", 0.8), tmp_path / "r.json", tmp_path)
    with pytest.raises(UsageError, match="margin"):
        on_dev(a_task(dev=20), solver("after", 0.8), report, tmp_path, margin=margin)


# For CI.


def test_the_junit_file_says_pass_or_what_failed():
    passed = Gated("words > <b>", "tickets & co", "PASS", "`words` suffices.", ("Known.",))
    case = ElementTree.fromstring(junit_xml(passed)).find("testsuite/testcase")
    assert case.attrib == {"classname": "tickets & co", "name": "words > <b>"}
    assert case.find("failure") is None and case.findtext("system-out") == "`words` suffices.\nKnown."
    suite = ElementTree.fromstring(junit_xml(replace(passed, verdict="UNPROVEN"))).find("testsuite")
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("1", "1")
    assert suite.find("testcase/failure").attrib["message"] == "`words` suffices."


@pytest.mark.parametrize(
    "text", ["\x00\x1b[31m]]>", "\ud800 half", "\ufffe", "</failure><script>", '"quotes" & <tags>', "ü 😀"]
)
def test_the_junit_file_parses_whatever_a_case_holds(text):
    for verdict in ("PASS", "FAIL"):
        written = junit_xml(Gated(text, text, verdict, text, (text,))).encode("utf-8")
        assert ElementTree.fromstring(written).find("testsuite/testcase") is not None


def test_flips_of_hostile_texts_still_parse(tmp_path):
    given = rows(dev=30)
    for row in given:
        row["input"] += " \x00\x1b]8;; </testcase> ]]>"
    task = a_task(given=given)
    report = reported(task, solver("before", 1.0), tmp_path / "r.json", tmp_path)
    told = on_dev(task, solver("after", 0.5), report, tmp_path)
    assert told.details and ElementTree.fromstring(junit_xml(told)) is not None


def test_a_bundle_is_gated_by_the_claim_that_it_was_saved_with(tmp_path):
    task, bare = a_task(), a_task(bar=None)
    decision = climbed(task, [solver("good", 0.97)], tmp_path / "store")
    assert decision.verdict == "PASS" and decision.solution is not None
    found = replace(decision.solution, claim=decision.claim_json())
    again = gated(bare, found, tmp_path / "store")
    assert (again.verdict, again.sentence) == ("PASS", decision.sentence)
    assert tries_made(tmp_path / "store", task) == 1


def test_a_report_of_mostly_other_dev_cases_is_refused(tmp_path):
    async def main() -> None:
        many, few = a_task(given=rows(dev=100)), a_task(given=rows(dev=60))
        report = await evaluate(many, solver("good", 0.9), store=tmp_path / "store")
        report.save(tmp_path / "r.json")
        await gate_dev(few, solver("good", 0.9), tmp_path / "r.json", store=tmp_path / "store")

    with pytest.raises(UsageError, match="60 of its 100"):
        asyncio.run(main())
