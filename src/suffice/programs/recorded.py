"""A recorded result, read again by the annotation of what returned it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from suffice.errors import SolutionError
from suffice.shown import brief
from suffice.values import Json


def read_recorded(name: str, result: TypeAdapter[Any], value: Json) -> Any:
    """What `name` ("the program", a tool) returned. Raises SolutionError where it does not fit the annotation."""
    try:
        return result.validate_python(value)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise SolutionError(
            f"what {name} returned, {brief(value)}, does not fit its annotation: {said}",
            hint=f"correct what {name} -> … says; it is done, and not called again",
        ) from None
