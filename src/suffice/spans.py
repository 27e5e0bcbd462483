"""What a program did: a tree of spans with times and costs, and the address of each call in it. No I/O.

An address is the way from the root: at each span the lane (the first asyncio task or thread that does anything there is
lane 0, the next 1, ...), the place in that lane, and the name. Within a lane a program does one thing after the other,
so the addresses of a deterministic program are the same each time it runs, however its branches overlap.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from suffice.values import NO_COST, Cost, Json

Kind = Literal["program", "step", "stage", "branch", "agent", "tool", "model", "question"]


class Turn(NamedTuple):
    """One component of an address."""

    lane: int
    place: int
    name: str

    def __str__(self) -> str:
        return f"{self.lane}.{self.place}:{self.name}"


Address = tuple[Turn, ...]


@dataclass(slots=True)
class Span:
    """One thing that a program did. Times are seconds since the tree began; `seconds` is None while it goes on.

    `cost` is that of a model call, of others what they cost themselves. `cached`: nothing was done, the result was
    recorded. `error` is the kind of what it raised. `note` is a short remark, never a text of the case; of the root of
    a case's tree it is the case's id, and `source` its place ("mails.csv:3").
    """

    name: str
    kind: Kind
    address: Address = ()
    parent: Span | None = field(default=None, repr=False)
    began: float = 0.0
    seconds: float | None = None
    cost: Cost = NO_COST
    cached: bool = False
    error: str | None = None
    note: str | None = None
    source: str | None = None
    children: list[Span] = field(default_factory=list["Span"])
    origin: float = field(default_factory=time.perf_counter)
    _lanes: dict[object, int] = field(default_factory=dict[object, int], repr=False)
    _places: list[int] = field(default_factory=list[int], repr=False)
    _aside: int = field(default=0, repr=False)

    def turn(self, name: str, aside: bool = False) -> Turn:
        """The next turn of whoever asks, a task or a thread, at this span. `aside`: in lane -1, so that the turns of
        what is done inside are the same with it and without."""
        who = _who()
        with _lock:
            if aside:
                self._aside += 1
                return Turn(-1, self._aside - 1, name)
            lane = self._lanes.setdefault(who, len(self._places))
            if lane == len(self._places):
                self._places.append(0)
            place = self._places[lane]
            self._places[lane] += 1
        return Turn(lane, place, name)

    def walk(self) -> Iterator[Span]:
        """This span and all below it, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def critical_path(self) -> list[Span]:
        """What its time was made of, from the first to the last, with what lies inside: of children side by side the
        one that ended last, before it the one that ended last before that one began, and so on."""
        path, until = list["Span"](), float("inf")
        for child in sorted(self.children, key=lambda c: c.ended, reverse=True):
            if child.ended <= until + 1e-6:
                path[:0] = child.critical_path()
                until = child.began
        return [self, *path]

    @property
    def ended(self) -> float:
        """When it ended, in seconds since the tree began; of what goes on still, never."""
        return float("inf") if self.seconds is None else self.began + self.seconds

    @property
    def workers(self) -> set[asyncio.Task[Any]]:
        """The tasks that did something at this span or below it, also those that have ended."""
        return {who for span in self.walk() for who in span._lanes if isinstance(who, asyncio.Task)}

    @property
    def spent(self) -> Cost:
        """What it cost with all below it."""
        return sum((span.cost for span in self.walk()), NO_COST)


_here: ContextVar[Span | None] = ContextVar("suffice_span", default=None)
_lock: Final = threading.Lock()


def here() -> Span | None:
    """The span that a call made here belongs to; None where no tree is grown."""
    return _here.get()


@contextmanager
def tree(name: str) -> Generator[Span]:
    """Grow a tree of what is done inside, in its tasks and threads, too."""
    root = Span(name, "program")
    token = _here.set(root)
    try:
        yield root
    except BaseException as error:
        root.error = kind_of(error)
        raise
    finally:
        root.seconds = time.perf_counter() - root.origin
        _here.reset(token)


