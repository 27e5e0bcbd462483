"""A new task folder: logs of several shapes become cases, and what is wrong with cases is pointed out."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import DataError, UsageError
from suffice.evals.near import near
from suffice.evals.read import gather, read_file
from suffice.evals.start import Started, drafted, start
from suffice.evals.task import Task

USER = {"role": "user", "content": "where is my parcel?"}
SYSTEM = {"role": "system", "content": "You sort mail.\nOne word."}
SAID = {"role": "assistant", "content": "shipping"}
CHOICES = {"model": "m-1", "choices": [{"message": SAID, "finish_reason": "stop"}]}


def begun(tmp_path: Path, *files: list[dict[str, Any]], **said: Any) -> Started:
    tables = []
    for number, rows in enumerate(files):
        path = tmp_path / f"log{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        tables.append(read_file(path))
    table = tables[0] if len(tables) == 1 else gather(item for t in tables for item in (*t.rows, *t.bad))
    return start(tmp_path / "new", drafted(table, {}, "people"), {"kind": "text", **said})


def cases(started: Started) -> list[dict[str, Any]]:
    lines = (started.folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def attribute(name: str, value: Any) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value if isinstance(value, str) else json.dumps(value)}}


def otlp(*all_spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(all_spans)}]}]}


PARTS = [{"role": "user", "parts": [{"type": "text", "content": "where is my parcel?"}]}]
REPLY = [{"role": "assistant", "parts": [{"type": "text", "content": "shipping"}], "finish_reason": "stop"}]
STRUCTURED = {"key": "gen_ai.input.messages", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": [
    attribute("role", "user"),
    {"key": "parts", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": [
        attribute("type", "text"), attribute("content", "where is my parcel?")]}}]}}},
]}}]}}}  # fmt: skip
SHAPES = {
    "request and response": [{"request": {"model": "m", "messages": [SYSTEM, USER]}, "response": CHOICES}],
    "messages and a text": [{"messages": [SYSTEM, USER], "response": "shipping"}],
    "messages and choices": [{"messages": [SYSTEM, USER], **CHOICES}],
    "fine-tuning": [{"messages": [SYSTEM, USER, SAID]}],
    "content parts": [{"messages": [{"role": "user", "content": [{"type": "text", "text": USER["content"]}]}, SAID]}],
    "responses": [{"request": {"instructions": "x", "input": USER["content"]}, "response": {
        "output": [{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text", "text": "shipping"}]}]
    }}],
    "texts of JSON": [{"request": json.dumps({"messages": [USER]}), "response": json.dumps(CHOICES)}],
    "today's spans": [otlp({"spanId": "a1", "attributes": [
        attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.system_instructions", "You sort mail."),
        attribute("gen_ai.input.messages", PARTS), attribute("gen_ai.output.messages", REPLY)]})],
    "structured spans": [otlp({"attributes": [STRUCTURED, attribute("gen_ai.output.messages", REPLY)]})],
    "details event": [otlp({"attributes": [attribute("gen_ai.operation.name", "chat")], "events": [
        {"name": "gen_ai.client.inference.operation.details", "attributes": [
            attribute("gen_ai.input.messages", PARTS), attribute("gen_ai.output.messages", REPLY)]}]})],
    "older events": [otlp({"attributes": [attribute("gen_ai.system", "openai")], "events": [
        {"name": "gen_ai.system.message", "attributes": [attribute("content", "You sort mail.")]},
        {"name": "gen_ai.user.message", "attributes": [attribute("content", USER["content"])]},
        {"name": "gen_ai.choice", "attributes": [attribute("message", SAID)]}]})],
    "prompt events": [otlp({"attributes": [attribute("gen_ai.system", "openai")], "events": [
        {"name": "gen_ai.content.prompt", "attributes": [attribute("gen_ai.prompt", [USER])]},
        {"name": "gen_ai.content.completion", "attributes": [attribute("gen_ai.completion", [SAID])]}]})],
    "numbered attributes": [otlp({"attributes": [
        attribute("gen_ai.prompt.0.role", "user"), attribute("gen_ai.prompt.0.content", USER["content"]),
        attribute("gen_ai.completion.0.content", "shipping")]})],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_log_becomes_the_same_case_marked_as_not_reviewed(tmp_path: Path, shape: str) -> None:
    started = begun(tmp_path, SHAPES[shape])
    (case,) = cases(started)
    assert (case["input"], case["expected"], case["reviewed"]) == ("where is my parcel?", "shipping", False)
    assert any("agrees with that model" in note for note in started.task.notes)
    text = (started.folder / "task.toml").read_text(encoding="utf-8")
    assert "no labels until somebody has looked" in text and tomllib.loads(text)["inputs"] == "input"


def test_the_two_files_of_a_batch_are_joined_and_halves_are_told(tmp_path: Path) -> None:
    asked = [{"custom_id": f"r{i}", "method": "POST", "body": {"messages": [USER]}} for i in range(4)]
    said = [{"custom_id": f"r{i}", "response": {"status_code": 200, "body": CHOICES}} for i in (1, 0)]
    said.append({"custom_id": "r2", "response": {"status_code": 500, "body": {}}})
    started = begun(tmp_path, asked, said)
    assert [case["id"] for case in cases(started)] == ["r0", "r1"]
    told = "\n".join(started.lines)
    assert (
        "status 500" in told and "has no answer: log0.jsonl:3, log0.jsonl:4" in told and "3 rows made no case" in told
    )


def test_turns_system_prompts_and_conversations_are_kept(tmp_path: Path) -> None:
    turns = [USER, {"role": "assistant", "content": "which one?"}, {"role": "user", "content": "the red one"}, SAID]
    one, other = ({"role": "system", "content": text} for text in ("a", "b"))
    rows = [{"messages": [one, *turns], "user": "u1"}, {"messages": [other, USER, SAID], "user": "u2"}]
    started = begun(tmp_path, rows)
    assert cases(started)[0]["input"] == "user: where is my parcel?\nassistant: which one?\nuser: the red one"
    assert started.task.columns.inputs == ("system", "input") and started.task.cluster_name == "conversation"
    assert any("several turns" in line for line in started.lines)


@pytest.mark.parametrize(
    ("beside", "kept"),
    [
        ({"user": "u7"}, "u7"),
        ({"user_id": 7}, "7"),
        ({"session_id": "s1", "user": "u7"}, "s1"),
        ({"user": {"id": "u7", "name": "Ann"}}, "u7"),
        ({"user": {"name": "Ann"}}, None),
        ({"metadata": {"user_id": "u7"}}, "u7"),
        ({"safety_identifier": "h1"}, "h1"),
    ],
    ids=str,
)
def test_who_asked_is_kept_where_it_stands_beside_request_and_response(tmp_path: Path, beside, kept) -> None:
    request, response = {"messages": [USER]}, {"choices": [{"message": SAID}]}
    rows = [{"request": request, "response": response, **beside}, {"messages": [USER, SAID], **beside}]
    started = begun(tmp_path, rows)
    assert [row.get("conversation_id") for row in cases(started)] == [kept, kept]


def test_users_who_stand_beside_the_request_are_clusters(tmp_path: Path) -> None:
    rows = [
        {
            "request": {"messages": [{"role": "user", "content": f"where is parcel {i}?"}]},
            "response": {"choices": [{"message": SAID}]},
            "user": f"u{i // 3}",
        }
        for i in range(30)
    ]
    task = begun(tmp_path, rows).task
    assert task.cluster_name == "conversation"
    splits = [{case.cluster for case in cases} for cases in (task.train, task.dev, task.sealed())]
    assert sum(map(len, splits)) == len(set[str]().union(*splits)) == 10


def test_a_conversation_in_the_request_comes_before_a_user_beside_it(tmp_path: Path) -> None:
    request = {"messages": [USER], "conversation_id": "c1"}
    rows = [{"request": request, "response": {"choices": [{"message": SAID}]}, "user": "u7"}]
    assert cases(begun(tmp_path, rows))[0]["conversation_id"] == "c1"


def test_calls_that_make_no_case_are_told_and_other_spans_counted(tmp_path: Path) -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:"}}]
    rows = [
        {"messages": [USER, SAID]},
        {"messages": [{"role": "user", "content": image}, SAID]},
        {"messages": [USER], "choices": [{"message": {"content": None, "tool_calls": [{}]}}]},
        {"messages": [USER], "choices": [{"message": SAID, "finish_reason": "length"}]},
        {"messages": [USER, {"role": "assistant", "content": " "}]},
    ]
    told = "\n".join(begun(tmp_path, rows).lines)
    assert "no text (image_url)" in told and "call of a tool" in told and "not whole (length)" in told
    assert "is empty: log0.jsonl:5" in told and USER["content"] not in told
    (tmp_path / "b").mkdir()
    spans = [
        {"attributes": [attribute("http.method", "GET")]},
        {"attributes": [attribute("gen_ai.operation.name", "invoke_agent")]},
        {"attributes": [attribute("gen_ai.operation.name", "chat")]},
        {"attributes": [attribute("gen_ai.input.messages", PARTS), attribute("gen_ai.output.messages", REPLY)]},
    ]
    told = "\n".join(begun(tmp_path / "b", [otlp(*spans)]).lines)
    assert "2 spans of other work" in told and "recording them was off" in told


def test_a_log_without_a_case_and_a_folder_that_is_there_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="recording them was off"):
        begun(tmp_path, [otlp({"attributes": [attribute("gen_ai.operation.name", "chat")]})])
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").touch()
    with pytest.raises(UsageError, match="left as it is"):
        begun(tmp_path, SHAPES["fine-tuning"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]
    assert not list(tmp_path.glob(".new*"))


def test_what_is_wrong_with_cases_is_pointed_out_and_left_in(tmp_path: Path) -> None:
    draw = random.Random(1)
    words = ["parcel", "late", "refund", "screen", "login", "blue", "winter", "seven", "door", "paper", "cat", "road"]
    rows = [{"text": " ".join(draw.choices(words, k=14)), "team": draw.choice(["a", "b"])} for _ in range(60)]
    rows += [{**rows[0], "team": "a" if rows[0]["team"] == "b" else "b"}, rows[1], {"text": " ", "team": "a"}]
    rows += [{"text": f"{row['text']}!", "team": row["team"]} for row in rows[2:4]]  # the same, folded
    rows += [{"text": f"{row['text']} ok", "team": row["team"]} for row in rows[4:40]]
    rows += [{"text": "something else entirely", "team": "rare"}]
    started = begun(tmp_path, rows, kind="label")
    told = "\n".join(started.lines)
    assert "4 cases repeat the input of another" in told and "cases.jsonl:1 ~ cases.jsonl:61" in told
    assert "1 label with fewer than 10 cases, which show little: rare 1" in told
    assert "72 cases nearly the same as another" in told and "cases.jsonl:5 ~ cases.jsonl:66" in told
    assert "test cases nearly repeat a train or dev case" in told
    assert "cannot be used until mended" in told and "cases.jsonl:63" in told
    assert any("different expected values" in note for note in started.task.split_notes)
    assert len(cases(started)) == len(rows) and len(Task.load(started.folder, skip_bad=True)) == len(rows) - 1


def test_near_duplicates_are_found_whatever_stands_between_and_others_are_not() -> None:
    draw = random.Random(2)
    texts = ["".join(draw.choices("abcdefghij klmnop", k=200)) for _ in range(300)]
    planted = [f"{text[:100]}x{text[101:]}" for text in texts[:50]]
    found = near([*texts, *planted], ["train"] * 300 + ["test"] * 50)
    assert [one.get("test") for one in found[:50]] == list(range(300, 350))
    assert [one.get("train") for one in found[300:]] == list(range(50))
    assert not any(found[50:300])
    assert near(["", "a", "a "], ["x"] * 3)[1] == {"x": 2}


def test_a_table_that_a_model_labelled_is_marked_and_its_columns_are_written_down(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("subject,body,team,n\na,b,x,1\nc,d,,2\ne,f,y,3\ng,h,x,4\n", encoding="utf-8")
    table = read_file(tmp_path / "t.csv")
    started = start(tmp_path / "new", drafted(table, {}, "model"), {"nothing": True, "bar": 0.9, "kind": "label"})
    said = tomllib.loads((tmp_path / "new" / "task.toml").read_text(encoding="utf-8"))
    assert said["inputs"] == ["subject", "body"] and said["expected"] == "team" and said["bar"] == 0.9
    assert cases(started)[1] == {"subject": "c", "body": "d", "team": None, "n": "2", "reviewed": False}
    assert started.task.columns.ignored == ("n", "reviewed")
