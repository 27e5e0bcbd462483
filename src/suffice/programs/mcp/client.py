"""Tools of an MCP server (Model Context Protocol), with the server's own schemas; over stdio, or HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from typing_extensions import Unpack

from suffice.errors import ConnectionLost, MissingExtra, NotDone
from suffice.programs.mcp.content import text_of_part
from suffice.programs.mcp.given import URLS, check_env, check_headers, server_words
from suffice.programs.mcp.stderr import Overheard, overheard
from suffice.programs.tool import CallableTool, ToolOptions, schema_tool
from suffice.shown import one_line
from suffice.values import Json

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult
    from mcp.types import Tool as Described

EXTRA: Final = "pip install 'suffice[mcp]'"
OPENING: Final = 60.0  # seconds for a server to start and to tell its tools
CLOSING: Final = 10.0  # seconds for it to end
PAGES: Final = 100  # of a server's list of tools
MESSAGE: Final = 200  # characters of what an error says
SECRET: Final = 6  # characters; what is shorter is no key, and may be any word


class ToolFailed(Exception):
    """What a server says of a call that failed."""


@asynccontextmanager
async def tools_of_mcp(
    server: str | Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Unpack[ToolOptions],
) -> AsyncGenerator[tuple[CallableTool[..., Json], ...]]:
    """The tools of an MCP server, as long as the block lasts: `async with tools_of_mcp("python shop.py") as tools: …`.

    `server` is the command that starts it (a text, or a list of its words), or its URL. A command gets `env` besides a
    few plain variables of this environment, and no keys; its stderr is dropped once it serves. A URL is sent `headers`
    with each request; they are in no error, name or record. The server validates arguments. What it says of itself
    ("read only", "idempotent") decides whether a tool changes something and may be repeated, unless `options`, which
    hold for all of its tools, say otherwise. Raises UsageError, before anything is started, for what is no server,
    environment, header or option; MissingExtra; ConnectionLost where none answers, with the end of its stderr.
    """
    where, words = server_words(server)
    url = where if where.startswith(URLS) else None
    check_env(env)
    check_headers(headers, url)
    schema_tool("checked", "", {"type": "object"}, _never).using(**options)
    try:
        from mcp import Client, StdioServerParameters, stdio_client
    except ImportError:
        raise MissingExtra("tools of an MCP server need the MCP SDK", hint=EXTRA) from None
    logging.getLogger("mcp").addHandler(logging.NullHandler())  # where nobody listens, its tracebacks are not printed
    heard = None if url else overheard()
    if heard is None:
        client = Client(_over_http(where, headers) if headers else where)
    else:
        started = StdioServerParameters(command=words[0], args=words[1:], env=dict(env or {}))
        client = Client(stdio_client(started, errlog=heard.file))
    opened: asyncio.Future[list[Described]] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()
    # In a task of its own: what is raised in the block must not come out as a group of the connection's tasks.
    holding = asyncio.create_task(_held(client, opened, over))
    try:
        found = await _reached(opened, where, heard, (*(headers or {}).values(), *(env or {}).values()))
        if heard is not None:
            heard.forget()
        yield tuple(_tool(partial(_called, client, over), where, one, options) for one in found)
    finally:
        over.set()
        if not opened.done() or opened.cancelled():  # whoever waits for it was cut off
            holding.cancel()
        await asyncio.wait([holding], timeout=CLOSING)
        holding.cancel()
        if heard is not None:
            heard.file.close()


@asynccontextmanager
async def _over_http(url: str, headers: Mapping[str, str]) -> AsyncGenerator[Any]:
    """A connection whose requests have these headers."""
    from mcp.client import streamable_http

    client = streamable_http.create_mcp_http_client(headers=dict(headers))  # pyright: ignore[reportPrivateImportUsage]
    async with client, streamable_http.streamable_http_client(url, http_client=client) as streams:
        yield streams


async def _held(client: Client, opened: asyncio.Future[list[Described]], over: asyncio.Event) -> None:
    """Keep the connection open until it is `over`, once it was `opened`."""
    try:
        async with client:
            opened.set_result(await _listed(client))
            await over.wait()
    except Exception as error:  # one of many, in groups: of the process, of HTTP, of the protocol
        if not opened.done():
            opened.set_exception(error)


async def _reached(
    opened: asyncio.Future[list[Described]], where: str, heard: Overheard | None, secrets: Sequence[str]
) -> list[Described]:
    try:
        async with asyncio.timeout(OPENING):
            return await opened
    except Exception as error:  # also that it took too long
        said = "" if heard is None else await asyncio.to_thread(heard.end)
        raise _unanswered(where, error, said, secrets) from None  # not in its groups of tasks


async def _listed(client: Client) -> list[Described]:
    found: list[Described] = []
    cursor: str | None = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _tool(call: Any, where: str, told: Described, options: ToolOptions) -> CallableTool[..., Json]:
    hints = told.annotations
    reads = bool(hints and hints.read_only_hint)
    again = reads or bool(hints and hints.idempotent_hint)
    said: ToolOptions = {"repeat": "safe" if again else "never", "changes": not reads}
    schema = cast("Mapping[str, Json]", told.input_schema)
    made = schema_tool(told.name, told.description or told.name, schema, partial(call, told.name), where)
    return made.using(**{**said, **options})


async def _called(client: Client, over: asyncio.Event, name: str, arguments: Mapping[str, Any]) -> Json:
    from mcp import MCPError

    if over.is_set():
        raise NotDone(f"the connection of {name} is closed", hint="call it inside of `async with tools_of_mcp(…)`")
    try:
        json.dumps(arguments, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:  # it would end the connection, and every other call with it
        raise NotDone("an argument holds half a surrogate pair, which is no character and cannot be sent") from None
    try:
        return _result(await client.call_tool(name, dict(arguments)))
    except MCPError as error:  # the protocol's: the connection is closed, say
        raise ToolFailed(one_line(str(error))[:MESSAGE]) from None


def _result(told: CallToolResult) -> Json:
    """Structured content where there is some, else the texts, and a word for what is no text. Raises ToolFailed."""
    parts = [text_of_part(part) for part in told.content]
    if told.is_error:
        raise ToolFailed("\n".join(parts))
    return told.structured_content if told.structured_content is not None else "\n".join(parts)


async def _never(arguments: Mapping[str, Any]) -> Json:
    """Of a tool that is made for its options to be checked, and called by nobody."""


def _unanswered(where: str, error: Any, heard: str, secrets: Sequence[str]) -> ConnectionLost:
    while isinstance(error, BaseExceptionGroup):
        error = cast("Any", error).exceptions[0]
    late = f"it told no tools within {OPENING:g} s" if isinstance(error, TimeoutError) else ""
    said = one_line(late or str(error) or type(error).__name__)[:MESSAGE]
    said = f"{said}; the end of its stderr:\n{heard}" if heard else said
    for secret in secrets:
        said = said.replace(secret, "…") if len(secret) >= SECRET else said
    if where.startswith(URLS):
        hint = "is it running there? headers={…} are sent with each request, such as a key"
    elif late:
        hint = "does it speak MCP over stdin and stdout?"
    elif isinstance(error, OSError):
        hint = "is its command installed, and spelt so?"
    else:
        hint = 'it gets a small environment (HOME, PATH and the like): env={"SUFFICE_MODEL": …} passes what it needs'
    return ConnectionLost(f"the MCP server does not answer: {said}", where=one_line(where)[:MESSAGE], hint=hint)
