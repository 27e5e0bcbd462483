"""What a served tool does fails its call alone, and the server goes on; a person ends it; it says what it offers."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from program_samples import make_words

import suffice as sf
from suffice.programs.as_tool import as_tool
from suffice.programs.bundle import save_bundle
from suffice.programs.mcp import mcp_server

mcp = pytest.importorskip("mcp")

ENDS = '''
import asyncio, os, sys
import suffice as sf
from suffice.programs.mcp import serve_mcp

@sf.tool
def interrupts() -> str:
    """Raises what Ctrl-C raises."""
    raise KeyboardInterrupt("by itself")

@sf.tool
async def interrupts_here() -> str:
    """As it, on the event loop."""
    raise KeyboardInterrupt

@sf.tool
def leaves() -> str:
    """Ends the program."""
    sys.exit(3)

@sf.tool
async def leaves_here() -> str:
    """As it, on the event loop."""
    raise SystemExit(4)

@sf.tool
def leaves_hard() -> str:
    """As it, at once."""
    os._exit(5)

@sf.tool
async def closes() -> str:
    """Raises what closes a coroutine."""
    raise GeneratorExit

@sf.tool
async def groups() -> str:
    """Raises a group that is no Exception."""
    raise BaseExceptionGroup("several", [KeyboardInterrupt()])

@sf.tool
def fine() -> str:
    """Still there."""
    return "fine"

TOOLS = (interrupts, interrupts_here, leaves, leaves_here, leaves_hard, closes, groups, fine)

if __name__ == "__main__":
    asyncio.run(serve_mcp(*TOOLS))
'''
SAID = {
    "interrupts": "raised KeyboardInterrupt: by itself (ends.py",
    "interrupts_here": "raised KeyboardInterrupt (ends.py",
    "leaves": "called sys.exit(3)",
    "leaves_here": "called sys.exit(4)",
    "leaves_hard": "called os._exit(5)",
    "closes": "raised GeneratorExit",
    "groups": "raised BaseExceptionGroup: several",
}
SUFFICE = str(Path(sys.executable).parent / "suffice")


@pytest.fixture
def ends(tmp_path: Path) -> Path:
    file = tmp_path / "ends.py"
    file.write_text(ENDS, encoding="utf-8")
    return file


def command(file: Path) -> list[str]:
    return [SUFFICE, "mcp", *(f"{file}:{name}" for name in (*SAID, "fine"))]


@pytest.mark.parametrize("how", ["suffice mcp", "asyncio.run"])
def test_what_would_end_the_server_is_that_calls_failure_alone(ends: Path, how: str) -> None:
    words = command(ends) if how == "suffice mcp" else [sys.executable, str(ends)]

    async def go() -> dict[str, Any]:
        told: dict[str, Any] = {}
        async with (
            asyncio.timeout(60),
            mcp.Client(mcp.StdioServerParameters(command=words[0], args=words[1:])) as client,
        ):
            for name in SAID:
                failed = await client.call_tool(name, {})
                told[name] = (failed.is_error, failed.content[0].text)
                assert (await client.call_tool("fine", {})).content[0].text == "fine"
        return told

    told = sf.run(go())
    for name, said in SAID.items():
        assert told[name][0] and said in told[name][1], told[name]


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to one process")
def test_a_persons_ctrl_c_still_ends_it_after_such_a_call(ends: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(command(ends), stdin=pipe, stdout=pipe, stderr=pipe, text=True) as server:
        assert server.stdin is not None and server.stdout is not None and server.stderr is not None
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        asks: list[dict[str, Any]] = [
            {"id": 1, "method": "initialize", "params": hello},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": {"name": "interrupts", "arguments": {}}},
        ]
        for one in asks:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **one}) + "\n")
        server.stdin.flush()
        assert [json.loads(server.stdout.readline())["id"] for _ in range(2)] == [1, 2]
        server.send_signal(signal.SIGINT)
        server.stdin.close()  # as who started it does, when it is interrupted, too
        assert server.wait(30) == 130 and "interrupted" in server.stderr.read()


OFFERS = '''
import suffice as sf
from suffice.programs import patterns
from textwrap import dedent

@sf.tool
def refund(order: int) -> str:
    """Pay back."""
    return "paid"

@sf.tool(permission="deny")
def secret() -> str:
    """Tell."""
    return "no"

@sf.step
async def triage(text: str) -> str:
    """Which team?"""
    ...

both = sf.workflow.chain(triage, triage)
answers = sf.load(BUNDLE)

def count(order: int) -> int:
    """How many."""
    return order

def helper(order):
    return order

class Box:
    pass
'''


def test_a_name_that_a_file_has_not_is_told_with_what_it_has_to_offer(tmp_path: Path) -> None:
    save_bundle(make_words(), tmp_path / "bundle")
    source = OFFERS.replace("BUNDLE", repr(str(tmp_path / "bundle")))
    (tmp_path / "offers.py").write_text(source, encoding="utf-8")
    (tmp_path / "none.py").write_text("def helper(order):\n    return order\n", encoding="utf-8")

    def hint(thing: str) -> str:
        done = subprocess.run([SUFFICE, "mcp", f"{tmp_path}/{thing}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "has no " in done.stderr
        return done.stderr.partition("hint: ")[2].strip()

    assert hint("offers.py:nosuch") == "it offers refund, triage, both, answers, count"
    assert hint("offers.py:triag") == "did you mean triage?"
    assert hint("none.py:helpers").startswith("it offers nothing: a tool is a function with a docstring")


TEXTS = '''
import asyncio
from suffice.programs.mcp import serve_mcp
from suffice.programs.tool import schema_tool, tool

HALF = "a" + chr(0xD83D)

@tool
def text() -> str:
    """Says half a pair."""
    return HALF

@tool
def fields() -> dict[str, str]:
    """Says it in a field."""
    return {"said": HALF}

@tool
def fails() -> str:
    """Says it in an error."""
    raise ValueError(HALF)

async def never(arguments):
    pass

schema = {"type": "object", "properties": {"of": {"type": "string", "description": HALF}}}
described = schema_tool("described", HALF, schema, never)
asyncio.run(serve_mcp(text, fields, fails, described, name=HALF))
'''


def test_half_a_surrogate_pair_is_sent_as_a_question_mark_and_the_server_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "texts.py"
    file.write_text(TEXTS, encoding="utf-8")

    async def go() -> None:
        server = mcp.StdioServerParameters(command=sys.executable, args=[str(file)])
        async with asyncio.timeout(60), mcp.Client(server) as client:
            said = await client.call_tool("text", {})
            assert (said.content[0].text, said.structured_content) == ("a?", {"result": "a?"})
            said = await client.call_tool("fields", {})
            assert (said.content[0].text, said.structured_content) == ('{"said": "a?"}', {"said": "a?"})
            said = await client.call_tool("fails", {})
            assert said.is_error and said.content[0].text.startswith("ValueError: a? (")
            described = {one.name: one for one in (await client.list_tools()).tools}["described"]
            assert described.description == "a?"
            assert described.input_schema["properties"]["of"]["description"] == "a?"

    sf.run(go())


def test_that_a_call_only_reads_is_announced_where_somebody_knows() -> None:
    @sf.tool
    def look(order: str) -> str:
        """Look it up."""
        return order

    @sf.tool(repeat="never")
    def refund(order: str) -> str:
        """Pay back."""
        return order

    @sf.step
    async def triage(order: str) -> str:
        """Which team?"""
        ...

    flow = sf.workflow.chain(look, refund, name="flow")
    solution = replace(make_words(), name="paid", free=False)
    bot = sf.agent("http://127.0.0.1:9/v1#none", tools=[refund], name="bot")
    said = replace(as_tool(flow), name="said").using(changes=False)
    offered = [look, refund, triage, flow, solution, bot, as_tool(flow).using(name="as_a_tool"), said, make_words()]

    async def go() -> dict[str, Any]:
        with sf.using(model="http://127.0.0.1:9/v1#none"):
            server = mcp_server(*offered)
        async with mcp.Client(server) as client:
            return {one.name: one.annotations for one in (await client.list_tools()).tools}

    hints = sf.run(go())
    for name in ("flow", "paid", "bot"):
        assert hints.pop(name) is None
    bare = hints.pop("as_a_tool")
    assert bare is None or not bare.read_only_hint
    told = {name: (one.read_only_hint, one.idempotent_hint) for name, one in hints.items()}
    reads = dict.fromkeys(("look", "triage", "said", make_words().name), (True, True))
    assert told == {**reads, "refund": (False, False)}


def test_a_denied_tool_is_named_on_stderr_and_alone_ends_the_command(tmp_path: Path) -> None:
    (tmp_path / "offers.py").write_text(OFFERS.partition("both =")[0], encoding="utf-8")

    def serve(*names: str) -> subprocess.CompletedProcess[str]:
        words = [SUFFICE, "mcp", *(f"{tmp_path}/offers.py:{name}" for name in names)]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    alone = serve("secret")
    assert alone.returncode == 2 and "nothing is left to offer: permission='deny' keeps back secret" in alone.stderr
    beside = serve("refund", "secret")
    assert beside.returncode == 0 and "not offered, because of permission='deny': secret" in beside.stderr
