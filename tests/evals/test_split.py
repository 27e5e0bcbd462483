"""Splits: what is given is honoured, what is drawn stays put, nothing is on two sides."""

from __future__ import annotations

import pprint
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

import suffice as sf
from suffice.errors import UsageError
from suffice.evals.split import NAME_THEM, Placed, SealedCase, Shape, divided, share, sides
from suffice.values import Case, Split

SHAPES: tuple[Shape, ...] = ("30/20/50", "10/30/60")
_RANK = {"train": 0, "dev": 1, "test": 2}


def _case(i: int, cluster: str | None = None, key: str | None = None, expected: str = "x") -> Case:
    key = key or f"k{i}"
    return Case(str(i), f"canary {i}", expected, cluster or key, f"t.csv:{i}", key, key)


def _groups(n: int, split: Split | None = None, start: int = 0) -> list[tuple[str, str, Split | None]]:
    return [(f"k{i}", f"k{i}", split) for i in range(start, start + n)]


def _shares(made: list[Split]) -> list[float]:
    return [made.count(s) / len(made) for s in ("train", "dev", "test")]


@pytest.mark.parametrize(("shape", "wanted"), [("30/20/50", [0.3, 0.2, 0.5]), ("10/30/60", [0.1, 0.3, 0.6])])
def test_shares_are_as_the_shape_says(shape: Shape, wanted: list[float]) -> None:
    assert _shares(sides(_groups(20_000), shape=shape, seed=0)) == pytest.approx(wanted, abs=0.015)


_GROUP = st.tuples(st.integers(0, 30).map(str), st.integers(0, 40).map(str), st.none())


@given(st.lists(_GROUP, max_size=40), st.integers(0, 5), st.sampled_from(SHAPES))
def test_one_cluster_and_one_input_are_on_one_side(
    groups: list[tuple[str, str, None]], seed: int, shape: Shape
) -> None:
    made = sides(groups, shape=shape, seed=seed)
    for part in (0, 1):
        where: dict[str, set[str]] = {}
        for group, side in zip(groups, made, strict=True):
            where.setdefault(group[part], set()).add(side)
        assert all(len(s) == 1 for s in where.values())


@given(st.lists(_GROUP, max_size=30), st.lists(_GROUP, max_size=10), st.integers(0, 3))
def test_a_growing_file_never_puts_a_case_that_was_looked_at_into_test(
    old: list[tuple[str, str, None]], new: list[tuple[str, str, None]], seed: int
) -> None:
    before = sides(old, shape="30/20/50", seed=seed)
    after = sides([*new, *old], shape="30/20/50", seed=seed)[len(new) :]
    assert all(_RANK[b] >= _RANK[a] for b, a in zip(before, after, strict=True))


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=60), st.integers(0, 20), st.integers(0, 3))
def test_without_shared_inputs_a_growing_file_moves_nothing(ids: list[int], extra: int, seed: int) -> None:
    old: list[tuple[str, str, Split | None]] = [(f"c{i}", f"k{i}", None) for i in ids]
    new: list[tuple[str, str, Split | None]] = [(f"c{i}", f"n{i}", None) for i in range(extra)]
    assert sides(old, shape="30/20/50", seed=seed) == sides([*old, *new], shape="30/20/50", seed=seed)[: len(old)]


@pytest.mark.parametrize(
    "present", [(), ("train",), ("dev",), ("test",), ("train", "dev"), ("train", "test"), ("dev", "test")]
)
def test_the_test_sides_of_the_shapes_are_nested(present: tuple[Split, ...]) -> None:
    groups = [g for i, s in enumerate(present or (None,)) for g in _groups(500, s, 500 * i)]
    small, large = (sides(groups, shape=shape, seed=1) for shape in SHAPES)
    assert all(b == "test" for a, b in zip(small, large, strict=True) if a == "test")


