"""Graders of numbers: within a tolerance, and quantities with units."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

from suffice.arguments import NotNegative, validated
from suffice.evals.graders.grader import Grader, built, right_or_wrong
from suffice.evals.numerals import Find, Number, read_number
from suffice.evals.quantities import read_quantity, registry
from suffice.shown import shown
from suffice.values import Case, Json, Score

_NINE_DIGITS = Decimal("1e-9")  # what is lost where a unit is no short decimal of another


@validated
def number(tolerance: NotNegative = 0.0, *, relative: NotNegative = 0.0, find: Find = "whole") -> Grader:
    """Right where the numbers differ by at most `tolerance`, or `relative` times the expected one, reckoned exactly.

    How texts are read: `numerals.read_number` ("1,234.50", "$3", "−4"; find="last" takes the last number in a longer
    text). "12%" agrees with 12 and with 0.12 where the other side has no percent sign.
    """
    absolute, ratio = Decimal(str(tolerance)), Decimal(str(relative))

    def fn(output: Any, case: Case) -> Score:
        want, got = read_number(case.expected, find), read_number(output, find)
        if want is None or got is None:
            what = f"{shown(output)}, which is not a number" if got is None else shown(output)
            return Score(0.0, f"expected {shown(case.expected)}, got {what}")
        off = min(_differences(got, want))
        if off <= max(absolute, ratio * abs(want.value)):
            return right_or_wrong(True, case.expected, output, f" (off by {off.normalize():f})" if off else "")
        return right_or_wrong(False, case.expected, output, f" (off by {shown(f'{off:.6g}')})")

    made = built("number", fn, tolerance=tolerance, relative=relative, find=find)
    return dataclasses.replace(made, kind="number")


@validated
def quantity(tolerance: NotNegative = 0.0, *, relative: NotNegative = 0.0) -> Grader:
    """Right where both are the same amount, whatever the unit: "12.5 kg" is "12500 g", "1 mile" is "5280 ft".

    `tolerance` is in the unit of the expected value, `relative` a share of it; nine digits are always enough. How
    quantities are read: `quantities.read_quantity`, by Pint's names. Raises MissingExtra where Pint is not installed.
    """
    registry()
    absolute, ratio = Decimal(str(tolerance)), max(Decimal(str(relative)), _NINE_DIGITS)

    def fn(output: Any, case: Case) -> Score:
        want, got = read_quantity(case.expected), read_quantity(output)
        if want is None or got is None:
            lacking = output if got is None else case.expected
            return right_or_wrong(False, case.expected, output, f": {shown(lacking)} is not a number with a unit")
        if not want.is_compatible_with(got):
            return right_or_wrong(False, case.expected, output, f" (of another kind: {_kind(got)}, not {_kind(want)})")
        off = abs(got.to(want.units).magnitude - want.magnitude)
        right = off <= max(absolute, ratio * abs(want.magnitude))
        unit = f" {want.units:~}".rstrip()
        return right_or_wrong(right, case.expected, output, "" if right else f" (off by {float(off):.6g}{unit})")

    def check(expected: Json) -> None:
        if read_quantity(expected) is None:
            raise ValueError("the expected value is not a number with a unit")

    made = built("quantity", fn, tolerance=tolerance, relative=relative)
    return dataclasses.replace(made, kind="text", check=check)


def _kind(quantity: Any) -> str:
    """What a quantity measures, as "length" or "length/time"."""
    return "a bare number" if quantity.dimensionless else str(quantity.dimensionality).replace("[", "").replace("]", "")


def _differences(got: Number, want: Number) -> list[Decimal]:
    """How far apart two numbers are; with one percent sign, also as a share of a hundred."""
    off = [abs(got.value - want.value)]
    if got.percent and not want.percent:
        off.append(abs(got.value / 100 - want.value))
    elif want.percent and not got.percent:
        off.append(abs(got.value * 100 - want.value))
    return off
