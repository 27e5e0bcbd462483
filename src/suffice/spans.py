"""What a program did: a tree of spans with times and costs, and the address of each call in it. No I/O.

An address is the way from the root: at each span the lane (which asyncio task, counted as they are made: see
`strands`), the place in that lane, and the name. Within a lane a program does one thing after the other, so the
addresses of a deterministic program are the same each time it runs, however its branches overlap.

Tasks are counted as they are made only inside of `counting_tasks`; elsewhere when they first do something.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple
from weakref import WeakSet

from suffice.errors import Stopped
from suffice.held import held
from suffice.strands import ASIDE, Lane, Strand, lane_of_text, lane_text
from suffice.values import NO_COST, Cost, Json

Kind = Literal["program", "step", "stage", "branch", "agent", "tool", "model", "question"]


class Turn(NamedTuple):
    """One component of an address."""

    lane: Lane
    place: int
    name: str

    def __str__(self) -> str:
        return f"{lane_text(self.lane)}.{self.place}:{self.name}"


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
    tasks: WeakSet[asyncio.Task[Any]] = field(default_factory=WeakSet["asyncio.Task[Any]"], repr=False)
    strand: Strand = field(default_factory=Strand, repr=False)
    _places: dict[Strand, int] = field(default_factory=dict[Strand, int], repr=False)
    _made: dict[Strand, int] = field(default_factory=dict[Strand, int], repr=False)
    _aside: int = field(default=0, repr=False)

    def turn(self, name: str, aside: bool = False) -> Turn:
        """The next turn of the strand that asks at this span. `aside`: in a lane of its own, so that the turns of what
        is done inside are the same with it and without."""
        strand = self.asking()
        with _lock:
            if aside:
                self._aside += 1
                return Turn(ASIDE, self._aside - 1, name)
            place = self._places.get(strand, 0)
            self._places[strand] = place + 1
        return Turn(strand.lane(self.strand), place, name)

    def asking(self) -> Strand:
        """The strand that asks. A task that was not counted as it was made becomes one now."""
        strand, task = _strand.get() or self.strand, task_here()
        if strand.task is None:
            strand.task = task
        if task is None or task is strand.task or task is _stand_in.get():
            return strand
        own = self.made(strand, task)
        _strand.set(own)
        return own

    def made(self, maker: Strand, task: asyncio.Task[Any] | None = None) -> Strand:
        """A new strand, that `maker` makes at this span."""
        with _lock:
            self._made[maker] = number = self._made.get(maker, 0) + 1
        return Strand(maker, number, task)

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
        """The tasks that did something at this span or below it, ended or not; of a root those counted, too."""
        return {strand.task for strand in self.strands() if strand.task is not None} | set(self.tasks)

    def strands(self) -> set[Strand]:
        """The strands that did something at this span or below it."""
        return {strand for span in self.walk() for strand in span._places}

    @property
    def root(self) -> Span:
        """The first span of its tree."""
        return self if self.parent is None else self.parent.root

    @property
    def spent(self) -> Cost:
        """What it cost with all below it."""
        return sum((span.cost for span in self.walk()), NO_COST)


_here: ContextVar[Span | None] = ContextVar("suffice_span", default=None)
_strand: ContextVar[Strand | None] = ContextVar("suffice_strand", default=None)
_stand_in: ContextVar[asyncio.Task[Any] | None] = ContextVar("suffice_stand_in", default=None)
_handled: ContextVar[BaseException | None] = ContextVar("suffice_handled", default=None)
_unseen: ContextVar[bool] = ContextVar("suffice_unseen", default=False)
_lock: Final = threading.Lock()

_OPERATIONS: Final = {
    "program": ("invoke_workflow", "gen_ai.agent.name"),
    "agent": ("invoke_agent", "gen_ai.agent.name"),
    "tool": ("execute_tool", "gen_ai.tool.name"),
}
"""What OpenTelemetry's GenAI conventions call a span of a kind, and where they put its name."""


def here() -> Span | None:
    """The span that a call made here belongs to; None where no tree is grown."""
    return _here.get()


def unseen() -> AbstractContextManager[bool]:
    """What is done inside, in its tasks and threads, too, is no span of OpenTelemetry: it is of a sealed case."""
    return held(_unseen, True)


@contextmanager
def tree(name: str) -> Generator[Span]:
    """Grow a tree of what is done inside, in its tasks and threads, too."""
    root = Span(name, "program")
    token, before = _here.set(root), _strand.set(root.strand)
    try:
        with _opentelemetry(root):
            yield root
    except BaseException as error:
        root.error = kind_of(error)
        raise
    finally:
        root.seconds = time.perf_counter() - root.origin
        _here.reset(token)
        _strand.reset(before)


