"""How sure a model is of its answer: the probability of the answer's tokens, or what it says when asked again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, cast

from pydantic import Field

from suffice.errors import SolutionError
from suffice.exchange import Message, Reply
from suffice.models.model import Model
from suffice.models.output.reading import unfenced
from suffice.programs.solution import Confidence

SOURCES: Final[Mapping[str, str]] = {"logprobs": "log-probabilities", "self-check": "self-check"}
"""The same in the words of a report."""

CHECK: Final = (
    "How likely is it that your last answer is right? Answer with a whole number from 0 (certainly wrong) to 100 "
    "(certainly right)."
)
Percent = Annotated[int, Field(ge=0, le=100)]

_OTHER: Final = 'confidence="self-check" asks the model instead, for one more call; or take another model'
_PART: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|\[\s*\]|\{\s*\}|[^\s{}\[\],:"]+', re.DOTALL)
"""A text (with its colon where it is a key), an empty list or object, a number or a word of a JSON text."""


def why_none(model: Model, said: Confidence | None) -> str | None:
    """Why `model` can give no such confidence, None where nothing is known against it. Sends nothing."""
    if said != "logprobs" or model.gives_logprobs:
        return None
    return f'{model.name} gives no log-probabilities; confidence="self-check" asks the model instead'


def token_probability(reply: Reply[Any], *, plain: bool) -> float:
    """The joint probability of the tokens that spell the answer: exp of the sum of their log-probabilities.

    Of a plain text these are all tokens of the text. Of a structured answer they are the tokens of its values: keys,
    quotes, brackets and commas are left out, because the schema dictates them; a token that holds a part of a value
    counts whole, and an empty text, list or object counts with its quotes or brackets.

    It is the probability of these words, not of their being right. Known to weaken it: words that mean the same share
    the probability (Holtzman et al. 2104.08315), a longer answer is less probable than a short one, that a text ends
    where it does is not counted, a model that reasons first is sure of what it has just argued, tuning for chat makes
    models too sure, and what masks tokens may report the odds before the mask. So it ranks answers; what it is worth
    on a task is measured on dev. Raises SolutionError where the reply has no log-probabilities, or not its answer's.
    """
    spelled = [p.spelled for p in reply.logprobs]
    if not spelled:
        raise SolutionError(f"{reply.model or 'the model'} gave no log-probabilities with its reply", hint=_OTHER)
    text = _bytes(reply.text.strip())
    at = start_of(spelled, text)
    values = [(0, len(text))] if plain else _values(text, _bytes(unfenced(reply.text)))
    if at is None or not values:
        raise SolutionError("the tokens with log-probabilities do not spell the answer", hint=_OTHER)
    total, place = 0.0, -at
    for token, piece in zip(reply.logprobs, spelled, strict=True):
        total += token.logprob if any(place < end and start < place + len(piece) for start, end in values) else 0.0
        place += len(piece)
    return math.exp(min(total, 0.0))


async def self_check(model: Model, asked: Sequence[Message], reply: Reply[Any], options: Mapping[str, Any]) -> float:
    """What the model itself says of its answer, in [0, 1]: it is shown its answer and asked `CHECK`, in one more call.

    A percentage after the answer: "verbalized, two stages" of Tian et al. 2305.14975, after the self-evaluation of
    Kadavath et al. 2207.05221. Known to weaken it: models say high and round numbers, and are too sure (Xiong et al.
    2306.13063). So it ranks answers coarsely; what it is worth on a task is measured on dev. Raises as a call.
    """
    turns = (*asked, Message("assistant", reply.text), Message("user", CHECK))
    said = {name: value for name, value in options.items() if name != "stop"}  # which was for the answer's text
    checked = await model(turns, output=cast("type[int]", Percent), **cast("Any", said))
    return checked.value / 100


def _values(text: bytes, inner: bytes) -> list[tuple[int, int]]:
    """Where in `text` the values of the JSON `inner` stand: from where, to where."""
    offset, found = text.find(inner), list[tuple[int, int]]()
    for match in _PART.finditer(inner):
        if match[1]:  # a key
            continue
        quotes = 1 if match[0][:1] == b'"' and len(match[0]) > 2 else 0
        found.append((offset + match.start() + quotes, offset + match.end() - quotes))
    return found


def start_of(spelled: Sequence[bytes], text: bytes) -> int | None:
    """Where `text` begins in what the tokens spell, None where it is not in there.

    The last place where a token begins with it: reasoning may stand before the answer, a token that ends the turn
    behind it, and endpoints take white space away from either end.
    """
    whole, at = b"".join(spelled), sum(map(len, spelled))
    for piece in reversed(spelled):
        at -= len(piece)
        begin = at + len(piece) - len(piece.lstrip())
        if text and whole.startswith(text, begin):
            return begin
    return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
