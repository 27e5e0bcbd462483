"""The stack of concerns around one exchange, and their order: the one place where it stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from hashlib import blake2b

from suffice.exchange import Mode, OutputSpec, Reply, Request, request_json
from suffice.models.belonging import Belonging
from suffice.models.concerns.account import Terms, account
from suffice.models.concerns.breaker import breaker_of, broken
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.cache import cached
from suffice.models.concerns.cap import Reasons, capped, reasons_of
from suffice.models.concerns.fallback import fallback
from suffice.models.concerns.hedge import Latencies, hedge
from suffice.models.concerns.limit import Limiter, limit
from suffice.models.concerns.modes import Modes, moded, modes_of
from suffice.models.concerns.retry import Retry, retry
from suffice.models.concerns.trace import trace
from suffice.models.concerns.within import within
from suffice.models.dialects.body import json_bytes
from suffice.models.flow import Call, Flow
from suffice.models.output.strict import strict_schema, why_not_strict
from suffice.models.places.endpoint import Address, Endpoint
from suffice.models.places.policy import Policy
from suffice.models.places.providers import PROVIDERS
from suffice.models.sending.wire import wire
from suffice.values import Json


@dataclass(frozen=True, slots=True)
class Leg:
    """One model on the way: where it is, and how it is called."""

    address: Address
    key: str | None = field(repr=False)
    terms: Terms
    limiter: Limiter
    retry: Retry
    hedge: float | None = None
    budgets: tuple[Budget, ...] = ()  # of the model itself, and of those that it is a fallback of
    policies: tuple[Policy, ...] = ()
    latencies: Latencies = field(default_factory=Latencies)


def stack(
    legs: Sequence[Leg],
    budgets: Callable[[Leg, Budget | None], list[Budget]],
    permit: Callable[[Leg], None],
    belongs: Callable[[], Belonging | None],
) -> Call:
    """The Call that a model makes: the first of `legs`, then its fallbacks.

    Each concern is a function Call -> Call; the outermost is first. The limit is outside of the account, so that who
    waits for a place holds no money back. The breaker is inside of retry, so that it sees every attempt, and inside
    of the limit, so that it stops those, too, who were waiting for a place when it opened.
    """
    one = legs[0]
    return trace(
        within(
            cached(
                fallback(
                    [
                        permitted(
                            capped(
                                retry(
                                    hedged(
                                        limit(
                                            broken(
                                                account(
                                                    wire(leg.address.endpoint, leg.key, leg.limiter.heard),
                                                    leg.terms,
                                                    partial(budgets, leg),
                                                ),
                                                breaker_of(leg.address.endpoint.url),
                                                leg.address.endpoint.host,
                                            ),
                                            leg.limiter,
                                            leg.terms.input_bound,
                                        ),
                                        leg,
                                    ),
                                    leg.retry,
                                ),
                                reasoning(leg.address),
                            ),
                            leg,
                            permit,
                        )
                        for leg in legs
                    ]
                ),
                one.terms.key,
                belongs,
            ),
            one.terms.key,
        ),
        one.address,
    )


def permitted(call: Call, leg: Leg, permit: Callable[[Leg], None]) -> Call:
    """`call` with the request as this leg takes it, once the policy permits. `permit` raises PolicyError."""
    with_output = moded(call, known_modes(leg.address), partial(asked_of, leg.address.endpoint))

    async def allowed(request: Request, flow: Flow) -> Reply[str]:
        permit(leg)
        made = call if request.output is None else with_output
        return await made(_as_taken(request, leg.address), flow)

    return allowed


def hedged(call: Call, leg: Leg) -> Call:
    """`call`, hedged where the leg says a share."""
    return call if leg.hedge is None else hedge(call, leg.hedge, leg.latencies)


def reasoning(address: Address) -> Reasons:
    """What is known of whether the model there reasons within its output cap."""
    endpoint = address.endpoint
    return reasons_of(f"{endpoint.url} {address.model}", endpoint.quirks.reasons)


def known_modes(address: Address) -> Modes:
    """What is known of the ways in which the model there can be asked for an output."""
    endpoint = address.endpoint
    return modes_of(f"{endpoint.url} {address.model}", endpoint.provider in PROVIDERS)


def key_of_request(address: Address) -> Callable[[Request], str]:
    """The hash of everything that can change the answer: where it is asked, and all of what is asked."""
    place = [address.endpoint.url, address.endpoint.dialect.name]
    return lambda request: blake2b(json_bytes([place, request_json(request)]), digest_size=16).hexdigest()


def asked_of(endpoint: Endpoint, spec: OutputSpec, refused: frozenset[Mode] = frozenset()) -> OutputSpec:
    """How this endpoint is best asked for an output: by its own schema mode only where the schema fits that mode.

    Not in a mode that it `refused`; in words, "text", it can always be asked.
    """
    modes = tuple(mode for mode in endpoint.quirks.modes if mode not in refused)
    return _asked(modes, spec.name, json.dumps(dict(spec.schema)))  # its fields in their order


@lru_cache(maxsize=256)
def _asked(modes: tuple[Mode, ...], name: str, schema: str) -> OutputSpec:
    told: dict[str, Json] = json.loads(schema)
    if "schema" in modes and not why_not_strict(told):
        return OutputSpec(name, strict_schema(told), "schema")
    others: tuple[Mode, ...] = (*(m for m in modes if m != "schema"), "text")
    return OutputSpec(name, told, others[0])


def _as_taken(request: Request, address: Address) -> Request:
    quirks = address.endpoint.quirks
    if request.model == address.model and quirks.sampling and not request.logprobs:
        return request
    made = replace(request, model=address.model, logprobs=request.logprobs and quirks.logprobs)
    return made if quirks.sampling else replace(made, temperature=None, top_p=None)
