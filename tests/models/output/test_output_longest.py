"""How long an answer can be follows from its type, generously, and a type without an end has no such length."""

from __future__ import annotations

import json
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field

from suffice.models.output.longest import LEAST
from suffice.models.output.typed import output_type
from suffice.models.tokens import upper_bound


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Verdict(BaseModel):
    fits: bool
    team: Literal["billing", "shipping"] | None
    stars: int = Field(ge=1, le=5)


class Pair(BaseModel):
    first: Verdict
    second: Verdict


class Free(BaseModel):
    fits: bool
    why: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    fits: bool


class Tree(BaseModel):
    fits: bool
    child: Tree | None = None


SHORT = [bool, int, float, bool | None, Colour, Colour | None, Literal["a", "b"], Verdict, Pair, date, UUID, Literal[1]]
ENDLESS = [list[int], list[Literal["a"]], dict[str, int], Free, Open, Tree, str | None, set[bool], Any]


@pytest.mark.parametrize("tp", SHORT, ids=repr)
def test_a_bounded_type_has_a_length_far_under_the_default_cap(tp: Any) -> None:
    tokens = output_type(tp).tokens
    assert tokens is not None and LEAST <= tokens < 700


@pytest.mark.parametrize("tp", ENDLESS, ids=repr)
def test_a_text_a_list_an_open_object_and_a_type_that_holds_itself_have_none(tp: Any) -> None:
    assert output_type(tp).tokens is None


def test_plain_text_has_none() -> None:
    assert output_type(str).tokens is None


def test_the_longest_label_fits_with_a_fence_indented_and_escaped() -> None:
    label = "Zürich–漢字 " * 60
    typed = output_type(Literal["kurz", label] | None)  # type: ignore[valid-type]
    text = f"```json\n{json.dumps({'answer': label}, indent=4)}\n```"
    assert typed.parse(text) == label
    assert typed.tokens is not None and typed.tokens >= upper_bound(text)


def test_a_bounded_list_and_a_bounded_text_count_every_item() -> None:
    short = output_type(Annotated[list[Annotated[str, Field(max_length=10)]], Field(max_length=3)]).tokens
    longer = output_type(Annotated[list[Annotated[str, Field(max_length=10)]], Field(max_length=30)]).tokens
    assert short is not None and longer is not None and longer >= 30 * 60 > short
    assert output_type(tuple[bool, Literal["a"]]).tokens == LEAST


def test_a_length_beyond_all_measure_takes_no_time() -> None:
    assert output_type(Annotated[list[int], Field(max_length=10**9)]).tokens > 10**9  # type: ignore[operator]
