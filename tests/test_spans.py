"""Spans: the tree of what a program did, and addresses that are the same each time it runs."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from suffice import spans
from suffice.spans import Span, span, span_json, span_of_json, tree
from suffice.values import Cost


def shape(root: Span) -> list[tuple[str, str]]:
    return [("/".join(str(turn) for turn in s.address), s.kind) for s in root.walk()]


def test_without_a_tree_nothing_is_noted() -> None:
    with span("triage", "step") as made:
        assert made is None and spans.here() is None


def test_what_is_done_inside_is_below() -> None:
    with tree("program") as root:
        with span("first", "stage"), span("ask", "step"):
            pass
        with span("second", "stage"):
            pass
    assert [s.name for s in root.walk()] == ["program", "first", "ask", "second"]
    assert root.children[0].children[0].parent is root.children[0]
    assert all(s.seconds is not None and s.seconds >= 0 for s in root.walk())
    assert root.children[1].began >= root.children[0].began


def test_an_error_is_named_by_its_kind_and_goes_on() -> None:
    with pytest.raises(KeyError), tree("program") as root, span("look", "tool"):
        raise KeyError("secret text of a case")
    assert [s.error for s in root.walk()] == ["KeyError", "KeyError"]
    assert "secret" not in repr(root)


def test_addresses_are_the_same_however_branches_overlap() -> None:
    async def branch(name: str, draw: random.Random) -> None:
        for i in range(3):
            with span(f"{name}{i}", "step"):
                await asyncio.sleep(draw.random() * 0.003)

    async def program(draw: random.Random) -> None:
        with span("before", "step"):
            pass
        await asyncio.gather(*(branch(name, draw) for name in "abcd"))
        with span("after", "step"):
            pass

    def grown(seed: int) -> set[tuple[str, str]]:
        with tree("program") as root:
            asyncio.run(program(random.Random(seed)))
        return set(shape(root))

    assert len({frozenset(grown(seed)) for seed in range(8)}) == 1
    assert ("0.0:before", "step") in grown(9) and ("0.1:after", "step") in grown(9) and ("3.2:c2", "step") in grown(9)


def test_threads_have_lanes_of_their_own() -> None:
    from contextvars import copy_context

    with tree("program") as root:

        def work() -> None:
            with span("there", "tool"):
                pass

        with span("here", "tool"):
            pass
        thread = threading.Thread(target=copy_context().run, args=(work,))
        thread.start()
        thread.join()
    assert [str(s.address[-1]) for s in root.children] == ["0.0:here", "1.0:there"]


def test_a_tree_comes_back_from_json() -> None:
    with tree("program") as root:
        with span("ask", "step") as ask:
            assert ask is not None
            ask.cost, ask.cached, ask.note = Cost(0.5, 10, 2, True), True, "looked up"
        with pytest.raises(ValueError), span("look", "tool"):
            raise ValueError
    back = span_of_json(span_json(root))
    assert span_json(back) == span_json(root)
    assert [(s.name, s.kind, s.cost, s.cached, s.error, s.note) for s in back.walk()] == [
        (s.name, s.kind, s.cost, s.cached, s.error, s.note) for s in root.walk()
    ]
    assert back.spent == root.spent == Cost(0.5, 10, 2, True)


def test_opentelemetry_shows_the_same_tree() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    from opentelemetry import trace as api

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "get_tracer", provider.get_tracer)
        with pytest.raises(KeyError), span("draft", "stage"), span("look_up", "tool"):
            raise KeyError("a text of the case")
    inner, outer = exporter.get_finished_spans()
    assert (inner.name, outer.name) == ("look_up", "draft") and inner.parent.span_id == outer.context.span_id
    assert inner.attributes["gen_ai.operation.name"] == "execute_tool" and inner.attributes["error.type"] == "KeyError"
    assert "a text of the case" not in inner.to_json()
