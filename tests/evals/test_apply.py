"""Applying a solution to a file: the same rows, their answers, and nothing lost or asked twice."""

from __future__ import annotations

import asyncio
import codecs
import csv
import io
import json
import queue
import random
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffice as sf
from suffice.errors import DataError, SolutionError, StoreBusy, UsageError
from suffice.evals.answered import ADDED, added_names, is_formula
from suffice.evals.apply import Applied, ApplyOptions, apply
from suffice.evals.read import read_file
from suffice.evals.stream import records, scan
from suffice.programs.bundle import load, save_bundle
from suffice.programs.constant import constant_solution
from suffice.programs.route import route
from suffice.store import runs
from suffice.store.database import open_store
from suffice.store.runs import list_runs
from suffice.values import ABSTAIN, Answer, Json
from upstream import upstream

# What a function holds is part of its identity, except for what cannot be written down, such as a queue.
Noted = queue.SimpleQueue[str]
turn: ContextVar[str] = ContextVar("turn", default="")

QUIET = ApplyOptions(journal=False)


def team(text: str) -> Any:
    """An answer of every sort."""
    if text == "fails":
        raise ValueError("no such text")
    sort = {"nothing": None, "hard": ABSTAIN, "sure": Answer("billing", 0.123456789), "number": 3.5, "yes": True,
            "fields": {"team": "größe", "tags": ["a"]}, "formula": "=1+1"}  # fmt: skip
    return sort.get(text, text.upper())


def test_two_processes_do_not_write_one_output(tmp_path: Path) -> None:
    source, out = tmp_path / "new.csv", tmp_path / "out.csv"
    source.write_text("text\na\nb\n", encoding="utf-8")
    began, go = asyncio.Event(), asyncio.Event()

    async def slow(text: str) -> str:
        began.set()
        await go.wait()
        return text.upper()

    async def main() -> None:
        first = asyncio.create_task(apply(slow, source, out, store=tmp_path / "store"))
        await began.wait()
        (tmp_path / "same.csv").symlink_to(out)
        for other in (out, tmp_path / "same.csv"):
            with pytest.raises(StoreBusy, match=r"the output .*out\.csv is in use by process"):
                await apply(slow, source, other, store=tmp_path / "store", options=ApplyOptions(overwrite=True))
        go.set()
        await first
        await apply(slow, source, out, store=tmp_path / "store", options=ApplyOptions(overwrite=True))  # free again

    asyncio.run(main())
    assert [line.split(",")[1] for line in out.read_text(encoding="utf-8").splitlines()[1:]] == ["A", "B"]


def applied(
    tmp_path: Path, source: str | bytes, solution: Any = team, options: ApplyOptions = QUIET, name: str = "new.csv"
) -> tuple[bytes, Applied]:
    """The output's bytes and what became of the rows."""
    path, out = tmp_path / name, tmp_path / f"out-{name}"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    result = asyncio.run(apply(solution, path, out, options=options))
    assert out.with_name(f"{out.name}.resume").exists() == (result.failed > 0)  # these rows can be asked again
    return out.read_bytes(), result


def rows_of(text: bytes, encoding: str = "utf-8") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(encoding), newline="")))


# What comes out


def test_a_csv_gets_its_answers_at_the_end_of_each_row(tmp_path: Path) -> None:
    out, result = applied(tmp_path, "id,text\n1,hello\n2,nothing\n3,hard\n4,fails\n5,sure\n6,number\n7,yes\n8,fields\n")
    lines = out.decode().splitlines()
    assert lines[:4] == [
        "id,text,answer,confidence,answered_by,status,error",
        "1,hello,HELLO,,team,answered,",
        "2,nothing,,,team,nothing,",
        "3,hard,,,,abstained,",
    ]
    assert lines[4].startswith("4,fails,,,,failed,raised: ValueError: no such text (test_apply.py:")
    assert lines[5] == "5,sure,billing,0.123457,team,answered,"
    assert [r["answer"] for r in rows_of(out)[5:]] == ["3.5", "true", '{"team": "größe", "tags": ["a"]}']
    assert result == Applied(8, 5, 1, 1, 1, 0, ("text",), ADDED)


def test_a_blank_row_is_one_for_a_person_where_the_bundle_cannot_be_asked_it(tmp_path: Path) -> None:
    @sf.step
    async def triage(text: str) -> str:
        """Which team?"""
        ...

    bundle = load(save_bundle(triage.using(model="http://127.0.0.1:9/v1#nobody").as_solution(), tmp_path / "b"))
    out, result = applied(tmp_path, "id,text\n1,\n2,  \n", bundle)
    assert (result.abstained, result.failed) == (2, 0)
    assert [r["status"] for r in rows_of(out)] == ["abstained", "abstained"]


