"""The `chain` solution: a step or a prompt in two calls, first the reasoning as text, then the answer that follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, cast

from suffice.exchange import Message
from suffice.programs.prompt import messages, unasked
from suffice.programs.solution import Form, Solution
from suffice.programs.step_solution import Asking, asking_of, asking_solution, named, written
from suffice.spans import span
from suffice.values import Answer, Json

KIND: Final = "chain"
REASON: Final = (
    "First only think: in a few short sentences, write down what in the input bears on the answer, and what speaks for "
    "and against each answer that is possible. Do not answer yet."
)
ANSWER: Final = "Now answer, as it follows from that."


@dataclass(frozen=True, slots=True)
class Reasoned:
    """What is asked, in which words it is reasoned about first, and in which the answer is asked for."""

    asking: Asking
    reason: str = REASON
    answer: str = ANSWER


def chain_solution(reasoned: Reasoned, saved: dict[str, Json] | None = None) -> Solution:
    """The solution that reasons in one call and answers in another (Kojima et al. 2205.11916, in two calls): the second
    sees the reasoning as a turn of its own, and answers with the type.

    Examples of the prompt stand before the answer only: they show answers, and no reasoning.
    """
    asking, names = reasoned.asking, reasoned.asking.prompt.inputs
    data = saved or {**asking.form(), "reason": reasoned.reason, "answer": reasoned.answer}
    told = "\n\n".join(filter(None, (asking.prompt.instruction, reasoned.reason)))
    thinking = replace(asking.prompt, instruction=told, examples=())
    options = cast("Any", asking.options)

    async def ask(inputs: Json) -> Answer:
        given = named(inputs, names)
        if unasked(given):
            return asking.of_blank(confident=False)
        with span("reason", "stage"):
            thought = await asking.model(messages(thinking, given), **options)
        turns = (
            *messages(asking.prompt, given),
            Message("assistant", thought.text),
            Message("user", reasoned.answer),
        )
        with span("answer", "stage"):
            reply = await asking.model(turns, output=cast("Any", asking.typed), **options)
        return Answer(written(reply.value))

    return asking_solution(asking, KIND, data, ask)


def load_chain(form: Form) -> Solution:
    """A chain from its data. Raises ValueError, KeyError, TypeError for damaged data."""
    return chain_solution(Reasoned(asking_of(form), str(form.data["reason"]), str(form.data["answer"])), form.data)
