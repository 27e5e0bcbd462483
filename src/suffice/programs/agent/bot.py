"""`agent`: a model with tools as one callable, which answers, or says at which of its bounds it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar, cast, overload

from typing_extensions import TypeForm, Unpack

from suffice.errors import UsageError
from suffice.exchange import Message
from suffice.models.concerns.budget import Budget
from suffice.models.model import Model
from suffice.models.output.typed import output_type
from suffice.models.serving import serving
from suffice.programs.agent.loop import followed
from suffice.programs.agent.setup import AgentOptions, Setup, checked_options, checked_tools
from suffice.programs.agent.transcript import WHY, AgentRun, Transcript
from suffice.programs.asking import answered_by
from suffice.programs.dry_run import running_dry
from suffice.programs.identity import function_identity, identity_of
from suffice.programs.prompt import Prompt, messages, unasked
from suffice.programs.solution import Form, Solution, gathered
from suffice.programs.step_solution import written
from suffice.programs.using import check_model, model_for, reached_by, saved_options
from suffice.programs.variable import module_outside, variable_of
from suffice.shown import brief
from suffice.spans import span
from suffice.values import ABSTAIN, NO_COST, Abstain, Answer, Json, content_hash

PACKAGE: Final = "suffice.programs.agent"

T = TypeVar("T")
R = TypeVar("R", covariant=True)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Agent(Generic[R]):
    """`await bot(inputs)` gives the answer, or ABSTAIN where there is none; `await bot.run(inputs)` gives all of it.

    A solution like any other: inputs are one value, or keyword arguments. Its identity changes with its model,
    instructions, answer type, bounds, and the code of its tools.
    """

    setup: Setup
    module: str

    def __repr__(self) -> str:
        return f"<Agent {self.name} with {', '.join(self.setup.tools) or 'no tools'}>"

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return self.setup.name

    @property
    def asks(self) -> bool:
        """Whether it asks a model: always."""
        return True

    @property
    def import_path(self) -> str | None:
        """ "module:name" where it stands at the top level of a module, None where no program could import it."""
        variable = variable_of(self, self.module)
        return f"{self.module}:{variable}" if variable else None

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What its identity hangs on, besides the model that holds where it says none."""
        said = self.setup.said_model
        return (said.name if isinstance(said, Model) else said, *self.setup.made_of)

    async def __call__(self, *args: Any, **kwargs: Any) -> R | Abstain:
        """The answer. Raises as `run`."""
        return (await self._followed(gathered(args, kwargs), model_for(self.setup.said_model, self.name))).value

    async def run(self, *args: Any, after: AgentRun[Any] | None = None, **kwargs: Any) -> AgentRun[R]:
        """The answer with how it ended, steps, cost and transcript. `after` is a run to go on from: the model sees all
        that was said and done there, within its window; bounds are counted anew.

        Raises NoModel, UsageError, what a call of the model raises, and what must end everything: a budget around it,
        a policy.
        """
        if after is not None and not isinstance(after, AgentRun):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"after= is a former run of an agent, not {brief(after)}", hint="after=await bot.run(…)")
        return await self._followed(gathered(args, kwargs), model_for(self.setup.said_model, self.name), after)

    async def answer_of(self, inputs: Json) -> Answer:
        """The answer to inputs as a case has them: one value, or a dict by name."""
        return _answer(await self._followed(inputs, model_for(self.setup.said_model, self.name)))

    def using(self, *, model: str | Model | None = None, **options: Unpack[AgentOptions]) -> Agent[R]:
        """The same agent with another model or other options: `bot.using(dry_run=True)`. Raises UsageError."""
        said = dict(checked_options(options))
        setup = replace(self.setup, **said)
        checked_tools(list(setup.tools.values()), setup.permissions or {})
        return Agent(setup if model is None else replace(setup, said_model=model), module_outside(PACKAGE))

    def as_solution(self, name: str | None = None) -> Solution:
        """The agent as a solution, with its model settled here and now. Raises NoModel."""
        model = model_for(self.setup.said_model, self.name)
        options = saved_options(model)

        async def ask(inputs: Json) -> Answer:
            return _answer(await self._followed(inputs, model))

        identity = content_hash(["agent", model.name, options, identity_of(self.setup.made_of)])
        path, where = self.import_path, {"model": model.name, "reached": reached_by(model), "options": options}
        data: Json = {"import": path, "source": function_identity(self), **where}
        return Solution(name or self.name, ask, identity, form=None if path is None else Form("workflow", data))

    async def _followed(self, inputs: Json, model: Model, after: AgentRun[Any] | None = None) -> AgentRun[R]:
        told = cast("dict[str, Any]", inputs if isinstance(inputs, dict) else {"input": inputs})
        if unasked(told):
            return AgentRun(ABSTAIN, "blank", 0, NO_COST, Transcript("", end="blank: there was no input"))
        asked: Message = messages(Prompt("", tuple(told)), told)[-1]
        with serving(self.name), span(self.name, "agent") as seen, ExitStack() as holding:
            if self.setup.ask is not None:
                holding.enter_context(answered_by(self.setup.ask))
            if self.setup.dry_run:  # it holds for all that its tools call, other agents among them
                holding.enter_context(running_dry())
            run = await followed(self.setup, model, asked, after)
            if seen is not None and run.ended in WHY:
                seen.note = f"{run.ended}: {WHY[run.ended]}"
            return run


@overload
def agent(
    model: str | Model | None = None,
    *,
    tools: Sequence[Callable[..., Any]] = (),
    output: TypeForm[T],
    instructions: str = "",
    max_steps: int = 20,
    budget: Budget | None = None,
    name: str = "agent",
    **options: Unpack[AgentOptions],
) -> Agent[T]: ...
@overload
def agent(
    model: str | Model | None = None,
    *,
    tools: Sequence[Callable[..., Any]] = (),
    output: Mapping[str, Any],
    instructions: str = "",
    max_steps: int = 20,
    budget: Budget | None = None,
    name: str = "agent",
    **options: Unpack[AgentOptions],
) -> Agent[Any]: ...
@overload
def agent(
    model: str | Model | None = None,
    *,
    tools: Sequence[Callable[..., Any]] = (),
    instructions: str = "",
    max_steps: int = 20,
    budget: Budget | None = None,
    name: str = "agent",
    **options: Unpack[AgentOptions],
) -> Agent[str]: ...
def agent(
    model: str | Model | None = None,
    *,
    tools: Sequence[Callable[..., Any]] = (),
    output: Any = str,
    instructions: str = "",
    max_steps: int = 20,
    budget: Budget | None = None,
    name: str = "agent",
    **options: Unpack[AgentOptions],
) -> Agent[Any]:
    """An agent: a model that calls `tools` until it gives an answer of the type `output`, or meets a bound.

    `max_steps` is how many replies of the model one run takes at most; `budget` bounds each run by itself (one that a
    Model has is shared by all). The other options are those of `AgentOptions`. Raises UsageError for what cannot be.
    """
    said: dict[str, Any] = {**options, "instructions": instructions, "max_steps": max_steps, "budget": budget}
    checked_options({**said, "name": name})
    if model is not None:
        check_model(model)
    known = checked_tools(tools, options.get("permissions") or {})
    return Agent(Setup(name, model, known, output_type(output), **said), module_outside(PACKAGE))


def _answer(run: AgentRun[Any]) -> Answer:
    return Answer(ABSTAIN if run.value is ABSTAIN else written(run.value))