def test_json_lines_get_the_same_as_members(tmp_path: Path) -> None:
    source = '{"text": "hello", "n": 1.50e3}\n{"text":"nothing"}\n\n{ "text": "hard" }\r\n{"text": "fields"}'
    out, result = applied(tmp_path, source, name="new.jsonl")
    lines = out.decode().split("\n")
    assert lines[0].startswith('{"text": "hello", "n": 1.50e3, "answer": "HELLO"')  # the row's own text is kept
    rows = [json.loads(line) for line in lines if line]
    assert [r["answer"] for r in rows] == ["HELLO", None, {"abstain": True}, {"team": "größe", "tags": ["a"]}]
    assert [r["status"] for r in rows] == ["answered", "nothing", "abstained", "answered"]
    assert [r["answered_by"] for r in rows] == ["team", "team", None, "team"]
    assert (result.rows, result.columns) == (4, ADDED)


@pytest.mark.parametrize(
    "source",
    [
        'id,text\n1,"two\nlines, ""quoted"""\n2,plain',  # no line end at the end
        'id,text\r\n1,"two\r\nlines"\r\n2,plain\r\n',
        "id;text\n1;a,b\n2;größe 📦\n",
        "id\ttext\n1\ta,b\n2\t c \n",
        '"id",text\n" 1",x\n,y\n',
        "id,text\r1,old mac\r2,lines\r",
        "text\n\n\na\n\nb\n",
        'text,\n"a",1\n',
    ],
)
def test_the_row_itself_is_not_touched(tmp_path: Path, source: str) -> None:
    out, result = applied(
        tmp_path, source, solution=lambda t: "x,;\t\n\"'y", options=ApplyOptions(("text",), journal=False)
    )
    delimiter = next(d for d in ";\t," if d in source or d == ",")
    before = [r for r in csv.reader(io.StringIO(source, newline=""), delimiter=delimiter) if r]
    after = list(csv.reader(io.StringIO(out.decode(), newline=""), delimiter=delimiter))
    assert [r[: len(before[0])] for r in after] == before
    assert after[0][len(before[0]) :] == list(ADDED)
    assert all(r[len(before[0])] == "x,;\t\n\"'y" for r in after[1:])
    assert result.rows == len(before) - 1
    for record in records(scan(tmp_path / "new.csv")):
        assert record.raw in out.decode()


MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}


@pytest.mark.parametrize(("codec", "mark"), [*MARKS.items(), ("utf-8", b"")])
@pytest.mark.parametrize("name", ["new.csv", "new.jsonl"])
def test_encoding_and_byte_order_mark_are_kept(tmp_path: Path, mark: bytes, codec: str, name: str) -> None:
    text = "text,n\ngröße 📦,1\n" if name == "new.csv" else '{"text": "größe 📦", "n": 1}\n'
    out, _ = applied(tmp_path, mark + text.encode(codec), name=name)
    assert out.startswith(mark)
    body = out[len(mark) :].decode(codec)
    assert "\ufeff" not in body and "GRÖSSE 📦" in body
    assert body.startswith(text.splitlines()[0].rstrip("}"))


def test_an_old_encoding_is_read_as_told_and_comes_out_as_utf_8(tmp_path: Path) -> None:
    source = "text\ngröße €\n".encode("cp1252")
    with pytest.raises(DataError, match="not UTF-8") as caught:
        applied(tmp_path, source)
    assert (caught.value.where, "--encoding cp1252" in (caught.value.hint or "")) == ("new.csv:2", True)
    out, result = applied(tmp_path, source, options=ApplyOptions(encoding="cp1252", journal=False))
    assert rows_of(out)[0]["answer"] == "GRÖSSE €"
    assert any("UTF-8" in note for note in result.notes)
    with pytest.raises(UsageError, match="unknown encoding"):
        applied(tmp_path, source, options=ApplyOptions(encoding="klingon"))


def test_a_column_of_the_same_name_is_never_overwritten(tmp_path: Path) -> None:
    out, result = applied(tmp_path, "text,Answer,status\na,mine,open\n")
    (row,) = rows_of(out)
    assert (row["Answer"], row["status"]) == ("mine", "open")
    assert (row["suffice_answer"], row["suffice_status"]) == ("A", "answered")
    assert any("suffice_answer" in note for note in result.notes)
    out, _ = applied(tmp_path, '{"text": "a"}\n{"text": "b", "error": 1}\n', name="n.jsonl")
    assert [json.loads(line)["suffice_answer"] for line in out.splitlines()] == ["A", "B"]
    assert added_names(["answer", "suffice_error"])[0] == "suffice_suffice_answer"


