"""`climb`: from the easiest rung up, on dev first, then on the sealed test, until an easiest one passes."""

from __future__ import annotations

import difflib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from suffice.errors import BudgetError, UsageError
from suffice.evals.claim import Stated
from suffice.evals.elsewhere import refuse_claimed
from suffice.evals.evaluate import check_task
from suffice.evals.plan import Plan, plan_of, refuse_hopeless
from suffice.evals.seal import Sealed, cases_for_looking, fitted_note, looked_at_note, refuse_touched, seal_cases
from suffice.evals.task import Task
from suffice.evals.thinning import shift_note
from suffice.ladder.barred import refuse_undecided
from suffice.ladder.chosen import calls_before_dev
from suffice.ladder.closing import decide, to_json_decision
from suffice.ladder.decision import Climbed, Decision
from suffice.ladder.dev import contradicted, run_dev, run_reference
from suffice.ladder.names import told_apart
from suffice.ladder.payable import refuse_unpayable
from suffice.ladder.rule import QUICK, Dev, DevEnd, Rule, moves
from suffice.ladder.rung import Rung, as_rung, from_text, proposed
from suffice.ladder.saving import refuse_unsaved, refuse_unsaved_solution
from suffice.ladder.sentence import before_test
from suffice.ladder.state import Climb, Options
from suffice.ladder.stating import Conditions, asked_of, state_claim
from suffice.ladder.tries import candidate_solution, known_try, run_try
from suffice.models.places.opened import opened
from suffice.models.spent_before import count_before
from suffice.programs.using import NO_MODEL, maybe_using, model_here, none_named
from suffice.shown import brief
from suffice.stats.ledger import TOTAL, alpha_of_try
from suffice.store import ledger, runs
from suffice.store.database import Store
from suffice.values import Case, Verdict, content_hash


async def climb(
    task: Task,
    rungs: Any = None,
    *,
    bar: float | None = None,
    tolerance: float | None = None,
    coverage: float | str | None = None,
    **options: Unpack[Options],
) -> Decision:
    """Find the easiest rung that suffices and say so at a stated error.

    `rungs` is a list of rungs, functions, bundles or rung names, easiest first, or one of them; without it the ladder
    is proposed. `bar`, `tolerance` and `coverage` (a share, or "max") override the task's. Dev is run first and costs
    no error; a candidate that dev makes likely meets the sealed test, where verdict and bound are all that is learned.
    The same climb again goes on where it was interrupted, or looks its verdicts up; what an interrupted one had spent
    counts against `budget`.

    Raises UsageError without a bar or without sealed cases, BarError for a bar that these cases cannot show,
    SolutionError for a solution that does not fit the task or, with `to_save`, cannot be saved, NoEndpoint where a
    model could not be called and nothing else was decided, StoreError when nothing can be recorded.
    """
    _check(options, Options, "climb")
    check_task(task)
    with maybe_using(options.get("model")):
        return await _climbed(task, rungs, {"bar": bar, "tolerance": tolerance, "coverage": coverage}, options)


async def _climbed(task: Task, rungs: Any, claim: dict[str, Any], options: Options) -> Decision:
    ladder = _ladder(task, rungs)
    if all(r.asks and r.unsuited(task) == NO_MODEL for r in ladder):
        raise none_named(", ".join(r.name for r in ladder), task.name)
    if options.get("to_save"):
        refuse_unsaved(ladder)
    asked = replace(asked_of(task, ladder, claim, options), concurrency=options.get("concurrency", 8))
    with opened(options.get("store")) as store:
        _check_untouched(store, task, options)
        refuse_claimed(store, task)
        dev = cases_for_looking(store, task)
        every = [*ladder, asked.reference.rung] if asked.reference is not None else ladder
        learned = frozenset[str]().union(*(r.learned for r in every))
        stated, sealed = state_claim(store, task, asked, learned)
        options.get("on_claim", lambda _: None)(stated)
        c = _begin(task, dev, ladder, stated, sealed, store, options)
        c.reference = asked.reference
        for note in (looked_at_note(store, task), fitted_note(store, task, learned)):
            c.show(line=note)
        try:
            decision = await _climb(c)
        except BaseException as error:
            state = "failed" if isinstance(error, Exception) else "interrupted"
            runs.finish_run(store, c.run, state, {"rungs": [r.name for r in ladder]})
            raise
        runs.finish_run(store, c.run, "done", to_json_decision(decision))
    return decision


