"""What the tests of graders share: a case, and any JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from suffice.values import Case, Json

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON, and what JSON cannot hold of floats."""

VALUE = st.booleans() | st.integers(-3, 3) | st.text("abc", min_size=1, max_size=2)
FEW = st.recursive(
    VALUE,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text("ab", min_size=1, max_size=1), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)
"""Small JSON without nulls and empty parts, in which equal values are common."""


def case(expected: Json, inputs: Json = "in") -> Case:
    """A case that expects this."""
    return Case("c1", inputs, expected, "c1", "t.csv:2", "k", "h")


def value(grader: Any, output: Any, expected: Json, inputs: Json = "in") -> float:
    """The score of an output, which has a reason of one line."""
    score = grader(output, case(expected, inputs))
    assert score.reason and "\n" not in score.reason and 0 <= score.value <= 1
    return score.value