def test_what_a_spreadsheet_would_run_gets_an_apostrophe_in_a_csv_alone(tmp_path: Path) -> None:
    out, _ = applied(tmp_path, "text\nformula\n")
    assert rows_of(out)[0]["answer"] == "'=1+1"
    (tmp_path / "out-new.csv").unlink()
    out, _ = applied(tmp_path, "text\nformula\n", options=ApplyOptions(exact=True, journal=False))
    assert rows_of(out)[0]["answer"] == "=1+1"
    out, _ = applied(tmp_path, '{"text": "formula"}', name="n.jsonl")
    assert json.loads(out)["answer"] == "=1+1"
    assert [is_formula(t) for t in ("＝1+1", "＋A1", "－A1", "＠SUM(A1)", "－3.5", "＋１", "a＝b")] == [
        *[True] * 4,
        *[False] * 3,
    ]
    assert [is_formula(t) for t in ("=cmd()", "@SUM(A1)", "+A1", "-A1", "\t=1", "-3.5", "+1", "a=b", "")] == [
        *[True] * 5, *[False] * 4,
    ]  # fmt: skip


CONTROLS = "a\0b\x1b[31m\x85\u202ec\td\r\ne"


def test_control_characters_are_visible_escapes_in_a_csv_which_our_own_reader_takes(tmp_path: Path) -> None:
    out, _ = applied(tmp_path, "text\na\n", solution=lambda t: CONTROLS)
    assert rows_of(out)[0]["answer"] == "a\\x00b\\x1b[31m\\x85\u202ec\td\r\ne"
    table = read_file(tmp_path / "out-new.csv")
    assert [row.values["answer"] for row in table.rows] == [rows_of(out)[0]["answer"]] and not table.bad
    (tmp_path / "out-new.csv").unlink()
    exact = ApplyOptions(exact=True, journal=False)
    out, _ = applied(tmp_path, "text\na\n", solution=lambda t: CONTROLS, options=exact)
    assert rows_of(out)[0]["answer"] == CONTROLS.replace("\0", "\\x00")  # no reader of CSV is bound to take a NUL
    out, _ = applied(tmp_path, '{"text": "a"}', solution=lambda t: CONTROLS, name="n.jsonl")
    assert json.loads(out)["answer"] == CONTROLS


def test_an_interrupted_run_goes_on_behind_answers_with_control_characters(tmp_path: Path) -> None:
    up = Noted()

    def answers(text: str) -> str:
        if text == "c" and up.empty():
            raise OSError("no network")
        return f"{text}\0\x1b"

    once = ApplyOptions(journal=False, give_up=1, concurrency=1)
    with pytest.raises(SolutionError, match="2 rows are written"):
        applied(tmp_path, "text\na\nb\nc\n", answers, once)
    up.put("again")
    _, result = applied(tmp_path, "text\na\nb\nc\n", answers, once)
    assert (result.resumed, result.answered) == (2, 3)


def test_half_of_a_surrogate_pair_in_an_answer_is_written_as_text(tmp_path: Path) -> None:
    out, _ = applied(tmp_path, "text\na\n", solution=lambda t: "\ud83d!")
    assert rows_of(out)[0]["answer"] == "\\ud83d!"
    out, _ = applied(tmp_path, '{"text": "a"}', solution=lambda t: "\ud83d!", name="n.jsonl")
    assert json.loads(out)["answer"] == "\ud83d!"


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6),
    CELL,
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_csv_that_can_be_read_keeps_its_cells_and_gets_its_answers(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], answer: str, end: str
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("id", "text"), *cells])
    options = ApplyOptions(exact=True, journal=False)
    folder = tmp_path_factory.mktemp("any")
    out, _ = applied(folder, file.getvalue().encode(), lambda t: answer, options)
    rows = list(csv.reader(io.StringIO(out.decode(), newline="")))[1:]
    assert [(a, b) for a, b, *_ in rows] == cells
    assert {r[2] for r in rows} == {answer}


# Which columns are asked with


