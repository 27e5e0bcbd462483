"""The verbs of programs: `trace`, `questions`, `answer`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suffice.cli.talk import data, data_json, talk

if TYPE_CHECKING:
    from suffice.errors import UsageError
    from suffice.spans import Span
    from suffice.store.runs import Run

WIDE = 52  # characters of a span's name with the lines of the tree before it


def trace_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="An eval, a climb, or a durable run: its id.")],
    case: Annotated[
        str | None, typer.Argument(metavar="CASE", help="A dev case of an eval or a climb: FILE:LINE, or its id.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON: an object; of a case that was asked several times a list of them.")
    ] = False,
) -> None:
    """Print what a program did: a tree with times and costs.

    Seconds, tokens and US dollars of every step, tool and call. What took the longest time from the beginning to the
    end is marked with >. Of a durable run that has not ended it says what was done, what failed, and what was begun and
    has no result.
    """
    from suffice.spans import span_json
    from suffice.store.database import open_store

    with open_store() as store:
        found = _trees(store, run, case)
    if as_json:
        trees = [span_json(root) for root in found]
        data_json(trees[0] if len(trees) == 1 else trees, indent=1)
        return
    for root in found:
        for line in tree_lines(root):
            data(line)


def questions_command(as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False) -> None:
    """List the durable runs that wait for a person.

    Each question of a run that asks several at once has its number, for `suffice answer --question`.
    """
    from suffice.programs.durable import questions
    from suffice.shown import one_line

    waiting = questions()
    for at, asked in [(run, question) for run in waiting for question in run.questions]:
        if as_json:
            told = {"number": asked.number, "question": asked.question, "choices": list(asked.choices)}
            data_json({"run": at.run, "id": at.id, **told})
            continue
        number = f", question {asked.number}" if len(at.questions) > 1 else ""
        choices = f" ({', '.join(asked.choices)})" if asked.choices else ""
        data(one_line(f"{at.run:<11} {at.id}  {at.program}{number}: {asked.question}{choices}"))
    if not waiting:
        talk("nobody waits for an answer")


def answer_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="As `suffice questions` lists it, or its id.")],
    text: Annotated[str, typer.Argument(metavar="ANSWER", help="One of its choices, where it has some.")],
    question: Annotated[
        int | None,
        typer.Option("--question", metavar="N", help="The number of what it answers (default: the first that waits)."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Put it in the place of the last answer, if the run has not gone on from that."),
    ] = False,
) -> None:
    """Answer what a durable run asks.

    It goes on when its program is run again. Another answer than was given already is refused without --replace.
    """
    from suffice.programs.durable import answer

    at = answer(run, text, question=question, replace=replace)
    left = at.questions
    more = f"; it asks one thing more: {at.question}" if left else ""
    if len(left) > 1:
        more = f"; it asks {len(left):,} things more, question {left[0].number} first: {at.question}"
    talk(f"{at.run} has its answer{more or ': run its program again, and it goes on from there'}")


def run_named(store: Any, name: str) -> Run:
    """The run with this name in `suffice runs`, or the durable run with this id. Raises UsageError, StoreError."""
    from suffice.store.runs import get_run, latest

    return latest(store, "program", name) or get_run(store, name)


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
    from suffice.shown import brief, counted
    from suffice.store.traces import runs_with, traces

    at = run_named(store, run)
    every = traces(store, at.id)
    if at.kind == "program":
        return [_durable_tree(store, at, every[0] if every else None)]
    if case is None and not every:
        raise _untraced(store, at)
    if case is None:
        many = len({root.note for root in every})
        raise UsageError(f"of {at.id} {counted(many, 'case')} {_kept(many)}: name one", hint=_first(at.id, every))
    found = [root for root in every if case in (root.note, root.source)]
    if not found:
        others = [name for name in runs_with(store, case) if name != at.id]
        if not others and not every:
            raise _untraced(store, at)
        other = f"suffice trace {others[0]} {shlex.quote(case)}" if others else _first(at.id, every)
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
    return f"suffice trace {run} {shlex.quote(named[0])}"


def _durable_tree(store: Any, at: Run, kept: Span | None) -> Span:
    """The tree of a durable run: of one that is done as it was kept, else of what it has recorded. Raises UsageError
    where nothing is."""
    from suffice.errors import UsageError
    from suffice.programs.durable.questions import standing
    from suffice.store.effect_record import load
    from suffice.store.traces import tree_of_effects

    effects = load(store, at.id)
    if kept is not None and (at.state == "done" or not effects):
        return kept
    state = standing(store, at, effects).state
    if state == "forgotten":
        raise UsageError(f"what {at.id} did was forgotten", hint="a new run needs a new id")
    if not effects:
        hint = "look again later" if state == "running" else "run its program"
        raise UsageError(f"{at.id} is {state} and has done nothing yet: no call, tool or question", hint=hint)
    root = tree_of_effects(at.task, effects, kept)
    root.note, root.error = state, kept.error if kept is not None and state == "failed" else None
    return root


def _untraced(store: Any, at: Run) -> UsageError:
    """Why no case of an eval or a climb has a tree, and what to type for one."""
    from suffice.errors import UsageError
    from suffice.store.traces import asked_itself, runs_of

    result: Any = at.result or {}
    settings: Any = at.settings or {}
    none = f"of {at.id} no case has a trace"
    if at.kind not in ("eval", "climb"):
        why = "one is kept of dev cases of an evaluation or a climb, and of durable runs"
        return UsageError(f"{none}: {why}", hint="suffice runs lists them")
    if at.state == "done" and not {"suffice_report", "suffice_decision"} & result.keys():
        return UsageError(f"{none}: they were forgotten, or not kept (store.keep)", hint=f"suffice show {at.id}")
    if asked_itself(store, at.id):
        return UsageError(f"{none}: a single call has none", hint="suffice trace is for programs of several steps")
    names = [name for name in (settings.get("solution"), *settings.get("rungs", ())) if name]
    others = [name for name in runs_of(store, at.task, names) if name != at.id]
    if others:
        why = f"its answers were recorded earlier, by {others[0]}"
        return UsageError(f"{none}: {why}", hint=f"suffice trace {others[0]} CASE")
    if at.state != "done":
        return UsageError(f"{none}: it is {at.state} and has asked nothing yet", hint="run the same command again")
    why = "it asked nothing itself, and an answer that was recorded earlier leaves none"
    return UsageError(f"{none}: {why}", hint="the same command with --fresh asks again")
