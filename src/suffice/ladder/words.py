"""Training of the `words` model: the one place that calls scikit-learn.

A linear support vector machine per label (Fan et al. 2008, liblinear) on sublinear tf-idf. Confidence comes from one
temperature (Guo et al. 2017), fitted on predictions for cases that the model did not see, clusters kept together.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffice.errors import DataError
from suffice.programs.ngrams import MAX_CHARACTERS, ngrams
from suffice.programs.words import WordsModel, answers, scores, softmax
from suffice.values import Answer, Json, canonical

MIN_CASES = 10
MAX_LABELS = 1_000
MAX_TRAINED = 4_000_000  # characters; a seeded sample of the cases beyond, to bound time and memory
MAX_COEFFICIENTS = 16_000_000  # 64 MB as float32; beyond, the features in the fewest texts go first
RARE = 2_000  # from this many texts, a feature must occur in two of them: half the size at the same accuracy


_one_at_a_time = threading.Lock()  # liblinear's random numbers, and the warnings filter, belong to the process


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model, and for each case the answer of a model that saw neither it nor its cluster."""

    model: WordsModel
    out_of_fold: tuple[Answer, ...]
    folds: int
    trained: int  # cases that the model learned from


def fit_words(
    texts: Sequence[str],
    labels: Sequence[Json],
    groups: Sequence[str],
    seed: int = 0,
    folds: int = 5,
) -> Fitted:
    """Train on all cases; `groups` are their clusters. The same arguments give the same arrays, bit for bit.

    Raises DataError where there is nothing to learn: under 10 cases, one label or one cluster, no label that repeats,
    or more than 1,000 labels.
    """
    values, codes = coded(texts, labels, groups)
    held_out, parts = _held_out(texts, codes, len(values), groups, folds, seed)
    temperature = _temperature(held_out, codes)
    sample = sampled(texts, seed)
    model = _train(_at(texts, sample), codes[sample], values, seed, temperature)
    return Fitted(model, tuple(answers(values, held_out, temperature)), parts, len(sample))


def out_of_fold(
    texts: Sequence[str],
    labels: Sequence[Json],
    groups: Sequence[str],
    folds: int = 5,
    seed: int = 0,
) -> list[Answer]:
    """For each case, the answer of a model trained without its cluster (confidence calibrated over all folds).

    These are what thresholds may be fitted on. Raises DataError like `fit_words`.
    """
    values, codes = coded(texts, labels, groups)
    held_out, _ = _held_out(texts, codes, len(values), groups, folds, seed)
    return answers(values, held_out, _temperature(held_out, codes))


