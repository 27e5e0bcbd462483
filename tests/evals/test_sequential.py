"""Scores that come one by one: they may be looked at after each, and what is shown is as seldom wrong as it says."""

from __future__ import annotations

import numpy as np
import pytest

import suffice as sf
from suffice.errors import BarError, UsageError
from suffice.evals.sequential import Sequential, bounds

RUNS = 150


def fed(test: Sequential, scores, until_all: bool = False, **more) -> Sequential:
    for score in scores:
        if test.add(float(score), **more) and not until_all:
            break
    return test


def margin(p: float) -> float:
    return 3 * (p * (1 - p) / RUNS) ** 0.5


def test_labels_that_keep_coming_may_be_looked_at_after_each():
    """At the claim exactly, and one looks 200 times: false PASS within the error all the same."""
    rng = np.random.default_rng(1)
    wrong = sum(fed(sf.sequential.claim(0.8, 0.05), rng.random(200) < 0.75).verdict == "PASS" for _ in range(RUNS))
    assert wrong / RUNS <= 0.05 + margin(0.05)
    good = fed(sf.sequential.claim(0.8, 0.05), rng.random(400) < 0.95)
    assert good.verdict == "PASS" and good.settled_after is not None and good.settled_after < 120
    poor = fed(sf.sequential.claim(0.8, 0.05), rng.random(400) < 0.5)
    assert poor.verdict == "FAIL" and poor.engine.name == "betting"


@pytest.mark.parametrize("graded", [False, True])
def test_a_batch_is_settled_by_its_last_input(graded):
    rng, wrong = np.random.default_rng(2), 0
    for _ in range(RUNS):
        test = fed(sf.sequential.claim(0.8, of=60, graded=graded), rng.permutation(np.arange(60) < 47))
        assert test.verdict is not None
        wrong += test.verdict == "PASS"  # 47 of 60 are below .80
    assert wrong / RUNS <= 0.05 + margin(0.05)
    assert test.engine.name == ("betting" if graded else "exact spending")


def test_most_of_a_batch_need_not_be_checked():
    rng = np.random.default_rng(3)
    test = fed(sf.sequential.claim(0.9, 0.05, of=3000), rng.permutation(np.arange(3000) < 2850))
    assert test.verdict == "PASS" and test.n < 300
    full = sf.sequential.claim(0.5, of=3)
    for score in (1, 1, 0):
        full.add(score)
    with pytest.raises(UsageError, match="all 3 inputs"):
        full.add(1)


def judged(rng, n: int, rate: float):
    y = rng.random(n) < rate
    return y.astype(float), (rng.random(n) < np.where(y, 0.95, 0.1)).astype(float)


def test_a_judge_of_a_batch_saves_checks():
    rng, alone, corrected = np.random.default_rng(4), [], []
    for _ in range(25):
        y, f = judged(rng, 500, 0.9)
        with_judge, without = (
            sf.sequential.claim(0.8, of=500, judge=f.tolist()),
            sf.sequential.claim(0.8, of=500, graded=True),
        )
        for score, said in zip(y, f, strict=True):
            if with_judge.add(score, judge=said):
                break
        corrected.append(with_judge.n)
        alone.append(fed(without, y).n)
        assert with_judge.verdict == "PASS"
    assert np.mean(corrected) < 0.9 * np.mean(alone)


def test_a_judge_that_knows_nothing_brings_no_false_pass():
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(RUNS):
        y = rng.permutation(np.arange(120) < 95).astype(float)  # .79
        f = np.ones(120)  # it likes everything
        test = sf.sequential.claim(0.8, of=120, judge=f.tolist())
        for score in y:
            if test.add(score, judge=1.0):
                break
        wrong += test.verdict == "PASS"
    assert wrong / RUNS <= 0.05 + margin(0.05)


