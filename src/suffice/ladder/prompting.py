"""Rungs that ask a language model: a prompt made from the task alone, a step, examples from train, a vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal, Union

from suffice.errors import UsageError
from suffice.evals.answer_schema import field_names, schema_of
from suffice.evals.task import Task
from suffice.ladder.rung import Rung
from suffice.models.output.from_schema import type_of_schema
from suffice.models.output.typed import output_type
from suffice.programs.confidence import Confidence, checked_confidence, why_none
from suffice.programs.example_solution import Shown, example_solution
from suffice.programs.prompt import Example, Prompt
from suffice.programs.solution import Solution
from suffice.programs.step import Step
from suffice.programs.step_solution import Asking, named, step_solution
from suffice.programs.using import model_configured, model_for
from suffice.programs.vote import Voting, vote_solution
from suffice.values import Case, Json, canonical, content_hash

NOT_TRIED: Final = "no model: export SUFFICE_MODEL=openai:gpt-5-mini (and its key), or --model NAME"


def prompt(name: str = "prompt", *, confidence: Confidence | None = None) -> Rung:
    """Zero-shot: a prompt made from the task alone, its labels and its columns, with no code.

    `confidence` says where that of its answers comes from: "logprobs" (`token_probability`), "self-check"
    (`self_check`), or None: it has none, and a route asks it last. Raises UsageError for another word.
    """
    return _rung(name, None, confidence)


def step(base: Step[Any, Any], *, confidence: Confidence | None = None, name: str | None = None) -> Rung:
    """A step as it is; its model is what holds when the climb begins. `confidence` as for `prompt`."""
    return _rung(name or base.name, base, confidence)


def examples(
    base: Step[Any, Any] | None = None, *, k: int = 8, confidence: Confidence | None = None, name: str = "examples"
) -> Rung:
    """Few-shot: before each input stand the `k` train cases most like it (words in common, weighted by rarity).

    `base` is a step, else the prompt made from the task. It learns: before test it gets dev's cases, too.
    `confidence` as for `prompt`.
    """
    sure = checked_confidence(confidence)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        asking = replace(_asking(task, base, name), confidence=sure)
        names = asking.prompt.inputs
        pool = tuple(Example(named(c.inputs, names), c.expected) for c in cases)
        return example_solution(Shown(asking, pool, k, tuple(c.cluster for c in cases)))

    return Rung(
        name,
        fit,
        _identity("examples", base, k, sure),
        learns=True,
        unsuited=lambda task: _no_examples(task) or _unsuited(task, base, sure),
        asks=True,
        model=_said(base),
    )


def vote(base: Step[Any, Any] | None = None, *, n: int = 5, temperature: float = 0.7, name: str = "vote") -> Rung:
    """Self-consistency (Wang et al. 2203.11171): `n` samples, the commonest answer; its share is the confidence."""
    if n < 2:
        raise UsageError(f"a vote needs at least 2 samples, not {n}", hint="sf.rung.vote(step, n=5)")

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return vote_solution(Voting(_asking(task, base, name), n, temperature))

    identity = _identity("vote", base, n, temperature)
    return Rung(name, fit, identity, unsuited=lambda task: _unsuited(task, base), asks=True, model=_said(base))


def asking_for(task: Task, name: str) -> Asking:
    """What the task itself says, as a prompt: what is given, what is wanted, which labels there are.

    Nothing is offered as an answer where the task has it. Raises NoModel.
    """
    output = _answers(task)
    typed = output_type(output)
    told = Prompt(
        instruction=_instruction(task),
        inputs=task.columns.inputs,
        wrapped=typed.wrapped,
        plain=typed.spec_schema is None,
    )
    return Asking(name, model_for(None, name), told, typed, {"temperature": 0.0})


def _asking(task: Task, base: Step[Any, Any] | None, name: str) -> Asking:
    return asking_for(task, name) if base is None else replace(base.asking(), name=name)


def _instruction(task: Task) -> str:
    given = ", ".join(task.columns.inputs)
    if task.grader.answer:  # the expected value is no answer itself, and its name means nothing to a model
        return f"You are given: {given}. {task.grader.answer}"
    lines = [f"You are given: {given}. Answer with: {task.columns.expected}."]
    if task.kind in ("label", "choice") and task.labels:
        lines.append("Choose one of: " + "; ".join(str(label) for label in task.labels) + ".")
    elif task.kind == "choice":
        lines.append("Answer with the letter of the right option, or with its text, and nothing around it.")
    elif task.kind == "number":
        lines.append("Answer with a number alone.")
    elif task.kind == "fields" and task.output is None:
        lines += _fields_said(_schema(task))
    elif task.kind == "text":
        lines.append("Answer as briefly as the question allows, with nothing around the answer.")
    if task.nothing:
        lines.append("Where nothing applies, the answer is null.")
    return "\n".join(lines)


def _schema(task: Task) -> dict[str, Json]:
    """What the expected values of train and dev have in common; those of test are not looked at."""
    return schema_of([c.expected for c in (*task.train, *task.dev) if c.expected is not None])


def _fields_said(schema: dict[str, Json]) -> list[str]:
    names = field_names(schema)
    if names:
        said = [f"Its fields are {', '.join(names)}."]
        return [*said, "A field that the input says nothing of is null."] if '"null"' in canonical(schema) else said
    return ["Answer with a list; an empty one where there is nothing."] if schema.get("type") == "array" else []


def _answers(task: Task) -> Any:
    """The type of the task's answers: as declared, else from its kind and the expected values of train and dev."""
    if task.output is not None:
        return task.output
    inner: Any = str
    if task.kind in ("label", "choice") and task.labels:
        inner = Literal[tuple(task.labels)]
    elif task.kind == "number":
        inner = float
    elif task.kind == "fields":
        inner = type_of_schema(_schema(task), wrapped=False, name="Answer")
    return Union[inner, None] if task.nothing else inner  # noqa: UP007 - made of values


def _no_examples(task: Task) -> str | None:
    name = task.grader.name
    return f"what the {name} grader expects is no example of an answer: bring a step" if task.grader.answer else None


def _unsuited(task: Task, base: Step[Any, Any] | None, sure: Confidence | None = None) -> str | None:
    if base is None and task.output is None and task.kind == "fields" and not _schema(task):
        return "no case of train or dev shows what fields an answer has: bring a step"
    said = base.said_model if base is not None else None
    if said is None and not model_configured():
        return NOT_TRIED
    return why_none(model_for(said, "a rung"), sure)


def _rung(name: str, base: Step[Any, Any] | None, confidence: Confidence | None) -> Rung:
    sure = checked_confidence(confidence)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return step_solution(replace(_asking(task, base, name), confidence=sure))

    identity = _identity("asks", base, name, sure)
    return Rung(name, fit, identity, unsuited=lambda task: _unsuited(task, base, sure), asks=True, model=_said(base))


def _said(base: Step[Any, Any] | None) -> str | None:
    """The address of the model that a step says itself."""
    said = base.said_model if base is not None else None
    return said if said is None or isinstance(said, str) else said.name


def _identity(kind: str, base: Step[Any, Any] | None, *more: Any) -> str:
    """Of a rung, for the run that it belongs to; the ledger goes by the solution that it makes. The model that holds
    when the climb begins is not in it (`Rung.asks`)."""
    said = None
    if base is not None:
        options = {name: value for name, value in base.options.items() if name != "budget"}  # it changes as it is spent
        said = [repr(part) for part in (base.asked, base.typed.spec_schema, base.said_model, options)]
    return content_hash([kind, said, *more])
