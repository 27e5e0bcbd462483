"""The verb that begins: `init` makes a task folder, from a file, from production logs, or from what is typed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.talk import data, talk
from suffice.shown import brief

ARROW = "=>"


def init_command(
    folder: Annotated[Path | None, typer.Argument(metavar="FOLDER", help="The folder to make.")] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="CSV, JSONL, ... with examples; or logs: OpenAI requests with responses, OpenTelemetry spans. "
            "Repeatable: a batch's two files.",
        ),
    ] = None,
    example: Annotated[
        list[str] | None, typer.Option("--example", help='A case, as "input => expected"; repeatable.')
    ] = None,
    columns: Annotated[str | None, typer.Option("--input", help="Input column, or several: subject,body.")] = None,
    expected: Annotated[str | None, typer.Option("--expected", help="Expected answer's column.")] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Column of cases that belong together: customer.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="label, number, choice, text or fields (default: inferred).")
    ] = None,
    bar: Annotated[float | None, typer.Option("--bar", help="Share right that suffices, 0 to 1.")] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="A blank expected value means: nothing applies.")] = False,
    by: Annotated[
        str | None, typer.Option("--by", help="Who gave the expected answers: people or model (logs: model).")
    ] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="Encoding of the file (default: UTF-8).")] = None,
) -> None:
    """Make a task folder from a file, logs or a few questions.

    Writes task.toml and cases.jsonl, and says what is to know of the cases: duplicates, leakage, conflicts. What is
    not said is asked for in a terminal. Nothing is overwritten.
    """
    from suffice.errors import UsageError
    from suffice.evals.options import checked
    from suffice.evals.start import check_new, start

    asks = sys.stdin.isatty()
    place = folder or (Path(_ask("Name of the new folder")) if asks else None)
    if place is None:
        raise UsageError("which folder is to be made?", hint="suffice init FOLDER --from FILE")
    check_new(place)
    said: dict[str, Any] = {"kind": kind, "bar": bar, "nothing": nothing or None}
    checked(said)
    roles = {
        "inputs": [c.strip() for c in columns.split(",")] if columns else None,
        "expected": expected,
        "cluster": cluster,
    }
    files = source or ([] if example or not asks else _asked_file())
    draft = _draft(files, example or [], roles, by, encoding)
    if asks and bar is None:
        said["bar"] = _asked_bar()
    started = start(place, draft, said)
    talk(repr(started.task))
    for line in started.lines:
        talk(f"  note: {line}")
    data(f"wrote {place}: {len(draft.rows):,} rows in cases.jsonl, and task.toml")
    data(f"next: {shlex.join(['suffice', 'plan', str(place)])}" + ("" if started.task.bar is not None else " --bar .9"))


def _draft(files: list[Path], examples: list[str], roles: dict[str, Any], by: str | None, encoding: str | None) -> Any:
    from suffice.errors import DataError, UsageError
    from suffice.evals.logs import is_log
    from suffice.evals.read import gather, read_file
    from suffice.evals.start import of_examples, of_log, of_table

    if by not in (None, "people", "model"):
        raise UsageError(f"--by is people or model, not {brief(by)}", hint="--by model: answers that nobody looked at")
    if not files:
        return of_examples([_pair(text) for text in examples] or (_typed() if sys.stdin.isatty() else []))
    if examples:
        raise UsageError("--example and --from are two ways to begin", hint="keep one of them")
    tables = [read_file(path, encoding=encoding) for path in files]
    table = tables[0] if len(tables) == 1 else gather(item for t in tables for item in (*t.rows, *t.bad))
    if is_log(table):
        if by == "people":
            raise UsageError("in a log a model gave the answers", hint="leave --by out; mark cases as reviewed later")
        return of_log(table)
    asks = sys.stdin.isatty()
    if by is None and asks:
        by = (
            "model" if _ask("Who gave the expected answers, people or a model?", "people").startswith("m") else "people"
        )
    who: Any = by or "people"
    try:
        return of_table(table, roles, who)
    except DataError as error:
        if not asks or (roles["inputs"] and roles["expected"]):
            raise
        talk(f"{error.message}")
        given = _ask("Input column, or several: subject,body")
        wanted = _ask("Column of the expected answer")
        return of_table(table, {**roles, "inputs": [c.strip() for c in given.split(",")], "expected": wanted}, who)


def _pair(text: str) -> tuple[str, str]:
    from suffice.errors import UsageError

    given, arrow, wanted = text.partition(ARROW)
    if not arrow or not given.strip():
        raise UsageError(
            f"an example is an input and its answer, not {brief(text)}", hint=f'--example "2 + 2 {ARROW} 4"'
        )
    return given.strip(), wanted.strip()


def _typed() -> list[tuple[str, str]]:
    """Cases as they are typed, until a blank one."""
    talk("type some examples; a blank input ends")
    pairs: list[tuple[str, str]] = []
    while given := _ask("Input", "").strip():
        pairs.append((given, _ask("  Expected answer", "").strip()))
    return pairs


def _asked_file() -> list[Path]:
    told = _ask("File of examples or logs (blank: type some here)", "").strip()
    return [Path(told).expanduser()] if told else []


def _asked_bar() -> float | None:
    from suffice.errors import UsageError
    from suffice.evals.options import checked

    while told := _ask("Share right that would suffice, 0 to 1 (blank: say it later)", "").strip():
        try:
            return checked({"bar": float(told)}).get("bar")
        except (ValueError, UsageError):
            talk("a share between 0 and 1, as in .9")
    return None


def _ask(question: str, default: str | None = None) -> str:
    """What is typed in answer to a question."""
    found: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
    return found
