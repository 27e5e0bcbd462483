"""The decision in words: the exact sentences, and figures that never say more than was shown."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.evals.claim import Stated
from suffice.ladder import sentence
from suffice.ladder.decision import Tested

CLAIM = Stated(0.9, 0.05, None, 240, None, "label", "hash")
PASSED = Tested(
    number=1, alpha=0.025, verdict="PASS", used=141, calls=141, failed=0, failures=(), bound=0.87, share=None,
    at=1.77e9, known=False,
)  # fmt: skip


def told(claim: Stated = CLAIM, seen_share: float | None = None, note: str = "", name: str = "words", **tested) -> str:
    return sentence.decided(name, claim, dataclasses.replace(PASSED, **tested), seen_share, note)


def test_a_pass():
    assert told() == (
        "`words` suffices: at least .87 of future inputs like these are right "
        "(bar .90, tolerance .05, error 2.5%, 141 of 240 sealed cases)."
    )


def test_a_pass_with_coverage_is_the_sentence_of_the_readme():
    claim = dataclasses.replace(CLAIM, coverage=0.6)
    assert told(claim, 0.61, bound=0.85, share=0.55) == (
        "`words` answers at least 55% of inputs (61% of those seen), at least .85 of them right (bar .90, "
        "tolerance .05, error 2.5%, 141 of 240 sealed cases); the others go to a person."
    )


def test_a_pass_with_the_largest_coverage():
    claim = dataclasses.replace(CLAIM, coverage=0.0)
    assert told(claim, 0.5, share=0.425).startswith("`words` answers at least 42% of inputs (50% of those seen), ")


def test_a_pass_per_cluster():
    assert "141 of 240 sealed cases, one per customer)" in told(dataclasses.replace(CLAIM, per="customer"))


def test_a_pass_that_counts_several_cases_of_a_cluster():
    claim = dataclasses.replace(CLAIM, per="customer", most=2)
    assert "141 of 240 sealed customers, counting at most 2 cases of each)" in told(claim)


def test_a_pass_of_a_mean_score():
    claim = dataclasses.replace(CLAIM, graded=True)
    assert told(claim).startswith("`words` suffices: its mean score on future inputs like these is at least ")


def test_a_pass_as_recorded():
    note = "as recorded; valid only if nobody tuned on these cases"
    assert told(note=note, name="gpt").endswith(f"141 of 240 sealed cases). ({note})")


def test_a_route_goes_by_its_members():
    assert told(name="words > triage").startswith("`words > triage` suffices: ")


def test_a_fail():
    assert told(verdict="FAIL", bound=None) == (
        "`words` does not suffice: that it reaches the bar of .90 was refuted (error 20%, 141 of 240 sealed cases)."
    )


def test_a_fail_with_coverage_names_both_conditions():
    assert told(dataclasses.replace(CLAIM, coverage=0.6), verdict="FAIL", bound=None) == (
        "`words` does not suffice: that it answers 60% of inputs and reaches the bar of .90 among those it answers was "
        "refuted (error 20% for each of the two, 141 of 240 sealed cases)."
    )
    assert told(dataclasses.replace(CLAIM, coverage=0.0), verdict="FAIL", bound=None) == (
        "`words` does not suffice: that it reaches the bar of .90 among those it answers was refuted "
        "(error 20%, 141 of 240 sealed cases)."
    )


def test_an_unproven():
    assert told(verdict="UNPROVEN", used=240, bound=None) == (
        "`words` is unproven: neither that it suffices nor that it does not was shown "
        "(bar .90, tolerance .05, error 2.5%, 240 of 240 sealed cases)."
    )


def test_a_pause():
    assert told(
        verdict="UNPROVEN", paused=True, pauses=2, failed=4, calls=30, failures=("raised", "timeout"), bound=None
    ) == (
        "`words` is paused, not decided: 4 of 30 calls gave no answer (raised, timeout); mend that and run the same "
        "command again (pause 2 of 3)."
    )


def test_what_a_try_costs_is_said_before_it_is_spent():
    assert sentence.before_test(2, 0.0125, 0.05, 0.864) == "try 2: uses .0125 of .05; predicted chance 86%"
    assert sentence.before_test(9, 0.05 / 2**9, 0.05, 0.5).startswith("try 9: uses .0000977 of .05;")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9, ".90"), (0.925, ".925"), (1.0, "1.00"), (0.8675, ".8675"), (0.00625, ".00625"), (0.0, ".00"), (0.05, ".05")],
)
def test_rates(value, text):
    assert sentence.rate(value) == text


@pytest.mark.parametrize(
    ("alpha", "text"), [(0.025, "2.5%"), (0.0375, "3.75%"), (0.003125, "0.3125%"), (0.2, "20%"), (0.04375, "4.375%")]
)
def test_errors(alpha, text):
    assert sentence.percent(alpha) == text


@given(st.floats(0.0, 1.0))
def test_a_bound_is_never_rounded_up(bound):
    shown = sentence.at_least(bound)
    assert float(shown) <= bound + 1e-9 and float(shown) >= bound - 1.1e-4
    share = sentence.floor_percent(bound)
    assert math.floor(100 * bound + 1e-6) >= float(share.rstrip("%")) > 100 * bound - 1.01


def test_an_uneven_tolerance_is_not_rounded_to_the_better():
    assert "at least .8666 of future" in told(bound=0.9 - 0.1 / 3)
