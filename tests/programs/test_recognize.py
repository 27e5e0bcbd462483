"""What is found in a text: dates, amounts, currencies, lines; bounded in time whatever the text."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.programs.recognize import KINDS, Page, size


def values(kind: str, text: str) -> list[Any]:
    return [f.value for f in Page(text).found(kind)]


@pytest.mark.parametrize(
    ("text", "day_first", "month_first"),
    [
        ("05/03/2024", "2024-03-05", "2024-05-03"),
        ("5.3.24", "2024-03-05", "2024-05-03"),
        ("12/25/2023", "2023-12-25", "2023-12-25"),
        ("25-12-99", "1999-12-25", "1999-12-25"),
        ("2024-02-29T10:00", "2024-02-29", "2024-02-29"),
        ("2024/2/9", "2024-02-09", "2024-02-09"),
        ("20231231", "2023-12-31", "2023-12-31"),
        ("Mon 3rd Feb 2025", "2025-02-03", "2025-02-03"),
        ("July 4, 2024", "2024-07-04", "2024-07-04"),
        ("le 3 févr. 2024", "2024-02-03", "2024-02-03"),
        ("11 de marzo de 2024", "2024-03-11", "2024-03-11"),
        ("5. März 2024", "2024-03-05", "2024-03-05"),
        ("07-Oct-2023", "2023-10-07", "2023-10-07"),
        ("2024年12月22日 16:04", "2024-12-22", "2024-12-22"),
        ("30/02/2024", None, None),
        ("32/13/2024", None, None),
        ("5 marker 2024", None, None),
        ("192.168.10.24", None, None),
    ],
)
def test_dates_are_read_in_either_order(text: str, day_first: str | None, month_first: str | None) -> None:
    assert values("date-dmy", text) == ([day_first] if day_first else [])
    assert values("date-mdy", text) == ([month_first] if month_first else [])


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("TOTAL RM33.92", [33.92]),
        ("1,234.50 and 1.234,50 and 1 234,50", [1234.5, 1234.5, 1234.5]),
        ("CHF 1'234.50", [1234.5]),
        ("-$12.00  $-12.00  12.00-  (12.00)  −12,00", [-12.0, -12.0, -12.0, -12.0, -12.0]),
        ("5 000 Ft, ¥1,200, 250 kr", [5000, 1200, 250]),
        ("qty 3 of 12, table 4, 15%, 20,00 %", []),
        ("2 1.50 3.00", [1.5, 3.0]),
        ("12.345.678,90", [12345678.9]),
        ("ref 1.2.3 25.12.2024 10.30.11", []),
    ],
)
def test_amounts_have_cents_or_a_currency(text: str, amounts: list[float]) -> None:
    assert values("amount", text) == amounts


def test_other_kinds() -> None:
    assert values("currency", "US$ 3 or € 4 or RM5 or 250 kr, 12 EUR") == ["USD", "EUR", "MYR", "EUR"]
    assert values("number", "3 apples, 4.5 kg, 1,900 and -7") == [3, 4.5, 1900, -7]
    assert values("email", "to a.b@c-d.co.uk.") == ["a.b@c-d.co.uk"]
    assert values("time", "at 14:05 or 7:30 PM") == ["14:05", "7:30 PM"]
    assert "A-00417/22" in values("code", "inv A-00417/22")
    assert values("line", "** Shop **\n\n  Street 1 ") == ["Shop", "Street 1"]
    assert values("rest", "Vendor: Foo Ltd") == ["Foo Ltd", "Ltd"]


def test_what_stands_before_a_value_is_on_its_line_or_above_it() -> None:
    page = Page("TOTAL DUE: 9.00\nCASH\nRM\n10.00")
    assert [page.before(f) for f in page.found("amount")] == [" total due ", " rm "]


@pytest.mark.parametrize(
    ("value", "number"), [("1,234.50", 1234.5), (3, 3.0), ("-7,40", -7.4), ("x", None), ("", None)]
)
def test_how_large_a_value_is(value: Any, number: float | None) -> None:
    assert size(value) == number


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    page = Page(text)
    for kind in KINDS:
        for found in page.found(kind):
            assert 0 <= found.start <= found.end <= len(page.lines[found.line])
            page.before(found), page.behind(found)


@pytest.mark.parametrize(
    "unit", ["1", "1 ", "1.", "1-", "1/2", "a1", "+1(2) ", "jan ", "1 jan ", "@a.", "€1", "a.b@", "-"]
)
def test_no_text_makes_a_pattern_run_away(unit: str) -> None:
    page = Page("\n".join([unit * 400] * 50) + unit * 200_000)
    start = time.perf_counter()
    for kind in KINDS:
        page.found(kind)
    assert time.perf_counter() - start < 4
