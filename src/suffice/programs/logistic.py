"""Logistic regression: the chance that its weights give to what is known of an answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def calibrated(weights: Floats, signs: Floats) -> Floats:
    """The probability of being right for each row of `signs`, or for the only one, to four digits: what is written is
    what is used. The constant stands first in `weights`."""
    odds = np.clip(weights[0] + signs @ weights[1:], -30.0, 30.0)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float64).round(4)
