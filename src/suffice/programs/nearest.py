"""The `nearest` solution: the answer of the most similar cases, found with numpy alone.

Similarity is the cosine of sublinear tf-idf rows (Salton & Buckley 1988) over the n-grams that `words` reads, too. The
cases' texts are not kept: their n-grams with weights are, and a hash of each to know an exact repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from suffice.errors import BundleError
from suffice.programs.logistic import calibrated
from suffice.programs.ngrams import VERSION, ngrams
from suffice.programs.solution import Form, Solution
from suffice.programs.text_solution import text_solution
from suffice.programs.words import joined, unjoined, weights_identity
from suffice.values import ABSTAIN, Answer, Json, case_key, from_json, to_json

KIND: Final = "nearest"
FROM: Final = "similarity and agreement of the nearest cases, calibrated"
"""Where its confidence comes from."""

SIGNS: Final = 3  # what a confidence is made of: the vote's share, the similarity of the best, whether it is a repeat
LEAST: Final = 1e-6  # similarity below which two texts have nothing in common

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class NearestModel:
    """The cases by feature: those with feature f are `cases[start[f]:start[f + 1]]`, with their `weights` there."""

    answers: tuple[Json, ...]  # the different ones
    codes: Ints  # (cases,) which answer each case has
    hashes: NDArray[np.uint64]  # (cases,) of their folded texts
    vocabulary: Mapping[str, int]
    idf: Floats  # (features,)
    start: Ints  # (features + 1,)
    cases: NDArray[np.int32]
    weights: NDArray[np.float32]
    k: int  # cases that vote
    calibration: Floats  # (1 + SIGNS,)


def text_hash(text: str) -> int:
    """64 bits of the hash of a text as a reader sees it."""
    return int(case_key(text)[:16], 16)


def vector(text: str, vocabulary: Mapping[str, int], idf: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The features of a text that are known, rising, and their weights: a row of length one."""
    counts = Counter(map(vocabulary.get, ngrams(text)))
    counts.pop(None, None)
    known = sorted(cast("Counter[int]", counts))
    rows = np.array(known, dtype=np.intp)
    raw = (1.0 + np.log(np.array([counts[f] for f in known], dtype=np.float64))) * idf[rows]
    return rows, raw / np.sqrt(raw @ raw) if len(raw) else raw


def similarities(model: NearestModel, text: str) -> Floats:
    """The cosine of `text` and each case."""
    rows, weights = vector(text, model.vocabulary, model.idf)
    if not len(rows):
        return np.zeros(len(model.codes))
    begin, end = model.start[rows], model.start[rows + 1]
    sizes = end - begin
    ends = sizes.cumsum()
    places = np.arange(int(ends[-1])) + np.repeat(begin - (ends - sizes), sizes)
    parts = model.weights[places] * np.repeat(weights, sizes)
    return np.bincount(model.cases[places], parts, minlength=len(model.codes)).astype(np.float64)


def vote(near: Floats, codes: Ints, same: NDArray[np.bool_], k: int) -> tuple[int, Floats] | None:
    """The answer that `k` nearest cases give, weighted by similarity, and the signs of how sure it is.

    Exact repeats (`same`) answer alone, the commonest answer of them. Ties go to the answer of the nearest case, then
    to the case that comes first. None where no case has anything in common with the text.
    """
    if same.any():
        votes = np.bincount(codes[same])
        return int(votes.argmax()), np.array([votes.max() / votes.sum(), 1.0, 1.0])
    order = _best(near, k)
    order = order[near[order] > LEAST]
    if not len(order):
        return None
    weights = np.bincount(codes[order], near[order])
    ahead = weights >= weights.max() - 1e-9
    code = next(int(c) for c in codes[order] if ahead[c])
    return code, np.array([weights[code] / weights.sum(), near[order[0]], 0.0])


def predict(model: NearestModel, text: str) -> Answer:
    """The answer of the nearest cases, with its confidence; ABSTAIN where none has anything in common with `text`."""
    same = model.hashes == np.uint64(text_hash(text))
    near = np.zeros(len(model.codes)) if same.any() else similarities(model, text)
    return told(vote(near, model.codes, same, model.k), model.answers, model.calibration)


def told(voted: tuple[int, Floats] | None, answers: Sequence[Json], calibration: Floats) -> Answer:
    """A vote as an answer."""
    return Answer(ABSTAIN) if voted is None else Answer(answers[voted[0]], float(calibrated(calibration, voted[1])))


