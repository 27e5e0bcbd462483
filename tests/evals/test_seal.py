"""The seal: one case a cluster, in an order of its own, and never one that somebody has seen."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SealedError, UsageError
from suffice.evals.seal import (
    Sealed,
    choose_block,
    dev_cases,
    looked_at_note,
    sealed_blocks,
    sealed_count,
    unseal,
)
from suffice.evals.split import SealedCase
from suffice.evals.task import Task
from suffice.evals.units import flat, in_units
from suffice.stats.claim import Claim
from suffice.stats.ledger import alpha_of_try
from suffice.stats.plan import default_tolerance, power
from suffice.store import ledger
from suffice.store.database import Store, open_store
from suffice.values import Case, case_key

TEAMS = ("billing", "shipping", "returns")


def one_each(cases, seed: int):
    return flat(in_units(cases, seed, 1))


def rows(numbers: Sequence[int], customers: int = 0) -> list[dict[str, Any]]:
    """Tickets; with `customers` they come from so many."""
    made = [{"text": f"ticket number {i}", "team": TEAMS[i % 3]} for i in numbers]
    return (
        [{**r, "customer": f"C{i * 7919 % customers}"} for r, i in zip(made, numbers, strict=True)]
        if customers
        else made
    )


def task_of(n: int = 60, customers: int = 0, **more: Any) -> Task:
    return Task(rows(range(n), customers), **({"cluster": "customer"} if customers else {}), **more)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.mark.parametrize(
    "written",
    [
        "ticket\u200b number 7",
        "\ufeffticket number 7",
        "tic\u00adket number 7 ",
        "TICKET\u2060 number\u00a0\ufe0f 7",
        "ticket number 7 ...",
        "ticket number 7!",
    ],
)
def test_what_nobody_can_see_makes_no_fresh_case(written: str) -> None:
    seen = Task([{"text": "ticket number 7", "team": "billing"}, *rows(range(10, 40))])
    again = Task([{"text": written, "team": "billing"}, *rows(range(10, 40))])
    before, after = ({c.key for c in (*t.train, *t.dev, *t.sealed())} for t in (seen, again))
    assert before == after and len(before) == 31


def test_a_row_looked_at_under_other_input_columns_was_looked_at(store: Store) -> None:
    given = [{"subject": f"s {i}", "body": f"b {i}", "team": TEAMS[i % 3]} for i in range(200)]
    narrow, wide = (Task(given, inputs=inputs, expected="team") for inputs in (["subject"], ["subject", "body"]))
    assert sealed_count(store, wide) == len(wide.sealed())
    dev_cases(store, narrow)
    seen = {c.source for c in (*narrow.train, *narrow.dev)}
    left = [c for sealed in sealed_blocks(store, wide) for c in sealed.cases]
    assert left and not {c.source for c in left} & seen
    assert 0 < sealed_count(store, wide) == len(left) < len(wide.sealed())
    assert "were looked at before" in (looked_at_note(store, wide) or "")


def test_letters_and_signs_still_tell_cases_apart() -> None:
    texts = ["price 1", "price 2", "price -1", "prix 1", "prïx 1", "価格 1", "price 1 👍", "price 1 👎"]
    assert len({case_key(text) for text in texts}) == len(texts)


def keys(cases: Sequence[Case]) -> list[str]:
    return [c.key for c in cases]


def begin(store: Store, block: Sealed, candidate: str = "words", verdict: Any = None) -> None:
    """One try on this block."""
    begun = ledger.begin_try(store, block.block, candidate, {"bar": 0.9}, alpha_of_try)
    if verdict is not None:
        ledger.finish_try(store, begun.id, verdict, 10)


# ---------------------------------------------------------------- one case of each cluster


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 60), customers=st.integers(2, 20), seed=st.integers(0, 9), shuffle=st.integers(0, 999))
def test_one_case_of_each_cluster_in_an_order_that_rows_do_not_move(
    n: int, customers: int, seed: int, shuffle: int
) -> None:
    cases = task_of(n, customers, kind="label").sealed()
    chosen = one_each(cases, seed)
    assert len({c.cluster for c in chosen}) == len(chosen) == len({c.cluster for c in cases})
    assert set(chosen) <= set(cases)
    mixed = random.Random(shuffle).sample(cases, len(cases))
    assert one_each(mixed, seed) == chosen


@settings(max_examples=40, deadline=None)
@given(n=st.integers(5, 60), more=st.integers(0, 60), seed=st.integers(0, 9))
def test_more_cases_never_change_the_order_of_those_there(n: int, more: int, seed: int) -> None:
    few = one_each(task_of(n, kind="label").sealed(), seed)
    many = one_each(task_of(n + more, kind="label").sealed(), seed)
    assert [k for k in keys(many) if k in set(keys(few))] == keys(few)


def test_another_seed_is_another_order_and_every_place_is_as_likely() -> None:
    cases = task_of(200).sealed()
    orders = [keys(one_each(cases, seed)) for seed in range(200)]
    assert len({tuple(order) for order in orders}) == 200
    firsts = [sorted(keys(cases)).index(order[0]) / len(cases) for order in orders]
    assert 0.4 < sum(firsts) / len(firsts) < 0.6


@pytest.mark.parametrize("again", ["a test", "A  Test"])
def test_the_same_input_twice_is_one_case_whichever_row_comes_first(store: Store, again: str) -> None:
    opened = [{"text": s, "team": "x", "split": s} for s in ("train", "dev")]
    twice = [{"text": t, "team": team, "split": "test"} for t, team in (("a test", "x"), (again, "y"))]
    blocks = [sealed_blocks(store, Task(opened + some, kind="label")) for some in (twice, twice[::-1])]
    assert [b.n for [b] in blocks] == [1, 1]
    assert blocks[0][0].cases[0].expected == blocks[1][0].cases[0].expected


# ---------------------------------------------------------------- blocks


steps = st.lists(
    st.one_of(
        st.tuples(st.just("grow"), st.integers(1, 40)),
        st.tuples(st.just("try"), st.sampled_from(["PASS", "FAIL", "UNPROVEN", None])),
        st.tuples(st.just("unseal"), st.integers(1, 6)),
        st.tuples(st.just("shuffle"), st.integers(0, 99)),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps, customers=st.sampled_from([0, 9, 25]))
def test_whatever_happens_no_seen_case_no_used_cluster_and_no_shared_case_is_claimed_on(
    steps: list[tuple[str, Any]], customers: int
) -> None:
    n, seen, order, spent = 40, set[str](), list(range(40)), 0
    with tempfile.TemporaryDirectory() as folder, open_store(folder) as store:
        places: dict[str, int] = {}  # of each cluster: the block that has it for ever
        for what, value in steps:
            if what == "grow":
                order += range(n, n + value)
                n += value
            elif what == "shuffle":
                random.Random(value).shuffle(order)
            task = Task(rows(order, customers), **({"cluster": "customer"} if customers else {}))
            dev = dev_cases(store, task)
            seen |= set(keys((*task.train, *dev)))
            blocks = sealed_blocks(store, task)
            if what == "try" and blocks:
                spent += 1
                begin(store, blocks[-1], f"candidate {spent}", value)
                blocks = sealed_blocks(store, task)
            elif what == "unseal" and sealed_count(store, task):
                shown = unseal(store, task, value)
                assert set(keys(shown)).isdisjoint(seen) and set(shown) <= set(dev_cases(store, task))
                seen |= set(keys(shown))
                blocks = sealed_blocks(store, task)
            used = [c for b in blocks for c in b.cases]
            assert set(keys(used)).isdisjoint(seen)
            assert len(set(keys(used))) == len(used)
            assert sum(b.n for b in blocks) == len({c.cluster for c in used})
            lost = {c.cluster for c in task.sealed() if c.key in seen}
            assert lost.isdisjoint({c.cluster for c in used})
            for block in blocks:
                assert block.n > 0 and set(keys(block.cases)) <= block.block.keys
                assert block.units == in_units(block.cases, block.block.order_seed, block.most)
                assert all(len({c.cluster for c in unit}) == 1 <= len(unit) <= block.most for unit in block.units)
                assert block.alpha == alpha_of_try(block.passed)
                if block.block.id is not None:
                    for case in block.cases:
                        assert places.setdefault(case.cluster, block.block.id) == block.block.id


def test_cases_added_after_the_first_try_are_a_block_with_its_own_ledger(store: Store) -> None:
    [first] = sealed_blocks(store, task_of(60))
    grown = task_of(120)
    [merged] = sealed_blocks(store, grown)
    assert merged.n > first.n and set(keys(first.cases)) < set(keys(merged.cases))  # nothing was spent yet
    begin(store, first, verdict="FAIL")
    old, fresh = sealed_blocks(store, grown)
    assert old.cases == first.cases and old.passed == (False,) and old.alpha == 0.0125
    assert fresh.passed == () and fresh.alpha == 0.025
    assert set(keys(fresh.cases)) == set(keys(merged.cases)) - set(keys(first.cases))
    assert repr(fresh) == f"Sealed({fresh.n} cases, 0 tries so far)"


def test_a_customer_that_was_claimed_on_is_not_fresh_again(store: Store) -> None:
    [first] = sealed_blocks(store, task_of(60, customers=12))
    begin(store, first)
    blocks = sealed_blocks(store, task_of(600, customers=12))
    assert [b.n for b in blocks] == [first.n]  # ten times the tickets, the same customers
    assert {c.key for c in blocks[0].cases} <= blocks[0].block.keys


def test_the_median_size_of_the_clusters_outside_the_test_counts_unless_the_task_says_otherwise(store: Store) -> None:
    [block] = sealed_blocks(store, task_of(300, customers=60))  # five tickets each
    assert block.most == 5 and len(block.cases) == 5 * block.n
    [capped] = sealed_blocks(store, task_of(300, customers=60, per_cluster=3))
    assert capped.most == 3 and capped.n == block.n and max(len(u) for u in capped.units) == 3 and capped.clusters
    [alone] = sealed_blocks(store, task_of(300, customers=60, per_cluster=1))
    assert alone.most == 1 and alone.n == block.n == len(alone.cases)
    assert {u[0].key for u in capped.units} == {c.key for c in alone.cases}


def test_where_every_sealed_case_stands_alone_the_exact_engine_has_one_case_a_unit(store: Store) -> None:
    [block] = sealed_blocks(store, task_of(60))
    assert block.most == 1 and block.n == len(block.cases)


def test_a_corrected_label_or_another_space_is_not_a_fresh_case(store: Store) -> None:
    [first] = sealed_blocks(store, task_of(60))
    begin(store, first, verdict="FAIL")
    changed = [{"text": f"Ticket  NUMBER {i}", "team": TEAMS[(i + 1) % 3]} for i in range(60)]
    [same] = sealed_blocks(store, Task(changed))
    assert keys(same.cases) == keys(first.cases) and same.passed == (False,)


def test_a_block_with_no_fresh_cluster_left_is_none(store: Store) -> None:
    task = task_of(60, customers=4)
    unseal(store, task)
    assert sealed_blocks(store, task) == [] and sealed_count(store, task) == 0
    with pytest.raises(UsageError, match="no sealed test cases"):
        choose_block(sealed_blocks(store, task), 0.9)
    with pytest.raises(UsageError, match="no sealed test cases"):
        unseal(store, task)


def test_the_block_most_likely_to_pass_is_chosen_and_the_older_one_when_they_are_equal(store: Store) -> None:
    [small] = sealed_blocks(store, task_of(80))
    begin(store, small, "a", "PASS")
    old, fresh = sealed_blocks(store, task_of(700))
    assert fresh.n > 3 * old.n and choose_block([old, fresh], 0.8) is fresh
    assert choose_block([old], 0.8) is old
    begin(store, fresh, "b", "PASS")  # a PASS costs nothing
    for spent in range(7):
        blocks = sealed_blocks(store, task_of(700))
        begin(store, blocks[1], f"c{spent}", "FAIL")
    old, fresh = sealed_blocks(store, task_of(700))

    def chance(block: Sealed) -> float:
        return power(Claim(0.9, default_tolerance(0.9, block.n), block.n, block.alpha), 0.95).passes

    assert choose_block([old, fresh], 0.9) is max((old, fresh), key=chance)
    twin = Sealed(old.block, old.units, old.passed, old.clusters, old.most)
    assert choose_block([old, twin], 0.9) is old


# ---------------------------------------------------------------- dev, unsealing, shapes


def test_looking_at_dev_marks_train_and_dev_as_seen_for_ever(store: Store) -> None:
    task = task_of()
    assert dev_cases(store, task) == task.dev
    assert ledger.exposed(store, keys((*task.train, *task.dev, *task.sealed()))) == set(keys((*task.train, *task.dev)))
    turned = Task([{**r, "split": "test"} for r in rows(range(60))])
    [left] = sealed_blocks(store, turned)
    assert set(keys(left.cases)) == set(keys(task.sealed()))


@pytest.mark.parametrize("customers", [0, 8])
def test_unsealed_cases_become_dev_as_whole_clusters_and_never_come_back(store: Store, customers: int) -> None:
    task = task_of(120, customers)
    [before] = sealed_blocks(store, task)
    there = sealed_count(store, task)
    shown = unseal(store, task, 3)
    assert 3 <= len(shown) < there and sealed_count(store, task) == there - len(shown)
    assert (len(shown) == 3) == (customers == 0)
    assert {unit[0].cluster for unit in before.units[: len({c.cluster for c in shown})]} == {c.cluster for c in shown}
    assert not any(isinstance(c, SealedCase) for c in shown) and shown[0].inputs in repr(shown[0])
    assert dev_cases(store, task) == (*task.dev, *shown)
    [after] = sealed_blocks(store, task)
    assert {c.cluster for c in shown}.isdisjoint({c.cluster for c in after.cases})
    rest = unseal(store, task)
    assert len(rest) == there - len(shown) and set(keys(rest)).isdisjoint(keys(shown))


def test_test_cases_that_were_looked_at_under_other_flags_are_told(tmp_path):
    with open_store(tmp_path) as store:
        task = task_of(200)
        assert looked_at_note(store, task) is None
        dev_cases(store, task_of(200, seed=5))  # another split of the same rows
        note = looked_at_note(store, task)
        assert note is not None and "no longer count" in note


ASKED = [
    "the parcel to the lake never came, {}",
    "please send the invoice again to {}",
    "who pays for the broken lamp of {}",
    "{} wants to bring the boots back",
]
NAMES = ["Adam", "Berta", "Cleo", "Dora", "Emil", "Fritz", "Gina", "Hugo", "Ida", "Jon", "Kai", "Lea", "Mia", "Nora"]


def asked_rows(**more: Any) -> list[dict[str, Any]]:
    """Tickets with texts of their own; `more` are further columns, a value or a function of the row's number."""
    texts = [text.format(name) for text in ASKED for name in NAMES]
    made = [{"text": text, "team": TEAMS[i % 3]} for i, text in enumerate(texts)]
    return [
        {**{name: give(i) if callable(give) else give for name, give in more.items()}, **row}
        for i, row in enumerate(made)
    ]


