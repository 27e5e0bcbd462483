"""Replies of third-party servers, byte for byte, as OpenAI's and Anthropic's SDKs read them and as Suffice does."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from peer_place import INSTALLS, Place

import suffice as sf
from suffice import errors

pytestmark = pytest.mark.peers

HI = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"deep": {"type": "boolean"}}, "required": ["deep"]}
TOOLS = {
    "openai": [{"type": "function", "function": {"name": "look", "description": "", "parameters": SCHEMA}}],
    "anthropic": [{"name": "look", "description": "", "input_schema": SCHEMA}],
}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
FINISHES = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls", "stop_sequence": "stop"}
Read = tuple[str, str, int, int, list[tuple[str, str, Any]]]
"""Text, finish reason in Suffice's words, tokens in and out, and the calls of tools: id, name, arguments."""


def recorded(place: Place, dialect: str, said: dict[str, Any]) -> tuple[str, bytes]:
    """The content type and the body of a server's answer."""
    body = json.dumps({"model": place.name, "messages": HI, **said}).encode()
    asked = urllib.request.Request(place.origin + PATHS[dialect], body, {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return answer.headers["content-type"], answer.read()


@contextmanager
def replayed(kind: str, body: bytes) -> Generator[str]:
    """A server that answers everything so; gives its origin."""

    class Same(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def of_openai(origin: str, stream: bool) -> Read:
    """As OpenAI's SDK reads it."""
    sdk = pytest.importorskip("openai", reason=INSTALLS)
    with sdk.OpenAI(base_url=f"{origin}/v1", api_key="none", max_retries=0) as client:
        if stream:
            with client.chat.completions.stream(model="tiny", messages=HI) as s:
                for _ in s:
                    pass
                reply = s.current_completion_snapshot
        else:
            reply = client.chat.completions.create(model="tiny", messages=HI)
    choice = reply.choices[0]
    calls = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls or ()]
    text = choice.message.content or ""
    return text, choice.finish_reason, reply.usage.prompt_tokens, reply.usage.completion_tokens, calls


def of_anthropic(origin: str, stream: bool) -> Read:
    """As Anthropic's SDK reads it."""
    sdk = pytest.importorskip("anthropic", reason=INSTALLS)
    with sdk.Anthropic(base_url=origin, api_key="none", max_retries=0) as client:
        if stream:
            with client.messages.stream(model="tiny", max_tokens=5, messages=HI) as s:
                reply = s.get_final_message()
        else:
            reply = client.messages.create(model="tiny", max_tokens=5, messages=HI)
    text = "".join(block.text for block in reply.content if block.type == "text")
    calls = [(block.id, block.name, block.input) for block in reply.content if block.type == "tool_use"]
    used = reply.usage
    taken = used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_creation_input_tokens or 0)
    return text, FINISHES[reply.stop_reason], taken, used.output_tokens, calls


def of_suffice(origin: str, dialect: str, stream: bool) -> Read:
    """As Suffice reads it."""

    async def asked() -> Any:
        model = sf.Model(f"{'anthropic+' if dialect == 'anthropic' else ''}{origin}/v1#tiny", attempts=1)
        if not stream:
            return await model("hello")
        async with model.stream("hello") as s:
            async for _ in s:
                pass
        return s.reply

    try:
        reply = sf.run(asked())
    except errors.Truncated as cut:
        told: Any = cut.attempts[-1]
        return cut.partial, "length", told.usage.input_tokens, told.usage.output_tokens, []
    calls = [(call.id, call.name, call.arguments) for call in reply.tool_calls]
    return reply.text, reply.finish_reason, reply.usage.input_tokens, reply.usage.output_tokens, calls


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("server", ["llama_cpp", "vllm", "caller"])
@pytest.mark.parametrize("cap", [8, 400])
def test_the_sdk_and_suffice_read_the_same(
    request: pytest.FixtureRequest, server: str, dialect: str, stream: bool, cap: int
) -> None:
    place: Place = request.getfixturevalue(server)
    said: dict[str, Any] = {"max_tokens": cap, "stream": stream, "seed": 5}
    if stream and dialect == "openai":
        said["stream_options"] = {"include_usage": True}
    if server == "caller":
        said["tools"] = TOOLS[dialect]
    kind, body = recorded(place, dialect, said)
    with replayed(kind, body) as origin:
        theirs: Any = (of_openai if dialect == "openai" else of_anthropic)(origin, stream)
        mine = of_suffice(origin, dialect, stream)
    if mine[1] == "length":
        theirs = (*theirs[:4], [])  # a truncated reply is an error here, which tells no calls
    assert mine == theirs
    assert mine[3] > 0 and (mine[0] or mine[4] or mine[1] == "length")
