"""The verbs of programs: `trace`, `questions`, `answer`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suffice.cli.talk import data, data_json, talk

if TYPE_CHECKING:
    from suffice.spans import Span

WIDE = 52  # characters of a span's name with the lines of the tree before it


def trace_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="An eval, a climb, or a durable run: its id.")],
    case: Annotated[
        str | None, typer.Argument(metavar="CASE", help="A dev case of an eval or a climb: FILE:LINE, or its id.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print what a program did: a tree with times and costs.

    Seconds, tokens and US dollars of every step, tool and call. What took the longest time from the beginning to the
    end is marked with >.
    """
    from suffice.spans import span_json
    from suffice.store.database import open_store

    with open_store() as store:
        found = _trees(store, run, case)
    for root in found:
        if as_json:
            data_json(span_json(root), indent=1)
            continue
        for line in tree_lines(root):
            data(line)


def questions_command(as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False) -> None:
    """List the durable runs that wait for a person."""
    from suffice.programs.durable import questions
    from suffice.shown import one_line

    waiting = questions()
    for at in waiting:
        if as_json:
            data_json({"run": at.run, "id": at.id, "question": at.question, "choices": list(at.choices)})
            continue
        choices = f" ({', '.join(at.choices)})" if at.choices else ""
        data(one_line(f"{at.run:<11} {at.id}  {at.program}: {at.question}{choices}"))
    if not waiting:
        talk("nobody waits for an answer")


def answer_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="As `suffice questions` lists it, or its id.")],
    text: Annotated[str, typer.Argument(metavar="ANSWER", help="One of its choices, where it has some.")],
) -> None:
    """Answer what a durable run asks.

    It goes on when its program is run again.
    """
    from suffice.programs.durable import answer

    at = answer(run, text)
    more = f"; it asks one thing more: {at.question}" if at.question else ""
    talk(f"{at.run} has its answer{more or ': run its program again, and it goes on from there'}")


def tree_lines(root: Span) -> Iterator[str]:
    """The tree, a line each: name, seconds, tokens in and out, US dollars, and what was special."""
    on_path = set(map(id, root.critical_path()))

    def lines(span: Span, before: str, join: str) -> Iterator[str]:
        mark = ">" if id(span) in on_path else " "
        yield f"{mark} {before + join + span.name:<{WIDE}.{WIDE}} {_figures(span)}".rstrip()
        inside = before + {"": "", "├─ ": "│  ", "└─ ": "   "}[join]
        for child in span.children:
            yield from lines(child, inside, "└─ " if child is span.children[-1] else "├─ ")

    from suffice.shown import one_line

    return map(one_line, lines(root, "", ""))


def _figures(span: Span) -> str:
    from suffice.values import NO_COST

    time = "not ended" if span.seconds is None else f"{span.seconds:.3f} s"
    spent, words = span.spent, [span.kind]
    tokens = f"{spent.input_tokens or 0:,} + {spent.output_tokens or 0:,}" if spent != NO_COST else ""
    usd = "" if spent == NO_COST or spent.usd is None else f"${spent.usd:.6f}"
    words += ["recorded"] if span.cached else []
    words += [span.error] if span.error else []
    words += [word for word in (span.source, span.note) if word]
    return f"{time:>10} {tokens:>15} {usd:>11}  {', '.join(words)}"


def _trees(store: Any, run: str, case: str | None) -> list[Span]:
    """The trees that are meant. Raises UsageError where there are none, with the run that has some."""
    from suffice.errors import UsageError
    from suffice.programs.durable.questions import found_run
    from suffice.shown import brief, counted
    from suffice.store.runs import get_run
    from suffice.store.traces import runs_with, traces

    at = found_run(store, run) or get_run(store, run)
    every = traces(store, at.id)
    if at.kind == "program":
        if every:
            return every
        raise UsageError(f"{at.id} has done nothing yet", hint="run its program")
    if case is None:
        many = len({root.note for root in every})
        raise UsageError(f"of {at.id} {counted(many, 'case')} {_kept(many)}: name one", hint=_first(at.id, every))
    found = [root for root in every if case in (root.note, root.source)]
    if not found:
        others = [n for n in runs_with(store, case) if not at.id.endswith(f"-{n}")]
        other = f"suffice trace {_name(store, others[0])} {shlex.quote(case)}" if others else _first(at.id, every)
        raise UsageError(
            f"{at.id} has no trace of {brief(case)}: one is kept of a dev case where a program made several calls",
            hint=other,
        )
    return found


def _kept(many: int) -> str:
    return "has a trace" if many == 1 else "have a trace"


def _first(run: str, every: list[Span]) -> str:
    """What to type for the first case that has a tree, by its place where that is known."""
    named = [root.source or root.note or "" for root in every]
    if not named:
        return "a single call has none: suffice trace is for programs of several steps"
    return f"suffice trace {run} {shlex.quote(named[0])}"


def _name(store: Any, number: int) -> str:
    from suffice.store.runs import list_runs

    return next(run.id for run in list_runs(store, limit=1_000_000) if run.id.endswith(f"-{number}"))