def test_a_judge_for_future_inputs_is_partnered_with_answers_that_nobody_checks():
    rng = np.random.default_rng(6)
    test = sf.sequential.claim(0.8, 0.05, judge=True)
    for _ in range(400):
        y, f = judged(rng, 11, 0.95)
        if test.add(y[0], judge=f[0], unlabelled=f[1:].tolist()):
            break
    assert test.verdict == "PASS"
    low, high = test.bounds()
    assert low < 0.95 < high
    with pytest.raises(UsageError, match="nobody checks"):
        test.add(1.0, judge=1.0)


def test_the_bounds_hold_the_mean_and_what_is_shown_lies_within_them():
    rng = np.random.default_rng(7)
    test = sf.sequential.claim(0.8, 0.05)
    assert tuple(test.bounds()) == (0.0, 1.0)
    scores = rng.beta(9, 1, 150).tolist()
    for score in scores:
        test.add(score)
    low, high = test.bounds()
    assert 0.8 < low < 0.9 < high and bounds(scores)[-1] == (low, high) and len(bounds(scores)) == 150
    assert test.verdict == "PASS" and (test.settled_after or 150) < 150 == test.n  # the verdict stands, bounds go on
    y, f = judged(rng, 200, 0.9)
    both = sf.sequential.claim(0.8, of=200, judge=f.tolist())
    for score, said in zip(y, f, strict=True):
        both.add(score, judge=said)
    assert both.bounds().low - 0.01 <= y.mean() <= both.bounds().high + 0.01
    assert both.bounds().high - both.bounds().low < 0.03  # all of it was seen


def test_it_prints_what_is_shown_for_what():
    test = sf.sequential.claim(0.9, 0.05, of=200)
    assert str(test).startswith(
        "open after 0 scores: the mean of these 200 lies between .00 and 1.00 at 95% (bar .90, "
    )
    assert str(fed(test, [1.0] * 100)).startswith("PASS after ") and "scores: it is at least .85 (bar .90, " in str(
        test
    )
    assert "it is below .90" in str(fed(sf.sequential.claim(0.9, 0.05), [0.0] * 100))
    assert "future scores like these" in str(sf.sequential.claim(0.9))


def test_the_error_of_a_verdict_and_the_level_of_the_bounds_do_not_read_as_one():
    """The bounds are wider than the verdict, so that a PASS may stand beside a lower end below what it shows."""
    passed = fed(sf.sequential.claim(0.9, 0.05), [1.0] * 41)
    assert passed.verdict == "PASS" and passed.bounds().low < 0.85
    assert "(bar .90, tolerance .05, error 5%)" in str(passed)
    assert str(passed).endswith("at 95%; that is about both ends at every look, and so says less than the verdict")
    failed = fed(sf.sequential.claim(0.9, 0.05), [0.0] * 100)
    assert "it is below .90 (bar .90, tolerance .05, error 20%)" in str(failed)
    wide = fed(sf.sequential.claim(0.9, 0.05, of=100), [1.0] * 100, until_all=True)
    assert wide.bounds().low > 0.85 and str(wide).endswith("at 95%")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: sf.sequential.claim(0.0),
        lambda: sf.sequential.claim(0.9, 0.9),
        lambda: sf.sequential.claim(0.9, error=0.0),
        lambda: sf.sequential.claim(0.9, of=0),
        lambda: sf.sequential.claim(0.9, judge=[1.0]),
        lambda: sf.sequential.claim(0.9, of=3, judge=[1.0]),
        lambda: sf.sequential.claim(0.9, of=3, judge=True),
        lambda: sf.sequential.claim(0.9).add(1.5),
        lambda: sf.sequential.claim(0.9).add(float("nan")),
        lambda: sf.sequential.claim(0.9, of=3).add(0.5),
        lambda: sf.sequential.claim(0.9).add(1.0, judge=1.0),
        lambda: sf.sequential.claim(0.9, judge=True).add(1.0),
        lambda: sf.sequential.bounds([2.0]),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(wrong):
    with pytest.raises((UsageError, BarError)) as refused:
        wrong()
    assert refused.value.hint
