"""The policy: which providers may see the data, and in which region; asked before a byte is sent."""

from __future__ import annotations

import difflib
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import SplitResult, urlsplit

from suffice.errors import PolicyError, UsageError
from suffice.models.places.endpoint import Endpoint, is_loopback
from suffice.models.places.providers import HOSTS, PROVIDERS
from suffice.shown import brief

LOOPBACK: Final = "loopback"
ALLOW_HINT: Final = 'allow = ["openai", "loopback"]'


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may see the data. Both rules hold where both are said.

    `allow` lists providers ("openai": at their own hosts alone), hosts ("llm.example.com", with ":8443" for one port)
    and "loopback" (this machine); None: anybody. `region` ("eu") is where the provider must say that it works; this
    machine is in every region. Raises UsageError for what can allow nothing.
    """

    allow: Sequence[str] | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.allow, str):
            raise UsageError("allow is a list", hint=f'allow=["{self.allow}"]')
        if self.allow is not None:
            if not isinstance(cast("object", self.allow), Sequence | Set):
                raise UsageError("allow is a list of names", hint=ALLOW_HINT)
            object.__setattr__(self, "allow", tuple(_entry(said) for said in cast("Sequence[object]", self.allow)))
        if self.region is not None:
            region = cast("object", self.region)
            if not isinstance(region, str) or not region.strip():
                raise UsageError('region is a word such as "eu"')
            object.__setattr__(self, "region", region.strip().lower())


def permits(policy: Policy, endpoint: Endpoint) -> None:
    """Nothing where `policy` lets `endpoint` see the data. Raises PolicyError, which names provider, host and rule."""
    place = _place(endpoint.url)
    host = place.hostname or "" if place is not None else ""
    if place is None:
        raise _refused(endpoint, host, "its URL is not written plainly")
    local = is_loopback(host)
    allowed = policy.allow
    if allowed is not None and not any(_fits(entry, endpoint, place, local) for entry in allowed):
        raise _refused(endpoint, host, f"allow = [{', '.join(allowed)}]")
    if policy.region is not None and not local and (endpoint.region or "").lower() != policy.region:
        works = f"it works in {endpoint.region!r}" if endpoint.region else "nobody says where it works"
        raise _refused(endpoint, host, f"region = {policy.region}, and {works}")


def _fits(entry: str, endpoint: Endpoint, place: SplitResult, local: bool) -> bool:
    host = place.hostname or ""
    if entry == LOOPBACK:
        return local
    if entry in PROVIDERS:
        own = HOSTS.get(host)
        theirs = local if PROVIDERS[entry].loopback else own is not None and own.provider == entry
        return endpoint.provider == entry and theirs
    return entry in (host, f"{host}:{place.port}", place.netloc.lower())


def _place(url: str) -> SplitResult | None:
    """The parts of a URL whose host can be nothing else than it looks; None for any other."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return None
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\@%")
    return parts if plain and host and not host.endswith(".") and parts.scheme in ("http", "https") else None


def _entry(said: object) -> str:
    if not isinstance(said, str):
        raise UsageError("allow is a list of names", hint=ALLOW_HINT)
    entry = said.strip().lower()
    if entry == LOOPBACK or entry in PROVIDERS:
        return entry
    if "/" in entry or "@" in entry or not entry.isascii() or not entry or " " in entry:
        raise UsageError(f"{brief(said)} is no host name", hint='a host alone, as in allow=["llm.example.com"]')
    if entry.endswith(".") or "*" in entry:
        raise UsageError(f"{brief(said)} is compared whole: no * and no dot at its end")
    if "." not in entry and ":" not in entry and entry != "localhost":
        near = difflib.get_close_matches(entry, [*PROVIDERS, LOOPBACK], n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join([*PROVIDERS, LOOPBACK])}, or a host name"
        raise UsageError(f"there is no provider {brief(said)}", hint=hint)
    return entry


def _refused(endpoint: Endpoint, host: str, rule: str) -> PolicyError:
    where = host or "an unreadable host"
    return PolicyError(
        f"the policy does not let {endpoint.provider} ({where}) see the data: {rule}",
        hint="use a model that it allows, or change [policy] in suffice.toml or Model(policy=…)",
    )
