"""Calibration: from what is known of an answer to the probability that it is right, fitted on answers out of fold."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE: Final = 1e-2  # keeps the slopes finite where right and wrong are told apart perfectly
STEPS: Final = 50


def fit_calibration(signs: Floats, right: NDArray[np.bool_]) -> Floats:
    """The weights of a logistic regression, the constant first: `signs` is (cases, signs), a sign is better the higher.

    Targets are smoothed as in Platt (1999). A sign that speaks against the answer is left out, because a threshold
    on the confidence must keep the better answers.
    """
    kept = list(range(signs.shape[1]))
    weights = _fitted(signs[:, kept], right)
    while weights[1:].min(initial=0.0) < 0.0:
        del kept[int(weights[1:].argmin())]
        weights = _fitted(signs[:, kept], right)
    out = np.zeros(signs.shape[1] + 1)
    out[[0, *(k + 1 for k in kept)]] = weights
    return out


def logit(share: Floats | float) -> Floats:
    """The log odds of a share, which is kept one percent away from 0 and 1."""
    p: Floats = np.clip(np.asarray(share, dtype=np.float64), 0.01, 0.99)
    return np.log(p / (1.0 - p))


def _fitted(signs: Floats, right: NDArray[np.bool_]) -> Floats:
    n, hits = len(right), int(right.sum())
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (n - hits + 2))
    rows: Floats = np.column_stack([np.ones(n), signs])
    penalty = np.diag([1e-9, *[RIDGE] * signs.shape[1]])
    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        step = _newton(rows, target, penalty, weights)
        weights = np.asarray(weights - step, dtype=np.float64)
        if np.abs(step).max() < 1e-9:
            break
    return weights


def _newton(rows: Floats, target: Floats, penalty: Floats, weights: Floats) -> Floats:
    """One step of Newton's method, never longer than 5; the loss is convex."""
    p = 1.0 / (1.0 + np.exp(-np.clip(rows @ weights, -30.0, 30.0)))
    slope = rows.T @ (p - target) + penalty @ weights
    curve = (rows * (p * (1 - p))[:, None]).T @ rows + penalty + 1e-9 * np.eye(len(weights))
    step = np.asarray(np.linalg.solve(curve, slope), dtype=np.float64)
    return step * min(1.0, 5.0 / max(1e-12, float(np.abs(step).max())))
