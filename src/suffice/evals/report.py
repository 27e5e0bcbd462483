"""A report: what one solution did on cases that may be looked at. No figure without its n and its interval."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from suffice.errors import MissingExtra
from suffice.evals.confusion import confusion, said_in
from suffice.evals.cost import PerCase, cost_text, per_case, spent_json, spent_text
from suffice.evals.export import save_report
from suffice.evals.latency import latency_text, seconds_of
from suffice.evals.repeats import Samples, passes, repeats_json, repeats_text
from suffice.evals.report_rows import called, row_of, row_of_samples
from suffice.evals.report_rows import shortened as shortened
from suffice.shown import one_line, with_first
from suffice.stats.clusters import Shift
from suffice.stats.intervals import score_interval
from suffice.stats.selective import Cells, Curve, abstention_cells, coverage_curve
from suffice.store.calls import Spent
from suffice.values import Json, Outcome, Split

ROWS_KEPT = 200  # failures, and errors, that the store remembers with their texts
TEXT_KEPT = 4_000  # characters of an input or an answer in them
COVERAGES = (0.8, 0.6, 0.4)  # shares answered at which a report shows what confidence is worth


@dataclass(frozen=True, slots=True)
class Report:
    """One solution on one split: every outcome, in the order of the cases.

    `print(report)` shows the score with its 95% interval, n, errors apart, abstentions and latency; `failures` are the
    wrong answers with reasons, `errors` the calls that gave none. `possibly_paid_twice` counts calls that an earlier,
    interrupted run had in flight and that were sent again.
    """

    task: str
    solution: str
    identity: str
    split: Split
    outcomes: tuple[Outcome, ...] = field(repr=False)
    cluster_name: str | None = None
    fingerprint: str = ""  # of the task: cases, expected values, grader
    grader: str = ""  # its identity
    run: str = ""
    possibly_paid_twice: int = 0
    stopped: str = ""  # why it ended before the last case, if it did
    fitted_on: str = ""  # "143 train cases" for a rung that learns
    fitted: frozenset[str] = frozenset()  # ids of the cases here that it was fitted on: a figure on them flatters
    confidence_from: str | None = None  # "vote share", "log-probabilities"; None where nobody knows
    free: bool = False  # asking the solution costs nothing
    spent: Spent | None = None  # what the run's model calls cost, before it was interrupted and since
    samples: Samples = field(default=(), repr=False)  # each case's calls, where it was asked several times
    most: int = 1  # cases of a cluster that count in a claim
    shift: Shift | None = None  # what that does to the score, where it moves it
    notes: tuple[str, ...] = ()  # of cases that are sealed elsewhere, and of what a search found

    @property
    def n(self) -> int:
        """Cases run, errors included."""
        return len(self.outcomes)

    @property
    def graded(self) -> tuple[Outcome, ...]:
        """Outcomes with a score: everything but the errors."""
        return tuple(o for o in self.outcomes if o.score is not None)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Answers that are not fully right; what was handed on is not among them."""
        return tuple(o for o in self.graded if not o.right and not o.abstained)

    @property
    def calls(self) -> tuple[Outcome, ...]:
        """Every call: the outcomes, or all samples of each case where it was asked several times."""
        return tuple(o for case in self.asked for o in case)

    @property
    def asked(self) -> Samples:
        """The calls, case by case."""
        return self.samples or tuple((o,) for o in self.outcomes)

    @property
    def errors(self) -> tuple[Outcome, ...]:
        """Calls that gave no answer."""
        return tuple(o for o in self.calls if o.failure is not None)

    @property
    def abstained(self) -> tuple[Outcome, ...]:
        """Cases that the solution handed on."""
        return tuple(o for o in self.outcomes if o.abstained)

    @property
    def unfitted(self) -> tuple[Outcome, ...]:
        """Outcomes on cases that the solution was not fitted on: the only ones that say what it can do."""
        return tuple(o for o in self.outcomes if o.case.id not in self.fitted)

    @property
    def score(self) -> float | None:
        """Mean score of the graded cases in [0, 1]; None where there is none."""
        return statistics.fmean(_score(o) for o in self.graded) if self.graded else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of the score: Wilson's, widened for clusters, or Student's for graded scores. None where there
        is no graded case, or too few clusters or graded scores to say."""
        return interval_of(self.graded)

    @property
    def seconds(self) -> tuple[float, float] | None:
        """Median and 95th percentile of a call's seconds, calls made now only; None where there were none."""
        return seconds_of(self.asked)

    @property
    def cost(self) -> PerCase | None:
        """US dollars and tokens a case in production, errors included; None where no model was called. What was looked
        up now counts as when it was made: `spent` is what this run paid."""
        return per_case([o.cost for o in self.calls], free=self.free, clusters=[o.case.cluster for o in self.calls])

    @property
    def curve(self) -> Curve | None:
        """The share answered against the rate right among the answered, by falling confidence: what handing on the
        least sure would do. None unless every answer has a confidence; errors and abstentions are never answered."""
        sure = self._sure()
        return coverage_curve(*sure, seen=self.n) if sure is not None else None

    def cells(self, threshold: float) -> Cells | None:
        """The four abstention cells, were only answers given that are as sure as `threshold`: answered right and
        wrong, held back though right, and held back wrong. None as for `curve`."""
        sure = self._sure()
        return abstention_cells(*sure, threshold) if sure is not None else None

    def to_json(self) -> dict[str, Json]:
        """Everything, as JSON: what `save` writes and `gate --on dev --against` reads."""
        return {**self._figures(), "cases": self.rows}

    @property
    def rows(self) -> list[dict[str, Json]]:
        """A dict a case: id, source, inputs, expected, answer, score, reason and so on, with its samples if any."""
        if not self.samples:
            return [self._row(o) for o in self.outcomes]
        return [row_of_samples(self._row(o), case) for o, case in zip(self.outcomes, self.samples, strict=True)]

    def to_record(self) -> dict[str, Json]:
        """What the store remembers of the run, of one size whatever the number of cases: the figures, how often which
        answer was given, and the first failures and errors. Every answer is in the journal already."""
        wrong, failed, times = self.failures, self.errors, self.seconds
        return {
            **self._figures(),
            "seconds": None if times is None else list(times),
            "error_kinds": dict(Counter(o.failure.kind for o in failed if o.failure)),
            "confusion": confusion(map(said_in, self.outcomes, self.asked)),
            "failures_total": len(wrong),
            "failures": [_kept(self._row(o)) for o in wrong[:ROWS_KEPT]],
            "failed": [_kept(self._row(o)) for o in failed[:ROWS_KEPT]],
            "fitted_ids": sorted(self.fitted),
        }

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, to compare with later; its cases where `path` ends in .jsonl, .csv, .parquet or
        .eval (Inspect AI). Raises DataError, and MissingExtra for .parquet without pyarrow."""
        save_report(self, Path(path))

    def to_frame(self) -> Any:
        """A pandas DataFrame, a row a case. Raises MissingExtra without pandas."""
        try:
            import pandas  # pyright: ignore[reportMissingTypeStubs]
        except ImportError:
            raise MissingExtra("to_frame needs pandas", hint="pip install pandas") from None
        return pandas.DataFrame(self.rows)

    def __str__(self) -> str:
        return "\n".join(lines(self))

    def _sure(self) -> tuple[list[float], list[bool]] | None:
        """Confidence and right of each answer, None where an answer has no confidence or there is none."""
        answered = answered_of(self.outcomes)
        sure = [o.answer.confidence for o in answered if o.answer is not None and o.answer.confidence is not None]
        return (sure, [o.right for o in answered]) if answered and len(sure) == len(answered) else None

    def _row(self, outcome: Outcome) -> dict[str, Json]:
        return {**row_of(outcome), **({"fitted": outcome.case.id in self.fitted} if self.fitted else {})}

    def _figures(self) -> dict[str, Json]:
        low_high = self.interval
        return {
            "suffice_report": 1,
            "task": self.task,
            "fingerprint": self.fingerprint,
            "grader": self.grader,
            "solution": self.solution,
            "identity": self.identity,
            "split": self.split,
            "n": self.n,
            "calls": len(self.calls),
            "score": self.score,
            "interval95": None if low_high is None else list(low_high),
            "right": sum(o.right for o in self.outcomes),
            "graded": len(self.graded),
            "errors": len(self.errors),
            "abstained": len(self.abstained),
            "fitted": len(self.fitted),
            "unfitted": _unfitted_json(self.unfitted) if self.fitted else None,
            "stopped": self.stopped,
            "run": self.run,
            "free": self.free,
            "cost": None if self.cost is None else self.cost.to_json(),
            "spent": None if self.spent is None else spent_json(self.spent),
            "confidence_from": self.confidence_from,
            "shift": None if self.shift is None else {"most": self.most, **self.shift._asdict()},
            "repeats": repeats_json(self.samples) if self.samples else None,
            "notes": list(self.notes),
        }


def interval_of(outcomes: Sequence[Outcome], level: float = 0.95) -> tuple[float, float] | None:
    """The interval of the mean score over `outcomes` with scores: Wilson's for right and wrong, widened by the design
    effect of clusters; Student's for graded scores. None where the cases (or clusters) are too few to say."""
    try:
        found = score_interval([_score(o) for o in outcomes], [o.case.cluster for o in outcomes], level)
    except ValueError:
        return None
    return found.low, found.high


