"""A context variable that holds a value for a while."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def held(variable: ContextVar[T], value: T) -> Generator[T]:
    """Let `variable` be `value` inside, and in the tasks and threads that are started inside."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)
