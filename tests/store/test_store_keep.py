"""What the store keeps: all texts, hashes in their place, or nothing but what the seal and budgets need."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from old_stores import old_store

from suffice.store.database import Store, open_store
from suffice.store.forget import erase, forget_inputs, forget_older
from suffice.store.journal import Recorded, Scored, Writer, forgive, lookup, lookup_sealed, record_many
from suffice.store.keep import KEEPS, Keep, result_as_kept
from suffice.store.runs import finish_run, get_run, start_run
from suffice.values import Answer, Cost, Failure, content_hash

ONE, TWO = content_hash("a"), content_hash("b")
SAID = "Frau Yilmaz owes 311 euros"
CLIMB = {
    "suffice_decision": 1, "task": "t", "verdict": "PASS", "sentence": "`words` suffices.", "bound": 0.9,
    "advice": [f"it said {SAID}"], "settings": {"inputs": ["text"]},
    "rungs": [{"name": "words", "state": "PASS", "note": SAID, "tested": {"verdict": "PASS", "barred": SAID}}],
    "pages": {"confusion": [[SAID, SAID, 1]], "failures": [{"source": "t.csv:3", "inputs": SAID, "reason": SAID}]},
}  # fmt: skip


def bytes_of(store: Store) -> bytes:
    folder = store.path.parent
    return b"".join(path.read_bytes() for path in folder.iterdir())


def recorded(store: Store) -> str:
    """A run in which one answer, one failure and one sealed score were recorded."""
    run = start_run(store, "eval", "t", {})

    async def calls() -> None:
        writer = Writer(store, run)
        await writer.intend("s", ONE)
        await writer.record("s", ONE, Recorded(Answer(SAID, 0.5, "s"), None, 1.0, Cost(0.1, 2, 3)))
        await writer.record("s", TWO, Recorded(None, Failure("raised", SAID)))
        await writer.record_sealed("s", "g", ONE, Scored(1.0))

    asyncio.run(calls())
    finish_run(store, run, "done", CLIMB)
    return run


@pytest.mark.parametrize("keep", KEEPS)
def test_only_full_writes_texts_and_all_keep_sealed_scores(tmp_path: Path, keep: Keep) -> None:
    with open_store(tmp_path) as opened:
        store = replace(opened, keep=keep)
        recorded(store)
        assert (SAID.encode() in bytes_of(store)) == (keep == "full")
        assert lookup_sealed(store, "s", "g", [ONE])[ONE].pass_score == 1.0


@pytest.mark.parametrize("keep", ["hashes", "off"])
def test_what_is_not_written_is_known_until_the_store_is_closed(tmp_path: Path, keep: Keep) -> None:
    with open_store(tmp_path) as opened:
        store = replace(opened, keep=keep)
        run = recorded(store)
        found = lookup(store, "s", [ONE, TWO], run=run)
        assert found[ONE].answer == Answer(SAID, 0.5, "s") and found[TWO].failure == Failure("raised", SAID)
        assert TWO not in lookup(store, "s", [TWO], run="eval-99")  # a failure is that of its run
        forgive(store, run)
        assert TWO not in lookup(store, "s", [TWO], run=run)
    with open_store(tmp_path) as store:
        assert lookup(store, "s", [ONE]) == {}


def test_hashes_stand_where_texts_were(tmp_path: Path) -> None:
    with open_store(tmp_path) as opened:
        store = replace(opened, keep="hashes")
        run = recorded(store)
        row = store.connection.execute("SELECT value, hex(output), confidence, cost_usd FROM answer").fetchone()
        assert row == ("", content_hash(SAID).upper(), 0.5, 0.1)
        result = get_run(store, run).result
        failure = result["pages"]["failures"][0]
        assert failure == {"source": "t.csv:3", "inputs": f"hash {content_hash(SAID)}", "reason": ""}
        assert result["sentence"] == CLIMB["sentence"] and result["settings"] == {"inputs": ["text"]}


def test_off_keeps_of_a_climb_what_makes_it_end_the_same_again() -> None:
    kept = result_as_kept(CLIMB, "off")
    assert kept["verdict"] == "PASS" and kept["rungs"][0]["tested"]["verdict"] == "PASS" and "pages" not in kept
    assert result_as_kept(kept, "off") == kept
    assert result_as_kept({"suffice_report": 1, "score": 0.5}, "off") is None


def test_a_case_leaves_no_byte_and_others_stay(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        run = start_run(store, "eval", "t", {})
        calls = [(content_hash(n), Recorded(Answer(f"{SAID} {n}" if n == 7 else "paid"))) for n in range(2_000)]
        record_many(store, run, "s", calls)
        finish_run(store, run, "done", {"rungs": [], "failures": [SAID]})
        assert SAID.encode() in bytes_of(store)

        def without(result: object) -> object:
            return None

        counted = forget_inputs(store, content_hash(7), [], without, really=False)
        assert (counted.answers, counted.runs) == (1, 1) and len(lookup(store, "s", [content_hash(7)])) == 1
        assert forget_inputs(store, content_hash(7), [], without, really=True) == counted
        assert erase(store)
        assert SAID.encode() not in bytes_of(store)
        assert len(lookup(store, "s", [name for name, _ in calls])) == 1_999


def test_what_is_old_goes_and_what_is_new_and_the_ledger_stay(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        old = recorded(store)
        store.connection.execute("UPDATE run SET started = 1, finished = 2")
        new = start_run(store, "eval", "t", {})
        record_many(store, new, "s", [(content_hash("new"), Recorded(Answer("new answer")))])
        finish_run(store, new, "done", None)
        gone = forget_older(store, 1_000.0, really=True)
        assert (gone.answers, gone.failures, gone.runs) == (1, 1, 1) and erase(store)
        assert SAID.encode() not in bytes_of(store)
        assert get_run(store, old).result["verdict"] == "PASS"
        assert len(lookup(store, "s", [content_hash("new")])) == 1
        assert lookup_sealed(store, "s", "g", [ONE])[ONE].pass_score == 1.0


def test_a_store_from_before_replies_said_their_case_is_brought_up_to_date(tmp_path: Path) -> None:
    old_store(
        tmp_path,
        5,
        "INSERT INTO reply VALUES (x'00', 'm', '\"an old reply\"', 1.0)",
        "INSERT INTO solution VALUES (1, 's')",
        "INSERT INTO answer VALUES (1, x'00', 1, '\"a\"', NULL, NULL, 0.5, 0.25, 3, 4, 0)",
    )
    with open_store(tmp_path) as store:
        assert lookup(store, "s", ["00"])["00"].answer == Answer("a")
        assert forget_inputs(store, ONE, [], lambda result: result, really=True).replies == 1  # it may be of any case
