"""Dates: the forms that are read, the ones that are two dates, and what the reason says."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from grader_samples import ANY, case, value
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import DataError, UsageError
from suffice.evals import grade
from suffice.evals.calendar_dates import Order, read_dates
from suffice.evals.task import Task

FORMS = (
    "%Y-%m-%d|%Y%m%d|%Y/%m/%d|%Y-%m-%dT%H:%M:%SZ|%Y-%m-%d 10:00:00+02:00|%d %b %Y|%d %B %Y|%B %d, %Y|%b. %d, %Y|"
    "%A, %d %B %Y|%a %d %b %Y 8:13 PM|%d-%b-%Y|%d%b%Y|the %dth of %B %Y|%Y %B %d|%Y年%m月%d日|%dth of %B, %Y at 10:30"
).split("|")


@given(st.dates(datetime.date(1000, 1, 1)), st.sampled_from(FORMS))
def test_a_day_is_read_from_any_form_that_has_one_meaning(day: datetime.date, form: str) -> None:
    assert [str(d) for d in read_dates(day.strftime(form))] == [day.isoformat()]


@pytest.mark.parametrize(
    ("text", "order", "days"),
    [
        ("25/12/2018 8:13:39 PM", None, ["2018-12-25"]),
        ("03/04/2018", None, ["2018-03-04", "2018-04-03"]),
        ("03/04/2018", "DMY", ["2018-04-03"]),
        ("03.04.2018", "MDY", ["2018-03-04"]),
        ("12-01-19", None, ["2012-01-19", "2019-01-12", "2019-12-01"]),
        ("12-01-19", "YMD", ["2012-01-19"]),
        ("12/28/2017", "DMY", []),
        ("31/12/68", "DMY", ["2068-12-31"]),
        ("31/12/69", "DMY", ["1969-12-31"]),
        ("25-Dec-18", None, ["2018-12-25"]),
        ("1er janvier 2020", None, ["2020-01-01"]),
        ("3. März 2020", None, ["2020-03-03"]),
        ("Dec 2018", None, ["2018-12"]),
        ("12/2018", None, ["2018-12"]),
        ("2018", None, ["2018"]),
        (20181225, None, ["2018-12-25"]),
        ("(06/12/2016)", "DMY", ["2016-12-06"]),
    ],
)
def test_numbers_are_read_in_the_order_that_was_said(text: Any, order: Order | None, days: list[str]) -> None:
    assert [str(d) for d in read_dates(text, order)] == days


@pytest.mark.parametrize("text", ["", "hello", "12", "10:30", "2018-13-45", "30 Feb 2018", "1/1/1", "yesterday", True])
def test_what_is_no_date_is_none(text: Any) -> None:
    assert read_dates(text) == ()


def test_a_date_that_may_be_two_is_never_right_and_the_reason_says_why() -> None:
    reason = grade.date()("03/04/2018", case("2018-04-03")).reason
    assert reason == (
        'expected 2018-04-03, got 03/04/2018: 03/04/2018 may be 2018-03-04 or 2018-04-03: say order="DMY" or "MDY"'
    )
    assert value(grade.date(order="DMY"), "03/04/2018", "3 April 2018") == 1.0
    assert grade.date()("soon", case("2018-04-03")).reason.endswith("soon is not a date")
    assert grade.date()("4 April 2018", case("2018-04-03")).reason.endswith("got 4 April 2018 (2018-04-04)")
    assert value(grade.date(), "2018-12", "2018-12-01") == 0.0
    with pytest.raises(UsageError, match="order is"):
        grade.date(order="dmy")  # type: ignore[arg-type]


def test_an_expected_value_that_is_no_date_or_two_is_a_bad_row() -> None:
    rows = [{"text": f"t{i}", "expected": "2018-04-03"} for i in range(5)]
    assert Task(rows, grader="date").kind == "text"
    with pytest.raises(DataError, match=r"may be several dates: say the order.*order="):
        Task([*rows, {"text": "x", "expected": "03/04/2018", "split": "dev"}], grader="date")
    with pytest.raises(DataError, match="is not a date"):
        Task([*rows, {"text": "x", "expected": "soon"}], grader="date")


@given(ANY, ANY)
def test_no_json_makes_it_raise_and_both_sides_agree(one: Any, other: Any) -> None:
    assert value(grade.date(), one, other) == value(grade.date(), other, one)


def test_the_dates_of_real_receipts_are_read() -> None:
    path = Path(__file__).parents[4] / "shared/data/sroie/receipts.jsonl"
    if not path.is_file():
        pytest.skip("no shared/data/sroie")
    dates = [json.loads(line)["fields"].get("date") for line in path.read_text(encoding="utf-8").splitlines()]
    unread = [d for d in dates if len(read_dates(d, "DMY")) != 1]
    assert sorted(unread) == ["12/13/2016", "12/28/2017", "25032018"]