@contextmanager
def span(name: str, kind: Kind, aside: bool = False) -> Generator[Span | None]:
    """What is done inside is a span of the tree that is grown here (None: there is none), and one of OpenTelemetry
    where the program has set that up. Model calls have an OpenTelemetry span of their own (`models/concerns/trace.py`).
    """
    parent = _here.get()
    if parent is None:
        with _opentelemetry(Span(name, kind)) if _api() else nullcontext() as made:
            yield made
        return
    made = grown(parent, name, kind, aside)
    token = _here.set(made)
    try:
        with _opentelemetry(made):
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
    address = (*parent.address, parent.turn(name, aside))
    made = Span(name, kind, address, parent, began, origin=parent.origin, strand=parent.asking())
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
        "lane": lane_text(span.address[-1].lane) if span.address else None,
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
    turn = Turn(lane_of_text(str(told.get("lane", "0"))), 0 if parent is None else len(parent.children), told["name"])
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


@contextmanager
def counting_tasks() -> Generator[None]:
    """Inside, each task that is made on this event loop below a span is a strand, counted as it is made. The loop's own
    way of making tasks is used, and given back at the end."""
    loop = asyncio.get_running_loop()
    found = loop.get_task_factory()
    counting = found if isinstance(found, _Counting) else _Counting(found)
    counting.users += 1
    loop.set_task_factory(counting)
    try:
        yield
    finally:
        counting.users -= 1
        if counting.users == 0 and loop.get_task_factory() is counting:
            loop.set_task_factory(counting.before)


@contextmanager
def standing_in(handled: BaseException | None) -> Generator[None]:
    """Inside, this task does what the plain code that waits for it does: it is of the same strand, and handles what
    that handles. Tasks that it makes are counted."""
    if here() is None:
        yield
        return
    with counting_tasks(), held(_stand_in, task_here()), held(_handled, handled):
        yield


def handled_here() -> BaseException | None:
    """The error that the plain code handles which waits for this task."""
    return _handled.get()


class _Counting:
    """A task factory that gives each task a strand. `before` is the one of the loop, None where it has none."""

    def __init__(self, before: Any) -> None:
        self.before, self.users = before, 0

    def __call__(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
        make = self.before or _task
        span = here()
        # In a context that was chosen for it nothing is changed. What is no coroutine finalizes a generator: chance.
        if span is None or options.get("context") is not None or not inspect.iscoroutine(coro):
            return make(loop, coro, **options)
        strand = span.made(span.asking())
        context = copy_context()
        context.run(_strand.set, strand)
        task = context.run(make, loop, coro, **options)  # which copies this context
        strand.task = task
        span.root.tasks.add(task)
        return task


def _task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop, **options)


def _api() -> Any:
    """OpenTelemetry's, where the program uses it and may be told of what is done here."""
    return None if _unseen.get() else sys.modules.get("opentelemetry.trace")


@contextmanager
def _opentelemetry(made: Span) -> Generator[Span | None]:
    """`made` as a span of OpenTelemetry, which is told at its end what became of it; None where nobody records it."""
    api = _api()
    if api is None or made.kind == "model":
        yield None
        return
    operation, named = _OPERATIONS.get(made.kind, ("", ""))
    said = {"suffice.kind": made.kind} | ({"gen_ai.operation.name": operation, named: made.name} if operation else {})
    if made.kind == "tool":
        said["gen_ai.tool.type"] = "function"
    elif made.kind != "agent":
        said["openinference.span.kind"] = "CHAIN"  # viewers know agents, tools and model calls by their operation
    with api.get_tracer("suffice").start_as_current_span(
        f"{operation} {made.name}".strip(),
        attributes=said,
        record_exception=False,  # its words may quote the data
        set_status_on_exception=False,
    ) as seen:
        try:
            yield made if seen.is_recording() else None
        except BaseException as error:
            made.error = kind_of(error)
            raise
        finally:
            _tell(api, seen, made)


def _tell(api: Any, seen: Any, made: Span) -> None:
    """What became of it. Who waits for a person has not failed."""
    note = None if made.source else made.note  # that of a case is its id
    told = {"suffice.note": note, "suffice.source": made.source, "suffice.cached": made.cached or None}
    if made.error == Stopped.__name__:
        told["suffice.waiting"] = True
    elif made.error is not None:
        told["error.type"] = made.error
        seen.set_status(api.Status(api.StatusCode.ERROR, made.error))
    seen.set_attributes({name: value for name, value in told.items() if value is not None})
