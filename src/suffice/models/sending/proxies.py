"""Proxies: which one the environment names for a server, and the tunnel through it (RFC 9110, section 9.3.6)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from suffice.errors import UsageError
from suffice.shown import brief


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. `authorization` is its header's value, None where it asks for none."""

    host: str
    port: int
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"

    @property
    def header(self) -> str:
        """The header line for it, or nothing."""
        return "" if self.authorization is None else f"proxy-authorization: {self.authorization}\r\n"

    def connect(self, host: str, port: int) -> bytes:
        """The request for a tunnel to a server."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n{self.header}\r\n".encode("latin-1")


def proxy_for(scheme: str, host: str) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY or the system's settings name. Raises UsageError."""
    named = getproxies()
    url = named.get(scheme) or named.get("all")
    if not url or proxy_bypass(host):
        return None
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        port = parts.port or 80
    except ValueError:
        hint = f"{scheme.upper()}_PROXY=http://HOST:PORT, or NO_PROXY={host}"
        raise UsageError(f"the proxy for {host} has no host and port that can be read", hint=hint) from None
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(
            f"the proxy for {host} is none that can be used: its scheme is {brief(parts.scheme)}",
            hint=f"an http:// proxy in {scheme.upper()}_PROXY, or NO_PROXY={host}",
        )
    user = None
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        user = f"Basic {b64encode(pair.encode()).decode()}"
    return Proxy(parts.hostname, port, user)
