"""Spans: the tree of what a program did, and addresses that are the same each time it runs."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest

from suffice import spans
from suffice.spans import Span, counting_tasks, span, span_json, span_of_json, tree
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


def test_a_thread_that_is_waited_for_is_of_the_strand_that_waits() -> None:
    async def program() -> None:
        await asyncio.gather(asyncio.to_thread(work, "a", 0.02), asyncio.to_thread(work, "b", 0.0))
        await asyncio.to_thread(work, "c", 0.0)

    def work(name: str, seconds: float) -> None:
        time.sleep(seconds)
        with span(name, "tool"):
            pass

    async def counted() -> None:
        with counting_tasks():
            await program()

    with tree("program") as root:
        asyncio.run(counted())
    assert sorted(str(s.address[-1]) for s in root.children) == ["0.0:c", "1.0:a", "2.0:b"]


def test_tasks_are_counted_as_they_are_made_not_as_they_come_to_something() -> None:
    async def late(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with span(name, "tool"):
            pass

    async def inner(name: str) -> None:
        await asyncio.gather(late(f"{name}1", 0.02), late(f"{name}2", 0.0))

    async def program() -> None:
        with counting_tasks():
            async with asyncio.TaskGroup() as group:
                group.create_task(inner("a"))
                group.create_task(late("b", 0.01))
            await late("end", 0.0)
        assert asyncio.get_running_loop().get_task_factory() is None

    with tree("program") as root:
        asyncio.run(program())
    told = {s.name: str(s.address[-1]).partition(":" + s.name)[0] for s in root.children}
    assert [s.name for s in root.children] == ["a2", "b", "a1", "end"]
    assert told == {"a1": "1:1.0", "a2": "1:2.0", "b": "2.0", "end": "0.0"}


def test_a_loop_keeps_its_own_way_of_making_tasks() -> None:
    made: list[str] = []

    def own(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(coro.__name__)
        return asyncio.Task(coro, loop=loop, **options)

    async def work() -> str:
        with span("work", "tool") as leaf:
            assert leaf is not None
            return str(leaf.address[-1])

    async def program() -> list[str]:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(own)
        with counting_tasks():
            with counting_tasks():
                first = await asyncio.create_task(work())
            second = await asyncio.create_task(work())
        assert loop.get_task_factory() is own
        return [first, second]

    with tree("program"):
        assert asyncio.run(program()) == ["1.0:work", "2.0:work"]
    assert made.count("work") == 2


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
    assert (inner.name, outer.name) == (
        "execute_tool look_up",
        "draft",
    ) and inner.parent.span_id == outer.context.span_id
    assert inner.attributes["gen_ai.operation.name"] == "execute_tool" and inner.attributes["error.type"] == "KeyError"
    assert "a text of the case" not in inner.to_json()
