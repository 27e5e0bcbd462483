"""The `nearest` rung: the answer of the most similar train cases, for answers of any kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from suffice.errors import DataError
from suffice.evals.task import Task
from suffice.ladder.calibration import Floats, fit_calibration
from suffice.ladder.covering import Bools, Ints
from suffice.ladder.learning import Trained, learning, one_answer, texts_of
from suffice.ladder.rung import Rung
from suffice.ladder.words import MIN_CASES, RARE, grouped_folds, sampled
from suffice.programs.nearest import (
    FROM,
    SIGNS,
    NearestModel,
    by_feature,
    nearest_solution,
    similarities,
    text_hash,
    told,
    vector,
    vote,
)
from suffice.programs.ngrams import ngrams
from suffice.values import Answer, Case, Json, canonical, content_hash, to_json
from suffice.version import __version__

VOTERS: Final = (1, 3, 5, 10, 20)  # numbers of cases that may vote; the best out of fold is taken
MOST: Final = 20_000  # cases that are kept; a seeded sample beyond
MAX_WEIGHTS: Final = 8_000_000  # 64 MB with their places; the features of the fewest texts go first
MAX_ANSWERS: Final = 4_000_000  # characters of answers that are kept


Votes = dict[int, tuple[int, Floats] | None]
"""By the number of voters: what they say of one case."""


@dataclass(frozen=True, slots=True)
class FittedNearest:
    """The model over all cases, and for each of them the answer of one without its cluster."""

    model: NearestModel
    out_of_fold: tuple[Answer, ...]
    folds: int


def nearest(name: str = "nearest", *, folds: int = 5, seed: int = 0) -> Rung:
    """The nearest cases vote: `fit_nearest`; for answers of any kind."""

    def train(task: Task, cases: Sequence[Case]) -> Trained:
        expected, groups = [c.expected for c in cases], [c.cluster for c in cases]

        def right(answer: Json, i: int) -> bool:
            return task.grader(answer, cases[i]).value >= 1.0

        fitted = fit_nearest(texts_of(task, cases), expected, groups, seed, folds, right=right)
        return Trained(nearest_solution(name, fitted.model, task.columns.inputs), fitted.out_of_fold)

    identity = content_hash(["nearest", __version__, folds, seed])
    return learning(name, identity, train, one_answer, FROM)


def fit_nearest(
    texts: Sequence[str],
    expected: Sequence[Json],
    groups: Sequence[str],
    seed: int = 0,
    folds: int = 5,
    *,
    right: Callable[[Json, int], bool] | None = None,
) -> FittedNearest:
    """Keep the cases, and choose how many of them vote and what a vote is worth; `groups` are clusters.

    `right(answer, i)` says whether an answer suits case i; by default where it is the expected one. The same
    arguments give the same arrays. Raises DataError where there is nothing to learn.
    """
    if len(texts) < MIN_CASES or len(set(groups)) < 2:
        hint = "add labelled cases, or leave `nearest` out"
        raise DataError(f"`nearest` learns from at least {MIN_CASES} cases and two clusters", hint=hint)
    answers, codes = _coded(expected)
    parts = max(2, min(folds, len(set(groups))))
    spread = codes if len(answers) <= len(texts) // 2 else codes * 0
    fold = grouped_folds(spread, groups, parts, seed)
    given: list[Votes] = [{} for _ in texts]
    for part in range(parts):
        inside, outside = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        model = _model([texts[int(i)] for i in inside], codes[inside], answers, seed)
        for i in outside.tolist():
            same = model.hashes == np.uint64(text_hash(texts[i]))
            near = similarities(model, texts[i])
            given[i] = {k: vote(near, model.codes, same, k) for k in VOTERS}
    k, good = _voters(given, answers, lambda answer, i: right(answer, i) if right else _same(answer, expected[i]))
    voted = [by[k] for by in given]
    signs = [v[1] for v in voted if v is not None] or [np.zeros(SIGNS)]
    has = [v is not None for v in voted] if any(v is not None for v in voted) else [True] + [False] * (len(voted) - 1)
    calibration = fit_calibration(np.array(signs), good[has])
    out = tuple(told(v, answers, calibration) for v in voted)
    model = _model(texts, codes, answers, seed)
    return FittedNearest(_trimmed(replace(model, k=k, calibration=calibration)), out, parts)


def _voters(given: Sequence[Votes], answers: Sequence[Json], right: Callable[[Json, int], bool]) -> tuple[int, Bools]:
    """The number of voters that is right most often (the smallest of equals), and where it is right."""
    known: dict[tuple[int, int], bool] = {}

    def is_right(code: int, i: int) -> bool:
        if (code, i) not in known:
            known[code, i] = right(answers[code], i)
        return known[code, i]

    good = {
        k: np.array([v is not None and is_right(v[0], i) for i, v in enumerate(by[k] for by in given)], dtype=np.bool_)
        for k in VOTERS
    }
    best = max(VOTERS, key=lambda k: (int(good[k].sum()), -k))
    return best, good[best]


def _model(texts: Sequence[str], codes: Ints, answers: Sequence[Json], seed: int) -> NearestModel:
    """The cases by feature, or a seeded sample of them; one voter, no calibration yet."""
    kept = sampled(texts, seed)
    if len(kept) > MOST:
        kept = np.sort(kept[np.random.default_rng(seed).permutation(len(kept))[:MOST]])
    some = [texts[int(i)] for i in kept]
    held = Counter(feature for text in some for feature in set(ngrams(text)))
    least = 2 if len(some) >= RARE else 1
    often = sorted((f for f, n in held.items() if n >= least), key=lambda f: (-held[f], f))
    sizes = np.cumsum([held[f] for f in often]) if often else np.zeros(0)
    names = sorted(often[: int(np.searchsorted(sizes, MAX_WEIGHTS, side="right"))])
    vocabulary = {f: i for i, f in enumerate(names)}
    counts = np.array([held[f] for f in names], dtype=np.float64)
    idf = np.log((1 + len(some)) / (1 + counts)) + 1.0
    start, cases, weights = by_feature((vector(text, vocabulary, idf) for text in some), len(names))
    hashes = np.array([text_hash(text) for text in some], dtype=np.uint64)
    own = np.asarray(codes[kept], dtype=np.int64)
    return NearestModel(tuple(answers), own, hashes, vocabulary, idf, start, cases, weights, 1, np.zeros(1 + SIGNS))


def _trimmed(model: NearestModel) -> NearestModel:
    """The model with only the answers that its cases have. Raises DataError where these are too long to be kept."""
    used = np.unique(model.codes)
    answers = tuple(model.answers[int(c)] for c in used)
    size = sum(len(canonical(to_json(a))) for a in answers)
    if size > MAX_ANSWERS:
        hint = "leave `nearest` out: it would be a copy of the data"
        raise DataError(f"the answers take {size:,} characters; `nearest` keeps {MAX_ANSWERS:,}", hint=hint)
    return replace(model, answers=answers, codes=np.searchsorted(used, model.codes).astype(np.int64))


def _coded(expected: Sequence[Json]) -> tuple[list[Json], Ints]:
    """The different answers in a fixed order, and each case's place among them."""
    keys = [canonical(to_json(e)) for e in expected]
    known = dict(zip(keys, expected, strict=True))
    order = sorted(known)
    place = {key: i for i, key in enumerate(order)}
    return [known[key] for key in order], np.array([place[key] for key in keys], dtype=np.intp)


def _same(answer: Json, expected: Json) -> bool:
    return canonical(to_json(answer)) == canonical(to_json(expected))
