"""What an answer that is not 200 means: its status, headers and body to the typed error. For every dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from suffice.errors import CallError, ContentFiltered, InputTooLong, RateLimited, RefusedError, ServerError
from suffice.models.dialects.body import fields, named, objects, quoted, string
from suffice.models.dialects.rates import RateLimits, rate_limits, retry_after, seconds_of
from suffice.models.output.reading import printable
from suffice.values import Json

__all__ = ["RateLimits", "error_inside", "fault_of", "rate_limits", "retry_after"]

SHOWN: Final = 200  # characters of the endpoint's own words in a message
KEY: Final = "It is read from the variable that holds this endpoint's key"

# The machine-readable codes, from OpenAI's "Error codes", Anthropic's "Errors", Azure OpenAI's "Content filtering",
# Google's google.rpc.Code and ErrorInfo, llama.cpp's server/README.md and OpenRouter's "Errors and Debugging".
TOO_LONG: Final = frozenset(
    {"context_length_exceeded", "string_above_max_length", "request_too_large", "exceed_context_size_error"}
)
FILTERED: Final = frozenset(
    {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"}
)
UNPAID: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"})
BAD_KEY: Final = frozenset({"invalid_api_key", "authentication_error", "api_key_invalid", "unauthenticated"})
NO_MODEL: Final = frozenset({"model_not_found", "not_found_error"})
# Codes that say no more than that the request is bad. Only beside these do words count, see `_too_long_in_words`.
UNTELLING: Final = frozenset({"invalid_request_error", "badrequesterror", "invalid_argument", "bad_request", "error"})
WORDS: Final = (
    "prompt is too long",  # Anthropic
    "exceed context limit",  # Anthropic: input and max_tokens together
    "maximum context length",  # vLLM
    "exceeds the maximum number of tokens",  # Gemini
    "exceeds the available context size",  # llama.cpp
    "contextwindowexceedederror",  # LiteLLM's proxy
)

# An error inside a good answer has no status of its own unless its code is one (OpenRouter): these are the statuses
# that the documentations above give the types.
STATUS_OF: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

# Keys as providers make them. An endpoint may say a key back, and a message is written down.
_KEYS: Final = re.compile(
    r"\b(?:sk|pk|rk|gsk|key|xai|hf|r8|pplx|nvapi|AIza|Bearer|ya29)[-_. ]?(?=\S*[\d*])[A-Za-z0-9_*.\-]{8,}"
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What an error body says, whatever its shape."""

    message: str = ""
    codes: frozenset[str] = frozenset()
    status: int | None = None
    wait: float | None = None
    flagged: bool = False
    request_id: str | None = None
    raw: str = field(default="", repr=False)


def fault_of(status: int, headers: Mapping[str, str], body: bytes, *, where: str, key: str = KEY) -> CallError:
    """The error that an answer of `status` (not 200) means. Header names are in lower case.

    `where` is the place of the fault; `key` says where the endpoint's key comes from, for the hint.
    `retry_after` is in seconds. The message is one short line and holds no key.
    """
    told = _told(body)
    made = _typed(status, told)(
        _message(f"the endpoint answered {status}", status, told),
        status=status,
        retry_after=retry_after(headers) if retry_after(headers) is not None else told.wait,
        where=where,
        hint=_redirected(headers) if 300 <= status < 400 else _hint(status, told, key),
        request_id=named(headers.get("x-request-id") or headers.get("request-id") or told.request_id) or None,
    )
    if headers.get("x-should-retry", "").strip().lower() == "false":
        made.retryable = False
    return made


def error_inside(error: Json, *, where: str, partial: str = "") -> CallError:
    """The error that an `error` object means which came inside an answer of status 200, whole or in a stream.

    `partial` is the text that had arrived before it.
    """
    told = _from({"error": error}, "")
    status = told.status or next((STATUS_OF[c] for c in sorted(told.codes) if c in STATUS_OF), 500)
    return _typed(status, told)(
        _message("the endpoint sent an error inside its answer", status, told),
        status=200,
        retry_after=told.wait,
        where=where,
        hint=_hint(status, told, KEY),
        request_id=told.request_id,
        partial=partial,
    )


