"""The one callable: a request in, a reply out. Every concern of a call is a function from Call to Call."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from suffice.exchange import Attempt, Delta, Reply, Request
from suffice.models.concerns.budget import Budget

Sink = Callable[[Delta], None]
"""Where the pieces of a streamed reply go, at once and in order."""


@dataclass(slots=True)
class Flow:
    """What goes with one call through the stack: where its deltas go, when it must end, and what was tried.

    Times are `time.perf_counter()` seconds. A call without a sink is not streamed. `spare` says that a fallback stands
    behind, so waiting for this endpoint is not worth it. `key` is the hash of the call's request, once it is known.
    `enough` are the output tokens that an answer of its type fits in, None where nobody knows. `budget` is the call's
    own, beside those of its model and its run. `asked` is when this exchange began, where the answer had begun before
    (a repair). `causes` say in words what attempts failed by, for the error that all may end in. `waited` are the
    seconds in which nothing was under way: for a budget, a place at the limit, the disk.
    """

    sink: Sink | None = None
    began: float = field(default_factory=time.perf_counter)
    deadline: float | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    causes: list[str] = field(default_factory=list[str])
    first_delta: float | None = None
    spare: bool = False
    key: str | None = None
    enough: int | None = None
    budget: Budget | None = None
    asked: float | None = None
    waited: float = 0.0

    def deliver(self, delta: Delta) -> None:
        """Hand a piece to the caller. From then on nobody may start over: retry, hedge and fallback stop."""
        if self.first_delta is None:
            self.first_delta = time.perf_counter()
        if self.sink is not None:
            self.sink(delta)

    def again(self) -> Flow:
        """The flow of another exchange for the same answer: with the time that is left, and nothing is streamed."""
        more = Flow(began=self.began, deadline=self.deadline, asked=time.perf_counter())
        more.enough, more.budget = self.enough, self.budget
        return more

    @property
    def delivered(self) -> bool:
        """Whether the caller has seen a piece of the reply."""
        return self.first_delta is not None

    @property
    def elapsed(self) -> float:
        """Seconds since this exchange began."""
        return time.perf_counter() - (self.began if self.asked is None else self.asked)

    @property
    def left(self) -> float | None:
        """Seconds until the deadline, None where there is none."""
        return None if self.deadline is None else self.deadline - time.perf_counter()

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.perf_counter() >= self.deadline


Call = Callable[[Request, Flow], Awaitable[Reply[str]]]