def columns_of(*inputs: str, **more: Any) -> Task:
    """A task of a file of its own: no other has just these columns."""
    return Task(asked_rows(**more), inputs=list(inputs), expected="team")


def texts_of(cases: Sequence[Case]) -> set[str]:
    return {case.inputs["text"] if isinstance(case.inputs, dict) else case.inputs for case in cases}


WITH_NUMBER = columns_of("text", "n", n=lambda i: i)
ALONE = columns_of("text")
WITH_PLACE = columns_of("place", "text", place=lambda i: f"shop {i % 5}", at=lambda i: i)


@pytest.mark.parametrize("first", [WITH_NUMBER, ALONE, WITH_PLACE], ids=lambda t: "-".join(t.columns.inputs))
@pytest.mark.parametrize("then", [WITH_NUMBER, ALONE, WITH_PLACE], ids=lambda t: "-".join(t.columns.inputs))
def test_a_text_that_was_looked_at_beside_other_columns_is_not_fresh(store: Store, first: Task, then: Task) -> None:
    seen = texts_of((*first.train, *dev_cases(store, first)))
    before = texts_of(then.sealed())
    left = texts_of([c for block in sealed_blocks(store, then) for c in block.cases])
    assert left == before - seen and (first is then or left < before)
    shown = texts_of(unseal(store, then, 3)) & before
    assert not shown & texts_of([c for block in sealed_blocks(store, first) for c in block.cases])


