"""A blank input: no model is asked, and every kind of solution says the same of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from asked_samples import triage
from program_samples import make_words

import suffice as sf
from suffice.errors import UsageError
from suffice.programs.bundle import load, save_bundle
from suffice.programs.example_solution import Shown, example_solution
from suffice.programs.prompt import Example
from suffice.programs.route import route
from suffice.programs.solution import Solution
from suffice.programs.vote import Voting, vote_solution
from suffice.programs.words import from_form
from suffice.values import Answer

NOBODY = "http://127.0.0.1:9/v1#nobody"


@sf.step
async def team(ticket: str) -> Literal["billing", "shipping"]:
    """Which team?"""
    ...


def kinds(step: Any) -> list[Solution]:
    """A step, examples before it and a vote of it, on a model that is not there."""
    asking = step.using(model=NOBODY).asking()
    shown = Shown(asking, (Example({"ticket": "my invoice"}, "billing"),), 1)
    return [step.using(model=NOBODY).as_solution(), example_solution(shown), vote_solution(Voting(asking, 3, 0.7))]


@pytest.mark.parametrize("blank", ["", " \n", "\u00a0\ufeff", None])
def test_a_blank_input_is_handed_on_by_what_has_no_answer_to_it(tmp_path: Path, blank: str | None) -> None:
    for i, solution in enumerate([make_words(), *kinds(team)]):
        for one in (solution, route(solution), route(make_words(), solution, thresholds=[0.5, None])):
            bundle = load(save_bundle(one, tmp_path / str(i)))
            assert asyncio.run(bundle(blank)) is sf.ABSTAIN, one.name
    with pytest.raises(UsageError, match="blank"):  # who calls a step by itself was promised an answer of its type
        asyncio.run(team.using(model=NOBODY)(""))


def test_a_blank_input_is_answered_with_nothing_by_what_may_say_so(tmp_path: Path) -> None:
    for i, solution in enumerate(kinds(triage)):  # -> Team | None
        assert asyncio.run(load(save_bundle(solution, tmp_path / str(i)))("")) is None
    sure = vote_solution(Voting(triage.using(model=NOBODY).asking(), 3, 0.7))
    assert asyncio.run(route(sure, thresholds=[0.9]).reply("")) == Answer(None, 1.0, "triage")


def test_in_several_columns_blank_is_where_all_of_them_are() -> None:
    form = make_words().form
    assert form is not None
    words = from_form(replace(form, data={**form.data, "columns": ["subject", "body"]}))
    assert words.batch is not None
    blank, said, other = words.batch(
        [
            {"subject": "", "body": None, "id": 7},
            {"subject": "", "body": "my invoice", "id": 8},
            {"subject": "parcel", "body": " "},
        ]
    )
    assert (blank.value, said.value, other.value) == (sf.ABSTAIN, "billing", "shipping")
