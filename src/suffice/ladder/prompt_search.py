"""Prompt search: instructions that a model proposes and sets of train cases as examples, raced on train alone.

1. The prompt as it is answers one half of train, the shown half.
2. One call proposes instructions from what was wrong there (OPRO, Yang et al. 2309.03409; MIPRO, 2406.11695).
3. They and the prompt as it is race on the other half by successive halving (`halving`).
4. Cases of the shown half that the prompt answered right make sets of examples, with the answers that it gave
   (BootstrapFewShot of DSPy, Khattab et al. 2310.03714), filled up with expected ones where too few are right. The
   best instruction races again, alone and with each set.

Why this does not flatter: a variant is never scored on a case that it shows, or that the model which wrote it was
shown; and the best of many scores too high on the cases that chose it, so none of these count afterwards. Dev is not
looked at. The climb's evidence is what the winner does on dev, as for any prompt, and the same prompt goes to test:
nothing is chosen again with dev's cases.

The result is a plain step: an instruction and examples as data. Everything that is asked goes through the run's
journal, so a search that was interrupted goes on, and the same one again asks nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from suffice.errors import BudgetError, UsageError
from suffice.evals.barred import barred_by
from suffice.evals.searching import Searched, SearchRun, Takes
from suffice.evals.task import Task
from suffice.evals.units import counted_per_cluster, flat, in_units
from suffice.exchange import Usage
from suffice.ladder.halving import halved, most_calls
from suffice.ladder.proposing import CLIP, RIGHT, WRONG, instructions
from suffice.ladder.race import LAP
from suffice.models.belonging import current
from suffice.models.model import Model
from suffice.models.places.prices import cost_of
from suffice.models.tokens import count_tokens
from suffice.programs.learned import learned_from
from suffice.programs.prompt import Example, answer_text, messages, shown
from suffice.programs.solution import Solution
from suffice.programs.step_solution import Asking, named, step_solution, written
from suffice.shown import counted
from suffice.values import Case, Outcome, canonical, to_json

LEAST: Final = 2 * LAP  # train cases, or clusters of them: a first look at each half
WRITTEN: Final = 150  # tokens of a proposed instruction, for the estimate


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is searched: `variants` instructions, `sets` of `k` examples, at most `cases` of each half of train."""

    variants: int = 6
    sets: int = 3
    k: int = 4
    cases: int = 48
    seed: int = 0


def too_few(task: Task, bounds: Bounds) -> str | None:
    """The reason against a search on this task: train is too short to be halved; else None."""
    units = len(_units(task, bounds.seed))
    if units >= LEAST:
        return None
    what = f"cluster{'' if units == 1 else 's'} of train" if task.cluster_name else "train cases"
    hint = 'give more cases, or a larger part of them to train (shape = "30/20/50"); `prompt` and `examples` need none'
    return f"a search needs at least {LEAST} {what}, and there are {units}: {hint}"


async def searched(asking: Asking, proposer: Model, bounds: Bounds, task: Task, run: SearchRun) -> Searched:
    """The best prompt that the search finds; ties go to the one that is less. Raises as a call does for a spent
    budget, a missing key and the like, UsageError for too few train cases; a call that fails is a wrong answer."""
    if reason := too_few(task, bounds):
        raise UsageError(f"{asking.name} cannot be tried on {task.name}: {reason}")
    takes, around = estimate(asking, bounds, task, proposer), current()
    run.tell(str(takes))
    if around is not None and around.budget is not None and (short := takes.beyond(around.budget.left)):
        run.tell(short)
    try:
        return await _searched(asking, proposer, bounds, task, run)
    except BudgetError as error:
        hint = f"{error.hint}; the whole search takes {takes}"
        raise BudgetError(error.message, hint=hint, budget=error.budget, wanted=error.wanted) from None


async def _searched(asking: Asking, proposer: Model, bounds: Bounds, task: Task, run: SearchRun) -> Searched:
    first, second = halves(task, bounds)
    answers = _Answers(run)
    before = await answers(asking, first)
    wrong = sum(not o.right for o in before)
    if not wrong or barred_by(before):
        why = "its calls failed" if wrong else f"it is right on all {len(first)} train cases that it was asked"
        return _found(asking, answers, f"the prompt as it is: {why}")
    texts = await instructions(proposer, asking.prompt.instruction, before, bounds.variants)
    answers.calls += 1
    run.tell(f"{counted(len(texts), 'instruction')} to try")
    told = [asking, *(replace(asking, prompt=replace(asking.prompt, instruction=text)) for text in texts)]
    best, plain = await _best(told, second, answers)
    sets = example_sets(before, asking.prompt.inputs, bounds, expected=not task.grader.answer)
    shows = [best, *(replace(best, prompt=replace(best.prompt, examples=(*best.prompt.examples, *s))) for s in sets)]
    winner, _ = await _best(shows, second, answers)
    own = len(winner.prompt.examples) - len(asking.prompt.examples)
    what = "the instruction as it is" if best is asking else "a proposed instruction"
    score = f"{answers.figure(winner, second)} on train, the prompt as it is {answers.figure(plain, second)}"
    tried = f"{counted(len(texts), 'instruction')} and {counted(len(sets), 'set')} of examples"
    return _found(winner, answers, f"{what}, {counted(own, 'example')}; of {tried} that were tried; {score}")


