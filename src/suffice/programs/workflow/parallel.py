"""Sections side by side, each given the same inputs; the answer is what each of them said, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from suffice.arguments import Count, validated
from suffice.errors import UsageError
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.part import part
from suffice.programs.workflow.side_by_side import Bounds, Seconds, side_by_side
from suffice.values import Answer, Failure


@validated
def parallel(
    sections: Mapping[str, Callable[..., Any]],
    *,
    concurrency: Count = 8,
    timeout: Seconds = None,
    name: str | None = None,
) -> Workflow:
    """Every section is given the inputs; the value is a dict by name of what they answered.

    A section that fails, or takes more than `timeout` seconds, is a `Failure` in it, and the others are kept; where
    all fail, the first one's error is raised. Raises UsageError without a section.
    """
    parts = {named: part(section) for named, section in sections.items()}
    if not parts:
        raise UsageError("nothing to do side by side", hint='sf.workflow.parallel({"tone": tone, "facts": facts})')
    bounds = Bounds(concurrency, timeout)

    async def body(inputs: Any) -> Answer:
        done = await side_by_side([(named, partial(p, inputs)) for named, p in parts.items()], bounds)
        return Answer(dict(zip(parts, map(value_of, done), strict=True)))

    return workflow("parallel", list(parts.values()), body, (list(parts), timeout), name)


def value_of(done: Answer | Failure) -> Any:
    """What a branch gave: its value, or the Failure itself."""
    return done.value if isinstance(done, Answer) else done
