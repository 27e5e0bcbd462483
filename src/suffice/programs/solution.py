"""A solution: any way from a case's inputs to an answer, wrapped so that everything can call it alike."""

from __future__ import annotations

import asyncio
import json
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Generic, Literal, cast

from typing_extensions import TypeVar

from suffice.errors import (
    BudgetError,
    CallError,
    JournalDiverged,
    NoKey,
    NoModel,
    PolicyError,
    PriceUnknown,
    RefusedError,
    SolutionError,
    Stopped,
    StoreError,
    SufficeError,
)
from suffice.models.serving import serving
from suffice.programs.calling import caller, parameters_of
from suffice.programs.identity import asks_around, function_identity
from suffice.programs.leaving import HardExit
from suffice.programs.place import place_of_error, place_of_function
from suffice.programs.using import model_here
from suffice.shown import brief
from suffice.values import ABSTAIN, Answer, Failure, Json, content_hash, to_json

R = TypeVar("R", covariant=True, default=Any)

Ask = Callable[[Json], Awaitable[Answer]]
"""From a case's inputs (a bare value, or a dict by column name) to an answer."""

Confidence = Literal["logprobs", "self-check"]
"""Where the confidence of a model's answers comes from, as a rung states it."""

ENDS_ALL = (BudgetError, PolicyError, NoKey, NoModel, PriceUnknown, StoreError, JournalDiverged)
"""What would end every other call alike: raised, never a failure of one case, branch or tool."""
MESSAGE = 500  # characters of a failure that are kept: an exception may quote a whole page


class NotAnAnswer(TypeError):
    """What a function returned cannot be an answer."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a solution is written down in a bundle: a kind, JSON data, and arrays by name (see bundle.py).

    `text` is what a person may edit; `file` is where it was read from, for messages.
    """

    kind: str
    data: Json
    arrays: Mapping[str, Any] = field(default_factory=dict[str, Any])
    text: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Solution(Generic[R]):
    """One way to answer. `await solution(inputs)` gives the value, `await solution.reply(inputs)` the whole Answer.

    `Solution[Team | Abstain]` says what a call returns; a bare `Solution` may return anything.

    `identity` changes when its behaviour may change. `free` says that a call costs nothing and touches nothing
    outside the process, so it may be repeated at will. `batch`, where there is one, answers many inputs at once.
    `form` is None for a solution that cannot be saved. `confidence_from` says in words where the confidence of its
    answers comes from, None where nobody knows. `claim` is what a loaded bundle's manifest says was shown of it.
    `learned` names the cases that it was fitted on (learned.py): a figure on them flatters.
    """

    name: str
    ask: Ask
    identity: str
    free: bool = False
    confident: bool = False  # whether its answers carry a confidence
    confidence_from: str | None = None  # "vote share", "log-probabilities"
    batch: Callable[[Sequence[Json]], list[Answer]] | None = None
    form: Form | None = None
    parameters: tuple[str, ...] | None = None  # names it can bind; None: takes anything
    required: tuple[str, ...] = ()
    replays: bool = False  # a recording: it answers only what was recorded
    members: tuple[Any, ...] = ()  # the legs of a route (route.py), in order
    claim: Mapping[str, Json] | None = field(default=None, compare=False)
    learned: frozenset[str] = field(default=frozenset(), compare=False)

    def __repr__(self) -> str:
        shown = (self.claim or {}).get("sentence")
        return f"<Solution {self.name}{f': {shown}' if shown else ''}>"

    @property
    def made_of(self) -> tuple[str]:
        """What the identity of a function or workflow that calls it hangs on."""
        return (self.identity,)

    async def reply(self, *args: Any, **kwargs: Any) -> Answer:
        """The answer with its confidence and who gave it; inputs as one value or as keyword arguments."""
        with serving(self.identity):
            answer = await self.ask(gathered(args, kwargs))
        return answer if answer.by or answer.value is ABSTAIN else replace(answer, by=self.name)

    async def __call__(self, *args: Any, **kwargs: Any) -> R:
        """The answer's value: what was asked for, None, or ABSTAIN."""
        return (await self.reply(*args, **kwargs)).value


