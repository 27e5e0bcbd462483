"""An endpoint: where a provider's models are called, how it is spoken to, and what else is known of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from suffice.models.dialects.dialect import Dialect, Quirks


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base URL and the dialect spoken there.

    `provider` is the word before the colon ("openai"; for a bare URL its host and port). `key_env` are the environment
    variables that may hold its key, the first found wins; empty: it needs none. `embeddings_path` is None where there
    are no embeddings. `region` is where the provider says it works, None where nobody says.
    """

    provider: str
    url: str
    dialect: Dialect
    key_env: tuple[str, ...] = ()
    quirks: Quirks = field(default_factory=Quirks)
    embeddings_path: str | None = "/embeddings"
    region: str | None = None

    @property
    def host(self) -> str:
        """Host name without its port, in lower case."""
        return _host(self.url)

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.host)


@lru_cache(maxsize=256)
def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its exact name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Address:
    """A model at an endpoint. `text` is how the user wrote it: "openai:gpt-5-mini"."""

    text: str
    endpoint: Endpoint
    model: str
