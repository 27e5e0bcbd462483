"""Whether dev shows a solution at its bar: what a test run at every commit goes by. It spends no sealed case.

The rule is that of `gate --on dev`, with the bar in the place of a saved report: PASS where the 95% interval lies at or
above bar - tolerance, FAIL where it lies below, else UNPROVEN.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from suffice.errors import BarError, UsageError
from suffice.evals.evaluate import refuse_stopped
from suffice.evals.repeats import repeats_text
from suffice.evals.report import Report, by_cluster, figure, interval_of, rate, shortened
from suffice.evals.task import Task
from suffice.ladder.gate import Gated
from suffice.shown import with_first
from suffice.stats.plan import default_tolerance
from suffice.values import Outcome, Score, Verdict

Part = tuple[str, float, tuple[float, float] | None, float]
"""What is asked for: its name, the figure, its interval (None: too few cases), and the least that is enough."""


def judged_at_bar(task: Task, report: Report, failures: int = 5) -> Gated:
    """What `report` on dev shows about the task's bar, tolerance and coverage, with the first failures.

    A call that failed counts as wrong, cases that the solution was fitted on are left out, and of a case that was
    asked several times the mean counts. Where a coverage is asked, the bar is about the answered, and so many must be;
    each of several calls for a case then counts by itself, and the intervals take them as a cluster.
    Says nothing about inputs that dev was tuned on. Raises UsageError without a bar or without a case, BarError for
    impossible shares, SolutionError where the evaluation was stopped.
    """
    refuse_stopped(report)
    bar = task.bar
    if bar is None:
        raise UsageError("how good is good enough? There is no bar", hint="bar=.9, or bar = 0.9 in task.toml")
    judged = [i for i, o in enumerate(report.outcomes) if o.case.id not in report.fitted]
    if task.coverage is None:
        counted = [_counted(report, i) for i in judged]
    else:  # a case may be answered once and handed on the next time, so each call is one, and its case the cluster
        counted = [_scored(call) for i in judged for call in report.asked[i]]
    if not counted:
        raise UsageError(f"`{report.solution}` was fitted on all of these dev cases", hint='judge it with on="test"')
    tolerance = _tolerance(task, bar, counted)
    least = round(bar - tolerance, 10)
    answered = [o for o in counted if not o.abstained] if task.coverage is not None else counted
    parts = [_part("right" if not task.grader.graded else "score", answered, least)]
    if task.coverage not in (None, "max"):
        parts.append(_part("answered", [_flag(o, not o.abstained) for o in counted], float(task.coverage)))
    verdict = _verdict(parts)
    what = "calls" if report.samples and task.coverage is not None else "cases"
    said = "; ".join(_text(part, len(answered if i == 0 else counted), what) for i, part in enumerate(parts))
    asked = f"at least {rate(least)} asked (bar {rate(bar)}, tolerance {rate(tolerance)})"
    words = {"PASS": "is good enough", "FAIL": "is too weak", "UNPROVEN": "may or may not be good enough"}
    sentence = f"`{report.solution}` {words[verdict]} on {report.split}: {said}; {asked}"
    return Gated(report.solution, task.name, verdict, sentence, tuple(_details(report, verdict, failures)))


def _counted(report: Report, i: int) -> Outcome:
    """A case as it counts here: with a score in any event."""
    scores = [o.score.value for o in map(_scored, report.asked[i]) if o.score is not None]
    return replace(report.outcomes[i], score=Score(statistics.fmean(scores)))


def _scored(call: Outcome) -> Outcome:
    return call if call.score is not None else replace(call, score=Score(0.0))


def _flag(outcome: Outcome, yes: bool) -> Outcome:
    return replace(outcome, score=Score(float(yes)))


def _tolerance(task: Task, bar: float, counted: Sequence[Outcome]) -> float:
    """The task's, else what so many cases resolve."""
    if task.tolerance is not None:
        if task.tolerance >= bar:
            raise BarError(f"a tolerance must lie between 0 and the bar {bar:g}, not {task.tolerance:g}")
        return task.tolerance
    clusters = len({o.case.cluster for o in counted})
    exact = clusters == len(counted) and all(o.score is not None and o.score.value in (0.0, 1.0) for o in counted)
    return default_tolerance(bar, clusters, exact=exact)


def _part(name: str, outcomes: Sequence[Outcome], least: float) -> Part:
    mean = statistics.fmean(o.score.value for o in outcomes if o.score is not None) if outcomes else 0.0
    return name, mean, interval_of(outcomes) if outcomes else None, least


def _verdict(parts: Sequence[Part]) -> Verdict:
    if any(between is not None and between[1] < least for _, _, between, least in parts):
        return "FAIL"
    return "PASS" if all(between is not None and between[0] >= least for _, _, between, least in parts) else "UNPROVEN"


def _text(part: Part, n: int, what: str) -> str:
    name, mean, between, _ = part
    ends = "too few cases for an interval" if between is None else "{} to {} at 95%".format(*map(figure, between))
    return f"{figure(mean)} {name} ({ends}) of {n} {what}"


def _details(report: Report, verdict: Verdict, most: int) -> list[str]:
    said = [f"repeats: {repeats_text(report.samples)}"] if report.samples else []
    if report.fitted:
        of = f"{len(report.fitted)} of {report.n} cases{by_cluster(report.cluster_name)}"
        said.append(f"left out: {of}, which it was fitted on")
    if verdict == "UNPROVEN":
        said.append("what would settle it: more dev cases, a wider tolerance, or a better solution")
    wrong = [*report.failures, *(o for o in report.outcomes if o.failure is not None)]
    if verdict != "PASS" and wrong:
        said.append(f"wrong: {with_first(len(wrong), most)}")
        said += [f"  {o.case.source}  {_why(o)}  | {shortened(o.case.inputs)}" for o in wrong[:most]]
    return said


def _why(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return shortened(f"{outcome.failure.kind}: {outcome.failure.message}", 200)
    return shortened(outcome.score.reason, 200) if outcome.score is not None else ""
