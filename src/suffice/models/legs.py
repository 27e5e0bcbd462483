"""From a model's name and options to the calls that reach it: its address, terms, limits, fallbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from suffice.errors import PriceUnknown, UsageError
from suffice.exchange import Reply, Request
from suffice.models.belonging import Belonging, bounds, current
from suffice.models.concerns.account import Terms, account
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.limit import limit, limiter_of
from suffice.models.concerns.reply_json import vectors_from_json, vectors_to_json
from suffice.models.concerns.retry import Retry, retry
from suffice.models.concerns.trace import trace
from suffice.models.concerns.within import within
from suffice.models.dialects.embeddings import decode_embeddings, encode_embeddings
from suffice.models.flow import Call, Flow
from suffice.models.options import ATTEMPT
from suffice.models.places.address import address, key_of
from suffice.models.places.policy import permits
from suffice.models.places.prices import Price, price_line, price_of
from suffice.models.places.settings import settings
from suffice.models.sending.tape import Player, replaying
from suffice.models.sending.tape import current as running_tape
from suffice.models.sending.wire import post
from suffice.models.sizes import input_bound
from suffice.models.stack import Leg, key_of_request, permitted, stack
from suffice.values import content_hash


@dataclass(frozen=True)
class Route:
    """The legs of one model in order, and whether its replies are looked up."""

    legs: tuple[Leg, ...]
    cache: bool | None
    tape: Player | None = None

    @property
    def first(self) -> Leg:
        """The model itself."""
        return self.legs[0]

    def ready(self, own: Budget | None = None) -> None:
        """Refuse what can be refused before the first attempt: a forbidden leg, a dollar budget without a price.

        `own` is the budget of the call itself. Raises PolicyError, PriceUnknown.
        """
        for leg in self.legs:
            self.permit(leg)
            for budget in self.budgets(leg, own):
                if budget.usd is not None and leg.terms.price is None:
                    raise PriceUnknown(
                        f"nobody knows the price of {leg.address.text}, so ${budget.usd:g} cannot be kept",
                        hint=f"in suffice.toml: {price_line(leg.address)}",
                    )

    def permit(self, leg: Leg) -> None:
        """Raises PolicyError where a policy of a model, of suffice.toml or of the run forbids it."""
        run = current()
        for policy in (*leg.policies, *((run.policy,) if run and run.policy else ())):
            permits(policy, leg.address.endpoint)

    def budgets(self, leg: Leg, own: Budget | None) -> list[Budget]:
        """The budgets that an attempt made here counts against, that of the call itself (`own`) among them."""
        run = current()
        found = [*leg.budgets, own, *bounds(), run.budget if run else None]
        return list({id(b): b for b in found if b is not None}.values())

    def belongs(self) -> Belonging | None:
        """The run whose record answers, None where nothing is looked up."""
        return None if self.cache is False else current()

    def call_with(self, said: Mapping[str, Any]) -> Call:
        """The whole stack. A time-out that one call says makes a stack of its own."""
        timeout = said.get("timeout", self.first.terms.timeout)
        if timeout == self.first.terms.timeout:
            return self._stack
        legs = tuple(replace(leg, terms=replace(leg.terms, timeout=timeout)) for leg in self.legs)
        return self._on_tape(stack(legs, self.budgets, self.permit, self.belongs))

    @cached_property
    def _stack(self) -> Call:
        return self._on_tape(stack(self.legs, self.budgets, self.permit, self.belongs))

    @cached_property
    def embed(self) -> Call:
        """The call that embeds a request's messages; its reply's value are the vectors."""
        leg, place = self.first, self.first.address
        path = place.endpoint.embeddings_path
        if path is None:
            raise UsageError(f"{place.endpoint.provider} has no embeddings", hint="name another provider's model")

        async def once(request: Request, flow: Flow) -> Reply[Any]:
            body = encode_embeddings(request.model, [m.text for m in request.messages])
            answer = await post(place.endpoint, leg.key, path, body, leg.limiter.heard)
            vectors, usage = decode_embeddings(answer)
            return Reply(value=vectors, usage=replace(usage, output_tokens=0), model=request.model)

        accounted = account(once, leg.terms, partial(self.budgets, leg))
        patient = retry(limit(accounted, leg.limiter, leg.terms.input_bound), leg.retry)
        recorded = within(permitted(patient, leg, self.permit), leg.terms.key, vectors_to_json, vectors_from_json)
        return self._on_tape(trace(recorded, place, "embeddings"))

    def _on_tape(self, call: Call) -> Call:
        player = self.tape
        if player is None:
            return call

        async def played(request: Request, flow: Flow) -> Reply[str]:
            with replaying(player):
                return await call(request, flow)

        return played


def route_of(name: str, options: Mapping[str, Any]) -> Route:
    """How the model called `name` is reached. Raises UsageError for a name, key or option that cannot be."""
    said = settings()
    tape = Player(name.removeprefix("recorded:")) if name.startswith("recorded:") else None
    legs = [_leg(name, options, tape)]
    for other in options.get("fallbacks") or ():
        route: Route = route_of(other, {}) if isinstance(other, str) else other.route
        legs += route.legs
    budgets = tuple(b for b in (options.get("budget"),) if b is not None)
    policies = tuple(p for p in (options.get("policy"), said.policy) if p is not None)
    ruled = [replace(leg, budgets=budgets + leg.budgets, policies=policies + leg.policies) for leg in legs]
    return Route(tuple(ruled), options.get("cache"), tape)


def _leg(name: str, options: Mapping[str, Any], tape: Player | None) -> Leg:
    said = settings()
    place = (
        tape.address
        if tape is not None
        else address(name, base_url=options.get("base_url"), key_env=options.get("key_env"))
    )
    offline = tape is not None or isinstance(running_tape(), Player)
    key = None if offline else key_of(place.endpoint)
    price = price_of(place, _price(options.get("price")) or said.prices.get(name))
    limits = options.get("limits") or said.limits.get(place.endpoint.provider)
    terms = Terms(
        text=name,
        endpoint=place.endpoint.url,
        price=price,
        timeout=options.get("timeout", ATTEMPT),
        input_bound=partial(input_bound, preamble=place.endpoint.quirks.preamble),
        key=key_of_request(place),
    )
    limiter = limiter_of(f"{place.endpoint.url} {content_hash(key or '')[:8]}", limits)
    return Leg(place, key, terms, limiter, _retry(options), options.get("hedge"))


def _retry(options: Mapping[str, Any]) -> Retry:
    how: Retry = options.get("retry") or Retry()
    return replace(how, attempts=options["attempts"]) if "attempts" in options else how


def _price(given: Price | tuple[float, float] | None) -> Price | None:
    return Price(*given) if isinstance(given, tuple) else given
