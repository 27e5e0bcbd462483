"""What the climb is tested on: small tasks made up on the spot, and solutions of known accuracy that count calls."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from suffice.evals.task import Task
from suffice.ladder import rung
from suffice.ladder.climb import climb
from suffice.ladder.closing import to_json_decision
from suffice.ladder.decision import Decision
from suffice.programs.solution import Solution
from suffice.values import ABSTAIN, Answer, Json, content_hash

LABELS = ("billing", "shipping", "returns", "orders")


def place(*what: object) -> float:
    """A number in [0, 1) that looks random and depends on `what` alone."""
    digest = hashlib.blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def truth(text: str) -> str:
    return LABELS[int(place("truth", text) * len(LABELS))]


def rows(train: int = 20, dev: int = 60, test: int = 200, seed: int = 0, **columns: Any) -> list[dict[str, Any]]:
    """Rows of a task; a keyword is one more column, given as a function of the row's number."""
    splits = ["train"] * train + ["dev"] * dev + ["test"] * test
    made: list[dict[str, Any]] = []
    for i, split in enumerate(splits):
        text = f"{split} ticket {i} of {seed}"
        more = {name: of(i) for name, of in columns.items()}
        made.append({"id": f"{split}-{i}-{seed}", "input": text, "expected": truth(text), "split": split, **more})
    return made


def a_task(bar: float = 0.8, *, given: list[dict[str, Any]] | None = None, **options: Any) -> Task:
    """A task over `rows`; options of both."""
    shape = {k: options.pop(k) for k in ("train", "dev", "test", "seed") if k in options}
    return Task(rows(**shape) if given is None else given, bar=bar, kind="label", labels=[*LABELS, "?"], **options)


class Calls:
    """Counts calls by solution and the most that were ever under way at once."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()
        self.inputs: list[tuple[str, Json]] = []
        self.now = self.most = 0

    def on(self, name: str, split: str) -> int:
        """Calls of solution `name` on cases of a split."""
        return sum(n == name and str(i).startswith(split) for n, i in self.inputs)

    def clear(self) -> None:
        self.__init__()


def solver(
    name: str,
    accuracy: float | Callable[[str], bool],
    *,
    calls: Calls | None = None,
    sure: tuple[float, float] | None = None,
    fails: Callable[[str], bool] = lambda text: False,
    hands_on: Callable[[str], bool] = lambda text: False,
    delay: Callable[[str], float] | None = None,
    free: bool = False,
    version: object = 0,
) -> Solution:
    """A solution that is right on this share of inputs (or where a function says so), whatever else happens.

    With `sure=(low, high)` its confidences are spread over that range, and each is the chance to be right.
    """

    def answer(text: str) -> Answer:
        if hands_on(text):
            return Answer(ABSTAIN)
        confidence = None
        chance: float | bool
        if sure is not None:
            confidence = chance = sure[0] + (sure[1] - sure[0]) * place(name, version, "sure", text)
        else:
            chance = accuracy(text) if callable(accuracy) else accuracy
        right = place(name, version, text) < chance
        return Answer(truth(text) if right else "?", confidence)

    async def ask(text: Any) -> Answer:
        if calls is not None:
            calls.of[name] += 1
            calls.inputs.append((name, text))
            calls.now += 1
            calls.most = max(calls.most, calls.now)
        try:
            if delay is not None:
                await asyncio.sleep(delay(text))
            if fails(text):
                raise ConnectionError("no route to host")
            return answer(text)
        finally:
            if calls is not None:
                calls.now -= 1

    identity = content_hash(["sample", name, repr(version)])
    return Solution(name, ask, identity, free=free, confident=sure is not None)


def learner(
    name: str, skill: float, sure: tuple[float, float] = (0.0, 1.0), *, knows: Counter | None = None
) -> rung.Rung:
    """A rung that learns. On cases that it was fitted on it is always right, and certain; else right with the chance
    that its confidence says."""

    def solution(seen: frozenset[str]) -> Solution:
        def answer(text: str) -> Answer:
            if text in seen:
                return Answer(truth(text), 1.0)
            chance = sure[0] + (sure[1] - sure[0]) * place(name, "sure", text)
            return Answer(truth(text) if place(name, text) < skill * chance else "?", chance)

        async def ask(text) -> Answer:
            return answer(text)

        identity = content_hash([name, skill, sorted(seen)])
        return Solution(name, ask, identity, free=True, confident=True, batch=lambda many: [answer(t) for t in many])

    async def fit(task, cases) -> Solution:
        if knows is not None:
            knows.update(c.inputs.split()[0] for c in cases)
        return solution(frozenset(c.inputs for c in cases))

    async def out_of_fold(task, cases) -> list[Answer]:
        plain = solution(frozenset())
        assert plain.batch is not None
        return plain.batch([c.inputs for c in cases])

    return rung.Rung(name, fit, content_hash([name, skill]), learns=True, out_of_fold=out_of_fold)


def climbed(task: Task, rungs: Any, store: Path, **options: Any) -> Decision:
    """`climb`, to its end."""
    return asyncio.run(climb(task, rungs, store=store, **options))


def said(decision: Decision) -> dict[str, Any]:
    """The decision as JSON without what may differ when it is looked up: times, that it was, what was paid."""
    told = json.loads(json.dumps(to_json_decision(decision)))
    del told["spent"]
    told["pages"].pop("recorded", None)
    told["advice"] = [a for a in told["advice"] if "Known: " not in a and "this verdict is" not in a]
    for row in told["rungs"]:
        if row["tested"]:
            del row["tested"]["at"], row["tested"]["known"]
    return told


def states(decision: Decision) -> dict[str, str]:
    return {r.name: r.state for r in decision.rungs}
