"""The verb that serves: `mcp` offers tools and solutions to whatever speaks the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated

import typer


def mcp_command(
    things: Annotated[
        list[str], typer.Argument(metavar="THING", help="Saved bundles, my.py:tool, or package.module:function.")
    ],
    name: Annotated[str, typer.Option("--name", help="What the server calls itself.")] = "suffice",
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="TOOL", help="Offer this tool though a person is to be asked about each call."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model that they ask, where they say none.")] = None,
) -> None:
    """Offer tools and bundles as an MCP server.

    It speaks on stdin and stdout until stdin closes: the program that uses it starts it. What tools print goes to
    stderr. Over MCP nobody can be asked, so a tool with permission="ask" is not offered unless --allow names it.
    """
    from suffice.programs.bridge import run
    from suffice.programs.load import find
    from suffice.programs.mcp import serve_mcp
    from suffice.programs.using import maybe_using

    with maybe_using(model):
        run(serve_mcp(*(find(thing, model=model) for thing in things), name=name, allow=allow or ()))
