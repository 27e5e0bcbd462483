"""Model: one string, one small object. `await model(messages, output=Type)` gives a Reply."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast, overload

from typing_extensions import TypeForm, Unpack

from suffice.exchange import Message, OutputSpec, Reply, Request, Tool
from suffice.models import sizes
from suffice.models.answering import Answering, answered
from suffice.models.dialects.body import json_of
from suffice.models.flow import Flow, Sink
from suffice.models.legs import Route, route_of
from suffice.models.messages import messages_of, texts_of
from suffice.models.options import CAP, TOTAL, CallOptions, ModelOptions, checked, model_name
from suffice.models.output.arriving import PartialOutput
from suffice.models.output.typed import OutputType, output_type
from suffice.models.places.address import address
from suffice.models.places.endpoint import Address
from suffice.models.sending.tape import Player
from suffice.models.sending.tape import current as running_tape
from suffice.models.stream import Stream
from suffice.shown import brief

T = TypeVar("T")


class Model:
    """A language model somewhere: "openai:gpt-5-mini", "http://127.0.0.1:8000/v1#name", "recorded:file.jsonl".

    Making one sends nothing and reads no key. Options said here hold for every call, those of a call for that call.
    One object serves any number of tasks, threads and event loops.
    """

    __slots__ = ("__weakref__", "_route", "name", "options")

    def __init__(self, name: str = "", **options: Unpack[ModelOptions]) -> None:
        """Raises UsageError for a name that cannot be, an unknown option or a value that cannot be."""
        self.name = model_name(name)
        self.options: Mapping[str, Any] = checked(cast("Mapping[str, Any]", options), ModelOptions)
        _check_names(self.name, self.options)
        self._route: Route | None = None

    def __repr__(self) -> str:
        hidden = ("extra", "budget")  # what a budget has spent tells no model from another
        said = "".join(f", {name}={value!r}" for name, value in self.options.items() if name not in hidden)
        return f"Model({self.name!r}{said})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and (self.name, self.options) == (other.name, other.options)

    def __hash__(self) -> int:
        return hash(self.name)

    def using(self, **options: Unpack[ModelOptions]) -> Model:
        """The same model with other options."""
        said = checked(cast("Mapping[str, Any]", options), ModelOptions)
        return Model(self.name, **cast("ModelOptions", {**self.options, **said}))

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self.name, dict(self.options))  # no key goes with it

    @overload
    async def __call__(self, messages: object, *, output: TypeForm[T], **options: Unpack[CallOptions]) -> Reply[T]: ...
    @overload
    async def __call__(
        self, messages: object, *, output: Mapping[str, Any], **options: Unpack[CallOptions]
    ) -> Reply[Any]: ...
    @overload
    async def __call__(self, messages: object, **options: Unpack[CallOptions]) -> Reply[str]: ...
    async def __call__(self, messages: object, *, output: Any = str, **options: Unpack[CallOptions]) -> Reply[Any]:
        """Ask, and wait for the whole reply.

        `messages` is a text, or messages as OpenAI's chat completions take them. `output` is any type that pydantic can
        describe, or a JSON schema as a dict: the reply's `value` is of it. Raises UsageError, PolicyError and
        BudgetError before anything is sent, and a CallError of its kind when no reply came: Truncated, OutputError,
        RateLimited and so on; SolutionError where a validator of the type fails by a fault of its own.
        """
        return await self._ask(messages, output, options, None)

    @overload
    def stream(self, messages: object, *, output: TypeForm[T], **options: Unpack[CallOptions]) -> Stream[T]: ...
    @overload
    def stream(self, messages: object, *, output: Mapping[str, Any], **options: Unpack[CallOptions]) -> Stream[Any]: ...
    @overload
    def stream(self, messages: object, **options: Unpack[CallOptions]) -> Stream[str]: ...
    def stream(self, messages: object, *, output: Any = str, **options: Unpack[CallOptions]) -> Stream[Any]:
        """Ask, and take the reply as it comes: `async with model.stream(x) as s: async for text in s: …`.

        Raises as a call does, when the block is entered or in the loop.
        """
        typed = output_type(output)
        partial = None if typed.spec_schema is None else PartialOutput(typed)
        return Stream(lambda sink: self._ask(messages, output, options, sink), partial)

    async def embed(self, texts: list[str]) -> Reply[list[list[float]]]:
        """The vectors of `texts`, in their order, as the reply's value.

        Raises UsageError where the endpoint has no embeddings, and as a call does.
        """
        turns, route = texts_of(texts), self.route
        route.ready()
        request = Request(route.first.address.model, turns, 0)
        return cast("Reply[list[list[float]]]", await route.embed(request, self._flow({}, None)))

    @property
    def gives_logprobs(self) -> bool:
        """False where its endpoint, or that of a fallback, is known to give no log-probabilities.

        Sends nothing and reads no key. Raises UsageError for a name that cannot be.
        """
        others = [Model(o) if isinstance(o, str) else o for o in self.options.get("fallbacks") or ()]
        if not all(other.gives_logprobs for other in others):
            return False
        place = _address(self.name, self.options)
        return place is None or place.endpoint.quirks.logprobs

    @property
    def route(self) -> Route:
        """How this model is reached, worked out when first asked for. Raises UsageError."""
        if isinstance(running_tape(), Player):
            return route_of(self.name, self.options)  # it has no key, so it is not kept
        if self._route is None:
            self._route = route_of(self.name, self.options)
        return self._route

    async def _ask(self, messages: object, output: Any, options: Any, sink: Sink | None) -> Reply[Any]:
        said = {**self.options, **checked(options, CallOptions)}
        typed, route, budget = output_type(output), self.route, options.get("budget")
        route.ready(budget)
        request = _request(messages, typed, said, route)
        how = Answering(typed, said.get("repairs", 2), said.get("continue_output", False))
        flow = self._flow(said, sink)
        flow.budget, flow.enough = budget, _enough(typed, said)
        return await answered(route.call_with(said), request, flow, how)

    def _flow(self, said: Mapping[str, Any], sink: Sink | None) -> Flow:
        total = {**self.options, **said}.get("total", TOTAL)
        began = time.perf_counter()
        return Flow(sink, began, None if total is None else began + total)


def _check_names(name: str, options: Mapping[str, Any]) -> None:
    """Raises UsageError for a model or a fallback whose name leads nowhere."""
    _address(name, options)
    for other in options.get("fallbacks") or ():
        if isinstance(other, str):
            _address(other, {})


def _address(name: str, options: Mapping[str, Any]) -> Address | None:
    """Where a model is, None for one on a tape. Raises UsageError."""
    if name.startswith("recorded:"):
        return None
    return address(name, base_url=options.get("base_url"), key_env=options.get("key_env"))


def _request(messages: object, typed: OutputType, said: Mapping[str, Any], route: Route) -> Request:
    turns = messages_of(messages)
    if said.get("system"):
        turns = (Message("system", said["system"]), *turns)
    request = Request(
        model=route.first.address.model,
        messages=turns,
        max_output_tokens=said.get("max_output_tokens", CAP),
        tools=tuple(_tool(tool) for tool in said.get("tools") or ()),
        output=None if typed.spec_schema is None else _spec(typed),
        temperature=said.get("temperature"),
        top_p=said.get("top_p"),
        stop=_stops(said.get("stop")),
        seed=said.get("seed"),
        logprobs=said.get("logprobs", False),
        sample=said.get("sample", 0),
        extra=json_of(said["extra"], "extra") if said.get("extra") else {},
    )
    return sizes.fitted(request, route.first.address, said.get("shorten"))


def _enough(typed: OutputType, said: Mapping[str, Any]) -> int | None:
    """The output tokens that are enough where the type bounds the answer. None where something may take more, or says
    otherwise: a cap, a tool call, what `extra` turns on (reasoning, say), an answer that is to be continued."""
    longer = ("max_output_tokens", "tools", "extra", "continue_output")
    return None if typed.tokens is None or any(said.get(name) for name in longer) else typed.tokens


def _remade(name: str, options: Mapping[str, Any]) -> Model:
    return Model(name, **cast("ModelOptions", options))


def _tool(tool: Tool) -> Tool:
    return replace(tool, parameters=json_of(tool.parameters, f"what the tool {brief(tool.name)} takes"))


def _stops(said: str | Sequence[str] | None) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said or ())


def _spec(typed: OutputType) -> OutputSpec:
    assert typed.spec_schema is not None
    return OutputSpec(typed.name, typed.spec_schema)
