"""Numbers with units: the same amount in another unit, and what is read as one."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from grader_samples import ANY, case, value
from hypothesis import given

from suffice.errors import DataError, MissingExtra, UsageError
from suffice.evals import grade, quantities
from suffice.evals.task import Task

pytest.importorskip("pint")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12.5 kg", "12500 g"),
        ("1 mile", "5280 ft"),
        ("5 ft 3 in", "160.02 cm"),
        ("36,6 °C", "97.88 °F"),
        ("60 km/h", "1 km per minute"),
        ("3 m²", "30000 cm^2"),
        ("1h 30min", "90 min"),
        ("10 KG", "10 kg"),
        ("12%", "0.12"),
        ("1,234.5 kg", "1.2345 t"),
        ("5kWh", "18 MJ"),
        ("1 N·m", "1 kg m^2/s^2"),
        ("-5 °C", "268.15 K"),
        (12, "12"),
    ],
)
def test_the_same_amount_in_another_unit_is_right_both_ways(one: Any, other: Any) -> None:
    assert value(grade.quantity(), one, other) == value(grade.quantity(), other, one) == 1.0


def test_another_amount_is_wrong_by_how_much_in_the_expected_unit() -> None:
    assert grade.quantity()("12400 g", case("12.5 kg")).reason == "expected 12.5 kg, got 12400 g (off by 0.1 kg)"
    assert value(grade.quantity(0.1), "12400 g", "12.5 kg") == 1.0
    assert value(grade.quantity(relative=0.01), "12400 g", "12.5 kg") == 1.0
    assert "of another kind: time, not mass" in grade.quantity()("3 s", case("12.5 kg")).reason
    assert "of another kind: a bare number, not mass" in grade.quantity()("12.5", case("12.5 kg")).reason
    with pytest.raises(UsageError, match="tolerance"):
        grade.quantity(-1)


@pytest.mark.parametrize(
    "text", ["kg", "3 foo", "2+3", "9**9**9", "3 m**99999999", "1/2 kg", "5 kg 3 s", "5 ft -3 in", "many", "3 °C 4 °C"]
)
def test_what_is_no_quantity_is_none_and_nothing_is_evaluated(text: str) -> None:
    assert quantities.read_quantity(text) is None
    assert "is not a number with a unit" in grade.quantity()(text, case("3 kg")).reason


@given(ANY, ANY)
def test_no_json_makes_it_raise(one: Any, other: Any) -> None:
    value(grade.quantity(), one, other)
    value(grade.quantity(), f"{one} {other}", "3 kg")


def test_an_expected_value_without_a_number_is_a_bad_row() -> None:
    with pytest.raises(DataError, match="is not a number with a unit"):
        Task([{"text": "a", "expected": "3 kg"}, {"text": "b", "expected": "heavy"}], grader="quantity")


def test_without_pint_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    quantities.registry.cache_clear()
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'suffice\[units\]'"):
        grade.quantity()
    with pytest.raises(MissingExtra, match=r"pip install 'suffice\[bleu\]'"):
        grade.bleu()
