"""MCP against the official SDK over stdio: its server's tools in an agent, and our tools called by its client."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from program_samples import make_words
from upstream_faults import Ok, Status

import suffice as sf
from suffice.errors import BudgetError, ConnectionLost, MissingExtra, NotDone, UsageError
from suffice.models.model import Model
from suffice.programs.agent import agent
from suffice.programs.as_tool import solution_tool
from suffice.programs.mcp import mcp_server, tools_of_mcp
from suffice.programs.mcp.client import ToolFailed
from suffice.programs.tool import CallableTool, tool
from upstream import upstream

mcp = pytest.importorskip("mcp")

SERVER = '''
import os
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("shop")

@server.tool()
def refund(order: str, usd: float) -> str:
    """Pay money back."""
    return f"{usd} for {order}"

@server.tool(name="stock/level", annotations=ToolAnnotations(readOnlyHint=True))
def level(item: str, sizes: list[int] | None = None) -> dict[str, int]:
    """How many are there."""
    return {item: sum(sizes or [1])}

@server.tool()
def broken() -> str:
    """Fails."""
    raise ValueError("out of paper")

@server.tool()
def key() -> str:
    """What the server knows of the environment."""
    return os.environ.get("OPENAI_API_KEY", "none") + " " + os.environ.get("SHOP", "none")

server.run()
'''

OURS = '''
import asyncio
from suffice.programs.mcp import serve_mcp
from suffice.programs.tool import tool

@tool(repeat="never")
def add(a: int, b: int = 1) -> int:
    """Add.

    Args:
        a: The first.
    """
    print("adding")  # stdout is the protocol's
    return a + b

@tool(permission="ask")
def pay_back(order: str) -> str:
    """Pay it back."""
    return f"paid {order}"

@tool(permission="deny")
def secret() -> str:
    """Tell."""
    return "no"

def parcel(id: str) -> dict[str, str]:
    """Find it."""
    if id == "x":
        raise LookupError("there is no x")
    return {"id": id}

asyncio.run(serve_mcp(add, secret, parcel, pay_back))
'''


@pytest.fixture
def shop(tmp_path: Path) -> list[str]:
    file = tmp_path / "shop.py"
    file.write_text(SERVER, encoding="utf-8")
    return [sys.executable, str(file)]


@pytest.mark.slow
def test_the_tools_of_a_server_have_its_schemas_and_give_its_results(
    shop: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    async def go() -> None:
        async with tools_of_mcp(shop, env={"SHOP": "open"}) as tools:
            known = {tool.name: tool for tool in tools}
            assert set(known) == {"refund", "stock_level", "broken", "key"}
            refund, level = known["refund"], known["stock_level"]
            told: Any = refund.parameters
            assert told["properties"]["usd"]["type"] == "number" and told["required"] == ["order", "usd"]
            assert (refund.description, refund.repeat, refund.alters) == ("Pay money back.", "never", True)
            assert (level.repeat, level.alters) == ("safe", False)
            assert await level(item="cap", sizes=[1, 2]) == {"cap": 3}
            assert await refund(order="o1", usd=2.5) == {"result": "2.5 for o1"}
            with pytest.raises(ToolFailed, match="Error executing tool broken"):
                await known["broken"]()
            with pytest.raises(ToolFailed, match="usd"):
                await refund(order="o1", usd="much")
            assert await known["key"]() == {"result": "none open"}
            raise BudgetError("all is spent")  # what is raised in the block comes out as it is

    with pytest.raises(BudgetError):
        sf.run(go())


@pytest.mark.slow
def test_an_agent_uses_them(shop: list[str]) -> None:
    def say(asked: Any) -> Ok:
        if asked.said["messages"][-1]["role"] != "tool":
            return Ok("", tools=(("stock_level", '{"item": "cap"}'), ("broken", "{}")))
        return Ok("There is " + " and ".join(m["content"] for m in asked.said["messages"][-2:]))

    async def go(up: Any) -> str:
        async with tools_of_mcp(shop, permission="allow") as tools:
            return str(await agent(Model(f"{up.url}#m"), tools=tools)("how many caps?"))

    with upstream(say) as up:
        said = sf.run(go(up))
    assert said.startswith('There is {"result": {"cap": 1}} and {"error": "ToolFailed: ')


def test_a_tool_is_not_called_after_its_block(shop: list[str]) -> None:
    async def program() -> None:
        async with tools_of_mcp(shop) as tools:
            pass
        await tools[0](order="17", usd=1.0)

    with pytest.raises(NotDone, match="the connection of refund is closed"):
        asyncio.run(program())


def test_a_server_that_is_none_is_said_so(tmp_path: Path) -> None:
    async def go(server: Any) -> None:
        async with tools_of_mcp(server):
            pass

    for server in ("no-such-command-here", [sys.executable, "-c", "raise SystemExit(3)"]):
        with pytest.raises(ConnectionLost, match="does not answer"):
            sf.run(go(server))
    with pytest.raises(UsageError):
        sf.run(go(""))


def test_a_server_that_says_nothing_is_given_up_and_can_be_cut_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    babbles = [sys.executable, "-c", "import time\nwhile True: print('garbage', flush=True); time.sleep(0.05)"]

    async def go(seconds: float) -> None:
        async with asyncio.timeout(seconds), tools_of_mcp(babbles):
            pass

    with pytest.raises(TimeoutError):
        sf.run(go(0.5))
    monkeypatch.setattr("suffice.programs.mcp.client.OPENING", 0.5)
    with pytest.raises(ConnectionLost, match=r"no tools within 0\.5 s"):
        sf.run(go(30))
    assert capfd.readouterr().err == ""


def test_why_a_server_did_not_start_is_said_in_one_error_safe_for_a_terminal() -> None:
    dies = (
        "import os, sys; sys.stderr.write('x' * 9000 + '\\n'); "
        "print('no \\x1b[31mmodel', os.environ['KEY'], file=sys.stderr); sys.exit(3)"
    )

    async def go() -> None:
        async with tools_of_mcp([sys.executable, "-c", dies], env={"KEY": "sk-123456"}):
            pass

    with pytest.raises(ConnectionLost) as error:
        sf.run(go())
    assert error.value.message.endswith("x\nno \\x1b[31mmodel …") and len(error.value.message) < 2_500
    assert error.value.hint is not None and "env={" in error.value.hint and error.value.__suppress_context__


def test_headers_are_sent_and_are_in_no_error() -> None:
    async def go(server: str, headers: Any) -> None:
        async with tools_of_mcp(server, headers=headers) as tools:
            assert not tools

    with upstream(Status(401)) as up:
        with pytest.raises(ConnectionLost) as error:
            sf.run(go(f"{up.origin}/mcp", {"X-Shop": "sk-123456"}))
        assert up.log.asked[0].headers["x-shop"] == "sk-123456"
    assert "sk-123456" not in f"{error.value} {error.value!r}"
    for server, wrong in ((up.origin, {"X-Shop": "sk-123456\n"}), ("python shop.py", {"X-Shop": "sk-123456"})):
        with pytest.raises(UsageError) as refused:
            sf.run(go(server, wrong))
        assert "sk-123456" not in str(refused.value)


def test_our_tools_are_served_to_its_client(tmp_path: Path) -> None:
    file = tmp_path / "ours.py"
    file.write_text(OURS, encoding="utf-8")

    async def go() -> None:
        parameters = mcp.StdioServerParameters(command=sys.executable, args=[str(file)])
        async with mcp.Client(parameters) as client:
            tools = {one.name: one for one in (await client.list_tools()).tools}
            assert set(tools) == {"add", "parcel"}
            assert tools["add"].input_schema["properties"]["a"] == {"type": "integer", "description": "The first."}
            assert tools["add"].annotations.read_only_hint is False
            assert tools["parcel"].annotations.read_only_hint is True
            added = await client.call_tool("add", {"a": 2})
            assert (added.structured_content, added.content[0].text, added.is_error) == ({"result": 3}, "3", False)
            found = await client.call_tool("parcel", {"id": "p1"})
            assert found.structured_content == {"id": "p1"}
            for name, arguments, said in [
                ("add", {"a": "two"}, "expected a valid integer"),
                ("parcel", {"id": "x"}, "LookupError: there is no x"),
                ("secret", {}, "no tool"),
            ]:
                failed = await client.call_tool(name, arguments)
                assert failed.is_error and said in failed.content[0].text

    sf.run(go())


def test_a_tool_that_a_person_must_allow_is_served_only_where_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    paid: list[str] = []

    @tool(permission="ask")
    def pay_back(order: str) -> str:
        """Pay it back."""
        paid.append(order)
        return "paid"

    @tool
    def look(order: str) -> str:
        """Look it up."""
        return "there"

    async def go(**options: Any) -> tuple[set[str], bool]:
        async with mcp.Client(mcp_server(pay_back, look, **options)) as client:
            names = {one.name for one in (await client.list_tools()).tools}
            return names, (await client.call_tool("pay_back", {"order": "o1"})).is_error

    assert sf.run(go()) == ({"look"}, True) and paid == []
    assert "pay_back" in caplog.text and "--allow pay_back" in caplog.text
    assert sf.run(go(allow=["pay_back"])) == ({"look", "pay_back"}, False) and paid == ["o1"]
    with pytest.raises(UsageError, match="nothing is left to offer") as error:
        mcp_server(pay_back)
    assert error.value.hint is not None and "--allow pay_back" in error.value.hint
    with pytest.raises(UsageError, match="pay_bakc may not be allowed: it is no tool here"):
        mcp_server(look, allow=["pay_bakc"])
    with pytest.raises(UsageError, match="it is denied"):
        mcp_server(look, pay_back.using(permission="deny"), allow=["pay_back"])


def test_a_step_is_served_with_its_words_and_the_types_of_its_parameters() -> None:
    @sf.step(model="http://127.0.0.1:9/v1#none")
    async def triage(message: str, urgent: bool = False) -> Literal["billing", "shipping"]:
        """Which team should handle this?"""
        ...

    async def go() -> None:
        async with mcp.Client(mcp_server(triage)) as client:
            (only,) = (await client.list_tools()).tools
            assert only.description.startswith("Which team should handle this?")
            properties = only.input_schema["properties"]
            assert properties["message"] == {"type": "string"}
            assert properties["urgent"] == {"type": "boolean", "default": False}
            failed = await client.call_tool("triage", {"message": 7})
            assert failed.is_error and "expected a valid string" in failed.content[0].text
            assert (await client.call_tool("triage", {"message": " "})).structured_content["value"] == {"abstain": True}

    sf.run(go())


def test_the_command_serves_tools_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text(OURS.partition("asyncio.run")[0], encoding="utf-8")
    command = str(Path(sys.executable).parent / "suffice")

    async def go() -> None:
        words = [command, "mcp", str(tmp_path / "ours.py:add"), str(tmp_path / "ours.py:parcel")]
        words += [str(tmp_path / "ours.py:pay_back"), "--allow", "pay_back"]
        async with tools_of_mcp(words) as (add, parcel, pay_back):
            assert await add(a=2) == {"result": 3} and await parcel(id="p") == {"id": "p"}
            assert await pay_back(order="o1") == {"result": "paid o1"}
            assert (add.repeat, add.alters, parcel.alters) == ("never", True, False)

    sf.run(go())


def test_a_bundle_is_served_with_its_inputs_by_name_and_its_confidence() -> None:
    words = make_words()

    async def go() -> None:
        async with mcp.Client(mcp_server(words)) as client:
            (only,) = (await client.list_tools()).tools
            assert only.name == words.name and only.input_schema["required"] == list(only.input_schema["properties"])
            (column,) = only.input_schema["required"]
            told = (await client.call_tool(only.name, {column: "invoice"})).structured_content
            answer = await words.reply("invoice")
            assert (told["value"], told["confidence"]) == (answer.value, answer.confidence)

    sf.run(go())
    made: CallableTool[..., Any] = solution_tool(words)
    assert sf.run(made.asked({"input": " "}, made.read({"input": " "})))["value"] == {"abstain": True}


@pytest.mark.slow
def test_over_http_it_is_the_same() -> None:
    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    async def go() -> None:
        config = uvicorn.Config(mcp_server(add).streamable_http_app(), port=0, log_level="critical")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with tools_of_mcp(f"http://127.0.0.1:{port}/mcp") as tools:
            assert await tools[0](a=1, b=2) == {"result": 3}
        server.should_exit = True
        await serving

    sf.run(go())


def test_two_of_one_name_are_refused() -> None:
    @tool
    def add(a: int) -> int:
        """Add."""
        return a

    with pytest.raises(UsageError, match="two tools"):
        mcp_server(add, add)


def test_without_the_sdk_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)

    async def go() -> None:
        async with tools_of_mcp("x"):
            pass

    with pytest.raises(MissingExtra) as error:
        sf.run(go())
    assert error.value.hint == "pip install 'suffice[mcp]'"
    with pytest.raises(MissingExtra):
        mcp_server()