def test_the_columns_are_those_said_decided_on_named_or_usual(tmp_path: Path) -> None:
    seen: list[Json] = []

    def both(subject: str, body: str, sender: str = "") -> str:
        seen.append((subject, body))
        return "a"

    def one(ticket: str) -> str:
        seen.append(ticket)
        return "a"

    applied(tmp_path, "sender,body,subject\ns,b,u\n", both)
    applied(tmp_path, "ticket,text\nt,x\n", one, name="a.csv")
    applied(tmp_path, "id,question\n1,q\n", one, name="b.csv")
    applied(tmp_path, "anything\nz\n", one, name="c.csv")
    applied(tmp_path, "ticket,text\nt,x\n", one, ApplyOptions(("text",), journal=False), name="d.csv")
    applied(tmp_path, '{"ticket": {"a": [1]}}\n', one, name="e.jsonl")
    assert seen == [("u", "b"), "t", "q", "z", "x", {"a": [1]}]
    decided = load(save_bundle(constant_solution("a"), tmp_path / "b", claim={"inputs": ["note"]}))
    _, result = applied(tmp_path, "text,note\nx,n\n", decided, name="f.csv")
    assert result.inputs == ("note",)


@pytest.mark.parametrize(
    ("source", "message", "where"),
    [
        ("id,text,question\n1,a,b\n", "several could be the input (text, question)", None),
        ("id,n\n1,2\n", "none has a usual name", None),
        ("text\n", "no rows", "new.csv"),
        ("", "empty", "new.csv"),
        ("text,id\na,1\nb\nc,3,4\n", "2 rows cannot be read, so nothing was asked:\n  new.csv:3: 1 fields", None),
        ('text\na\n"never closed\nb\n', "never closed", None),
        ('text\na\n"b"c\n', "closing quotation mark", None),
        ("text,text\na,b\n", "names a column twice", "new.csv:1"),
        ('{"text": "a"}\n{"text": \n', "1 row cannot be read", None),
        ('{"text": "a"}\n{"txt": "b"}\n', "1 row without text", "new.csv:2"),
        ('[{"text": "a"}]', "one JSON array", "new.csv"),
    ],
)
def test_what_cannot_be_applied_is_said_before_anything_is_asked(
    tmp_path: Path, source: str, message: str, where: str | None
) -> None:
    name = "new.csv" if not source.startswith(("{", "[")) else "new.txt"

    def asked(ticket: str) -> str:
        raise AssertionError("asked")

    with pytest.raises(DataError) as caught:
        applied(tmp_path, source, asked, name=name)
    assert message in caught.value.message
    assert where is None or caught.value.where == where.replace("new.csv", name)
    assert not (tmp_path / f"out-{name}").exists()


def test_missing_columns_and_files_are_named(tmp_path: Path) -> None:
    def both(subject: str, body: str) -> str:
        return "a"

    with pytest.raises(DataError, match="there is no body; the columns are subject, text"):
        applied(tmp_path, "subject,text\na,b\n", both)
    with pytest.raises(DataError, match="there is no sender"):
        applied(tmp_path, "text\na\n", options=ApplyOptions(("sender",)))
    with pytest.raises(DataError, match="no such file"):
        asyncio.run(apply(team, tmp_path / "nwe.csv", tmp_path / "out.csv"))
    with pytest.raises(DataError, match="not a regular file"):
        asyncio.run(apply(team, tmp_path, tmp_path / "out.csv"))
    with pytest.raises(DataError, match="cannot be written"):
        asyncio.run(apply(team, tmp_path / "new.csv", tmp_path / "no folder" / "out.csv", options=QUIET))


# Files that exist, disks that refuse


def test_what_exists_is_never_overwritten_unasked(tmp_path: Path) -> None:
    applied(tmp_path, "text\na\n")
    with pytest.raises(UsageError, match="exists"):
        applied(tmp_path, "text\nb\n")
    assert b"A" in (tmp_path / "out-new.csv").read_bytes()
    out, _ = applied(tmp_path, "text\nb\n", options=ApplyOptions(overwrite=True, journal=False))
    assert [r["answer"] for r in rows_of(out)] == ["B"]
    for options in (QUIET, ApplyOptions(overwrite=True, journal=False)):
        with pytest.raises(UsageError, match="input file itself"):
            asyncio.run(apply(team, tmp_path / "new.csv", tmp_path / "new.csv", options=options))
    assert (tmp_path / "new.csv").read_text() == "text\nb\n"


