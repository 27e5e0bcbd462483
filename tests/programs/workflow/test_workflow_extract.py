"""Extraction: nothing first, then what, each with the words of the text that say so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict
from upstream_faults import Ok
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import SolutionError, UsageError
from suffice.programs.workflow import extract
from suffice.programs.workflow.quotes import place_of_quote
from suffice.values import ABSTAIN
from upstream import upstream

LETTER = "Please pay EUR 12.50\n by Friday, and EUR 5 later. EUR 5 is a fee."


class Amount(BaseModel):
    amount: float
    quote: str


class Unquoted(BaseModel):
    amount: float


class Row(TypedDict):
    amount: float


def amounts(*found: tuple[float, str]):
    return lambda text: [Amount(amount=amount, quote=quote) for amount, quote in found]


def test_values_come_with_the_place_of_their_words():
    found = sf.run(extract(lambda text: True, amounts((12.5, "EUR  12.50 by"), (5, "EUR 5")))(LETTER))
    assert [f["amount"] for f in found] == [12.5, 5]
    assert found[0]["quote"] == "EUR 12.50\n by"
    assert all(LETTER[f["start"] : f["end"]] == f["quote"] for f in found)


def test_equal_words_take_one_place_after_another():
    found = sf.run(extract(None, amounts((5, "EUR 5"), (5, "EUR 5")))(LETTER))
    assert [f["start"] for f in found] == [LETTER.index("EUR 5 later"), LETTER.index("EUR 5 is")]


def test_values_whose_words_do_not_stand_there_are_left_out_and_counted():
    made = extract(None, amounts((7, "EUR 7"), (1, "EUR 1"), (0, " "), (5, "EUR 5")))
    found, root = grown(lambda: made(LETTER))
    assert [f["amount"] for f in found] == [5]
    assert "3 of 4 left out" in lines(root)[0]


def test_where_there_is_nothing_nobody_is_asked_what():
    assert sf.run(extract(lambda text: False, lambda text: 1 / 0)(LETTER)) == []
    assert sf.run(extract(lambda text: True, lambda text: None)(LETTER)) == []
    assert sf.run(extract(lambda text: ABSTAIN, lambda text: 1 / 0)(LETTER)) is ABSTAIN


def test_texts_are_their_own_quotes_and_another_step_may_say_them():
    found = sf.run(extract(None, lambda text: ["Friday", "Monday"])(LETTER))
    assert found == [{"value": "Friday", "start": 25, "end": 31, "quote": "Friday"}]
    where = {"deadline": "by Friday"}
    found = sf.run(extract(None, lambda text: ["deadline"], lambda text, item: where[item])(LETTER))
    assert found[0]["value"] == "deadline" and found[0]["quote"] == "by Friday"


@pytest.mark.parametrize("type_", [list[Unquoted], list[Row] | None, tuple[Amount | Unquoted, ...]])
def test_items_whose_type_has_no_quote_are_refused_when_it_is_made(type_):
    def what(text):
        return []

    what.__annotations__["return"] = type_
    with pytest.raises(UsageError, match="has no field quote") as found:
        extract(None, what)
    assert "quote: str" in found.value.hint
    extract(None, what, lambda text, item: "Friday")
    what.__annotations__["return"] = list[float]
    with pytest.raises(UsageError, match="a bare float has no words"):
        extract(None, what)


@pytest.mark.parametrize("type_", [list[Amount], list[str], list[dict], list[Any], list, None, list[Amount] | None])
def test_items_that_have_or_may_have_a_quote_are_taken(type_):
    def what(text):
        return []

    what.__annotations__["return"] = type_
    assert sf.run(extract(None, what)(LETTER)) == []


def test_a_step_whose_items_have_no_quote_is_refused_and_items_of_no_type_when_they_come():
    @sf.step
    async def which(text: str) -> list[Unquoted]:
        """Which amounts?"""
        ...

    with pytest.raises(UsageError, match="Unquoted has no field quote"):
        extract(None, which)
    with pytest.raises(SolutionError, match="no item of <lambda> has the field quote"):
        sf.run(extract(None, lambda text: [{"amount": 5}])(LETTER))
    some = sf.run(extract(None, lambda text: [{"amount": 5}, {"amount": 5, "quote": "EUR 5"}])(LETTER))
    assert len(some) == 1


def test_of_several_inputs_one_is_quoted():
    made = extract(None, lambda letter, customer: ["Friday"], text="letter")
    assert sf.run(made(letter=LETTER, customer="Friday")) == sf.run(extract(None, lambda text: ["Friday"])(LETTER))
    with pytest.raises(SolutionError, match="which text is quoted"):
        sf.run(extract(None, lambda letter, customer: [])(letter="a", customer="b"))


def test_what_is_no_list_and_no_bool_is_refused():
    with pytest.raises(SolutionError, match="gives a list"):
        sf.run(extract(None, lambda text: "Friday")(LETTER))
    with pytest.raises(SolutionError, match="True or False"):
        sf.run(extract(lambda text: "yes", lambda text: [])(LETTER))


class Booking(BaseModel):
    start: str
    quote: str


class Stay(TypedDict):
    start: str
    end: str
    quote: str


@dataclass
class Night:
    end: str
    quote: str


class Open(BaseModel, extra="allow"):
    start: str


class Renamed(BaseModel):
    start: str = Field(serialization_alias="starts_on")
    quote: str


@pytest.mark.parametrize("type_", [Booking, Stay, Night, Open])
@pytest.mark.parametrize("spans", [None, lambda text, item: "Friday"])
def test_a_type_with_a_start_or_end_of_its_own_is_refused_when_it_is_made(type_, spans):
    def what(text):
        return []

    what.__annotations__["return"] = list[type_]
    with pytest.raises(UsageError, match=f"{type_.__name__} has a field ") as error:
        extract(None, what, spans)
    assert "name it otherwise" in error.value.hint


def test_a_field_that_would_be_overwritten_is_refused_when_it_comes_and_another_name_is_kept():
    def found(*items, spans=None):
        return sf.run(extract(None, lambda text: list(items), spans)(LETTER))

    for own in ({"start": "noon"}, {"end": None}, {"start": "noon", "end": "one"}):
        with pytest.raises(SolutionError, match="of its own") as error:
            found({"quote": "EUR 5"}, {**own, "quote": "Friday"})
        assert "name it otherwise" in error.value.hint
        with pytest.raises(SolutionError, match="of its own"):
            found(own, spans=lambda text, item: "Friday")
    kept = found(Renamed(start="noon", quote="Friday"), {"starts": "noon", "quote": "Friday"})
    assert (kept[0]["starts_on"], kept[1]["starts"], kept[0]["start"]) == ("noon", "noon", LETTER.index("Friday"))


@pytest.mark.parametrize(
    ("item", "said"), [(ABSTAIN, "is ABSTAIN"), ({"quote": "EUR 5", "by": object()}, "no JSON form")]
)
def test_an_item_without_a_json_form_is_refused_in_words(item, said):
    with pytest.raises(SolutionError, match=said):
        sf.run(extract(None, lambda text: ["Friday", item])(LETTER))


@pytest.mark.parametrize("place", [(0, 3), 5, None, ["Friday"]])
def test_spans_that_say_no_text_are_refused(place):
    with pytest.raises(SolutionError, match="says the words of an item, a text, not a ") as error:
        sf.run(extract(None, lambda text: ["Friday"], lambda text, item: place)(LETTER))
    assert "return the words" in error.value.hint


@pytest.mark.parametrize("nothing", ["", ABSTAIN])
def test_an_item_of_which_spans_find_no_words_is_left_out(nothing):
    found = extract(None, lambda text: ["day", "fee"], lambda text, item: "Friday" if item == "day" else nothing)
    assert [one["value"] for one in sf.run(found(LETTER))] == ["day"]


def test_steps_with_types_find_and_quote():
    @sf.step
    async def any_amount(text: str) -> bool:
        """Is there any amount?"""
        ...

    @sf.step
    async def which(text: str) -> list[Amount]:
        """Which amounts, with their words?"""
        ...

    def script(asked):
        if "Is there" in asked.body["messages"][0]["content"]:
            return Ok('{"answer": true}')
        items = [{"amount": 5.0, "quote": "EUR 5"}, {"amount": 9.0, "quote": "EUR 9"}]
        return Ok(json.dumps({"answer": items}))

    with upstream(script) as up, sf.using(model=f"{up.url}#m"):
        solution = extract(any_amount, which).as_solution()
        assert [f["amount"] for f in sf.run(solution(LETTER))] == [5.0]


@given(st.text(max_size=30), st.text(min_size=1, max_size=5), st.text(max_size=30))
def test_what_stands_in_a_text_is_found_there_word_for_word(before, quote, behind):
    found = place_of_quote(quote, f"{before} {quote} {behind}")
    assert (found is None) == (not quote.split())
    if found is not None:
        assert f"{before} {quote} {behind}"[found[0] : found[1]].split() == quote.split()


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("5", "15 apples"),
        ("5", "5.2 kg"),
        ("12", "EUR 12,50"),
        ("50", "12.50"),
        ("EUR 12,", "EUR 12,50"),
        ("5", ".5 mg"),
        (".5", "0.5 mg"),
        ("200", "1'200 CHF"),
        ("1", "1’200 CHF"),
        ("1'200", "1'200'000 CHF"),
        ("500", "12\u202f500 EUR"),
        ("12", "12\u00a0500 EUR"),
        ("500", "12\u2009500.75 EUR"),
        ("12", "-12 C"),
        ("12", "at −12 C"),
        ("12", "(–12)"),
        ("5", "-.5 mg"),
        ("-12", "10-12 days"),
        ("5", "1e5"),
        ("1", "1e5"),
        ("7", "1.5E-7"),
    ],
)
def test_a_part_of_a_number_is_not_the_number(quote, text):
    assert place_of_quote(quote, text) is None
    found = place_of_quote(quote, f"{text}; {quote}, really")
    assert found == (len(text) + 2, len(text) + 2 + len(quote))


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        (".5 mg", "take .5 mg"),
        ("1'200", "1'200 CHF"),
        ("12 500 EUR", "12\u202f500 EUR"),
        ("-12 C", "at -12 C"),
        ("12", "10-12 days"),
        ("10", "10–12 days"),
        ("15%", "10%-15%"),
        ("12", "model A-12"),
        ("19", "COVID-19"),
        ("5", "see No.5"),
        ("10", "5'10\""),
        ("500", "in 2024\u00a0500 came"),
        ("1e5", "1e5 cells"),
        ("12.05.2024", "on 12.05.2024."),
        ("5", "5, 6 and 7"),
        ("500 EUR", "pay 12: 500 EUR"),
        ("EUR", "EUR 5"),
    ],
)
def test_a_whole_number_is_found_whatever_stands_around_it(quote, text):
    found = place_of_quote(quote, text)
    assert found is not None and text[found[0] : found[1]].split() == quote.split()