@pytest.mark.parametrize(
    ("present", "allowed"),
    [
        (("train", "dev", "test"), {"train": {"train"}, "dev": {"dev"}, "test": {"test"}}),
        (("train", "test"), {"train": {"train", "dev"}, "test": {"test"}}),
        (("dev", "test"), {"dev": {"train", "dev"}, "test": {"test"}}),
        (("train", "dev"), {"train": {"train", "test"}, "dev": {"dev", "test"}}),
        (("train",), {"train": {"train", "dev", "test"}}),
        (("dev",), {"dev": {"train", "dev", "test"}}),
        (("test",), {"test": {"train", "dev", "test"}}),
    ],
)
def test_missing_splits_are_drawn_out_of_the_given_ones(
    present: tuple[Split, ...], allowed: dict[str, set[str]]
) -> None:
    groups = [g for i, s in enumerate(present) for g in _groups(400, s, 400 * i)]
    made = sides(groups, shape="30/20/50", seed=0)
    for name in present:
        assert {m for g, m in zip(groups, made, strict=True) if g[2] == name} == allowed[name]


def test_cases_without_a_split_beside_a_given_test_split_are_not_sealed() -> None:
    groups = [*_groups(50, "test"), *_groups(400, None, 50)]
    assert "test" not in sides(groups, shape="30/20/50", seed=0)[50:]


def test_another_seed_draws_otherwise_and_the_same_seed_the_same() -> None:
    assert share(0, "a") == share(0, "a") != share(1, "a")
    assert sides(_groups(100), shape="30/20/50", seed=0) != sides(_groups(100), shape="30/20/50", seed=1)


def test_leaks_and_conflicts_are_counted_by_file_and_line_alone() -> None:
    placed = [
        *(Placed(_case(i), "train") for i in range(5)),
        *(Placed(_case(10 + i, key=f"k{i}", expected="y"), "test") for i in range(4)),
        Placed(_case(20), "dev"),
    ]
    notes = "\n".join(divided(placed, shape="30/20/50", seed=0, cluster_name=None).notes)
    assert "leakage: 4 test cases of 4 have the same input as a train case (t.csv:10 = t.csv:0" in notes
    assert "4 inputs occur with different expected values" in notes
    assert "canary" not in notes


def test_a_customer_in_two_given_splits_is_reported() -> None:
    placed = [Placed(_case(1, "ann"), "train"), Placed(_case(2, "ann"), "test"), Placed(_case(3, "bob"), "dev")]
    notes = "\n".join(divided(placed, shape="30/20/50", seed=0, cluster_name="customer").notes)
    assert "1 test case of 1 has the same customer as a train case (t.csv:2 = t.csv:1)" in notes


def _few(*splits: Split) -> list[Placed]:
    return [Placed(_case(i), split) for i, split in enumerate(splits)]


def test_a_row_named_train_and_one_named_test_keep_dev_whole() -> None:
    made = divided(_few("train", "test", *["dev"] * 5), shape="30/20/50", seed=0, cluster_name=None)
    assert (len(made.train), len(made.dev), len(made.test)) == (1, 5, 1)


def test_an_empty_split_says_what_to_do() -> None:
    drawn = (divided(_few(*["dev"] * 5), shape="30/20/50", seed=seed, cluster_name=None) for seed in range(100))
    notes = next(made.notes for made in drawn if not made.dev)
    (empty,) = (note for note in notes if note.startswith("dev is empty"))
    assert "add cases" in empty and "rows (or files) for train, dev and test" in empty


def test_a_sealed_case_prints_as_its_id_alone() -> None:
    made = divided(
        [Placed(_case(i), s) for i, s in ((1, "test"), (2, "train"), (3, "dev"))],
        shape="30/20/50",
        seed=0,
        cluster_name=None,
    )
    case = made.test[0]
    assert isinstance(case, SealedCase) and case.inputs == "canary 1"
    for text in (
        repr(case),
        str(case),
        f"{case}",
        pprint.pformat(made.test),
        pretty_repr(made.test),
        repr(Placed(_case(1))),
    ):
        assert "canary" not in text
    assert repr(case) == "SealedCase('1')"


def test_a_task_without_dev_cases_says_what_to_do(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "expected": "ab"[i % 2], "split": "dev"} for i in range(5)]
    task = next(t for seed in range(100) if not (t := sf.Task(rows, kind="label", bar=0.8, seed=seed)).dev)
    with pytest.raises(UsageError, match="no dev cases") as caught:
        sf.run(sf.evaluate(task, str.upper, store=tmp_path))
    assert caught.value.hint == NAME_THEM
    rows += [{"text": split, "expected": "a", "split": split} for split in ("train", "test")]
    assert len(sf.Task(rows, kind="label", bar=0.8, seed=task.seed).dev) == 5
