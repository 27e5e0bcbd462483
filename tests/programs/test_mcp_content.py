"""What a tool of an MCP server gives besides texts: embedded texts and links come through, bytes leave a mark."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import pytest

import suffice as sf
from suffice.errors import NotDone
from suffice.programs.mcp import tools_of_mcp

mcp = pytest.importorskip("mcp")

SERVER = f'''
from mcp.server.mcpserver import MCPServer
from mcp import types

server = MCPServer("files")
DATA = "{base64.b64encode(b"12345").decode()}"

@server.tool(structured_output=False)
def read() -> types.EmbeddedResource:
    """A text of its own."""
    held = types.TextResourceContents(uri="file:///notes.txt", mime_type="text/plain", text="Two caps.\\nOne hat.")
    return types.EmbeddedResource(type="resource", resource=held)

@server.tool(structured_output=False)
def find() -> list[types.ContentBlock]:
    """Where it is, and more."""
    return [
        types.TextContent(type="text", text="found"),
        types.ResourceLink(type="resource_link", name="notes", uri="file:///notes.txt", description="of May"),
        types.ResourceLink(type="resource_link", name="hats", uri="file:///hats.txt"),
        types.EmbeddedResource(
            type="resource", resource=types.BlobResourceContents(uri="file:///a.bin", blob=DATA)
        ),
        types.ImageContent(type="image", data=DATA, mime_type="image/png"),
        types.AudioContent(type="audio", data=DATA, mime_type="audio/wav"),
    ]

@server.tool()
def echo(text: str) -> str:
    """The same."""
    return text

server.run()
'''
FOUND = """found
[resource_link notes: file:///notes.txt]
of May
[resource_link hats: file:///hats.txt]
[resource file:///a.bin: 5 bytes are left out]
[image: 5 bytes of image/png are left out]
[audio: 5 bytes of audio/wav are left out]"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    file = tmp_path / "files.py"
    file.write_text(SERVER, encoding="utf-8")
    return [sys.executable, str(file)]


def test_embedded_texts_and_links_are_given_and_bytes_leave_a_mark(files: list[str]) -> None:
    async def go() -> dict[str, Any]:
        async with asyncio.timeout(60), tools_of_mcp(files) as tools:
            return {tool.name: await tool() for tool in tools if tool.name != "echo"}

    told = sf.run(go())
    assert told["read"] == "[resource file:///notes.txt]\nTwo caps.\nOne hat."
    assert told["find"] == FOUND


def test_an_argument_that_cannot_be_sent_fails_its_call_alone(files: list[str]) -> None:
    async def go() -> Any:
        async with asyncio.timeout(60), tools_of_mcp(files) as tools:
            echo = next(tool for tool in tools if tool.name == "echo")
            with pytest.raises(NotDone, match="half a surrogate pair"):
                await echo(text="a\ud83d")
            return await echo(text="b")

    assert sf.run(go()) == {"result": "b"}
