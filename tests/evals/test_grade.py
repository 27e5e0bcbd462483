"""Graders: what is right, what is wrong, and what the reason says."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import SolutionError, UsageError
from suffice.evals import grade
from suffice.evals.numerals import read_number
from suffice.evals.split import SealedCase
from suffice.evals.user_grader import load_function
from suffice.values import ABSTAIN, Answer, Case, Json, Score


def _case(expected: Json, inputs: Json = "in") -> Case:
    return Case("c1", inputs, expected, "c1", "t.csv:2", "k", "h")


def _right(grader: grade.Grader, output: Any, expected: Json, inputs: Json = "in") -> bool:
    score = grader(output, _case(expected, inputs))
    assert score.reason and score.value in (0.0, 1.0)
    return score.value == 1.0


_OUTPUT = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_EXPECTED = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
ALL = [grade.exact(), grade.text(), grade.label(), grade.choice(), grade.number(), grade.contains(), grade.fields()]


@pytest.mark.parametrize("grader", ALL, ids=lambda g: g.name)
def test_nothing_is_an_answer_and_abstaining_is_handing_on(grader: grade.Grader) -> None:
    assert _right(grader, None, None)
    assert not _right(grader, None, "3") and not _right(grader, "3", None)
    assert grader(None, _case("3")).reason == "expected 3, got nothing"
    assert grader(ABSTAIN, _case(None)) == Score(0.0, "handed on")
    assert grader(Answer(ABSTAIN), _case("3")) == Score(0.0, "handed on")
    assert grader(Answer(None, 0.5), _case(None)).value == 1.0


@pytest.mark.parametrize(
    "grader", [*ALL, grade.regex("x"), grade.function(lambda output, case: True)], ids=lambda g: g.name
)
@given(output=_OUTPUT, expected=_EXPECTED)
def test_every_score_lies_between_0_and_1_with_one_short_line(
    grader: grade.Grader, output: Any, expected: Json
) -> None:
    score = grader(output, _case(expected))
    assert 0.0 <= score.value <= 1.0
    assert score.reason and score.reason.isprintable() and len(score.reason) < 400


def test_a_value_without_a_json_form_is_wrong_not_a_crash() -> None:
    for grader in ALL:
        assert not _right(grader, object(), "3")


@pytest.mark.parametrize(
    ("output", "expected", "right"),
    [
        ("a", "a", True),
        ("A", "a", False),
        (1, 1.0, True),
        (1, "1", False),
        (True, 1, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": [True]}, {"a": [1]}, False),
        ((1, 2), [1, 2], True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_exact(output: Any, expected: Json, right: bool) -> None:
    assert _right(grade.exact(), output, expected) is right


def test_text_folds_case_space_unicode_and_punctuation_on_demand() -> None:
    assert _right(grade.text(), "  The\nﬁrst  ÉTÉ", "the first e\u0301te\u0301")
    assert not _right(grade.text(), "yes.", "yes")
    assert _right(grade.text(ignore_punctuation=True), "yes.", "Yes!")
    assert not _right(grade.text(ignore_case=False), "Yes", "yes")


def test_a_wrong_label_says_what_was_expected_and_a_stranger_the_nearest() -> None:
    grader = grade.label(["billing", "shipping", "returns"])
    assert _right(grader, " Billing", "billing")
    assert grader("shipping", _case("billing")).reason == "expected billing, got shipping"
    assert grader("shiping", _case("billing")).reason == (
        "expected billing, got shiping (none of the 3 labels, nearest shipping)"
    )
    assert _right(grade.label(), 3, "3") and _right(grade.label(), True, "true")
    assert grader.identity == grade.label().identity


@pytest.mark.parametrize("output", ["B", "b", "(B)", "B.", "b)", "[B]", "blue", " BLUE ", "(B) blue", "b. Blue", 1])
def test_a_choice_is_known_by_letter_or_text(output: Any) -> None:
    inputs = {"question": "which?", "choices": ["red", "blue", "green"]}
    for expected in ("B", "(B)", "blue", 1):
        assert _right(grade.choice(), output, expected, inputs)
        assert not _right(grade.choice(), output, "C", inputs)


def test_choices_are_found_in_the_text_and_strangers_are_named() -> None:
    inputs = "Which?\nOptions:\n(A) red\n(B) blue"
    assert _right(grade.choice(), "blue", "(B)", inputs)
    assert not _right(grade.choice(), "(B) red", "(B)", inputs)
    assert "none of the choices" in grade.choice()("(E)", _case("(B)", inputs)).reason
    assert "none of the choices" in grade.choice()("Because of it", _case("B")).reason
    assert _right(grade.choice(), "A", "B", {"q": "?", "choices": ["B", "A"]}) is False
    assert _right(grade.choice(), "Inc, X", "inc,  x", {"q": "?", "choices": ["Inc", "X"]})
    assert _right(grade.choice(), "y", "x", {"choices": {"X": "y", "Y": "z"}})


_WRITTEN = {
    "1,234.50": "1234.5", "1.234,50": "1234.5", "1,234": "1234", "1.234": "1.234", "3,5": "3.5", "0,123": "0.123",
    "1,234,567": "1234567", "1.234.567": "1234567", "$3": "3", "-$3.20": "-3.2", "$-3": "-3", "3 €": "3",
    "−4": "-4", "12%": "12", "1'000": "1000", "1 000,5": "1000.5", "1\u202f000": "1000", " 18. ": "18", ".5": "0.5",
    "+7": "7", "1e3": "1000", "2.5E-3": "0.0025", "１２": "12", "1_000": "1000", 3: "3", 0.1: "0.1", "007": "7",
}  # fmt: skip
_NO_NUMBER = [
    "", "many", "1,23,4", "1.2.3", "--3", "3 4", "12 apples", "1,2345,678", "nan", "inf", "1e999", "$", "%",
    "1.234,567,8", True, None, [3], "9" * 101,
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), _WRITTEN.items())
def test_numbers_are_read_as_people_write_them(text: Any, value: str) -> None:
    number = read_number(text)
    assert number is not None and number.value == Decimal(value)


@pytest.mark.parametrize("text", _NO_NUMBER)
def test_what_is_no_number_is_none(text: Any) -> None:
    assert read_number(text) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3))
def test_a_number_with_thousands_separators_is_read_back(value: Decimal) -> None:
    for written in (f"{value:,}", str(value), f"${value:,}" if value >= 0 else str(value)):
        number = read_number(written)
        assert number is not None and number.value == value


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_none(text: str) -> None:
    for find in ("whole", "last"):
        number = read_number(text, find)  # type: ignore[arg-type]
        assert number is None or number.value.is_finite()


def test_number_is_exact_at_its_tolerance_and_says_by_how_much() -> None:
    assert _right(grade.number(0.1), 1.1, 1.0) and not _right(grade.number(0.1), 1.11, 1.0)
    assert _right(grade.number(relative=0.01), 101, 100) and not _right(grade.number(relative=0.01), 102, 100)
    assert "off by 3" in grade.number()("21", _case(18)).reason
    assert grade.number()("many", _case(18)).reason == "expected 18, got many, which is not a number"
    assert (
        _right(grade.number(), "12%", 0.12)
        and _right(grade.number(), "12%", 12)
        and _right(grade.number(), 0.12, "12%")
    )
    assert not _right(grade.number(), True, 1)
    assert _right(grade.number(find="last"), "so she makes $1,018 a day.", "9 * 2 = 18\n#### 1018")


def test_contains_wants_every_text() -> None:
    assert _right(grade.contains(), "The Quick\nbrown fox", ["quick brown", "FOX"])
    assert grade.contains()("the fox", _case(["fox", "dog"])).reason == "the fox does not contain dog"
    assert not _right(grade.contains(ignore_case=False), "FOX", "fox")


def test_regex_takes_its_own_pattern_or_the_cases() -> None:
    assert _right(grade.regex(r"^\d{3}$"), "123", "ignored") and not _right(grade.regex(r"^\d{3}$"), "1234", "ignored")
    assert _right(grade.regex(ignore_case=True), "Hello", "^h.*o$")
    assert _right(grade.regex(r"^\s*(\w+)\s*=\s*(\d+)\s*$"), "a = 3" + " " * 400, "x")
    with pytest.raises(UsageError, match="not a regular expression"):
        grade.regex("(")


@pytest.mark.parametrize(("pattern", "text"), [("(a+)+$", "a" * 40 + "b"), ("(a|a)*$", "a" * 40 + "b")])
def test_a_pattern_that_runs_away_is_given_up(pattern: str, text: str) -> None:
    start = time.monotonic()
    score = grade.regex(pattern)(text, _case("x"))
    assert score.value == 0 and "gave up" in score.reason
    assert time.monotonic() - start < 10


def test_fields_are_compared_by_their_kinds_and_wrong_ones_named() -> None:
    want: Json = {"company": "ACME  Ltd", "total": "9.00", "n": 2, "ok": True, "tags": ["a", "b"], "none": None}
    good = {"company": "acme ltd", "total": 9, "n": "2", "ok": True, "tags": ["A", "b"], "none": None, "extra": 1}
    assert _right(grade.fields(), good, want)
    assert not _right(grade.fields(extra=False), good, want)
    bad = {**good, "total": 8.5, "ok": 1}
    assert grade.fields()(bad, _case(want)).reason == "$.total: expected 9.00, got 8.5; $.ok: expected true, got 1"
    assert grade.fields(partial=True)(bad, _case(want)).value == pytest.approx(4 / 6)
    assert _right(grade.fields(tolerance=0.5), {**good, "total": 8.5}, want)
    assert not _right(grade.fields(), {**good, "tags": ["a", "b", "c"]}, want)


def test_fields_reads_json_text_and_lists_and_refuses_other_shapes() -> None:
    assert _right(grade.fields(), '{"a": 1}', {"a": 1}) and _right(grade.fields(), ["x"], ["X"])
    for wrong in ("{broken", "text", [1], 3, {}):
        assert not _right(grade.fields(), wrong, {"a": 1})
    assert not _right(grade.fields(), ["x", "y"], ["x"])


def test_a_function_is_called_by_position_or_by_the_names_it_asks_for() -> None:
    def by_name(expected: str, output: str) -> float:
        return 0.5 if output == expected else 0.0

    assert grade.function(by_name)("a", _case("a")).value == 0.5
    assert grade.function(lambda got, case: got == case.expected)("a", _case("a")).value == 1.0
    assert grade.function(lambda output, case: Score(0.25, "why"))("a", _case("a")) == Score(0.25, "why")
    assert grade.function(lambda *a: True)("a", _case("a")).value == 1.0


def test_a_function_of_the_wrong_shape_is_refused_before_it_runs() -> None:
    async def later(output: str, case: Case) -> bool:
        return True

    for wrong in (later, lambda: 1, lambda x: 1, lambda a, b, c: 1):
        with pytest.raises(UsageError):
            grade.function(wrong)


@pytest.mark.parametrize("returned", ["yes", None, 1.5, -1, float("nan")])
def test_a_function_that_returns_no_score_names_the_case(returned: Any) -> None:
    with pytest.raises(SolutionError, match=r"t\.csv:2: .* on case c1; it must return"):
        grade.function(lambda output, case: returned)("a", _case("a"))


def test_a_function_that_raises_names_the_case_and_on_a_sealed_one_holds_the_words_back() -> None:
    def broken(output: str, case: Case) -> bool:
        raise KeyError(f"canary {case.inputs}")

    with pytest.raises(SolutionError, match=r"raised KeyError: .*canary in.* on case c1"):
        grade.function(broken)("a", _case("a"))
    sealed = SealedCase("c1", "canary", "canary", "c1", "t.csv:2", "k", "h")
    with pytest.raises(SolutionError) as caught:
        grade.function(broken)("a", sealed)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    with pytest.raises(SolutionError, match="SystemExit"):
        grade.function(lambda output, case: exit(3))("a", _case("a"))


class Panic(BaseException):
    """What a library made in another language may raise: no Exception."""


def test_a_function_may_raise_anything_but_only_ctrl_c_and_cancellation_pass() -> None:
    def raising(error: BaseException) -> grade.Grader:
        def broken(output: str, case: Case) -> bool:
            raise error

        return grade.function(broken)

    sealed = SealedCase("c1", "canary", "canary", "c1", "t.csv:2", "k", "h")
    with pytest.raises(SolutionError, match="raised Panic: canary on case c1"):
        raising(Panic("canary"))("a", _case("a"))
    with pytest.raises(SolutionError, match="raised Panic on case c1") as caught:
        raising(Panic("canary"))("a", sealed)
    assert caught.value.__context__ is None and "canary" not in str(caught.value)
    with pytest.raises(KeyboardInterrupt) as stopped:
        raising(KeyboardInterrupt("canary"))("a", sealed)
    assert stopped.value.args == ()
    with pytest.raises(asyncio.CancelledError):
        raising(asyncio.CancelledError())("a", sealed)


def test_identity_follows_name_settings_and_source() -> None:
    assert grade.number(0.1).identity == grade.named("number", {"tolerance": 0.1}).identity != grade.number().identity
    assert grade.number(0.1) == grade.number(0.1) != grade.number(0.2)

    def one(output: str, case: Case) -> bool:
        return True

    def two(output: str, case: Case) -> bool:
        return False

    assert grade.function(one).identity == grade.function(one).identity != grade.function(two).identity


def test_a_changed_helper_in_a_grader_file_is_another_grader_and_a_comment_is_not(tmp_path: Path) -> None:
    def identity(source: str) -> str:
        (tmp_path / "grade.py").write_text(source, encoding="utf-8")
        return grade.function(load_function("grade.py:score", tmp_path, trust=True)).identity

    source = "def limit():\n    return 3\n\ndef score(output, case):\n    return len(output) < limit()\n"
    first = identity(source)
    assert identity("# a comment\n" + source) == first
    assert identity(source.replace("3", "4")) != first


def test_unknown_graders_and_settings_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean label"):
        grade.named("lable")
    with pytest.raises(UsageError, match="tolerance"):
        grade.named("number", {"tol": 1})
    for wrong in ({"tolerance": -1}, {"tolerance": "x"}, {"find": "first"}):
        with pytest.raises(UsageError):
            grade.named("number", wrong)


def test_each_kind_has_its_grader() -> None:
    assert [grade.default_grader(k).name for k in ("label", "number", "choice", "text", "fields")] == [
        "label", "number", "choice", "text", "fields",
    ]  # fmt: skip


def test_a_huge_hostile_answer_gives_a_short_harmless_reason() -> None:
    for grader in ALL:
        reason = grader("\x1b[31m<script>" + "x" * 10_000_000, _case("a")).reason
        assert len(reason) < 300 and "\x1b" not in reason
