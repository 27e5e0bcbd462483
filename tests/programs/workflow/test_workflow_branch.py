"""A branch: the classifier's label picks the handler, the default takes the rest, types are checked at once."""

from __future__ import annotations

import enum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import UsageError
from suffice.programs.workflow import branch
from suffice.values import ABSTAIN

Team = Literal["billing", "shipping"]


class Kind(enum.Enum):
    BILL = "billing"
    SHIP = "shipping"


@sf.step
async def triage(ticket: str) -> Team | None:
    """Which team?"""
    ...


def first_word(text: str):
    return text.split()[0] if text.split() else None


def bill(text: str) -> str:
    return f"bill {text}"


def ship(text: str) -> str:
    return f"ship {text}"


HANDLERS = {"billing": bill, "shipping": ship}


def test_the_label_picks_the_handler_which_is_given_the_inputs():
    value, root = grown(lambda: branch(first_word, HANDLERS, name="desk")("shipping a box"))
    assert value == "ship shipping a box"
    assert lines(root) == ["program desk", "  stage first_word", "  branch ship"]


@given(st.text(max_size=20))
def test_a_label_without_a_handler_goes_to_the_default_and_that_is_noted(text):
    made = branch(lambda given: given, HANDLERS, default=lambda given: "other")
    value, root = grown(lambda: made(text))
    assert value == {"billing": "bill billing", "shipping": "ship shipping"}.get(text, "other")
    assert ("no handler has this label" in str(lines(root))) == (text not in HANDLERS)


def test_without_a_default_a_label_without_a_handler_is_handed_on_with_a_note():
    value, root = grown(lambda: branch(first_word, HANDLERS)("returns please"))
    assert value is ABSTAIN and lines(root)[0] == "program branch (no handler has this label)"
    assert sf.run(branch(lambda text: ["a list"], HANDLERS)("x")) is ABSTAIN
    assert sf.run(branch(lambda text: 1, {True: bill})("x")) is ABSTAIN


def test_who_abstains_from_a_label_hands_on():
    assert sf.run(branch(lambda text: ABSTAIN, HANDLERS, default=bill)("x")) is ABSTAIN


def test_every_label_of_a_step_needs_a_handler_or_there_is_a_default():
    with pytest.raises(UsageError, match="triage may say None, and no handler"):
        branch(triage, HANDLERS)
    with pytest.raises(UsageError, match="never says 'biling'"):
        branch(triage, {"biling": bill}, default=ship)
    branch(triage, {**HANDLERS, None: ship})
    branch(triage, HANDLERS, default=ship)


def test_enums_go_by_their_values_in_types_and_at_run_time():
    def kind(text: str) -> Kind:
        return Kind(text)

    with pytest.raises(UsageError, match="may say 'shipping'"):
        branch(kind, {Kind.BILL: bill})
    assert sf.run(branch(kind, {"billing": bill, Kind.SHIP: ship})("shipping")) == "ship shipping"


def test_a_bool_has_two_labels():
    def long(text: str) -> bool:
        return len(text) > 3

    with pytest.raises(UsageError, match="may say False"):
        branch(long, {True: bill})
    assert sf.run(branch(long, {True: bill, False: ship})("x")) == "ship x"


def test_a_branch_without_handlers_is_refused():
    with pytest.raises(UsageError, match="at least one handler"):
        branch(first_word, {})
