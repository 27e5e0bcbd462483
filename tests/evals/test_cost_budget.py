"""A budget holds over interruptions: what a killed run had spent counts when the same command goes on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from upstream_faults import Ok, always

import suffice as sf
from suffice.errors import BudgetError
from suffice.models.concerns.budget import Budget
from suffice.models.spent_before import count_before
from suffice.store.calls import CallJournal, Sent, Settled, spent
from suffice.store.database import open_store
from suffice.store.runs import start_run
from upstream import Upstream, upstream

CAP = 50  # output tokens, and as many come back: an attempt costs what was reserved for it
ATTEMPT = 0.005  # US dollars, at 100 dollars per million output tokens
ALLOWED = 20  # attempts
CONCURRENCY = 4
PROGRAM = f"""
import asyncio, sys
import suffice as sf
from suffice.errors import BudgetError
from suffice.evals.apply import ApplyOptions, apply

verb, url, usd = sys.argv[1:]
model = sf.Model(url, max_output_tokens={CAP})

async def triage(text: str):
    return (await model("which team? " + text)).value

def run():
    budget = sf.Budget(usd=float(usd))
    if verb == "apply":
        options = ApplyOptions(concurrency={CONCURRENCY}, budget=budget)
        return apply(triage, "new.csv", "out.csv", options=options, store="store")
    task = sf.Task.load("cases.jsonl", bar=.8)
    if verb == "climb":
        return sf.climb(task, [triage], budget=budget, concurrency={CONCURRENCY}, store="store")
    return sf.evaluate(task, triage, budget=budget, concurrency={CONCURRENCY}, store="store")

try:
    sf.run(run())
except BudgetError as error:
    print("refused", error)
else:
    print("done")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    rows = [{"text": f"ticket {i}", "label": "ok" if i % 9 else "no"} for i in range(120)]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "new.csv").write_text("text\n" + "".join(f"row {i}\n" for i in range(40)), encoding="utf-8")
    return tmp_path


def start(place: Path, up: Upstream, verb: str, usd: float) -> subprocess.Popen[str]:
    url = f"{up.url}#any"
    (place / "suffice.toml").write_text(f'[prices."{url}"]\ninput = 0\noutput = 100\n', encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, verb, url, str(usd)]
    return subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed_after(place: Path, up: Upstream, verb: str, requests: int) -> None:
    process = start(place, up, verb, ALLOWED * ATTEMPT)
    end = time.monotonic() + 20
    while len(up.log.served) < requests:
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.002)
    process.kill()
    process.communicate(timeout=10)


@pytest.mark.parametrize("verb", ["evaluate", "climb", "apply"])
def test_three_runs_that_are_killed_cost_no_more_than_the_budget_together(place: Path, verb: str) -> None:
    with upstream(always(Ok(usage=(12, CAP), delay=0.03))) as up:
        killed_after(place, up, verb, 5)
        killed_after(place, up, verb, 10)
        out, errors = start(place, up, verb, ALLOWED * ATTEMPT).communicate(timeout=20)
        billed = len(up.log.served)
        assert out.startswith("refused") and "went before this run was interrupted" in out, (out, errors)
        assert ALLOWED - 2 * CONCURRENCY <= billed <= ALLOWED


def test_what_was_in_flight_counts_with_all_that_was_reserved_and_only_once(tmp_path: Path) -> None:
    async def interrupted(journal: CallJournal) -> None:
        first = await journal.begin(Sent("ab" * 16, "m", "e", 0.02, 300))
        journal.end(first, Settled("ok", 200, 0.1, 10, 5, 0.001, None))
        await journal.begin(Sent("cd" * 16, "m", "e", 0.02, 300))  # and then the power went

    with open_store(tmp_path) as store:
        run = start_run(store, "eval", "task", {})
        journal = CallJournal(store, run)
        asyncio.run(interrupted(journal))
        journal.close()
        assert (spent(store, run).open, spent(store, run).tokens) == (1, 315)
        budget = Budget(usd=1)
        for _ in range(2):  # the same budget taken to the same run again knows already
            count_before(store, run, budget)
        assert budget.spent_usd == pytest.approx(0.021)
        assert (budget.spent_calls, budget.spent_tokens) == (2, 315)
        other = Budget(usd=1)
        count_before(store, run, other, since=time.time() + 1)
        assert other.spent_calls == 0


def test_what_ctrl_c_cancelled_and_was_sent_again_was_possibly_paid_twice(tmp_path: Path) -> None:
    cancelled = Settled("cancelled", None, 0.0, None, None, 0.02, None)
    answered = Settled("ok", 200, 0.0, 10, 5, 0.001, None)

    async def calls(journal: CallJournal) -> None:
        for request, ends in (("ab", [cancelled, cancelled, answered]), ("cd", [cancelled]), ("ef", [answered])):
            for end in ends:
                journal.end(await journal.begin(Sent(request * 16, "m", "e", 0.02, 300)), end)
        hedged = [await journal.begin(Sent("99" * 16, "m", "e", 0.02, 300)) for _ in range(2)]
        journal.end(hedged[0], Settled("cancelled", None, 0.5, None, None, 0.02, None))
        journal.end(hedged[1], answered)

    with open_store(tmp_path) as store:
        run = start_run(store, "eval", "task", {})
        journal = CallJournal(store, run)
        asyncio.run(calls(journal))
        journal.close()
        assert spent(store, run).open == 2


def test_a_budget_that_was_there_itself_is_not_charged_twice(place: Path) -> None:
    task = sf.Task.load(place / "cases.jsonl", bar=0.8)
    with upstream(always(Ok(usage=(12, CAP)))) as up:
        model = sf.Model(f"{up.url}#any", max_output_tokens=CAP, price=(0, 100))

        async def triage(text: str) -> str:
            return (await model(text)).value

        budget = sf.Budget(usd=4 * ATTEMPT)
        for _ in range(2):
            with pytest.raises(BudgetError):
                sf.run(sf.evaluate(task, triage, budget=budget, store=place / "store"))
        assert budget.spent_usd == pytest.approx(4 * ATTEMPT) and budget.before_usd == 0
        assert len(up.log.served) == 4
