"""A key in the environment goes into one header of one host, and into nothing that can be read later."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from upstream_faults import (
    ErrorInside,
    Fault,
    Html200,
    Ok,
    ResetBefore,
    Status,
    StreamOk,
    WrongJson,
    always,
)

from suffice.errors import SufficeError
from suffice.exchange import Delta
from suffice.models.belonging import Belonging, belonging
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.retry import Retry
from suffice.models.dialects.openai_chat import OPENAI_CHAT
from suffice.models.model import Model
from suffice.models.places.endpoint import Endpoint
from suffice.models.sending.hiding import Veil
from suffice.models.sending.outgoing import Outgoing
from suffice.models.sending.tape import record
from suffice.models.sending.target import HIDDEN, target_of
from suffice.store.calls import CallJournal
from suffice.store.database import open_store
from suffice.store.runs import start_run
from upstream import Upstream, upstream

KEY = "canary-key-4711-0815-canary"

ECHOES: list[Fault] = [
    *(
        Status(status, body=json.dumps({"error": {"message": f"the key {KEY} is bad", "code": KEY}}))
        for status in (400, 401, 403, 404, 429, 500)
    ),
    Status(403, body=f"<html>{KEY}</html>"),
    WrongJson(f'{{"key":"{KEY}"}}'),
    WrongJson(f"Bearer {KEY}"),
    ErrorInside(("a ",), message=f"bad key {KEY}"),
    Ok(f"the key is {KEY}"),
    StreamOk(("the key ", f"is {KEY}")),
    StreamOk(("the key is ", KEY[:5], KEY[5:20], f"{KEY[20:]} now"), piece=7),
    ErrorInside(("the key is ", KEY[:11], KEY[11:])),
    Status(400, body='{"error": {"message": "bad key ' + "".join(f"\\u{ord(c):04x}" for c in KEY) + '"}}'),
    Html200(),
    ResetBefore(),
]


def model(up: Upstream, **options: Any) -> Model:
    """A model at the upstream that has a key."""
    return Model(f"{up.url}#any", **{"retry": Retry(base=0.001, cap=0.01, attempts=2), "key_env": "MY_KEY", **options})


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)


async def both_ways(one: Model) -> list[Any]:
    """What a whole and a streamed call end in."""

    async def streamed() -> Any:
        async with one.stream("hello") as s:
            pieces = [piece async for piece in s]
        return pieces, s.reply

    return await asyncio.gather(one("hello"), streamed(), return_exceptions=True)


@pytest.mark.parametrize("fault", ECHOES, ids=lambda f: type(f).__name__ + str(getattr(f, "status", "")))
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_key_that_an_endpoint_says_back_is_written_nowhere(
    fault: Fault,
    dialect: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    caplog.set_level(logging.DEBUG)
    budget = Budget(usd=1)
    with upstream(always(fault)) as up, open_store(tmp_path / "store") as store, contextlib.ExitStack() as stack:
        name = f"{up.url}#any" if dialect == "openai" else f"anthropic+{up.origin}#any"
        one = Model(name, key_env="MY_KEY", retry=Retry(base=0.001, attempts=2), price=(1.0, 1.0))
        journal = CallJournal(store, start_run(store, "evaluate", "task", {}))
        stack.callback(journal.close)
        stack.enter_context(record(tmp_path / "tape.jsonl"))
        stack.enter_context(belonging(Belonging(journal, budget=budget)))
        ends = asyncio.run(both_ways(one))
    said = [repr(one), repr(one.route), repr(budget), caplog.text, *capfd.readouterr()]
    for end in ends:
        if isinstance(end, BaseException):
            assert isinstance(end, SufficeError)
            said += [str(end), repr(end), *traceback.format_exception(end), repr(vars(end))]
        else:
            said.append(repr(end))
    said += [span.to_json() for span in exporter.get_finished_spans()]
    said += [file.read_bytes().decode("utf-8", "replace") for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text for text in said if KEY in text]
    header = "authorization" if dialect == "openai" else "x-api-key"
    assert all(header in asked.headers for asked in up.log.asked)  # it was sent, so it could have been said


@pytest.mark.parametrize("size", [1, 3, 10, 40])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_key_that_is_cut_across_the_pieces_of_a_stream_is_hidden_and_nothing_else(dialect: str, size: int) -> None:
    text = f"canary, canary-key {KEY}{KEY[:9]}{KEY} the end: {KEY[:-1]}"
    chunks = tuple(text[at : at + size] for at in range(0, len(text), size))
    with upstream(StreamOk(chunks)) as up:
        name = f"{up.url}#any" if dialect == "openai" else f"anthropic+{up.origin}#any"
        _, (pieces, reply) = asyncio.run(both_ways(Model(name, key_env="MY_KEY", attempts=1)))
    assert "".join(pieces) == reply.text == text.replace(KEY, HIDDEN)


@given(st.lists(st.text("ab", max_size=7), max_size=30), st.text("ab", min_size=1, max_size=6))
def test_pieces_without_a_secret_make_up_the_text_without_it(pieces: list[str], secret: str) -> None:
    veil = Veil(secret)
    fed = [veil.feed(Delta(piece, piece)) for piece in pieces]
    deltas = [delta for delta in (*fed, veil.rest()) if delta is not None]
    clear = "".join(pieces).replace(secret, HIDDEN)
    assert "".join(delta.text for delta in deltas) == "".join(delta.reasoning for delta in deltas) == clear


def test_a_key_in_the_arguments_of_a_tool_call_is_hidden() -> None:
    spelled = "".join(f"\\u{ord(c):04x}" for c in KEY)
    with upstream(Ok(tool=("look_up", f'{{"id": ["{KEY}", "{spelled}"], "n": 1}}'))) as up:
        whole, _ = asyncio.run(both_ways(model(up)))
    assert whole.tool_calls[0].arguments == {"id": [HIDDEN, HIDDEN], "n": 1}


def test_a_word_for_a_key_as_local_servers_take_it_may_stand_in_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "EMPTY")
    with upstream(Ok("the set is EMPTY")) as up:
        assert asyncio.run(model(up)("hello")).value == "the set is EMPTY"


def test_a_key_goes_to_no_host_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with upstream() as up:
        asyncio.run(Model("openai:gpt-5-mini", base_url=up.url)("hello"))
        asyncio.run(Model(f"{up.url}#any")("hello"))
    assert not any("authorization" in asked.headers for asked in up.log.asked)


def test_a_redirect_is_not_followed() -> None:
    with upstream() as elsewhere:
        moved = Status(307, headers=(("location", f"{elsewhere.url}/chat/completions"),))
        with upstream(moved) as up, pytest.raises(SufficeError):
            asyncio.run(model(up)("hello"))
        assert elsewhere.log.connections == 0


def test_what_goes_out_shows_neither_key_nor_text() -> None:
    endpoint = Endpoint("x", "http://127.0.0.1:9/v1", OPENAI_CHAT)
    target = target_of(endpoint, "/chat/completions", {"authorization": f"Bearer {KEY}"}, KEY)
    out = Outgoing(target, b"zebra")
    assert repr(out) == "Outgoing(http://127.0.0.1:9/v1/chat/completions, 5 bytes)"


def test_a_key_with_a_line_end_is_refused_without_saying_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY + "\n")
    with upstream() as up, pytest.raises(SufficeError, match="MY_KEY") as caught:
        asyncio.run(model(up)("hello"))
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert up.log.connections == 0
