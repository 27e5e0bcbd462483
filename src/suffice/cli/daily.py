"""The daily verbs: `eval` and `compare`, on dev."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.flags import ModelFlags, RunFlags, TaskFlags, shares, task_of
from suffice.cli.talk import data, data_json

TaskPath = Annotated[
    Path, typer.Argument(metavar="TASK", help="A file of examples (CSV, JSONL, ...) or a task folder.")
]
Solution = Annotated[
    str,
    typer.Argument(metavar="SOLUTION", help="my.py:function, package.module:function, a bundle, words, constant."),
]


@shares
def eval_command(
    task: TaskPath,
    solution: Solution,
    split: Annotated[str, typer.Option("--split", help="dev or train; test is sealed.")] = "dev",
    failures: Annotated[int, typer.Option("--failures", help="How many failures to list.", min=0)] = 5,
    save: Annotated[Path | None, typer.Option("--save", help="Write the report as JSON, for gate --against.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report on stdout as JSON.")] = False,
    *,
    what: TaskFlags,
    how: RunFlags,
    calls: ModelFlags,
) -> None:
    """Score one solution on dev and look at its failures. Test stays sealed."""
    from suffice.cli.guest import aside
    from suffice.cli.places import check_file
    from suffice.errors import SolutionError
    from suffice.evals.evaluate import evaluate
    from suffice.evals.report import lines
    from suffice.ladder.rung import from_text

    check_file(save, "--save")
    loaded, place = task_of(task, what), Path.cwd()
    paid = calls.options()
    with aside():
        rung = from_text(solution, loaded.path)

    def call(on_done: Any) -> Any:
        return evaluate(loaded, rung, split=split, on_done=on_done, **how.options(), **paid)  # type: ignore[arg-type]

    report = counted_run(call, loaded, [rung], split)
    if save is not None:
        report.save(place / save)
    if as_json:
        data_json(report.to_json())
    else:
        data("\n".join(lines(report, failures)))
    if report.stopped:
        raise SolutionError(report.stopped, hint="mend it and run the same command: calls that failed are asked again")


@shares
def compare_command(
    task: TaskPath,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A solution, as in eval.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another one.")],
    *,
    what: TaskFlags,
    how: RunFlags,
    calls: ModelFlags,
) -> None:
    """Compare two solutions on the same dev cases and list every flip."""
    from suffice.cli.guest import aside
    from suffice.evals.compare import compare
    from suffice.ladder.rung import from_text

    loaded = task_of(task, what)
    paid = calls.options()
    with aside():
        both = [from_text(text, loaded.path) for text in (before, after)]

    def call(on_done: Any) -> Any:
        return compare(loaded, *both, on_done=on_done, **how.options(), **paid)

    data(str(counted_run(call, loaded, both, "dev")))


def counted_run(call: Any, task: Any, rungs: list[Any], split: str) -> Any:
    """The result of `call(on_done)`, awaited under a progress bar over the split's cases, once for each rung."""
    from suffice.cli.guest import aside
    from suffice.cli.screen import console, counting
    from suffice.programs.bridge import run

    with aside(), console() as screen:
        total = {"dev": len(task.dev), "train": len(task.train)}.get(split)
        with counting(screen, " and ".join(r.name for r in rungs), total and total * len(rungs)) as done:
            return run(call(done))