class _Answers:
    """What was asked so far, so that no variant is put to a case twice."""

    def __init__(self, run: SearchRun) -> None:
        self.run = run
        self.calls = 0
        self.known: dict[tuple[str, str], Outcome] = {}
        self.cases: dict[str, Case] = {}

    async def __call__(self, asking: Asking, cases: Sequence[Case]) -> list[Outcome]:
        solution = step_solution(asking)
        new = [case for case in cases if (solution.identity, case.id) not in self.known]
        for outcome in await self.run.put(solution, new) if new else ():
            self.known[solution.identity, outcome.case.id] = outcome
        self.calls += len(new)
        self.cases |= {case.id: case for case in cases}
        return [self.known[solution.identity, case.id] for case in cases]

    def figure(self, asking: Asking, cases: Sequence[Case]) -> str:
        """ "45 of 48 right", of those cases that it was asked."""
        identity = step_solution(asking).identity
        found = [self.known[identity, case.id] for case in cases if (identity, case.id) in self.known]
        return f"{sum(o.right for o in found)} of {len(found)} right"


async def _best(variants: Sequence[Asking], cases: Sequence[Case], answers: _Answers) -> tuple[Asking, Asking]:
    """The winner of the race, and the first of the variants."""

    async def scores(i: int, some: Sequence[Case]) -> list[float]:
        return [0.0 if o.score is None else o.score.value for o in await answers(variants[i], some)]

    best, _ = await halved(len(variants), cases, scores, answers.run.tell)
    return variants[best], variants[0]


def _found(asking: Asking, answers: _Answers, note: str) -> Searched:
    solution: Solution = learned_from(step_solution(asking), (case.key for case in answers.cases.values()))
    return Searched(solution, answers.calls, note)


def halves(task: Task, bounds: Bounds) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """The shown half of train and the raced one, no cluster in both, in an order that depends on the seed."""
    units = _units(task, bounds.seed)
    return flat(units[0::2])[: bounds.cases], flat(units[1::2])[: bounds.cases]


def _units(task: Task, seed: int) -> tuple[tuple[Case, ...], ...]:
    return in_units(task.train, seed, counted_per_cluster(task))


def example_sets(
    outcomes: Sequence[Outcome], names: tuple[str, ...], bounds: Bounds, *, expected: bool
) -> list[tuple[Example, ...]]:
    """At most `sets` sets of `k` examples, each drawn anew: cases answered right with the answers that were given,
    different answers first; then, where the `expected` value is an answer, cases answered wrong with that."""
    right = [Example(named(o.case.inputs, names), written(o.answer.value)) for o in outcomes if o.answer and o.right]
    wrong = [Example(named(o.case.inputs, names), o.case.expected) for o in outcomes if expected and not o.right]
    found: dict[str, tuple[Example, ...]] = {}
    for i in range(bounds.sets):
        drawn = random.Random(f"{bounds.seed} {i}")
        pool = [*_spread(drawn.sample(right, len(right))), *_spread(drawn.sample(wrong, len(wrong)))][: bounds.k]
        drawn.shuffle(pool)
        if pool:
            found.setdefault(canonical([[dict(e.inputs), to_json(e.answer)] for e in pool]), tuple(pool))
    return list(found.values())


def _spread(pool: Sequence[Example]) -> list[Example]:
    """Those first whose answer no one before has."""
    first = {canonical(to_json(e.answer)): e for e in reversed(pool)}
    new = [e for e in pool if first[canonical(to_json(e.answer))] is e]
    return new + [e for e in pool if first[canonical(to_json(e.answer))] is not e]


def estimate(asking: Asking, bounds: Bounds, task: Task, proposer: Model | None = None) -> Takes:
    """What the search takes: at most in calls, and about in tokens and dollars, by the sizes of the prompt and of some
    cases."""
    first, second = halves(task, bounds)
    some, name = (*first, *second)[:20], asking.model.name.rpartition("#")[2]

    def size(text: str) -> int:
        return count_tokens(text, name).n

    asked = sum(size(shown(messages(asking.prompt, named(c.inputs, asking.prompt.inputs)))) for c in some) / len(some)
    out = sum(size(answer_text(asking.prompt, c.expected)) for c in some) / len(some)
    more = asked - size(asking.prompt.instruction) + out  # of an example
    plain = len(first)
    races = most_calls(1 + bounds.variants, len(second)), most_calls(1 + bounds.sets, len(second))
    given = plain * asked + races[0] * (asked + WRITTEN) + races[1] * (asked + WRITTEN + bounds.k * more)
    usage = Usage(round(given), round((plain + sum(races)) * out))
    writing = Usage(round((WRONG + RIGHT) * min(more, CLIP) + 2 * WRITTEN), bounds.variants * WRITTEN)
    costs = [
        cost_of(usage, asking.model.route.first.terms.price),
        cost_of(writing, (proposer or asking.model).route.first.terms.price),
    ]
    usd = None if None in costs else sum(cost or 0.0 for cost in costs)
    tokens = usage.input_tokens or 0, usage.output_tokens or 0
    return Takes(plain + 1 + sum(races), len(first) + len(second), *tokens, usd)
