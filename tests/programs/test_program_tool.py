"""Tools: schemas from annotations and docstrings, validated arguments, results as JSON, effects, identity."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import json
import sys
import threading
import typing
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_samples import Write

import suffice as sf
from suffice.errors import OutputError, UsageError
from suffice.models.model import Model
from suffice.programs import durable
from suffice.programs.docstring import read_docstring
from suffice.programs.identity import identity_of
from suffice.programs.tool import schema_tool, tool


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Parcel(pydantic.BaseModel):
    id: str
    on: datetime.date


class Secret(Parcel):
    token: str = "s3cret"


@dataclasses.dataclass
class Address:
    street: str
    number: int = 1


@tool
def look_up(id: str, day: datetime.date, to: Address | None = None, sizes: list[Size] = [], schema: int = 3) -> Parcel:  # noqa: B006
    """Find a parcel.

    It may take a moment.

    Args:
        id: The number on
            its label.
        day (date): When it was sent.

    Returns:
        The parcel.
    """
    return Secret(id=f"{id} {to.street if to else ''} {[s.name for s in sizes]} {schema}", on=day)


def test_the_schema_comes_from_annotations_and_the_docstring() -> None:
    assert look_up.name == "look_up"
    assert look_up.description == "Find a parcel.\n\nIt may take a moment.\n\nReturns:\n    The parcel."
    told: Any = json.loads(json.dumps(look_up.parameters))
    assert told["required"] == ["id", "day"] and told["additionalProperties"] is False
    fields = told["properties"]
    assert fields["id"] == {"type": "string", "description": "The number on its label."}
    assert fields["day"] == {"type": "string", "format": "date", "description": "When it was sent."}
    assert fields["schema"] == {"type": "integer", "default": 3}
    assert set(told["$defs"]) == {"Address", "Size"}


def test_arguments_are_validated_and_made_into_values_before_the_function_runs() -> None:
    told = {"id": "p1", "day": "2024-02-03", "to": {"street": "High St"}, "sizes": ["large"]}
    result = sf.run(look_up.asked(told, look_up.read(told)))
    assert result == {"id": "p1 High St ['LARGE'] 3", "on": "2024-02-03"}  # as its annotation says: no token
    for wrong, said in [
        ({"id": 1, "day": "2024-02-03"}, "`$.id`"),
        ({"id": "p", "day": "soon"}, "`$.day`"),
        ({"id": "p"}, "`$.day`"),
        ({"id": "p", "day": "2024-02-03", "more": 1}, "`$.more`"),
        ({"id": "p", "day": "2024-02-03", "sizes": ["huge"]}, "`$.sizes[0]`"),
        ([], "`$`"),
        (None, "`$`"),
    ]:
        with pytest.raises(OutputError, match=said.replace("$", r"\$").replace("[", r"\[")):
            look_up.read(wrong)


def test_called_directly_it_is_its_function_on_a_thread_where_that_is_plain() -> None:
    @tool
    def plain(a: int, b: int = 2) -> tuple[int, str]:
        """Add."""
        return a + b, threading.current_thread().name

    @tool
    async def other(a: int) -> int:
        """Double."""
        await asyncio.sleep(0)
        return 2 * a

    total, thread = sf.run(plain(1, b=5))
    assert total == 6 and thread == "suffice-solution"
    assert sf.run(other(4)) == 8
    with pytest.raises(TypeError, match=r"plain\(\) missing a required argument: 'a'"):
        sf.run(plain())  # pyright: ignore[reportCallIssue]


def test_a_method_and_a_step_are_tools_too() -> None:
    class Shop:
        def price(self, item: str) -> float:
            """What it costs."""
            return 2.5 * len(item)

    @sf.step
    async def team(ticket: str) -> Literal["a", "b"]:
        """Which team?"""
        ...

    assert sf.run(tool(Shop().price)("ab")) == 5.0
    made = tool(team)
    assert (made.name, made.description, set(made.parameters["properties"])) == ("team", "Which team?", {"ticket"})


def test_options_are_checked_and_do_not_touch_the_tool_itself() -> None:
    @tool(repeat="never", permission="ask", name="pay", most_chars=500)
    def refund(usd: float) -> None:
        """Pay back."""

    assert (refund.name, refund.permission, refund.alters) == ("pay", "ask", True)
    assert not refund.using(changes=False).alters and refund.alters and not look_up.alters
    for wrong in ({"repeat": "always"}, {"permission": "yes"}, {"most_chars": 1}, {"name": "no good"}, {"time": 3}):
        with pytest.raises(UsageError):
            refund.using(**wrong)  # type: ignore[arg-type]


def no_docstring(a: int) -> int:
    return a


def no_annotation(a) -> int:  # type: ignore[no-untyped-def]
    """Say."""
    return a


def any_number(*a: int) -> int:
    """Say."""
    return a[0]


def no_schema(a: threading.Thread) -> int:
    """Say."""
    return 1


def no_schema_back(a: int) -> threading.Thread:
    """Say."""
    return threading.Thread()


class Old(typing.TypedDict):
    id: str


def old(given: list[Old]) -> int:
    """Say."""
    return len(given)


def old_back(id: str) -> Old:
    """Say."""
    return {"id": id}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there pydantic takes it")
@pytest.mark.parametrize(("function", "what"), [(old, "the parameter given"), (old_back, "its return type")])
def test_a_typed_dict_of_an_old_python_is_refused_with_the_import_that_helps(function: Any, what: str) -> None:
    with pytest.raises(UsageError, match=f"{what} holds a typing.TypedDict") as error:
        tool(function)
    assert error.value.hint == "from typing_extensions import TypedDict"


def unresolved(a: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
    """Say."""
    return 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_docstring, "has no docstring"),
        (no_annotation, "has no annotation"),
        (any_number, "by its name"),
        (no_schema, "JSON schema"),
        (no_schema_back, "its return type has no JSON schema"),
        (unresolved, "cannot be resolved"),
        (Parcel, "made of a function"),
        (3, "made of a function"),
    ],
)
def test_what_is_no_tool_is_refused(function: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tool(function)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [(int, "seven", "seven"), (float, Decimal("1.50"), "1.50"), (list[int], (1, 2), [1, 2]), (str, b"\xff", "_w==")],
)
def test_a_result_that_is_not_what_the_annotation_says_is_told_and_no_failure(kind: Any, value: Any, told: Any) -> None:
    """The tool has done its work: a model that hears of a failure has it done again."""

    def wrong() -> Any:
        """Count."""
        return value

    wrong.__annotations__["return"] = kind
    made = tool(wrong)
    assert sf.run(made.asked({}, made.read({}))) == told


def test_a_call_that_takes_too_long_has_failed_and_stays_so_in_a_durable_run(tmp_path: Path) -> None:
    waits = [5.0, 0.0]

    @tool(timeout=0.05)
    async def slow() -> str:
        """Wait."""
        await asyncio.sleep(waits.pop(0))
        return "done"

    async def program() -> str:
        try:
            return await slow()
        except TimeoutError as error:
            return f"{error}, then {await slow()}"

    for _ in range(2):
        said = sf.run(durable.run(program, id="slow", store=tmp_path))
        assert said == "slow gave no result within 0.05 s, then done"
    assert waits == []
    with pytest.raises(UsageError):
        slow.using(timeout=0)


def test_in_a_durable_run_a_tool_is_called_once(tmp_path: Path) -> None:
    count: list[int] = []

    @tool(repeat="never")
    def charge(usd: int) -> Parcel:
        """Take money."""
        count.append(usd)
        return Parcel(id=str(len(count)), on=datetime.date(2024, 1, usd))

    async def program() -> list[str]:
        return [(await charge(usd)).id for usd in (1, 2)] + [str((await charge(3)).on)]

    for _ in range(2):
        assert sf.run(durable.run(program, id="c", store=tmp_path)) == ["1", "2", "2024-01-03"]
    assert count == [1, 2, 3]


def test_its_identity_changes_with_its_code_its_words_and_its_options(user_module: Write) -> None:
    source = '''
    from suffice.programs.tool import tool
    def inner(): return {value}
    @tool
    def again(n: int) -> int:
        """{words}"""
        return inner() if n else again
    '''
    made = [
        user_module(source.format(value=value, words=words)).again
        for value, words in [(1, "Say."), (1, "Say."), (2, "Say."), (1, "Tell.")]
    ]
    one, same, code, words = map(identity_of, made)
    assert one == same
    assert len({one, code, words, identity_of(made[0].using(repeat="never"))}) == 4


def test_a_tool_by_its_schema_keeps_it_and_gets_a_name_that_models_take() -> None:
    async def call(arguments: Any) -> Any:
        return dict(arguments)

    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    made = schema_tool("math.hypot", "A root.", schema, call)
    assert (made.name, made.parameters) == ("math_hypot", schema)
    assert sf.run(made.asked({"n": 1}, made.read({"n": 1}))) == {"n": 1}
    with pytest.raises(OutputError):
        made.read([1])
    with pytest.raises(UsageError):
        schema_tool("x", "", {"type": "string"}, call)


def test_a_model_may_be_offered_a_tool_without_an_agent() -> None:
    assert Model("openai:x", tools=[look_up.offer]).options["tools"][0].name == "look_up"


NUMPY = """Find it.

    Parameters
    ----------
    id, name : str
        The number.

        Of the label.
    to
        Where to.

    Returns
    -------
    str
        It.
    """
SPHINX = """Find it.

    :param id: The number.
    :param str name: The name
        of it.
    :returns: It.
    """


def test_docstrings_of_the_usual_styles_are_read() -> None:
    assert read_docstring("Find it.").text == "Find it."
    numpy = read_docstring(NUMPY)
    assert numpy.text == "Find it.\n\nReturns\n-------\nstr\n    It."
    both = "The number. Of the label."
    assert numpy.parameters == {"id": both, "name": both, "to": "Where to."}
    sphinx = read_docstring(SPHINX)
    assert sphinx.text == "Find it.\n\n:returns: It."
    assert sphinx.parameters == {"id": "The number.", "name": "The name of it."}
    google = read_docstring("Find it.\n\nArgs:\n  a (int, optional): One: two.\n  *rest: More.\n\nRaises:\n  X: no.")
    assert google.parameters == {"a": "One: two.", "rest": "More."}
    assert google.text == "Find it.\n\nRaises:\n  X: no."
    assert read_docstring(None).text == ""


@given(st.text())
def test_any_docstring_is_read(text: str) -> None:
    assert isinstance(read_docstring(text).text, str)


def test_a_field_may_describe_its_argument_itself() -> None:
    @tool
    def find(id: Annotated[str, pydantic.Field(description="The number.", min_length=2)]) -> str:
        """Find it."""
        return id

    told: Any = find.parameters
    assert told["properties"]["id"] == {"type": "string", "description": "The number.", "minLength": 2}
    with pytest.raises(OutputError):
        find.read({"id": "x"})
