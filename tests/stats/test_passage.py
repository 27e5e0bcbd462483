"""First passages: every path that crosses is counted once, so chances are exact at every rate."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.exact import Null, boundary
from suffice.stats.passage import first_passages, pass_passages


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 11), st.sampled_from([0.3, 0.5, 0.75]), st.sampled_from([0.0, 0.1, 0.5, 0.8, 1.0]))
def test_two_lines_agree_with_enumeration(n, bound, rate):
    upper, lower = boundary(Null(bound), n, 0.2), boundary(Null(bound + 0.1), n, 0.3, "fail")
    won = lost = 0.0
    for path in itertools.product([0, 1], repeat=n):
        right = np.cumsum(path)
        weight = rate ** right[-1] * (1 - rate) ** (n - right[-1])
        up, down = np.flatnonzero(right >= upper), np.flatnonzero(right <= lower)
        if len(up) and (not len(down) or up[0] <= down[0]):
            won += weight
        elif len(down):
            lost += weight
    passing, failing = first_passages(upper, lower, bound)
    assert passing.at(rate).sum() == pytest.approx(won, abs=1e-9)
    assert failing.at(rate).sum() == pytest.approx(lost, abs=1e-9)


def polya(line, right: int, seen: int) -> float:
    """The predicted chance of crossing by the Polya urn itself, one case at a time."""
    n = len(line)
    mass, crossed, states = np.zeros(n + 2), 0.0, np.arange(n + 2)
    mass[0] = 1.0
    for i in range(n):
        up = (right + 1 + states) / (seen + 2 + i)
        rising = mass * np.minimum(up, 1)
        mass = mass - rising + np.concatenate(([0.0], rising[:-1]))
        cut = int(line[i])
        crossed += float(mass[cut:].sum())
        mass[cut:] = 0.0
    return crossed


@pytest.mark.parametrize("finite", [False, True])
@pytest.mark.parametrize(("right", "seen"), [(0, 0), (10, 12), (5, 12), (60, 60), (93, 120), (20, 120)])
def test_prediction_is_the_polya_urn(right, seen, finite):
    null = Null(0.75, finite)
    predicted = pass_passages(null, 300, 0.025).after(right, seen).sum()
    assert predicted == pytest.approx(polya(boundary(null, 300, 0.025), right, seen), abs=1e-9)


@pytest.mark.parametrize(("right", "seen"), [(0, 0), (17, 20), (90, 120)])
def test_prediction_is_power_averaged_over_the_posterior(right, seen):
    passages = pass_passages(Null(0.75), 200, 0.025)
    grid = (np.arange(2000) + 0.5) / 2000
    density = grid**right * (1 - grid) ** (seen - right)
    average = sum(passages.at(p).sum() * d for p, d in zip(grid, density, strict=True)) / density.sum()
    assert passages.after(right, seen).sum() == pytest.approx(average, abs=2e-4)


def test_at_the_null_the_chance_is_the_error_that_was_spent():
    for null, n in ((Null(0.8), 300), (Null(0.95), 60), (Null(0.5), 1000)):
        error = pass_passages(null, n, 0.05).at(null.bound).sum()
        assert 0.03 < error <= 0.05 + 1e-9


def test_a_line_that_nothing_reaches_has_no_passages():
    assert pass_passages(Null(0.99), 5, 0.001).after(50, 50).sum() == 0.0


def test_impossible_dev_counts_are_refused():
    with pytest.raises(ValueError, match="impossible"):
        pass_passages(Null(0.8), 60, 0.025).after(5, 4)
