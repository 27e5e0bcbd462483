"""A call as an OpenTelemetry span: the GenAI attributes and no text; nothing is loaded where it is not used."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from one_call import ask
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from upstream_faults import Hang, Ok, Status, StreamOk, first

from suffice.errors import CallTimeout, RefusedError
from suffice.exchange import Reply, Request, Usage
from suffice.models.belonging import Belonging, belonging
from suffice.models.concerns.retry import Retry
from suffice.models.concerns.trace import trace as traced
from suffice.models.flow import Flow
from suffice.models.model import Model
from suffice.models.places.address import address
from suffice.store.calls import CallJournal
from suffice.store.database import open_store
from upstream import Upstream, upstream

CANARY = "zebra-quartz-7731"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Generator[InMemorySpanExporter]:
    provider = TracerProvider()
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)  # a process has one provider for ever
    yield exporter
    provider.shutdown()


def model(up: Upstream, **options: Any) -> Model:
    """A priced model at the upstream."""
    return Model(f"{up.url}#any", **{"retry": Retry(base=0.001, cap=0.01), "price": (1.0, 2.0), **options})


def only(spans: InMemorySpanExporter) -> tuple[ReadableSpan, dict[str, Any]]:
    """The one span and its attributes."""
    (span,) = spans.get_finished_spans()
    return span, dict(span.attributes or {})


def test_a_call_is_a_span_with_the_genai_attributes_and_no_text(spans: InMemorySpanExporter) -> None:
    answer = Ok(f"echo {CANARY}", usage=(10, 5), headers=(("x-request-id", "req-1"),))
    with upstream(first(Status(500), then=answer)) as up:
        one = model(up, system=CANARY, temperature=0.0, top_p=0.5, seed=7, stop=["END"])
        ask(one, CANARY, max_output_tokens=99)
    span, said = only(spans)
    assert span.name == "chat any"
    assert span.kind == trace.SpanKind.CLIENT
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": f"127.0.0.1:{up.port}",
        "gen_ai.request.model": "any",
        "gen_ai.request.max_tokens": 99,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ("END",),
        "server.address": "127.0.0.1",
        "server.port": up.port,
        "gen_ai.response.model": "any",
        "gen_ai.response.id": "req-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "suffice.attempts": 2,
        "suffice.cached": False,
        "suffice.cost_usd": pytest.approx(20 / 1e6),
    }
    assert CANARY not in span.to_json()


def test_a_failed_call_says_its_kind_and_quotes_nothing(spans: InMemorySpanExporter) -> None:
    with upstream(Status(400, body=f'{{"error":{{"message":"what is {CANARY}?"}}}}')) as up:
        with pytest.raises(RefusedError, match=CANARY):
            ask(model(up), CANARY)
    span, said = only(spans)
    assert said["error.type"] == "refused"
    assert span.status.status_code == StatusCode.ERROR
    assert CANARY not in span.to_json()
    assert not span.events


def test_a_failed_call_says_what_it_may_have_cost(spans: InMemorySpanExporter) -> None:
    with upstream(Hang()) as up, pytest.raises(CallTimeout):
        ask(model(up), "hello", timeout=0.1, total=0.3)
    said = only(spans)[1]
    assert said["suffice.attempts"] >= 1
    assert said["suffice.cost_usd"] > 0 and said["suffice.cost_at_most"] is True


def test_a_call_that_was_cut_off_does_not_look_well(spans: InMemorySpanExporter) -> None:
    async def cut(one: Model) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one("hello"), 0.1)

    with upstream(Hang()) as up:
        asyncio.run(cut(model(up)))
    span, said = only(spans)
    assert span.status.status_code == StatusCode.ERROR
    assert said["error.type"] == "CancelledError"


def test_what_was_looked_up_is_not_counted_again(spans: InMemorySpanExporter, tmp_path: Path) -> None:
    with upstream(Ok("yes", usage=(10, 5))) as up, open_store(tmp_path) as store:
        with belonging(Belonging(CallJournal(store, None))):
            ask(model(up), "hello")
            ask(model(up), "hello")
    paid, known = (dict(span.attributes or {}) for span in spans.get_finished_spans())
    assert (paid["suffice.cached"], known["suffice.cached"]) == (False, True)
    assert paid["gen_ai.usage.input_tokens"] == 10 and paid["suffice.cost_usd"] == pytest.approx(20 / 1e6)
    assert not [name for name in known if "usage" in name or "cost" in name]


def test_a_call_of_a_sealed_case_is_shown_to_nobody(spans: InMemorySpanExporter, tmp_path: Path) -> None:
    with upstream() as up, open_store(tmp_path) as store:
        with belonging(Belonging(CallJournal(store, None), cache=False, sealed=True)):
            ask(model(up), "hello")
    assert not spans.get_finished_spans()


def test_a_time_out_is_an_error_of_its_kind(spans: InMemorySpanExporter) -> None:
    with upstream(Hang()) as up, pytest.raises(CallTimeout):
        ask(model(up), "hello", total=0.1)
    assert only(spans)[1]["error.type"] == "timeout"


def test_a_stream_is_one_span_under_the_callers(spans: InMemorySpanExporter) -> None:
    async def story(one: Model) -> None:
        with trace.get_tracer("caller").start_as_current_span("outer"):
            async with one.stream("hello") as s:
                async for _ in s:
                    pass

    with upstream(StreamOk()) as up:
        asyncio.run(story(model(up)))
    inner, outer = spans.get_finished_spans()
    assert inner.parent is not None and outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    said = dict(inner.attributes or {})
    assert said["gen_ai.usage.output_tokens"] == 4 and said["gen_ai.request.stream"] is True
    first = said["gen_ai.response.time_to_first_chunk"]
    assert isinstance(first, float) and 0 < first <= (inner.end_time or 0) - (inner.start_time or 0)


def test_a_typed_answer_is_asked_for_as_json(spans: InMemorySpanExporter) -> None:
    with upstream(Ok('{"answer": 7}')) as up:
        ask(model(up), "how many?", output=int)
    assert only(spans)[1]["gen_ai.output.type"] == "json"


@pytest.mark.parametrize(
    ("model", "provider"), [("openai:m", "openai"), ("gemini:m", "gcp.gemini"), ("mistral:m", "mistral_ai")]
)
def test_a_provider_has_the_name_that_the_conventions_give_it(
    spans: InMemorySpanExporter, model: str, provider: str
) -> None:
    async def answered(request: Request, flow: Flow) -> Reply[str]:
        return Reply("ok", "ok", usage=Usage(10, 5, 4, 3))

    asyncio.run(traced(answered, address(model))(Request("m", (), 9), Flow()))
    said = only(spans)[1]
    assert (said["gen_ai.provider.name"], said["server.port"]) == (provider, 443)
    assert said["gen_ai.usage.cache_read.input_tokens"] == 4 and said["gen_ai.usage.reasoning.output_tokens"] == 3


def test_embeddings_are_named_so(spans: InMemorySpanExporter) -> None:
    with upstream() as up:
        asyncio.run(model(up).embed(["a"]))
    span, said = only(spans)
    assert (span.name, said["gen_ai.operation.name"]) == ("embeddings any", "embeddings")


def test_a_program_that_does_not_use_opentelemetry_loads_none_of_it() -> None:
    program = (
        "import asyncio, sys\n"
        "from suffice.models.model import Model\n"
        "async def main(): return await Model(sys.argv[1])('hello')\n"
        "assert asyncio.run(main()).value == 'ok'\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    with upstream() as up:
        ran = subprocess.run(
            [sys.executable, "-c", program, f"{up.url}#any"], capture_output=True, text=True, check=True
        )
    assert ran.stdout.strip() == "[]"
