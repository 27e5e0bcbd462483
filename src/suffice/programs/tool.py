"""A tool: a typed function that a model may ask for. Annotations make its schema, its docstring says what it is for."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Generic, Literal, ParamSpec, Protocol, TypeVar, cast, get_args, get_origin, overload

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict, Unpack

from suffice import exchange
from suffice.arguments import Rule, check, rule_of
from suffice.errors import OutputError, SolutionError, UsageError
from suffice.numbers import DAY, is_number, is_whole
from suffice.programs.annotations import annotations_of
from suffice.programs.calling import awaited, is_async
from suffice.programs.docstring import read_docstring
from suffice.programs.dry_run import refuse_dry
from suffice.programs.leaving import as_guest
from suffice.programs.place import keep_place
from suffice.programs.recorded import read_recorded
from suffice.programs.tool_arguments import adapter_of, arguments_of, read_of
from suffice.shown import shown
from suffice.store.effects import Kept, Repeat, durable_run, effect
from suffice.values import Json, in_order

P = ParamSpec("P")
R = TypeVar("R")

Permission = Literal["allow", "ask", "deny"]
"""Whether an agent may call a tool: by itself, after a person said yes, or never."""

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What OpenAI and Anthropic take as a function's name."""
MOST_CHARS: Final = 20_000
TIMEOUT: Final = 300.0  # seconds
BYTES: Final = ("utf8", "base64")
RAW: Final = "suffice:base64"
UNFIT: Final = "the answer does not fit its type: "


class ToolOptions(TypedDict, total=False):
    """What a tool may say. `repeat`: whether a call that was begun, and whose end nobody knows, may simply be made
    again. `permission`: what an agent may do with it. `changes`: whether it changes something outside, so that a dry
    run leaves it out (None: where it may not be repeated). `most_chars`: how much of a result a model is shown.
    `timeout`: after how many seconds a call has failed (None: never): a plain function goes on alone on its thread, an
    async one is cut off at the next `await` that waits."""

    name: str
    description: str
    repeat: Repeat
    permission: Permission
    changes: bool | None
    most_chars: int
    timeout: float | None


