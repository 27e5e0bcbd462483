"""What goes out in one POST, and what comes back, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suffice.models.sending.connection import LARGEST
from suffice.models.sending.target import Target


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One POST. `most` is how many bytes its answer may have."""

    target: Target
    body: bytes
    most: int = LARGEST

    def __repr__(self) -> str:
        return f"Outgoing({self.target.url}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case. In a stream `body` is empty and the chunks follow."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
