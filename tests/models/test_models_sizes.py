"""The bound of a request's input: above what providers count, and near it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import pytest

from suffice.exchange import Message, OutputSpec, Request, Tool
from suffice.models.output.typed import output_type
from suffice.models.places.address import address
from suffice.models.sizes import input_bound
from suffice.models.stack import asked_of

TEXT = "Which team should handle this ticket?\n\nwhere is my parcel"
MODELS = ["openai:gpt-5-mini", "openai:gpt-3.5-turbo", "anthropic:claude-haiku-4-5", "deepseek:deepseek-chat", "groq:x"]


def asked(model: str, output: Any = Literal["billing", "shipping"], **more: Any) -> tuple[Request, int]:
    """A request for a value of this type as the model's endpoint takes it, and the bound of its input."""
    place = address(model)
    typed = output_type(output)
    spec = None
    if typed.spec_schema is not None:
        spec = asked_of(place.endpoint, OutputSpec(typed.name, typed.spec_schema))
    request = Request(place.model, (Message("user", TEXT),), 256, output=spec, **more)
    return request, input_bound(request, place.endpoint.quirks.preamble)


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("openai:gpt-5-mini", 340),
        ("openai:gpt-3.5-turbo", 340),
        ("deepseek:deepseek-chat", 320),
        ("anthropic:claude-haiku-4-5", 1_300),  # with Claude's own words on tools, of which there are up to 804
        ("https://models.example.org/v1#m", 1_300),  # what nobody knows is not taken for nothing
    ],
)
def test_a_short_typed_call_reserves_little_more_than_its_texts(model: str, most: int) -> None:
    assert 150 < asked(model)[1] < most


def test_a_plain_call_reserves_its_bytes_and_what_stands_around_a_turn() -> None:
    assert {asked(model, str)[1] for model in MODELS} == {len(TEXT) + 16}


@pytest.mark.parametrize(
    "output", [Literal["billing", "shipping"], Literal["账单", "物流", "é" * 40], dict[str, list[int]]]
)
@pytest.mark.parametrize("model", MODELS)
def test_all_that_the_model_may_read_is_in_the_bound(model: str, output: Any) -> None:
    """Each byte of each text that is sent, and of a schema as a server may write it down again: with escapes and
    blanks."""
    request, bound = asked(model, output)
    assert request.output is not None
    place = address(model)
    body = json.loads(place.endpoint.dialect.encode(request, place.endpoint.quirks, False))
    read = len(TEXT) + len(json.dumps(dict(request.output.schema)))
    if request.output.mode in ("json", "text"):
        [turn] = body["messages"]
        said = turn["content"] if isinstance(turn["content"], str) else turn["content"][0]["text"]
        read = len(said.encode())
        assert bound == read + 16
    assert bound >= read + {"schema": 9, "tool": 12}.get(request.output.mode, 0)
    if place.endpoint.provider == "anthropic":
        assert bound >= read + 804  # the most that Anthropic documents of its own words on tools


def test_what_no_model_reads_is_not_counted_and_what_may_turn_something_on_is() -> None:
    request, bound = asked("openai:gpt-5-mini")
    said = replace(request, model="a" * 200, temperature=0.5, seed=7, stop=("###",), max_output_tokens=9_000)
    assert input_bound(said, 64) == bound
    assert asked("openai:gpt-5-mini", extra={"web_search_options": {}})[1] >= bound + 936


def test_a_tool_counts_with_its_name_its_words_and_its_parameters() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = Tool("weather", "The weather somewhere. " * 20, parameters)
    one, two = (asked("openai:gpt-5-mini", str, tools=(tool, replace(tool, name="more"))[:n])[1] for n in (1, 2))
    assert two - one >= len(tool.description) + len(json.dumps(parameters))
    assert one >= len(TEXT) + len(tool.name) + len(tool.description) + len(json.dumps(parameters))
