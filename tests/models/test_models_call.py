"""One call from end to end over a real socket: what goes out, what comes back, and what is refused before."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from one_call import ask
from pydantic import BaseModel
from upstream_faults import Asked, Ok, Status, StreamOk

from suffice.errors import RefusedError, UsageError
from suffice.exchange import Image, Message, Tool, Usage
from suffice.models.concerns.limit import Limits
from suffice.models.model import Model
from suffice.programs.bridge import run
from upstream import Upstream, upstream

PNG = "data:image/png;base64,iVBORw0KGgo="


class Parcel(BaseModel):
    """A type of the user's."""

    id: str
    weight: float | None = None


def model(up: Upstream, dialect: str = "openai", **options: Any) -> Model:
    """A model at the upstream."""
    return Model(f"{up.url}#any" if dialect == "openai" else f"anthropic+{up.origin}#any", **options)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_text_comes_back_with_usage_cost_attempts_and_times(dialect: str) -> None:
    with upstream(Ok("four", usage=(1000, 500), delay=0.03, headers=(("x-request-id", "req-7"),))) as up:
        reply = ask(model(up, dialect, price=(2.0, 10.0)), "two and two?")
    assert (reply.value, reply.text, reply.finish_reason) == ("four", "four", "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (1000, 500)
    assert reply.cost == pytest.approx((1000 * 2 + 500 * 10) / 1e6)
    assert reply.latency >= 0.03
    assert reply.ttft is None
    assert reply.request_id == "req-7"
    (attempt,) = reply.attempts
    assert (attempt.outcome, attempt.status, attempt.request_id) == ("ok", 200, "req-7")
    assert attempt.cost == reply.cost
    assert 0.03 <= attempt.seconds <= reply.latency
    assert "two and two?" in str(up.log.asked[0].said["messages"])
    assert up.log.asked[0].model == "any"


def test_an_endpoint_that_counts_no_tokens_leaves_them_unknown() -> None:
    with upstream(Ok("four", usage=None)) as up:
        reply = ask(model(up), "hello")
        priced = ask(model(up, price=(1.0, 1.0), max_output_tokens=100), "hello")
    assert reply.usage == Usage()
    assert reply.cost == 0.0  # this machine is free, whatever it counted
    assert priced.cost is not None and priced.cost > 100 / 1e6  # unknown is the whole reservation


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("output", "text", "value"),
    [
        (Literal["yes", "no"], '{"answer":"yes"}', "yes"),
        (list[int], '{"answer":[1,2,3]}', [1, 2, 3]),
        (Parcel, '{"id":"p1","weight":null}', Parcel(id="p1")),
        (Literal["yes"] | None, '{"answer":null}', None),
    ],
)
def test_a_typed_answer_is_of_its_type(dialect: str, output: Any, text: str, value: Any) -> None:
    def script(asked: Asked) -> Ok:
        tools = asked.said.get("tools")
        return Ok(text, tool=(tools[0]["name"], text)) if tools and dialect == "anthropic" else Ok(text)

    with upstream(script) as up:
        reply = ask(model(up, dialect), "which?", output=output)
    assert reply.value == value
    assert reply.guarantee == ("native" if dialect == "openai" else "validated")