def test_standard_output_and_closed_pipes(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("text\na\nb\n")
    text = io.StringIO()
    result = asyncio.run(apply(constant_solution("x"), tmp_path / "new.csv", text))
    assert text.getvalue().splitlines()[1] == "a,x,,constant,answered,"
    assert result.rows == 2 and not text.closed
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full, pytest.raises(DataError, match="No space left"):
            try:
                asyncio.run(apply(constant_solution("x"), tmp_path / "new.csv", full))
            finally:
                full.buffer.raw.close()  # or closing it would try once more


# Failures, interruptions, resuming


def source_of(tmp_path: Path, n: int) -> Path:
    path = tmp_path / "new.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text"), *((i, f'text {i},\n"größe" {i % 7}') for i in range(n))])
    return path


def test_an_outage_stops_the_run_and_leaves_no_failed_rows_behind(tmp_path: Path) -> None:
    source, out = source_of(tmp_path, 100), tmp_path / "out.csv"
    up = Noted()

    async def flaky(text: str) -> str:
        if up.empty() and int(text.split()[1].rstrip(",")) >= 40:
            raise OSError("no network")
        if text.startswith("text 20,"):
            raise ValueError("this one always")
        return text.upper()

    one = ApplyOptions(journal=False, concurrency=1)
    with pytest.raises(SolutionError, match="10 calls in a row failed.*40 rows are written.*no network"):
        asyncio.run(apply(flaky, source, out, options=one))
    assert len(rows_of(out.read_bytes())) == 40
    up.put("again")
    result = asyncio.run(apply(flaky, source, out, options=one))
    assert (result.resumed, result.failed, result.answered) == (40, 1, 99)
    assert [r["id"] for r in rows_of(out.read_bytes())] == [str(i) for i in range(100)]
    up.get()
    patient = ApplyOptions(journal=False, give_up=None)
    assert asyncio.run(apply(flaky, source, tmp_path / "b.csv", options=patient)).failed == 61


def test_a_few_rows_that_all_fail_are_written_as_failed(tmp_path: Path) -> None:
    _, result = applied(tmp_path, "text\nfails\nfails\n")
    assert (result.rows, result.failed) == (2, 2)


@pytest.mark.parametrize("name", ["new.csv", "new.jsonl"])
def test_rows_that_failed_are_asked_again_by_the_same_call_and_no_others(tmp_path: Path, name: str) -> None:
    down, asked = Noted(), Noted()
    down.put("for now")

    async def paid(text: str) -> str:
        asked.put(text)
        if text in ("b", "d") and not down.empty():
            raise OSError("no network")
        return text.upper()

    source = {"new.csv": "text\na\nb\nc\nd\ne\n", "new.jsonl": "".join(f'{{"text": "{t}"}}\n' for t in "abcde")}[name]
    path, out = tmp_path / name, tmp_path / "out"
    path.write_text(source)

    def once() -> Applied:
        return asyncio.run(apply(paid, path, out, store=tmp_path / "store"))

    first = once()
    assert (first.answered, first.failed, asked.qsize()) == (3, 2, 5)
    again = once()  # still no network
    assert (again.answered, again.failed, again.resumed, asked.qsize()) == (3, 2, 1, 7)
    down.get()
    last = once()
    assert (last.rows, last.answered, last.failed, asked.qsize()) == (5, 5, 0, 9)
    asyncio.run(apply(lambda text: text.upper(), path, tmp_path / "whole", options=QUIET))
    assert out.read_text().replace("paid", "<lambda>") == (tmp_path / "whole").read_text()  # in order, none twice
    done = once()
    assert (done.answered, done.resumed, asked.qsize()) == (5, 5, 9)


def test_an_output_with_failed_rows_that_somebody_edited_is_left_as_it_is(tmp_path: Path) -> None:
    source, out = tmp_path / "new.csv", tmp_path / "out.csv"
    source.write_text("text\na\nfails\nb\n")
    asyncio.run(apply(team, source, out, options=QUIET))
    for edited in (out.read_text() + "c,mine,,,,\n", out.read_text().replace("A", "Z", 1).replace("b,B", "b;B")):
        out.write_text(edited)
        for options in (QUIET, ApplyOptions(journal=False, fresh=True)):
            with pytest.raises(UsageError, match="changed after it was written"):
                asyncio.run(apply(team, source, out, options=options))
        assert out.read_text() == edited
    result = asyncio.run(apply(team, source, out, options=ApplyOptions(journal=False, overwrite=True)))
    assert (result.rows, result.failed, result.resumed) == (3, 1, 0)