REPEATED: dict[str, Any] = {
    "prompt": "Which team should answer the ticket that a customer has sent?",  # the same in every row
    "about": lambda i: f"a long word for the {'first' if i % 2 else 'second'} of two categories",
    "n": lambda i: i,
    "at": lambda i: f"2026-05-{i % 30:02} 10:{i:02}:00.000000",
    "code": lambda i: f"T-{i:06}",
}


@pytest.mark.parametrize("column", list(REPEATED))
def test_what_rows_of_any_task_may_share_marks_no_case_as_seen(store: Store, column: str) -> None:
    """Templates, categories, numbers, times and short names are the same in cases that have nothing to do with each
    other."""
    dev_cases(store, columns_of("text", column, **{column: REPEATED[column]}))
    other = [{"question": f"{row['text']}, and why?", "team": row["team"]} for row in asked_rows()]
    rows_there = [
        {**row, column: give(i) if callable(give := REPEATED[column]) else give} for i, row in enumerate(other)
    ]
    fresh = Task(rows_there, inputs=["question", column], expected="team")
    assert sealed_count(store, fresh) == len(fresh.sealed())


def test_cases_that_share_a_text_are_told_apart_by_the_rest(store: Store) -> None:
    """Questions on one passage: looking at one of them is not looking at the others."""
    passage = [{**row, "text": ASKED[i % 4] * 3, "n": i} for i, row in enumerate(asked_rows())]
    task = Task(passage, inputs=["text", "n"], expected="team")
    dev_cases(store, task)
    assert sealed_count(store, task) == len(task.sealed())


