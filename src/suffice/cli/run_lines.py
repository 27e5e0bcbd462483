"""What is recorded of a run, in a few lines: what was asked, what it ended in, and what to type to see more."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from suffice.shown import counted, one_line, shown

if TYPE_CHECKING:
    from suffice.programs.durable import Question, Status
    from suffice.store.effect_record import Recorded
    from suffice.store.runs import Run


def run_lines(run: Run, said: str) -> list[str]:
    """The run as rows of a label and a text; `said` is what it ended in. The whole of it is `show --json`."""
    result: Mapping[str, Any] = run.result or {}
    rungs: list[Any] = [
        rung for rung in result.get("rungs") or () if not isinstance(rung, str)
    ]  # names of a failed one
    settings: Mapping[str, Any] = run.settings or {}
    rows = [
        ("run", f"{run.id}, {run.state}, {time.strftime('%Y-%m-%d %H:%M', time.localtime(run.started))}"),
        ("task", run.task),
        ("command", settings.get("command")),
        ("claim", _claimed(result.get("claim") or settings.get("claim"), result)),
        ("ended in" if run.state == "done" else "so far", said),
        *(("rung", _rung(rung)) for rung in rungs),
        *(("advice", line) for line in result.get("advice") or ()),
        *(("note", note) for note in result.get("notes") or ()),
        ("more", _more(run, result)),
    ]
    return _rows(rows)


def program_lines(run: Run, at: Status, effects: Sequence[Recorded]) -> list[str]:
    """A durable run as such rows: where it stands, what it asks, how many effects it has by their state, its result."""
    result: Mapping[str, Any] = run.result or {}
    asks = [_asking(question, len(at.questions) > 1) for question in at.questions]
    answer = f"suffice answer {run.id} ANSWER; " if asks else ""
    rows = [
        ("run", f"{run.id}, {at.state}, {time.strftime('%Y-%m-%d %H:%M', time.localtime(run.started))}"),
        ("id", at.id),
        ("program", at.program),
        *(("asks", question) for question in asks),
        ("effects", ", ".join(f"{n:,} {state}" for state, n in _by_state(effects).items()) or "none"),
        ("spent", f"${at.usd:.6f}" if at.usd else ""),
        ("result", shown(result["value"], 500) if "value" in result else ""),
        ("more", f"{answer}suffice trace {run.id} is what it did; suffice show {run.id} --json is all of it"),
    ]
    return _rows(rows)


def program_json(run: Run, at: Status, effects: Sequence[Recorded]) -> dict[str, Any]:
    """The same as JSON, with its arguments."""
    return {
        "run": run.id,
        "id": at.id,
        "program": at.program,
        "state": at.state,
        "questions": [asdict(question) for question in at.questions],
        "effects": _by_state(effects),
        "again": at.again,
        "usd": at.usd,
        "settings": run.settings,
        "result": run.result,
    }


def _asking(question: Question, numbered: bool) -> str:
    """ "question 2: Ship it? (yes, no)"."""
    number = f"question {question.number}: " if numbered else ""
    choices = f" ({', '.join(question.choices)})" if question.choices else ""
    return f"{number}{question.question}{choices}"


def _by_state(effects: Sequence[Recorded]) -> dict[str, int]:
    return dict(sorted(Counter(effect.state for effect in effects).items()))


def _rows(rows: Sequence[tuple[str, Any]]) -> list[str]:
    return [f"{label:<10} {one_line(str(text))}" for label, text in rows if text]


def _claimed(told: Mapping[str, Any] | None, result: Mapping[str, Any]) -> str:
    """ "bar 0.9, tolerance 0.05, coverage 0.6; 300 sealed, one per customer; error 0.025"; "" where there is none."""
    if not told:
        return ""
    named = [(name, told.get(name)) for name in ("bar", "tolerance", "coverage", "p95", "within", "of")]
    if told.get("within") is not None:
        named = named[3:]
    said = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in named
        if value is not None
    )
    n = told.get("n")
    per = f", one per {told['per']}" if told.get("per") and told.get("most", 1) == 1 else ""
    error = f"; error {result['error']:g}" if isinstance(result.get("error"), float) else ""
    return f"{said}{'' if n is None else f'; {n:,} sealed'}{per}{error}"


def _rung(rung: dict[str, Any]) -> str:
    """ "words > triage: to test; dev 179 right of 250 answered, 432 seen; PASS after 445 sealed"."""
    tested: Mapping[str, Any] = rung.get("tested") or {}
    seen, answered = rung.get("dev_seen") or 0, rung.get("dev_answered") or 0
    among = f"{answered:,} answered, {seen:,} seen" if answered < seen else f"{seen:,}"
    dev = f"; dev {rung.get('dev_right') or 0:,} right of {among}" if seen else ""
    met = f"; {tested.get('verdict')} after {counted(tested['used'], 'sealed case')}" if "used" in tested else ""
    note = f"; {rung['note']}" if rung.get("note") else ""
    return f"{rung.get('candidate') or rung.get('name')}: {rung.get('state')}{dev}{met}{note}"


def _more(run: Run, result: Mapping[str, Any]) -> str:
    """What shows the rest of it."""
    paged = bool({"suffice_decision", "suffice_report"} & result.keys())
    page = f"suffice report {run.id} makes a page; suffice view {run.id} shows every dev case; " if paged else ""
    return f"{page}suffice show {run.id} --json is all of it"
