"""The seal's memory: blocks never share a case, every try spends once, and nothing shown is claimed on again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SealedError, StoreBusy, StoreError, UsageError
from suffice.store.database import Store, open_store
from suffice.store.ledger import (
    Block,
    begin_try,
    blocks,
    expose,
    exposed,
    finish_try,
    history,
    known_try,
    retire,
    tries,
)
from suffice.store.runs import start_run
from suffice.values import content_hash

KEYS = [content_hash(number) for number in range(40)]
CLAIM = {"bar": 0.9, "tolerance": 0.05}


def spend(passed: Sequence[bool]) -> float:
    """The ledger's rule: .05 / 2^j, plus the alpha of the try just before if that one passed."""
    share = 0.05 / 2 ** (len(passed) + 1)
    return share + spend(passed[:-1]) if passed and passed[-1] else share


def only(store: Store, keys: Sequence[str]) -> Block:
    [block] = blocks(store, keys)
    return block


def test_exposing_is_for_ever_and_the_same_set_again_is_one_look_up(store: Store) -> None:
    assert exposed(store, KEYS) == set()
    assert expose(store, KEYS[:10], "dev") == 10
    seen: list[str] = []
    store.connection.set_trace_callback(seen.append)
    assert expose(store, KEYS[9::-1], "dev") == 0  # whatever the order
    assert len(seen) == 1
    store.connection.set_trace_callback(None)
    assert expose(store, KEYS[5:12], "train") == 2
    assert retire(store, KEYS[12:13]) == 1 and expose(store, [], "dev") == 0
    assert exposed(store, KEYS) == set(KEYS[:13])


def test_a_fresh_split_is_one_block_without_a_number_until_its_first_try(store: Store) -> None:
    fresh = only(store, KEYS)
    assert (fresh.id, fresh.keys, fresh.n) == (None, frozenset(KEYS), 40)
    assert tries(store, fresh) == [] == history(store, None)
    assert only(store, KEYS) == fresh  # looking stores nothing
    first = begin_try(store, fresh, "words", CLAIM, spend)
    stored = only(store, KEYS)
    assert (stored.id, stored.keys, stored.n) == (first.block, fresh.keys, 40)
    assert stored.order_seed == fresh.order_seed == first.order_seed
    assert blocks(store, []) == []


def test_the_same_cases_get_the_same_order_in_every_store(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path / "another") as other:
        assert only(store, KEYS).order_seed == only(other, KEYS[::-1]).order_seed
    assert only(store, KEYS).order_seed != only(store, KEYS[1:]).order_seed


def test_a_try_that_does_not_pass_is_spent_and_a_pass_hands_its_alpha_on(store: Store) -> None:
    run = start_run(store, "climb", "tickets", {})
    alphas: list[float] = []
    for number, verdict in enumerate(["FAIL", "PASS", "UNPROVEN", "PASS", "PASS"]):
        begun = begin_try(store, only(store, KEYS), f"solution {number}", CLAIM, spend, run=run)
        assert (begun.number, begun.verdict, begun.finished, begun.run) == (number + 1, None, None, run)
        done = finish_try(store, begun.id, verdict, used=30, bound=0.87, details={"order": 1})
        assert (done.verdict, done.used, done.bound, done.details) == (verdict, 30, 0.87, {"order": 1})
        assert done.finished is not None and done.finished >= done.started
        alphas.append(done.alpha)
    assert alphas == pytest.approx([0.025, 0.0125, 0.00625 + 0.0125, 0.003125, 0.0015625 + 0.003125])
    kept = tries(store, only(store, KEYS))
    assert [one.number for one in kept] == [1, 2, 3, 4, 5] and kept[0].claim == CLAIM
    assert history(store, kept[0].block) == [False, True, False, True, True]


def test_the_same_candidate_claim_and_cases_again_is_a_look_up(store: Store) -> None:
    block = only(store, KEYS)
    assert known_try(store, block, "words", CLAIM) is None
    begun = begin_try(store, block, "words", {"bar": 0.9, "tolerance": 0.05}, spend)
    assert known_try(store, only(store, KEYS), "words", CLAIM) == begun
    assert known_try(store, only(store, KEYS[:20]), "words", CLAIM) is None
    again = begin_try(store, only(store, KEYS), "words", {"tolerance": 0.05, "bar": 0.9}, spend)
    assert again == begun  # still open: taken up where it was left, at its own alpha
    done = finish_try(store, begun.id, "FAIL", used=12)
    assert begin_try(store, block, "words", CLAIM, spend) == done
    another_bar = begin_try(store, block, "words", {"bar": 0.8}, spend)
    fewer_cases = begin_try(store, only(store, KEYS[:20]), "words", CLAIM, spend)
    assert [another_bar.number, fewer_cases.number, fewer_cases.n] == [2, 3, 20]


def test_a_try_overtaken_while_open_never_hands_its_alpha_on(store: Store) -> None:
    block = only(store, KEYS)
    slow = begin_try(store, block, "slow", CLAIM, spend)
    quick = begin_try(store, block, "quick", CLAIM, spend)
    assert quick.alpha == pytest.approx(0.0125)
    finish_try(store, slow.id, "PASS", used=40)
    finish_try(store, quick.id, "FAIL", used=40)
    assert history(store, slow.block) == [False, False]
    finish_try(store, begin_try(store, block, "third", CLAIM, spend).id, "PASS", used=40)
    assert history(store, slow.block) == [False, False, True]


