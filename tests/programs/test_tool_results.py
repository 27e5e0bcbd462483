"""What comes of a tool's call: results that cannot be written, time-outs that are swallowed, generators; refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import suffice as sf
from suffice.errors import OutputError, SolutionError, UsageError
from suffice.programs import durable
from suffice.programs.docstring import read_docstring
from suffice.programs.tool import tool

HUGE = 10**5_000


@tool(repeat="never")
def count() -> int:
    """Count."""
    return HUGE


def asked(made: Any, arguments: Any = None) -> Any:
    return sf.run(made.asked(arguments or {}, made.read(arguments or {})))


def test_a_number_that_python_cannot_write_is_an_error_of_the_call() -> None:
    with pytest.raises(SolutionError, match="what count returned has no JSON form"):
        asked(count)
    assert sf.run(count()) == HUGE  # in one process nothing need be written


def test_in_a_durable_run_it_is_recorded_as_that_error(tmp_path: Path) -> None:
    async def program() -> str:
        try:
            await count()
        except SolutionError as error:
            return error.message
        return ""

    first, again = (sf.run(durable.run(program, id="n", store=tmp_path)) for _ in range(2))
    assert first == again and "what count returned has no JSON form" in first


def test_an_argument_that_python_cannot_write_is_refused_in_a_durable_run(tmp_path: Path) -> None:
    @tool
    def double(n: int) -> str:
        """Double."""
        return "two"

    async def program() -> str:
        return await double(HUGE)

    with pytest.raises(UsageError, match="its argument n"):
        sf.run(durable.run(program, id="n", store=tmp_path))


@pytest.mark.parametrize("repeat", ["safe", "never"])
def test_a_tool_that_swallows_its_being_cut_off_has_failed_all_the_same(repeat: Any) -> None:
    @tool(timeout=0.05, repeat=repeat)
    async def slow() -> str:
        """Wait."""
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return "late"

    for call in (lambda: sf.run(slow()), lambda: asked(slow)):
        with pytest.raises(TimeoutError, match=r"slow gave no result within 0\.05 s"):
            call()


async def every(most: int) -> AsyncIterator[int]:
    """Every number."""
    for n in range(most):
        await asyncio.sleep(0)
        yield n


async def unsaid(most: int):  # type: ignore[no-untyped-def]
    """Every number."""
    for n in range(most):
        yield n


async def both_ways(most: int) -> AsyncGenerator[int, None]:
    """Every number."""
    for n in range(most):
        yield n


@pytest.mark.parametrize("function", [every, unsaid, both_ways])
def test_an_async_generator_gives_the_list_of_what_it_yields(function: Any, tmp_path: Path) -> None:
    made: Any = tool(function)

    async def program() -> Any:
        return await made(2)

    assert asked(made, {"most": 3}) == [0, 1, 2]
    assert sf.run(made(2)) == [0, 1]
    assert [sf.run(durable.run(program, id="g", store=tmp_path)) for _ in range(2)] == [[0, 1], [0, 1]]


def test_a_method_in_its_class_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(UsageError, match="method of Shop") as error:

        class Shop:
            @tool
            def look(self, id: str) -> str:
                """Look."""
                return id

    assert error.value.hint is not None and "sf.tool(Shop().look)" in error.value.hint


def test_a_description_and_a_name_that_are_given_stand_for_the_functions_own() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    def über(a: int) -> int:
        """Go over."""
        return a

    made = tool(description="Adds.")(add)
    assert (made.description, made.name) == ("Adds.", "add") and asked(made, {"a": 1, "b": 2}) == 3
    assert tool(name="uber")(über).name == "uber"
    with pytest.raises(UsageError, match="no docstring"):
        tool(name="plus")(add)
    with pytest.raises(UsageError, match="name"):
        tool(name="ü")(add)
    with pytest.raises(UsageError, match="no option"):
        tool(time=3)(add)  # type: ignore[call-overload]


def test_a_parameter_of_a_type_that_no_model_can_write_is_named_with_types_that_work() -> None:
    def each(do: Callable[[int], int]) -> int:
        """Do it."""
        return do(1)

    with pytest.raises(UsageError, match="the parameter do has no JSON schema") as error:
        tool(each)
    assert "output=" not in str(error.value) and "types that work: str, int" in str(error.value)


def test_a_docstring_of_parameters_alone_is_read() -> None:
    def look_up(id: str, most: int = 3) -> str:
        """Args:
        id: The number on
            its label.
        most: How many.
        """
        return id

    made: Any = tool(look_up)
    assert made.description == "look up"
    assert made.parameters["properties"]["id"]["description"] == "The number on its label."
    assert made.parameters["properties"]["most"]["description"] == "How many."
    assert read_docstring("Args:\n        a: One.\n\n    Returns:\n        It.").parameters == {"a": "One."}
    deeper = read_docstring("Args:\n            a: One.\n                More.\n            b: Two.\n        ")
    assert deeper.parameters == {"a": "One. More.", "b": "Two."} and deeper.text == ""
    assert read_docstring("Args:\n    Nothing is said here").text == "Nothing is said here"


@pytest.mark.parametrize("wrong", [{"most": "x"}, {}])
def test_the_arguments_of_an_async_generator_are_validated(wrong: Any) -> None:
    with pytest.raises(OutputError):
        tool(every).read(wrong)
