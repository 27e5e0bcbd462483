"""Spans as OpenTelemetry shows them: one tree a program, named as the GenAI conventions say, and no text of a case."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import suffice as sf
from suffice.spans import span, tree, unseen
from suffice.values import Failure

SECRET = "zebra-quartz-7731"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Generator[InMemorySpanExporter]:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)  # a process has one provider for ever
    yield exporter
    provider.shutdown()


def paths(seen: InMemorySpanExporter) -> dict[str, Any]:
    """Each span by its way from the root."""
    spans = {s.context.span_id: s for s in seen.get_finished_spans()}

    def path(one: Any) -> str:
        above = None if one.parent is None else spans[one.parent.span_id]
        return one.name if above is None else f"{path(above)}/{one.name}"

    return {path(one): one for one in spans.values()}


@sf.tool
def look_up(order: int) -> str:
    """What is known of an order."""
    return f"{SECRET} {order}"


def lookup(text: str) -> str:
    return sf.run(look_up(17))


def broken(text: str) -> str:
    raise ValueError(text)


review = sf.workflow.parallel({"lookup": lookup, "broken": broken}, name="review")


async def program(text: str) -> str:
    found = await review(text)
    assert isinstance(found["broken"], Failure)
    return await sf.ask_human(f"Is {text} right?")


def test_a_durable_run_is_one_tree_with_its_threads(seen: InMemorySpanExporter, tmp_path: Path) -> None:
    with pytest.raises(sf.durable.Waiting) as waiting:
        asyncio.run(sf.durable.run(program, SECRET, id="letter", store=tmp_path))
    found = paths(seen)
    root, flow = "invoke_workflow program", "invoke_workflow program/invoke_workflow review"
    assert set(found) == {
        root,
        flow,
        f"{flow}/lookup",
        f"{flow}/lookup/execute_tool look_up",
        f"{flow}/broken",
        f"{root}/question",
    }
    failed = {name for name, one in found.items() if one.status.status_code == StatusCode.ERROR}
    assert failed == {f"{flow}/broken"}  # who waits for a person has not failed
    assert found[f"{flow}/broken"].attributes["error.type"] == "raised"
    assert found[root].attributes["suffice.waiting"] is True
    assert not any(SECRET in one.to_json() for one in found.values())
    seen.clear()
    sf.durable.answer(waiting.value.run, "yes", store=tmp_path)
    assert asyncio.run(sf.durable.run(program, SECRET, id="letter", store=tmp_path)) == "yes"
    again = paths(seen)
    assert set(again) == set(found)
    recorded = {name for name, one in again.items() if one.attributes.get("suffice.cached")}
    assert recorded == {f"{flow}/lookup/execute_tool look_up", f"{root}/question"}


def test_kinds_are_those_that_viewers_know(seen: InMemorySpanExporter) -> None:
    with span("clerk", "agent"), span("look_up", "tool"), span("draft", "stage"):
        pass
    stage, tool, agent = seen.get_finished_spans()
    assert dict(agent.attributes or {}) == {
        "suffice.kind": "agent",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "clerk",
    }
    assert dict(tool.attributes or {}) == {
        "suffice.kind": "tool",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look_up",
        "gen_ai.tool.type": "function",
    }
    assert dict(stage.attributes or {}) == {"suffice.kind": "stage", "openinference.span.kind": "CHAIN"}
    assert stage.name == "draft"


def test_a_failing_branch_is_seen_where_no_tree_is_grown(seen: InMemorySpanExporter) -> None:
    asyncio.run(review("hello"))
    found = paths(seen)["invoke_workflow review/broken"]
    assert found.status.status_code == StatusCode.ERROR and found.attributes["error.type"] == "raised"


def test_a_case_is_found_again_and_a_sealed_one_is_not_shown(seen: InMemorySpanExporter) -> None:
    with tree("triage") as root:
        root.note, root.source = "17", "mails.csv:3"
    (one,) = seen.get_finished_spans()
    assert one.attributes is not None and one.attributes["suffice.source"] == "mails.csv:3"
    seen.clear()
    with unseen(), span("triage", "step"):
        asyncio.run(review("hello"))
    assert not seen.get_finished_spans()


def even(text: str) -> str:
    return "even" if int(text.split()[1]) % 2 == 0 else "odd"


def keep(text: str) -> str:
    return even(text)


def test_a_climb_shows_its_dev_cases_alone(
    seen: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    rows = [{"text": f"letter {7 * i} of a pile", "expected": "even" if i % 2 == 0 else "odd"} for i in range(300)]
    cases = tmp_path / "letters.jsonl"
    cases.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    desk = sf.workflow.branch(even, {"even": keep, "odd": keep}, default=keep, name="desk")
    decision = sf.run(sf.climb(sf.Task.load(str(cases)), [desk], bar=0.8))
    assert "sealed cases" in str(decision)
    spans = seen.get_finished_spans()
    roots = [one for one in spans if one.parent is None]
    assert roots and len(spans) > len(roots)
    assert all((one.attributes or {})["suffice.source"] for one in roots)  # of a sealed case there is none


def test_where_nobody_records_there_is_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer", trace.NoOpTracerProvider().get_tracer)
    with span("draft", "stage") as made:
        assert made is None
