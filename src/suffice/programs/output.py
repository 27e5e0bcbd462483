"""Bring a loaded solution's answers to the type that the program declares, or refuse them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suffice.errors import BundleError, SolutionError, UsageError
from suffice.programs.solution import Solution
from suffice.shown import brief, shown
from suffice.values import ABSTAIN, Answer, Json, from_json

if TYPE_CHECKING:  # not needed to load without a type
    from pydantic import TypeAdapter


def adapter_of(output: Any) -> TypeAdapter[Any]:
    """Pydantic's check of values of the type `output`. Raises UsageError for what is no type."""
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(output)
    except Exception as error:  # pydantic's own, and whatever its looking into an object that is no type ends in
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"output={shown(repr(output))} is not a type that can be checked: {shown(why, 200)}",
            hint='for example output=Literal["yes", "no"] | None, or a pydantic model',
        ) from None


def checked_output(solution: Solution, output: Any, labels: Sequence[Json], where: str) -> Solution:
    """`solution` with every answer brought to the type `output`; ABSTAIN passes.

    An answer that does not fit raises SolutionError when it is given. Raises BundleError where one of `labels` (what
    it is known to answer) can never fit, UsageError for what is no type.
    """
    from pydantic import ValidationError

    adapter = adapter_of(output)

    def fitted(answer: Answer) -> Answer:
        if answer.value is ABSTAIN:
            return answer
        try:
            return replace(answer, value=adapter.validate_python(answer.value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = "".join(f"[{part!r}]" for part in first["loc"])
            said = answer.value if isinstance(answer.value, str) else shown(answer.value)
            why = f"{place} {first['msg']}".strip()
            raise SolutionError(f"{solution.name} answered {brief(said)}, which does not fit output=: {why}") from None

    for label in labels:
        try:
            fitted(Answer(from_json(label)))
        except SolutionError as error:
            raise BundleError(
                error.message.replace("answered", "may answer", 1),
                hint="load it with the output type of the task that it was decided on",
                where=where,
            ) from None

    async def ask(inputs: Json) -> Answer:
        return fitted(await solution.ask(inputs))

    def batch(many: Sequence[Json]) -> list[Answer]:
        assert solution.batch is not None
        return [fitted(answer) for answer in solution.batch(many)]

    return replace(solution, ask=ask, batch=batch if solution.batch is not None else None)
