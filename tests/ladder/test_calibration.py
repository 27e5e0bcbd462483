"""Calibration: probabilities that hold, in the order of the signs, whatever the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from suffice.ladder.calibration import fit_calibration, logit
from suffice.programs.logistic import calibrated


def test_the_probabilities_are_the_shares_that_are_right():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.05, 0.95, 4000)
    signs = np.column_stack([2 * logit(true) + 1, rng.normal(size=4000)])
    right = rng.random(4000) < true
    sure = calibrated(fit_calibration(signs, right), signs)
    for part in np.array_split(np.argsort(sure), 8):
        assert abs(sure[part].mean() - right[part].mean()) < 0.05


def test_a_sign_that_speaks_against_the_answer_is_left_out():
    rng = np.random.default_rng(1)
    good, bad = rng.normal(size=500), rng.normal(size=500)
    weights = fit_calibration(np.column_stack([good, bad]), good - 2 * bad > 0)
    assert weights[1] > 0 and weights[2] == 0
    alone = fit_calibration(bad[:, None], bad < 0)
    assert alone[1] == 0 and 0.4 < calibrated(alone, bad[:, None])[0] < 0.6


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_any_data_gives_probabilities_that_rise_with_the_signs(data: list[Any]):
    signs = np.array([[a, b] for a, b, _ in data])
    weights = fit_calibration(signs, np.array([ok for *_, ok in data]))
    sure = calibrated(weights, signs)
    assert np.isfinite(weights).all() and ((sure > 0) & (sure < 1)).all()
    assert (calibrated(weights, signs + 1) >= sure).all()
