"""`suffice questions` and `answer` where a run asks several people at once, and where it has gone on from an answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from cli_samples import Command

from suffice.errors import Waiting
from suffice.programs import durable
from suffice.programs.asking import ask_human


async def side_by_side() -> Any:
    ships, pays = ask_human("Ship it?", ["yes", "no"]), ask_human("Pay how much?")
    return await asyncio.gather(ships, pays, ask_human("Why?"))


async def in_turn() -> str:
    return f"{await ask_human('How many?')} for {await ask_human('For how much?')}"


def go(suffice: Command, program: Any) -> Any:
    return asyncio.run(durable.run(program, id="refund-17", store=suffice.home))


def stops(suffice: Command, program: Any) -> None:
    with pytest.raises(Waiting):
        go(suffice, program)


def test_questions_side_by_side_are_listed_with_their_numbers(suffice: Command) -> None:
    stops(suffice, side_by_side)
    assert suffice("questions").out.splitlines() == [
        "program-1   refund-17  side_by_side, question 1: Ship it? (yes, no)",
        "program-1   refund-17  side_by_side, question 2: Pay how much?",
        "program-1   refund-17  side_by_side, question 3: Why?",
    ]
    listed = [json.loads(line) for line in suffice("questions", "--json").out.splitlines()]
    run = {"run": "program-1", "id": "refund-17"}
    assert listed[0] == {**run, "number": 1, "question": "Ship it?", "choices": ["yes", "no"]}
    assert [(line["number"], line["choices"]) for line in listed[1:]] == [(2, []), (3, [])]


def test_a_question_is_answered_by_its_number_and_the_last_one_left_looks_as_a_single_one(suffice: Command) -> None:
    stops(suffice, side_by_side)
    told = suffice("answer", "refund-17", "49.90", "--question", "2")
    assert told.code == 0 and "it asks 2 things more, question 1 first: Ship it?" in told.err
    assert "it asks one thing more: Ship it?" in suffice("answer", "refund-17", "late", "--question", "3").err
    assert suffice("questions").out == "program-1   refund-17  side_by_side: Ship it? (yes, no)\n"
    replace = ("answer", "program-1", "50", "--question", "2", "--replace")
    suffice(*replace[:-1]).refused("already answered: 49.90", f"hint: suffice {' '.join(replace)}")
    assert suffice(*replace).code == 0
    unknown = suffice("answer", "refund-17", "yes", "--question", "4")
    unknown.refused("has no question 4: it asked 1, 2, 3", "hint: suffice answer program-1 yes --question 1")
    suffice("answer", "refund-17", "yes", "--question", "0").refused("whole number of at least 1")
    assert "goes on from there" in suffice("answer", "refund-17", "yes").err
    assert go(suffice, side_by_side) == ["yes", "50", "late"]


def test_an_answer_that_the_run_has_gone_on_from_is_not_replaced(suffice: Command) -> None:
    stops(suffice, in_turn)
    suffice("answer", "refund-17", "3")
    stops(suffice, in_turn)
    instead = suffice("answer", "refund-17", "4", "--question", "1", "--replace")
    instead.refused(r"How many\? was answered: 3, and program-1 has gone on", "hint: suffice trace program-1")
    suffice("answer", "refund-17", "9")
    assert go(suffice, in_turn) == "3 for 9"