def _check_untouched(store: Store, task: Task, options: Options) -> None:
    """Raise UsageError where `untouched` speaks of cases that are sealed, or of some that were looked at here."""
    if not options.get("untouched", False):
        return
    if not task.known_as:
        raise UsageError(
            "--untouched speaks of runs without a task; the test cases of a task are sealed", hint="leave it out"
        )
    refuse_touched(store, task)


def plan(
    task: Task,
    rungs: Any = None,
    *,
    bar: float | None = None,
    tolerance: float | None = None,
    coverage: float | str | None = None,
    store: Store | Path | str | None = None,
    **conditions: Unpack[Conditions],
) -> Plan:
    """What a climb on this task could show now, what it takes to pass, what is left to spend. Runs nothing.

    `rungs` are as in `climb`; of those that search on train (by default: in the task's own ladder) it says what that
    takes. The store knows from then on which cases are sealed.

    `conditions` are described at Conditions. Raises UsageError without a bar or sealed cases, and BarError for a bar
    that they cannot show.
    """
    _check(conditions, Conditions, "plan")
    ladder = _ladder(task, rungs) if rungs is not None or task.ladder else []
    with opened(store) as db:
        claim = {"bar": bar, "tolerance": tolerance, "coverage": coverage}
        asked = asked_of(task, ladder, claim, conditions)
        stated, sealed = state_claim(db, task, asked)
        refuse_hopeless(stated, sealed)
        seal_cases(db, task)
        default = tolerance is None and task.tolerance is None
        made = plan_of(stated, sealed, ledger.tries(db, sealed.block), default)
        calls = tuple(calls_before_dev(task, ladder))
        return replace(made, note=looked_at_note(db, task), shift=shift_note(db, task, stated.most), calls=calls)


async def _climb(c: Climb) -> Decision:
    with c.calling():
        await run_reference(c)
    steps = moves(len(c.rungs), c.rule)
    winner: int | None = None
    try:
        move = next(steps)
        while True:
            if isinstance(move, Dev):
                move = steps.send(await _dev(c, move.rung))
                continue
            if c.options.get("dev_only") and not await _decided(c, move.rung):
                break
            verdict = await _try(c, move.rung)
            if verdict is None:  # paused: another try would overtake it; what passed so far stands
                break
            if verdict == "PASS":
                winner = move.rung
            move = steps.send(verdict)
    except StopIteration:
        pass
    refuse_undecided(c)
    return decide(c, winner)


async def _dev(c: Climb, k: int) -> DevEnd:
    reason = c.rungs[k].unsuited(c.task)
    if reason is not None:
        c.show(k, state="not tried", note=reason)
        return DevEnd("drop", 0.0)
    c.show(k, state="running")
    with c.calling():
        end = await run_dev(c, k)
    if k not in c.candidates:  # its model could not be called: nothing is known of it
        return end
    if end.judgement != "test" and await _decided(c, k, before=len(c.base)) and not contradicted(c, k):
        return DevEnd("test", end.chance)  # its verdict costs nothing to look up
    return end


async def _decided(c: Climb, k: int, before: int | None = None) -> bool:
    """Whether the candidate of rung `k` has a verdict already; with `before`, from one of the first so many tries."""
    if before == 0 or c.sealed.block.id is None:
        return False
    known = known_try(c, await candidate_solution(c, k))
    return known is not None and known.verdict is not None and (before is None or known.number <= before)


