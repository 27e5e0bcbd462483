"""The grader of dates: the same day, however it is written."""

from __future__ import annotations

import dataclasses
from typing import Any

from suffice.arguments import validated
from suffice.evals.calendar_dates import Day, Order, read_dates
from suffice.evals.graders.grader import Grader, built, right_or_wrong
from suffice.shown import shown
from suffice.values import Case, Json, Score


@validated
def date(*, order: Order | None = None) -> Grader:
    """Right where both are the same day, month or year, as far as the expected value is written.

    How dates are read: `calendar_dates.read_dates` ("25 Dec 2018", "2018-12-25T10:00", "12/2018"; a time of day is
    passed over). `order` ("DMY", "MDY", "YMD") says how numbers alone are read; without it "03/04/2018" is two
    dates, which is never right, and the reason says so. Raises UsageError for another order.
    """

    def fn(output: Any, case: Case) -> Score:
        want, got = read_dates(case.expected, order), read_dates(output, order)
        if len(want) == 1 and len(got) == 1:
            written = "" if str(got[0]) == output else f" ({got[0]})"
            return right_or_wrong(want == got, case.expected, output, written)
        fault = _fault(output, got) if len(got) != 1 else f"the expected value {_fault(case.expected, want)}"
        return Score(0.0, f"expected {shown(case.expected)}, got {shown(output)}: {fault}")

    def check(expected: Json) -> None:
        days = read_dates(expected, order)
        if not days:
            raise ValueError("the expected value is not a date")
        if len(days) > 1:
            raise ValueError(
                'the expected value may be several dates: say the order, as in grader_settings order="DMY"'
            )

    return dataclasses.replace(built("date", fn, order=order), kind="text", check=check)


def _fault(value: object, days: tuple[Day, ...]) -> str:
    if not days:
        return f"{shown(value)} is not a date"
    return f'{shown(value)} may be {" or ".join(map(str, days))}: say order="DMY" or "MDY"'