def gathered(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Json:
    """A call's arguments as case inputs: one positional value, or keyword arguments as a dict."""
    if len(args) == 1 and not kwargs:
        return args[0]
    if kwargs and not args:
        return dict(kwargs)
    raise SolutionError("call a solution with one value, or with keyword arguments only")


def from_function(function: Callable[..., Any], name: str | None = None) -> Solution:
    """Wrap a plain or async function. Raises SolutionError where it cannot be called with inputs.

    A plain `def` runs on a daemon thread, so that it may block. It may return a bare value, `Answer(value,
    confidence)` or `ABSTAIN`.
    """
    if isinstance(function, Solution):
        given = cast("Solution", function)
        return replace(given, name=name) if name else given
    as_solution = getattr(function, "as_solution", None)  # a step, whose model is settled now
    if as_solution is not None:
        return cast("Solution", as_solution(name))
    if not callable(function):
        raise SolutionError(f"{brief(function)} is not callable", hint="pass a function, a rung, or a loaded bundle")
    named, required = parameters_of(function)
    call = caller(function)

    async def ask(inputs: Json) -> Answer:
        value = await call(_own(inputs))
        try:
            return as_answer(value)
        except NotAnAnswer as error:
            raise NotAnAnswer(f"{error}{place_of_function(function)}") from None

    label = name or getattr(function, "__name__", None) or type(function).__name__
    source = function_identity(function)
    around = model_here() if asks_around(function) else None
    return Solution(
        name=label,
        ask=ask,
        identity=source if around is None else content_hash([source, around]),
        form=_function_form(function, source),
        confident=True,  # only its answers tell
        parameters=named,
        required=required,
    )


def _own(inputs: Json) -> Json:
    """A copy of dicts and lists, so that a function that changes what it is given changes no other call's."""
    if isinstance(inputs, dict):
        return {name: _own(value) for name, value in cast("dict[str, Json]", inputs).items()}
    return [_own(item) for item in cast("list[Json]", inputs)] if isinstance(inputs, list) else inputs


def as_answer(value: Any) -> Answer:
    """What a function returned, as an Answer with a value that has a JSON form. Raises NotAnAnswer else."""
    answer: Answer = value if isinstance(value, Answer) else Answer(value)
    sure: object = answer.confidence
    if sure is not None and not (isinstance(sure, Real) and 0.0 <= sure <= 1.0):
        what = repr(sure) if isinstance(sure, Real) else f"a {type(sure).__name__}"
        raise NotAnAnswer(f"a confidence must be a number in [0, 1], not {what}")
    try:
        form = to_json(answer.value)
        if not isinstance(form, str):  # which may be long, and is always JSON
            json.dumps(form)
    except (TypeError, ValueError) as error:  # Python writes no integer of thousands of digits
        raise NotAnAnswer(f"returned what cannot be an answer: {error}") from None
    return answer


def check_inputs(solution: Solution, columns: Sequence[str]) -> None:
    """Refuse, before the first call, a solution whose parameters do not fit the task's input columns.

    One column is bound by its place, several by name.
    """
    if len(columns) == 1 and len(solution.required) > 1:
        raise SolutionError(
            f"{solution.name} needs {', '.join(solution.required)}, and the task has the one input {columns[0]}",
            hint="give the other parameters defaults, or choose columns with --input",
        )
    if len(columns) < 2 or solution.parameters is None:
        return
    missing = [p for p in solution.required if p not in columns]
    extra = [c for c in columns if c not in solution.parameters]
    if missing or extra:
        problems = ([f"it needs {', '.join(missing)}"] if missing else []) + (
            [f"it has no parameter for {', '.join(extra)}"] if extra else []
        )
        raise SolutionError(
            f"{solution.name} does not fit the task's inputs ({', '.join(columns)}): {'; '.join(problems)}",
            hint="rename its parameters, take **others, or choose columns with --input",
        )


async def attempt(solution: Solution, inputs: Json, timeout: float | None) -> tuple[Answer | None, Failure | None]:
    """One call that always ends in an answer or a Failure: raised, timed out after `timeout` seconds, exited, typed.

    What would end every other call in the same way (a spent budget, a policy, no model or key, no store) is raised.

    Cancellation and Ctrl-C pass through; everything else that the solution does is its own failure, not ours.
    """
    return await attempt_call(lambda: solution.ask(inputs), timeout)


async def attempt_call(
    call: Callable[[], Awaitable[Answer]], timeout: float | None
) -> tuple[Answer | None, Failure | None]:
    """As `attempt`, of any call that gives an answer."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await call(), None
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None  # without its text: where the solution raised it, that may quote the case
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return None, Failure("raised", describe(error))  # its own: it awaited something that was cancelled
    except (*ENDS_ALL, Stopped):
        raise
    except CallError as error:
        return None, Failure(*_of_call(error))
    except SystemExit as error:
        how = "os._exit" if isinstance(error, HardExit) else "sys.exit"
        return None, Failure("exit", f"called {how}({_line(repr(error.code))}){place_of_error(error)}")
    except NotAnAnswer as error:
        return None, Failure("type", _line(str(error)))
    except BaseException as error:  # noqa: B036 - a user's code may raise anything, and a run must outlive it
        if isinstance(error, TimeoutError) and limit.expired():  # and not one that it raised itself
            return None, Failure("timeout", f"no answer within {timeout:g} s{_hanging(error.__cause__)}")
        return None, Failure("raised", describe(error))


def _of_call(error: CallError) -> tuple[str, str]:
    """Kind and message of a model call that failed. Where nobody was reached, or the endpoint takes no such request,
    the next call would end so, too: then the message says what to look at."""
    kind = "unreached" if error.unreached else "refused" if isinstance(error, RefusedError) else "raised"
    if kind == "raised":
        return kind, describe(error)
    return kind, _line("; ".join(filter(None, (error.message, error.hint))))


def describe(error: BaseException, *, hint: bool = True) -> str:
    """An exception in one line with the place in the user's code: "KeyError: 'total' (my.py:12 in triage)". Without
    `hint` what an error of ours says to a developer is left out: a model reads it."""
    try:
        said = str(error) if hint or not isinstance(error, SufficeError) else error.message
    except Exception:  # an exception class of the user's whose text fails in its turn
        said = ""
    return _line(f"{type(error).__name__}: {said}".rstrip(": ")) + place_of_error(error)


def _line(text: str) -> str:
    line = " ".join(text[: 4 * MESSAGE].split())
    return line if len(line) <= MESSAGE else f"{line[: MESSAGE - 1]}…"


def _hanging(cancelled: BaseException | None) -> str:
    """Where a call was when its time was over: a `def` goes on in its thread, and a note says where."""
    return "".join(getattr(cancelled, "__notes__", [])) or place_of_error(cancelled, users=True)


def _function_form(function: Callable[..., Any], identity: str) -> Form | None:
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not qualname or "<" in qualname:
        return None  # a lambda, a closure or a partial has no import path
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type | types.ModuleType):
        return None  # a method of one object: its name would find the method of none
    return Form("function", {"import": f"{module}:{qualname}", "source": identity})
