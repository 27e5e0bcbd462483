"""Where requests go: a path of an endpoint, the server that it leads to, and the head of every request there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from suffice.errors import UsageError
from suffice.models.places.endpoint import Endpoint
from suffice.models.sending.proxies import Proxy, proxy_for
from suffice.shown import brief
from suffice.version import __version__

HIDDEN: Final = "(key)"
SECRET: Final = 12  # characters; local servers are given words such as "EMPTY", which a reply may hold
NO_TEXT: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")  # what no header value may hold (RFC 9110, section 5.5)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a connection leads to, and how."""

    host: str
    port: int
    secure: bool
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. `head` is that of each up to its length, and holds the key, which is shown nowhere."""

    endpoint: Endpoint
    url: str
    server: Server
    head: bytes = field(repr=False)
    key: str | None = field(default=None, repr=False)

    @property
    def secret(self) -> str | None:
        """The key that is hidden where it comes back: an endpoint may say it, and answers are quoted and recorded."""
        return None if self.key is None or len(self.key) < SECRET else self.key

    def without_key(self, data: bytes) -> bytes:
        """A body that came back, without the key."""
        secret = self.secret
        return data if secret is None else data.replace(secret.encode(), HIDDEN.encode())

    def hidden(self, text: str) -> str:
        """A text that came back, without the key."""
        secret = self.secret
        return text if secret is None else text.replace(secret, HIDDEN)

    def heard(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers that came back, without the key."""
        return headers if self.secret is None else {name: self.hidden(value) for name, value in headers.items()}


def target_of(
    endpoint: Endpoint, path: str, headers: Mapping[str, str], key: str | None = None, method: str = "POST"
) -> Target:
    """The target of requests to a path of an endpoint. Raises UsageError for a URL, header or proxy that cannot be.

    A loopback endpoint is never reached through a proxy, any other by the proxies of the environment.
    """
    url = endpoint.url.rstrip("/") + path
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    try:
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or (443 if secure else 80)
        url.encode("ascii")
    except ValueError as error:  # UnicodeError is one
        raise UsageError(f"no request can be sent to {brief(url, 200)}: {error}", hint="mend the URL") from None
    proxy = None if endpoint.loopback else proxy_for(parts.scheme, host)
    forwarded = proxy if not secure else None  # it is asked for the whole URL, and there is no tunnel
    place = url if forwarded else (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    said = {
        "host": parts.netloc.rpartition("@")[2],
        "user-agent": f"suffice/{__version__}",
        "accept-encoding": "identity",  # without it a server may compress
        **headers,
    }
    for name, value in said.items():
        if NO_TEXT.search(value):
            raise UsageError(f"the header {name} of a request to {host} holds what no header may", hint="mend the key")
    lines = [f"{method} {place} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    head = "\r\n".join(lines) + "\r\n" + (forwarded.header if forwarded else "")
    return Target(endpoint, url, Server(host, port, secure, proxy), head.encode("latin-1"), key)
