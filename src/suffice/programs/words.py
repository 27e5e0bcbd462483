"""The `words` solution: a linear model over n-grams with calibrated confidence, predicting with numpy alone.

Scores are those of a linear classifier on sublinear tf-idf (Salton & Buckley 1988), rows of length one. Confidence is
the softmax of score / temperature (Guo et al. 2017). Training is in ladder/words.py.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from suffice.errors import BundleError
from suffice.programs.ngrams import VERSION, ngrams
from suffice.programs.solution import Form, Solution
from suffice.programs.text_solution import text_solution
from suffice.values import Answer, Json, content_hash

KIND = "words"
CALIBRATED = "calibrated probability"
"""Where its confidence comes from."""


@dataclass(frozen=True, slots=True, eq=False)
class WordsModel:
    """What was learned. `coefficients` has one row per feature, so that a text gathers only its own rows."""

    labels: tuple[Json, ...]
    vocabulary: Mapping[str, int]
    idf: NDArray[np.float64]  # (features,)
    coefficients: NDArray[np.float32]  # (features, labels)
    intercepts: NDArray[np.float64]  # (labels,)
    temperature: float = 1.0


def scores(model: WordsModel, texts: Sequence[str]) -> NDArray[np.float64]:
    """The linear score of every label: one row per text, one column per label."""
    out = np.empty((len(texts), len(model.labels)))
    for row, text in enumerate(texts):
        out[row] = _score(model, text)
    return out


def softmax(values: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities from scores (a score of -inf has none), row by row."""
    scaled = values / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def predict(model: WordsModel, texts: Sequence[str]) -> list[Answer]:
    """The most probable label of each text, with its calibrated probability as confidence."""
    return answers(model.labels, scores(model, texts), model.temperature)


def answers(labels: Sequence[Json], values: NDArray[np.float64], temperature: float) -> list[Answer]:
    """The label of each row's highest score (the first of equals), with its probability at this temperature."""
    if not len(values):
        return []
    probable = softmax(values, temperature)
    top = values.argmax(axis=1)
    confidence = np.minimum(probable[np.arange(len(values)), top], 1.0)
    return [Answer(labels[k], p) for k, p in zip(top.tolist(), confidence.tolist(), strict=True)]


def words_solution(name: str, model: WordsModel, columns: Sequence[str] = ()) -> Solution:
    """The model as a solution over a bare value or a dict with these input columns. It hands a blank input on."""
    form = _form(name, model, tuple(columns))
    read = partial(predict, model)
    return text_solution(name, read, columns, form, weights_identity(form), confidence_from=CALIBRATED)


def from_form(form: Form) -> Solution:
    """The solution that a form describes. Raises BundleError where the form is newer, incomplete or inconsistent."""
    try:
        data = form.data
        if data["features"] != VERSION:
            raise BundleError(
                f"this words model learned from version {data['features']} of the text features, here is {VERSION}",
                hint="install the version of Suffice that the bundle names, or climb again",
            )
        features = unjoined(form.arrays["vocabulary"])
        model = WordsModel(
            labels=tuple(data["labels"]),
            vocabulary={f: i for i, f in enumerate(features)},
            idf=np.asarray(form.arrays["idf"], dtype=np.float64),
            coefficients=np.asarray(form.arrays["coefficients"], dtype=np.float32),
            intercepts=np.asarray(form.arrays["intercepts"], dtype=np.float64),
            temperature=float(data["temperature"]),
        )
        name, columns = str(data["name"]), [str(c) for c in data["columns"]]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the words model is incomplete: {error!r}", hint="save the decision again") from error
    _check(model, len(features))
    return words_solution(name, model, columns)


def _score(model: WordsModel, text: str) -> NDArray[np.float64]:
    counts = Counter(map(model.vocabulary.get, ngrams(text)))
    counts.pop(None, None)
    if not counts:
        return model.intercepts
    rows = np.fromiter(cast("Counter[int]", counts), dtype=np.intp, count=len(counts))
    repeats = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
    weights = (1.0 + np.log(repeats)) * model.idf[rows]
    weights /= np.sqrt(weights @ weights)
    return weights @ model.coefficients[rows].astype(np.float64) + model.intercepts


def _form(name: str, model: WordsModel, columns: tuple[str, ...]) -> Form:
    return Form(
        KIND,
        {
            "name": name,
            "columns": list(columns),
            "labels": list(model.labels),
            "temperature": model.temperature,
            "features": VERSION,
        },
        {
            "vocabulary": joined(model.vocabulary),
            "idf": model.idf,
            "coefficients": model.coefficients,
            "intercepts": model.intercepts,
        },
    )


def joined(vocabulary: Iterable[str]) -> NDArray[np.uint8]:
    """Features as the bytes of their lines."""
    return np.frombuffer("\n".join(vocabulary).encode("utf-8", "surrogatepass"), dtype=np.uint8)


def unjoined(lines: Any) -> list[str]:
    """The features that `joined` put together."""
    text = np.asarray(lines, dtype=np.uint8).tobytes().decode("utf-8", "surrogatepass")
    return text.split("\n") if text else []


def weights_identity(form: Form) -> str:
    """The hash of a form's data and arrays; its name does not count."""
    arrays = {
        name: [str(a.dtype), list(a.shape), hashlib.blake2b(np.ascontiguousarray(a).data, digest_size=16).hexdigest()]
        for name, a in form.arrays.items()
    }
    return content_hash([form.kind, {k: v for k, v in form.data.items() if k != "name"}, arrays])


def _check(model: WordsModel, features: int) -> None:
    shape = (features, len(model.labels))
    fits = (
        model.labels
        and len(model.vocabulary) == features
        and model.idf.shape == shape[:1]
        and model.coefficients.shape == shape
        and model.intercepts.shape == shape[1:]
    )
    if not fits:
        raise BundleError("the words model's arrays do not fit together", hint="save the decision again")
    finite = np.isfinite(model.coefficients).all() and np.isfinite(model.intercepts).all()
    if not (finite and np.isfinite(model.idf).all() and 0.0 < model.temperature < np.inf):
        raise BundleError("the words model holds a value that is not a finite number", hint="save the decision again")