def test_the_output_cap_and_every_option_said_are_on_the_wire() -> None:
    with upstream() as up:
        one = model(up, system="Be brief.", temperature=0.0, seed=0)
        ask(one, "hi", stop="END", top_p=0.5, max_output_tokens=77, extra={"user": "u1"})
        ask(model(up), "hi")
    said, plain = (a.said for a in up.log.asked)
    assert said["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (said["temperature"], said["seed"], said["top_p"], said["user"]) == (0.0, 0, 0.5, "u1")
    assert (said["stop"], said["max_tokens"]) == (["END"], 77)
    assert plain["max_tokens"] == 4096
    assert "temperature" not in plain


def test_messages_may_be_dicts_with_images_or_one_of_them_or_ours() -> None:
    parts = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": PNG}}]
    with upstream() as up:
        ask(model(up), [{"role": "developer", "content": "Look."}, {"role": "user", "content": parts}])
        ask(model(up, "anthropic"), [{"role": "user", "content": parts}])
        ask(model(up), {"role": "user", "content": "alone"})
        ask(model(up), Message("user", ("see", Image(url="https://example.com/a.png"))))
    openai, anthropic, alone, ours = (a.said["messages"] for a in up.log.asked)
    assert openai[0] == {"role": "system", "content": "Look."}
    assert openai[1]["content"][1]["image_url"]["url"] == PNG
    assert anthropic[0]["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG[22:]}
    assert alone == [{"role": "user", "content": "alone"}]
    assert ours[0]["content"][1]["image_url"]["url"] == "https://example.com/a.png"


@pytest.mark.parametrize(
    "messages",
    [
        "",
        " \n",
        "\ufeff",
        "\u200b\xa0",
        [],
        [{"role": "system", "content": "Be brief."}],
        [{"role": "user", "content": [{"type": "text", "text": "  "}]}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": " "}],
    ],
)
def test_a_blank_message_is_refused_and_nothing_is_sent(messages: Any) -> None:
    with upstream() as up:
        with pytest.raises(UsageError, match="blank"):
            ask(model(up), messages)
        assert up.log.connections == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temprature": 1}, "did you mean temperature"),
        ({"max_output_tokens": 0}, "at least 1"),
        ({"timeout": "5"}, "more than 0 seconds"),
        ({"total": -1}, "more than 0 seconds"),
        ({"shorten": "middle"}, "start, end or both"),
        ({"extra": {"max_tokens": 10**6}}, "max_output_tokens="),
        ({"extra": {"n": 8}}, "extra may not say 'n'"),
    ],
)
def test_an_option_that_cannot_be_is_refused_and_nothing_is_sent(options: dict[str, Any], said: str) -> None:
    with upstream() as up:
        with pytest.raises(UsageError) as caught:
            ask(model(up), "hello", **options)
        assert said in str(caught.value)
        with pytest.raises(UsageError):
            model(up, **options)
        assert up.log.connections == 0


@pytest.mark.parametrize("options", [{"hedge": 2}, {"hedge": "x"}, {"fallbacks": "openai:gpt-5-mini"}, {"attempts": 0}])
def test_an_option_of_a_model_that_cannot_be_is_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Model("openai:gpt-5-mini", **options)


@pytest.mark.parametrize("name", ["concurrency", "requests_per_minute", "tokens_per_minute"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Limits(**{name: 0})


def test_a_wrong_message_names_its_place() -> None:
    with pytest.raises(UsageError, match=r"\$\[1\]\.role"):
        ask(Model("http://127.0.0.1:9/v1#any"), [{"role": "user", "content": "a"}, {"role": "boss", "content": "b"}])


def test_a_tool_call_comes_back_parsed() -> None:
    look_up = Tool("look_up", "Find a parcel.", {"type": "object", "properties": {"id": {"type": "string"}}})
    with upstream(Ok(tool=("look_up", '{"id":"p1"}'))) as up:
        reply = ask(model(up), "where is p1?", tools=[look_up])
    (call,) = reply.tool_calls
    assert (call.name, call.arguments, reply.finish_reason) == ("look_up", {"id": "p1"}, "tool_calls")


def test_a_tool_named_like_the_answer_is_refused_and_costs_nothing() -> None:
    with upstream() as up:
        one = model(up, price=(1.0, 1.0))
        with pytest.raises(UsageError, match="answer_as__"):
            ask(one, "hi", tools=[Tool("answer_as__x", "", {"type": "object"})])
        assert not up.log.asked


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_refused_key_names_the_variable_of_its_own_endpoint(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_LLM_KEY", "a key of ours 4711".replace(" ", "-"))
    with upstream(Status(401)) as up:
        with pytest.raises(RefusedError) as named:
            ask(model(up, dialect, key_env="SHOP_LLM_KEY"), "hello")
        with pytest.raises(RefusedError) as bare:
            ask(model(up, dialect), "hello")
    assert named.value.hint == "is the key right? It is read from SHOP_LLM_KEY"
    assert "None was sent" in str(bare.value.hint) and "API_KEY" not in str(bare.value.hint)


def test_an_error_of_the_embeddings_says_their_path() -> None:
    with upstream(Status(404)) as up, pytest.raises(RefusedError) as caught:
        asyncio.run(model(up).embed(["a"]))
    assert caught.value.where == "/embeddings"


def test_embeddings_come_in_the_order_of_the_texts_and_are_accounted() -> None:
    with upstream() as up:
        reply = asyncio.run(model(up, price=(1.0, 0.0)).embed(["a", "bcd"]))
        with pytest.raises(UsageError, match="blank"):
            asyncio.run(model(up).embed(["a", " "]))
    assert [vector[0] for vector in reply.value] == [1.0, 3.0]
    assert reply.cost == pytest.approx(4 / 1e6)
    assert len(reply.attempts) == len(up.log.asked) == 1


def test_one_model_serves_one_event_loop_after_another() -> None:
    with upstream() as up:
        one = model(up)
        assert [ask(one, "hello").value for _ in range(3)] == ["ok"] * 3
    assert len(up.log.asked) == 3


def test_200_threads_may_call_it_through_the_bridge() -> None:
    with upstream(Ok(delay=0.01)) as up:
        one = model(up)

        async def call(n: int) -> str:
            return (await one(f"call {n}")).value

        gate = threading.Barrier(200)

        def work(n: int) -> str:
            gate.wait()
            return run(call(n))

        with ThreadPoolExecutor(200) as pool:
            values = list(pool.map(work, range(200)))
    assert values == ["ok"] * 200
    assert len({a.text for a in up.log.asked}) == 200


def test_a_running_loop_and_the_bridge_may_use_one_model_at_the_same_time() -> None:
    with upstream(Ok(delay=0.02)) as up:
        one = model(up)

        async def both() -> list[str]:
            beside = asyncio.gather(*(asyncio.to_thread(lambda: run(one("there")).value) for _ in range(8)))
            here = await asyncio.gather(*(one("here") for _ in range(8)))
            return [r.value for r in here] + [*await beside]

        assert asyncio.run(both()) == ["ok"] * 16
        assert run(one("plain code inside a running loop")).value == "ok"
    assert len(up.log.asked) == 17


def test_equal_models_are_equal_and_using_makes_another() -> None:
    one = Model("openai:gpt-5-mini", temperature=0.0)
    assert one == Model("openai:gpt-5-mini", temperature=0.0)
    assert one.using(temperature=1.0) != one
    assert repr(one.using(seed=7)) == "Model('openai:gpt-5-mini', temperature=0.0, seed=7)"


def test_an_endpoint_that_streams_byte_by_byte_is_read_like_any_other() -> None:
    with upstream(StreamOk(("zwölf", " Euro"), piece=1)) as up:

        async def texts() -> list[str]:
            async with model(up).stream("hi") as s:
                return [piece async for piece in s]

        assert asyncio.run(texts()) == ["zwölf", " Euro"]