def nearest_solution(name: str, model: NearestModel, columns: Sequence[str] = ()) -> Solution:
    """The model as a solution over a bare value or a dict with these input columns. It hands a blank input on."""
    form = _form(name, model, tuple(columns))

    def read(texts: Sequence[str]) -> list[Answer]:
        return [predict(model, text) for text in texts]

    return text_solution(name, read, columns, form, weights_identity(form), confidence_from=FROM)


def from_form(form: Form) -> Solution:
    """The solution that a form describes. Raises BundleError where the form is newer, incomplete or inconsistent."""
    try:
        data = form.data
        if data["features"] != VERSION:
            raise BundleError(
                f"these cases were read with version {data['features']} of the text features, here is {VERSION}",
                hint="install the version of Suffice that the bundle names, or climb again",
            )
        arrays = form.arrays
        features = unjoined(arrays["vocabulary"])
        model = NearestModel(
            answers=tuple(from_json(a) for a in data["answers"]),
            codes=np.asarray(arrays["codes"], dtype=np.int64),
            hashes=np.asarray(arrays["hashes"], dtype=np.uint64),
            vocabulary={f: i for i, f in enumerate(features)},
            idf=np.asarray(arrays["idf"], dtype=np.float64),
            start=np.asarray(arrays["start"], dtype=np.int64),
            cases=np.asarray(arrays["cases"], dtype=np.int32),
            weights=np.asarray(arrays["weights"], dtype=np.float32),
            k=int(data["k"]),
            calibration=np.asarray(arrays["calibration"], dtype=np.float64),
        )
        name, columns = str(data["name"]), [str(c) for c in data["columns"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BundleError(f"the nearest cases are incomplete: {error!r}", hint="save the decision again") from error
    _check(model, len(features))
    return nearest_solution(name, model, columns)


def by_feature(rows: Iterable[tuple[NDArray[np.intp], Floats]], features: int) -> tuple[Ints, Any, Any]:
    """Rows of cases turned into `start`, `cases` and `weights` of a model."""
    found = list(rows)
    flat = np.concatenate([*(f for f, _ in found), np.zeros(0, dtype=np.intp)])
    values = np.concatenate([*(w for _, w in found), np.zeros(0)]).astype(np.float32)
    owner = np.repeat(np.arange(len(found), dtype=np.int32), [len(f) for f, _ in found])
    order = np.argsort(flat, kind="stable")
    start = np.concatenate([[0], np.bincount(flat, minlength=features).cumsum()]).astype(np.int64)
    return start, owner[order], values[order]


def _best(near: Floats, k: int) -> NDArray[np.intp]:
    """The places of the `k` largest, the first of equals."""
    if len(near) > 4 * k:
        edge = np.partition(near, len(near) - k)[len(near) - k]
        places = np.flatnonzero(near >= edge)
    else:
        places = np.arange(len(near))
    return places[np.argsort(-near[places], kind="stable")][:k]


def _form(name: str, model: NearestModel, columns: tuple[str, ...]) -> Form:
    data = {
        "name": name,
        "columns": list(columns),
        "answers": [to_json(a) for a in model.answers],
        "k": model.k,
        "features": VERSION,
    }
    arrays = {
        "vocabulary": joined(model.vocabulary),
        "codes": model.codes,
        "hashes": model.hashes,
        "idf": model.idf,
        "start": model.start,
        "cases": model.cases,
        "weights": model.weights,
        "calibration": model.calibration,
    }
    return Form(KIND, data, arrays)


def _check(model: NearestModel, features: int) -> None:
    n, held = len(model.codes), len(model.cases)
    fits = (
        n > 0
        and len(model.vocabulary) == features
        and model.idf.shape == (features,)
        and model.start.shape == (features + 1,)
        and model.hashes.shape == (n,)
        and model.weights.shape == (held,)
        and model.calibration.shape == (1 + SIGNS,)
        and model.k > 0
        and model.start[0] == 0
        and model.start[-1] == held
        and bool((np.diff(model.start) >= 0).all())
        and bool(((model.codes >= 0) & (model.codes < len(model.answers))).all())
        and bool(((model.cases >= 0) & (model.cases < n)).all())
    )
    if not fits:
        raise BundleError("the arrays of the nearest cases do not fit together", hint="save the decision again")
    if not all(bool(np.isfinite(a).all()) for a in (model.idf, model.weights, model.calibration)):
        raise BundleError("the nearest cases hold a value that is not a finite number", hint="save the decision again")
