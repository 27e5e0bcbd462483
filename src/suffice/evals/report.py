"""A report: what one solution did on cases that may be looked at. No figure without its n and its interval."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suffice.errors import DataError, MissingExtra
from suffice.stats.intervals import mean_interval, wilson, wilson_clustered
from suffice.values import Json, Outcome, Split, to_json


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
    run: str = ""
    possibly_paid_twice: int = 0
    stopped: str = ""  # why it ended before the last case, if it did
    fitted_on: str = ""  # "143 train cases" for a rung that learns

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
    def errors(self) -> tuple[Outcome, ...]:
        """Calls that gave no answer."""
        return tuple(o for o in self.outcomes if o.failure is not None)

    @property
    def abstained(self) -> tuple[Outcome, ...]:
        """Cases that the solution handed on."""
        return tuple(o for o in self.outcomes if o.abstained)

    @property
    def score(self) -> float | None:
        """Mean score of the graded cases in [0, 1]; None where there is none."""
        return statistics.fmean(_score(o) for o in self.graded) if self.graded else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% Wilson interval of the score, widened for clusters; None below two graded cases."""
        return interval_of(self.graded)

    @property
    def seconds(self) -> tuple[float, float] | None:
        """Median and 95th percentile of a call's seconds, calls made now only; None where there were none."""
        times = sorted(o.seconds for o in self.outcomes if o.seconds is not None and not o.recorded)
        if not times:
            return None
        return statistics.median(times), times[min(len(times) - 1, int(0.95 * len(times)))]

    def to_json(self) -> dict[str, Json]:
        """Everything, as JSON: what `save` writes and `gate --on dev --against` reads."""
        low_high = self.interval
        return {
            "suffice_report": 1,
            "task": self.task,
            "fingerprint": self.fingerprint,
            "solution": self.solution,
            "identity": self.identity,
            "split": self.split,
            "n": self.n,
            "score": self.score,
            "interval95": None if low_high is None else list(low_high),
            "right": sum(o.right for o in self.outcomes),
            "errors": len(self.errors),
            "abstained": len(self.abstained),
            "run": self.run,
            "cases": [_row(o) for o in self.outcomes],
        }

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, to look at or to compare with later."""
        text = json.dumps(self.to_json(), ensure_ascii=False, indent=1)
        try:
            Path(path).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot write the report: {error.strerror}", where=str(path)) from None

    def to_frame(self) -> Any:
        """A pandas DataFrame, a row a case. Raises MissingExtra without pandas."""
        try:
            import pandas
        except ImportError:
            raise MissingExtra("to_frame needs pandas", hint="pip install pandas") from None
        return pandas.DataFrame([_row(o) for o in self.outcomes])

    def __str__(self) -> str:
        return "\n".join(lines(self))


def interval_of(outcomes: Sequence[Outcome], level: float = 0.95) -> tuple[float, float] | None:
    """The interval of the mean score over `outcomes` with scores: Wilson's for right and wrong, widened by the design
    effect of clusters; Student's for graded scores. None where the cases (or clusters) are too few to say."""
    scores = [_score(o) for o in outcomes]
    groups: dict[str, list[float]] = {}
    for outcome, score in zip(outcomes, scores, strict=True):
        groups.setdefault(outcome.case.cluster, []).append(score)
    try:
        if any(score not in (0.0, 1.0) for score in scores):
            found = mean_interval(scores, level, clusters=[o.case.cluster for o in outcomes])
        elif len(groups) == len(scores):
            found = wilson(int(sum(scores)), len(scores), level)
        else:
            found = wilson_clustered([int(sum(g)) for g in groups.values()], [len(g) for g in groups.values()], level)
    except ValueError:
        return None
    return found.low, found.high


def lines(report: Report, failures: int = 5) -> list[str]:
    """The report in plain text, with the first `failures` failures."""
    head = f"{report.solution} on {report.task}, {report.split} ({_counts(report)})"
    out = [head, f"  score      {score_text(report)}"]
    if report.fitted_on:
        out.append(f"  fitted on  {report.fitted_on}")
    if report.errors:
        kinds = Counter(o.failure.kind for o in report.errors if o.failure)
        out.append(
            f"  errors     {len(report.errors)} of {report.n}: {', '.join(f'{n} {k}' for k, n in kinds.items())}"
        )
        first = report.errors[0]
        out.append(f"             first: {first.case.source}: {first.failure.message if first.failure else ''}")
    if report.abstained:
        out.append(f"  handed on  {len(report.abstained)} of {report.n}")
    out.append(f"  latency    {latency_text(report)}")
    if report.possibly_paid_twice:
        out.append(f"  note       {report.possibly_paid_twice} calls of an interrupted run were possibly paid twice")
    if report.stopped:
        out.append(f"  stopped    {report.stopped}")
    if report.failures:
        out.append(f"  failures   {len(report.failures)}" + (f", the first {failures}:" if failures else ""))
        for outcome in report.failures[:failures]:
            reason = outcome.score.reason if outcome.score else ""
            out.append(f"    {outcome.case.source}  {reason}  | {shortened(outcome.case.inputs)}")
    return out


def score_text(report: Report) -> str:
    """ ".742 (.674 to .801 at 95%), 138 of 186 right": a mean never travels alone."""
    score, between = report.score, report.interval
    right = sum(o.right for o in report.graded)
    if score is None:
        return "unknown: no call gave an answer"
    if between is None:
        return f"{right} of {len(report.graded)} right: too few cases for an interval"
    among = " answered calls" if report.errors else ""
    low, high = map(figure, between)
    return f"{figure(score)} ({low} to {high} at 95%), {right} of {len(report.graded)}{among} right"


def latency_text(report: Report) -> str:
    """ "median 1.2 ms, p95 3.4 ms (180 calls)", or that everything came from the journal."""
    times = report.seconds
    if times is None:
        return "not measured: every answer was recorded earlier"
    called = sum(not o.recorded for o in report.outcomes)
    again = f", {report.n - called} recorded earlier" if called < report.n else ""
    return f"median {duration(times[0])}, p95 {duration(times[1])} ({called} calls{again})"


def figure(value: float, digits: int = 3) -> str:
    """A share in [0, 1] as people in the field write it: ".742", "1.000"."""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def shortened(value: Json, width: int = 100) -> str:
    """One line of a value, cut at `width` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _counts(report: Report) -> str:
    clusters = len({o.case.cluster for o in report.outcomes})
    per = f" of {clusters} {report.cluster_name}s" if report.cluster_name and clusters < report.n else ""
    return f"{report.n} cases{per}"


def _score(outcome: Outcome) -> float:
    assert outcome.score is not None
    return outcome.score.value


def _row(outcome: Outcome) -> dict[str, Json]:
    answer, score, failure = outcome.answer, outcome.score, outcome.failure
    return {
        "id": outcome.case.id,
        "key": outcome.case.key,
        "source": outcome.case.source,
        "inputs": outcome.case.inputs,
        "expected": to_json(outcome.case.expected),
        "answer": None if answer is None else to_json(answer.value),
        "confidence": None if answer is None else answer.confidence,
        "by": None if answer is None else answer.by,
        "score": None if score is None else score.value,
        "reason": "" if score is None else score.reason,
        "error": None if failure is None else f"{failure.kind}: {failure.message}",
        "seconds": outcome.seconds,
    }
