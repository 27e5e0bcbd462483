"""A question to a person, whose answer may come minutes or days later: the run is kept meanwhile, and may stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Final

from suffice.arguments import Rule, check, rule_of
from suffice.errors import UsageError
from suffice.held import held
from suffice.models.belonging import unbounded
from suffice.programs.calling import awaited, is_async
from suffice.store.effects import asked, durable_run

QUESTION: Final = Rule(lambda v: isinstance(v, str) and bool(v.strip()), "a text", 'ask_human("Refund 17?")')
YES: Final = "yes"
STOP: Final = "stop"
WORDS: Final = f"({YES}, no, {STOP}, or in words what to do instead)"
Person = Callable[[str, tuple[str, ...]], Awaitable[str] | str]
"""Who answers in a person's stead: from a question and its choices to the answer. A plain function runs on a thread."""
PERSON: Final = Rule(callable, "a function of a question and its choices", "async def person(question, choices): …")


@dataclass(frozen=True, slots=True)
class _Answerers:
    """Who answers questions, and who says whether an agent may do what it wants to."""

    person: Person
    permits: Person


_answerers: ContextVar[_Answerers | None] = ContextVar("suffice_person", default=None)


async def ask_human(question: str, choices: Sequence[str] = ()) -> str:
    """A person's answer to `question`, one of `choices` where there are some.

    In a durable run (`sf.durable.run`) the run stops here until the answer is given, from the terminal
    (`suffice answer`) or from code, and goes on from here. Elsewhere somebody must stand in (`answered_by`, a case's
    world). Raises UsageError where nobody can answer, and for a question that is none.
    """
    check("a question", question, QUESTION)
    check("choices", choices, rule_of(Sequence[str]), 'choices=["yes", "no"]')
    here = _answerers.get()
    return await _asked(question, tuple(choices), here and here.person)


async def ask_permission(question: str) -> str:
    """A person's word on whether an agent may do something: YES, STOP (as `meant` reads it), or in words what is wrong
    with it. As `ask_human`, of whoever permits here."""
    here = _answerers.get()
    return await _asked(question, (YES, "no", STOP), here and here.permits, f"{question} {WORDS}")


def meant(said: str) -> str:
    """An answer to `ask_permission` as it is compared: "Yes." is "yes"."""
    return said.strip().rstrip(".!").casefold()


async def _asked(question: str, choices: tuple[str, ...], person: Person | None, open_as: str | None = None) -> str:
    """`open_as` is what a durable run asks instead, where any text is an answer."""
    kept = (question, choices) if open_as is None else (open_as, ())
    if person is not None:

        async def said(_: str, __: tuple[str, ...]) -> str:
            with unbounded():  # a person costs no agent anything, nor does a model in their stead
                return await awaited(partial(person, question, choices), is_async(person))

        return await asked(*kept, said)
    if durable_run() is None:
        raise UsageError(
            f"nobody can answer here: {question}",
            hint='call the program with sf.durable.run(program, …, id="refund-17"), which waits for the answer',
        )
    return await asked(*kept)


def answered_by(person: Person, permits: Person | None = None) -> AbstractContextManager[object]:
    """Let `person` answer every question inside, in its tasks and threads, too. Whether an agent may do something is
    asked of `permits` where it is said. Raises UsageError for what is no function."""
    check("person", person, PERSON)
    check("permits", permits or person, PERSON)
    return held(_answerers, _Answerers(person, permits or person))
