"""What a wire dialect is: pure functions between our values and the bytes of an endpoint. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from suffice.exchange import Delta, Mode, Reply, Request
from suffice.values import Json

UNKNOWN: Final = 1_000
"""Input tokens that an endpoint may add of its own to tools or a schema, where nobody says. The most that is documented
are the 804 of Claude Opus 4.7 (platform.claude.com, "Tool use", pricing); what Claude adds to a schema is not."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """How endpoints that speak one dialect differ, as data.

    `modes` are the ways to ask for an output type, best first. `cap` and `seed` are the names of the parameters for
    the output cap and the seed.
    `sampling` says whether temperature and top_p are taken, `stream_usage` whether usage in a stream must be asked
    for, `logprobs` whether they can be asked for, `reasons` whether a model is known to spend tokens of the output cap
    before its answer. `preamble` is the most input tokens that are added unseen where tools or a schema are sent.
    `body` is added to every request.
    """

    modes: tuple[Mode, ...] = ("schema", "tool", "json")
    cap: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: Literal["seed", "random_seed"] = "seed"
    sampling: bool = True
    stream_usage: bool = True
    logprobs: bool = True
    reasons: bool = False
    preamble: int = UNKNOWN
    body: Mapping[str, Json] = field(default_factory=dict[str, Json])


class StreamDecoder(Protocol):
    """The state of one streamed reply."""

    @property
    def done(self) -> bool:
        """Whether the event that ends a stream has come."""
        ...

    def feed(self, event: str, data: str) -> Delta | None:
        """Take one server-sent event (its name, "" for none; its data) and give what is new, None for nothing.

        Raises MalformedReply for an event that is not the dialect's, or a CallError that the endpoint sent inside.
        """
        ...

    def finish(self) -> Reply[str]:
        """The whole reply, after the stream has ended. Raises MalformedReply where its end was never announced."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to speak over HTTP POST with JSON bodies.

    `encode(request, quirks, stream)` gives the body. `decode(body)` gives the reply with the text as its value; it
    raises MalformedReply for anything else. `headers(key)` are the dialect's own, the key included. What an answer that
    is not 200 means is the same in all of them (`faults.py`).
    """

    name: str
    path: str
    encode: Callable[[Request, Quirks, bool], bytes]
    decode: Callable[[bytes], Reply[str]]
    stream: Callable[[], StreamDecoder]
    headers: Callable[[str | None], dict[str, str]]
