"""How an output type is asked for where an endpoint has no JSON schema mode: in words, or as a function's arguments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from suffice.errors import UsageError
from suffice.exchange import Message, OutputSpec, Request
from suffice.models.dialects.body import json_bytes
from suffice.shown import brief

PREFIX: Final = "answer_as__"
"""A function so named takes the answer as its arguments. A decoder sees the reply alone and knows it by its name."""
LONGEST: Final = 64  # characters in a function's name, at OpenAI and Anthropic alike


def output_tool_name(spec: OutputSpec) -> str:
    """The name of the function whose arguments are the answer."""
    return (PREFIX + spec.name)[:LONGEST]


def is_output_tool(name: str) -> bool:
    """Whether a call to `name` is the answer itself."""
    return name.startswith(PREFIX)


def check_tools(request: Request) -> None:
    """Raises UsageError where a tool has no name, another one's, or that of the function that takes the answer."""
    names = [tool.name for tool in request.tools]
    if not all(names) or len(set(names)) < len(names):
        raise UsageError("every tool has a name of its own", hint="a model says by its name which tool it wants called")
    for tool in request.tools:
        if is_output_tool(tool.name):
            raise UsageError(f"the tool {brief(tool.name)} may not be named so: {PREFIX} stands for the answer")


def asked_in_words(messages: Iterable[Message], spec: OutputSpec) -> tuple[Message, ...]:
    """`messages` with the wish for JSON said in the last user turn, or in a system turn where there is no user's.

    JSON mode needs it, too: OpenAI refuses a request in which the word JSON does not stand.
    """
    words = "Answer with JSON alone, an instance of this JSON schema:\n" + json_bytes(dict(spec.schema)).decode()
    turns = list(messages)
    for at in range(len(turns) - 1, -1, -1):
        if turns[at].role == "user":
            said = turns[at].content
            added = f"{said}\n\n{words}" if isinstance(said, str) else (*said, f"\n\n{words}")
            turns[at] = replace(turns[at], content=added)
            return tuple(turns)
    return (Message("system", words), *turns)
