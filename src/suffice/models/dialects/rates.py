"""What the headers of an answer say of time: how long to wait, and how much of the rate limits is left."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What is left of an endpoint's rate limits, None where it did not say. The resets are in seconds from now."""

    requests_limit: int | None = None
    requests_remaining: int | None = None
    requests_reset: float | None = None
    tokens_limit: int | None = None
    tokens_remaining: int | None = None
    tokens_reset: float | None = None


NONE_SAID: Final = RateLimits()


def rate_limits(headers: Mapping[str, str]) -> RateLimits:
    """The rate limits in the headers (names in lower case).

    OpenAI's `x-ratelimit-remaining-requests` with durations ("Rate limits", section "Rate limits in headers"), or
    Anthropic's `anthropic-ratelimit-requests-remaining` with RFC 3339 times ("Rate limits", section "Response
    headers"); its `tokens` are those of the limit that is the nearest, else its input tokens count.
    """
    if not any("ratelimit" in name for name in headers):
        return NONE_SAID

    def said(what: str, kind: str) -> str | None:
        theirs = headers.get(f"anthropic-ratelimit-{kind}-{what}")
        if theirs is None and kind == "tokens":
            theirs = headers.get(f"anthropic-ratelimit-input-tokens-{what}")
        return headers.get(f"x-ratelimit-{what}-{kind}") if theirs is None else theirs

    now = _now(headers)
    return RateLimits(
        requests_limit=_whole(said("limit", "requests")),
        requests_remaining=_whole(said("remaining", "requests")),
        requests_reset=_until(said("reset", "requests"), now),
        tokens_limit=_whole(said("limit", "tokens")),
        tokens_remaining=_whole(said("remaining", "tokens")),
        tokens_reset=_until(said("reset", "tokens"), now),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the endpoint asks to wait, None where it does not say or says what is no time.

    `retry-after-ms` before `retry-after`, which is in seconds or an HTTP date (RFC 9110, section 10.2.3).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1_000.0
    given = headers.get("retry-after")
    seconds = _number(given)
    if seconds is not None or given is None:
        return seconds
    try:
        then = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (_aware(then) - _now(headers)).total_seconds())


def seconds_of(duration: str) -> float | None:
    """The seconds of a duration like "1s", "6m0s", "20ms" or "1h2m3.5s"; None for anything else."""
    duration = duration.strip()
    pieces = _PIECE.findall(duration)
    if not pieces or "".join(number + unit for number, unit in pieces) != duration:
        return None
    return math.fsum(float(number) * _UNITS[unit] for number, unit in pieces)


def _until(given: str | None, now: datetime) -> float | None:
    if given is None:
        return None
    seconds = _number(given)
    if seconds is None:
        seconds = seconds_of(given)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, (_aware(datetime.fromisoformat(given.strip())) - now).total_seconds())
    except ValueError:
        return None


def _now(headers: Mapping[str, str]) -> datetime:
    """The time by the endpoint's own clock where it tells it: its times are by that clock."""
    try:
        return _aware(parsedate_to_datetime(headers["date"]))
    except (KeyError, ValueError, OverflowError):
        return datetime.now(UTC)


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _number(given: str | None) -> float | None:
    try:
        found = float(given or "")
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _whole(given: str | None) -> int | None:
    found = _number(given)
    return None if found is None else int(found)
