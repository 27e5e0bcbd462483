"""Train, dev and sealed test: given splits are honoured, what is missing is drawn by a hash, leakage is counted."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from suffice.shown import counted
from suffice.values import Case, Json, Split, canonical, folded

Shape = Literal["30/20/50", "10/30/60"]
"""The shares of train, dev and test: the second where no rung learns. To be settled before any case is looked at."""
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
NAME_THEM = "add cases, or name all three: with rows (or files) for train, dev and test, each case stays where it says"
"""What to do about a split that is empty, whether too few cases were drawn or another split was drawn out of it."""


@dataclass(frozen=True, slots=True, repr=False)
class SealedCase(Case):
    """A test case. It prints as its id alone, so that a stray print, log line or traceback shows nothing."""

    def __repr__(self) -> str:
        return f"SealedCase({self.id!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Placed:
    """A case, not yet sealed, with the split that its file or its split column gave it, None where neither did."""

    case: Case
    given: Split | None = None


@dataclass(frozen=True, slots=True)
class Splits:
    """The three splits and what there is to say about them (never with a text out of a case)."""

    train: tuple[Case, ...]
    dev: tuple[Case, ...]
    test: tuple[SealedCase, ...]
    notes: tuple[str, ...]


def share(seed: int, cluster: str) -> float:
    """The place in [0, 1) of a cluster under a seed: a hash, so that it moves with nothing else."""
    digest = hashlib.blake2b(f"{seed}\0{cluster}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def sides(groups: Sequence[tuple[str, str, Split | None]], *, shape: Shape, seed: int) -> list[Split]:
    """The split of each case, in order, from its cluster, its key and its given split.

    Cases of one cluster, and cases with the same inputs, land on one side unless they were given apart: clusters that
    share an input are joined, and a joined group takes the smallest place of its members. So a file that grows can
    only take cases out of test (to where they can do no harm), never put a case that was looked at into it.
    The test side is the top end of [0, 1) under every shape, so that the shapes' test sides are nested.
    """
    given = frozenset[Split](g for _, _, g in groups if g)
    cuts = {g: _cuts(g, given, shape) for g in (None, *given)}
    root = _joined(groups)
    lowest: dict[str, float] = {}
    for cluster in {cluster for cluster, _, _ in groups}:
        head = root(cluster)
        lowest[head] = min(share(seed, cluster), lowest.get(head, 1.0))
    made: list[Split] = []
    for cluster, _, own in groups:
        place, (dev_from, test_from) = lowest[root(cluster)], cuts[own]
        made.append("train" if place < dev_from else "dev" if place < test_from else "test")
    return made


def divided(placed: Sequence[Placed], *, shape: Shape, seed: int, cluster_name: str | None) -> Splits:
    """The cases on their sides, test sealed, with notes on how they were drawn and on what leaks."""
    where = sides([(p.case.cluster, p.case.key, p.given) for p in placed], shape=shape, seed=seed)
    by: dict[Split, list[Case]] = {split: [] for split in SPLITS}
    for p, split in zip(placed, where, strict=True):
        by[split].append(p.case)
    notes = (
        *_drawn(placed, shape, seed, cluster_name),
        *_leaks(by, "the same input", lambda c: c.key),
        *(_leaks(by, f"the same {cluster_name}", lambda c: c.cluster) if cluster_name else ()),
        *_conflicts([p.case for p in placed]),
        *(f"{split} is empty: too few cases; {NAME_THEM}" for split in SPLITS if not by[split]),
    )
    return Splits(tuple(by["train"]), tuple(by["dev"]), tuple(_seal(c) for c in by["test"]), notes)


def _seal(case: Case) -> SealedCase:
    return SealedCase(
        case.id, case.inputs, case.expected, case.cluster, case.source, case.key, case.inputs_hash, case.marks
    )


def _cuts(given: Split | None, present: frozenset[Split], shape: Shape) -> tuple[float, float]:
    """Where dev and where test begin for the cases with this given split."""
    train, dev, test = (int(part) / 100 for part in shape.split("/"))
    if given:
        to = {given} | {s for s in SPLITS if s not in present and given in _donors(s, present)}
    else:
        to = {s for s in SPLITS if s != "test" or "test" not in present}
    below = 0.0 if to == {"test"} else 1 - test if "test" in to else 1.0
    if "train" not in to:
        return 0.0, below
    return (below * train / (train + dev) if "dev" in to else below), below


def _donors(missing: Split, present: frozenset[Split]) -> list[Split]:
    """The given splits that a missing one is drawn out of."""
    if missing == "test":
        return [s for s in SPLITS if s in present]
    other: Split = "dev" if missing == "train" else "train"
    return [other] if other in present else ["test"]


def _joined(groups: Iterable[tuple[str, str, Split | None]]) -> Callable[[str], str]:
    """Union-find over clusters: those that share a key have one root."""
    parent: dict[str, str] = {}
    first: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.get(name, name)) != name:
            parent[name] = parent.get(above, above)
            name = above
        return name

    for cluster, key, _ in groups:
        other = first.setdefault(key, cluster)
        if other != cluster:
            one, other = root(cluster), root(other)
            if one != other:
                parent[max(one, other)] = min(one, other)
    return root


def _drawn(placed: Sequence[Placed], shape: Shape, seed: int, cluster_name: str | None) -> list[str]:
    """How the splits came about, in sentences."""
    given = frozenset[Split](p.given for p in placed if p.given)
    loose = sum(p.given is None for p in placed)
    missing: list[Split] = [s for s in SPLITS if s not in given]
    by = f"by a hash of the {cluster_name or 'input'} (seed {seed})"
    notes: list[str] = []
    if not given:
        notes.append(f"train, dev and test were drawn {shape} {by}")
    elif not missing:
        notes.append("train, dev and test are as given")
    elif missing == ["test"]:
        notes.append(f"test was drawn out of the given cases {by}: it is fresh only if nobody has tuned on those cases")
    else:
        for split in missing:
            notes.append(f"{split} was drawn out of the given {' and '.join(_donors(split, given))} {by}")
    if given and loose:
        notes.append(f"{counted(loose, 'case')} without a split went to {_whereto(given)} {by}")
    if cluster_name:
        root = _joined((p.case.cluster, p.case.key, p.given) for p in placed)
        members: dict[str, set[str]] = defaultdict(set)
        for p in placed:
            members[root(p.case.cluster)].add(p.case.cluster)
        tied = [len(m) for m in members.values() if len(m) > 1]
        if tied:
            notes.append(f"{sum(tied):,} {cluster_name} groups share an input with another and stay on its side")
    return notes


def _whereto(given: frozenset[Split]) -> str:
    return "train and dev" if "test" in given else "train, dev and test"


def _leaks(by: dict[Split, list[Case]], what: str, of: Callable[[Case], Hashable]) -> list[str]:
    """What two splits have in common, with file and line, never with a text."""
    notes: list[str] = []
    pairs: tuple[tuple[Split, Split], ...] = (("train", "test"), ("dev", "test"), ("train", "dev"))
    for one, other in pairs:
        first: dict[Hashable, Case] = {}
        for case in by[one]:
            first.setdefault(of(case), case)
        both = [(c, first[of(c)]) for c in by[other] if of(c) in first]
        if both:
            lines = ", ".join(f"{c.source} = {t.source}" for c, t in both[:3])
            notes.append(
                f"leakage: {counted(len(both), f'{other} case')} of {len(by[other]):,} "
                f"{'has' if len(both) == 1 else 'have'} {what} as a {one} case ({lines}"
                f"{', …' if len(both) > 3 else ''})"
            )
    return notes


def _conflicts(cases: Sequence[Case]) -> list[str]:
    """Inputs that occur with different expected values."""
    by: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by[case.key].append(case)
    clash = [same for same in by.values() if len(same) > 1 and len({_answer(c.expected) for c in same}) > 1]
    if not clash:
        return []
    lines = ", ".join(" / ".join(c.source for c in same[:2]) for same in clash[:3])
    occur = "occurs" if len(clash) == 1 else "occur"
    return [f"{counted(len(clash), 'input')} {occur} with different expected values ({lines})"]


def _answer(expected: Json) -> str:
    return canonical(folded(expected))
