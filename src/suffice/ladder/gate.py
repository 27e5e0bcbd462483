"""The gate: may this solution ship? On dev against a saved report at every commit, on sealed cases at a release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import escape, quoteattr

from suffice.arguments import AnyPath, validated
from suffice.errors import DataError, UsageError
from suffice.evals.compare import Comparison, paired
from suffice.evals.evaluate import evaluate, refuse_stopped
from suffice.evals.task import Task
from suffice.ladder.climb import climb
from suffice.ladder.rule import Rule
from suffice.ladder.rung import Rung, as_rung
from suffice.programs.learned import case_mark
from suffice.shown import harmless
from suffice.values import Verdict

SHARED = 0.9  # share of a report's cases that must still be dev, for a gate that pairs with it

ALWAYS = Rule(drop=-1.0, drop_from=0, send=2.0, send_from=0, send_at_end=-1.0, way_down=None)
"""The rule that spends a try whatever dev says."""


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gate says: a verdict with its sentence, and details that may be looked at."""

    name: str
    task: str
    verdict: Verdict
    sentence: str
    details: tuple[str, ...] = ()


async def gate_test(task: Task, solution: Any, *, anyway: bool = False, **options: Any) -> Gated:
    """The sealed claim for one solution: the ledger is asked first, so the same release again is a look-up.

    Dev comes first and spends nothing: a solution that dev shows to be hopeless spends no try unless `anyway`. The
    solution is judged as it is: where the task asks for a coverage, no threshold is put on a function's confidence.
    A bundle is held to its own tolerance and coverage, not the task's, where neither `options` nor the task say
    another bar: a gate asks whether what was shown of it still holds. What was claimed of some inputs alone says
    nothing about others, so a bundle with such a claim is held to the task's.
    `options` are those of `climb`. Raises what `climb` raises.
    """
    rung = as_rung(solution)
    options = {**_of_bundle(task, rung, options), **{k: v for k, v in options.items() if v is not None}}
    if not rung.learns and not rung.family:
        rung = replace(rung, as_is=True)
    decision = await climb(task, [rung], rule=ALWAYS if anyway else None, **options)
    row = decision.rungs[0]
    details = list(decision.advice)
    if row.tested is None and row.chance is not None and row.state != "paused" and not anyway:
        details.append(f"No try was spent: dev makes a PASS unlikely ({row.chance:.0%}). --anyway spends one.")
    return Gated(rung.name, task.name, decision.verdict, decision.sentence, tuple(details))


def _of_bundle(task: Task, rung: Rung, options: Mapping[str, Any]) -> dict[str, Any]:
    """The claim that a bundle was saved with, where neither the call nor the task asks for another bar."""
    claim: Mapping[str, Any] = rung.claim or {}
    if options.get("within") is not None or claim.get("kind") == "finite":
        return {}
    bar = options.get("bar") or task.bar or claim.get("bar")
    if claim.get("bar") is None or bar != claim["bar"]:
        return {}
    coverage = claim.get("coverage")
    return {"bar": bar, "tolerance": claim.get("tolerance"), "coverage": "max" if coverage == 0.0 else coverage}


