"""Clusters: what is claimed is the mean over cases, whatever sizes have to do with difficulty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.betting import opening
from suffice.stats.clusters import cluster_score, most_counted, shift, thinned

ALPHA = 0.05


def margin(rate: float, runs: int) -> float:
    """Three standard errors of a simulated share."""
    return 3 * (rate * (1 - rate) / runs) ** 0.5 + 1e-9


def passes(rows, bound):
    wealth = opening(np.full(len(rows), bound), rows.shape[1], ALPHA)
    ever = np.zeros(len(rows), dtype=bool)
    for column in rows.T:
        wealth = wealth.after(column)
        ever |= wealth.rejected
    return float(ever.mean())


def related(rng, runs, n):
    """Half of the clusters of size 1 at .95, half of size 5 at .60: case mean .658, mean of cluster means .775."""
    sizes = np.where(rng.random((runs, n)) < 0.5, 1, 5)
    return rng.binomial(sizes, np.where(sizes == 1, 0.95, 0.60)).astype(float), sizes


@given(st.integers(1, 9), st.floats(0.0, 1.0), st.data())
def test_a_clusters_score_is_a_score_and_is_at_the_bound_exactly_when_its_cases_are(most, bound, data):
    counted = data.draw(st.integers(0, most))
    total = data.draw(st.floats(0.0, float(counted)))
    score = float(cluster_score(total, counted, most, bound))
    assert 0.0 <= score <= 1.0
    assert most * (score - bound) == pytest.approx(total - counted * bound, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=20), st.floats(0.1, 0.9))
def test_the_mean_of_cluster_scores_is_on_the_side_of_the_bound_where_the_mean_over_cases_is(clusters, bound):
    counted = np.array([c for c, _ in clusters])
    totals = np.array([c * mean for c, mean in clusters])
    excess = float(cluster_score(totals, counted, 3, bound).mean()) - bound
    assert excess * 3 * len(clusters) == pytest.approx(totals.sum() - counted.sum() * bound, abs=1e-9)


def test_equal_sizes_lose_nothing():
    assert cluster_score(3.0, 4, 4, 0.8) == pytest.approx(0.75)
    assert cluster_score(1.0, 1, 1, 0.8) == 1.0


def test_where_size_relates_to_difficulty_cluster_means_mislead_and_weighted_scores_do_not():
    runs = 1_000
    totals, sizes = related(np.random.default_rng(1), runs, 200)
    assert passes(totals / sizes, 0.7) > 0.88
    assert passes(cluster_score(totals, sizes, 5, 0.7), 0.7) < 0.01
    case_mean = 3.95 / 6
    assert passes(cluster_score(totals, sizes, 5, case_mean), case_mean) <= ALPHA + margin(ALPHA, runs)


def test_after_thinning_the_claim_is_the_thinned_mean_and_keeps_its_error():
    runs, rng = 1_000, np.random.default_rng(2)
    totals, sizes = related(rng, runs, 200)
    kept, right = np.minimum(sizes, 2), totals.astype(int)
    counted = rng.hypergeometric(right, sizes - right, kept).astype(float)
    bound = (0.95 + 2 * 0.6) / 3
    assert passes(cluster_score(counted, kept, 2, bound), bound) <= ALPHA + margin(ALPHA, runs)


def test_one_rare_huge_cluster_passes_if_the_largest_size_seen_is_used_and_not_as_at_most_two():
    runs, n, good, chance, rng = 1_000, 300, 0.95, 0.0015, np.random.default_rng(3)
    huge = rng.random((runs, n)) < chance
    sizes = np.where(huge, 500, rng.integers(1, 4, (runs, n)))
    totals = rng.binomial(sizes, np.where(huge, 0.0, good)).astype(float)
    seen = [np.flatnonzero(sizes.max(1) == most) for most in (3, 500)]
    wrong = sum(
        len(rows) * passes(cluster_score(totals[rows], sizes[rows], most, 0.8), 0.8)
        for rows, most in zip(seen, (3, 500), strict=True)
    )
    assert wrong / runs == pytest.approx(0.64, abs=0.05)  # over all cases the mean is .69
    kept = np.minimum(sizes, 2)
    counted = np.where(huge, 0, rng.binomial(kept, good)).astype(float)
    small = (1 - chance) * 5 / 3
    bound = small * good / (small + 2 * chance)
    assert passes(cluster_score(counted, kept, 2, bound), bound) <= ALPHA + margin(ALPHA, runs)


def test_a_large_declared_number_has_no_power():
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 4, (400, 100))
    totals = rng.binomial(sizes, 0.9).astype(float)
    assert passes(cluster_score(totals, sizes, 3, 0.8), 0.8) > 0.85
    assert passes(cluster_score(totals, sizes, 10, 0.8), 0.8) < 0.07


def test_among_answered_and_share_answered_keep_their_error_where_hard_cases_are_answered_less():
    runs, rng = 1_000, np.random.default_rng(5)
    sizes, hard = rng.integers(1, 4, (runs, 200)), rng.random((runs, 200)) < 0.5
    said = rng.binomial(sizes, np.where(hard, 0.4, 0.9))
    right = rng.binomial(said, np.where(hard, 0.7, 0.9)).astype(float)
    rate, share = (0.4 * 0.7 + 0.9 * 0.9) / 1.3, 0.65
    assert passes(cluster_score(right, said, 3, rate), rate) <= ALPHA + margin(ALPHA, runs)
    assert passes(cluster_score(said.astype(float), sizes, 3, share), share) <= ALPHA + margin(ALPHA, runs)


def test_how_many_count_is_the_median_size_and_at_least_two():
    assert most_counted([1, 1, 1]) == 2
    assert most_counted([1, 4, 9, 500]) == 9
    assert most_counted([3, 3, 3, 3]) == 3
    assert most_counted([*range(1, 11)], 0.9) == 10


names = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40)


@settings(max_examples=50)
@given(names, st.integers(1, 4), st.integers(0, 5))
def test_thinning_keeps_at_most_so_many_of_each_and_whole_small_clusters(clusters, most, seed):
    kept = thinned(clusters, most, seed)
    assert kept == sorted(set(kept)) == thinned(clusters, most, seed)
    for name in set(clusters):
        assert sum(clusters[i] == name for i in kept) == min(clusters.count(name), most)


@given(names, st.integers(1, 4))
def test_what_is_kept_of_a_cluster_does_not_depend_on_other_clusters(clusters, most):
    grown = [*clusters, "new", "new", "new", "new", "new"]
    assert [i for i in thinned(grown, most, 7) if i < len(clusters)] == thinned(clusters, most, 7)


def test_each_case_of_a_large_cluster_is_as_likely_to_be_kept():
    counts = np.zeros(6)
    for seed in range(3_000):
        counts[thinned(["a"] * 6, 2, seed)] += 1
    assert counts / 3_000 == pytest.approx([1 / 3] * 6, abs=margin(1 / 3, 3_000))


def test_a_shift_of_the_mean_by_thinning_is_pointed_out():
    clusters = ["a", "b", *["c"] * 6]
    moved = shift([1.0, 1.0, *[0.5] * 6], clusters, 2)
    assert moved.full == pytest.approx(5 / 8) and moved.thinned == pytest.approx(3 / 4) and moved.noted
    assert not shift([0.5] * 8, clusters, 2).noted


@pytest.mark.parametrize(
    "bad",
    [
        lambda: most_counted([]),
        lambda: most_counted([0, 2]),
        lambda: most_counted([1, 2], 1.0),
        lambda: cluster_score(1.0, 4, 3, 0.8),
        lambda: cluster_score(2.5, 2, 3, 0.8),
        lambda: shift([], [], 2),
        lambda: shift([0.5], ["a", "b"], 2),
    ],
)
def test_impossible_clusters_are_refused(bad):
    with pytest.raises(ValueError):
        bad()
