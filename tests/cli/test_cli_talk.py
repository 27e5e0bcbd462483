"""The one place where text leaves a command: harmless to a terminal, and still the same value to a JSON reader."""

from __future__ import annotations

import contextlib
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.cli.deciding import plain_name
from suffice.cli.talk import data, data_json
from suffice.shown import harmless

TEXT = st.text(st.characters(), max_size=60)  # half surrogate pairs and control characters included
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def printed(call: object, *given: object) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        call(*given)  # type: ignore[operator]
    return out.getvalue()


@given(TEXT)
def test_nothing_that_leaves_can_drive_a_terminal_or_break_an_encoding(text: str) -> None:
    for shown in (harmless(text), printed(data, text), printed(data_json, [text])):
        assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in shown.replace("\n", "").replace("\t", ""))
        assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
        shown.encode("utf-8")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=60))
def test_words_of_any_language_stay_as_they_are(text: str) -> None:
    assert harmless(f"{text} \N{FAMILY}\n\t") == f"{text} \N{FAMILY}\n\t"


@given(VALUES)
def test_json_means_the_same_value(value: object) -> None:
    assert json.loads(printed(data_json, value)) == value


def test_what_is_no_number_is_null() -> None:
    assert printed(data_json, {"a": [float("nan"), float("inf"), 1.5]}) == '{"a": [null, null, 1.5]}\n'


@pytest.mark.parametrize("name", ["../../etc/x", "/abs", "..", "", "a/b\\c", "\x1b[2J", "C:\\x", "name\n"])
def test_a_task_cannot_choose_where_its_bundle_is_written(name: str) -> None:
    plain = plain_name(name)
    assert plain and not plain.startswith((".", "-")) and not set(plain) & set("/\\:\n\x1b")