@pytest.mark.parametrize("name", ["new.csv", "new.jsonl"])
def test_a_file_cut_off_at_any_byte_is_continued_to_the_same_end(tmp_path: Path, name: str) -> None:
    asked = Noted()

    def noted(text: str) -> Any:
        asked.put(turn.get())
        return f"a\n{text}\nö"

    texts = ["one,\ntwo", "größe", '"three"', "four\r\nfive", "six"]
    if name == "new.csv":
        file = io.StringIO(newline="")
        csv.writer(file).writerows([("id", "text"), *enumerate(texts)])
        source = file.getvalue()
    else:
        source = "".join(json.dumps({"id": i, "text": t}, ensure_ascii=False) + "\n" for i, t in enumerate(texts))
    (tmp_path / name).write_bytes(source.encode())
    whole, _ = applied(tmp_path, source, noted, name=name)
    side, out = tmp_path / "x.csv.resume", tmp_path / "x.csv"
    for at in [*range(0, len(whole), 5), len(whole) - 1, len(whole)]:
        out.unlink(missing_ok=True)
        _begin(tmp_path / name, out, noted)
        out.write_bytes(whole[:at])
        turn.set(str(at))
        result = asyncio.run(apply(noted, tmp_path / name, out, options=QUIET))
        turn.set("")
        assert out.read_bytes() == whole, at
        assert not side.exists()
        here = [asked.get() for _ in range(asked.qsize())]  # also of calls that were in flight before
        assert here.count(str(at)) == 5 - result.resumed
    assert result.resumed == 5


def _begin(source: Path, out: Path, solution: Any) -> None:
    """Leave what a run that was killed at once leaves: its note beside an output with nothing in it."""

    class Stop(Exception):
        pass

    def stop(done: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        asyncio.run(apply(solution, source, out, options=QUIET, on_done=stop))


def test_something_else_is_not_continued(tmp_path: Path) -> None:
    source, out = source_of(tmp_path, 10), tmp_path / "out.csv"
    _begin(source, out, team)
    before = out.read_bytes()
    with pytest.raises(UsageError, match="begun with another"):
        asyncio.run(apply(lambda t: "other", source, out, options=QUIET))
    with pytest.raises(UsageError, match="begun with another"):
        asyncio.run(apply(team, source, out, options=ApplyOptions(exact=True, journal=False)))
    source.write_text(source.read_text(encoding="utf-8") + "11,x\n", encoding="utf-8")
    with pytest.raises(UsageError, match="begun with another"):
        asyncio.run(apply(team, source, out, options=QUIET))
    assert out.read_bytes() == before
    result = asyncio.run(apply(team, source, out, options=ApplyOptions(overwrite=True, journal=False)))
    assert (result.rows, result.resumed) == (11, 0)


KILLED = """
import asyncio, os, random, sys
sys.path.insert(0, sys.argv[1])
from suffice.evals.apply import apply, ApplyOptions

asked = os.open(sys.argv[4], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
draw = random.Random(1)

async def answer(text):
    os.write(asked, (text.split(",")[0] + "\\n").encode())
    await asyncio.sleep(.03 if draw.random() < .02 else .002)  # a slow row holds up the writing of those after it
    return text.upper()

if __name__ == "__main__":
    journal = sys.argv[5] == "journal"
    options = ApplyOptions(journal=journal, concurrency=8)
    asyncio.run(apply(answer, sys.argv[2], sys.argv[3], options=options, store=sys.argv[6]))
    print("done")
"""


@pytest.mark.parametrize("journal", ["journal", "no journal"])
def test_kills_lose_nothing_and_the_result_is_that_of_one_run(tmp_path: Path, journal: str) -> None:
    n = 2_500
    source, out, asked = source_of(tmp_path, n), tmp_path / "out.csv", tmp_path / "asked"
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(KILLED))
    run = [sys.executable, script, str(tmp_path), source, out, asked, journal, tmp_path / "store"]
    draw, kills = random.Random(5), 0
    while True:
        with subprocess.Popen([str(a) for a in run], stdout=subprocess.PIPE, text=True) as process:
            before = asked.stat().st_size if asked.exists() else 0
            while process.poll() is None and (not asked.exists() or asked.stat().st_size == before):
                time.sleep(0.005)
            try:
                said, _ = process.communicate(timeout=draw.random() * 0.06 if kills < 4 else 60)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
                continue
        assert said == "done\n"
        break
    assert kills == 4
    rows = rows_of(out.read_bytes())
    assert [r["id"] for r in rows] == [str(i) for i in range(n)]
    assert all(r["answer"] == r["text"].upper() for r in rows)
    texts = asked.read_text(encoding="utf-8").split("\n")[:-1]
    assert set(texts) == {f"text {i}" for i in range(n)}
    twice = len(texts) - n
    assert twice <= kills * (
        8 if journal == "journal" else 8 * 4
    )  # those in flight; without a journal those ahead, too
    assert not (tmp_path / "out.csv.resume").exists()


