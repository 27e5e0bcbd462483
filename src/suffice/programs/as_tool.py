"""Anything that can be called with inputs as a tool: tools, functions, steps; solutions, agents, workflows, bundles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from suffice.errors import UsageError
from suffice.programs.solution import Solution
from suffice.programs.step import Step
from suffice.programs.tool import CallableTool, schema_tool, tool
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
    if hasattr(given, "answer_of"):  # an agent, a workflow
        return solution_tool(given.as_solution())
    if not callable(given):
        raise UsageError(f"a tool is a function, not {given!r:.80}", hint="tools=[look_up]")
    return tool(given)


def _step_tool(step: Step[..., Any]) -> CallableTool[..., Any]:
    """A step as a tool: as any solution, with its own words, and the types of its parameters where they are said."""
    plain = solution_tool(step.as_solution())
    if step.function is None:
        return plain
    said = replace(plain, description=f"{step.asked.instruction}\n\n{HANDS_ON}")
    try:
        typed: CallableTool[..., Any] = tool(step.function)
    except UsageError:  # a parameter without an annotation, which a step may have
        return said
    if step.asked.images:  # which a model can only name
        return said

    def read(given: Json) -> Mapping[str, Any]:
        typed.read(given)
        return plain.read(given)

    return replace(said, description=f"{typed.description}\n\n{HANDS_ON}", parameters=typed.parameters, read=read)


def solution_tool(solution: Solution) -> CallableTool[..., Json]:
    """A solution as a tool: its inputs by name, or one `input`; its result has the value, the confidence, who gave it,
    and whether it abstained."""
    names = solution.parameters or ("input",)

    async def call(arguments: Mapping[str, Any]) -> Json:
        inputs: Any = dict(arguments)
        answer = await solution.reply(inputs[names[0]] if set(inputs) == {names[0]} and len(names) == 1 else inputs)
        told: Json = to_json(answer.value)
        return {"value": told, "confidence": answer.confidence, "by": answer.by}

    schema: dict[str, Json] = {
        "type": "object",
        "properties": {name: {} for name in names},
        "required": list(solution.required or names),
        "additionalProperties": False,
    }
    shown = (solution.claim or {}).get("sentence")
    said = f"Answers by the solution {solution.name}. {HANDS_ON}"
    made = schema_tool(solution.name, f"{said} {shown}" if shown else said, schema, call, solution.identity)
    return made.using(timeout=None)  # its model calls have bounds of their own
