"""A vote: the same question several times, the commonest answer, and its share as the confidence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from suffice.errors import CallError
from suffice.programs.counting import winner
from suffice.programs.prompt import unasked
from suffice.programs.solution import Form, Solution
from suffice.programs.step_solution import Asking, asking_of, asking_solution, named, written
from suffice.values import Answer, Json


@dataclass(frozen=True, slots=True)
class Voting:
    """What is asked, how often, and at which temperature."""

    asking: Asking
    n: int
    temperature: float


def vote_solution(voting: Voting, saved: dict[str, Json] | None = None) -> Solution:
    """The solution that asks `n` times side by side and gives the commonest answer (Wang et al. 2203.11171).

    Ties go to the answer that came first in the order of the samples. Its confidence is its share of all `n`, samples
    that failed included; where all fail, the first error is raised.
    """
    asking, names = voting.asking, voting.asking.prompt.inputs
    data = saved or {**asking.form(), "n": voting.n, "temperature": voting.temperature}
    warm = replace(asking, options={**asking.options, "temperature": voting.temperature})

    async def ask(inputs: Json) -> Answer:
        told = named(inputs, names)
        if unasked(told):
            return asking.of_blank(confident=True)
        samples = (replace(warm, options={**warm.options, "sample": i}).reply(told) for i in range(voting.n))
        replies = await asyncio.gather(*samples, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException) and not isinstance(reply, CallError):
                raise reply
        values = [written(r.value) for r in replies if not isinstance(r, BaseException)]
        if not values:
            raise next(r for r in replies if isinstance(r, BaseException))
        best = winner(values)
        return Answer(values[best.place], confidence=best.weight / voting.n)

    return asking_solution(asking, "vote", data, ask, confidence_from="vote share")


def load_vote(form: Form) -> Solution:
    """A vote from its data. Raises ValueError, KeyError, TypeError for damaged data."""
    return vote_solution(Voting(asking_of(form), form.data["n"], form.data["temperature"]), form.data)