def _typed(status: int, told: _Told) -> type[CallError]:
    if status == 413 or told.codes & TOO_LONG or _too_long_in_words(status, told):
        return InputTooLong
    if told.codes & FILTERED or (status == 403 and told.flagged):
        return ContentFiltered
    if told.codes & UNPAID:
        return RefusedError  # waiting does not pay a bill
    if status == 429:
        return RateLimited
    if status in (408, 409, 425) or (status >= 500 and status != 501):
        return ServerError
    if status >= 300:
        return RefusedError  # a redirect, too: it would send the data to another place than was said
    return ServerError  # 1xx and odd good answers: not what a model's endpoint says, and it may pass


def _too_long_in_words(status: int, told: _Told) -> bool:
    """Whether the words say that the input is too long.

    Anthropic gives `invalid_request_error` for any bad request, Gemini `INVALID_ARGUMENT` and vLLM `BadRequestError`,
    so there the words are all there is. Beside a code that says something, words never count.
    """
    if status != 400 or not told.codes <= UNTELLING:
        return False
    return any(words in told.message.lower() for words in WORDS)


def _hint(status: int, told: _Told, key: str) -> str | None:
    if told.codes & UNPAID or status == 402:
        return "the account has no credit left: add some, or name another provider's model"
    if status == 401 or told.codes & BAD_KEY:
        return f"is the key right? {key}"
    if status == 403:
        return f"may the key use this model? {key}"
    if status == 404 or told.codes & NO_MODEL:
        return "is the model's name right, and the endpoint's URL?"
    if status == 413 or told.codes & TOO_LONG or _too_long_in_words(status, told):
        return "shorten the input, or name a model with a larger window"
    if status in (400, 422):
        return "the endpoint does not take this request: see its parameters, or name another model"
    return None


def _redirected(headers: Mapping[str, str]) -> str:
    """Where a redirect points to: the host, because the rest may hold a key."""
    try:
        host = urlsplit(headers.get("location", "")).hostname
    except ValueError:
        host = None
    to = f" It points to {printable(host, SHOWN)}." if host else ""
    return f"redirects are not followed: is the endpoint's URL right?{to}"


def _message(start: str, status: int, told: _Told) -> str:
    code = next(iter(sorted(told.codes - UNTELLING)), "")
    shown = f"{start} ({code})" if code else start
    # An endpoint that refuses a key likes to quote it; its hint says all that is needed.
    if status == 401 or told.codes & BAD_KEY:
        return shown
    if told.message:
        return f"{shown}: {_words(told.message)}"
    return f"{shown}: {_KEYS.sub('…', told.raw)}" if told.raw else shown


def _words(message: str) -> str:
    return printable(_KEYS.sub("…", " ".join(message.split())), SHOWN)


def _told(body: bytes) -> _Told:
    try:
        found: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return _Told(raw=quoted(body) if body.strip() else "")
    if isinstance(found, list):  # Gemini wraps its error in a list
        found = next(iter(objects(found)), {})  # pyright: ignore[reportUnknownArgumentType]
    return _from(fields(found), quoted(body))


def _from(outer: dict[str, Any], raw: str) -> _Told:
    given: Any = outer.get("error")
    if isinstance(given, str):  # Ollama, Hugging Face
        given = {"message": given}
    error = fields(given) or outer  # vLLM and FastAPI have no object around it
    metadata, details = fields(error.get("metadata")), objects(error.get("details"))
    inner = fields(error.get("innererror") or error.get("inner_error"))
    said = (error.get("code"), error.get("type"), error.get("status"), inner.get("code"))
    codes = [c for c in (*said, *(d.get("reason") for d in details)) if isinstance(c, str) and c and not c.isdigit()]
    number: Any = error.get("code")
    status = number if isinstance(number, int) and 400 <= number < 600 else None
    waits = [seconds_of(string(d.get("retryDelay"))) for d in details]  # Gemini: google.rpc.RetryInfo
    message = string(error.get("message")) or string(error.get("detail"))
    return _Told(
        message=message,
        codes=frozenset(printable(c.lower(), 60) for c in codes),
        status=status,
        wait=next((w for w in waits if w is not None), None),
        flagged=bool(metadata.get("reasons") or metadata.get("flagged_input")),  # OpenRouter's moderation
        request_id=named(outer.get("request_id")) or named(error.get("request_id")) or None,
        raw="" if message else raw,
    )
