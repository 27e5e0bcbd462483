"""`forget` and `store.keep` in the real command: what was to go is in no byte of the store, and the seal holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from cli_samples import Command
from upstream_faults import Asked, Fault, Ok

from upstream import Upstream, upstream

SECRET = "Frau Yilmaz at 12 Elm Street cannot log in"
STEP = '''
import suffice as sf

@sf.step
async def triage(text: str) -> str:
    """Which team?"""
    ...
'''


def answering(asked: Asked) -> Fault:
    told = json.dumps(asked.said)
    text = f"access, for {SECRET}" if SECRET in told else "access"
    return Ok(json.dumps({"answer": text}) if "response_format" in asked.said else text)


@pytest.fixture
def model() -> Iterator[Upstream]:
    with upstream(answering) as up:
        yield up


def a_task(suffice: Command) -> None:
    rows = [{"id": f"c{i}", "text": f"{i} my screen is black", "team": "hardware", "split": "dev"} for i in range(20)]
    rows[3] |= {"text": SECRET, "team": "access"}
    test = [{**row, "id": f"t{i}", "text": f"test {i}: no sound", "split": "test"} for i, row in enumerate(rows)]
    train = [{**row, "id": f"l{i}", "text": f"{i} it is slow", "split": "train"} for i, row in enumerate(rows)]
    suffice.write("t.jsonl", "\n".join(map(json.dumps, [*train, *rows, *test])))
    suffice.write("steps.py", STEP)


def stored(suffice: Command) -> bytes:
    return b"".join(path.read_bytes() for path in suffice.home.iterdir())


def test_a_forgotten_case_is_in_no_byte_of_store_or_tape_and_the_others_are_kept(
    suffice: Command, model: Upstream
) -> None:
    a_task(suffice)
    settings = {"SUFFICE_MODEL": f"{model.url}#m"}
    assert suffice("eval", "t.jsonl", "steps.py:triage", **settings).code == 0
    line = {"model": "m", "url": "u", "status": 200, "headers": {}, "streamed": False, "chunks": ["{}"]}
    tape = [{**line, "request": {"messages": [{"content": text}]}} for text in (f"text: {SECRET}", "text: other")]
    path = suffice.write("tape.jsonl", "".join(json.dumps(one) + "\n" for one in tape))
    assert SECRET.encode() in stored(suffice)
    asked = len(model.log.asked)

    suffice("forget", "t.jsonl", "--case", "c3").refused("this removes 1 answer, 1 cached reply, 1 run's texts")
    assert SECRET.encode() in stored(suffice)
    ran = suffice("forget", "t.jsonl", "--case", "c3", "--tape", path, "--yes")
    assert ran.code == 0 and "1 line of tapes" in ran.out and "ledger" in ran.out, ran.err
    assert SECRET.encode() not in stored(suffice)
    assert [json.loads(one)["request"] for one in path.read_text().splitlines()] == [tape[1]["request"]]

    assert suffice("eval", "t.jsonl", "steps.py:triage", **settings).code == 0
    assert len(model.log.asked) == asked + 1  # the forgotten one alone


def test_a_sealed_case_that_is_forgotten_stays_in_the_ledger_and_is_not_shown(suffice: Command) -> None:
    a_task(suffice)
    suffice.write("my.py", "def good(text):\n    return 'access' if 'log in' in text else 'hardware'\n")
    suffice("climb", "t.jsonl", "my.py:good", "--bar", ".5")
    with closing(sqlite3.connect(suffice.home / "store.sqlite")) as db:
        before = [db.execute(f"SELECT * FROM {t}").fetchall() for t in ("exposed", "sealed", "block_case", "try")]
    ran = suffice("forget", "t.jsonl", "--case", "t3", "--yes")
    assert ran.code == 0 and "no sound" not in ran.out + ran.err
    with closing(sqlite3.connect(suffice.home / "store.sqlite")) as db:
        after = [db.execute(f"SELECT * FROM {t}").fetchall() for t in ("exposed", "sealed", "block_case", "try")]
    assert before == after and all(before)


def test_everything_old_goes_with_0d(suffice: Command, model: Upstream) -> None:
    a_task(suffice)
    suffice("eval", "t.jsonl", "steps.py:triage", SUFFICE_MODEL=f"{model.url}#m")
    ran = suffice("forget", "--older", "0d", "--yes")
    assert "20 answers, 20 cached replies, 1 run's texts" in ran.out
    assert SECRET.encode() not in stored(suffice) and b"screen is black" not in stored(suffice)
    assert suffice("forget", "--older", "30d").out.startswith("removed nothing")
    suffice("report", "eval-1").refused("forgotten")


def test_one_run_is_forgotten_by_its_name_and_the_others_are_kept(suffice: Command, model: Upstream) -> None:
    a_task(suffice)
    suffice.write("more.jsonl", (suffice.folder / "t.jsonl").read_text().replace("screen is black", "mouse is dead"))
    for file in ("t.jsonl", "more.jsonl"):
        assert suffice("eval", file, "steps.py:triage", SUFFICE_MODEL=f"{model.url}#m").code == 0
    assert b"screen is black" in stored(suffice) and b"mouse is dead" in stored(suffice)
    ran = suffice("forget", "--run", "eval-1", "--yes")
    assert "removed 20 answers, 20 cached replies, 1 run's texts" in ran.out, ran.err
    assert b"screen is black" not in stored(suffice) and b"mouse is dead" in stored(suffice)
    assert suffice("report", "eval-2").code == 0


def test_wrong_uses_are_refused_with_the_line_to_type(suffice: Command) -> None:
    a_task(suffice)
    suffice("forget").refused("a case or an age", "--older 30d")
    suffice("forget", "--older", "30 moons").refused("hours, days or weeks", "--older 30d")
    suffice("forget", "--older", "30d").refused("no store here", "SUFFICE_HOME")
    suffice("eval", "t.csv", "my.py:good")
    suffice("forget", "--run", "eval-1", "--older", "30d").refused("a case or an age, or a run", "--run")
    suffice("forget", "t.jsonl", "--run", "eval-1").refused("--run is for what a run recorded")
    suffice("forget", "t.jsonl", "--case", "c33", "--yes").refused("no case 'c33'", "did you mean c3")
    suffice("forget", "--case", "c3").refused("one of a task")
    suffice.write("notes.txt", "not a tape")
    suffice("forget", "t.jsonl", "--case", "c3", "--tape", "notes.txt", "--yes").refused("notes.txt:1", "no line of")


@pytest.mark.parametrize("keep", ["hashes", "off"])
def test_without_texts_a_run_says_so_asks_each_case_once_and_asks_again_in_the_next(
    suffice: Command, model: Upstream, keep: str
) -> None:
    a_task(suffice)
    suffice.write("suffice.toml", f'[store]\nkeep = "{keep}"\n')
    settings = {"SUFFICE_MODEL": f"{model.url}#m"}
    ran = suffice("eval", "t.jsonl", "steps.py:triage", **settings)
    assert ran.code == 0 and f"store.keep is {keep}" in ran.err and "1 of 20" not in ran.err
    assert (
        len(model.log.asked) == 20
        and b"screen is black" not in stored(suffice)
        and SECRET.encode() not in stored(suffice)
    )
    ran = suffice("eval", "t.jsonl", "steps.py:triage", **settings)
    assert len(model.log.asked) == 40
    page = suffice("report", "eval-1")
    assert page.code == (0 if keep == "hashes" else 2), page.err
    suffice("view", "eval-1").refused("store.keep" if keep == "hashes" else "no report|not kept|no result")


def test_a_climb_without_texts_decides_the_same(suffice: Command) -> None:
    a_task(suffice)
    suffice.write("my.py", "def good(text):\n    return 'access' if 'log in' in text else 'hardware'\n")
    suffice.write("suffice.toml", '[store]\nkeep = "off"\n')
    first = suffice("climb", "t.jsonl", "my.py:good", "--bar", ".5")
    again = suffice("climb", "t.jsonl", "my.py:good", "--bar", ".5")
    assert first.out.splitlines()[0] == again.out.splitlines()[0] and "Known" in again.out
    suffice("report", "climb-1").refused("verdict alone")


def test_a_keep_that_is_none_is_refused(suffice: Command) -> None:
    suffice.write("suffice.toml", '[store]\nkeep = "some"\n')
    suffice("eval", "t.csv", "my.py:good").refused("store.keep is", "full")
