"""What a step or function says that it gives, and which labels: of a Literal, an enum, a bool, None, or a union."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable
from typing import Any

from suffice.values import Abstain


def type_of(function: Callable[..., Any]) -> Any:
    """The type that a step or a function is annotated to give, Any where that is not said or cannot be read."""
    try:
        return getattr(function, "output", None) or typing.get_type_hints(function, include_extras=True)["return"]
    except (NameError, TypeError, KeyError):
        return Any


def labels_of(classifier: Callable[..., Any]) -> tuple[Any, ...] | None:
    """The labels that `classifier`, a step or a function, may give; None where its type does not say."""
    return _labels(type_of(classifier))


def plain(label: Any) -> Any:
    """A label as handlers are named: the value of an enum's member, anything else as it is."""
    return label.value if isinstance(label, enum.Enum) else label


def _labels(said: Any) -> tuple[Any, ...] | None:
    origin, inner = typing.get_origin(said), typing.get_args(said)
    if origin is typing.Annotated:
        return _labels(inner[0])
    if origin is typing.Literal:
        return tuple(map(plain, inner))
    if origin in (typing.Union, types.UnionType):
        members = [_labels(one) for one in inner if one is not Abstain]
        return None if None in members else tuple(label for found in members for label in found or ())
    if said is type(None) or said is None:
        return (None,)
    if said is bool:
        return (True, False)
    if isinstance(said, type) and issubclass(said, enum.Enum):
        return tuple(member.value for member in said)
    return None
