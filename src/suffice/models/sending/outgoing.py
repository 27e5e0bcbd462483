"""What goes out in one POST, and what comes back, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from suffice.models.places.endpoint import Endpoint

HIDDEN: Final = b"(key)"
SECRET: Final = 12  # characters; local servers are given words such as "EMPTY", which a reply may hold


@dataclass(frozen=True, slots=True)
class Target:
    """Where POSTs go: a path of an endpoint. `headers` and `key` are shown and written down nowhere."""

    endpoint: Endpoint
    path: str
    headers: Mapping[str, str] = field(repr=False)
    key: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.endpoint.url.rstrip("/") + self.path

    def without_key(self, data: bytes) -> bytes:
        """What came back, without the key: an endpoint may say it back, and answers are quoted and recorded."""
        if self.key is None or len(self.key) < SECRET:
            return data
        return data.replace(self.key.encode(), HIDDEN)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One POST."""

    target: Target
    body: bytes

    def __repr__(self) -> str:
        return f"Outgoing({self.target.url}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case. In a stream `body` is empty and the chunks follow."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
