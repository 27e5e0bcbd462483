"""Looking at cases that are sealed elsewhere: refused where a claim was made on them, never without a word, and no
command that shows nothing costs any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import SealedError, SufficeError
from suffice.evals.compare import compare
from suffice.evals.elsewhere import sealed_elsewhere
from suffice.evals.evaluate import evaluate
from suffice.evals.seal import dev_cases, give_up_elsewhere, look, seal_cases, sealed_blocks, sealed_count
from suffice.evals.task import Task
from suffice.ladder.climb import climb, plan
from suffice.stats.ledger import alpha_of_try
from suffice.store import ledger
from suffice.store.database import Store, open_store

TEAMS = ("billing", "shipping", "returns")
ROWS = [
    {"mail": f"please look after the parcel number {i}", "customer": f"C{i * 7919 % 60}", "team": TEAMS[i % 3]}
    for i in range(240)
]


def by_customer(rows: list[dict[str, str]] = ROWS) -> Task:
    return Task(rows, inputs="mail", expected="team", cluster="customer", name="mails", bar=0.5)


def dropped() -> Task:
    """The same rows, read with other flags: another split."""
    return Task(ROWS, inputs=["mail", "customer"], expected="team", name="mails", bar=0.5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as opened:
        yield opened


def claim_on(store: Store, task: Task) -> None:
    ledger.begin_try(store, sealed_blocks(store, task)[-1].block, "words", {"bar": 0.5}, alpha_of_try)


def lost(task: Task, other: Task) -> int:
    """How many train and dev cases of `task` are test cases of `other`."""
    tested = {c.source for c in other.sealed()}
    return sum(c.source in tested for c in (*task.train, *task.dev))


def one(mail: str, customer: str = "") -> str:
    return "billing"


def test_what_was_only_sealed_is_said_with_its_numbers_and_said_once(store: Store) -> None:
    plan(by_customer(), store=store)
    n = lost(dropped(), by_customer())
    there = len(dropped().train) + len(dropped().dev)
    report = asyncio.run(evaluate(dropped(), one, store=store))
    assert n > 20 and f"{n} of {there} cases to look at here are sealed as test cases of mails" in report.notes[0]
    assert report.notes[0] in str(report).replace("\n", " ")
    assert sealed_count(store, by_customer()) == len(by_customer().sealed()) - n
    assert asyncio.run(evaluate(dropped(), one, store=store)).notes == ()


LOOKS: dict[str, Callable[[Task, Store], Any]] = {
    "eval": lambda task, store: evaluate(task, one, store=store),
    "train": lambda task, store: evaluate(task, one, split="train", store=store),
    "compare": lambda task, store: compare(task, one, lambda mail: "shipping", store=store),
    "climb": lambda task, store: climb(task, [one], store=store, dev_only=True),
    "rung that learns": lambda task, store: climb(task, ["constant"], store=store, dev_only=True),
}


@pytest.mark.parametrize("how", LOOKS)
def test_what_a_claim_was_made_on_is_refused_before_anything_is_shown(store: Store, how: str) -> None:
    claim_on(store, by_customer())
    before = sealed_count(store, by_customer())
    with pytest.raises(SealedError, match=r"to look at here are sealed .* a claim was made on them; nothing was") as no:
        asyncio.run(LOOKS[how](dropped(), store))
    assert "suffice unseal TASK --elsewhere" in (no.value.hint or "")
    assert sealed_count(store, by_customer()) == before == len(by_customer().sealed())


def test_giving_them_up_opens_the_way_and_costs_just_those(store: Store) -> None:
    claim_on(store, by_customer())
    n, own = lost(dropped(), by_customer()), sealed_count(store, dropped())
    give_up_elsewhere(store, dropped())
    assert sealed_elsewhere(store, dropped()) is None and look(store, dropped()) is None
    assert sealed_count(store, by_customer()) == len(by_customer().sealed()) - n
    assert sealed_count(store, dropped()) == own


def test_the_flags_of_the_claim_still_work_and_so_do_more_cases(store: Store) -> None:
    claim_on(store, by_customer())
    more = [{**row, "mail": f"{row['mail']}, again", "customer": f"N{row['customer']}"} for row in ROWS]
    for task in (by_customer(), by_customer([*ROWS, *more])):
        assert look(store, task) is None


def test_a_few_that_are_the_same_by_chance_are_said_and_not_refused(store: Store) -> None:
    claim_on(store, by_customer())
    asked = by_customer().sealed()[0].inputs
    other = [{"question": f"who repairs the broken lamp of street {i}?", "to": "ab"[i % 2]} for i in range(60)]
    task = Task([*other, {"question": asked, "to": "a", "split": "dev"}], inputs="question", expected="to")
    assert "1 of" in (look(store, task) or "") and sealed_count(store, by_customer()) < len(by_customer().sealed())


def test_what_is_the_same_in_dev_and_test_of_one_task_is_no_other_reading(store: Store) -> None:
    rows = [{**row, "split": ("dev", "test")[i % 2]} for i, row in enumerate(ROWS)]
    task = Task([*rows, {**rows[1], "customer": "CX", "split": "dev"}], inputs=["mail", "customer"], expected="team")
    seal_cases(store, task)
    assert look(store, task) is None


def two(first: str, second: str) -> str:
    return first


ERRORS: dict[str, Callable[[Task, Store], Any]] = {
    "a solution that does not fit": lambda task, store: evaluate(task, two, store=store),
    "too many repeats": lambda task, store: evaluate(task, one, store=store, repeats=10**9),
    "no such tolerance": lambda task, store: climb(task, [one], store=store, tolerance=0.9),
    "a bar out of reach": lambda task, store: climb(task, [one], store=store, bar=1.0, tolerance=0.004),
    "nothing to resume": lambda task, store: climb(task, [one], store=store, resume=True),
    "a rung that does not fit": lambda task, store: climb(task, [two], store=store),
    "a reference that does not fit": lambda task, store: climb(task, [one], store=store, bar=None, within=0.1, of=two),
}


@pytest.mark.parametrize("how", ERRORS)
def test_a_command_that_shows_nothing_costs_no_case_of_any_reading(store: Store, how: str) -> None:
    plan(by_customer(), store=store)
    with pytest.raises(SufficeError):
        asyncio.run(ERRORS[how](dropped(), store))
    assert sealed_count(store, by_customer()) == len(by_customer().sealed())
    dev_cases(store, dropped())
    assert sealed_count(store, by_customer()) < len(by_customer().sealed())
