"""Extraction: nothing first, then what, each with the words of the text that say so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
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


@pytest.mark.parametrize(("quote", "text"), [("5", "15 apples"), ("5", "5.2 kg"), ("12", "EUR 12,50"), ("50", "12.50")])
def test_a_part_of_a_number_is_not_the_number(quote, text):
    assert place_of_quote(quote, text) is None
    assert place_of_quote(quote, f"{text}; {quote}, really") is not None
