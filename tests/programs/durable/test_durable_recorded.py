"""What a durable run records of calls and errors is found again when it goes on, or refused before anything is done."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from suffice.errors import JournalDiverged, NotDone, UsageError
from suffice.programs import durable
from suffice.programs.solution import describe
from suffice.programs.tool import tool


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    return tmp_path / "store"


def go(program: Callable[..., Any], *args: Any, id: str = "one", **options: Any) -> Any:
    return asyncio.run(durable.run(program, *args, id=id, **options))


def at_its_second_time(done: Callable[[], Any]) -> tuple[list[str], int]:
    """What a program saw of `done` the first time and at a replay, in words; and how often it was called then."""
    seen: list[str] = []
    called: list[int] = []
    later: list[Exception] = [NotDone("later")]

    @tool
    def does() -> Any:
        """Do it."""
        called.append(1)
        return done()

    @tool(repeat="never")
    def last() -> str:
        """End the first run."""
        if later:
            raise later.pop()
        return "done"

    async def program() -> str:
        try:
            await does()
        except* OSError as group:
            seen.append(" and ".join(describe(one) for one in group.exceptions))
        return await last()

    with pytest.raises(NotDone):
        go(program)
    assert go(program) == "done"
    return seen, len(called)


def test_a_group_of_errors_is_the_same_group_at_a_replay() -> None:
    def fails() -> None:
        raise ExceptionGroup(
            "two", [ConnectionError("the bank hung up"), FileNotFoundError(2, "No such file", "a.csv")]
        )

    seen, called = at_its_second_time(fails)
    said = "ConnectionError: the bank hung up and FileNotFoundError: [Errno 2] No such file: 'a.csv'"
    assert seen == [said, said] and called == 1


MODULE = '''
class Closed(OSError):
    """The account is closed."""
'''
PROGRAM = """
import asyncio, os, sys
import suffice as sf
from suffice.programs.solution import describe

@sf.tool
def pay(order: int) -> str:
    "Pay it back."
    from bank import Closed
    print("paying", flush=True)
    raise Closed("for today")

@sf.tool
def tell(said: str) -> str:
    "Tell somebody."
    if sys.argv[1] == "kill":
        os._exit(9)
    return said

async def program() -> str:
    try:
        return await pay(17)
    except OSError as error:
        return await tell(describe(error))

print(asyncio.run(sf.durable.run(program, id="one")))
"""


def test_an_error_whose_class_the_next_process_has_not_loaded_is_caught_as_before(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")

    def started(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "program.py", how]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    killed = started("kill")
    assert (killed.returncode, killed.stdout.split()) == (9, ["paying"])
    again = started("")
    assert again.stdout == "Closed: for today (program.py:11 in pay)\n", again.stderr


class Connection:
    """What has no JSON form, and a memory address in its text."""


@dataclass
class Order:
    """What has one."""

    number: int


class Photo(BaseModel):
    """With bytes in it."""

    taken: str
    data: bytes


def holding_itself() -> list[Any]:
    held: list[Any] = []
    held.append(held)
    return held


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Connection(), "Connection"),
        ({"by": [Connection()]}, "Connection"),
        (print, "builtin_function_or_method"),
        ((number for number in (1, 2)), "generator"),
        (holding_itself(), "list"),
        (Photo(taken="today", data=b"\xff"), "Photo"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_argument_that_could_not_be_found_again_is_refused_before_the_call(value: Any, kind: str) -> None:
    called: list[Any] = []

    @tool(repeat="never")
    def pay(order: int, through: Any) -> str:
        """Pay it back."""
        called.append(list(through) if kind == "generator" else through)
        return "paid"

    async def program() -> str:
        return await pay(17, through=value)

    for _ in range(2):
        with pytest.raises(
            UsageError, match=rf"the tool pay .* durable run: its argument through .* type {kind},"
        ) as no:
            go(program)
        assert no.value.hint is not None and "inside pay" in no.value.hint
    assert called == [] and durable.status("one").effects == 0
    assert asyncio.run(program()) == "paid"  # outside of a durable run
    assert called == ([[1, 2]] if kind == "generator" else [value])


@pytest.mark.parametrize(
    "value",
    [b"\xff\x00", {"data": [b"\xff"]}, b"text", Order(7), {"b", "a"}, Photo(taken="today", data=b"text")],
    ids=["bytes", "bytes inside", "text", "dataclass", "set", "model"],
)
def test_an_argument_that_can_be_found_again_is(value: Any) -> None:
    called: list[Any] = []

    @tool(repeat="never")
    def pay(what: Any) -> str:
        """Pay it back."""
        called.append(what)
        return "paid"

    async def program(fails: bool) -> str:
        said = await pay(value)
        if stop:
            raise stop.pop()
        return said

    stop: list[Exception] = [ConnectionError("hung up")]
    with pytest.raises(ConnectionError):
        go(program, True)
    assert go(program, True) == "paid" and called == [value]
    assert asyncio.run(program(False)) == "paid"


def test_other_bytes_are_another_call() -> None:
    sent = [b"\xff\x01"]

    @tool
    def send(data: bytes) -> str:
        """Send it."""
        return "sent"

    async def program() -> str:
        await send(sent[0])
        raise ConnectionError("hung up")

    with pytest.raises(ConnectionError):
        go(program)
    sent[0] = b"\xff\x02"
    with pytest.raises(JournalDiverged):
        go(program)


@pytest.mark.parametrize("kind", [bytes, Any])
@pytest.mark.parametrize("value", [b"\x89PNG\xff", b"text"], ids=["bytes", "text"])
def test_bytes_that_a_tool_returns_are_these_bytes_also_at_a_replay(value: bytes, kind: Any) -> None:
    seen: list[Any] = []
    stop: list[Exception] = [ConnectionError("hung up")]

    def draw() -> Any:
        """Draw it."""
        return value

    draw.__annotations__["return"] = kind
    drawn = tool(draw)

    async def program() -> str:
        seen.append(await drawn())
        if stop:
            raise stop.pop()
        return "done"

    with pytest.raises(ConnectionError):
        go(program)
    assert go(program) == "done" and seen[0] == seen[1]
    assert seen[0] == value or (value, kind) == (b"text", Any)  # without an annotation a text stays one
