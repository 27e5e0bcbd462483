"""Anything that can be called with inputs as a tool: tools, functions, steps; solutions, agents, workflows, bundles."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from suffice.errors import UsageError
from suffice.programs.annotations import annotations_of
from suffice.programs.docstring import read_docstring
from suffice.programs.solution import Solution
from suffice.programs.step import Step
from suffice.programs.tool import CallableTool, schema_tool, tool
from suffice.programs.tool_arguments import Argument, adapter_of, read_of
from suffice.programs.workflow.made import Workflow
from suffice.values import Json, to_json

HANDS_ON: Final = '{"abstain": true} means that it hands the case on.'


def as_tool(given: Any) -> CallableTool[..., Any]:
    """`given` as a tool. Raises UsageError for what cannot be one."""
    if isinstance(given, CallableTool):
        return cast("CallableTool[..., Any]", given)
    if isinstance(given, Solution):
        return solution_tool(cast("Solution", given))
    if isinstance(given, Step):
        return _step_tool(cast("Step[..., Any]", given))
    if isinstance(given, Workflow):
        return solution_tool(given.as_solution(), _arguments(_first(given)))
    if hasattr(given, "answer_of"):  # an agent
        return solution_tool(given.as_solution())
    if not callable(given):
        raise UsageError(f"a tool is a function, not {given!r:.80}", hint="tools=[look_up]")
    return tool(given)


def _step_tool(step: Step[..., Any]) -> CallableTool[..., Any]:
    """A step as a tool: as any solution, with its own words, and the types of its parameters where they are said."""
    made = solution_tool(step.as_solution(), _arguments(step))

    def read(given: Json) -> Mapping[str, Any]:
        made.read(given)
        return cast("dict[str, Any]", given)  # a step is asked with what was written, as a case has it

    plain = replace(made, read=read)
    if step.function is None:
        return plain
    said = replace(plain, description=f"{step.asked.instruction}\n\n{HANDS_ON}")
    try:
        typed: CallableTool[..., Any] = tool(step.function)
    except UsageError:  # a parameter without an annotation, which a step may have
        return said
    if step.asked.images:  # which a model can only name
        return said
    return replace(said, description=f"{typed.description}\n\n{HANDS_ON}")


def solution_tool(solution: Solution, arguments: Sequence[Argument] | None = None) -> CallableTool[..., Json]:
    """A solution as a tool: its inputs by name, or one `input`; its result has the value, the confidence, who gave it,
    and whether it abstained. `arguments` says more of the inputs than the solution does: their types."""
    known = _named(solution) if arguments is None else arguments
    names = [one.name for one in known]

    async def call(arguments: Mapping[str, Any]) -> Json:
        inputs: Any = dict(arguments)
        answer = await solution.reply(inputs[names[0]] if list(inputs) == names and len(names) == 1 else inputs)
        told: Json = to_json(answer.value)
        return {"value": told, "confidence": answer.confidence, "by": answer.by}

    schema, read = read_of(solution.name, known)
    shown = (solution.claim or {}).get("sentence")
    said = f"Answers by the solution {solution.name}. {HANDS_ON}"
    made = schema_tool(solution.name, f"{said} {shown}" if shown else said, schema, call, solution.identity)
    return replace(made, read=read, timeout=None)  # its model calls have bounds of their own


def _named(solution: Solution) -> list[Argument]:
    """The inputs of a solution, of which it tells the names alone."""
    names = tuple(dict.fromkeys((*(solution.parameters or ()), *solution.required))) or ("input",)
    return [Argument(name, Any, name in (solution.required or names)) for name in names]


def _first(workflow: Workflow) -> Any:
    """What a workflow gives its inputs to, which may be deep inside."""
    thing: Any = workflow
    while isinstance(thing, Workflow):
        splits = thing.kind == "map_reduce" and len(thing.parts) == 3
        thing = thing.parts[-1 if splits else 0].thing
    return thing


def _arguments(thing: object) -> list[Argument] | None:
    """The arguments of a function, a step or a tool, of any type where nothing is said that has a JSON schema. None
    where it has no signature to go by, or takes some that have no names."""
    if isinstance(thing, Solution) or (hasattr(thing, "answer_of") and not isinstance(thing, Step)):
        return None
    function = _function(thing)
    try:
        parameters = list(inspect.signature(cast("Any", thing)).parameters.values())
    except (TypeError, ValueError):  # some builtins have none
        return None
    usual = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if not parameters or any(one.kind not in usual for one in parameters):
        return None
    step = cast("Step[..., Any]", thing) if isinstance(thing, Step) else None
    images = () if step is None else step.asked.images
    said, hints = read_docstring(inspect.getdoc(function)).parameters, _hints(function)
    alone = len(parameters) == 1 and step is None  # it is called with its one input, by its place
    made: list[Argument] = []
    for one in parameters:
        kind = Any if one.name in images else _with_schema(hints.get(one.name, Any))
        needed = alone or one.default is one.empty
        made.append(Argument(one.name, kind, needed, None if needed else one.default, said.get(one.name)))
    return made


def _function(thing: Any) -> Any:
    """What the annotations and the docstring of a thing that can be called stand on."""
    if isinstance(thing, Step):
        return cast("Step[..., Any]", thing).function
    if isinstance(thing, CallableTool):
        return cast("CallableTool[..., Any]", thing).source
    inner: Any = getattr(thing, "func", thing)  # of a partial
    return inner if inspect.isroutine(inner) else type(inner).__call__


def _hints(function: Any) -> dict[str, Any]:
    try:
        return annotations_of(function, "a part")
    except (UsageError, TypeError):  # names that are not there, or no annotations at all
        return {}


def _with_schema(kind: Any) -> Any:
    try:
        adapter_of("", "", kind, schema=True)
    except UsageError:
        return Any
    return kind
