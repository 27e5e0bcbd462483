"""The reverse of `client`: tools, steps, and solutions such as loaded bundles, offered as an MCP server on stdio."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from suffice.errors import MissingExtra, OutputError, Stopped, SufficeError, UsageError
from suffice.programs.as_tool import as_tool
from suffice.programs.mcp.client import EXTRA
from suffice.programs.solution import ENDS_ALL, Solution, describe
from suffice.programs.step import Step
from suffice.programs.tool import CallableTool
from suffice.shown import listed, shown
from suffice.spans import task_here
from suffice.values import Json
from suffice.version import __version__

if TYPE_CHECKING:
    from mcp import types
    from mcp.server import Server


log = logging.getLogger("suffice.mcp")


async def serve_mcp(*offered: Callable[..., Any], name: str = "suffice", allow: Sequence[str] = ()) -> None:
    """Offer tools, functions, steps and solutions as an MCP server on stdin and stdout, until stdin closes.

    What is printed meanwhile goes to stderr. A tool that is denied is not offered, nor is one that needs asking, for
    nobody can be asked over MCP: both are named on stderr, and the second is offered where `allow` names it. Whether a
    tool only reads, and may be repeated, is announced where somebody knows: of tools, steps and free solutions, not of
    agents and workflows. Half a surrogate pair, which no message can hold, is sent as "?". Raises MissingExtra, and
    UsageError for what is no tool, two of one name, a name in `allow` that is none, and where no tool is left.
    """
    server = mcp_server(*offered, name=name, allow=allow)
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def mcp_server(*offered: Callable[..., Any], name: str = "suffice", allow: Sequence[str] = ()) -> Server[Any]:
    """The server itself, for another transport: `mcp_server(…).streamable_http_app()` is an ASGI app. Raises as
    `serve_mcp`."""
    try:
        from mcp import types
        from mcp.server import Server
    except ImportError:
        raise MissingExtra("an MCP server needs the MCP SDK", hint=EXTRA) from None
    tools = _permitted(_named(offered), allow)
    known = {as_tool(one).name for one in offered if _says_what_it_does(one)}

    async def offers(context: Any, page: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool, tool.name in known) for tool in tools.values()])

    async def called(context: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        return await _called(tools, asked.name, asked.arguments or {})

    return Server(_sent(name), version=__version__, on_list_tools=offers, on_call_tool=called)


def servable(module: Mapping[str, Any]) -> list[str]:
    """The names of what a module has to offer, from its variables: tools that are not denied, steps, solutions, agents
    and workflows, and those of its own functions that can be tools."""
    own = module.get("__name__")
    return [name for name, one in module.items() if not name.startswith("_") and _is_servable(one, own)]


def _is_servable(one: Any, own: Any) -> bool:
    if isinstance(one, CallableTool):
        return cast("CallableTool[..., Any]", one).permission != "deny"
    if isinstance(one, type | ModuleType):
        return False
    if isinstance(one, Solution | Step) or hasattr(one, "answer_of"):
        return True
    with suppress(SufficeError):
        return inspect.isfunction(one) and one.__module__ == own and bool(as_tool(one))
    return False


def _named(offered: tuple[Callable[..., Any], ...]) -> Mapping[str, CallableTool[..., Any]]:
    made: dict[str, CallableTool[..., Any]] = {}
    for one in offered:
        tool = as_tool(one)
        if tool.name in made:
            raise UsageError(f"two tools are called {tool.name}", hint="@tool(name=…) gives one another name")
        made[tool.name] = tool
    return made


def _permitted(
    tools: Mapping[str, CallableTool[..., Any]], allow: Sequence[str]
) -> Mapping[str, CallableTool[..., Any]]:
    """Those that may be called with no question. Raises UsageError."""
    for name in allow:
        if name not in tools or tools[name].permission == "deny":
            why = "is denied" if name in tools else "is no tool here"
            raise UsageError(f"{shown(name)} may not be allowed: it {why}", hint=f"tools: {listed(tools)}")
    asking = [tool.name for tool in tools.values() if tool.permission == "ask" and tool.name not in allow]
    denied = [tool.name for tool in tools.values() if tool.permission == "deny"]
    left = {name: tool for name, tool in tools.items() if name not in (*asking, *denied)}
    flags = " ".join(f"--allow {name}" for name in asking)
    anyhow = f"suffice mcp … {flags} (in Python allow={asking}) lets every client call without a question"
    reasons = [f"over MCP nobody can be asked about {', '.join(asking)}"] if asking else []
    reasons += [f"permission='deny' keeps back {', '.join(denied)}"] if denied else []
    if tools and not left:
        hint = anyhow if asking else "@tool(permission='allow') offers it to every client"
        raise UsageError(f"nothing is left to offer: {'; '.join(reasons)}", hint=hint)
    if asking:
        log.warning("not offered, because over MCP nobody can be asked: %s\nhint: %s", ", ".join(asking), anyhow)
    if denied:
        log.warning("not offered, because of permission='deny': %s", ", ".join(denied))
    return left


def _says_what_it_does(given: Any) -> bool:
    """Whether anybody knows what a call reaches: not of an agent or a workflow, nor of a solution that is not free."""
    if isinstance(given, Solution):
        return given.free
    if isinstance(given, CallableTool):
        made = cast("CallableTool[..., Any]", given)
        return made.changes is not None or made.repeat == "never" or callable(made.source)
    return isinstance(given, Step) or not hasattr(given, "answer_of")


def _described(tool: CallableTool[..., Any], known: bool) -> types.Tool:
    from mcp import types

    hints = types.ToolAnnotations(read_only_hint=not tool.alters, idempotent_hint=tool.repeat == "safe")
    told = _sent({"description": tool.description, "schema": dict(tool.parameters)})
    return types.Tool(
        name=tool.name,
        description=told["description"],
        input_schema=told["schema"],
        annotations=hints if known else None,
    )


def _sent(value: Any) -> Any:
    """JSON without half surrogate pairs, which cannot be encoded and would end the server: "?" stands for each, as an
    agent shows it to its model."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-8", "replace"))
    return value


