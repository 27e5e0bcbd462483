"""A proxy between Suffice and a model: LiteLLM's, in front of llama.cpp."""

from __future__ import annotations

import time
import urllib.request
from dataclasses import replace
from typing import Any

import pytest
from peer_place import KEY_ENV, Place

import suffice as sf
from suffice import errors

pytestmark = pytest.mark.peers

ON: Any = {"extra": {"ignore_eos": True}}  # else a stream may end by itself


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_wrong_key_is_refused_once_and_not_shown(
    litellm: Place, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_ENV, "sk-wrong-0123456789")
    with pytest.raises(errors.RefusedError) as caught:
        sf.run(replace(litellm, dialect=dialect).model()("hello", max_output_tokens=5))
    assert len(caught.value.attempts) == 1 and "0123456789" not in str(caught.value)


def test_leaving_a_stream_stops_the_model_behind_the_proxy(litellm: Place, llama_cpp: Place) -> None:
    """In OpenAI's dialect: in Anthropic's, this proxy reads on to the end, whoever has left it."""

    async def left() -> None:
        async with litellm.model().stream("hello", max_output_tokens=3000, **ON) as s:
            async for _ in s:
                break

    sf.run(left())
    time.sleep(2.5)  # llama.cpp looks once a second whether its client is still there
    with urllib.request.urlopen(f"{llama_cpp.origin}/metrics", timeout=10) as answer:
        assert b"llamacpp:requests_processing 0" in answer.read()


def test_a_dead_model_behind_the_proxy_is_an_error_that_names_its_place(litellm: Place) -> None:
    with pytest.raises(errors.CallError) as caught:
        sf.run(replace(litellm, name="dead").model(attempts=1)("hello", max_output_tokens=5))
    assert isinstance(caught.value, errors.ServerError) and "onnect" in str(caught.value)


def test_a_tool_call_comes_through_in_both_dialects(litellm: Place) -> None:
    schema = {"type": "object", "properties": {"deep": {"type": "boolean"}}, "required": ["deep"]}
    look = sf.models.Tool("look", "Look it up.", schema)
    for dialect in ("openai", "anthropic"):
        reply = sf.run(replace(litellm, name="caller", dialect=dialect).model()("hello", tools=[look]))
        (call,) = reply.tool_calls
        assert reply.finish_reason == "tool_calls" and call.name == "look" and set(call.arguments) == {"deep"}