def lines(report: Report, failures: int = 5) -> list[str]:
    """The report in plain text, with the first `failures` failures."""
    head = f"{report.solution} on {report.task}, {report.split} ({_counts(report)})"
    out = [head, f"  score      {score_text(report)}"]
    out += _repeats_lines(report.samples)
    if report.shift is not None:
        out.append(f"  clusters   {shift_text(report.shift, report.most, report.cluster_name)}")
    out += [f"  fitted on  {report.fitted_on}"] if report.fitted_on else []
    out += [f"  fitted on  {flattery(report)}"] if report.fitted else []
    if report.errors:
        kinds = Counter(o.failure.kind for o in report.errors if o.failure).items()
        out.append(
            f"  errors     {len(report.errors)} of {len(report.calls)}: {', '.join(f'{n} {k}' for k, n in kinds)}"
        )
        first = report.errors[0]
        said = shortened(first.failure.message, 300) if first.failure else ""
        out.append(f"             first: {first.case.source}: {said}")
    if report.abstained:
        answered = answered_of(report.outcomes)
        out.append(f"  handed on  {len(report.abstained)} of {report.n}; of those answered {rate_text(answered)}")
    out += [f"  confidence {report.confidence_from}"] if report.confidence_from else []
    out += _coverage_lines(replace(report, outcomes=report.unfitted))
    out.append(f"  latency    {latency_text(report.asked)}")
    if report.cost is not None and not report.free:
        out.append(f"  cost       {cost_text(report.cost)}")
        out += [f"  spent      {spent_text(report.spent)}"] if report.spent is not None else []
    out += [f"  note       {one_line(note)}" for note in report.notes]
    if report.possibly_paid_twice:
        out.append(f"  note       {report.possibly_paid_twice} calls of an interrupted run were possibly paid twice")
    out += [f"  stopped    {report.stopped}"] if report.stopped else []
    if report.failures:
        out.append(f"  failures   {with_first(len(report.failures), failures)}")
        for outcome in report.failures[:failures]:
            reason = shortened(outcome.score.reason, 200) if outcome.score else ""
            out.append(
                f"    {called(outcome.case.source, outcome.case.id)}  {reason}  | {shortened(outcome.case.inputs)}"
            )
    return out


