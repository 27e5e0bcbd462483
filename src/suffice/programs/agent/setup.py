"""What an agent is: its model, tools, answer type, and the bounds of one run. Checked before the first call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import TypedDict

from suffice.arguments import Rule, check, rule_of
from suffice.errors import UsageError
from suffice.exchange import Tool
from suffice.models.concerns.budget import Budget
from suffice.models.model import Model
from suffice.models.output.typed import OutputType
from suffice.numbers import is_whole
from suffice.programs.as_tool import as_tool
from suffice.programs.asking import PERSON, Person
from suffice.programs.tool import CallableTool, Permission

VERSION: Final = 3
"""Goes up when the same setup would behave otherwise."""
ANSWER_TOOL: Final = "final_answer"
PLAN_TOOL: Final = "plan"
PLAN: Final = Tool(
    PLAN_TOOL,
    "Keep your plan: the steps that are left, in order. Call it again whenever the plan changes; it replaces the last.",
    {
        "type": "object",
        "properties": {"steps": {"type": "array", "items": {"type": "string"}}},
        "required": ["steps"],
        "additionalProperties": False,
    },
)


class AgentOptions(TypedDict, total=False):
    """What an agent may say besides.

    `ask` answers in a person's stead whether a call may be made. `permissions` overrules those of tools, by name.
    `dry_run`: tools that change something are not called, not by other tools either, and the model is told what would
    have been done. `planning` gives it a tool to keep a plan in. `window` is about how many tokens of turns are sent:
    beyond it older ones are replaced by a summary. `same`: so many times may a call bring the same result before the
    model is told, once; `reflections` is how often it may be told of any fault of its own.
    """

    ask: Person | None
    permissions: Mapping[str, Permission]
    dry_run: bool
    planning: bool
    window: int
    same: int
    reflections: int


_OPTIONS: Final[Mapping[str, Rule]] = {
    "ask": Rule(lambda v: v is None or callable(v), PERSON.what, PERSON.hint),
    "permissions": rule_of(Mapping[str, Permission]),
    "dry_run": rule_of(bool),
    "planning": rule_of(bool),
    "window": Rule(lambda v: is_whole(v, 500), "a whole number of at least 500 tokens"),
    "same": Rule(lambda v: is_whole(v, 2), "a whole number of at least 2"),
    "reflections": Rule(lambda v: is_whole(v, 0), "a whole number of at least 0"),
    "max_steps": Rule(lambda v: is_whole(v, 1), "a whole number of at least 1", "max_steps=20"),
    "budget": Rule(lambda v: v is None or isinstance(v, Budget), "a Budget", "budget=sf.Budget(usd=0.50)"),
    "instructions": rule_of(str),
    "name": rule_of(str),
}
_TOOLS: Final = Rule(
    lambda v: isinstance(v, Iterable) and not isinstance(v, str | bytes | Mapping), "a list of tools", "tools=[look_up]"
)


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """All that one run goes by. `said_model` None: whichever is said around the call."""

    name: str
    said_model: str | Model | None
    tools: Mapping[str, CallableTool[..., Any]]
    typed: OutputType
    instructions: str = ""
    max_steps: int = 20
    budget: Budget | None = None
    ask: Person | None = None
    permissions: Mapping[str, Permission] | None = None
    dry_run: bool = False
    planning: bool = False
    window: int = 60_000
    same: int = 3
    reflections: int = 3

    def permission(self, tool: CallableTool[..., Any]) -> Permission:
        """What may be done with a tool here."""
        return (self.permissions or {}).get(tool.name, tool.permission)

    @property
    def offers(self) -> tuple[Tool, ...]:
        """The tools that the model is told of, always in the same order; those that are denied are not."""
        allowed = [tool.offer for tool in self.tools.values() if self.permission(tool) != "deny"]
        answer = [] if self.typed.spec_schema is None else [_answer_tool(self.typed)]
        return (*allowed, *([PLAN] if self.planning else []), *answer)

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What its behaviour hangs on, the model aside."""
        budget = self.budget and (self.budget.usd, self.budget.calls, self.budget.tokens)
        bounds = (self.max_steps, budget, self.window, self.same, self.reflections)
        switches = (self.dry_run, self.planning, dict(self.permissions or {}))
        schema = json.dumps(self.typed.spec_schema and dict(self.typed.spec_schema))
        return (VERSION, self.instructions, schema, bounds, switches, list(self.tools.values()))


def checked_options(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """`given`, refused with UsageError where a name is unknown or a value cannot be."""
    for name, value in given.items():
        if name not in _OPTIONS:
            raise UsageError(f"an agent has no option {name!r:.40}", hint=f"known: {', '.join(_OPTIONS)}")
        check(name, value, _OPTIONS[name])
    return given


def checked_tools(given: Sequence[Callable[..., Any]], permissions: Mapping[str, Permission]) -> Mapping[str, Any]:
    """Tools by name. Raises UsageError for one that is none, and for names that are taken or not there."""
    made: dict[str, CallableTool[..., Any]] = {}
    check("tools", given, _TOOLS)
    for one in map(as_tool, given):
        if one.name in made or one.name in (ANSWER_TOOL, PLAN_TOOL):
            raise UsageError(f"two tools are called {one.name}", hint="@tool(name=…) gives one another name")
        made[one.name] = one
    for name in permissions:
        if name not in made:
            raise UsageError(f"permissions names {name!r:.40}, which is no tool", hint=f"tools: {', '.join(made)}")
    return made


def _answer_tool(typed: OutputType) -> Tool:
    assert typed.spec_schema is not None
    return Tool(ANSWER_TOOL, "Give the final answer. Call it alone, once you know everything.", typed.spec_schema)
