"""A result as it is recorded, and read again by the annotation of what returned it."""

from __future__ import annotations

from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from suffice.errors import SolutionError
from suffice.shown import brief
from suffice.values import ABSTAIN, Json, to_json


def write_recorded(name: str, value: Any) -> Json:
    """The JSON form of what `name` returned, ABSTAIN in it, too. Raises SolutionError where it has none."""
    try:
        return to_jsonable_python(value, fallback=to_json)
    except (ValueError, TypeError, RecursionError) as error:
        raise SolutionError(f"what {name} returned has no JSON form: {error}") from None


def read_recorded(name: str, result: TypeAdapter[Any], value: Json) -> Any:
    """What `name` ("the program", a tool) returned. Raises SolutionError where it does not fit the annotation."""
    found = _with_abstain(value)
    try:
        return found if found is ABSTAIN else result.validate_python(found)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise SolutionError(
            f"what {name} returned, {brief(value)}, does not fit its annotation: {said}",
            hint=f"correct what {name} -> … says; it is done, and not called again",
        ) from None


def _with_abstain(value: Any) -> Any:
    if value == {"abstain": True}:
        return ABSTAIN
    if isinstance(value, dict):
        return {key: _with_abstain(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_with_abstain(one) for one in cast("list[Any]", value)]
    return value
