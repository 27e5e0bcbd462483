"""A decision: which solution was shown to suffice, for what claim, at what error, and everything that led to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suffice.errors import SolutionError
from suffice.evals.claim import Stated
from suffice.evals.cost import PerCase, short_cost, spent_json
from suffice.evals.report import figure
from suffice.ladder import sentence
from suffice.ladder.rung import Rung
from suffice.ladder.saving import check_program
from suffice.ladder.spending import line_of
from suffice.programs.bundle import save_bundle
from suffice.programs.solution import Solution
from suffice.stats.paired import difference
from suffice.store.calls import Spent
from suffice.values import Json, Verdict


@dataclass(frozen=True, slots=True)
class Tested:
    """What one try on the sealed cases ended in. `known` is True where it was looked up, not run now."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    number: int  # the j-th try of these cases
    alpha: float
    verdict: Verdict
    used: int  # sealed cases
    calls: int  # calls of the candidate made for it, now or before
    failed: int  # calls that gave no answer
    failures: tuple[str, ...]  # their kinds
    bound: float | None  # after a PASS, the largest rate certified
    share: float | None  # and the largest share answered
    at: float  # seconds since 1970, UTC
    known: bool
    paused: bool = False
    pauses: int = 0  # of the few that a try may have, this one included
    barred: str = ""  # why none of its calls could be made now: such a pause is not counted
    cost: PerCase | None = None  # of the sealed cases that it was called on; None where no model was called
    late: bool = False  # the time limit was not shown, whatever else was


@dataclass(frozen=True, slots=True)
class Climbed:
    """One rung of the ladder: what dev showed of the candidate that ends in it, and what test decided."""

    name: str  # the rung
    candidate: str  # the route: "words > triage"
    state: str  # waiting, running, dropped, kept, PASS, FAIL, UNPROVEN, paused, not tried
    dev_right: int = 0
    dev_answered: int = 0
    dev_seen: int = 0
    dev_failed: int = 0
    dev_total: int = 0
    out_of_fold: bool = False
    interval: tuple[float, float] | None = None  # 95%, of the dev score (among answered, with coverage)
    chance: float | None = None  # predicted chance of PASS
    thresholds: tuple[float | None, ...] = ()
    members: tuple[str, ...] = ()
    handled: tuple[float, ...] = ()  # share of dev cases that each member answers
    tested: Tested | None = None
    calls: int = 0  # cases put to it, on dev and test, where that is not free
    saved: int = 0  # cases that running all of dev and test would have put to it on top
    note: str = ""
    barred: str = ""  # why its model could not be called at all
    cost: PerCase | None = None  # of the candidate on dev, its easier members included; None: no model was called
    confidence_from: tuple[str | None, ...] = ()  # of each member: "vote share", "log-probabilities"
    dev_fitted: int = 0  # dev cases that were left out, because it was fitted on them

    @property
    def unseen(self) -> bool:
        """Whether nothing is known of it, because it was fitted on all of dev."""
        return self.dev_fitted > 0 and not self.dev_seen and self.tested is None

    dev_mean: float | None = None  # mean score, where the claim is about one
    against: str = ""  # with a relative bar, the reference; dev_mean is that of pairs then, 1/2 where they are equal

    @property
    def dev_score(self) -> float | None:
        """Share of the dev cases seen that were answered right, or their mean score."""
        if self.dev_mean is not None:
            return self.dev_mean
        return self.dev_right / self.dev_seen if self.dev_seen else None