@contextmanager
def span(name: str, kind: Kind, aside: bool = False) -> Generator[Span | None]:
    """What is done inside is a span of the tree that is grown here (None: there is none), and one of OpenTelemetry
    where the program has set that up. Model calls have an OpenTelemetry span of their own (`models/concerns/trace.py`).
    """
    with _opentelemetry(name, kind):
        parent = _here.get()
        if parent is None:
            yield None
            return
        made = grown(parent, name, kind, aside)
        token = _here.set(made)
        try:
            yield made
        except BaseException as error:
            made.error = kind_of(error)
            raise
        finally:
            made.seconds = time.perf_counter() - made.origin - made.began
            _here.reset(token)


def grown(parent: Span, name: str, kind: Kind, aside: bool = False) -> Span:
    """A new child of `parent`, whose turn it is."""
    began = time.perf_counter() - parent.origin
    made = Span(name, kind, (*parent.address, parent.turn(name, aside)), parent, began, origin=parent.origin)
    parent.children.append(made)
    return made


def kind_of(error: BaseException) -> str:
    """The kind of an error in one word: of a call "rate_limited" and the like, else the name of its class."""
    return str(getattr(error, "kind", None) or type(error).__name__)


def span_json(span: Span) -> Json:
    """A tree as JSON: what is nothing is left out."""
    cost = span.cost
    made: dict[str, Json] = {
        "name": span.name,
        "kind": span.kind,
        "lane": span.address[-1].lane if span.address else None,
        "began": round(span.began, 6),
        "seconds": None if span.seconds is None else round(span.seconds, 6),
        "usd": cost.usd if cost != NO_COST else None,
        "tokens": [cost.input_tokens, cost.output_tokens] if cost != NO_COST else None,
        "at_most": cost.at_most,
        "cached": span.cached,
        "error": span.error,
        "note": span.note,
        "source": span.source,
        "children": [span_json(child) for child in span.children],
    }
    return {name: value for name, value in made.items() if value is not None and value is not False and value != []}


def span_of_json(value: Json, parent: Span | None = None) -> Span:
    """The inverse of `span_json`, but for places in lanes. Raises KeyError, TypeError for what is none."""
    told: Any = value
    tokens_in, tokens_out = told.get("tokens", (None, None))
    cost = Cost(told.get("usd"), tokens_in, tokens_out, told.get("at_most", False)) if "tokens" in told else NO_COST
    turn = Turn(told.get("lane", 0), 0 if parent is None else len(parent.children), told["name"])
    made = Span(
        told["name"],
        told["kind"],
        () if parent is None else (*parent.address, turn),
        parent,
        told["began"],
        told.get("seconds"),
        cost,
        told.get("cached", False),
        told.get("error"),
        told.get("note"),
        told.get("source"),
    )
    for child in told.get("children", ()):
        made.children.append(span_of_json(child, made))
    return made


def task_here() -> asyncio.Task[Any] | None:
    """The task that calls; None where no event loop runs."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _who() -> object:
    task = task_here()
    return threading.get_ident() if task is None else task


@contextmanager
def _opentelemetry(name: str, kind: Kind) -> Generator[None]:
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None or kind == "model":
        yield
        return
    operation = {"tool": "execute_tool", "agent": "invoke_agent"}.get(kind)
    attributes = {"suffice.kind": kind} | ({"gen_ai.operation.name": operation} if operation else {})
    with api.get_tracer("suffice").start_as_current_span(
        name,
        attributes=attributes,
        record_exception=False,  # its words may quote the data
        set_status_on_exception=False,
    ) as made:
        try:
            yield
        except BaseException as error:
            made.set_attribute("error.type", kind_of(error))
            made.set_status(api.Status(api.StatusCode.ERROR, kind_of(error)))
            raise
