"""A question to a person, whose answer may come minutes or days later: the run is kept meanwhile, and may stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Final

from suffice.arguments import Rule, check, rule_of
from suffice.errors import UsageError
from suffice.held import held
from suffice.store.effects import asked, durable_run

QUESTION: Final = Rule(lambda v: isinstance(v, str) and bool(v.strip()), "a text", 'ask_human("Refund 17?")')
Person = Callable[[str, tuple[str, ...]], Awaitable[str]]
"""Who answers in a person's stead: from a question and its choices to the answer."""

_person: ContextVar[Person | None] = ContextVar("suffice_person", default=None)


async def ask_human(question: str, choices: Sequence[str] = ()) -> str:
    """A person's answer to `question`, one of `choices` where there are some.

    In a durable run (`sf.durable.run`) the run stops here until the answer is given, from the terminal
    (`suffice answer`) or from code, and goes on from here. Elsewhere somebody must stand in (`answered_by`, a case's
    world). Raises UsageError where nobody can answer, and for a question that is none.
    """
    check("a question", question, QUESTION)
    check("choices", choices, rule_of(Sequence[str]), 'choices=["yes", "no"]')
    options = tuple(choices)
    person = _person.get()
    if person is not None:
        return await asked(question, options, person)
    if durable_run() is None:
        raise UsageError(
            f"nobody can answer here: {question}",
            hint='call the program with sf.durable.run(program, …, id="refund-17"), which waits for the answer',
        )
    return await asked(question, options)


def answered_by(person: Person) -> AbstractContextManager[Person | None]:
    """Let `person` answer every question inside, in its tasks and threads, too."""
    return held(_person, person)