@dataclass(frozen=True, slots=True, repr=False)
class Decision:
    """The end of a climb. `print(decision)` says it; `solution` can be called; `save` makes a bundle of it.

    `verdict` is PASS when a candidate was shown to suffice; `solution` is None otherwise. `bound` is the largest rate
    right that was certified, `share` the largest share answered where the claim has a coverage. `cost` is the US
    dollars that the solution takes for one input in production, None where unknown (`cost_at_most`: it is a bound);
    `spent` is what the climb paid for model calls.
    """

    task: str
    verdict: Verdict
    sentence: str
    claim: Stated
    rungs: tuple[Climbed, ...]
    solution: Solution | None = field(default=None, repr=False)
    bound: float | None = None
    share: float | None = None
    error: float | None = None  # alpha of the try that decided
    cost: float | None = None
    cost_at_most: bool = False
    cost_between: tuple[float, float] | None = None  # 95%, of that mean: an estimate
    spent: Spent | None = None
    run: str = ""
    advice: tuple[str, ...] = ()  # what else there is to know: what came closest, what would settle it
    settings: dict[str, Json] = field(default_factory=dict[str, Json])
    pages: dict[str, Json] = field(default_factory=dict[str, Json], repr=False)  # dev evidence for the report page
    members: tuple[Rung, ...] = field(default=(), repr=False)  # the rungs that the solution is made of

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Ask the solution that was decided on. Raises SolutionError where nothing passed."""
        if self.solution is None:
            raise SolutionError("nothing passed, so there is no solution to call", hint="print the decision")
        return await self.solution(*args, **kwargs)

    def save(self, path: str | Path) -> Path:
        """Save the decided solution as a bundle folder. Raises SolutionError where nothing passed, or where a part of
        the route (a lambda, a recording) has no form that can be loaded again."""
        if self.solution is None:
            raise SolutionError(
                f"nothing passed on {self.task}, so there is nothing to save",
                hint="print the decision for what to do",
            )
        for rung in self.members:
            check_program(rung)
        return save_bundle(self.solution, path, claim=self.claim_json())

    def claim_json(self) -> dict[str, Json]:
        """What a bundle's manifest says of the claim."""
        return {
            **self.claim.to_json(),
            "task": self.task,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "bound": self.bound,
            "share": self.share,
            "error": self.error,
            "n": self.claim.n,
            "inputs": self.settings.get("inputs"),
        }

    @property
    def spent_line(self) -> str:
        """What the climb spent on model calls, in a line; "" where no rung called a model."""
        asked = any(r.cost is not None and r.cost.usd != 0 for r in self.rungs)
        if self.spent is None or not (asked or self.spent.attempts):
            return ""
        return line_of(self.run, sum(r.calls for r in self.rungs), spent_json(self.spent))

    def __repr__(self) -> str:
        return f"<Decision on {self.task}: {self.verdict}: {self.sentence}>"

    def __str__(self) -> str:
        head = f"{self.verdict}: {self.sentence}"
        rows = [f"  {_line(rung, 'test' if self.claim.open else 'sealed')}" for rung in self.rungs]
        return "\n".join([head, *rows, *self.advice, *filter(None, [self.spent_line])])


def dev_score_text(rung: Climbed) -> str:
    """ "mean .83 of 120", "-.021 (-.06 to +.02) against big"; "" where the score is the share right."""
    if rung.dev_mean is None:
        return ""
    if not rung.against:
        return f"mean {figure(rung.dev_mean)} of {rung.dev_seen}"
    ends = [f"{difference(v):+.3f}" for v in (rung.dev_mean, *(rung.interval or ()))]
    between = f" ({ends[1]} to {ends[2]})" if len(ends) == 3 else ""
    return f"{ends[0]}{between} against {rung.against}, {rung.dev_seen} pairs"


def _line(rung: Climbed, kind: str) -> str:
    if rung.dev_score is None or rung.interval is None:
        return f"{rung.candidate}: {rung.state}" + (f" ({rung.note})" if rung.note else "")
    low, high = rung.interval
    among = (
        f"{rung.dev_right} of {rung.dev_answered} answered, {rung.dev_seen} seen"
        if (rung.dev_answered < rung.dev_seen)
        else f"{rung.dev_right} of {rung.dev_seen}"
    )
    text = f"{rung.candidate}: dev {dev_score_text(rung) or f'{among} right'} ({figure(low)} to {figure(high)} at 95%)"
    if rung.against:
        text = f"{rung.candidate}: dev {dev_score_text(rung)}"
    text += f", {short_cost(rung.cost)}" if rung.cost is not None and rung.cost.usd != 0 else ""
    if rung.chance is not None:
        text += f", predicted chance {rung.chance:.0%}"
    text += f": {rung.state}"
    if rung.tested is not None:
        text += f" after {rung.tested.used} {kind} cases"
    sure = sentence.confidence(rung.members, rung.thresholds, rung.confidence_from)
    return f"{text}; {sure}" if sure else text
