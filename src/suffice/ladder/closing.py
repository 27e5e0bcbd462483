"""How a climb ends: the decision with its sentence, the advice when nothing passed, and the evidence for the page."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from suffice.evals.confusion import confusion, said_in
from suffice.evals.cost import spent_json
from suffice.evals.reviewed import unreviewed_notes
from suffice.ladder import sentence
from suffice.ladder.decision import Climbed, Decision, dev_score_text
from suffice.ladder.evidence import largest_coverage
from suffice.ladder.state import Candidate, Climb, DevRun
from suffice.programs.solution import Solution
from suffice.stats.ledger import TOTAL
from suffice.stats.plan import cases_to_settle
from suffice.stats.predict import clocked
from suffice.stats.selective import coverage_curve
from suffice.store import calls
from suffice.values import NO_COST, Json, Outcome, Verdict
from suffice.values import to_json as value_json

CURVE_POINTS = 200
SCORES_KEPT = 2_000
UNTOUCHED = "valid only if, as you said, nobody tuned on these cases or picked by them"
PROGRAMS = ("function", "workflow", "chain", "refine")  # forms of what may make several calls for a case
FAILURES_KEPT = 200  # dev failures that a run remembers for its page


def decide(c: Climb, winner: int | None) -> Decision:
    """The decision after the last move."""
    advice = _remarks(c)
    if winner is None:
        return _undecided(c, advice)
    for other in c.rows:
        if other.tested is not None and other.tested.paused:  # on the way down
            advice.append(sentence.decided(other.candidate, c.stated, other.tested, None))
    row = c.rows[winner]
    tested = row.tested
    assert tested is not None
    candidate = c.candidates[winner]
    cost = tested.cost or row.cost  # a verdict of an older version has none of its own
    note = next((m.rung.note for m, _ in candidate.kept if m.rung.note), "")
    seen_share = row.dev_answered / row.dev_seen if row.dev_seen else None
    if c.stated.open and not c.options.get("untouched"):
        shown = sentence.if_untouched(sentence.decided(row.candidate, c.stated, tested, seen_share, note))
        return _without(c, "UNPROVEN", shown, advice, winner)
    note = f"{note}; {UNTOUCHED}" if c.stated.open else note
    return Decision(
        task=c.task.name,
        verdict="PASS",
        sentence=sentence.decided(row.candidate, c.stated, tested, seen_share, note) + sentence.costs(cost),
        claim=c.stated,
        rungs=tuple(c.rows),
        solution=replace(c.solutions[winner], name=row.candidate),
        members=tuple(m.rung for m, _ in candidate.kept),
        bound=tested.bound,
        share=tested.share,
        error=tested.alpha,
        cost=None if cost is None else cost.usd,
        cost_at_most=cost is not None and cost.at_most,
        cost_between=None if cost is None else cost.between,
        spent=calls.spent(c.store, c.run),
        run=c.run,
        advice=tuple(advice),
        settings=c.settings,
        pages=_pages(c, winner),
    )


def to_json_decision(decision: Decision) -> dict[str, Json]:
    """What a run remembers of its decision."""
    return {
        "suffice_decision": 1,
        "task": decision.task,
        "verdict": decision.verdict,
        "sentence": decision.sentence,
        "claim": {**decision.claim.to_json(), "n": decision.claim.n},
        "bound": decision.bound,
        "share": decision.share,
        "error": decision.error,
        "cost_usd": decision.cost,
        "cost_at_most": decision.cost_at_most,
        "cost_usd_interval95": None if decision.cost_between is None else list(decision.cost_between),
        "spent": None if decision.spent is None else spent_json(decision.spent),
        "run": decision.run,
        "advice": list(decision.advice),
        "settings": decision.settings,
        "rungs": [_row_json(r) for r in decision.rungs],
        "pages": decision.pages,
    }


def _row_json(row: Climbed) -> dict[str, Json]:
    cost = None if row.cost is None else row.cost.to_json()
    return {**asdict(row), "cost": cost, "thresholds": list(row.thresholds), "dev_score": row.dev_score}


def _remarks(c: Climb) -> list[str]:
    """What to know whatever was decided: calls paid twice, verdicts that were looked up, rungs that paused."""
    out: list[str] = [f"Mind: {note}." for note in unreviewed_notes(c.task.notes)]
    twice = max(c.tally.sent_again, calls.spent(c.store, c.run).open)  # at the last kill, at all of them
    if twice:
        out.append(f"{twice} calls that were in flight when the run was cut off were possibly paid twice.")
    for row in c.rows:
        tested = row.tested
        if tested is not None and tested.known and tested.verdict == "PASS":
            out.append(f"Known: decided on {sentence.when(tested.at)}; the same candidate again costs no try.")
        elif tested is not None and tested.known:
            out.append(f"{row.candidate}: this verdict is {sentence.when(tested.at)}'s; look at `--dev` to do better.")
        elif row.state == "changed":
            out.append(
                f"{row.name}: {row.note}. A changed solution is another one: give it a change in its source, too."
            )
        elif row.state == "paused" and row.note:
            out.append(f"{row.name} paused: {row.note}; mend that and run the same command again.")
        elif row.unseen:
            out.append(
                f"{row.name}: {row.note}. Its chance is unknown, and no try was spent; `suffice gate` with --anyway "
                "spends one."
            )
    return out


def _undecided(c: Climb, advice: list[str]) -> Decision:
    last = _last_tested(c)
    verdict: Verdict = "UNPROVEN"
    if last is not None and last.tested is not None:
        verdict = last.tested.verdict
        said = sentence.decided(last.candidate, c.stated, last.tested, None)
    elif c.options.get("dev_only"):
        said = _ready(c)
    elif any(r.state == "paused" for r in c.rows):
        names = ", ".join(f"`{r.name}`" for r in c.rows if r.state == "paused")
        said = f"{names} paused on dev: too many calls gave no answer; mend that and run the same command again."
    elif all(r.unseen for r in c.rows):
        said = f"dev shows nothing of {', '.join(f'`{r.name}`' for r in c.rows)}, which was fitted on it."
    elif all(r.state == "not tried" for r in c.rows):
        said = f"nothing could be tried: {c.rows[0].name}: {c.rows[0].note}."
    else:
        said = f"nothing looked likely enough on dev to spend a try on ({sentence.rate(c.stated.bar)} was asked)."
    if c.options.get("dev_only") and _likely(c) is not None:
        verdict, said = "UNPROVEN", _ready(c)
    closest = _closest(c)
    if closest is not None and not (c.options.get("dev_only") and _likely(c)):
        advice += _what_next(c, closest)
    return _without(c, verdict, said, advice, closest)


def _without(c: Climb, verdict: Verdict, said: str, advice: list[str], closest: int | None) -> Decision:
    """A decision that gives no solution; the page shows the dev evidence of the `closest` rung."""
    return Decision(
        task=c.task.name,
        verdict=verdict,
        sentence=said,
        claim=c.stated,
        rungs=tuple(c.rows),
        spent=calls.spent(c.store, c.run),
        run=c.run,
        advice=tuple(advice),
        settings=c.settings,
        pages=_pages(c, closest) if closest is not None else {},
    )


def _last_tested(c: Climb) -> Climbed | None:
    """The rung whose verdict speaks for a climb in which none passed: a paused or an unproven one before a refuted one,
    because as long as one is undecided it is not shown that nothing suffices; then the hardest."""
    tested = [r for r in c.rows if r.tested is not None]
    weight = {"paused": 2, "UNPROVEN": 1}
    return max(reversed(tested), key=lambda r: weight.get(r.state, 0), default=None)


def _likely(c: Climb) -> Climbed | None:
    return next((r for r in c.rows if r.state == "to test"), None)


def _ready(c: Climb) -> str:
    row = _likely(c)
    if row is None or row.chance is None:
        return "on dev, no candidate is likely enough to spend a try on."
    line = sentence.before_test(len(c.passed) + 1, c.alpha, TOTAL, row.chance)
    return f"`{row.candidate}` is ready for test ({line}); the same command without --dev decides."


def _closest(c: Climb) -> int | None:
    """The rung whose candidate came closest on dev: the best predicted chance, then the best dev score."""
    seen = [k for k in c.candidates if c.rows[k].dev_seen]
    return max(seen, key=lambda k: (c.candidates[k].fit.chance, c.rows[k].dev_score or 0.0), default=None)


def _what_next(c: Climb, k: int) -> list[str]:
    row, claim = c.rows[k], c.claim()
    right, seen = row.dev_right, row.dev_answered if c.stated.coverage is not None else row.dev_seen
    score = dev_score_text(row) or f"{right} of {seen} right"
    time = clocked(c.candidates[k].fit.showing)
    timed = "" if time is None else f"{time.totals.sum():.0f} of {time.cases.sum()}"
    score += f", {timed} calls in time" if timed else ""
    out = [f"Closest on dev: `{row.candidate}`, {score}, predicted chance of a PASS {row.chance or 0:.0%}."]
    if row.tested is not None and row.tested.late and row.tested.verdict == "UNPROVEN":
        shown = f"{timed} dev calls were in time" if timed else "no time of a dev call is known"
        mend = "make it faster, allow more (--p95), or call fewer side by side (--concurrency)"
        out.append(f"The time limit was not shown: {shown}; {mend}.")
    best = _largest_coverage(c)
    if best is not None:
        name, share, rate = best
        shown = int(100 * share)
        out.append(
            f"What could be claimed: `{name}` answers {share:.0%} of dev with {sentence.score(rate)} right; "
            f"try --coverage {max(shown - 5, 1) / 100:g} and hand the rest to a person."
        )
    unproven = row.tested is not None and row.tested.verdict == "UNPROVEN"
    if unproven and c.stated.coverage is None and not c.stated.finite:
        fresh = cases_to_settle(c.candidates[k].fit.showing, claim)
        out.append(
            f"About {fresh:,} fresh test {c.stated.units} would settle it (from dev, at 80%)."
            if fresh is not None
            else "No number of test cases up to 100,000 would settle it: it lies too close to the bar."
        )
    return out


def _largest_coverage(c: Climb) -> tuple[str, float, float] | None:
    """The candidate with the largest coverage whose claim among answered cases would likely pass."""
    if c.stated.coverage == 0.0:
        return None
    best: tuple[str, float, float] | None = None
    for candidate in c.candidates.values():
        if not candidate.members[-1].evidence.hands_on:
            continue
        fit = largest_coverage([m.evidence for m in candidate.members], c.claim())
        if fit is None:
            continue
        share = float(fit.answered.mean())
        if best is None or share > best[1]:
            name = Candidate(candidate.members, fit).name
            best = name, share, float(fit.right.sum() / fit.answered.sum())
    return best if best is not None and best[1] < 1.0 else None


def _pages(c: Climb, k: int) -> dict[str, Json]:
    """Dev evidence for the report page: confusion, failures with text, and the coverage curve. Nothing from test."""
    candidate = c.candidates[k]
    answers = _composed(candidate)
    wrong = [(o, by) for o, by in answers if not o.right and not o.abstained]
    return {
        "candidate": c.rows[k].candidate,
        "confusion": confusion(said_in(o) for o, _ in answers),
        "failures": [_failure(o, by) for o, by in wrong[:FAILURES_KEPT]],
        "failures_total": len(wrong),
        "recorded": [
            {"name": r.solution.name, "identity": r.solution.identity}
            for r in c.runs.values()
            if r.solution is not None and _looked_up(r, r.solution)
        ],
        "curve": _curve(candidate),
        "scores": _scores(candidate, among_answered=c.stated.coverage is not None),
        "thresholds": [t for _, t in candidate.kept],
        "members": [m.rung.name for m, _ in candidate.kept],
    }


def _looked_up(run: DevRun, solution: Solution) -> bool:
    """Whether it is a program of which nothing could be traced, because every answer on dev was recorded before."""
    if solution.replays or (solution.form is not None and solution.form.kind not in PROGRAMS):
        return False
    done = run.evidence.outcomes
    return any(o.cost != NO_COST for o in done) and all(o.recorded for o in done)


def _composed(candidate: Candidate) -> list[tuple[Outcome, str]]:
    """What the route did on each dev case that it did not hand on to a person, and which member did it."""
    return [(asked[-1][1], asked[-1][0].rung.name) for asked, kept in candidate.walked() if kept]


def _failure(outcome: Outcome, by: str) -> dict[str, Json]:
    return {
        "source": outcome.case.source,
        "inputs": outcome.case.inputs,
        "expected": value_json(outcome.case.expected),
        "answer": value_json(outcome.answer.value) if outcome.answer is not None else None,
        "confidence": outcome.answer.confidence if outcome.answer is not None else None,
        "reason": outcome.score.reason
        if outcome.score is not None
        else (outcome.failure.message if outcome.failure else ""),
        "error": None if outcome.failure is None else f"{outcome.failure.kind}: {outcome.failure.message}",
        "by": by,
    }


def _scores(candidate: Candidate, *, among_answered: bool) -> list[list[float]]:
    """For each unit of dev the sum of its scores, and of how many cases these are."""
    showing = candidate.fit.showing
    counted = showing.answered if among_answered else showing.cases
    return np.stack([showing.totals, counted], axis=1)[:SCORES_KEPT].tolist()


def _curve(candidate: Candidate) -> list[list[float]]:
    evidence = candidate.members[-1].evidence
    if not evidence.confident:
        return []
    sure, right = evidence.confidence[evidence.answered], evidence.right[evidence.answered]
    curve = coverage_curve(sure.tolist(), right.tolist(), len(evidence))
    rows = np.stack([curve.coverage, curve.rate, curve.threshold], axis=1)
    if len(rows) > CURVE_POINTS:
        rows = rows[np.linspace(0, len(rows) - 1, CURVE_POINTS).astype(int)]
    return rows.tolist()
