"""JSON that is still arriving: the value so far, from a state machine that reads each character once (RFC 8259)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Literal, cast

from suffice.errors import OutputError
from suffice.models.output.place import Path
from suffice.models.output.reading import QUOTED, finite, quotable
from suffice.values import Json

DEEPEST = 500
"""More brackets than this inside each other are refused."""
_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r'[^"\\]*')
_WORD = re.compile(r"[-+.0-9A-Za-z]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_LITERALS: dict[str, Json] = {"true": True, "false": False, "null": None}

_Want = Literal["value", "value or ]", "key", "key or }", "colon", "more", "nothing"]
_Token = Literal["string", "word"]


class PartialJson:
    """The value of a JSON text so far, fed in pieces.

    A string, number or literal appears when it is complete; an object or list appears when it opens, and grows. So
    each value is a part of the next: only a key that is given twice is taken back, since the last one wins, as with
    `json.loads`. `closed(path, value)` is called for each value as it becomes complete, inner ones first.

    `value` is the growing value itself and not a copy (a copy after each piece would cost the square of the length):
    copy it to keep it. It is None before anything has appeared. `done` says that the outermost value is complete,
    `position` where in the text the value that closed last ends, `opened` where the content of the last list that
    opened in `value` or in a field of it begins.
    """

    def __init__(self, closed: Callable[[Path, Json], None] | None = None) -> None:
        self.value: Json = None
        self.done = False
        self.position = 0
        self.opened = 0
        self._closed = closed
        self._stack: list[Any] = []  # the open containers, outermost first
        self._path: list[str | int] = []  # under which key or index of each the next value goes
        self._want: _Want = "value"
        self._token: _Token | None = None
        self._buffer: list[str] = []
        self._escaped = False
        self._before = 0  # characters of the pieces before this one

    def feed(self, piece: str) -> Json:
        """Take the next piece and give the value so far.

        Raises OutputError as soon as the text cannot be the start of one JSON value; nothing can be fed after that.
        """
        taken = self.consume(piece)
        if self.done and piece[taken:].strip(" \t\n\r"):
            raise _broken("something follows the value", piece, taken)
        return self.value

    def consume(self, piece: str) -> int:
        """Like `feed`, but what follows the outermost value is left alone. Gives the number of characters taken."""
        at = 0
        while at < len(piece) and not self.done:
            if self._token == "string":
                at = self._in_string(piece, at)
            elif self._token == "word":
                at = self._in_word(piece, at)
            else:
                space = _SPACE.match(piece, at)
                at = space.end() if space else at
                if at < len(piece):
                    at = self._between(piece, at)
        self._before += at
        return at

    def finish(self) -> Json:
        """The whole value, after the last piece. Raises OutputError where the text ended inside it."""
        if not self.done and self._token == "word" and not self._stack:
            self._end_word(0)
        if not self.done:
            raise OutputError("the answer is not JSON: it ends inside a value")
        return self.value

    def _between(self, piece: str, at: int) -> int:
        """Take the one character that opens, closes or separates; give the place after it."""
        char = piece[at]
        want = self._want
        if char == '"' and want in ("value", "value or ]", "key", "key or }"):
            self._token = "string"
        elif char == ":" and want == "colon":
            self._want = "value"
        elif char == "," and want == "more":
            self._next()
        elif (char == "]" and want in ("more", "value or ]") and isinstance(self._stack[-1], list)) or (
            char == "}" and want in ("more", "key or }") and isinstance(self._stack[-1], dict)
        ):
            self._shut(at + 1)
        elif want not in ("value", "value or ]"):
            raise _broken(f"expected {_EXPECTED[want]}", piece, at)
        elif char in "[{":
            self._open(char, at + 1)
        elif _WORD.fullmatch(char):
            self._token = "word"
            return at
        else:
            raise _broken("expected a value", piece, at)
        return at + 1

    def _next(self) -> None:
        inside = self._stack[-1]
        if isinstance(inside, list):
            self._path[-1] = len(cast(list[Json], inside))
            self._want = "value"
        else:
            self._want = "key"

    def _open(self, char: str, after: int) -> None:
        if len(self._stack) == DEEPEST:
            raise OutputError("the answer is not usable JSON: it is nested too deeply")
        made: Json = [] if char == "[" else {}
        self._put(made)
        self._stack.append(made)
        if char == "[" and len(self._stack) <= 2:
            self.opened = self._before + after
        self._path.append(0 if char == "[" else "")
        self._want = "value or ]" if char == "[" else "key or }"

    def _shut(self, after: int) -> None:
        made = self._stack.pop()
        self._path.pop()
        self._complete(made, after)

    def _put(self, value: Json) -> None:
        if not self._stack:
            self.value = value
        elif isinstance(self._stack[-1], list):
            cast(list[Json], self._stack[-1]).append(value)
        else:
            self._stack[-1][self._path[-1]] = value

    def _complete(self, value: Json, after: int) -> None:
        self.position = self._before + after
        self._want = "more" if self._stack else "nothing"
        self.done = not self._stack
        if self._closed is not None:
            self._closed(tuple(self._path), value)

    def _in_string(self, piece: str, at: int) -> int:
        start = at
        while at < len(piece):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            plain = _PLAIN.match(piece, at)
            at = plain.end() if plain else at
            if at < len(piece):
                if piece[at] == '"':
                    self._buffer.append(piece[start:at])
                    self._end_string(at + 1)
                    return at + 1
                self._escaped = True
                at += 1
        self._buffer.append(piece[start:])
        return at

    def _end_string(self, after: int) -> None:
        raw = "".join(self._buffer)
        try:
            made: str = json.loads(f'"{raw}"')
        except json.JSONDecodeError as error:
            raise _broken(f"{error.msg[:1].lower()}{error.msg[1:]}", raw, error.pos - 1) from None
        self._buffer.clear()
        self._token = None
        if self._want in ("key", "key or }"):
            self._path[-1] = made
            self._want = "colon"
        else:
            self._put(made)
            self._complete(made, after)

    def _in_word(self, piece: str, at: int) -> int:
        word = _WORD.match(piece, at)
        end = word.end() if word else at
        self._buffer.append(piece[at:end])
        if end < len(piece):
            self._end_word(end)
        return end

    def _end_word(self, after: int) -> None:
        raw = "".join(self._buffer)
        if raw not in _LITERALS and not _NUMBER.fullmatch(raw):
            raise _broken("expected a value", raw, 0)
        try:
            made = _LITERALS[raw] if raw in _LITERALS else json.loads(raw, parse_float=finite)
        except ValueError:
            raise OutputError("the answer is not usable JSON: a number is too large") from None
        self._buffer.clear()
        self._token = None
        self._put(made)
        self._complete(made, after)


_EXPECTED: dict[_Want, str] = {
    "key": "a field name",
    "key or }": "a field name or }",
    "colon": "a colon",
    "more": "a comma or the end",
    "nothing": "the end",
}


def _broken(reason: str, piece: str, at: int) -> OutputError:
    near = quotable(piece[max(at - 20, 0) : at + 20], QUOTED // 2)
    return OutputError(f"the answer is not JSON: {reason}, near `{near}`")
