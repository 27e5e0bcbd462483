"""What a function's annotations say, resolved; one refusal for names that cannot be."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from suffice.errors import UsageError


def annotations_of(function: Callable[..., Any], who: str) -> dict[str, Any]:
    """The annotations of `function`, which `who` names ("the step triage"). Raises UsageError."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        hint = "its types stand at the top level of its module"
        raise UsageError(f"an annotation of {who} cannot be resolved: {error}", hint=hint) from None
