"""A server that does not take a way of asking for an output is asked in the next one, and that is remembered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_call import FAST, ask, model
from upstream_faults import Asked, Fault, Ok, Status, StreamOk

import suffice as sf
from suffice.errors import OutputError, RefusedError
from suffice.models.output.typed import output_type
from suffice.models.places.address import address
from suffice.models.stack import known_modes
from upstream import Upstream, upstream

Team = Literal["billing", "delivery"]
GOOD = '{"answer":"billing"}'


def way(asked: Asked) -> str:
    """How an output was asked for."""
    said = asked.said
    if "response_format" in said:
        return str(said["response_format"]["type"])
    return "tool" if "tool_choice" in said else "text" if "JSON schema" in asked.text else "plain"


def refusing(*ways: str, message: str = "{} is not supported", status: int = 400) -> Any:
    """A server that refuses some ways of asking, in its own words."""

    def script(asked: Asked) -> Fault:
        name = {"tool": "tools"}.get(way(asked), "response_format")
        if way(asked) in ways:
            return Status(status, body=json.dumps({"error": {"message": message.format(name)}}))
        return Ok("", tool=("answer_as__answer", GOOD)) if way(asked) == "tool" else Ok(GOOD)

    return script


def ways(up: Upstream) -> list[str]:
    """How outputs were asked for, in order."""
    return [way(asked) for asked in up.log.asked]


@pytest.mark.parametrize(
    ("refused", "tried"),
    [
        (("json_schema",), ["json_schema", "tool"]),
        (("json_schema", "tool"), ["json_schema", "tool", "json_object"]),
        (("json_schema", "tool", "json_object"), ["json_schema", "tool", "json_object", "text"]),
    ],
)
def test_a_refused_way_gives_way_to_the_next_and_is_not_tried_again(refused: tuple[str, ...], tried: list[str]) -> None:
    with upstream(refusing(*refused)) as up:
        reply = ask(model(up), output=Team)
        assert ways(up) == tried
        again = ask(model(up), output=Team)
        assert ways(up) == [*tried, tried[-1]]
    assert reply.value == again.value == "billing"
    assert reply.guarantee == "validated"
    assert [a.outcome for a in reply.attempts] == ["refused"] * (len(tried) - 1) + ["ok"]
    assert [a.outcome for a in again.attempts] == ["ok"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (422, "Extra inputs are not permitted: {}"),
        (400, "unknown field `{}`"),
        (400, "'{}.type' must be one of text"),
        (400, "json_schema: this model has no structured outputs"),
    ],
)
def test_servers_refuse_in_many_words(status: int, words: str) -> None:
    with upstream(refusing("json_schema", message=words, status=status)) as up:
        assert ask(model(up), output=Team).value == "billing"


@pytest.mark.parametrize(("status", "message"), [(400, "the temperature is too high"), (401, "response_format: no")])
def test_another_refusal_is_an_end(status: int, message: str) -> None:
    with upstream(refusing("json_schema", message=message, status=status)) as up:
        with pytest.raises(RefusedError):
            ask(model(up), output=Team)
        assert ways(up) == ["json_schema"]


def test_what_is_refused_in_every_way_is_told_as_at_first_and_teaches_nothing() -> None:
    every = refusing("json_schema", "tool", "json_object", "text", message="seed is not supported ({})")
    with upstream(every) as up:
        with pytest.raises(RefusedError, match=r"seed is not supported \(response_format\)") as caught:
            ask(model(up), output=Team)
        assert len(caught.value.attempts) == 4
        up.script = refusing()
        ask(model(up), output=Team)
        assert ways(up)[-1] == "json_schema"


def test_a_call_without_an_output_is_refused_at_once() -> None:
    with upstream(refusing("plain", message="seed is not supported")) as up:
        with pytest.raises(RefusedError):
            ask(model(up))
        assert len(up.log.asked) == 1


def test_a_listed_provider_is_taken_at_its_word() -> None:
    listed = [known_modes(address(name)).listed for name in ("openai:gpt-5-mini", "ollama:llama3.2")]
    assert listed == [True, True]
    moved = address("openai:gpt-5-mini", base_url="http://127.0.0.1:9/v1")
    assert not known_modes(moved).listed
    with upstream(refusing("json_schema")) as up:
        provider = sf.Model("ollama:any", base_url=up.url, retry=FAST)
        with pytest.raises(RefusedError):
            ask(provider, output=Team)
        assert ways(up) == ["json_schema"]


def test_a_stream_is_asked_for_in_another_way_too() -> None:
    def script(asked: Asked) -> Fault:
        if way(asked) != "text":
            return Status(400, body='{"error":"unknown parameter: response_format or tools"}')
        return StreamOk(('{"answer":', '"billing"}'))

    async def streamed(up: Upstream) -> tuple[str, Any]:
        async with model(up).stream("hello", output=Team) as s:
            seen = "".join([text async for text in s])
        return seen, s.reply.value

    with upstream(script) as up:
        assert sf.run(streamed(up)) == (GOOD, "billing")


def test_a_tape_answers_also_where_more_is_known_by_now_or_less(tmp_path: Path) -> None:
    with upstream(refusing("json_schema", "tool")) as up:
        for name in ("first", "learned"):
            with sf.models.record(tmp_path / f"{name}.jsonl"):
                ask(model(up), output=Team)
    for name in ("first", "learned"):
        assert ask(sf.Model(f"recorded:{tmp_path / name}.jsonl"), output=Team).value == "billing"


@pytest.mark.parametrize("text", ["billing", " Billing\n", "```\nBILLING\n```"])
def test_a_label_that_stands_alone_is_the_answer(text: str) -> None:
    assert output_type(Team).parse(text) == "billing"
    assert output_type(Team | None).parse(text) == "billing"


@pytest.mark.parametrize("text", ["billing please", "bill", "", "billing, delivery", "null"])
def test_what_is_not_exactly_a_label_is_none(text: str) -> None:
    with pytest.raises(OutputError):
        output_type(Team).parse(text)


@pytest.mark.parametrize("kind", [Literal["a", "A"], Literal["a"] | str, Literal[1, 2], list[Literal["a"]]])
def test_where_labels_are_alike_or_any_text_fits_a_bare_text_is_no_answer(kind: Any) -> None:
    with pytest.raises(OutputError):
        output_type(kind).parse("a")


@given(st.sampled_from(["not urgent", "Très Pressé", "no"]), st.sampled_from([str.upper, str.lower, str.title]))
def test_a_bare_label_is_found_whatever_its_case(label: str, case: Any) -> None:
    assert output_type(Literal["not urgent", "Très Pressé", "no"]).parse(f"\n{case(label)} ") == label