def test_what_costs_is_journaled_and_what_is_free_is_not(tmp_path: Path) -> None:
    source, calls = source_of(tmp_path, 20), Noted()

    def paid(text: str) -> str:
        calls.put(text)
        return "a"

    for name in ("a.csv", "b.csv"):
        asyncio.run(apply(paid, source, tmp_path / name, store=tmp_path / "store"))
    assert calls.qsize() == 20
    text = io.StringIO()
    asyncio.run(apply(paid, source, text, store=tmp_path / "store"))  # so standard output can be had again, too
    assert calls.qsize() == 20 and text.getvalue().count("answered,\r\n") == 20
    asyncio.run(apply(paid, source, tmp_path / "c.csv", store=tmp_path / "store", options=ApplyOptions(fresh=True)))
    assert calls.qsize() == 40
    with open_store(tmp_path / "store") as store:
        assert [r.state for r in list_runs(store)] == ["done"] * 4
    asyncio.run(apply(constant_solution("a"), source, tmp_path / "d.csv", store=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_calls_that_were_in_flight_at_a_kill_are_told_as_possibly_paid_twice(tmp_path: Path) -> None:
    source, out, wait = source_of(tmp_path, 10), tmp_path / "out.csv", queue.SimpleQueue[bool]()

    async def paid(text: str) -> str:
        number = int(text.split()[1].split(",")[0])
        if wait.qsize() and number >= 5:
            await asyncio.sleep(60)
        if number == 9:
            raise ValueError("no such text")
        return "a"

    async def killed() -> None:
        how = ApplyOptions(concurrency=3)
        run = asyncio.create_task(apply(paid, source, out, store=tmp_path / "store", options=how))
        while not out.exists() or out.read_bytes().count(b"answered") < 5:
            await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    wait.put(True)
    asyncio.run(killed())
    wait.get()
    result = asyncio.run(apply(paid, source, out, store=tmp_path / "store"))
    assert (result.resumed, result.answered, result.failed) == (5, 9, 1)
    assert result.notes == ("3 calls that were in flight when the last run was cut off were possibly paid twice",)
    with open_store(tmp_path / "store") as store:
        assert [r.state for r in list_runs(store)] == ["done"]  # the same run, gone on with
    again = asyncio.run(apply(paid, source, tmp_path / "again.csv", store=tmp_path / "store"))
    assert again.notes == () and again.answered == 9


@pytest.mark.parametrize("moment", ["the note is gone", "the note is there", "the run is open"])
def test_a_kill_after_the_last_row_leaves_a_run_that_is_done_and_says_what_it_took(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, home = source_of(tmp_path, 5), tmp_path / "out.csv", tmp_path / "store"
    asked = Noted()
    with upstream() as up:
        model = sf.Model(f"{up.url}#any")

        async def paid(text: str) -> str:
            asked.put(text)
            return str(await model(text))

        if moment == "the run is open":
            monkeypatch.setattr(runs, "finish_run", _killed_when_done)
        elif moment == "the note is there":
            monkeypatch.setattr("suffice.evals.apply.ended", _killed)
        try:
            asyncio.run(apply(paid, source, out, store=home))
        except _Killed:
            assert moment != "the note is gone"
        monkeypatch.undo()
        if moment == "the run is open":
            with open_store(home) as store:  # as the store has it of a process that is gone
                runs.finish_run(store, list_runs(store)[0].id, "interrupted")
        whole = out.read_bytes()
        result = asyncio.run(apply(paid, source, out, store=home))
    assert (result.rows, result.answered, result.resumed, asked.qsize()) == (5, 5, 5, 5)
    assert result.spent is not None and result.spent.attempts == 5
    assert out.read_bytes() == whole and not out.with_name("out.csv.resume").exists()
    with open_store(home) as store:
        assert [r.state for r in list_runs(store)] == ["done"]
    out.write_bytes(whole + b"more")
    with pytest.raises(UsageError, match="the output file exists"):
        asyncio.run(apply(paid, source, out, store=home))


class _Killed(BaseException):
    """What stands for a kill."""


def _killed(*given: Any) -> None:
    raise _Killed


def _killed_when_done(store: Any, run: str, state: Any, result: Any = None, ended: Any = runs.finish_run) -> None:
    if state == "done":
        raise _Killed
    ended(store, run, state, result)


def test_an_output_of_a_free_solution_is_known_by_its_very_rows(tmp_path: Path) -> None:
    source, out = source_of(tmp_path, 20), tmp_path / "out.csv"
    asyncio.run(apply(constant_solution("a"), source, out))
    result = asyncio.run(apply(constant_solution("a"), source, out))
    assert (result.answered, result.resumed) == (20, 20)
    for other in (constant_solution("b"), constant_solution(ABSTAIN)):
        with pytest.raises(UsageError, match="the output file exists"):
            asyncio.run(apply(other, source, out))


# Scale


@pytest.mark.slow
def test_many_rows_take_flat_memory_and_little_time(tmp_path: Path) -> None:
    free = route(constant_solution(ABSTAIN), constant_solution("billing"))
    peaks: list[int] = []
    for n in (15_000, 40_000):
        source, last = source_of(tmp_path, n), [0]

        def on_done(rows: int, last: list[int] = last) -> None:
            assert rows == last[0] + 1
            last[0] = rows

        tracemalloc.start()
        began = time.perf_counter()
        result = asyncio.run(apply(free, source, tmp_path / f"{n}.csv", on_done=on_done))
        took = time.perf_counter() - began
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert result.answered == last[0] == n
        assert took < n / 1_000  # while memory is traced; without, it is some 30,000 rows a second
    assert peaks[1] - peaks[0] < 25_000 * 20  # a row takes some 300 bytes: they are not kept


def test_calls_run_side_by_side_and_rows_keep_their_order(tmp_path: Path) -> None:
    source, flight, most = source_of(tmp_path, 60), [0], [0]

    async def slow(text: str) -> str:
        flight[0] += 1
        most[0] = max(most[0], flight[0])
        await asyncio.sleep(random.random() * 0.02)
        flight[0] -= 1
        return text

    asyncio.run(apply(slow, source, tmp_path / "out.csv", options=ApplyOptions(concurrency=10, journal=False)))
    rows = rows_of((tmp_path / "out.csv").read_bytes())
    assert [r["answer"] for r in rows] == [r["text"] for r in rows]
    assert most == [10]


def test_a_call_that_hangs_is_a_failed_row(tmp_path: Path) -> None:
    async def hangs(text: str) -> str:
        await asyncio.sleep(60 if text == "b" else 0)
        return text

    out, result = applied(tmp_path, "text\na\nb\nc\n", hangs, ApplyOptions(timeout=0.05, journal=False))
    assert result.failed == 1 and rows_of(out)[1]["error"].startswith("timeout: no answer within 0.05 s")


# Packed files


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_packed_file_comes_out_as_json_lines_with_answers(tmp_path: Path, kind: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pa.table({"text": ["one", "hard", None], "n": [1, 2, 3], "tags": [["x"], [], ["y", "z"]]})
    if kind == "parquet":
        pq.write_table(found, tmp_path / "new.parquet")
    else:
        with pa.OSFile(str(tmp_path / "new.arrow"), "wb") as file, pa.ipc.new_file(file, found.schema) as writer:
            writer.write_table(found)
    out = tmp_path / "out.jsonl"

    def some(text: str | None) -> Any:
        return team(text or "nothing")

    result = asyncio.run(apply(some, tmp_path / f"new.{kind}", out, options=ApplyOptions(("text",), journal=False)))
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["n"] for row in rows] == [1, 2, 3] and rows[2]["tags"] == ["y", "z"]
    assert [row["status"] for row in rows] == ["answered", "abstained", "nothing"] and rows[0]["answer"] == "ONE"
    assert result.rows == 3 and any("packed" in note and "JSON lines" in note for note in result.notes)


def test_an_interrupted_run_over_a_packed_file_goes_on_where_it_was(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [f"text {i}" for i in range(40)]}), tmp_path / "new.parquet")
    out, asked = tmp_path / "out.jsonl", queue.SimpleQueue[str]()

    async def breaks(text: str) -> str:
        asked.put(text)
        if asked.qsize() == 20:
            raise KeyboardInterrupt
        return text.upper()

    async def go() -> Applied:
        return await apply(breaks, tmp_path / "new.parquet", out, options=ApplyOptions(journal=False, concurrency=1))

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(go())
    done = asyncio.run(go())
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["text"] for row in rows] == [f"text {i}" for i in range(40)] and done.resumed > 0
    assert all(row["answer"] == row["text"].upper() for row in rows)
