"""What one climb knows while it runs, and what it tells a watcher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

from suffice.evals.claim import Stated
from suffice.evals.runner import Job, Tally
from suffice.evals.seal import Sealed
from suffice.evals.task import Task
from suffice.ladder.decision import Climbed
from suffice.ladder.evidence import Evidence, Fit
from suffice.ladder.rule import Rule
from suffice.ladder.rung import Rung
from suffice.programs.route import Leg, route_of
from suffice.programs.solution import Solution
from suffice.stats.ledger import alpha_of_try
from suffice.stats.trial import Claim
from suffice.store.database import Store
from suffice.values import Case, Json


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
    `rule` replaces the rule of the climb.
    """

    concurrency: int
    timeout: float | None
    dev_only: bool
    quick: bool
    resume: bool
    fresh: bool
    store: Store | Path | str | None
    watch: Callable[[Progress], None]
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class DevRun:
    """One rung on dev: what made it (`rung`, a family's best variant), what it answered, and how."""

    rung: Rung
    solution: Solution | None  # fitted on train alone; None where dev was answered out of fold
    evidence: Evidence
    total: int  # dev cases there were to run
    free: bool

    @property
    def calls(self) -> int:
        """Calls that may have cost something."""
        return 0 if self.free else len(self.evidence)


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
    def kept(self) -> list[tuple[DevRun, float | None]]:
        """The members that answer anything, with their thresholds."""
        pairs = zip(self.members, self.fit.thresholds, strict=True)
        return [(m, t) for m, t in pairs if t is None or t != float("inf")]

    async def refitted(self, task: Task, dev: Sequence[Case]) -> Solution:
        """The route as it goes to test: rungs that learn are fitted again on train and dev together."""
        legs: list[Leg] = []
        for member, threshold in self.kept:
            if member.rung.learns or member.solution is None:
                solution = await member.rung.fit(task, (*task.train, *dev))
            else:
                solution = member.solution
            legs.append(Leg(solution, threshold))
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
    base: list[bool]  # whether each try passed that stood in the ledger when this climb first began
    rule: Rule
    options: Options
    rows: list[Climbed]
    candidates: dict[int, Candidate] = field(default_factory=dict[int, Candidate])
    solutions: dict[int, Solution] = field(default_factory=dict[int, Solution])  # as they went to test
    verdicts: list[bool] = field(default_factory=list[bool])
    tally: Tally = field(default_factory=Tally)
    settings: dict[str, Json] = field(default_factory=dict[str, Json])

    @property
    def alpha(self) -> float:
        """What the next try of this climb may spend."""
        return alpha_of_try([*self.base, *self.verdicts])

    def claim(self) -> Claim:
        """The claim at the alpha that the next try gets."""
        s = self.stated
        return Claim(s.bar, s.tolerance, s.n, self.alpha, s.coverage)

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
        )

    def show(self, k: int | None = None, line: str | None = None, **changes: Any) -> None:
        """Note changes to row `k` and tell the watcher."""
        if k is not None:
            self.rows[k] = replace(self.rows[k], **changes)
        watch = self.options.get("watch")
        if watch is not None:
            watch(Progress(tuple(self.rows), line))
