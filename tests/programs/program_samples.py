"""A small words model that needs no training, and how tests write modules of a user."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np

from suffice.programs.ngrams import ngrams
from suffice.programs.solution import Solution
from suffice.programs.words import WordsModel, words_solution

Write = Callable[..., ModuleType]


def make_words(sharpness: float = 4.0, labels: tuple[str | None, ...] = ("billing", "shipping")) -> Solution:
    """A words solution whose scores are `sharpness` for texts with "invoice" or "parcel"."""
    vocabulary: dict[str, int] = {}
    for text in ("invoice", "parcel"):
        for feature in ngrams(text):
            vocabulary.setdefault(feature, len(vocabulary))
    weights = np.zeros((len(vocabulary), len(labels)), dtype=np.float32)
    for feature, row in vocabulary.items():
        weights[row, 0 if feature in ngrams("invoice") else 1] = sharpness
    model = WordsModel(labels, vocabulary, np.ones(len(vocabulary)), weights, np.zeros(len(labels)))
    return words_solution("words", model)
