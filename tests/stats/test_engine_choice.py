"""The exact engine speaks wherever it holds; everywhere else betting does, and the report says why."""

from __future__ import annotations

import pytest

from suffice.stats.engine import Shape, engine_for


def test_right_or_wrong_cases_that_stand_alone_are_decided_exactly():
    engine = engine_for(Shape(n=300))
    assert engine.name == "exact spending" and "300" in engine.reason
    assert engine_for(Shape(n=300, paired=True)).name == "exact spending"


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        (Shape(n=300, graded=True), "graded"),
        (Shape(n=300, largest_cluster=4), "clusters of up to 4"),
        (Shape(n=300, repeats=3), "3 times"),
        (Shape(n=300, judged=True), "judge"),
        (Shape(n=300, paired=True, margin=0.05), "margin of 0.05"),
        (Shape(n=None), "not known"),
        (Shape(n=300, graded=True, kind="finite"), "graded"),
    ],
)
def test_everything_else_is_bet_on_for_a_stated_reason(shape, word):
    engine = engine_for(shape)
    assert engine.name == "betting" and word in engine.reason


def test_all_reasons_are_given():
    assert engine_for(Shape(n=None, graded=True)).reason.count(" and ") == 1


def test_a_finite_set_needs_no_clusters_but_a_known_size():
    assert engine_for(Shape(n=300, largest_cluster=9, kind="finite")).name == "exact spending"
    with pytest.raises(ValueError, match="known"):
        engine_for(Shape(n=None, kind="finite"))