def test_the_first_verdict_stands(store: Store) -> None:
    begun = begin_try(store, only(store, KEYS), "words", CLAIM, spend)
    done = finish_try(store, begun.id, "FAIL", used=12)
    assert finish_try(store, begun.id, "FAIL", used=40) == done
    with pytest.raises(StoreError, match="FAIL, which stands"):
        finish_try(store, begun.id, "PASS", used=40)
    with pytest.raises(StoreError, match="not in this store"):
        finish_try(store, 999, "PASS", used=40)
    assert tries(store, only(store, KEYS)) == [done]


def test_cases_added_after_the_first_try_are_a_fresh_block(store: Store) -> None:
    first = begin_try(store, only(store, KEYS[:25]), "words", CLAIM, spend)
    old, fresh = blocks(store, KEYS)
    assert (old.id, old.keys) == (first.block, frozenset(KEYS[:25]))
    assert (fresh.id, fresh.keys, fresh.n) == (None, frozenset(KEYS[25:]), 15)
    second = begin_try(store, fresh, "words", CLAIM, spend)
    assert second.number == 1 and second.alpha == pytest.approx(0.025) and second.block != first.block
    assert [block.id for block in blocks(store, KEYS)] == [first.block, second.block]


def test_an_overlapping_split_inherits_what_was_spent(store: Store) -> None:
    first = begin_try(store, only(store, KEYS[:20]), "words", CLAIM, spend)
    finish_try(store, first.id, "FAIL", used=20)
    inherited, fresh = blocks(store, KEYS[10:30])
    assert (inherited.id, inherited.keys, inherited.n) == (first.block, frozenset(KEYS[10:20]), 20)
    assert begin_try(store, inherited, "other", CLAIM, spend).alpha == pytest.approx(0.0125)
    assert fresh.keys == frozenset(KEYS[20:30])


def test_what_was_shown_is_in_no_block_and_cannot_be_claimed_on(store: Store) -> None:
    begun = begin_try(store, only(store, KEYS), "words", CLAIM, spend)
    before = only(store, KEYS)
    retire(store, KEYS[:5])
    assert only(store, KEYS).keys == frozenset(KEYS[5:])
    with pytest.raises(SealedError, match="5 of these 40"):
        begin_try(store, before, "other", CLAIM, spend)
    assert begin_try(store, only(store, KEYS), "words", CLAIM, spend).number == begun.number + 1  # other cases
    retire(store, KEYS)
    assert blocks(store, KEYS) == []
    with pytest.raises(UsageError, match="no sealed cases"):
        begin_try(store, Block(None, frozenset(), 0, 0), "words", CLAIM, spend)


def test_of_two_that_meet_a_fresh_split_at_once_the_second_joins_or_is_told(store: Store) -> None:
    mine = only(store, KEYS)
    theirs, overlapping = only(store, KEYS), only(store, KEYS[20:])
    first = begin_try(store, mine, "words", CLAIM, spend)
    second = begin_try(store, theirs, "other", CLAIM, spend)
    assert (second.block, second.number) == (first.block, 2)
    with pytest.raises(StoreBusy, match="nothing was spent"):
        begin_try(store, overlapping, "third", CLAIM, spend)
    assert len(tries(store, only(store, KEYS))) == 2


def test_an_error_in_the_rule_spends_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        begin_try(store, only(store, KEYS), "words", CLAIM, lambda passed: 1 / len(passed))
    assert only(store, KEYS).id is None


members = st.sets(st.sampled_from(KEYS[:14]), min_size=1)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), members, st.sampled_from(["PASS", "FAIL", "UNPROVEN", None])),
        st.tuples(st.just("show"), members, st.none()),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(acts)
def test_blocks_never_share_a_case_and_no_budget_is_overspent(acts: list[tuple[str, set[str], str | None]]) -> None:
    with TemporaryDirectory() as home, open_store(home) as store:
        owner: dict[str, int] = {}
        shown: set[str] = set()
        for step, (act, keys, verdict) in enumerate(acts):
            if act == "show":
                expose(store, keys, "dev")
                shown |= keys
                continue
            found = blocks(store, keys)
            assert sorted(key for block in found for key in block.keys) == sorted(keys - shown)
            for block in found:
                begun = begin_try(store, block, f"solution {step}", CLAIM, spend)
                assert block.id in (None, begun.block)
                assert all(owner.setdefault(key, begun.block) == begun.block for key in block.keys)
                if verdict is not None:
                    finish_try(store, begun.id, verdict, used=1)  # pyright: ignore[reportArgumentType]
        for block in blocks(store, KEYS):
            spent = tries(store, block)
            passed = history(store, block.id)
            assert [one.alpha for one in spent] == [spend(passed[:number]) for number in range(len(spent))]
            assert sum(one.alpha for one, handed_on in zip(spent, passed, strict=True) if not handed_on) <= 0.05


def test_100_000_cases_take_about_a_second(store: Store) -> None:
    keys = [content_hash(number) for number in range(100_000)]
    began = time.process_time()
    expose(store, keys[:50_000], "dev")
    block = only(store, keys)
    begin_try(store, block, "words", CLAIM, spend)
    assert len(only(store, keys).keys) == 50_000
    assert time.process_time() - began < 6  # about 1.2 s on a slow core