def grouped_folds(codes: NDArray[np.intp], groups: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """The fold of each case: clusters whole, labels spread as evenly as they allow.

    Clusters go, largest first and else in seeded order, to the fold that holds the fewest of their labels so far.
    """
    members: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    clusters = list(members.values())
    order: list[int] = np.random.default_rng(seed).permutation(len(clusters)).tolist()
    held = np.zeros((folds, int(codes.max()) + 1))
    out = np.empty(len(codes), dtype=np.intp)
    for cases in sorted((clusters[k] for k in order), key=len, reverse=True):
        crowd = held[:, codes[cases]].sum(axis=1) + held.sum(axis=1) / (len(codes) + 1)
        fold = int(crowd.argmin())
        np.add.at(held[fold], codes[cases], 1)
        out[cases] = fold
    return out


def coded(
    texts: Sequence[str], labels: Sequence[Json], groups: Sequence[str], who: str = "words"
) -> tuple[tuple[Json, ...], NDArray[np.intp]]:
    """The distinct labels in a fixed order, and each case's place among them.

    Raises DataError where a rung (`who`) cannot learn from these cases.
    """
    if not len(texts) == len(labels) == len(groups):
        raise DataError(f"{len(texts)} texts, {len(labels)} labels, {len(groups)} clusters: they must be as many")
    keys = [canonical(label) for label in labels]
    distinct = dict(zip(keys, labels, strict=True))
    if len(distinct) == 1:
        raise DataError("every case has the same answer, `constant` already does this", hint=f"leave `{who}` out")
    if len(texts) < MIN_CASES:
        raise DataError(
            f"`{who}` learns from at least {MIN_CASES} cases, here are {len(texts)}",
            hint=f"add labelled cases, or leave `{who}` out",
        )
    if len(distinct) == len(texts):
        raise DataError(
            f"every case has an answer of its own, and `{who}` can only choose among answers that repeat",
            hint=f"leave `{who}` out, or check that the expected column is the right one",
        )
    if len(distinct) > MAX_LABELS:
        raise DataError(
            f"{len(distinct):,} different answers, and `{who}` chooses among at most {MAX_LABELS:,}",
            hint=f"leave `{who}` out, or check that the expected column is the right one",
        )
    if len(set(groups)) == 1:
        raise DataError(f"all cases belong to one cluster, so no case can be kept out of training to check `{who}`")
    order = sorted(distinct)
    place = {key: i for i, key in enumerate(order)}
    return tuple(distinct[key] for key in order), np.array([place[key] for key in keys], dtype=np.intp)


def _held_out(
    texts: Sequence[str], codes: NDArray[np.intp], labels: int, groups: Sequence[str], folds: int, seed: int
) -> tuple[NDArray[np.float64], int]:
    """Scores of every label for every case by a model that did not see its cluster (-inf: nor the label)."""
    parts = max(2, min(folds, len(set(groups))))
    fold = grouped_folds(codes, groups, parts, seed)
    out = np.full((len(codes), labels), -np.inf)
    for part in range(parts):
        inside = np.flatnonzero(fold != part)
        outside = np.flatnonzero(fold == part)
        inside = inside[sampled(_at(texts, inside), seed)]
        model = _train(_at(texts, inside), codes[inside], range(labels), seed, 1.0)
        out[np.ix_(outside, np.array(model.labels))] = scores(model, _at(texts, outside))
    return out, parts


def _at(texts: Sequence[str], places: NDArray[np.intp]) -> list[str]:
    return [texts[int(i)] for i in places]


def sampled(texts: Sequence[str], seed: int) -> NDArray[np.intp]:
    """The places of all texts, or of a seeded sample of `MAX_TRAINED` characters."""
    sizes = np.array([min(len(t), MAX_CHARACTERS) for t in texts])
    if sizes.sum() <= MAX_TRAINED:
        return np.arange(len(texts))
    order = np.random.default_rng(seed).permutation(len(texts))
    return np.sort(order[: int(np.searchsorted(np.cumsum(sizes[order]), MAX_TRAINED, side="right"))])


def _train(
    texts: Sequence[str], codes: NDArray[np.intp], values: Sequence[Json], seed: int, temperature: float
) -> WordsModel:
    """One fit, of the labels that occur in `codes`; a single one gets a model without features."""
    present = np.unique(codes)
    labels = tuple(values[k] for k in present)
    if len(present) == 1:
        nothing = np.zeros((0, 1), dtype=np.float32)
        return WordsModel(labels, {}, np.zeros(0), nothing, np.zeros(1), temperature)
    vocabulary, idf, rows = _features(texts, len(present))
    coefficients, intercepts = _separate(rows, codes, seed)
    return WordsModel(labels, vocabulary, idf, coefficients, intercepts, temperature)


def _features(texts: Sequence[str], labels: int) -> tuple[dict[str, int], NDArray[np.float64], Any]:
    """The vocabulary kept, its idf, and the texts as rows of tf-idf."""
    from sklearn.feature_extraction import text as sklearn_text  # pyright: ignore[reportMissingTypeStubs]

    sklearn: Any = sklearn_text
    vectorizer = sklearn.CountVectorizer(analyzer=ngrams, dtype=np.int32)
    counts = vectorizer.fit_transform(texts)
    frequency: NDArray[np.intp] = np.bincount(counts.indices, minlength=counts.shape[1])
    kept: NDArray[np.intp] = np.flatnonzero(frequency >= (2 if len(texts) >= RARE else 1))
    if not len(kept):
        kept = np.arange(len(frequency))
    most = max(1, MAX_COEFFICIENTS // labels)
    kept = np.sort(kept[np.argsort(-frequency[kept], kind="stable")[:most]])
    names = vectorizer.get_feature_names_out()[kept].tolist()
    weighting = sklearn.TfidfTransformer(sublinear_tf=True)
    rows = weighting.fit_transform(counts[:, kept])
    return {name: i for i, name in enumerate(names)}, np.asarray(weighting.idf_, dtype=np.float64), rows


def _separate(rows: Any, codes: NDArray[np.intp], seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Coefficients (features, labels) and intercepts (labels) of one separating plane per label."""
    from sklearn import exceptions, svm  # pyright: ignore[reportMissingTypeStubs]

    # C = 1 and balanced classes: chosen by cross-validation on 310 tickets and on Banking77's training rows.
    kind: Any = svm.LinearSVC
    machine = kind(C=1.0, class_weight="balanced", dual=True, max_iter=2_000, random_state=seed)
    with _one_at_a_time, warnings.catch_warnings():
        # A fit that stopped early is still only a model, judged like any other by the cases it did not see.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        machine.fit(rows, codes)
    coefficients, intercepts = machine.coef_, machine.intercept_
    if len(coefficients) == 1:  # two labels share one plane
        coefficients, intercepts = np.vstack([-coefficients, coefficients]), np.hstack([-intercepts, intercepts])
    return np.ascontiguousarray(coefficients.T, dtype=np.float32), np.asarray(intercepts, dtype=np.float64)


def _temperature(held_out: NDArray[np.float64], codes: NDArray[np.intp]) -> float:
    """The temperature at which the top label's probability best says whether it is right (log loss).

    The loss of the top label, not of the whole distribution, because a case whose label its fold never saw counts as
    what it is, a wrong answer. Targets are smoothed as in Platt (1999), so that a handful of right answers is not
    taken for certainty.
    """
    right = held_out.argmax(axis=1) == codes
    hits = int(right.sum())
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (len(codes) - hits + 2))

    def loss(log_temperature: float) -> float:
        p = np.clip(softmax(held_out, math.exp(log_temperature)).max(axis=1), 1e-12, 1 - 1e-12)
        return float(-(target * np.log(p) + (1 - target) * np.log1p(-p)).mean())

    low, high = math.log(0.01), math.log(100.0)
    for _ in range(3):  # a grid of 25, then finer around the best: the loss need not have one valley
        grid = [low + (high - low) * i / 24 for i in range(25)]
        best = int(np.argmin([loss(t) for t in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 24)]
    return math.exp((low + high) / 2)
