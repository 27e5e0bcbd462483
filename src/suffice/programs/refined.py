"""The `refine` solution: an answer, a check of it by the same model, and a better answer where that found a fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from typing_extensions import TypedDict

from suffice.exchange import Message
from suffice.models.output.typed import output_type
from suffice.programs.prompt import answer_text, messages, unasked
from suffice.programs.solution import Form, Solution
from suffice.programs.step_solution import Asking, asking_of, asking_solution, named, written
from suffice.programs.workflow.refine import Loop, Verdict, refined, verdict
from suffice.spans import span
from suffice.values import Answer, Json

KIND: Final = "refine"
CHECK: Final = (
    "Check your last answer against the instructions and the input. `fault` says in one sentence what is wrong with "
    "it, null where nothing is. `right` says whether it is right as it stands."
)
IMPROVE: Final = "That answer has a fault: {fault}\nAnswer again."


class Check(TypedDict):
    """What the model says of its answer: the fault first, so that the verdict follows from it."""

    fault: str | None
    right: bool


@dataclass(frozen=True, slots=True)
class Refining:
    """What is asked, how often an answer may be mended, and the words of the check and of asking again."""

    asking: Asking
    most: int
    check: str = CHECK
    improve: str = IMPROVE


def refine_solution(refining: Refining, saved: dict[str, Json] | None = None) -> Solution:
    """The solution that answers, checks and answers again at most `most` times (Madaan et al. 2303.17651).

    It ends where the check passes, or the same answer comes again. Where no check passes, the first answer stands: the
    model found a fault with each, and has no order of them.
    """
    asking, names = refining.asking, refining.asking.prompt.inputs
    data = saved or {**asking.form(), "most": refining.most, "check": refining.check, "improve": refining.improve}

    async def ask(inputs: Json) -> Answer:
        given = named(inputs, names)
        if unasked(given):
            return asking.of_blank(confident=False)
        first, loop = _loop(refining, messages(asking.prompt, given))
        return replace(await refined(await first(), loop), confidence=None)

    return asking_solution(asking, KIND, data, ask)


def load_refine(form: Form) -> Solution:
    """A refinement from its data. Raises ValueError, KeyError, TypeError for damaged data."""
    told = form.data
    refining = Refining(asking_of(form), int(told["most"]), str(told["check"]), str(told["improve"]))
    return refine_solution(refining, told)


def _loop(refining: Refining, asked: tuple[Message, ...]) -> tuple[Callable[[], Awaitable[Answer]], Loop]:
    """The first answer, and the rounds after it. The model sees its last answer alone, so turns do not add up."""
    asking = refining.asking

    async def said(stage: str, more: tuple[Message, ...], typed: Any) -> Any:
        with span(stage, "stage"):
            reply = await asking.model((*asked, *more), output=typed, **cast("Any", asking.options))
        return reply.value

    def after(draft: Json, text: str) -> tuple[Message, ...]:
        return Message("assistant", answer_text(asking.prompt, draft)), Message("user", text)

    async def first() -> Answer:
        return Answer(written(await said("answer", (), asking.typed)))

    async def evaluate(draft: Json) -> Verdict:
        found: Check = await said("check", after(draft, refining.check), output_type(Check))
        return verdict(True if found["right"] else found["fault"] or False)

    async def improve(draft: Json, fault: str) -> Answer:
        more = after(draft, refining.improve.replace("{fault}", fault or "it is wrong."))
        return Answer(written(await said("improve", more, asking.typed)))

    return first, Loop(evaluate, improve, refining.most)
