"""The daily verbs: `eval` and `compare`, on dev."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.flags import ModelFlags, RunFlags, TaskFlags, rung_of, shares, task_of
from suffice.cli.talk import data, data_json, talk

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
    save: Annotated[
        list[Path] | None,
        typer.Option(
            "--save",
            "--out",
            "-o",
            help="Write .json for gate --against, or cases as .jsonl, .csv, .parquet, .eval (Inspect AI); repeatable.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="How often to ask each case.", min=1, max=1000)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report on stdout as JSON.")] = False,
    *,
    what: TaskFlags,
    how: RunFlags,
    calls: ModelFlags,
) -> None:
    """Score one solution on dev and look at its failures. Test stays sealed."""
    from suffice.cli.guest import aside
    from suffice.cli.places import check_file
    from suffice.evals.evaluate import evaluate, refuse_stopped
    from suffice.evals.export import check_saves
    from suffice.evals.report import lines

    for path in save or []:
        check_file(path, "--save")
        check_saves(path)
    loaded, place = task_of(task, what), Path.cwd()
    paid = calls.options()
    with aside():
        rung = rung_of(solution, loaded, calls)

    def call(**heard: Any) -> Any:
        options = {"repeats": repeats, **how.options(), **paid, **heard}
        return evaluate(loaded, rung, split=split, **options)  # type: ignore[arg-type]

    report = counted_run(call, loaded, [rung] * repeats, split)
    for path in save or []:
        report.save(place / path)
    if as_json:
        data_json(report.to_json())
    else:
        data("\n".join(lines(report, failures)))
        talk(f"run {report.run}: suffice view {report.run} shows every case")
    refuse_stopped(report)


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
    """Compare two solutions on dev, and list every flip."""
    from suffice.cli.guest import aside
    from suffice.evals.compare import compare

    loaded = task_of(task, what)
    paid = calls.options()
    with aside():
        both = [rung_of(text, loaded, calls) for text in (before, after)]

    def call(**heard: Any) -> Any:
        return compare(loaded, *both, **how.options(), **paid, **heard)

    data(str(counted_run(call, loaded, both, "dev")))


def counted_run(call: Any, task: Any, rungs: list[Any], split: str) -> Any:
    """The result of `call(on_done=, on_line=)`, awaited under a progress bar over the split's cases, once for each
    rung; lines are printed above it."""
    from rich.text import Text

    from suffice.cli.forgetting import say_keep
    from suffice.cli.guest import aside
    from suffice.cli.screen import console, counting
    from suffice.programs.bridge import run
    from suffice.shown import harmless

    say_keep()
    with aside(), console() as screen:

        def line(text: str) -> None:
            screen.print(Text(harmless(text)), soft_wrap=True)

        total = {"dev": len(task.dev), "train": len(task.train)}.get(split)
        with counting(screen, " and ".join(dict.fromkeys(r.name for r in rungs)), total and total * len(rungs)) as done:
            return run(call(on_done=done, on_line=line))
