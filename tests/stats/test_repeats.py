"""Repeats: variance within and between cases is told apart, and what a second sample is worth."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.stats.repeats import variances


def test_the_components_are_found_from_unequal_numbers_of_samples():
    rng = np.random.default_rng(1)
    samples = [rng.normal(rng.normal(0.5, 0.3), 0.2, size).tolist() for size in rng.integers(1, 6, 4_000)]
    found = variances(samples)
    assert found.within == pytest.approx(0.04, rel=0.05)
    assert found.between == pytest.approx(0.09, rel=0.08)
    assert found.worth == pytest.approx(0.04 / 0.22, rel=0.1)


def test_a_second_sample_is_worth_nothing_where_reruns_agree_and_a_case_where_they_are_as_random():
    assert variances([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]).worth == 0.0
    assert variances([[0.0, 1.0]] * 50).worth == 1.0
    assert variances([[0.5, 0.5]] * 5).worth == 0.0


@pytest.mark.parametrize("samples", [[[1.0, 0.0]], [[1.0], [0.0]], [[1.0, 0.0], []]])
def test_too_few_samples_are_refused(samples):
    with pytest.raises(ValueError):
        variances(samples)
