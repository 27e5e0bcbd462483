"""The account: every attempt reserves, is timed, is noted and settles, however it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from suffice.errors import BudgetError, CallError, CallTimeout, UsageError
from suffice.exchange import Attempt, Reply, Request, Usage
from suffice.models.belonging import current
from suffice.models.concerns.budget import Budget, Reservation
from suffice.models.concerns.deadline import in_time
from suffice.models.flow import Call, Flow
from suffice.models.places.prices import Price, cost_of
from suffice.models.sending.tape import is_replaying
from suffice.store.calls import Sent, Settled

NOT_BILLED = frozenset({"refused", "input too long", "rate limited", "server error", "circuit open"})
"""Kinds of error with which an endpoint took nothing: providers bill no answer that is an HTTP error."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an attempt at one address is accounted by. `timeout` is in seconds, for one attempt."""

    text: str  # the address, as the user wrote it
    endpoint: str
    price: Price | None
    timeout: float | None
    input_bound: Callable[[Request], int]  # the most input tokens that a request can be
    key: Callable[[Request], str]  # the hash of a request


def account(call: Call, terms: Terms, budgets: Callable[[Budget | None], list[Budget]]) -> Call:
    """`call`, which may cost at most what was reserved before it was sent: input bound and output cap at list price.

    `budgets` are those that an attempt counts against, with the call's own. On a tape nothing is spent.

    It settles at what the endpoint counted; at nothing where nothing was taken; and without usage (time-out, cancel,
    a lost hedge, a broken connection) at the whole reservation, because it may have been billed. Inside a run the
    reservation is the journal's intent and the settlement its result. Raises BudgetError, and what `call` raises.
    """

    late = partial(_late, terms.timeout)

    async def accounted(request: Request, flow: Flow) -> Reply[str]:
        held = _reservation(terms, request)
        reserved = list[Budget]()
        attempt: Attempt | None = None
        sent = False
        asked = time.perf_counter()
        paid = [] if is_replaying() else budgets(flow.budget)
        try:
            for budget in sorted(paid, key=id):  # in one order everywhere, so that nobody waits in a circle
                await _reserve(budget, held, flow)
                reserved.append(budget)
            number = await _begun(terms, request, held, flow)
            began, sent = time.perf_counter(), True
            flow.waited += began - asked
            try:
                reply = await in_time(call, request, flow, terms.timeout, late)
            except BaseException as error:
                attempt = _failed(terms, error, held, began, flow)
                if isinstance(error, CallError):
                    flow.causes.append(_cause(error))
                _ended(number, attempt)
                raise
            attempt = _done(terms, reply, held, began, flow)
            _ended(number, attempt)
            return reply
        finally:
            if attempt is not None:
                flow.attempts.append(attempt)
            if not sent:
                flow.waited += time.perf_counter() - asked
            for budget in reserved:
                if attempt is not None:
                    budget.settle(held, attempt.cost, _tokens(attempt))
                elif sent:
                    budget.settle(held, None, None)
                else:
                    budget.release(held)

    return accounted


async def _reserve(budget: Budget, held: Reservation, flow: Flow) -> None:
    """Raises BudgetError, with what the attempts before came to: that they failed may be news."""
    try:
        await budget.reserve(held)
    except BudgetError as error:
        if not flow.causes:
            raise
        n = len(flow.attempts)
        before = "the attempt before" if n == 1 else f"the last of {n} attempts"
        message = f"{error.message}; {before} failed: {flow.causes[-1]}"
        raise BudgetError(message, hint=error.hint, budget=error.budget, wanted=error.wanted) from None


def _cause(error: CallError) -> str:
    """What an attempt failed by, in words; of sealed cases without the endpoint's own, which may quote one."""
    run = current()
    return error.kind if run is not None and run.sealed else f"{error.kind} ({error.message})"


def _late(seconds: float | None) -> CallTimeout:
    return CallTimeout(f"no whole reply within {seconds:.3g} s", hint="allow one attempt more time: timeout=")


def _reservation(terms: Terms, request: Request) -> Reservation:
    bound = terms.input_bound(request)
    usage = Usage(bound, request.max_output_tokens)
    return Reservation(cost_of(usage, terms.price), bound + request.max_output_tokens)


def _done(terms: Terms, reply: Reply[str], held: Reservation, began: float, flow: Flow) -> Attempt:
    cost = cost_of(reply.usage, terms.price)
    known = reply.usage.input_tokens is not None and reply.usage.output_tokens is not None
    return Attempt(
        endpoint=terms.text,
        started=began - flow.began,
        seconds=time.perf_counter() - began,
        outcome="ok",
        status=200,
        usage=reply.usage,
        cost=cost if known else held.usd,
        request_id=reply.request_id,
        at_most=not known and bool(held.usd),
    )


def _failed(terms: Terms, error: BaseException, held: Reservation, began: float, flow: Flow) -> Attempt:
    free = isinstance(error, UsageError) or (isinstance(error, CallError) and _is_free(error))
    said = error.usage if isinstance(error, CallError) else None
    usage = Usage(0, 0) if free else said if isinstance(said, Usage) else Usage()
    known = usage.input_tokens is not None and usage.output_tokens is not None
    return Attempt(
        endpoint=terms.text,
        started=began - flow.began,
        seconds=time.perf_counter() - began,
        outcome=error.kind if isinstance(error, CallError) else "timeout" if flow.late else "cancelled",
        status=error.status if isinstance(error, CallError) else None,
        usage=usage,
        cost=cost_of(usage, terms.price) if known else held.usd,
        request_id=error.request_id if isinstance(error, CallError) else None,
        at_most=not known and bool(held.usd),
    )


def _is_free(error: CallError) -> bool:
    """Whether it took nothing. An error inside a good answer did: part of a reply may have been made before it."""
    return not error.sent or (error.kind in NOT_BILLED and error.status != 200)


def _tokens(attempt: Attempt) -> int | None:
    usage = attempt.usage
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens


async def _begun(terms: Terms, request: Request, held: Reservation, flow: Flow) -> int:
    run = current()
    if run is None or is_replaying():
        return 0
    return await run.journal.begin(
        Sent(flow.key or terms.key(request), request.model, terms.endpoint, held.usd, held.tokens)
    )


def _ended(number: int, attempt: Attempt) -> None:
    run = current()
    if run is None or is_replaying():
        return
    settled = Settled(
        attempt.outcome,
        attempt.status,
        attempt.seconds,
        attempt.usage.input_tokens,
        attempt.usage.output_tokens,
        attempt.cost,
        None if run.sealed else attempt.request_id,  # a text of the server's, which may say the case
    )
    run.journal.end(number, settled)
