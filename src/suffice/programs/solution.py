"""A solution: any way from a case's inputs to an answer, wrapped so that everything can call it alike."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Generic, cast

from typing_extensions import TypeVar

from suffice.errors import (
    BudgetError,
    CallError,
    NoKey,
    NoModel,
    PolicyError,
    PriceUnknown,
    RefusedError,
    SolutionError,
    StoreError,
)
from suffice.models.serving import serving
from suffice.programs.identity import function_identity
from suffice.programs.leaving import HardExit
from suffice.programs.place import place_of_error, place_of_function
from suffice.programs.threads import in_thread
from suffice.values import ABSTAIN, Answer, Failure, Json, to_json

R = TypeVar("R", covariant=True, default=Any)

Ask = Callable[[Json], Awaitable[Answer]]
"""From a case's inputs (a bare value, or a dict by column name) to an answer."""

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
        raise SolutionError(f"{function!r} is not callable", hint="pass a function, a rung, or a loaded bundle")
    named, required = _parameters(function)
    is_async = inspect.iscoroutinefunction(_unwrapped(function)) or inspect.iscoroutinefunction(type(function).__call__)

    async def ask(inputs: Json) -> Answer:
        call = _bound(function, _own(inputs), named)
        value = await call() if is_async else await in_thread(call)
        if inspect.isawaitable(value):  # a def that returns a coroutine, such as a lambda over an async function
            value = await value
        try:
            return as_answer(value)
        except NotAnAnswer as error:
            raise NotAnAnswer(f"{error}{place_of_function(function)}") from None

    label = name or getattr(function, "__name__", None) or type(function).__name__
    identity = function_identity(function)
    return Solution(
        name=label,
        ask=ask,
        identity=identity,
        form=_function_form(function, identity),
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
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await solution.ask(inputs), None
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None  # without its text: where the solution raised it, that may quote the case
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return None, Failure("raised", describe(error))  # its own: it awaited something that was cancelled
    except (BudgetError, PolicyError, NoKey, NoModel, PriceUnknown, StoreError):
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


def describe(error: BaseException) -> str:
    """An exception in one line with the place in the user's code: "KeyError: 'total' (my.py:12 in triage)"."""
    try:
        said = str(error)
    except Exception:  # an exception class of the user's whose text fails in its turn
        said = ""
    return _line(f"{type(error).__name__}: {said}".rstrip(": ")) + place_of_error(error)


def _line(text: str) -> str:
    line = " ".join(text[: 4 * MESSAGE].split())
    return line if len(line) <= MESSAGE else f"{line[: MESSAGE - 1]}…"


def _hanging(cancelled: BaseException | None) -> str:
    """Where a call was when its time was over: a `def` goes on in its thread, and a note says where."""
    return "".join(getattr(cancelled, "__notes__", [])) or place_of_error(cancelled, users=True)


def _unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return None, ()
    kinds = inspect.Parameter
    usual = [p for p in signature.parameters.values() if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in signature.parameters.values())
    takes_one = any(p.kind in (kinds.VAR_POSITIONAL, kinds.POSITIONAL_ONLY) for p in signature.parameters.values())
    if not usual and not takes_any and not takes_one:
        raise SolutionError(f"{getattr(function, '__name__', function)} takes no inputs", hint="give it a parameter")
    required = tuple(p.name for p in usual if p.default is kinds.empty)
    return (None if takes_any else tuple(p.name for p in usual)), required


def _bound(function: Callable[..., Any], inputs: Json, named: tuple[str, ...] | None) -> Callable[[], Any]:
    if not isinstance(inputs, dict):
        return functools.partial(function, inputs)
    if named is not None and len(named) < 2 and not (named and named[0] in inputs):
        return functools.partial(function, inputs)  # one parameter that wants the whole dict
    return functools.partial(function, **inputs)


def _function_form(function: Callable[..., Any], identity: str) -> Form | None:
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not qualname or "<" in qualname:
        return None  # a lambda, a closure or a partial has no import path
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type | types.ModuleType):
        return None  # a method of one object: its name would find the method of none
    return Form("function", {"import": f"{module}:{qualname}", "source": identity})
