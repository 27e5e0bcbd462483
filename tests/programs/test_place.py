"""The place in a user's own code: found through libraries, partials, objects and threads."""

from __future__ import annotations

import functools
import json
import sys
import threading
from typing import Any

from suffice.programs.place import place_of_error, place_of_frame, place_of_function


class Callable:
    def __call__(self, text: str) -> str:
        return text


def here(line: int, name: str) -> str:
    return f" (test_place.py:{line} in {name})"


def line_of(function: Any) -> int:
    return function.__code__.co_firstlineno


def test_an_error_in_a_library_is_placed_where_the_users_code_called_it() -> None:
    def asks() -> Any:
        return json.loads("{")

    try:
        asks()
    except ValueError as error:
        assert place_of_error(error) == here(line_of(asks) + 1, "asks")
        try:
            raise RuntimeError("with another one behind it").with_traceback(None) from error
        except RuntimeError as outer:
            assert place_of_error(outer.with_traceback(None)) == place_of_error(error)
    assert place_of_error(None) == "" and place_of_error(ValueError("never raised")) == ""


def test_a_function_is_placed_where_it_is_written() -> None:
    @functools.lru_cache
    def cached(text: str) -> str:
        return text

    assert place_of_function(cached) == here(line_of(cached.__wrapped__), "cached")
    assert place_of_function(functools.partial(functools.partial(cached), "a")) == place_of_function(cached)
    assert place_of_function(Callable()) == here(line_of(Callable.__call__), "__call__")
    assert place_of_function(Callable().__call__) == place_of_function(Callable())
    assert place_of_function(len) == ""


def test_a_frame_that_waits_in_a_library_is_placed_in_the_users_code() -> None:
    go, idents = threading.Event(), list[int]()

    def waits() -> None:
        idents.append(threading.get_ident())
        go.wait()

    thread = threading.Thread(target=waits)
    thread.start()
    while not idents:
        pass
    while "wait" not in place_of_frame(sys._current_frames().get(idents[0])):
        pass
    found = place_of_frame(sys._current_frames().get(idents[0]))
    go.set()
    thread.join()
    assert found in (here(line_of(waits) + 1, "waits"), here(line_of(waits) + 2, "waits"))
    assert place_of_frame(None) == ""
