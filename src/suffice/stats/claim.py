"""The claim that a trial decides, in numbers: bar, tolerance, number of cases, errors, and what a case's score is."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.stats.engine import Engine, Kind, Shape, engine_for
from suffice.stats.exact import Null

SHARE_TOLERANCE = 0.05
"""How far below the demanded coverage the shown share answered may lie."""

ALPHA_FAIL = 0.2
"""The error of FAIL, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed, about how many test cases, at which errors.

    `kind` "population" speaks of future inputs like these, "finite" of these `n` inputs alone. `coverage` None:
    every input must be answered, an abstention is wrong; above 0: the share of inputs that must be answered; 0:
    abstaining is free and the claim is about the answered cases only (`--coverage max`). `graded`: scores may lie
    between 0 and 1, and bar and tolerance speak of their mean. `most`: so many cases of a cluster count at most; `n`
    counts clusters then. `fast`: the share of calls that must be within the time limit (.95 of a p95), too.
    `margin`: scores are those of pairs, compared with this margin (`paired`). Raises ValueError for impossible values.
    """

    bar: float
    tolerance: float
    n: int
    alpha: float
    coverage: float | None = None
    kind: Kind = "population"
    alpha_fail: float = ALPHA_FAIL
    graded: bool = False
    most: int = 1
    fast: float | None = None
    margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.bar <= 1.0:
            raise ValueError(f"a bar must lie in (0, 1], not {self.bar!r}")
        if not 0.0 <= self.tolerance < self.bar:
            raise ValueError(f"a tolerance must lie in [0, bar), not {self.tolerance!r}")
        if self.coverage is not None and not 0.0 <= self.coverage <= 1.0:
            raise ValueError(f"a coverage must lie in [0, 1], not {self.coverage!r}")
        if self.fast is not None and not 0.0 < self.fast < 1.0:
            raise ValueError(f"a share of calls within the limit must lie in (0, 1), not {self.fast!r}")
        if self.n < 1:
            raise ValueError(f"a claim needs at least one test case, not {self.n}")
        if self.most < 1 or (self.most > 1 and self.kind == "finite"):
            raise ValueError(f"{self.most} counted cases a cluster make no claim about {self.kind} inputs")

    @property
    def bound(self) -> float:
        """The rate that a PASS shows: bar - tolerance."""
        return round(self.bar - self.tolerance, 10)

    @property
    def share(self) -> float | None:
        """The share answered that a PASS shows; None where no share is demanded."""
        return max(round(self.coverage - SHARE_TOLERANCE, 10), 0.0) if self.coverage else None

    @property
    def pass_null(self) -> Null:
        """What PASS rejects about the rate.

        Among answered cases of a finite set it is the population's null, because how many will be answered is not
        known before: conservative (crossing at most .19 alpha where we computed it), settled by counting at the end.
        """
        return Null(self.bound, self.kind == "finite" and self.coverage is None)

    @property
    def fail_null(self) -> Null:
        """What FAIL rejects about the rate."""
        return Null(self.bar, self.kind == "finite" and self.coverage is None)

    @property
    def timing(self) -> Claim | None:
        """The claim about the time alone: whether so many calls are in time is right or wrong, too."""
        if self.fast is None:
            return None
        return Claim(self.fast, 0.0, self.n, self.alpha, alpha_fail=self.alpha_fail, most=self.most)

    @property
    def sharing(self) -> Claim | None:
        """The claim about the share answered alone: an answered case is right, an abstention wrong."""
        if self.coverage is None or not self.share:
            return None
        said = self.coverage, SHARE_TOLERANCE
        return Claim(*said, self.n, self.alpha, None, self.kind, self.alpha_fail, most=self.most)

    @property
    def engine(self) -> Engine:
        """The engine that decides about the rate, and why."""
        pairs = self.margin > 0.0
        graded = self.graded and not pairs
        shape = Shape(graded, self.most, n=self.n, paired=pairs, margin=self.margin, kind=self.kind)
        return engine_for(shape)

    @property
    def exact(self) -> bool:
        """Whether the rate is decided by exact spending."""
        return self.engine.name == "exact spending"
