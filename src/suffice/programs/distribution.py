"""How probable a model finds each of a few labels: read off the log-probabilities of one token, in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final, cast

from typing_extensions import Unpack

from suffice.arguments import Rule, check
from suffice.errors import SolutionError, UsageError
from suffice.exchange import Message, Reply
from suffice.models.messages import messages_of
from suffice.models.model import Model
from suffice.models.options import CallOptions
from suffice.programs.confidence import start_of
from suffice.programs.using import model_for
from suffice.spans import span

MOST: Final = 20
"""Labels: so many likeliest tokens does an endpoint tell."""

_HINT: Final = "a vote gives shares of answers (sf.workflow.vote), or take another model"
_LABELS: Final = Rule(
    lambda v: (
        isinstance(v, Sequence)
        and not isinstance(v, str)
        and all(isinstance(one, str) and one.strip() for one in cast("Sequence[object]", v))
        and 2 <= len(set(cast("Sequence[object]", v))) == len(cast("Sequence[object]", v)) <= MOST
    ),
    f"2 to {MOST} different texts",
    'distribution(["yes", "no"], "Is the sky blue?")',
)


@dataclass(frozen=True, slots=True)
class Distribution:
    """`labels` with their probabilities, which sum to 1; `mass` is what all of them had together before that, so low
    where the model wanted to say something else. A label that is not among the likeliest tokens has 0."""

    labels: Mapping[str, float]
    mass: float
    reply: Reply[str]

    @property
    def best(self) -> str:
        """The likeliest label; of equals the first."""
        return max(self.labels, key=lambda label: self.labels[label])


async def distribution(
    labels: Sequence[str], messages: object, *, model: str | Model | None = None, **options: Unpack[CallOptions]
) -> Distribution:
    """Ask which of `labels` holds, and read how probable each is instead of the one that was said.

    `messages` as a call of a model takes them. Each label goes by a letter, and the model is asked for the letter, so
    that one token decides: labels of several tokens cannot be compared by their first. The order of the labels counts
    with many models (Zheng et al. 2309.03882), and what was tuned for chat is too sure; what the figures are worth on
    a task is measured on dev. Raises UsageError for a model that is known to give no log-probabilities, before anything
    is sent; SolutionError where the reply has none of the likeliest tokens, or no label among them; and as a call.
    """
    check("labels", labels, _LABELS)
    asked = model_for(model, "distribution")
    if not asked.gives_logprobs:
        raise UsageError(f"{asked.name} gives no log-probabilities", hint=_HINT)
    letters = dict(zip(ascii_uppercase, labels, strict=False))
    listed = "\n".join(f"{letter}: {label}" for letter, label in letters.items())
    turn = Message("system", f"Which of these holds? Answer with its letter alone, and nothing else.\n{listed}")
    extra = {"top_logprobs": MOST, **options.pop("extra", {})}
    told: dict[str, Any] = {"temperature": 0.0, **options, "logprobs": True, "extra": extra}
    with span("distribution", "step"):
        reply = await asked((turn, *messages_of(messages)), **cast("Any", told))
    return _read(reply, letters)


def _read(reply: Reply[str], letters: Mapping[str, str]) -> Distribution:
    spelled = [p.spelled for p in reply.logprobs]
    at = start_of(spelled, reply.text.strip().encode("utf-8", "surrogatepass"))
    found = dict.fromkeys(letters.values(), 0.0)
    for token, p in _others_at(reply, spelled, at):
        label = letters.get(token.strip())
        if label is not None:
            found[label] += math.exp(min(p, 0.0))
    mass = sum(found.values())
    if mass == 0.0:
        raise SolutionError(
            f"none of the labels is among the likeliest tokens of {reply.model or 'the model'}", hint=_HINT
        )
    return Distribution({label: p / mass for label, p in found.items()}, min(mass, 1.0), reply)


def _others_at(reply: Reply[str], spelled: Sequence[bytes], at: int | None) -> tuple[tuple[str, float], ...]:
    """The likeliest tokens where the answer begins. Raises SolutionError where there are none."""
    place = 0
    for token, piece in zip(reply.logprobs, spelled, strict=True):
        place += len(piece)
        if at is not None and place > at and token.others:
            return token.others
    raise SolutionError(f"{reply.model or 'the model'} told no likeliest tokens with its reply", hint=_HINT)
