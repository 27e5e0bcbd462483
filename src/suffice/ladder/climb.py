"""`climb`: from the easiest rung up, on dev first, then on the sealed test, until an easiest one passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from suffice.errors import BarError, UsageError
from suffice.evals.claim import Stated
from suffice.evals.evaluate import learns, opened
from suffice.evals.plan import Plan, plan_of, refuse_hopeless
from suffice.evals.seal import Sealed, choose_block, dev_cases, in_shape, sealed_blocks
from suffice.evals.task import Task
from suffice.ladder.closing import decide, to_json_decision
from suffice.ladder.decision import Climbed, Decision
from suffice.ladder.dev import run_dev
from suffice.ladder.rule import QUICK, Dev, DevEnd, Rule, moves
from suffice.ladder.rung import Rung, as_rung, from_name, proposed
from suffice.ladder.sentence import before_test
from suffice.ladder.state import Climb, Options
from suffice.ladder.tries import known_try, run_try
from suffice.stats.ledger import TOTAL
from suffice.stats.plan import default_tolerance
from suffice.store import ledger, runs
from suffice.store.database import Store
from suffice.values import Case, Verdict, content_hash, to_json


async def climb(
    task: Task,
    rungs: Sequence[Any] | None = None,
    *,
    bar: float | None = None,
    tolerance: float | None = None,
    coverage: float | str | None = None,
    **options: Unpack[Options],
) -> Decision:
    """Find the easiest rung that suffices and say so at a stated error.

    `rungs` are rungs, functions, or rung names, easiest first; without them the ladder is proposed. `bar`, `tolerance`
    and `coverage` (a share, or "max") override the task's. Dev is run first and costs no error; a candidate that dev
    makes likely meets the sealed test, where verdict and bound are all that is learned. The same climb again goes on
    where it was interrupted, or looks its verdicts up.

    Raises UsageError without a bar or without sealed cases, BarError for a bar that these cases cannot show,
    SolutionError for a solution that does not fit the task, StoreError when nothing can be recorded.
    """
    ladder = _ladder(task, rungs)
    with opened(options.get("store")) as store:
        task = in_shape(store, task, any(map(learns, ladder)))
        dev = dev_cases(store, task)
        stated, sealed = state_claim(store, task, bar, tolerance, coverage)
        c = _begin(task, dev, ladder, stated, sealed, store, options)
        try:
            decision = await _climb(c)
        except BaseException as error:
            state = "failed" if isinstance(error, Exception) else "interrupted"
            runs.finish_run(store, c.run, state, {"rungs": [r.name for r in ladder]})
            raise
        runs.finish_run(store, c.run, "done", to_json_decision(decision))
    return decision


def plan(
    task: Task,
    *,
    bar: float | None = None,
    tolerance: float | None = None,
    coverage: float | str | None = None,
    store: Store | Path | str | None = None,
) -> Plan:
    """What a climb on this task could show now, what it takes to pass, and what is left to spend. Runs nothing.

    Raises UsageError without a bar or sealed cases, and BarError for a bar that they cannot show.
    """
    with opened(store) as db:
        stated, sealed = state_claim(db, in_shape(db, task, bool(proposed(task))), bar, tolerance, coverage)
        default = tolerance is None and task.tolerance is None
        return plan_of(stated, sealed, ledger.tries(db, sealed.block), default)


def state_claim(
    store: Store, task: Task, bar: float | None, tolerance: float | None, coverage: float | str | None
) -> tuple[Stated, Sealed]:
    """The claim that these options make of the task, and the sealed cases for it.

    Raises UsageError without a bar, and BarError where these cases cannot show it.
    """
    asked = _bar(task, bar)
    cover = _coverage(task.coverage if coverage is None else coverage)
    sealed = choose_block(sealed_blocks(store, task), asked)
    slack = task.tolerance if tolerance is None else tolerance
    slack = default_tolerance(asked, sealed.n) if slack is None else slack
    if not 0 <= slack < asked:
        raise BarError(f"a tolerance must lie between 0 and the bar {asked:g}, not {slack:g}")
    refuse_hopeless(asked, slack, sealed)
    labels = content_hash(sorted([c.key, to_json(c.expected)] for c in sealed.cases))
    per = task.cluster_name if sealed.clusters else None
    return Stated(asked, slack, cover, sealed.n, per, task.grader.identity, labels), sealed


async def _climb(c: Climb) -> Decision:
    steps = moves(len(c.rungs), c.rule)
    winner, stopped = None, False
    try:
        move = next(steps)
        while not stopped:
            if isinstance(move, Dev):
                result: DevEnd | Verdict = await _dev(c, move.rung)
            elif c.options.get("dev_only"):
                stopped = True
                continue
            else:
                result = await _try(c, move.rung)
                if c.rows[move.rung].state == "paused":
                    stopped = True
                    continue
                c.verdicts.append(result == "PASS")
            move = steps.send(result)
    except StopIteration as stop:
        winner = stop.value
    return decide(c, winner)


async def _dev(c: Climb, k: int) -> DevEnd:
    reason = c.rungs[k].unsuited(c.task)
    if reason is not None:
        c.show(k, state="not tried", note=reason)
        return DevEnd("drop", 0.0)
    c.show(k, state="running")
    return await run_dev(c, k)


async def _try(c: Climb, k: int) -> Verdict:
    candidate = c.candidates[k]
    solution = c.solutions[k] = await candidate.refitted(c.task, c.dev)
    earlier = known_try(c, solution)
    if earlier is None or earlier.verdict is None:
        number, alpha = (earlier.number, earlier.alpha) if earlier else (len(c.verdicts) + len(c.base) + 1, c.alpha)
        c.show(k, f"{candidate.name}: {before_test(number, alpha, TOTAL, candidate.fit.chance)}", state="test")
    tested = await run_try(c, k, solution)
    calls = 0 if solution.free else tested.calls
    row = c.rows[k]
    left = 0 if solution.free else c.stated.n - tested.calls
    state = "paused" if tested.paused else tested.verdict
    c.show(k, state=state, tested=tested, calls=row.calls + calls, saved=row.saved + left)
    return tested.verdict


def _begin(
    task: Task,
    dev: tuple[Case, ...],
    ladder: list[Rung],
    stated: Stated,
    sealed: Sealed,
    store: Store,
    options: Options,
) -> Climb:
    """Start the run, or take up the one that would do the same: then its own first look at the ledger holds."""
    rule = options.get("rule") or (QUICK if options.get("quick") else Rule())
    what = [task.fingerprint, stated.to_json(), [r.identity for r in ladder], repr(rule), sealed.block.order_seed]
    identity = content_hash(["climb", *what])
    last = runs.latest(store, "climb", identity)
    if options.get("resume") and (last is None or last.state == "done"):
        raise UsageError(
            "there is no interrupted climb of this task with these rungs and this bar",
            hint="leave --resume out: the same climb goes on by itself, and `suffice runs` lists what there is",
        )
    settings = {
        "claim": stated.to_json(),
        "n": stated.n,
        "rungs": [r.name for r in ladder],
        "base": list(sealed.passed),
        "rule": repr(rule),
        "concurrency": options.get("concurrency", 8),
        "timeout": options.get("timeout", 120.0),
        "seed": task.seed,
        "shape": task.shape,
        "path": str(task.path) if task.path is not None else None,
    }
    if last is None:
        run, base = runs.start_run(store, "climb", task.name, settings, identity=identity), list(sealed.passed)
    else:
        run, base = last.id, list(last.settings["base"])
        runs.resume_run(store, run)
    rows = [Climbed(name=r.name, candidate=r.name, state="waiting") for r in ladder]
    return Climb(task, dev, ladder, stated, sealed, store, run, base, rule, options, rows, settings=settings)


def _ladder(task: Task, rungs: Sequence[Any] | None) -> list[Rung]:
    folder = task.path if task.path is not None and task.path.is_dir() else None
    named = [from_name(r, folder) if isinstance(r, str) else as_rung(r) for r in rungs] if rungs is not None else None
    ladder = named if named is not None else proposed(task, folder)
    if not ladder:
        raise UsageError(
            f"no built-in rung suits this task ({task.kind}): bring a solution",
            hint="suffice climb TASK my.py:function, or --replay FILE for answers recorded elsewhere",
        )
    seen: dict[str, int] = {}
    for i, rung in enumerate(ladder):
        seen[rung.name] = seen.get(rung.name, 0) + 1
        if seen[rung.name] > 1:
            ladder[i] = replace(rung, name=f"{rung.name} {seen[rung.name]}")
    return ladder


def _bar(task: Task, bar: float | None) -> float:
    asked = task.bar if bar is None else bar
    if asked is None:
        raise UsageError("how good is good enough? There is no bar", hint="--bar .9, or bar = 0.9 in task.toml")
    if not 0 < asked <= 1:
        raise BarError(f"a bar is a share of right answers between 0 and 1, not {asked:g}", hint="--bar .9")
    return float(asked)


def _coverage(said: float | str | None) -> float | None:
    if said is None:
        return None
    if said == "max":
        return 0.0
    if isinstance(said, str) or not 0 < said <= 1:
        raise BarError(f'a coverage is a share of inputs between 0 and 1, or "max", not {said!r}', hint="--coverage .6")
    return float(said)