async def _called(tools: Mapping[str, CallableTool[..., Any]], name: str, arguments: Json) -> types.CallToolResult:
    from mcp import types

    def answer(text: str, structured: Json = None, *, failed: bool = False) -> types.CallToolResult:
        content = types.TextContent(type="text", text=_sent(text))
        return types.CallToolResult(content=[content], structured_content=_sent(structured), is_error=failed)

    tool = tools.get(name)
    if tool is None:
        return answer(f"there is no tool {name!r:.80}", failed=True)
    try:
        result = await _alone(tool, arguments)
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return answer(text, result if isinstance(result, dict) else {"result": result})
    except OutputError as error:
        return answer(error.message, failed=True)
    except ENDS_ALL as error:
        log.warning("%s: %s", name, error)  # with its hint, which is for whoever runs the server
        return answer(cast("SufficeError", error).message, failed=True)
    except Exception as error:
        return answer(describe(error, hint=False), failed=True)


async def _alone(tool: CallableTool[..., Any], arguments: Json) -> Json:
    """What the tool returns. Raises what it raises; what would end the server, and every other call, as an error of
    this call. A person's Ctrl-C and a cancellation pass."""
    try:
        return await tool.asked(arguments, tool.read(arguments))
    except (Exception, asyncio.CancelledError, Stopped):
        raise
    except BaseException as error:
        if _from_outside(error):
            raise
        raise RuntimeError(f"raised {type(error).__name__}: {error}".rstrip(": ")) from error


def _from_outside(error: BaseException) -> bool:
    """Whether it may come from elsewhere than the tool. Ctrl-C is raised in the main thread alone; `asyncio.run` and
    `suffice mcp`, whose loop is on another thread, cancel the server for it instead."""
    task = task_here()
    if task is None or task.cancelling():
        return True  # it is being closed
    main = threading.current_thread() is threading.main_thread()
    alarmed = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, KeyboardInterrupt) and alarmed
