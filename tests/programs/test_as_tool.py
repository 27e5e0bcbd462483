"""Workflows, steps and solutions as tools: the types of their inputs are offered, and what a model wrote is checked."""

from __future__ import annotations

import datetime
from typing import Any, Literal

import pytest

import suffice as sf
from suffice.errors import OutputError
from suffice.programs.as_tool import as_tool
from suffice.programs.solution import Solution, from_function
from suffice.programs.tool import CallableTool

called: list[Any] = []
ANY: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    called.clear()


def book(room: int, day: datetime.date, note="none", kind: Literal["a", "b"] = "a") -> str:  # type: ignore[no-untyped-def]
    """Book a room.

    Args:
        room: Its number.
    """
    called.append((room, day, note, kind))
    return f"{room} on {day:%d.%m.}"


def alone(text: str) -> str:
    called.append(text)
    return text.upper()


def loose(a, **others: Any) -> str:  # type: ignore[no-untyped-def]
    return str(a)


def asked(tool: CallableTool[..., Any], arguments: Any) -> Any:
    return sf.run(tool.asked(arguments, tool.read(arguments)))["value"]


def inner(name: str) -> Any:
    return as_tool(sf.workflow.chain(sf.workflow.chain(book), str.upper, name=name))


def test_a_chain_is_offered_with_the_types_of_its_first_stage() -> None:
    told: Any = inner("booking").parameters
    assert told["required"] == ["room", "day"] and told["additionalProperties"] is False
    assert told["properties"]["room"] == {"type": "integer", "description": "Its number."}
    assert told["properties"]["day"] == {"type": "string", "format": "date"}
    assert told["properties"]["note"] == {"default": "none"}
    assert told["properties"]["kind"] == {"type": "string", "enum": ["a", "b"], "default": "a"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"room": 1}, r"`\$\.day`"),
        ({"room": "one", "day": "2024-02-03"}, r"`\$\.room`"),
        ({"room": 1, "day": "soon"}, r"`\$\.day`"),
        ({"room": 1, "day": "2024-02-03", "more": 1}, r"`\$\.more`"),
        (["x"], r"`\$`"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(wrong: Any, said: str) -> None:
    with pytest.raises(OutputError, match=said):
        asked(inner("booking"), wrong)
    assert called == []


def test_what_fits_comes_as_the_values_that_the_first_stage_takes() -> None:
    assert asked(inner("booking"), {"room": 7, "day": "2024-02-03"}) == "7 ON 03.02."
    assert called == [(7, datetime.date(2024, 2, 3), "none", "a")]


def test_one_input_goes_by_its_name() -> None:
    made = as_tool(sf.workflow.chain(alone, name="shout"))
    assert made.parameters["properties"] == {"text": {"type": "string"}}
    assert asked(made, {"text": "hi"}) == "HI"
    for wrong in ({"text": 3}, {}, {"text": "a", "b": "c"}):
        with pytest.raises(OutputError):
            asked(made, wrong)
    assert called == ["hi"]


def test_pieces_of_an_input_are_of_the_type_that_the_split_takes() -> None:
    def split(lines: list[str]) -> list[str]:
        return lines

    def join(results: list[str]) -> str:
        return "+".join(results)

    made = as_tool(sf.workflow.map_reduce(alone, join, split, name="joined"))
    assert made.parameters["properties"] == {"lines": {"type": "array", "items": {"type": "string"}}}
    assert asked(made, {"lines": ["a", "b"]}) == "A+B"


def test_a_solution_that_has_names_alone_is_held_to_them() -> None:
    made = as_tool(from_function(book))
    assert made.parameters["properties"]["room"] == ANY and made.parameters["required"] == ["room", "day"]
    for wrong in ({"room": 1}, {"room": 1, "day": "x", "more": 2}):
        with pytest.raises(OutputError):
            made.read(wrong)
    assert made.read({"room": 1, "day": "x"}) == {"room": 1, "day": "x"}


def test_what_takes_any_name_is_offered_with_those_that_it_needs() -> None:
    made = as_tool(from_function(loose))
    assert made.parameters["required"] == ["a"] and set(made.parameters["properties"]) == {"a"}  # type: ignore[arg-type]
    assert asked(made, {"a": 1}) == "1"


def test_columns_of_a_table_are_names_too() -> None:
    async def ask(inputs: Any) -> sf.Answer:
        return sf.Answer(inputs["Customer name"])

    parameters = ("Customer name", "id")
    made = as_tool(Solution("by table", ask, "x", parameters=parameters, required=parameters))
    assert asked(made, {"Customer name": "Ann", "id": 1}) == "Ann"
    with pytest.raises(OutputError):
        made.read({"id": 1})


def test_an_agent_needs_its_input_and_takes_nothing_else() -> None:
    made = as_tool(sf.agent("openai:x", name="desk"))
    assert made.parameters["required"] == ["input"]
    for wrong in ({}, {"input": "a", "more": 1}):
        with pytest.raises(OutputError):
            made.read(wrong)


def test_a_step_with_an_annotation_missing_is_held_to_those_that_it_has() -> None:
    @sf.step
    async def team(ticket: str, day: datetime.date, note) -> str:  # type: ignore[no-untyped-def]
        """Which team?"""
        ...

    made = as_tool(team.using(model="openai:x"))
    assert (
        made.parameters["properties"]["ticket"] == {"type": "string"} and made.parameters["properties"]["note"] == ANY
    )
    given = {"ticket": "a", "day": "2024-02-03", "note": 1}
    assert made.read(given) == given  # as a case has it
    with pytest.raises(OutputError):
        made.read({**given, "ticket": 3})
