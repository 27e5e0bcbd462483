"""The key of an endpoint, taken out of what it says back: out of replies, errors, and a stream's pieces."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from suffice.errors import CallError
from suffice.exchange import Delta, Reply, ToolCall
from suffice.models.dialects.body import json_bytes
from suffice.models.sending.target import HIDDEN, Target
from suffice.values import Json


def hidden_reply(reply: Reply[str], target: Target, secret: str) -> Reply[str]:
    """`reply` without the key, which may have come in pieces or spelled otherwise than in the body."""
    if secret in f"{reply.text} {reply.reasoning} {reply.request_id} {reply.model}":
        text, reasoning, name = (target.hidden(said or "") for said in (reply.text, reply.reasoning, reply.request_id))
        reply = replace(
            reply,
            value=text,
            text=text,
            reasoning=reasoning or None,
            request_id=name or None,
            model=target.hidden(reply.model),
            logprobs=(),  # its tokens spell the key
        )
    if reply.tool_calls and secret in str(reply.tool_calls):
        calls = [ToolCall(c.id, target.hidden(c.name), _json(c.arguments, target)) for c in reply.tool_calls]
        reply = replace(reply, tool_calls=tuple(calls))
    if reply.kept is not None and secret in str(reply.kept):
        reply = replace(reply, kept=replace(reply.kept, form=_json(reply.kept.form, target)))
    return reply


def hide_in(error: CallError, target: Target) -> None:
    """Take the key out of all that an error says."""
    if target.secret is None:
        return
    error.message, error.partial = target.hidden(error.message), target.hidden(error.partial)
    error.request_id = None if error.request_id is None else target.hidden(error.request_id)
    error.args = (error.message,)


class Veil:
    """The pieces of a stream without the key, which may be cut across them.

    What could be the beginning of the key is held back until it is known not to be, so that the pieces make up the
    text that would have come whole.
    """

    def __init__(self, secret: str | None) -> None:
        self._secret = secret
        self._text = self._reasoning = ""  # held back

    def feed(self, delta: Delta) -> Delta | None:
        """What of the pieces so far can be delivered now."""
        if self._secret is None:
            return delta
        text, self._text = _parted(self._text + delta.text, self._secret)
        reasoning, self._reasoning = _parted(self._reasoning + delta.reasoning, self._secret)
        return Delta(text, reasoning) if text or reasoning else None

    def rest(self) -> Delta | None:
        """What was held back, once nothing more comes."""
        text, reasoning = self._text, self._reasoning
        self._text = self._reasoning = ""
        return Delta(text, reasoning) if text or reasoning else None


def _parted(text: str, secret: str) -> tuple[str, str]:
    """`text` without the key, and its longest end that the key could begin with."""
    clear = text.replace(secret, HIDDEN)
    at = clear.find(secret[0], max(0, len(clear) - len(secret) + 1))
    while at >= 0 and not secret.startswith(clear[at:]):
        at = clear.find(secret[0], at + 1)
    return (clear, "") if at < 0 else (clear[:at], clear[at:])


def _json(value: Json, target: Target) -> Json:
    return msgspec.json.decode(target.without_key(json_bytes(value)))