async def _try(c: Climb, k: int) -> Verdict | None:
    """The verdict on the candidate of rung `k`, None where its try paused."""
    candidate, solution = c.candidates[k], await candidate_solution(c, k)
    known = known_try(c, solution)
    if known is None:
        if c.options.get("to_save"):
            refuse_unsaved_solution(solution)
        await refuse_unpayable(c, k, solution)
    if known is None or known.verdict is None:
        history = ledger.history(c.store, c.sealed.block.id)
        number, alpha = (known.number, known.alpha) if known else (len(history) + 1, alpha_of_try(history))
        c.show(k, f"{candidate.name}: {before_test(number, alpha, TOTAL, c.rows[k].chance)}", state="test")
    try:
        tested = await run_try(c, k)
    except BudgetError as error:
        hint = f"{error.hint}; the try stays open, and the same command with a larger budget goes on with it"
        raise BudgetError(error.message, hint=hint, where=error.where) from error
    row = c.rows[k]
    calls, left = (0, 0) if solution.free else (tested.calls, len(c.sealed.cases) - tested.calls)
    state = "paused" if tested.paused else tested.verdict
    state = "would pass" if state == "PASS" and c.stated.open and not c.options.get("untouched") else state
    c.show(k, state=state, tested=tested, calls=row.calls + calls, saved=row.saved + left, barred=tested.barred)
    if tested.paused:
        return None
    c.learn(tested.number)
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
    """Start the run, or take up the one that would do the same. Raises BarError where no try could pass."""
    rule = options.get("rule") or (QUICK if options.get("quick") else Rule())
    rungs = [[r.identity, r.as_is] for r in ladder]
    what = [task.fingerprint, stated.to_json(), rungs, repr(rule), sealed.block.order_seed]
    what += [model_here()] if any(r.asks for r in ladder) else []
    identity = content_hash(["climb", *what])
    last = runs.latest(store, "climb", identity)
    if options.get("resume") and (last is None or last.state == "done"):
        raise UsageError(
            "there is no interrupted climb of this task with these rungs and this bar",
            hint="leave --resume out: the same climb goes on by itself, and `suffice runs` lists what there is",
        )
    tries = ledger.tries(store, sealed.block)
    base = _first_seen(last, tries, sealed)
    known = {k: ledger.known_try(store, sealed.block, r.identity, stated.to_json()) for k, r in enumerate(ladder)}
    decided = {k: t for k, t in known.items() if t is not None and t.verdict is not None and t.number <= len(base)}
    if base == sealed.passed and not decided:
        refuse_hopeless(stated, sealed)
    shown = frozenset(k for k, t in decided.items() if t.verdict == "PASS")
    since = _budget_since(last)
    settings = {
        "claim": stated.to_json(),
        "n": stated.n,
        "rungs": [r.name for r in ladder],
        "inputs": list(task.columns.inputs),
        "base": list(base),
        "rule": repr(rule),
        "concurrency": options.get("concurrency", 8),
        "timeout": options.get("timeout", 120.0),
        "seed": task.seed,
        "shape": task.shape,
        "path": str(task.path) if task.path is not None else None,
        "command": options.get("command"),
        "untouched": options.get("untouched") if stated.open else None,
    }
    noted = {**settings, "budget_since": since}
    if last is None:
        run = runs.start_run(store, "climb", task.name, noted, identity=identity)
    else:
        run = runs.resume_run(store, last.id, noted).id
    count_before(store, run, options.get("budget"), since)
    rows = [Climbed(name=r.name, candidate=r.name, state="waiting") for r in ladder]
    return Climb(
        task, dev, ladder, stated, sealed, store, run, base, base, shown, rule, options, rows, settings=settings
    )


def _first_seen(last: runs.Run | None, tries: Sequence[ledger.Try], sealed: Sealed) -> tuple[bool, ...]:
    """The ledger that a climb goes by: as it was when it first met test, so that it ends the same when run again."""
    if last is None:
        return sealed.passed
    result: Any = last.result or {}
    looked_up = last.state == "done" and any(rung["tested"] for rung in result.get("rungs", ()))
    met = looked_up or any(t.run == last.id for t in tries)
    return tuple(last.settings["base"]) if met else sealed.passed


def _budget_since(last: runs.Run | None) -> float:
    """From when on a run's spending counts against its budget: one that was interrupted goes on with the old one."""
    if last is None or last.state == "done":
        return time.time()
    return float(last.settings.get("budget_since", last.started))


def _check(options: Options | Conditions, kind: type[Any], verb: str) -> None:
    for name in options:
        if name not in kind.__annotations__:
            near = difflib.get_close_matches(name, kind.__annotations__, n=1)
            known = f"did you mean {near[0]}?" if near else f"known: {', '.join(kind.__annotations__)}"
            raise UsageError(f"there is no option {brief(name)} of {verb}", hint=known)


def _ladder(task: Task, rungs: Any) -> list[Rung]:
    folder = task.path if task.path is not None and task.path.is_dir() else None
    given: list[Any] = [] if rungs is None else list(rungs) if isinstance(rungs, list | tuple) else [rungs]  # pyright: ignore[reportUnknownArgumentType]
    if rungs is not None and not given:
        raise UsageError("there is no rung to climb", hint="name one, or leave rungs out and the ladder is proposed")
    ladder = [from_text(r, task.path) if isinstance(r, str) else as_rung(r) for r in given] or proposed(task, folder)
    if not ladder:
        raise UsageError(
            f"no built-in rung suits this task ({task.kind}): bring a solution",
            hint="suffice climb TASK my.py:function, or --replay FILE for answers recorded elsewhere",
        )
    return told_apart(ladder)
