"""What the store keeps (`store.keep`): all texts, hashes in their place, or nothing but what the seal and budgets need.

Scores of sealed cases, the ledger, and what was spent hold no text and are the same under all three.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from suffice.values import Json, content_hash

Keep = Literal["full", "hashes", "off"]
KEEPS: Final[tuple[Keep, ...]] = ("full", "hashes", "off")
NOT_KEPT: Final = "its text was not kept (store.keep)"

REMEMBERED: Final = 100_000  # answers, and as many replies, that an open store remembers without writing them
NAMES: Final = frozenset(
    "task solution identity split cluster_name grader run confidence_from fingerprint verdict sentence name candidate"
    " state members against rungs source id fitted_ids by failures".split()
)
"""Fields of a run's result whose strings are names and sentences of ours; any other string may quote a case."""
OF_A_CASE: Final = ("inputs", "expected", "answer")
AS_SAID: Final = ("claim", "settings", "spent", "cost")  # what the user said, and figures
OF_THE_SEAL: Final = ("verdict", "sentence", "rungs")
"""What a climb that is run again must know of itself, so that it ends the same."""


@dataclass(slots=True)
class Memory:
    """Answers and replies that an open store does not write: so nothing is asked twice by one command.

    `answers` are by (solution, inputs), with the run that they belong to; of both the latest 100,000 are held.
    """

    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict[tuple[str, str], tuple[int, Any]])
    replies: dict[str, Json] = field(default_factory=dict[str, Json])

    def answer(self, solution: str, inputs: str, run: int, recorded: Any) -> None:
        """Hold what a solution said to these inputs."""
        _hold(self.answers, (solution, inputs), (run, recorded))

    def reply(self, request: str, value: Json) -> None:
        """Hold what a request was answered."""
        _hold(self.replies, request, value)


def _hold(held: dict[Any, Any], key: object, value: object) -> None:
    held.pop(key, None)
    held[key] = value
    if len(held) > REMEMBERED:
        held.pop(next(iter(held)), None)


def result_as_kept(result: Json, keep: Keep | None) -> Json:
    """A run's result as the store may keep it: whole, without a text out of a case, or what the seal needs alone."""
    if keep in (None, "full") or not isinstance(result, dict):
        return result
    told = cast("dict[str, Json]", result)
    return _without_texts(told, "") if keep == "hashes" else what_the_seal_needs(told)


def what_the_seal_needs(result: Json) -> Json:
    """The verdict of a climb and the state of its rungs; None of any other run."""
    if not isinstance(result, dict) or "rungs" not in result:
        return None
    told = cast("dict[str, Json]", result)
    return _without_texts({key: told[key] for key in OF_THE_SEAL if key in told}, "")


def _without_texts(value: Json, key: str) -> Json:
    if isinstance(value, dict):
        made: dict[str, Json] = {}
        for name, item in cast("dict[str, Json]", value).items():
            if name == "confusion":
                made[name] = []
            elif name in OF_A_CASE:
                made[name] = f"hash {content_hash(item)}"
            else:
                made[name] = item if name in AS_SAID else _without_texts(item, name)
        return made
    if isinstance(value, list | tuple):
        return [_without_texts(item, key) for item in cast("list[Json]", value)]
    return "" if isinstance(value, str) and key not in NAMES else value
