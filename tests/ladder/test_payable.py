"""A budget that cannot pay one call of a candidate: no try begins, and the refusal names a figure that would do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from climb_samples import a_task, climbed
from prompting_samples import skilled

import suffice as sf
from suffice.errors import BudgetError
from suffice.evals.seal import sealed_blocks
from suffice.store import ledger
from suffice.store.database import open_store
from upstream import Upstream, upstream

PRICE = (1.0, 2.0)  # dollars for a million tokens in, and out


def priced(up: Upstream) -> sf.Model:
    return sf.Model(f"{up.url}#m", price=PRICE)


def begun(store: Path, task: sf.Task) -> list[ledger.Try]:
    with open_store(store) as db:
        return [t for b in sealed_blocks(db, task) for t in ledger.tries(db, b.block)]


def figure(error: BudgetError) -> float:
    found = re.search(r"raise the budget to \$([\d.]+)", error.hint or "")
    assert found, error.hint
    return float(found[1])


@pytest.mark.parametrize("rungs", [["prompt"], ["words", "vote"], ["examples"]], ids="-".join)
def test_no_try_begins_that_the_budget_cannot_pay_a_call_of(tmp_path: Path, rungs: list[str]) -> None:
    task = a_task(train=40)
    with upstream(skilled(0.92)) as up:
        climbed(task, rungs, tmp_path, model=priced(up), dev_only=True)
        n = len(up.log.served)
        with pytest.raises(
            BudgetError, match=r"it may cost \$0\.\d+, and \$0\.\d+ of \$0\.0001 are left.* no try"
        ) as one:
            climbed(task, rungs, tmp_path, model=priced(up), budget=sf.Budget(usd=0.0001))
        assert not begun(tmp_path, task) and len(up.log.served) == n
        assert re.search(r"by dev, all \d+ sealed cases cost about \$0\.0\d+", one.value.hint or "")
        with pytest.raises(BudgetError, match="the budget allows no further attempt"):  # the figure begins
            climbed(task, rungs, tmp_path, model=priced(up), budget=sf.Budget(usd=figure(one.value)), concurrency=1)
        assert len(up.log.served) > n and len(begun(tmp_path, task)) == 1
        assert climbed(task, rungs, tmp_path, model=priced(up), budget=sf.Budget(usd=1)).verdict == "PASS"


def test_what_is_recorded_needs_no_budget(tmp_path: Path) -> None:
    task = a_task()
    with upstream(skilled(0.97)) as up:
        assert climbed(task, ["prompt"], tmp_path, model=priced(up), bar=0.8).verdict == "PASS"
        n = len(up.log.served)
        again = climbed(task, ["prompt"], tmp_path, model=priced(up), bar=0.8, budget=sf.Budget(usd=0))
        assert again.verdict == "PASS" and len(up.log.served) == n


def test_dev_names_a_figure_too_and_asks_nothing(tmp_path: Path) -> None:
    task = a_task()
    with upstream(skilled(0.92)) as up:
        with pytest.raises(BudgetError, match=r"it may cost \$0\.\d+") as one:
            climbed(task, ["prompt"], tmp_path, model=priced(up), budget=sf.Budget(usd=0.0001))
        assert not up.log.served
        with pytest.raises(BudgetError) as later:
            climbed(
                task, ["prompt"], tmp_path, model=priced(up), budget=sf.Budget(usd=figure(one.value)), concurrency=1
            )
        assert up.log.served and figure(later.value) > figure(one.value)
        assert re.search(r"so far, the 60 dev cases cost about \$0\.0\d+", later.value.hint or "")
