"""Rungs that ask a language model: a prompt made from the task alone, a step, examples, votes, chains, refinement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import Any, Literal, Union

from suffice.errors import NoModel
from suffice.evals.answer_schema import field_names, schema_of
from suffice.evals.searching import Searched, SearchRun, Takes, found_alone
from suffice.evals.task import Task
from suffice.ladder.dspy_adapter import Compiling, compiled, not_one_prompt, optimizer_class
from suffice.ladder.prompt_search import Bounds, estimate, searched, too_few
from suffice.ladder.rung import Rung
from suffice.models.model import Model
from suffice.models.output.from_schema import type_of_schema
from suffice.models.output.typed import output_type
from suffice.programs.confidence import why_none
from suffice.programs.example_solution import Shown, example_solution
from suffice.programs.identity import asks_around, function_identity
from suffice.programs.prompt import Example, Prompt
from suffice.programs.reasoned import Reasoned, chain_solution
from suffice.programs.refined import Refining, refine_solution
from suffice.programs.solution import Confidence, Solution, from_function
from suffice.programs.step import Step
from suffice.programs.step_solution import Asking, named, step_solution
from suffice.programs.using import NO_MODEL, as_model, model_configured, model_for
from suffice.programs.vote import Voting, vote_solution
from suffice.values import Case, Json, canonical, content_hash


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

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        asking = replace(_asking(task, base, name), confidence=confidence)
        names = asking.prompt.inputs
        pool = tuple(Example(named(c.inputs, names), c.expected) for c in cases)
        return example_solution(Shown(asking, pool, k, tuple(c.cluster for c in cases)))

    return Rung(
        name,
        fit,
        _identity("examples", base, k, confidence),
        learns=True,
        unsuited=lambda task: _no_examples(task) or _unsuited(task, base, confidence),
        asks=True,
        model=_said(base),
    )


def vote(base: Step[Any, Any] | None = None, *, n: int = 5, temperature: float = 0.7, name: str = "vote") -> Rung:
    """Self-consistency (Wang et al. 2203.11171): `n` samples, the commonest answer; its share is the confidence."""

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return vote_solution(Voting(_asking(task, base, name), n, temperature))

    identity = _identity("vote", base, n, temperature)
    return Rung(name, fit, identity, unsuited=lambda task: _unsuited(task, base), asks=True, model=_said(base))


def chain(base: Step[Any, Any] | None = None, *, name: str = "chain") -> Rung:
    """Two calls: the model reasons first, and answers with the reasoning before it (`reasoned.chain_solution`).

    `base` is a step, else the prompt made from the task.
    """
    return _twice("chain", base, name, lambda asking: chain_solution(Reasoned(asking)))


def refine(base: Step[Any, Any] | None = None, *, most: int = 1, name: str = "refine") -> Rung:
    """The model answers, checks its answer against the instructions, and answers again where it finds a fault, at most
    `most` times (`refined.refine_solution`). `base` is a step, else the prompt made from the task."""
    return _twice("refine", base, name, lambda asking: refine_solution(Refining(asking, most)), most)


def _twice(kind: str, base: Step[Any, Any] | None, name: str, made: Callable[[Asking], Solution], *more: Any) -> Rung:
    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return made(_asking(task, base, name))

    identity = _identity(kind, base, *more)
    return Rung(name, fit, identity, unsuited=lambda task: _unsuited(task, base), asks=True, model=_said(base))


def search(
    base: Step[Any, Any] | None = None,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    *,
    proposer: str | Model | None = None,
    name: str = "search",
) -> Rung:
    """A prompt searched on train (`prompt_search`): instructions that `proposer` writes, by default the model that is
    asked, and sets of examples. `base` is a step, else the prompt made from the task. What it finds is not chosen
    again with dev's cases."""

    def by_whom(asking: Asking) -> Model:
        return asking.model if proposer is None else as_model(proposer)

    async def seek(task: Task, run: SearchRun) -> Searched:
        asking = _asking(task, base, name)
        return await searched(asking, by_whom(asking), bounds, task, run)

    def takes(task: Task) -> Takes:
        asking = _asking(task, base, name)
        return estimate(asking, bounds, task, by_whom(asking))

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return await found_alone(seek, task)

    by = proposer if proposer is None or isinstance(proposer, str) else repr(proposer)
    return Rung(
        name,
        fit,
        _identity("search", base, name, by, *astuple(bounds)),
        unsuited=lambda task: _unsuited(task, base) or too_few(task, bounds),
        asks=True,
        model=_said(base),
        search=seek,
        takes=takes,
    )


def dspy(compiling: Compiling, name: str) -> Rung:
    """A prompt that an optimizer of DSPy finds on train (`dspy_adapter`). Raises MissingExtra, and UsageError for what
    is no optimizer or no program."""
    optimizer_class(compiling.optimizer)

    async def seek(task: Task, run: SearchRun) -> Searched:
        return await compiled(asking_for(task, name), _answers(task), compiling, task, run)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return await found_alone(seek, task)

    def unsuited(task: Task) -> str | None:
        return _unsuited(task, None) or too_few(task, Bounds()) or not_one_prompt(task, compiling.program)

    identity = content_hash(["dspy", name, compiling.identity])
    return Rung(name, fit, identity, unsuited=unsuited, asks=True, search=seek)


def program(thing: Any, name: str | None = None) -> Rung:
    """A workflow or an agent as it is; where a step in it says no model, it asks the one that holds when the climb
    begins."""
    label = name or str(thing.name)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return from_function(thing, label)

    def unsuited(task: Task) -> str | None:
        try:
            from_function(thing)
        except NoModel:
            return NO_MODEL
        return None

    return Rung(label, fit, function_identity(thing), unsuited=unsuited, asks=asks_around(thing), program=thing)


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
        return NO_MODEL
    return why_none(model_for(said, "a rung"), sure)


def _rung(name: str, base: Step[Any, Any] | None, confidence: Confidence | None) -> Rung:
    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return step_solution(replace(_asking(task, base, name), confidence=confidence))

    identity = _identity("asks", base, name, confidence)

    def unsuited(task: Task) -> str | None:
        return _unsuited(task, base, confidence)

    return Rung(name, fit, identity, unsuited=unsuited, asks=True, model=_said(base))


def _said(base: Step[Any, Any] | None) -> str | None:
    """The address of the model that a step says itself."""
    said = base.said_model if base is not None else None
    return said if said is None or isinstance(said, str) else said.name


def _identity(kind: str, base: Step[Any, Any] | None, *more: Any) -> str:
    """Of a rung, for the run that it belongs to; the ledger goes by the solution that it makes. The model that holds
    when the climb begins is not in it (`Rung.asks`)."""
    return content_hash([kind, None if base is None else list(base.made_of), *more])
