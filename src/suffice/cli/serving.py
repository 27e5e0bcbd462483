"""The verb that serves: `mcp` offers tools and solutions to whatever speaks the Model Context Protocol."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

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
    stderr. Over MCP nobody can be asked, so a tool with permission="ask" is not offered unless --allow names it. One
    with permission="deny" never is.
    """
    from suffice.programs.bridge import run
    from suffice.programs.mcp import serve_mcp
    from suffice.programs.using import maybe_using

    with maybe_using(model):
        run(serve_mcp(*(_found(thing, model) for thing in things), name=name, allow=allow or ()))


def _found(thing: str, model: str | None) -> Any:
    """What a word of the command names. Raises as `find`; of a module without that name with what it has to offer."""
    from suffice.errors import SolutionError
    from suffice.programs.load import find
    from suffice.programs.mcp import servable
    from suffice.shown import listed

    try:
        return find(thing, model=model)
    except SolutionError as error:
        source, _, name = thing.rpartition(":")
        if error.message != f"has no {name}":
            raise
        there = servable(find(f"{source}:__dict__"))
        near = difflib.get_close_matches(name, there, n=1)
        what = listed(there) or "nothing: a tool is a function with a docstring and annotations, @sf.tool or @sf.step"
        error.hint = f"did you mean {near[0]}?" if near else f"it offers {what}"
        raise
