"""Stages one after another, each given the value of the last, with gates that may stop them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suffice.arguments import validated
from suffice.errors import UsageError
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.part import Gate, Part, part
from suffice.spans import here, span
from suffice.values import ABSTAIN, Answer


def gate(check: Callable[..., Any], otherwise: Any = ABSTAIN) -> Gate:
    """A gate for a `chain`: `check(value)`, a function or a step that says bool.

    Where it says False, the chain ends with `otherwise`, a value, or with what `otherwise(value)` answers where that
    can be called. A gate stands in a chain; it raises UsageError where it is called itself.
    """
    return Gate(part(check), otherwise, part(otherwise) if callable(otherwise) else None)


@validated
def chain(*stages: Any, name: str | None = None) -> Workflow:
    """Prompt chaining: each stage is given the value of the one before it, the first one the inputs.

    A stage is `stage(value)`: a step, a function, a solution; or a `gate`. A dict is bound by name where the next stage
    has several parameters. The confidence of the answer is that of the last stage. A stage that abstains ends the
    chain: ABSTAIN. Raises UsageError without a stage, and when called what a stage raises.
    """
    made = [stage if isinstance(stage, Gate) else part(stage) for stage in stages]
    parts = [stage for stage in made if isinstance(stage, Part)]
    if not parts:
        raise UsageError("a chain needs at least one stage", hint="sf.workflow.chain(draft, translate)")

    async def body(inputs: Any) -> Answer:
        answer = Answer(inputs)
        for stage in made:
            if isinstance(stage, Part):
                answer = await stage.inside("stage", answer.value)
                if answer.value is ABSTAIN:
                    return _ended(answer, f"{stage.name} abstained")
                continue
            with span(stage.check.name, "stage"):
                passed = await stage.passes(answer.value)
            if not passed:
                _ended(answer, f"stopped at the gate {stage.check.name}")
                return Answer(stage.otherwise) if stage.reroute is None else await _rerouted(stage.reroute, answer)
        return answer

    gates = [stage for stage in made if isinstance(stage, Gate)]
    inner = [p for g in gates for p in (g.check, g.reroute) if p is not None]
    order = tuple("gate" if isinstance(stage, Gate) else "stage" for stage in made)
    ends = tuple(g.otherwise for g in gates if g.reroute is None)
    return workflow("chain", [*parts, *inner], body, (order, ends), name)


async def _rerouted(to: Part, answer: Answer) -> Answer:
    return await to.inside("stage", answer.value)


def _ended(answer: Answer, note: str) -> Answer:
    grown = here()
    if grown is not None:
        grown.note = note
    return answer
