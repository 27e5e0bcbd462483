"""A typed answer that is still arriving: its top-level fields, each validated as it closes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from suffice.errors import OutputError
from suffice.models.output.partial import PartialJson
from suffice.models.output.place import Path
from suffice.models.output.reading import FENCE
from suffice.models.output.typed import Field, OutputType
from suffice.values import Json


class PartialOutput:
    """An answer of `output`'s type, fed in pieces.

    A field that cannot fit its type raises OutputError from the `feed` that closed it, so that the caller can stop
    paying for the rest. Only what concerns the whole answer (its own validators, missing fields) waits for `finish`.
    """

    def __init__(self, output: OutputType) -> None:
        self._output = output
        self._json = PartialJson(closed=self._field_closed)
        self._pieces: list[str] = []
        self._head: str | None = "" if output.spec_schema is not None else None  # text before it is known what begins
        self._fresh: list[Field] = []

    @property
    def value(self) -> Json:
        """The answer so far as plain JSON, growing; not validated, and not a copy."""
        return self._json.value

    def feed(self, piece: str) -> None:
        """Take the next piece. Raises OutputError as soon as the answer cannot become a good one."""
        self._pieces.append(piece)
        if self._output.spec_schema is None:
            return
        if self._head is not None:
            piece = self._after_fence(self._head + piece)
        try:
            self._json.consume(piece)
        except OutputError as error:
            error.partial = "".join(self._pieces)
            raise

    def fields(self) -> Iterator[tuple[Path, Any]]:
        """The path and validated value of each top-level field that has closed since the last time.

        A field that comes twice is given twice: the last one counts. One whose null means "left out" is not given.
        """
        while self._fresh:
            one = self._fresh.pop(0)
            yield one.path, one.value

    def finish(self) -> Any:
        """The whole answer, validated. Raises OutputError where it does not fit or is not complete."""
        return self._output.parse("".join(self._pieces))

    def _field_closed(self, path: Path, value: Json) -> None:
        if len(path) == 1 and isinstance(path[0], str):
            made = self._output.parse_field(path[0], value)
            if made is not None:
                self._fresh.append(made)

    def _after_fence(self, text: str) -> str:
        """What of the first `text` belongs to the JSON; "" while a fence may still be in the way."""
        begun = text.lstrip()
        if not begun or FENCE.startswith(begun) or (begun.startswith(FENCE) and "\n" not in begun):
            self._head = text
            return ""
        self._head = None
        return begun.partition("\n")[2] if begun.startswith(FENCE) else begun