def _repeats_lines(samples: Samples) -> list[str]:
    """How steady the answers are, and pass^k, the chance that one case is right k times in a row."""
    if not samples:
        return []
    out = [f"  repeats    {repeats_text(samples)}"]
    for k, estimate, ends in passes(samples):
        between = "too few cases for an interval" if ends is None else _ends(ends.low, ends.high)
        out.append(f"  {f'pass^{k}':<10} {figure(estimate)} ({between})")
    return out


def score_text(report: Report) -> str:
    """ ".742 (.674 to .801 at 95%), 138 of 186 right": a mean never travels alone."""
    if not report.graded:
        return "unknown: no call gave an answer"
    if report.samples:
        return f"{rate_text(report.graded)} each time"
    return rate_text(report.graded, " answered calls" if report.errors else "")


def shift_text(found: Shift, most: int, cluster: str | None) -> str:
    """ "counting at most 2 cases of each customer, as a claim does, it is .780 instead of .842"."""
    instead = f"{figure(found.thinned)} instead of {figure(found.full)}"
    return f"counting at most {most} cases of each {cluster or 'cluster'}, as a claim does, it is {instead}"


def flattery(report: Report) -> str:
    """ "120 of these 186 cases, so the score flatters; on the other 66 .742 (…)", where it was fitted on some."""
    said = f"{len(report.fitted)} of these {report.n} cases{by_cluster(report.cluster_name)}"
    left = tuple(o for o in report.unfitted if o.score is not None)
    rest = f"on the other {len(report.unfitted)} {rate_text(left)}" if left else "none is left to judge it by"
    return f"{said}, so the score flatters; {rest}"