_RULES: Final[Mapping[str, Rule]] = {
    "name": Rule(
        lambda v: isinstance(v, str) and NAME.fullmatch(v) is not None,
        "1 to 64 of a-z, A-Z, 0-9, _ and -",
        'name="look_up"',
    ),
    "description": rule_of(str),
    "repeat": rule_of(Repeat),
    "permission": rule_of(Permission),
    "changes": rule_of(bool | None),
    "most_chars": Rule(lambda v: is_whole(v, 100), "a whole number of at least 100", "most_chars=20_000"),
    "timeout": Rule(
        lambda v: v is None or (is_number(v, 0.0, DAY) and v > 0), f"more than 0 seconds and at most a day ({DAY:.0f})"
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class CallableTool(Generic[P, R]):
    """`await tool(…)` calls its function, on a thread where that is a plain one; agents offer it to their model.

    A call is an effect: a durable run records it. `parameters` is the JSON schema of the arguments. `read` turns
    arguments as a model wrote them into values (raises OutputError), `write` a result into JSON, `back` that into the
    result again. `source` is the function, or what else says what it does.
    """

    name: str
    description: str
    parameters: Mapping[str, Json]
    call: Callable[[Mapping[str, Any]], Awaitable[R]] = field(repr=False)
    read: Callable[[Json], Mapping[str, Any]] = field(repr=False)
    write: Callable[[R], Json] = field(repr=False)
    back: Callable[[Json], R] = field(repr=False)
    source: Any = field(repr=False)
    signature: inspect.Signature | None = field(default=None, repr=False)
    repeat: Repeat = "safe"
    permission: Permission = "allow"
    changes: bool | None = None
    most_chars: int = MOST_CHARS
    timeout: float | None = TIMEOUT

    @property
    def __signature__(self) -> inspect.Signature | None:
        """Of its function, for whoever inspects it."""
        return self.signature

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns. Raises TypeError for arguments that it does not take, LeftOut where it changes
        something and a dry run holds, what the function raises, and in a durable run UsageError for an argument and
        SolutionError for a result that cannot be recorded."""
        told = dict(kwargs)
        if self.signature is not None:
            try:
                told = dict(self.signature.bind(*args, **kwargs).arguments)
            except TypeError as error:
                raise TypeError(f"{self.name}() {error}") from None
        elif args:
            raise TypeError(f"{self.name}() takes its arguments by name")
        if self.alters:
            refuse_dry(self.name, told)
        if durable_run() is None:
            return await effect(
                self.name, "tool", None, partial(self._in_time, told, False), Kept(self.write, self.back)
            )

        async def call() -> Any:  # what came too late, or cannot be written, is recorded as that
            return _checked(self.name, partial(_kept, self.write), await self._in_time(told, False))

        kept = Kept(_same, partial(_again, self.back), told=self.back)
        return await effect(self.name, "tool", _recordable(self.name, told), call, kept, repeat=self.repeat)

    async def asked(self, arguments: Json, values: Mapping[str, Any]) -> Json:
        """The result, as JSON, of a call that a model asked for: its `arguments`, and what `read` made of them.

        Raises what the function raises, RuntimeError where it would end the program, SolutionError where the result has
        no JSON form, and LeftOut where it changes something and a dry run holds.
        """
        if self.alters:
            refuse_dry(self.name, arguments)

        async def call() -> Json:
            return _checked(self.name, self.write, await self._in_time(values, True))

        kept = Kept(_same, _same, told=self.back)
        return await effect(self.name, "tool", arguments, call, kept, repeat=self.repeat)

    async def _in_time(self, values: Mapping[str, Any], guest: bool) -> R:
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                value = await self._placed(partial(self.call, values), guest)
        except TimeoutError:
            if not limit.expired():
                raise  # its own
        else:
            if not limit.expired():  # else it was cut off, went on all the same, and came too late
                return value
        raise TimeoutError(f"{self.name} gave no result within {self.timeout:g} s") from None

    async def _placed(self, call: Callable[[], Awaitable[R]], guest: bool) -> R:
        try:
            return await (as_guest(call) if guest else call())
        except Exception as error:
            keep_place(error)
            raise

    @property
    def offer(self) -> exchange.Tool:
        """As `Model(…, tools=[…])` takes it."""
        return exchange.Tool(self.name, self.description, self.parameters)

    @property
    def alters(self) -> bool:
        """Whether it changes something outside."""
        return self.repeat == "never" if self.changes is None else self.changes

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What its behaviour hangs on, for the identity of what uses it."""
        options = (self.repeat, self.permission, self.changes, self.most_chars, self.timeout)
        return (self.name, self.description, json.dumps(self.parameters), *options, self.source)

    def using(self, **options: Unpack[ToolOptions]) -> CallableTool[P, R]:
        """The same tool with other options. Raises UsageError for one that cannot be."""
        return replace(self, **_options(options))


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        if name not in _RULES:
            raise UsageError(f"a tool has no option {name!r}", hint=f"known: {', '.join(_RULES)}")
        check(name, value, _RULES[name])
    return dict(given)


class Decorator(Protocol):
    """What `tool` with options alone gives: it makes a tool of the function below it."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> CallableTool[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, AsyncIterator[R]], /) -> CallableTool[P, list[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> CallableTool[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any: ...


@overload
def tool(function: Callable[P, Awaitable[R]], /) -> CallableTool[P, R]: ...
@overload
def tool(function: Callable[P, AsyncIterator[R]], /) -> CallableTool[P, list[R]]: ...
@overload
def tool(function: Callable[P, R], /) -> CallableTool[P, R]: ...
@overload
def tool(**options: Unpack[ToolOptions]) -> Decorator: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a tool of a plain or async function, a step, or a method, with annotations and a docstring.

    What a model asks for is validated by the annotations before the function runs; the result goes back through the
    return annotation; an async generator gives a list of all that it yields. Raises UsageError for a function that is
    none: no docstring, a parameter without an annotation, *args, a type without a JSON schema, a method of no object.
    """
    if function is not None:
        return _made(function, options)

    def decorate(decorated: Callable[..., Any]) -> Any:
        return _made(decorated, options)

    return decorate


def schema_tool(
    name: str,
    description: str,
    parameters: Mapping[str, Json],
    call: Callable[[Mapping[str, Any]], Awaitable[Json]],
    source: Json = None,
) -> CallableTool[..., Json]:
    """A tool that is described by a JSON schema, such as one on a server, which validates the arguments itself.

    A name that models do not take is written with "_" for what they do not. Raises UsageError where `parameters` is no
    schema of an object.
    """
    if parameters.get("type") != "object":
        raise UsageError(f"the tool {name!r:.80} takes no object", hint='{"type": "object", "properties": {…}}')
    wire = re.sub(r"[^a-zA-Z0-9_-]+", "_", name)[:64] or "tool"
    told = dict(parameters)
    return CallableTool(wire, description, told, call, _fields, _same, _same, source)


def _made(function: Callable[..., Any], options: Mapping[str, Any]) -> CallableTool[..., Any]:
    said = _options(options)
    inner: Any = getattr(function, "function", None) or function  # of a step, its function
    name = said.get("name") or getattr(function, "name", None) or getattr(inner, "__name__", None)
    if not isinstance(name, str) or not callable(inner) or isinstance(function, type):
        raise UsageError(f"a tool is made of a function, not {function!r:.80}", hint="def look_up(id: str) -> …")
    check("a tool's name", name, _RULES["name"])
    doc = read_docstring(inspect.getdoc(inner))
    words = name.replace("_", " ") if doc.parameters else ""  # of a docstring with nothing but parameters
    description = said.get("description") or doc.text or words
    if not description:
        raise UsageError(f"the tool {name} has no docstring", hint="say there what it does, for the model")
    hints, signature = annotations_of(inner, f"the tool {name}"), inspect.signature(function)
    _refuse_unbound(name, inner, signature, hints)
    parameters, read = read_of(name, arguments_of(name, signature, hints, doc.parameters))
    result = adapter_of(name, "its return type", _collected(hints.get("return", Any)))
    made = CallableTool(
        name,
        description,
        parameters,
        call=partial(_called, function),
        read=read,
        write=partial(_written, result),
        back=partial(read_recorded, name, result),
        source=inner,
        signature=signature,
    )
    return replace(made, **(said | {"name": name, "description": description}))


def _refuse_unbound(name: str, inner: Any, signature: inspect.Signature, hints: Mapping[str, Any]) -> None:
    """Raise UsageError for a method that stands in its class, which nobody has made an object of."""
    owner = str(getattr(inner, "__qualname__", "")).rpartition(".")[0].rpartition(".")[2]
    if next(iter(signature.parameters), None) == "self" and "self" not in hints and owner not in ("", "<locals>"):
        own = getattr(inner, "__name__", name)
        raise UsageError(
            f"the tool {name} is a method of {owner}, and a model gives no self",
            hint=f"leave {own} as it is in the class, and make a tool of that of an object: sf.tool({owner}().{own})",
        )


def _collected(kind: Any) -> Any:
    """The return annotation, of an async generator that of the list of what it yields."""
    if (get_origin(kind) or kind) not in (AsyncIterator, AsyncIterable, AsyncGenerator):
        return kind
    return list[get_args(kind)[0]] if get_args(kind) else list[Any]


def _written(result: TypeAdapter[Any], value: Any) -> Json:
    """What a function returned, as JSON by its annotation, or else as near as can be: what it did is done, and must
    neither be lost nor look like a failure."""
    try:
        return result.dump_python(value, mode="json", warnings="error")
    except (PydanticSerializationError, ValueError):  # the latter of bytes that are no text
        pass
    try:
        return to_jsonable_python(value, bytes_mode="base64", fallback=repr)
    except ValueError:  # it holds itself
        return repr(value)


def _checked(name: str, write: Callable[[R], Json], value: R) -> Json:
    """A result as JSON that can be written down. Raises SolutionError, which is then what came of the call: of a number
    of thousands of digits Python makes no text."""
    try:
        made = write(value)
        json.dumps(made)
    except (ValueError, RecursionError) as error:
        hint = f"let {name} return a text, or less"
        raise SolutionError(f"what {name} returned has no JSON form: {error}", hint=hint) from None
    return made


def _recordable(name: str, told: Mapping[str, Any]) -> dict[str, Json]:
    """The arguments of a call as a durable run records them, to know it again. Raises UsageError."""
    return {own: _argument(name, own, value) for own, value in told.items()}


def _argument(name: str, own: str, value: Any) -> Json:
    """One argument as JSON; where its bytes are no text, they are base64. Raises UsageError: another process must find
    the same, so a text with a memory address in it will not do."""
    whole, strange = type(value).__qualname__, list[str]()

    def plain(part: Any) -> Json:
        if getattr(part, "ndim", None) == 0 and hasattr(part, "item"):
            return part.item()  # a numpy scalar
        strange.append(type(part).__qualname__)
        return None

    if isinstance(value, Iterator):  # to write it down would use it up
        strange.append(whole)
    else:
        for mode in BYTES:
            with suppress(ValueError, RecursionError):  # of bytes that are no text, and of what holds itself
                made = to_jsonable_python(in_order(value), bytes_mode=mode, fallback=plain)
                json.dumps(made)  # which refuses a number of thousands of digits
                if not strange:
                    return made
    kind = shown((strange or [whole])[0])
    raise UsageError(
        f"the tool {name} cannot be called in a durable run: its argument {own} is or holds something of type {kind}, "
        "which has no JSON form, and so could not be known again when the run goes on",
        hint=f"{own}= as texts, numbers, bytes, lists, dicts, dataclasses, pydantic models; a connection, an open file "
        f"or a function is made or looked up inside {name}",
    )


def _kept(write: Callable[[R], Json], value: R) -> Json:
    """A result as a durable run records it: one that is bytes and no text is marked as that."""
    if isinstance(value, bytes):
        try:
            value.decode()
        except UnicodeDecodeError:
            return {RAW: b64encode(value).decode()}
    return write(value)


def _again(back: Callable[[Any], R], value: Json) -> R:
    """The inverse of `_kept`."""
    told = cast("dict[str, Json]", value) if isinstance(value, dict) else {}
    return back(b64decode(str(told[RAW])) if list(told) == [RAW] else value)


async def _called(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    value = await awaited(partial(function, **values), is_async(function))
    if not inspect.isasyncgen(value):
        return value
    async with aclosing(cast("AsyncGenerator[Any]", value)) as parts:
        return [part async for part in parts]


def _fields(given: Json) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise OutputError(f"{UNFIT}expected an object")
    return cast("dict[str, Any]", given)


def _same(value: Json) -> Json:
    return value
