"""A tool: a typed function that a model may ask for. Annotations make its schema, its docstring says what it is for."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NotRequired,
    ParamSpec,
    Protocol,
    Required,
    TypeVar,
    cast,
    overload,
)

from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict, Unpack

from suffice import exchange
from suffice.arguments import Rule, check, rule_of
from suffice.errors import OutputError, UsageError
from suffice.models.output.typed import output_type
from suffice.numbers import DAY, is_number, is_whole
from suffice.programs.annotations import annotations_of
from suffice.programs.calling import awaited, is_async
from suffice.programs.docstring import read_docstring
from suffice.programs.leaving import as_guest
from suffice.programs.place import keep_place
from suffice.programs.recorded import read_recorded
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
TYPED_DICT: Final = "from typing_extensions import TypedDict"
BYTES: Final = ("utf8", "base64")
RAW: Final = "suffice:base64"
UNFIT: Final = "the answer does not fit its type: "


class ToolOptions(TypedDict, total=False):
    """What a tool may say. `repeat`: whether a call that was begun, and whose end nobody knows, may simply be made
    again. `permission`: what an agent may do with it. `changes`: whether it changes something outside, so that a dry
    run leaves it out (None: where it may not be repeated). `most_chars`: how much of a result a model is shown.
    `timeout`: after how many seconds a call has failed (None: never); a plain function goes on alone on its thread."""

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
        """What the function returns. Raises TypeError for arguments that it does not take, in a durable run UsageError
        for one that cannot be recorded, and what the function raises."""
        told = dict(kwargs)
        if self.signature is not None:
            try:
                told = dict(self.signature.bind(*args, **kwargs).arguments)
            except TypeError as error:
                raise TypeError(f"{self.name}() {error}") from None
        elif args:
            raise TypeError(f"{self.name}() takes its arguments by name")
        arguments = None if durable_run() is None else _recordable(self.name, told)
        call = partial(self._in_time, told, False)  # so that what came too late is recorded as that
        kept = Kept(partial(_kept, self.write), partial(_again, self.back), told=self.back)
        return await effect(self.name, "tool", arguments, call, kept, repeat=self.repeat)

    async def asked(self, arguments: Json, values: Mapping[str, Any]) -> Json:
        """The result, as JSON, of a call that a model asked for: its `arguments`, and what `read` made of them.

        Raises what the function raises, and RuntimeError where it would end the program.
        """

        async def call() -> Json:
            return self.write(await self._in_time(values, True))

        kept = Kept(_same, _same, told=self.back)
        return await effect(self.name, "tool", arguments, call, kept, repeat=self.repeat)

    async def _in_time(self, values: Mapping[str, Any], guest: bool) -> R:
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                return await self._placed(partial(self.call, values), guest)
        except TimeoutError:
            if not limit.expired():
                raise  # its own
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
        for name, value in options.items():
            if name not in _RULES:
                raise UsageError(f"a tool has no option {name!r}", hint=f"known: {', '.join(_RULES)}")
            check(name, value, _RULES[name])
        return replace(self, **cast("dict[str, Any]", options))


class Decorator(Protocol):
    """What `tool` with options alone gives: it makes a tool of the function below it."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> CallableTool[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> CallableTool[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any: ...


@overload
def tool(function: Callable[P, Awaitable[R]], /) -> CallableTool[P, R]: ...
@overload
def tool(function: Callable[P, R], /) -> CallableTool[P, R]: ...
@overload
def tool(**options: Unpack[ToolOptions]) -> Decorator: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a tool of a plain or async function, a step, or a method, with annotations and a docstring.

    What a model asks for is validated by the annotations before the function runs; the result goes back through the
    return annotation. Raises UsageError for a function that is none: no docstring, a parameter without an annotation,
    *args, a type without a JSON schema.
    """
    if function is not None:
        return _made(function)

    def decorate(decorated: Callable[..., Any]) -> Any:
        return _made(decorated).using(**options)

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


def _made(function: Callable[..., Any]) -> CallableTool[..., Any]:
    inner: Any = getattr(function, "function", None) or function  # of a step, its function
    name = getattr(function, "name", None) or getattr(inner, "__name__", None)
    if not isinstance(name, str) or not callable(inner) or isinstance(function, type):
        raise UsageError(f"a tool is made of a function, not {function!r:.80}", hint="def look_up(id: str) -> …")
    check("a tool's name", name, _RULES["name"])
    doc = read_docstring(inspect.getdoc(inner))
    if not doc.text:
        raise UsageError(f"the tool {name} has no docstring", hint="say there what it does, for the model")
    hints = annotations_of(inner, f"the tool {name}")
    signature = inspect.signature(function)
    parameters, read = _arguments(name, signature, hints, doc.parameters)
    result = _adapter(name, "its return type", hints.get("return", Any))
    return CallableTool(
        name,
        doc.text,
        parameters,
        call=partial(_called, function),
        read=read,
        write=partial(_written, result),
        back=partial(read_recorded, name, result),
        source=inner,
        signature=signature,
    )


def _adapter(name: str, what: str, kind: Any) -> TypeAdapter[Any]:
    """What validates a type, and writes it. Raises UsageError for one that pydantic cannot describe."""
    try:
        return TypeAdapter(kind)
    except Exception as error:  # pydantic's own, and whatever its looking into an object that is no type ends in
        if isinstance(error, PydanticUserError) and error.code == "typed-dict-version":
            said, hint = "holds a typing.TypedDict, which Python 3.11 tells too little of", TYPED_DICT
        else:
            first = (str(error) or type(error).__name__).splitlines()[0]
            said, hint = f"has no JSON schema: {first:.200}", "a text, a number, a pydantic model"
        raise UsageError(f"the tool {name}: {what} {said}", hint=hint) from None


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
    return await awaited(partial(function, **values), is_async(function))


def _arguments(
    name: str, signature: inspect.Signature, hints: Mapping[str, Any], said: Mapping[str, str]
) -> tuple[Mapping[str, Json], Callable[[Json], Mapping[str, Any]]]:
    """The JSON schema of the arguments, and what reads them."""
    fields: dict[str, Any] = {}
    defaults: dict[str, Json] = {}
    for parameter in signature.parameters.values():
        own = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            hint = f"def {name}(id: str) -> …"
            raise UsageError(f"the tool {name} takes {parameter}: a model gives each argument by its name", hint=hint)
        if own not in hints:
            raise UsageError(f"the parameter {own} of the tool {name} has no annotation", hint=f"{own}: str")
        kind = Annotated[hints[own], Field(description=said[own])] if own in said else hints[own]
        fields[own] = Required[kind] if parameter.default is parameter.empty else NotRequired[kind]
        if parameter.default is not parameter.empty and parameter.default is not None:
            defaults[own] = parameter.default
    made: Any = TypedDict(name, fields)  # type: ignore[misc]
    made.__pydantic_config__ = ConfigDict(extra="forbid")
    for own, kind in fields.items():
        _adapter(name, f"the parameter {own}", kind.__args__[0])
    typed = output_type(made)
    schema = json.loads(json.dumps(typed.spec_schema))
    for one in schema["properties"].values():
        one.pop("title", None)  # its name over again
    for own, value in defaults.items():
        schema["properties"][own].setdefault("default", to_jsonable_python(value, fallback=repr))
    schema.pop("title", None)

    def read(given: Json) -> Mapping[str, Any]:
        return typed.parse(json.dumps(given))

    return schema, read


def _fields(given: Json) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise OutputError(f"{UNFIT}expected an object")
    return cast("dict[str, Any]", given)


def _same(value: Json) -> Json:
    return value
