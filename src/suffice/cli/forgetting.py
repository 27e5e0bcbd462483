"""The verb that forgets, `forget`, and the line that says what a run will not keep."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.flags import TaskFlags, shares, task_of
from suffice.cli.talk import data, talk
from suffice.shown import brief, shown

Step = Callable[[Any, bool], Any]
"""Removes something from a store, or only counts it."""
Cut = tuple[Path, int, bytes]
"""A tape, how many of its lines go, and what is left of it."""
SECONDS = {"h": 3_600, "d": 86_400, "w": 604_800}
SAID = {
    "hashes": "store.keep is hashes: no texts are kept, so an interrupted run asks its dev cases and rows again",
    "off": "store.keep is off: no answers are kept, so an interrupted run asks its dev cases and rows again",
}


def say_keep() -> None:
    """Say in a line what is not kept, where suffice.toml says so."""
    from suffice.models.places.settings import settings

    keep = settings().store_keep
    if keep in SAID:
        talk(SAID[keep])


@shares
def forget_command(
    task: Annotated[
        Path | None, typer.Argument(metavar="TASK", help="Where --case is: a file of examples or a task folder.")
    ] = None,
    case: Annotated[list[str] | None, typer.Option("--case", help="A case: FILE:LINE, or its id; repeatable.")] = None,
    older: Annotated[
        str | None, typer.Option("--older", help="Everything recorded longer ago than this: 30d, 12h, 8w.")
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="A run: climb-7, or the id of a durable one; repeatable.")
    ] = None,
    tape: Annotated[
        list[Path] | None, typer.Option("--tape", help="A recording to take the case out of, too; repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    *,
    what: TaskFlags,
) -> None:
    """Remove a case, a run, or what is old, from the store.

    The texts go from answers, cached replies, failures, results and telemetry, and from the bytes of the file. The
    ledger stays: hashes and counts, without which no claim would be honest. Your own files are not touched, but for
    each --tape. A durable run that is forgotten asks nothing any more and cannot go on.
    """
    from suffice.errors import UsageError
    from suffice.store.database import open_store, store_file
    from suffice.store.forget import erase, forget_older, forget_run

    if [bool(case), bool(older), bool(run)].count(True) != 1:
        hint = "suffice forget TASK --case ID, or --older 30d, or --run program-3"
        raise UsageError("say what to forget: a case or an age, or a run", hint=hint)
    if case and task is None:
        raise UsageError("a case is one of a task", hint=f"suffice forget TASK --case {shown(case[0])}")
    if not case and (task is not None or tape):
        whole = "--older is for the whole store" if older else "--run is for what a run recorded in the store"
        raise UsageError(whole, hint="of a task or a tape, forget cases: --case ID")
    before = time.time() - _seconds(older) if older else 0.0
    if not store_file().is_file() and not tape:
        raise UsageError("there is no store here", hint="SUFFICE_HOME says where it is", where=str(store_file()))
    if older:
        steps: list[Step] = [lambda store, really: forget_older(store, before, really=really)]
        cuts: list[Cut] = []
    elif run:
        steps, cuts = [lambda store, really, one=one: forget_run(store, one, really=really) for one in run], []
    else:
        assert task is not None
        steps, cuts = _of_cases(task_of(task, what), case or [], tape or [])
    with open_store() as store:
        counts = _counts([step(store, False) for step in steps], cuts)
        if not _agreed(counts, yes):
            talk("nothing was removed")
            return
        counts = _counts([step(store, True) for step in steps], cuts)
        for path, lines, rest in cuts:
            _cut(path, lines, rest)
        clean = erase(store)
    data(f"removed {counts}; the ledger of cases shown, tries and sealed scores stays as it was")
    if not clean:
        talk("another program has the store open: the bytes leave its log when it ends, or run the same command again")
    talk("not touched: your data files, saved pages and reports, bundles (they may hold examples), other recordings")


def _of_cases(task: Any, names: list[str], tapes: list[Path]) -> tuple[list[Step], list[Cut]]:
    """What removes each case, and the tapes without them."""
    from suffice.evals.forget import case_of, forget_case, tape_without

    cases = [case_of(task, name) for name in names]
    steps: list[Step] = [lambda store, really, one=one: forget_case(store, one, really=really) for one in cases]
    short = [one.case.id for one in cases if not one.telling]
    if short:
        talk(f"too short to be looked for inside of other texts: {', '.join(short)}; its own records are removed")
    return steps, [(path, *tape_without(path, cases)) for path in tapes]


def _cut(path: Path, lines: int, rest: bytes) -> None:
    from suffice.evals.forget import write_tape

    if lines:
        write_tape(path, rest)


def _counts(found: list[Any], cuts: list[Cut]) -> str:
    """ "3 answers, 2 cached replies, 1 line of tapes", or "nothing"."""
    from suffice.shown import counted

    nouns = {
        "answers": ("answer", "answers"),
        "replies": ("cached reply", "cached replies"),
        "failures": ("failure", "failures"),
        "effects": ("recorded effect", "recorded effects"),
        "runs": ("run's texts", "runs' texts"),
        "served": ("row of telemetry", "rows of telemetry"),
    }
    told = [counted(n, *nouns[name]) for name in nouns if (n := sum(getattr(one, name) for one in found))]
    lines = sum(n for _, n, _ in cuts)
    told += [counted(lines, "line of tapes", "lines of tapes")] if lines else []
    return ", ".join(told) or "nothing"


def _agreed(counts: str, yes: bool) -> bool:
    from suffice.errors import UsageError

    if yes or counts == "nothing":
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"this removes {counts} for good", hint="add --yes to do it")
    return typer.confirm(f"This removes {counts} for good. Go on?", err=True)


def _seconds(age: str) -> float:
    from suffice.errors import UsageError

    found = re.fullmatch(r"(\d{1,6})\s*([hdw])", age.strip().lower())
    if found is None:
        raise UsageError(f"an age is a number of hours, days or weeks, not {brief(age)}", hint="--older 30d")
    return int(found[1]) * SECONDS[found[2]]
