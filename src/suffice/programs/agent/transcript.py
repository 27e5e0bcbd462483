"""What an agent did: its turns with every call and result, summaries of older turns, and how it ended. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, Literal, TypeVar

from suffice.exchange import Message, ToolCall, Usage
from suffice.models.tokens import count_tokens
from suffice.shown import harmless
from suffice.values import Abstain, Cost, Json, canonical

R = TypeVar("R", covariant=True)

Ended = Literal["answered", "max_steps", "loop", "no_answer", "cut", "budget", "denied", "blank"]
"""How an agent ended: with an answer; at its most steps; going in circles; after answers that did not fit; in a reply
that was cut off at its output cap; at its budget; where a person was needed and said stop, or nobody could be asked;
without an input."""
WHY: Final[Mapping[Ended, str]] = {
    "max_steps": "it had made as many replies as it may",
    "loop": "a call brought the same result again and again",
    "no_answer": "it had been told of its own faults as often as it may be",
    "cut": "a reply was cut off at its cap of output tokens",
    "budget": "its own budget was spent",
    "denied": "a person said stop, or nobody could be asked",
    "blank": "there was no input",
}
"""The same in words, of what is no answer."""
How = Literal["ok", "failed", "invalid", "unknown", "denied", "dry", "stopped"]
"""What came of a call: a result; the tool raised; its arguments did not fit; no tool is called so; nobody allowed it;
it was left out by a dry run; the run ended at another call of its turn before it was made."""

SHOWN: Final = 2_000  # characters of one result in a printed transcript
TURN: Final = 8  # tokens around a message
TAKEN: Final = '{"result": "taken"}'  # what a call is answered with whose run ended by it, where a chat goes on
UNDONE: Final = '{"error": "not done: the run ended"}'


@dataclass(frozen=True, slots=True)
class Acted:
    """One call that the model asked for, and what it was shown of the result: a JSON text; "" where the run ended."""

    call: ToolCall
    how: How
    content: str

    @property
    def same_as(self) -> tuple[str, str, str]:
        """Action and observation: equal for calls that brought nothing new."""
        return (self.call.name, canonical(self.call.arguments), self.content)

    @property
    def asking(self) -> str:
        """The call as a person reads it."""
        said: Any = self.call.arguments
        told = ", ".join(f"{k}={canonical(v)}" for k, v in said.items()) if isinstance(said, dict) else canonical(said)  # pyright: ignore[reportUnknownVariableType]
        return f"{self.call.name}({told})"

    def told(self, most: int) -> str:
        """The same with its result, of which at most so many characters are given."""
        if not self.content:
            return self.asking
        how = "" if self.how == "ok" else f"({self.how}) "
        return f"{self.asking}\n  -> {how}{_brief(self.content, most)}"


@dataclass(frozen=True)  # without slots: its size is worked out once
class Turn:
    """One reply of the model with all its calls, which are never parted from it; `note` is what it was told then. Or
    what was said to it, where a chat went on."""

    said: Message | None
    acted: tuple[Acted, ...] = ()
    note: str | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """As they go to the model."""
        results = [Message("tool", one.content or TAKEN, tool_call_id=one.call.id) for one in self.acted]
        answered = {one.call.id for one in self.acted}
        calls = () if self.said is None else self.said.tool_calls
        results += [Message("tool", UNDONE, tool_call_id=one.id) for one in calls if one.id not in answered]
        note = () if self.note is None else (Message("user", self.note),)
        return (*(() if self.said is None else (self.said,)), *results, *note)

    @cached_property
    def tokens(self) -> int:
        """About how many it is."""
        calls = () if self.said is None else self.said.tool_calls
        texts = [*(m.text for m in self.messages), *(canonical(c.arguments) for c in calls)]
        return sum(count_tokens(text).n + TURN for text in texts)

    def told(self, most: int) -> str:
        """As a person reads it, with at most so many characters of each result."""
        text = self.said.text.strip() if self.said is not None else ""
        text = f"(asked: {text})" if self.said is not None and self.said.role == "user" else text
        note = [] if self.note is None else [f"(told: {self.note})"]
        return "\n".join([*([text] if text else []), *(one.told(most) for one in self.acted), *note])


@dataclass(frozen=True, slots=True)
class Summary:
    """What the model wrote of the turns up to `upto`, in whose place it went to the model from then on."""

    text: str
    upto: int

    def __str__(self) -> str:
        return f"(summary of turns 1 to {self.upto}, which were no longer sent)\n{_brief(self.text, SHOWN)}"


@dataclass(frozen=True, slots=True)
class Transcript:
    """All of it, in order, with the runs before it where a chat went on. `text`, or `str()`, is for people: what could
    drive a terminal is shown as escapes."""

    task: str
    turns: tuple[Turn, ...] = ()
    summaries: tuple[Summary, ...] = ()
    end: str = ""

    @property
    def text(self) -> str:
        """As a person reads it."""
        parts = [f"[task]\n{_brief(self.task, SHOWN)}"]
        for number, turn in enumerate(self.turns, 1):
            parts.append(f"[{number}]\n{turn.told(SHOWN)}")
            parts += [f"[memory]\n{one}" for one in self.summaries if one.upto == number]
        return harmless("\n\n".join([*parts, f"[end]\n{self.end}"]))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class AgentRun(Generic[R]):
    """The whole result. `value` is ABSTAIN where there is no answer, and `ended` says why.

    `steps` are replies of the model, summaries aside; `spent` is what all its calls cost, those made inside of tools
    aside. `plan` is the last one that it made. `asked` is what the chat began with.
    """

    value: R | Abstain
    ended: Ended
    steps: int
    spent: Cost
    transcript: Transcript = field(repr=False)
    plan: tuple[str, ...] = ()
    asked: Message | None = field(default=None, repr=False)

    @property
    def cost(self) -> float | None:
        """US dollars; None where a price is unknown."""
        return self.spent.usd

    @property
    def usage(self) -> Usage:
        """Tokens in and out; None where the endpoint did not say."""
        return Usage(self.spent.input_tokens, self.spent.output_tokens)


def told_end(ended: Ended, steps: int, spent: Cost, value: Json) -> str:
    """The last line of a transcript."""
    usd = "cost unknown" if spent.usd is None else f"${spent.usd:.4f}"
    tokens = [("?" if n is None else f"{n:,}") + way for n, way in zip(_tokens(spent), (" in", " out"), strict=True)]
    answer = f": {canonical(value)}" if ended == "answered" else ""
    return f"{ended} after {steps} {'step' if steps == 1 else 'steps'} ({usd}, tokens {', '.join(tokens)}){answer}"


def _tokens(spent: Cost) -> Sequence[int | None]:
    return (spent.input_tokens, spent.output_tokens)


def _brief(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"
