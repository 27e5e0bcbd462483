"""The verb `advise`: what dev failures have in common, which labels may be wrong, and what is worth trying next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.daily import TaskPath
from suffice.cli.flags import TaskFlags, shares, task_of
from suffice.cli.talk import data, data_json, talk
from suffice.shown import one_line, shown

COST = "What a small model would save"
UNKNOWN = "SOLUTION"
"""Stands for what to type, where an evaluation does not know it."""
FLAGS = ("expected", "id", "cluster", "kind", "encoding")


def _price(name: str, help: str) -> Any:
    return typer.Option(name, help=help, rich_help_panel=COST, show_default=False)


@shares
def advise_command(
    task: TaskPath,
    solution: Annotated[
        str | None,
        typer.Argument(metavar="SOLUTION", help="As typed in eval, or the run: eval-7 (default: the latest)."),
    ] = None,
    most: Annotated[int, typer.Option("--most", help="How many possible label errors to show.", min=0)] = 10,
    price: Annotated[
        float | None, _price("--price-per-1000", "US dollars for 1,000 cases now (default: as recorded).")
    ] = None,
    fixed: Annotated[
        float | None, _price("--fixed-per-month", "US dollars a month for the small model; shows the break-even.")
    ] = None,
    small: Annotated[float | None, _price("--small-per-1000", "US dollars for 1,000 cases on it (default: 0).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything on stdout as JSON.")] = False,
    *,
    what: TaskFlags,
) -> None:
    """Say what dev failures share, and what to try next.

    Looks at the latest evaluation of the task, asks no model and claims nothing. Sealed cases have no part in it.
    """
    from suffice.cli.guest import aside
    from suffice.errors import UsageError
    from suffice.ladder.advice import advice_lines, advice_of
    from suffice.ladder.advice_cost import break_even_lines
    from suffice.ladder.noise import noise_lines
    from suffice.store.database import open_store

    if fixed is None and (price is not None or small is not None):
        raise UsageError("a break-even needs what the small model costs a month", hint="--fixed-per-month 200")
    with open_store() as store, aside():
        run = _evaluation(store, task, solution)
        loaded = _read(task, what, run)
        done = _evaluated(store, run, loaded, what, solution)
        even = None if fixed is None else _break_even(price, fixed, small or 0.0, done)
        noise = _noise(store, loaded)
    if done is None:
        talk(f"there is no evaluation of {loaded.name} yet: suffice eval {shlex.quote(str(task))} SOLUTION")
    advice = [] if done is None else advice_of(done, noise)
    if done is not None and done.solution == UNKNOWN and any(UNKNOWN in one.command for one in advice):
        talk(f"{UNKNOWN} stands for {done.report['solution']}: its evaluation does not know how it is typed")
    if as_json:
        data_json(_json(done, advice, noise, even))
        return
    lines = noise_lines(noise, most) if done is None else advice_lines(done, advice, noise, most)
    data("\n".join([*lines, *(break_even_lines(even) if even is not None else [])]))


def _evaluation(store: Any, task: Path, solution: str | None) -> Any:
    """The latest finished dev evaluation of the task at this path, of this solution or with this id; None where none
    was asked for and there is none. Raises UsageError."""
    from suffice.errors import UsageError
    from suffice.store.runs import list_runs

    path = task.expanduser()
    place = str((path.parent if path.name == "task.toml" else path).absolute())
    found = [
        run
        for run in list_runs(store, "eval", 10_000)
        if run.state == "done" and run.settings.get("path") == place and run.settings.get("split") == "dev"
    ]
    if solution is None:
        return found[0] if found else None
    names = {solution, solution.rpartition(":")[2], Path(solution).stem}
    for run in found:
        if run.id == solution or run.settings["solution"] in names:
            return run
    known = ", ".join(dict.fromkeys(run.settings["solution"] for run in found))
    is_run = re.fullmatch(r"[a-z]+-\d+", solution)
    again = next((_as_typed(run) for run in found), UNKNOWN) if is_run else solution
    raise UsageError(
        f"{shown(solution)} was not evaluated on the dev cases of {task}" + (f"; these were: {known}" if known else ""),
        hint=f"suffice eval {shlex.quote(str(task))} {one_line(shlex.quote(again))}",
    )


def _read(task: Path, what: TaskFlags, run: Any) -> Any:
    """The task as the flags say; where none is given, as the evaluation read it."""
    from suffice.evals.task import Task

    if run is None or replace(what, trust=False) != TaskFlags():
        return task_of(task, what)
    said: dict[str, Any] = {**run.settings["options"], "trust": what.trust}
    return Task.load(task, **said)


def _evaluated(store: Any, run: Any, task: Any, what: TaskFlags, typed: str | None) -> Any:
    from suffice.evals.recalled import recalled
    from suffice.ladder.advice import Evaluated

    if run is None:
        return None
    report: Any = recalled(store, run, trust=what.trust)
    for note in report["notes"]:
        talk(f"note: {note}")
    name = _as_typed(run)
    name = typed if name == UNKNOWN and typed and typed != run.id else name
    return Evaluated(report, _typed(task), shlex.quote(name), "" if task.bar is not None else " --bar .9")


def _as_typed(run: Any) -> str:
    """The solution of an evaluation as it is typed in a command, where that is known."""
    from suffice.ladder.rung import BUILT_IN

    name: str = run.settings["solution"]
    said: str | None = run.settings.get("typed")
    return said or (name if name in BUILT_IN else UNKNOWN)


def _typed(task: Any) -> str:
    """The task with its flags, as it is typed. A folder says them itself."""
    said: Mapping[str, Any] = {} if task.path.is_dir() else task.options
    words = [str(task.path)]
    if said.get("inputs"):
        inputs = said["inputs"]
        words += ["--input", inputs if isinstance(inputs, str) else ",".join(inputs)]
    for name in FLAGS:
        words += [f"--{name}", str(said[name])] if said.get(name) else []
    words += ["--grader", task.grader.name] if said.get("grader") else []
    words += [flag for flag, name in (("--nothing", "nothing"), ("--skip-bad", "skip_bad")) if said.get(name)]
    return shlex.join(words)


def _noise(store: Any, task: Any) -> Any:
    from suffice.cli.screen import console
    from suffice.evals.seal import cases_for_looking, look
    from suffice.ladder.noise import label_noise
    from suffice.programs.bridge import run

    note = look(store, task)
    if note is not None:
        talk(f"note: {note}")
    cases = (*task.train, *cases_for_looking(store, task))
    with console() as screen, screen.status("asking the rungs that learn, out of fold"):
        return run(label_noise(task, cases))


def _break_even(price: float | None, fixed: float, small: float, done: Any) -> Any:
    from suffice.errors import UsageError
    from suffice.ladder.advice_cost import break_even

    if price is not None:
        return break_even(price, fixed, small)
    report: Any = {} if done is None else done.report
    cost: Any = report.get("cost") or {}
    usd = cost.get("usd_per_1000")
    if usd is None:
        raise UsageError("no price of a case is recorded: say what 1,000 cases cost now", hint="--price-per-1000 1.20")
    bound = ", at most" if cost.get("at_most") else ""
    return break_even(usd, fixed, small, f"recorded in {report['run']}{bound}")


def _json(done: Any, advice: Any, noise: Any, even: Any) -> dict[str, Any]:
    return {
        "run": None if done is None else done.report["run"],
        "solution": None if done is None else done.report["solution"],
        "failures": None if done is None else done.failures.to_json(),
        "advice": [one.to_json() for one in advice],
        "label_noise": {
            "n": len(noise.ranked),
            "witnesses": [{"name": w.name, "right": w.right, "n": w.n} for w in noise.witnesses],
            "left_out": dict(noise.left_out),
            "suspects": [s.to_json() for s in noise.suspects],
        },
        "break_even": None if even is None else even.to_json(),
    }
