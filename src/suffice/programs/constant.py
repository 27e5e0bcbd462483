"""The constant solution: the same answer to everything. The floor that anything else must beat."""

from __future__ import annotations

from typing import Any

from suffice.programs.solution import Form, Solution
from suffice.values import Answer, Json, content_hash, from_json, to_json


def constant_solution(value: Any, name: str = "constant") -> Solution:
    """A solution that always answers `value`."""
    answer = Answer(value)

    async def ask(inputs: Json) -> Answer:
        return answer

    data = to_json(value)
    return Solution(
        name=name,
        ask=ask,
        identity=content_hash(["constant", data]),
        free=True,
        batch=lambda many: [answer] * len(many),
        form=Form("constant", {"name": name, "value": data}),
    )


def from_form(form: Form) -> Solution:
    """The solution that a bundle's form describes."""
    return constant_solution(from_json(form.data["value"]), form.data["name"])
