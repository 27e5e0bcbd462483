"""Server-sent events: bytes in pieces of any size to events, as WHATWG HTML section 9.2.6 interprets a stream."""

from __future__ import annotations

from typing import Final

from suffice.errors import MalformedReply

_BOM: Final = b"\xef\xbb\xbf"


class Events:
    """An incremental parser. Where the chunks are cut changes nothing, not even inside a character or a CRLF.

    Fields other than `event` and `data` are passed over: a reply is never resumed, so `id` and `retry` say nothing.
    """

    def __init__(self) -> None:
        self._cut: list[bytes] = []  # the pieces of a line whose end has not come
        self._first = True
        self._after_cr = False
        self._name = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The events that `chunk` completes, each its name ("" where it has none) and its data."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        lines = chunk.splitlines()  # of bytes: at CR, LF and CRLF alone
        whole = chunk.endswith((b"\n", b"\r"))
        self._after_cr = chunk.endswith(b"\r")
        rest = b"" if whole else lines.pop()
        if lines and self._cut:
            lines[0] = b"".join((*self._cut, lines[0]))
            self._cut.clear()
        if rest:
            self._cut.append(rest)
        return self._events(lines)

    def finish(self) -> None:
        """The stream has ended. Raises MalformedReply where an event was left half: no empty line closed it."""
        rest = b"".join(self._cut)
        if self._first:
            rest = rest.removeprefix(_BOM)
        if self._name or self._data or (rest and not rest.startswith(b":")):
            raise MalformedReply("the stream broke off inside an event")

    def _events(self, lines: list[bytes]) -> list[tuple[str, str]]:
        if self._first and lines:
            self._first = False
            lines[0] = lines[0].removeprefix(_BOM)
        found: list[tuple[str, str]] = []
        for line in lines:
            if not line:
                if self._data:
                    found.append((_text(self._name), _text(b"\n".join(self._data))))
                    self._data = []
                self._name = b""
                continue
            field, _, value = line.partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
            elif field == b"event":
                self._name = value.removeprefix(b" ")
        return found


def _text(data: bytes) -> str:
    """UTF-8 as the specification decodes it: what is none becomes U+FFFD, because the stream goes on after it."""
    return data.decode("utf-8", "replace")
