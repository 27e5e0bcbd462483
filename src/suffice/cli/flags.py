"""Flags that several commands share, as frozen settings: `@shares` lets a command take a group as one parameter."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import typing
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from suffice.cli.talk import talk
from suffice.shown import brief

F = TypeVar("F", bound=Callable[..., Any])

TASK = "What the task is"
CLAIM = "What is claimed"
RUN = "How it runs"


def _option(*names: str, help: str, panel: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=False)


@dataclass(frozen=True, slots=True)
class TaskFlags:
    """How to read the task; everything unsaid is inferred and shown."""

    input: Annotated[
        str | None,
        _option("--input", help="Input column, or several: subject,body.", panel=TASK),
    ] = None
    expected: Annotated[
        str | None, _option("--expected", help="Expected answer's column (default: usual names).", panel=TASK)
    ] = None
    id: Annotated[str | None, _option("--id", help="Column of unique names, or none.", panel=TASK)] = None
    cluster: Annotated[
        str | None, _option("--cluster", help="Column of cases that belong together: customer.", panel=TASK)
    ] = None
    kind: Annotated[str | None, _option("--kind", help="label, number, choice, text or fields.", panel=TASK)] = None
    grader: Annotated[
        str | None,
        _option(
            "--grader",
            help="text, number, … of docs/graders.md (default: by kind).",
            panel=TASK,
        ),
    ] = None
    nothing: Annotated[
        bool, _option("--nothing", help="A blank expected value means: nothing applies.", panel=TASK)
    ] = False
    encoding: Annotated[
        str | None,
        _option("--encoding", help="Encoding of the file (default: UTF-8).", panel=TASK),
    ] = None
    skip_bad: Annotated[bool, _option("--skip-bad", help="Leave bad rows out and count them.", panel=TASK)] = False
    trust: Annotated[bool, _option("--trust", help="Run the task folder's grader, or model code.", panel=TASK)] = False

    def options(self) -> dict[str, Any]:
        """As keyword options of `Task.load`."""
        columns = [c.strip() for c in self.input.split(",")] if self.input else None
        return {
            "inputs": columns,
            "expected": self.expected,
            "id": self.id,
            "cluster": self.cluster,
            "kind": self.kind,
            "grader": self.grader,
            "nothing": self.nothing or None,
            "encoding": self.encoding,
            "skip_bad": self.skip_bad,
            "trust": self.trust,
        }


@dataclass(frozen=True, slots=True)
class ClaimFlags:
    """The bar, and what belongs to it."""

    bar: Annotated[
        float | None,
        _option("--bar", help="Share right, 0 to 1 (default: the task's).", panel=CLAIM),
    ] = None
    tolerance: Annotated[
        float | None,
        _option(
            "--tolerance",
            help="How far below the bar may still be shown, 0 to 1 (default: what these cases resolve).",
            panel=CLAIM,
        ),
    ] = None
    coverage: Annotated[
        str | None,
        _option(
            "--coverage",
            help="Share of inputs to answer, or max (default: all).",
            panel=CLAIM,
        ),
    ] = None

    p95: Annotated[
        float | None, _option("--p95", help="Seconds within which 95% of calls must end, too.", panel=CLAIM)
    ] = None
    within: Annotated[
        float | None, _option("--within", help="A relative bar: at most so much worse than --of.", panel=CLAIM)
    ] = None
    of: Annotated[str | None, _option("--of", help="What --within compares with, as SOLUTION.", panel=CLAIM)] = None
    finite: Annotated[
        bool, _option("--finite", help="A claim about these inputs alone, all there are.", panel=CLAIM)
    ] = False

    def options(self) -> dict[str, Any]:
        """As keyword options of a task."""
        return {"bar": self.bar, "tolerance": self.tolerance, "coverage": share(self.coverage)}

    def asked(self) -> dict[str, Any]:
        """As keyword options of `climb` and `plan`."""
        return {**self.options(), "p95": self.p95, "within": self.within, "of": self.of, "finite": self.finite}


@dataclass(frozen=True, slots=True)
class RunFlags:
    """How solutions are called."""

    concurrency: Annotated[
        int, typer.Option("--concurrency", help="Calls side by side.", rich_help_panel=RUN, min=1, max=1024)
    ] = 8
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds a call may take.", rich_help_panel=RUN, min=0.001)
    ] = 120.0
    fresh: Annotated[bool, _option("--fresh", help="Call again although the answer is recorded.", panel=RUN)] = False

    def options(self) -> dict[str, Any]:
        """As keyword options of `evaluate` and `climb`."""
        return {"concurrency": self.concurrency, "timeout": self.timeout, "fresh": self.fresh}


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """Which model steps and prompts call, and what that may cost."""

    model: Annotated[
        str | None,
        _option(
            "--model",
            help="For prompts, steps, bundles: openai:gpt-5-mini.",
            panel=RUN,
        ),
    ] = None
    budget: Annotated[float | None, _option("--budget", help="US dollars for all model calls together.", panel=RUN)] = (
        None
    )
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            help="Most output tokens; bundles keep theirs.",
            rich_help_panel=RUN,
            show_default=False,
            min=1,
        ),
    ] = None

    def around(self) -> AbstractContextManager[object]:
        """What the command runs in: its prompts and steps ask with the cap that is said. Raises UsageError."""
        if self.max_tokens is None:
            return nullcontext()
        from suffice.errors import UsageError
        from suffice.models.model import Model
        from suffice.programs.using import model_configured, using

        name = self.model or model_configured()
        if not name:
            raise UsageError("--max-tokens needs a model, and nothing says which", hint="--model openai:gpt-5-mini")
        return using(model=Model(name, max_output_tokens=self.max_tokens))

    def options(self) -> dict[str, Any]:
        """As keyword options of `evaluate` and `climb`. A model becomes the one of this process."""
        if self.model:
            _check_model(self.model)
            os.environ["SUFFICE_MODEL"] = self.model
        if self.budget is None:
            return {}
        from suffice.models.concerns.budget import Budget

        return {"budget": Budget(usd=self.budget)}


def _check_model(name: str) -> None:
    """Raise UsageError for an address that is none, before anything runs."""
    from suffice.models.places.address import address

    if not name.startswith("recorded:"):
        address(name)


def share(text: str | None) -> float | str | None:
    """A coverage as typed: a number, "max", or nothing. Raises UsageError."""
    from suffice.errors import UsageError

    if text is None or text == "max":
        return text
    try:
        return float(text)
    except ValueError:
        said = f'--coverage is a share of inputs, or "max", not {brief(text)}'
        raise UsageError(said, hint="--coverage .6") from None


def shares(command: F) -> F:
    """Let `command` take parameters whose type is one of the groups above: their fields become its flags."""
    hints = typing.get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints.get(name, parameter.annotation)))
            continue
        fields = typing.get_type_hints(groups[name], include_extras=True)
        for field in dataclasses.fields(groups[name]):
            kind = inspect.Parameter.KEYWORD_ONLY
            annotation = fields[field.name]
            parameters.append(inspect.Parameter(field.name, kind, default=field.default, annotation=annotation))

    def called(**given: Any) -> Any:
        for name, kind in groups.items():
            own = [f.name for f in dataclasses.fields(kind)]
            given[name] = kind(**{field: given.pop(field) for field in own})
        with ExitStack() as stack:
            for name in groups:
                if isinstance(given[name], ModelFlags):
                    stack.enter_context(given[name].around())
            return command(**given)

    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    told: Any = functools.wraps(command)(called)
    told.__signature__ = inspect.Signature(keyword)
    told.__annotations__ = {p.name: p.annotation for p in keyword}
    return told


def task_of(path: Path, flags: TaskFlags, claim: ClaimFlags | None = None) -> Any:
    """The task at `path`, read as the flags say, with the bar that is asked for now."""
    from suffice.evals.task import Task

    said: dict[str, Any] = {**flags.options(), **(claim.options() if claim else {})}
    return Task.load(path, **said)


def rung_of(text: str, task: Any, calls: ModelFlags) -> Any:
    """The rung that `text` names, asking the model that is said now. Says where a bundle's claim is dropped."""
    from suffice.ladder.rung import from_text

    rung = from_text(text, task.path, model=calls.model)
    say_dropped(text, rung, calls)
    return rung


def say_dropped(text: str, found: Any, calls: ModelFlags) -> None:
    """Say that what was shown of a bundle was not shown with the model that is asked for now, where that is so."""
    from suffice.programs.load import dropped_claim

    said = dropped_claim(text, found, calls.model)
    if said is not None:
        talk(f"note: {said}")
