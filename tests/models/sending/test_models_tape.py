"""What passed on the wire is recorded and played again, byte for byte, without a socket and without a key."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any, Literal

import pytest
from one_call import ask, model
from upstream_faults import Asked, ErrorInside, Ok, Status, StreamOk, first

from suffice.errors import DataError, RefusedError, ReplayMiss, ServerError
from suffice.exchange import Reply
from suffice.models.model import Model
from suffice.models.sending.tape import record, replay
from upstream import upstream


def streamed(one: Model, text: str = "hello") -> tuple[list[str], Any]:
    """The pieces and the reply of one streamed call."""

    async def call() -> tuple[list[str], Any]:
        async with one.stream(text) as s:
            return [piece async for piece in s], s.reply

    return asyncio.run(call())


def same(one: Reply[Any], other: Reply[Any]) -> bool:
    """Whether two replies are the same but for their times."""
    facts = ("value", "text", "usage", "cost", "finish_reason", "request_id", "model", "guarantee", "tool_calls")
    return all(getattr(one, f) == getattr(other, f) for f in facts) and len(one.attempts) == len(other.attempts)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_what_was_recorded_is_played_with_the_upstream_gone(dialect: str, tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    good = StreamOk(("zwölf ", "Euro 🙂"), piece=3)  # cut in the middle of letters

    def script(asked: Asked) -> Any:
        return good if asked.streams else Ok(f"to {asked.number}", headers=(("x-request-id", f"r{asked.number}"),))

    with upstream(script) as up:
        one = model(up, dialect)
        with record(file):
            texts = [ask(one), ask(one, "other"), ask(one)]
            pieces, reply = streamed(one)
    with replay(file):
        assert all(same(ask(one, text), made) for text, made in zip(("hello", "other", "hello"), texts, strict=True))
        again, replayed = streamed(one)
    assert ("".join(again), same(reply, replayed)) == ("".join(pieces), True)
    assert len(up.log.asked) == 4
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_bytes_of_an_answer_are_the_upstreams(tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    with upstream(Ok("zwölf")) as up, record(file):
        ask(model(up))
    (line,) = map(json.loads, file.read_text("utf-8").splitlines())
    assert json.loads(line["chunks"][0])["choices"][0]["message"]["content"] == "zwölf"
    assert line["request"] == up.log.asked[0].body
    assert line["url"] == f"{up.url}/chat/completions"


def test_a_recording_is_a_model_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    with upstream(Ok('{"answer":"yes"}')) as up, record(file):
        made = ask(model(up), output=Literal["yes", "no"])
    one = Model(f"recorded:{file}")
    assert same(ask(one, output=Literal["yes", "no"]), made)
    with pytest.raises(ReplayMiss):
        ask(one, "what nobody asked")


def test_faults_are_recorded_and_played_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    with upstream(first(Status(500), Status(429), then=Ok("there"))) as up:
        one = model(up)
        with record(file):
            ask(one)
    with replay(file):
        reply = ask(one)
        assert [a.outcome for a in reply.attempts] == ["server error", "rate limited", "ok"]
        assert [a.outcome for a in ask(one).attempts] == ["ok"]  # the last one again and again


def test_a_stream_that_breaks_or_is_left_is_no_recording(tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"

    async def left(one: Model) -> None:
        async with one.stream("hello") as s:
            async for _ in s:
                break

    with upstream(first(ErrorInside(("a ", "b ")), then=StreamOk(("a ",) * 50, delay=0.02))) as up:
        one = model(up)
        with record(file):
            with pytest.raises(ServerError):
                streamed(one)
            asyncio.run(left(one))
    assert file.read_text() == ""


def test_a_request_that_was_not_recorded_shows_how_the_nearest_differs(tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    with upstream() as up:
        one = model(up)
        with record(file):
            ask(one, "one of many words", temperature=0.5)
            ask(one, "nothing like it")
    with replay(file), pytest.raises(ReplayMiss) as caught:
        ask(one, "one of many birds", temperature=0.5)
    said = str(caught.value)
    assert "- " in said and "one of many words" in said
    assert "one of many birds" in said
    assert "temperature" not in said  # what is the same is not shown
    assert str(file) in said
    assert len(up.log.asked) == 2


def test_nothing_is_sent_and_no_key_is_needed_in_a_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 4096}
    answer = '{"choices":[{"message":{"content":"recorded"},"finish_reason":"stop"}]}'
    url = "https://api.openai.com/v1/chat/completions"
    line = {"model": "openai:gpt-5-mini", "url": url, "request": body, "status": 200, "headers": {}, "streamed": False}
    file = tmp_path / "tape.jsonl"
    file.write_text(json.dumps({**line, "chunks": [answer]}) + "\n")
    one = Model("openai:gpt-5-mini")
    with replay(file):
        assert ask(one).value == "recorded"
    assert ask(Model(f"recorded:{file}")).value == "recorded"


def test_a_model_first_used_in_a_replay_has_its_key_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "a-key-for-the-tests")
    file = tmp_path / "tape.jsonl"
    with upstream() as up:
        with record(file):
            ask(model(up, key_env="MY_KEY"))
        one = model(up, key_env="MY_KEY")
        with replay(file):
            ask(one)
        ask(one)
    assert ["authorization" in a.headers for a in up.log.asked] == [True, True]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        '{"model": 1}',
        '{"model":"m","url":"u","request":{},"status":"ok","headers":{},"streamed":false,"chunks":[]}',
        '{"model":"m","url":"u","request":{},"status":200,"headers":{},"streamed":false,"chunks":[1]}',
        '{"model":"m","url":"u","request":{},"status":200,"headers":{},"streamed":false,"chunks":[{"base64":"*"}]}',
        '{"model":"m","url":"u","request":{},"status":200,"headers":{},"streamed":false,"chunks":null}',
    ],
)
def test_a_damaged_recording_names_file_and_line(bad: str, tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    with upstream() as up, record(file):
        ask(model(up))
    with file.open("a") as opened:
        opened.write("\n" + bad + "\n")
    with pytest.raises(DataError, match=r"tape\.jsonl:3: "):
        with replay(file):
            pass
    with pytest.raises(DataError, match=r"tape\.jsonl:3: "):
        ask(Model(f"recorded:{file}"))


def test_a_recording_cut_off_at_any_byte_is_a_typed_error_or_what_was_whole(tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    with upstream() as up, record(file):
        ask(model(up))
    whole = file.read_bytes().rstrip(b"\n")
    for end in range(1, len(whole), 7):
        file.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"tape\.jsonl:1: "), replay(file):
            pass


def test_a_missing_recording_or_one_of_several_models_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        ask(Model(f"recorded:{tmp_path / 'none.jsonl'}"))
    file = tmp_path / "tape.jsonl"
    file.touch()
    with pytest.raises(DataError, match="empty"):
        ask(Model(f"recorded:{file}"))
    with upstream() as up, record(file):
        ask(model(up))
        ask(model(up, "anthropic"))
    with pytest.raises(DataError, match="2 models"):
        ask(Model(f"recorded:{file}"))


def test_a_refusal_that_quotes_the_key_is_recorded_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "canary-0123456789-canary"
    monkeypatch.setenv("MY_KEY", key)
    file = tmp_path / "tape.jsonl"
    with upstream(Status(403, body=f'{{"error":{{"message":"{key} may not"}}}}')) as up, record(file):
        with pytest.raises(RefusedError) as caught:
            ask(model(up, key_env="MY_KEY"))
    assert key not in file.read_text()
    assert key not in str(caught.value)
