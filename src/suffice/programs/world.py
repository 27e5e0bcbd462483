"""A world: what a program acts on in a case, so that it is judged by what it leaves there (tau-bench, 2406.12045).

Whatever runs solutions (journal, resume, repeats, traces, sealed cases) sees a solution whose answer is what became
of the world, and knows nothing of worlds.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AnySet
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NoReturn, TypeVar, cast

from pydantic_core import PydanticSerializationError, to_jsonable_python

from suffice.arguments import check_fields, validated
from suffice.errors import SolutionError, UsageError
from suffice.programs.as_tool import as_tool
from suffice.programs.asking import YES, answered_by
from suffice.programs.identity import function_identity
from suffice.programs.solution import Solution, as_answer, describe, gathered
from suffice.programs.tool import CallableTool
from suffice.programs.trial import on_trial
from suffice.programs.using import maybe_using, model_configured, model_for
from suffice.programs.workflow.part import part
from suffice.store.effects import durable_run
from suffice.values import ABSTAIN, Answer, Json, canonical, content_hash, to_json

S = TypeVar("S")
Tools = Sequence[CallableTool[..., Any]]

VERSION: Final = 2
"""Goes up when the same trial would be told otherwise."""
UNKNOWN: Final = "I do not know."
"""What the person says who has no answer."""

_turn: ContextVar[object] = ContextVar("suffice_world_turn", default=None)


def as_it_is(value: Any) -> Json:
    """A state as JSON: dataclasses and pydantic models by their fields, sets sorted. Raises UsageError for others."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_it_is(getattr(value, f.name)) for f in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return as_it_is(dump())
    if isinstance(value, Mapping):
        return {str(k): as_it_is(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [as_it_is(v) for v in cast("Sequence[Any]", value)]
    if isinstance(value, AnySet):  # whose order differs from process to process
        return sorted((as_it_is(v) for v in cast("AnySet[Any]", value)), key=canonical)
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError:
        hint = "final=lambda state: {…}, what of it is to be judged"
        raise UsageError(f"a state holds a {type(value).__name__}, which has no JSON form", hint=hint) from None


def nobody(state: Any, question: str, choices: tuple[str, ...]) -> str | None:
    """A person who never knows."""


def no_rules(state: Any) -> Sequence[str]:
    """A policy without rules."""
    return ()


def all_of_it(inputs: Json) -> Json:
    """Inputs as they are."""
    return inputs


@dataclass(frozen=True, slots=True, eq=False)
class World(Generic[S]):
    """What programs act on, fresh in each case and trial, and how what they leave is read.

    `start` makes the state of a case from its inputs (its own copy, where a state can be copied), `tools` what may be
    done to it: functions or tools, called one at a time, in the order in which they were asked for. `final` is what
    of the state is judged, as JSON; `violations` names the rules of the policy that were broken. `person` answers
    `ask_human`, as a text (one of the choices, where there are some) or an awaitable of one; None: they do not know.
    Whether an agent may make a call is no question to them: that is always allowed.
    `told` is what the program is given of the inputs, where only the world and the person may know all of them.
    """

    start: Callable[[Any], S]
    tools: Callable[[S], Sequence[Callable[..., Any]]]
    final: Callable[[S], Json] = as_it_is
    violations: Callable[[S], Sequence[str]] = no_rules
    person: Callable[[S, str, tuple[str, ...]], Awaitable[str | None] | str | None] = nobody
    told: Callable[[Any], Json] = all_of_it

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What the identity of programs in it hangs on."""
        return tuple(getattr(self, f.name) for f in dataclasses.fields(self))

    @validated
    def solution(self, make: Callable[[Tools], Any], *, name: str = "program") -> WorldProgram[S]:
        """The program that `make` makes of the tools of a trial, as a solution: an agent, a workflow, a function.

        Its answer to a case is {"answer", "final", "violations", "questions"}, for `sf.grade.world()`.
        """
        return WorldProgram(self, make, name)

    def begun(self, inputs: Json) -> S:
        """A fresh state for a case. Raises what `start` raises."""
        state = self.start(copy.deepcopy(inputs))
        try:
            return copy.deepcopy(state)  # so that a start that hands out what it keeps mixes no two cases up
        except TypeError:  # it holds a connection, a lock
            return state

    def left(self, state: S) -> Json:
        """What is judged of a state. Raises UsageError where it has no JSON form."""
        return as_it_is(self.final(state))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WorldProgram(Generic[S]):
    """A program in a world, made anew for each trial. A solution like any other; nobody saves or ships it."""

    world: World[S]
    make: Callable[[Tools], Any]
    name: str

    def __repr__(self) -> str:
        return f"<WorldProgram {self.name}>"

    @property
    def asks(self) -> bool:
        """Whether it asks a model: that cannot be seen before it is made, so it counts as one that does."""
        return True

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What its identity hangs on, besides the model that holds where it says none."""
        return (self.world, self.make)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What became of the world, and the program's answer. Raises as `trial`."""
        return (await self.trial(gathered(args, kwargs))).value

    def as_solution(self, name: str | None = None) -> Solution:
        """As a solution; the model of what says none is the one that holds now."""
        around = model_for(None, self.name) if model_configured() is not None else None

        async def ask(inputs: Json) -> Answer:
            with maybe_using(around):
                return await self.trial(inputs)

        identity = content_hash(["world", VERSION, function_identity(self), repr(around)])
        return Solution(name or self.name, ask, identity, confident=True)  # only its answers tell

    def check_saved(self, name: str) -> NoReturn:
        """Raise SolutionError: an application has no world, so what is saved is the program itself."""
        raise SolutionError(
            f"{name} cannot be saved: a world's solution is for judging",
            hint="save the program itself, made with the real tools, at the top level of a module: clerk = make(TOOLS)",
        )

    async def trial(self, inputs: Json) -> Answer:
        """One trial of a case. ABSTAIN is handed on only where the program left the world as it was.

        Raises what the program raises, what a function of the world raises, and UsageError for inputs that are no case
        of it, and in a durable run, which records what tools did and could not do it again to a fresh state.
        """
        if durable_run() is not None:
            raise UsageError("a world is made anew for each trial, so no durable run can go on in it")
        with on_trial():
            return await self._tried(inputs)

    async def _tried(self, inputs: Json) -> Answer:
        state = _of_case("start", self.world.begun, inputs)
        before = self.world.left(state)
        person = _Person(self.world, state)
        program = part(self.make(in_turn(self.world.tools(state))))
        told = _of_case("told", self.world.told, copy.deepcopy(inputs))
        with answered_by(person, permits=_permits):
            answer = as_answer(await program(told))
        if person.fault is not None:
            raise person.fault
        broken = self.world.violations(state)
        final, broken = self.world.left(state), [broken] if isinstance(broken, str) else [str(rule) for rule in broken]
        if answer.value is ABSTAIN and not broken and canonical(final) == canonical(before):
            return answer
        left = {"answer": to_json(answer.value), "final": final, "violations": broken, "questions": person.asked}
        return Answer(left, answer.confidence, answer.by)


def _of_case(what: str, make: Callable[[Any], Any], inputs: Json) -> Any:
    """What a function of the world makes of a case's inputs. Raises UsageError where they cannot be read as one."""
    try:
        return make(inputs)
    except (TypeError, AttributeError, LookupError, ValueError) as error:
        said = f"`{what}` of the world cannot read these inputs as a case: {describe(error)}"
        raise UsageError(said, hint="call it with a case's inputs, as the cases have them: desk(message=…)") from error


async def _permits(question: str, choices: tuple[str, ...]) -> str:
    """Whoever runs the program allows what it wants to do; the person in the case is not asked for that."""
    return YES


@dataclass(slots=True)
class _Person:
    """Who is asked in one trial, and what was asked. `fault` is what went wrong with them, which no program may eat."""

    world: World[Any]
    state: Any
    asked: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    fault: Exception | None = None

    async def __call__(self, question: str, choices: tuple[str, ...]) -> str:
        try:
            given = self.world.person(self.state, question, choices)
            said = await given if inspect.isawaitable(given) else given
            if said is not None and (not isinstance(said, str) or (choices and said not in choices)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SolutionError(f"the world's person said {said!r:.80}", hint="a text, one of the choices; None")
        except Exception as error:
            self.fault = error
            raise
        self.asked.append({"question": question, "choices": list(choices), "answer": said})
        return UNKNOWN if said is None else said


def in_turn(tools: Sequence[Callable[..., Any]]) -> Tools:
    """The same tools, of which one call at a time is done, first asked, first done: a trial whose calls come at once
    ends alike each time. A call that another one makes goes on within it."""
    lock = asyncio.Lock()

    def queued(tool: CallableTool[..., Any]) -> CallableTool[..., Any]:
        async def call(values: Mapping[str, Any]) -> Any:
            if _turn.get() is lock:
                return await tool.call(values)
            async with lock:
                token = _turn.set(lock)
                try:
                    return await tool.call(values)
                finally:
                    _turn.reset(token)

        return dataclasses.replace(tool, call=call)

    return [queued(as_tool(one)) for one in tools]