async def gate_dev(
    task: Task,
    solution: Any,
    against: str | Path,
    *,
    margin: float = 0.05,
    instead: str = "suffice gate BUNDLE TASK",
    **options: Any,
) -> Gated:
    """Whether `solution` is not worse than a saved report by more than `margin` on the same dev cases, with the flips.

    PASS: the 95% interval of the paired difference (Tango 1998) lies above -margin, or nothing changed: the same
    solution scored the same; FAIL: it lies below. Cases that one of the two was fitted on are left out. Costs no alpha
    and claims nothing about future inputs. Raises DataError for a file that is no report, UsageError for another task,
    and where no case is left: what to type `instead` judges on sealed cases.
    """
    if not 0 < margin < 1:
        raise UsageError(f"a margin is a share between 0 and 1, not {margin:g}", hint="--margin .05")
    before = read_report(against)
    if before.get("identity") != getattr(solution, "identity", None) and _left(before, solution) < 2:
        raise _fitted(instead)  # before anything is called
    report = await evaluate(task, solution, **options)
    refuse_stopped(report)
    found = paired(before, report)
    if found.n < SHARED * len(before["cases"]):
        raise UsageError(
            f"the report was made on other dev cases: {found.n} of its {len(before['cases'])} are among the "
            f"{report.n} of today",
            hint="save a new one where the gate runs: `suffice eval TASK SOLUTION --save report.json`",
        )
    if before.get("identity") == report.identity and not found.gained and not found.lost:
        same = (
            f"`{report.solution}` is the solution of the report, and scores the same on the same {found.n} dev cases."
        )
        return Gated(report.solution, task.name, "PASS", same)
    judged = found.unfitted if any(found.fitted) else found
    if judged is None:
        raise _fitted(instead)
    verdict, sentence = _judged(judged, margin)
    details = _flips(judged)
    if judged is not found:
        left_out = f"{found.n - judged.n} of {found.n} dev cases are left out, because {_who(found)} fitted on them"
        details.insert(0, f"{left_out}; `{instead}` judges on sealed cases.")
    return Gated(report.solution, task.name, verdict, sentence, tuple(details))


def _judged(found: Comparison, margin: float) -> tuple[Verdict, str]:
    """The verdict on the difference, and its sentence."""
    low, high = found.interval
    verdict: Verdict = "PASS" if low > -margin else "FAIL" if high < -margin else "UNPROVEN"
    said = {
        "PASS": f"is not worse than {found.before} by more than {margin:g}",
        "FAIL": f"is worse than {found.before} by more than {margin:g}",
        "UNPROVEN": f"may or may not be worse than {found.before} by more than {margin:g}",
    }[verdict]
    between = f"{found.difference:+.3f} ({low:+.3f} to {high:+.3f} at 95%)"
    return verdict, f"`{found.after}` {said}: {between} on the same {found.n} dev cases."


def _left(before: Mapping[str, Any], solution: Any) -> int:
    """The cases of a report that neither its solution nor this one was fitted on, as far as is known beforehand."""
    learned: frozenset[str] = getattr(solution, "learned", frozenset())
    return sum(not row.get("fitted") and case_mark(row["key"]) not in learned for row in before["cases"])


def _fitted(instead: str) -> UsageError:
    return UsageError(
        "the solution, or that of the report, was fitted on these dev cases, so that they cannot judge it",
        hint=f"judge it on sealed cases: {instead}",
    )


def _who(found: Comparison) -> str:
    names = [f"`{n}`" for n, fitted in zip((found.before, found.after), found.fitted, strict=True) if fitted]
    return f"{' and '.join(names)} {'were' if len(names) > 1 else 'was'}"


@validated
def read_report(path: AnyPath) -> dict[str, Any]:
    """A report that `suffice eval --save` wrote. Raises DataError where it is none."""
    hint = "write one with `suffice eval TASK SOLUTION --save report.json`"
    try:
        found: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read the report: {error.strerror}", where=str(path), hint=hint) from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise DataError("this is not a saved report", where=str(path), hint=hint) from None
    if not isinstance(found, dict) or not {"suffice_report", "solution", "fingerprint", "cases"} <= found.keys():
        raise DataError("this is not a saved report", where=str(path), hint=hint)
    return cast("dict[str, Any]", found)


def junit_xml(gated: Gated) -> str:
    """The gate as a JUnit file: one test case, failed unless PASS."""
    failed = gated.verdict != "PASS"
    sentence, task, name = map(harmless, (gated.sentence, gated.task, gated.name))  # XML holds no control characters
    body = harmless("\n".join((gated.sentence, *gated.details)))
    fault = f"<failure message={quoteattr(sentence)}>{escape(body)}</failure>" if failed else ""
    out = "" if failed else f"<system-out>{escape(body)}</system-out>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites><testsuite name="suffice gate" tests="1" failures="{int(failed)}" errors="0">'
        f"<testcase classname={quoteattr(task)} name={quoteattr(name)}>{fault}{out}</testcase>"
        "</testsuite></testsuites>\n"
    )


def _flips(found: Comparison) -> list[str]:
    return str(found).splitlines()[3:]
