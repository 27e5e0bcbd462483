"""Questions side by side: each is told and answered by its number, and an answer that was acted on stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import UsageError, Waiting
from suffice.programs import durable
from suffice.programs.asking import ask_human
from suffice.programs.tool import tool


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    return tmp_path / "store"


paid: list[str] = []


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    paid.clear()


@tool
def pay(amount: str) -> str:
    """Pay it back."""
    paid.append(amount)
    return f"paid {amount}"


def go(program: Callable[..., Any], id: str = "one") -> Any:
    return asyncio.run(durable.run(program, id=id))


def waits(program: Callable[..., Any]) -> str:
    """The question at which the program stops."""
    with pytest.raises(Waiting) as stop:
        go(program)
    return stop.value.question


def cut_off(program: Callable[[asyncio.Event], Any], id: str = "one") -> None:
    """Run it until it has set the event, then end it from outside, as Ctrl-C does."""

    async def until() -> None:
        here = asyncio.Event()
        run = asyncio.create_task(durable.run(lambda: program(here), id=id))
        await asyncio.wait_for(here.wait(), 60)
        run.cancel()
        await run

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(until())
    assert durable.status(id).state in ("interrupted", "answered")


def told(at: durable.Status) -> list[tuple[int, str]]:
    return [(asked.number, asked.question) for asked in at.questions]


async def three() -> Any:
    return await asyncio.gather(ask_human("Ship?"), ask_human("Refund?", ["yes", "no"]), ask_human("Why?"))


def test_all_open_questions_are_told_and_keep_their_numbers_while_others_are_answered() -> None:
    assert waits(three) == "Ship?"
    (at,) = durable.questions()
    assert told(at) == [(1, "Ship?"), (2, "Refund?"), (3, "Why?")]
    assert (at.question, at.choices, at.questions[1].choices) == ("Ship?", (), ("yes", "no"))
    at = durable.answer("one", "yes", question=2)
    assert told(at) == told(durable.status("one")) == [(1, "Ship?"), (3, "Why?")]
    assert waits(three) == "Ship?"
    assert told(durable.status("one")) == [(1, "Ship?"), (3, "Why?")]
    assert told(durable.answer("one", "late", question=3)) == [(1, "Ship?")]
    at = durable.answer("one", "by air")
    assert (at.state, at.question, at.questions) == ("answered", None, ())
    assert go(three) == ["by air", "yes", "late"]
    assert durable.status("one").questions == ()


def test_without_a_number_the_first_is_answered() -> None:
    waits(three)
    assert told(durable.answer("one", "by air")) == [(2, "Refund?"), (3, "Why?")]


def test_what_is_asked_later_has_a_later_number() -> None:
    async def program() -> list[str]:
        first, beside = await asyncio.gather(ask_human("First?"), ask_human("Beside?"))
        return [first, beside, *await asyncio.gather(ask_human("Third?"), ask_human("Fourth?"))]

    waits(program)
    durable.answer("one", "b", question=2)
    durable.answer("one", "a", question=1)
    assert waits(program) == "Third?"
    assert told(durable.status("one")) == [(3, "Third?"), (4, "Fourth?")]
    durable.answer("one", "d", question=4)
    durable.answer("one", "c", question=3)
    assert go(program) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("number", [4, 99])
def test_a_number_that_is_not_asked_is_refused(number: int) -> None:
    waits(three)
    hint = r"hint: suffice answer program-1 yes --question 1"
    with pytest.raises(UsageError, match=rf"program-1 has no question {number}: it asked 1, 2, 3\n{hint}"):
        durable.answer("one", "yes", question=number)
    assert told(durable.status("one")) == [(1, "Ship?"), (2, "Refund?"), (3, "Why?")]


@pytest.mark.parametrize("number", [0, -1, True, 1.0, "1"])
def test_a_number_is_a_whole_one(number: Any) -> None:
    waits(three)
    with pytest.raises(UsageError, match="question is a whole number"):
        durable.answer("one", "yes", question=number)


def test_an_answer_fits_the_question_that_it_names() -> None:
    waits(three)
    with pytest.raises(UsageError, match=r"'perhaps' is no answer to: Refund\?\nhint: one of: yes, no"):
        durable.answer("one", "perhaps", question=2)
    with pytest.raises(UsageError, match=r"no answer to: Why\?\nhint: suffice answer program-1 '…' --question 3"):
        durable.answer("one", " ", question=3)


def test_another_answer_to_a_numbered_question_is_refused_unless_it_replaces() -> None:
    waits(three)
    with pytest.raises(UsageError, match=r"Refund\? has no answer.*none to replace\nhint: .* program-1 yes --q"):
        durable.answer("one", "yes", question=2, replace=True)
    durable.answer("one", "yes", question=2)
    durable.answer("one", "late", question=3)
    assert told(durable.answer("one", "yes", question=2)) == [(1, "Ship?")]  # the same again changes nothing
    hint = r"hint: suffice answer program-1 no --question 2 --replace"
    with pytest.raises(UsageError, match=rf"Refund\? was already answered: yes\n{hint}"):
        durable.answer("one", "no", question=2)
    durable.answer("one", "no", question=2, replace=True)  # though another was answered after it
    durable.answer("one", "early", question=3, replace=True)
    durable.answer("one", "by air")
    assert go(three) == ["by air", "no", "early"]
    with pytest.raises(UsageError, match="asks nothing: it is done"):
        durable.answer("one", "yes", question=2, replace=True)


def refused(text: str, **options: Any) -> None:
    """That an answer which was acted on is not replaced, and stays."""
    before = durable.status("one")
    with pytest.raises(UsageError, match=r"Amount\? was answered: 10, and program-1 has gone on from there\nhint: "):
        durable.answer("one", text, replace=True, **options)
    assert durable.status("one") == before


def acts(here: asyncio.Event | None) -> Callable[[], Any]:
    """A program whose tool pays by itself, so that no effect tells of it; it then waits where `here` is to be set."""

    @tool
    async def careful() -> str:
        """Pay what a person says."""
        said = await ask_human("Amount?")
        paid.append(said)
        if here is not None:
            here.set()
            await asyncio.sleep(60)
        return said

    async def program() -> str:
        return await careful()

    return program


def test_an_answer_that_a_tool_acted_on_is_not_replaced_though_the_tool_did_not_end() -> None:
    waits(acts(None))
    durable.answer("one", "9")
    assert durable.answer("one", "10", replace=True).state == "answered"
    cut_off(lambda here: acts(here)())
    assert durable.status("one").state == "interrupted"
    refused("20")
    refused("20", question=1)
    with pytest.raises(UsageError, match="asks nothing: it is interrupted"):
        durable.answer("one", "20")
    assert go(acts(None)) == "10" and paid == ["10", "10"]


@pytest.mark.parametrize("inside", [True, False])
def test_an_answer_is_not_replaced_once_something_was_begun_after_it(inside: bool) -> None:
    async def careful() -> str:
        """Pay what a person says."""
        return await pay(await ask_human("Amount?"))

    first = tool(careful) if inside else careful

    async def program() -> Any:
        return await asyncio.gather(ask_human("Ship?"), first())

    waits(program)
    (amount,) = [asked.number for asked in durable.status("one").questions if asked.question == "Amount?"]
    durable.answer("one", "10", question=amount)
    assert waits(program) == "Ship?" and paid == ["10"]
    refused("20", question=amount)
    assert told(durable.answer("one", "10", question=amount)) == [(3 - amount, "Ship?")]  # the same again
    with pytest.raises(UsageError, match=r"Amount\? was answered: 10, and program-1 has gone on"):
        durable.answer("one", "20", question=amount)
    durable.answer("one", "by sea")
    durable.answer("one", "by air", replace=True)  # nothing has come of this one
    assert go(program) == ["by air", "paid 10"] and paid == ["10"]


def test_an_answer_that_was_read_and_nothing_came_of_can_be_replaced() -> None:
    async def program(here: asyncio.Event | None = None) -> str:
        said = await ask_human("Amount?")
        if here is not None:
            here.set()
            await asyncio.sleep(60)
        return await pay(said)

    waits(program)
    durable.answer("one", "10")
    cut_off(program)
    assert durable.answer("one", "20", replace=True).state == "answered"
    assert go(program) == "paid 20" and paid == ["20"]