def by_cluster(name: str | None) -> str:
    """What stands behind a count of fitted cases where a case also counts for others of its cluster."""
    return f" (counted by {name})" if name else ""


def rate_text(outcomes: Sequence[Outcome], of: str = "") -> str:
    """The mean score of outcomes with scores, its interval, and how many of them are right."""
    right, between = sum(o.right for o in outcomes), interval_of(outcomes)
    if between is None:
        return f"{right} of {len(outcomes)}{of} right: too few cases for an interval"
    mean = statistics.fmean(_score(o) for o in outcomes)
    return f"{figure(mean)} ({_ends(*between)}), {right} of {len(outcomes)}{of} right"


def _ends(low: float, high: float) -> str:
    return f"{figure(low)} to {figure(high)} at 95%"


def answered_of(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Outcomes with an answer: neither an error nor handed on."""
    return tuple(o for o in outcomes if o.score is not None and not o.abstained)


def _coverage_lines(report: Report) -> list[str]:
    """What confidence is worth: the rate right among the surest, and the four cells, at a few shares answered."""
    curve = report.curve
    if curve is None or len(curve.threshold) < 2:
        return []
    places = {int((curve.coverage >= share).argmax()) for share in COVERAGES if curve.coverage[-1] > share}
    out: list[str] = []
    for i in sorted(places - {len(curve.threshold) - 1}, reverse=True):
        least = float(curve.threshold[i])
        cells = report.cells(least)
        said = [o for o in answered_of(report.outcomes) if o.answer and (o.answer.confidence or 0.0) >= least]
        if cells is not None:
            label = "coverage " if not out else ""
            held = f"held back {cells.held_right} right, {cells.held_wrong} wrong"
            sure = f"{curve.coverage[i]:.0%} from confidence {figure(least)} up"
            out.append(f"  {label:<9}  {sure}: {rate_text(said)}; {held}")
    return out


def figure(value: float, digits: int = 3) -> str:
    """A share in [0, 1] as people in the field write it: ".742", "1.000"."""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def rate(value: float) -> str:
    """.9 as ".90", .925 as ".925", 1 as "1.00", .003125 as ".00313": four decimals, more where it is small."""
    places = 4 if not 0 < value < 0.01 else 2 - math.floor(math.log10(value))
    text = f"{value:.{places}f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{'' if whole == '0' else whole}.{decimals.ljust(2, '0')}"


def _counts(report: Report) -> str:
    clusters = len({o.case.cluster for o in report.outcomes})
    per = f" of {clusters} {report.cluster_name}s" if report.cluster_name and clusters < report.n else ""
    return f"{report.n} cases{per}"


def _score(outcome: Outcome) -> float:
    assert outcome.score is not None
    return outcome.score.value


def _unfitted_json(outcomes: Sequence[Outcome]) -> dict[str, Json]:
    """The figures of cases that the solution was not fitted on."""
    scored = [o for o in outcomes if o.score is not None]
    between = interval_of(scored)
    return {
        "n": len(outcomes),
        "right": sum(o.right for o in outcomes),
        "score": statistics.fmean(map(_score, scored)) if scored else None,
        "interval95": None if between is None else list(between),
    }


def _kept(row: dict[str, Json]) -> dict[str, Json]:
    """The row with its long values cut to one line each."""
    return {k: shortened(v, TEXT_KEPT) if len(json.dumps(v, default=str)) > TEXT_KEPT else v for k, v in row.items()}
