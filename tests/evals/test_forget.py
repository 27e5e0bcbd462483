"""A case is forgotten where others quote it, too, however its text was written down."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from suffice.evals.forget import case_of, forget_case, tape_without
from suffice.evals.task import Task
from suffice.store.calls import CallJournal
from suffice.store.database import open_store
from suffice.store.forget import erase
from suffice.store.journal import Recorded, lookup, record_many
from suffice.store.runs import finish_run, get_run, start_run
from suffice.values import Answer, content_hash

TEXTS = ["Müller zahlt 311 € nicht", 'she said "twelve" twice', "line one\nline two\tand", "naïve 🙂 request"]


def task(text: str) -> Task:
    rows = [{"id": f"c{i}", "text": text if i == 0 else f"other {i}", "team": "ab"[i % 2]} for i in range(12)]
    return Task(rows, inputs=["text"], expected="team")


@pytest.mark.parametrize("text", TEXTS)
def test_replies_answers_and_results_that_quote_it_go_and_others_stay(tmp_path: Path, text: str) -> None:
    async def replies(journal: CallJournal) -> None:
        inside = json.dumps({"answer": f"it says: {text}"})
        for number, said in enumerate([f"it says: {text}", inside, "nothing of the kind"]):
            await journal.keep(content_hash(number), "m", {"text": said}, content_hash("another case"))
        journal.close()

    with open_store(tmp_path) as store:
        run = start_run(store, "eval", "rows", {})
        asyncio.run(replies(CallJournal(store, run)))
        record_many(store, run, "s", [(content_hash(n), Recorded(Answer(t))) for n, t in enumerate([text, "no"])])
        row = {"inputs": "other 1", "reason": f"got {text}"}
        finish_run(store, run, "done", {"failures": [row, {"inputs": text, "id": "c0"}], "task": "rows"})
        gone = forget_case(store, case_of(task(text), "c0"), really=True)
        assert (gone.replies, gone.answers, gone.runs) == (2, 1, 1) and erase(store)
        assert list(lookup(store, "s", [content_hash(0), content_hash(1)])) == [content_hash(1)]
        assert get_run(store, run).result["failures"] == [{"inputs": "other 1", "reason": "(forgotten)"}]
        held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert not any(form.encode() in held for form in (text, json.dumps(text)[1:-1]))


def test_a_short_case_takes_only_lines_of_a_tape_in_which_it_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    asked = ["hi", "text: hi\n", "say hi to her", "this"]
    lines = [{"request": {"messages": [{"content": text}]}, "chunks": ["ok"]} for text in asked]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    gone, rest = tape_without(path, [case_of(task("hi"), "c0")])
    assert gone == 2 and [json.loads(line) for line in rest.decode().splitlines()] == lines[2:]
