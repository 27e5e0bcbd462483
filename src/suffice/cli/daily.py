"""The daily verbs: `eval` and `compare`, on dev."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.flags import RunFlags, TaskFlags, shares, task_of

TaskPath = Annotated[Path, typer.Argument(metavar="TASK", help="A file of examples or a task folder.")]
Solution = Annotated[
    str, typer.Argument(metavar="SOLUTION", help="my.py:function, package.module:function, a bundle, words, constant.")
]


@shares
def eval_command(
    task: TaskPath,
    solution: Solution,
    split: Annotated[str, typer.Option("--split", help="dev or train.")] = "dev",
    failures: Annotated[int, typer.Option("--failures", help="How many failures to list.", min=0)] = 5,
    save: Annotated[Path | None, typer.Option("--save", help="Write the report as JSON, for gate --against.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report on stdout as JSON.")] = False,
    *,
    what: TaskFlags,
    how: RunFlags,
) -> None:
    """Score one solution on dev and look at its failures. Test stays sealed."""
    from suffice.evals.report import lines

    report = _evaluate(task_of(task, what), solution, split, how)
    if save is not None:
        report.save(save)
    print(json.dumps(report.to_json(), ensure_ascii=False) if as_json else "\n".join(lines(report, failures)))


@shares
def compare_command(
    task: TaskPath,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A solution, as in eval.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another one.")],
    *,
    what: TaskFlags,
    how: RunFlags,
) -> None:
    """Compare two solutions on the same dev cases and list every flip."""
    from suffice.evals.compare import paired

    loaded = task_of(task, what)
    reports = [_evaluate(loaded, s, "dev", how) for s in (before, after)]
    print(paired(*reports))


def _evaluate(task: Any, solution: str, split: str, how: RunFlags) -> Any:
    from suffice.cli.screen import console, counting
    from suffice.evals.evaluate import evaluate
    from suffice.ladder.rung import from_text
    from suffice.programs.bridge import run

    rung = from_text(solution, task.path)
    with console() as screen, counting(screen, rung.name, len(task.dev)) as done:
        call: Any = evaluate(task, rung, split=split, on_done=done, **how.options())  # type: ignore[arg-type]
        return run(call)
