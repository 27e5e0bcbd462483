"""What one climb knows while it runs, and what it tells a watcher."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from suffice.evals.claim import Stated
from suffice.evals.cost import PerCase, costs_nothing, per_case
from suffice.evals.runner import Job, Tally
from suffice.evals.seal import Sealed, look
from suffice.evals.task import Task
from suffice.ladder.decision import Climbed
from suffice.ladder.evidence import OUT, Evidence, Fit, Threshold, shared
from suffice.ladder.relative import Reference
from suffice.ladder.rule import Rule
from suffice.ladder.rung import Rung
from suffice.models.belonging import Belonging, belonging
from suffice.programs.learned import learned_from
from suffice.programs.route import Leg, route_of
from suffice.programs.solution import Solution
from suffice.stats.claim import Claim
from suffice.stats.ledger import alpha_of_try
from suffice.store import ledger
from suffice.store.calls import CallJournal
from suffice.store.database import Store
from suffice.values import NO_COST, Case, Cost, Json, Outcome

if TYPE_CHECKING:  # what calls a model is heavy, and most climbs call none
    from suffice.models.concerns.budget import Budget
    from suffice.models.model import Model


@dataclass(frozen=True, slots=True)
class Progress:
    """What a watcher sees: the ladder as it stands, and a line where there is something to say."""

    rungs: tuple[Climbed, ...]
    line: str | None = None


class Options(TypedDict, total=False):
    """How to climb. Everything may be left out.

    `concurrency` calls side by side (8), each at most `timeout` seconds (120; None: for ever). `dev_only` stops
    before test. `quick` decides earlier and never goes back down. `resume` insists that there is an interrupted climb
    to go on with. `fresh` asks again for what is recorded on dev. `store` is an open store or its folder. `watch`
    hears of progress; on sealed cases it must not write to this process's stdout or stderr, which are silenced.
    `model` is what steps call that say none, `budget` what all model calls of this climb may cost together.
    `p95` asks that 95% of the calls end within so many seconds. `within` makes the bar relative: not worse by more than
    that than the solution `of` (one of the rungs by name, or another), which answers the same cases. `finite`: the
    claim is about these sealed inputs alone, not about future ones.
    `untouched` says of runs that were recorded elsewhere that nobody tuned on their cases or picked by them.
    `rule` replaces the rule of the climb. `command` is what was typed, for the page to say how to repeat it.
    `on_claim` hears of the claim before anything runs; what it raises ends the climb.
    `to_save`: what passes will be saved, so a rung that cannot be is refused: before anything runs, or, where only
    fitting it tells, before a try is spent.
    """

    concurrency: int
    timeout: float | None
    dev_only: bool
    quick: bool
    resume: bool
    untouched: bool
    fresh: bool
    store: Store | Path | str | None
    watch: Callable[[Progress], None]
    p95: float | None
    within: float | None
    of: Any
    finite: bool
    rule: Rule | None
    command: str | None
    on_claim: Callable[[Stated], None]
    to_save: bool
    model: str | Model | None
    budget: Budget | None


@dataclass(frozen=True, slots=True)
class DevRun:
    """One rung on dev: what made it (`rung`, a family's best variant), what it answered, and how."""

    rung: Rung
    solution: Solution | None  # fitted on train alone; None where dev was answered out of fold
    evidence: Evidence
    total: int  # dev cases there were to run
    free: bool
    lost: int = 0  # paid calls of variants that lost the race of their family

    @property
    def calls(self) -> int:
        """Calls that may have cost something."""
        return self.lost + (0 if self.free else len(self.evidence))

    @property
    def confidence_from(self) -> str | None:
        """Where the confidence of its answers comes from, None where nobody knows."""
        return (self.rung if self.solution is None else self.solution).confidence_from

    @property
    def costs_nothing(self) -> bool:
        """Whether asking it is free, as far as is known."""
        return self.free if self.solution is None else costs_nothing(self.solution)

    @property
    def whole(self) -> bool:
        """Whether it has seen every dev case."""
        return self.solution is None or len(self.evidence) == self.total


def _together(asked: Sequence[tuple[DevRun, Outcome]]) -> Cost | None:
    """What one case took of all of them; None where that is unknown of one."""
    costs = [NO_COST if run.costs_nothing else outcome.cost for run, outcome in asked]
    return None if None in costs else sum((c for c in costs if c is not None), NO_COST)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A route that ends in one rung, with the thresholds that dev chose."""

    members: tuple[DevRun, ...]
    fit: Fit

    @property
    def name(self) -> str:
        """ "words > triage": the members that the thresholds leave in."""
        return " > ".join(m.rung.name for m, _ in self.kept)

    @property
    def kept(self) -> list[tuple[DevRun, Threshold]]:
        """The members that are not left out, with their thresholds."""
        return [(m, t) for m, t in zip(self.members, self.fit.thresholds, strict=True) if t != OUT]

    def walked(self) -> list[tuple[list[tuple[DevRun, Outcome]], bool]]:
        """For each dev case the members that it was put to, with what they did, and whether the last one kept it."""
        seen = shared([m.evidence for m in self.members])
        rows: list[tuple[list[tuple[DevRun, Outcome]], bool]] = []
        for i in range(self.fit.seen):
            asked, kept = list[tuple[DevRun, Outcome]](), False
            for member, evidence, threshold in zip(self.members, seen, self.fit.thresholds, strict=True):
                asked.append((member, evidence.outcomes[i]))
                sure = threshold is None or evidence.confidence[i] >= threshold
                kept = bool(evidence.failed[i] or (evidence.answered[i] and sure))
                if kept:
                    break
            rows.append((asked, kept))
        return rows

    @property
    def cost(self) -> PerCase | None:
        """What a dev case takes, all the members together that it was put to; None where no model was called."""
        free, walked = all(m.costs_nothing for m in self.members), self.walked()
        clusters = [asked[0][1].case.cluster for asked, _ in walked]
        return per_case([_together(asked) for asked, _ in walked], free=free, clusters=clusters)

    async def refitted(self, task: Task, dev: Sequence[Case]) -> Solution:
        """The route as it goes to test: rungs that learn are fitted again on train and dev together."""
        legs: list[Leg] = []
        for member, threshold in self.kept:
            if member.rung.learns or member.solution is None:
                cases = (*task.train, *dev)
                solution = learned_from(await member.rung.fit(task, cases), (c.key for c in cases))
            else:
                solution = member.solution
            legs.append(Leg(replace(solution, name=member.rung.name), threshold))
        return route_of(legs)


@dataclass(slots=True)
class Climb:
    """Everything that one climb knows while it runs."""

    task: Task
    dev: tuple[Case, ...]  # dev cases, and test cases that were unsealed
    rungs: list[Rung]
    stated: Stated
    sealed: Sealed
    store: Store
    run: str
    base: tuple[bool, ...]  # the ledger as this climb first saw it: whether each try hands its alpha on
    passed: tuple[bool, ...]  # the same up to the latest try that this climb knows of
    shown: frozenset[int]  # the rungs that had passed by then, as they stand
    rule: Rule
    options: Options
    rows: list[Climbed]
    runs: dict[int, DevRun] = field(default_factory=dict[int, DevRun])
    candidates: dict[int, Candidate] = field(default_factory=dict[int, Candidate])
    solutions: dict[int, Solution] = field(default_factory=dict[int, Solution])  # as they go to test
    tally: Tally = field(default_factory=Tally)
    settings: dict[str, Json] = field(default_factory=dict[str, Json])
    reference: Reference | None = None  # what candidates are compared with, where the bar is relative
    looking: bool = False  # whether train and dev count as shown

    @property
    def alpha(self) -> float:
        """What the next try of this climb may spend, as far as it knows.

        By what it saw when it began and the tries that it has met since, so that it goes the same way when it is run
        again, whatever others have spent in between.
        """
        return alpha_of_try(self.passed)

    def learn(self, number: int) -> None:
        """Take the ledger up to try `number` into account."""
        if number > len(self.passed):
            self.passed = tuple(ledger.history(self.store, self.sealed.block.id)[:number])

    def claim(self) -> Claim:
        """The claim at the alpha that the next try gets."""
        return self.stated.numbers(self.alpha)

    def look(self) -> None:
        """Note that train and dev are shown: before the first of them is put to anything, after all that can refuse."""
        if not self.looking:
            self.looking = True
            self.show(line=look(self.store, self.task))

    def job(self, solution: Solution, sealed: bool = False) -> Job:
        """How this climb calls `solution`."""
        return Job(
            solution,
            self.task.grader,
            self.store,
            self.run,
            self.options.get("concurrency", 8),
            self.options.get("timeout", 120.0),
            fresh=self.options.get("fresh", False) and not sealed,
            sealed=sealed,
            budget=self.options.get("budget"),
        )

    @contextmanager
    def calling(self) -> Generator[None]:
        """Let the model calls that a rung makes while it is fitted or searched belong to this climb: recorded, looked
        up and within its budget, as those for a case are."""
        calls = CallJournal(self.store, self.run)
        fresh, budget = self.options.get("fresh", False), self.options.get("budget")
        try:
            with belonging(Belonging(calls, fresh=fresh, budget=budget)):
                yield
        finally:
            calls.close()

    def show(self, k: int | None = None, line: str | None = None, **changes: Any) -> None:
        """Note changes to row `k` and tell the watcher."""
        if k is not None:
            self.rows[k] = replace(self.rows[k], **changes)
        watch = self.options.get("watch")
        if watch is not None:
            watch(Progress(tuple(self.rows), line))
