"""Bring a loaded solution's answers to the type that the program declares, or refuse them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from suffice.errors import BundleError, SolutionError, UsageError
from suffice.programs.solution import Solution
from suffice.values import ABSTAIN, Answer, Json, from_json, to_json


def checked_output(solution: Solution, output: Any, labels: Sequence[Json], where: str) -> Solution:
    """`solution` with every answer brought to the type `output`; ABSTAIN passes.

    An answer that does not fit raises SolutionError when it is given. Raises BundleError where one of `labels` (what
    it is known to answer) can never fit, UsageError for what is no type.
    """
    from pydantic import PydanticUserError, TypeAdapter, ValidationError  # not needed to load without a type
    from pydantic.errors import PydanticSchemaGenerationError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(output)
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError, NameError, SyntaxError) as error:
        raise UsageError(
            f"output={output!r} is not a type that can be checked: {str(error).splitlines()[0]}",
            hint='for example output=Literal["yes", "no"] | None, or a pydantic model',
        ) from None

    def fitted(answer: Answer) -> Answer:
        if answer.value is ABSTAIN:
            return answer
        try:
            return replace(answer, value=adapter.validate_python(answer.value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = "".join(f"[{part!r}]" for part in first["loc"])
            raise SolutionError(
                f"{solution.name} answered {_short(answer.value)}, which does not fit output=: {place} {first['msg']}"
            ) from None

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


def _short(value: Any) -> str:
    try:
        text = repr(to_json(value))
    except TypeError:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:59] + "…"