@pytest.mark.parametrize("first", [WITH_NUMBER, ALONE, WITH_PLACE], ids=lambda t: "-".join(t.columns.inputs))
@pytest.mark.parametrize("then", [WITH_NUMBER, ALONE, WITH_PLACE], ids=lambda t: "-".join(t.columns.inputs))
def test_what_was_spent_on_a_text_is_spent_beside_other_columns(store: Store, first: Task, then: Task) -> None:
    block = sealed_blocks(store, first)[-1]
    begun = ledger.begin_try(store, block.block, "words", {"bar": 0.8}, alpha_of_try)
    claimed, fresh = texts_of(block.cases), texts_of(then.sealed())
    found = {block.passed: texts_of(block.cases) for block in sealed_blocks(store, then)}
    assert found.get((False,)) == claimed & fresh and found.get((), set()) == fresh - claimed
    again = next(b for b in sealed_blocks(store, then) if b.passed)
    assert ledger.begin_try(store, again.block, "other", {"bar": 0.8}, alpha_of_try).alpha < begun.alpha


def test_a_try_does_not_begin_on_cases_that_were_shown_beside_other_columns_meanwhile(store: Store) -> None:
    block = sealed_blocks(store, WITH_NUMBER)[-1]
    unseal(store, ALONE)
    with pytest.raises(SealedError, match="shown meanwhile; nothing was spent"):
        ledger.begin_try(store, block.block, "words", {"bar": 0.8}, alpha_of_try)
