"""Embeddings in a durable run: asked once, the same bits again, and in the tree with what they cost."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Status, WrongJson, first

from suffice import Model
from suffice.errors import JournalDiverged, ServerError, Waiting
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.retry import Retry
from suffice.programs import durable
from suffice.programs.asking import ask_human
from suffice.spans import Span, tree
from suffice.store.database import open_store
from suffice.store.effect_record import load
from suffice.store.traces import traces, tree_of_effects
from upstream import Upstream, upstream

# The first four are of a kind that decimal digits lose first; the rest end the range of a double.
ODD = [0.1, 1 / 3, 0.0023064255, -0.009327292, -0.0, 5e-324, -1.7976931348623157e308, 2**53 + 2.0]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    return tmp_path / "store"


def go(program: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return asyncio.run(durable.run(program, *args, id="one", **options))


def model(up: Upstream, **options: Any) -> Model:
    return Model(f"{up.url}#m", price=(1.0, 0.0), **options)


def odd(asked: Asked) -> Fault:
    data = [{"index": i, "embedding": ODD[i:] + ODD[:i]} for i in range(len(asked.said["input"]))]
    return WrongJson(json.dumps({"data": data, "usage": {"prompt_tokens": 7}}))


def bits(vectors: list[list[float]]) -> list[bytes]:
    return [struct.pack(f"{len(vector)}d", *vector) for vector in vectors]


def test_embeddings_are_asked_once_and_come_back_bit_for_bit() -> None:
    seen: list[Any] = []
    with upstream(odd) as up:

        async def program() -> str:
            reply = await model(up).embed(["a", "bcd"])
            seen.append(reply)
            return await ask_human("Go on?")

        with pytest.raises(Waiting):
            go(program)
        durable.answer("one", "yes")
        assert go(program) == "yes"
        assert len(up.log.asked) == 1
    made, again = seen
    assert bits(made.value) == bits(again.value) == bits([ODD, ODD[1:] + ODD[:1]])
    assert (made.cached, again.cached) == (False, True)
    assert (again.usage, again.cost, again.model) == (made.usage, made.cost, made.model)
    assert made.cost == pytest.approx(7 / 1e6) and durable.status("one").usd == pytest.approx(7 / 1e6)


def test_other_texts_at_the_recorded_place_stop_the_run() -> None:
    texts = ["a"]
    with upstream() as up:

        async def program() -> str:
            await model(up).embed(texts)
            return await ask_human("Go on?")

        with pytest.raises(Waiting):
            go(program)
        texts.insert(0, "another")
        with pytest.raises(JournalDiverged):
            go(program)
        assert len(up.log.asked) == 1


def test_embeddings_that_failed_are_asked_again() -> None:
    with upstream(first(Status(500))) as up:

        async def program() -> list[list[float]]:
            return (await model(up, retry=Retry(attempts=1)).embed(["abc"])).value

        with pytest.raises(ServerError):
            go(program)
        assert go(program) == [[3.0, 0.5, 1.0]] and len(up.log.asked) == 2


def test_embeddings_that_are_recorded_count_against_the_budget_of_the_run() -> None:
    with upstream() as up:

        async def program() -> int:
            for text in ("a", "b"):
                await model(up).embed([text])
            await ask_human("Go on?")
            return len((await model(up).embed(["c"])).value)

        with pytest.raises(Waiting):
            go(program, budget=Budget(calls=3))
        durable.answer("one", "yes")
        assert go(program, budget=Budget(calls=3)) == 1 and len(up.log.asked) == 3


def leaf(root: Span) -> Span:
    (found,) = [span for span in root.walk() if span.kind == "model"]
    return found


def test_the_tree_says_what_embeddings_cost(home: Path) -> None:
    with upstream(odd) as up:

        async def program() -> str:
            await model(up).embed(["a text"])
            return await ask_human("Go on?")

        with pytest.raises(Waiting):
            go(program)

        async def plain() -> Span:
            with tree("program") as root:
                await model(up).embed(["a text"])
            return root

        grown = leaf(asyncio.run(plain()))
    with open_store(home) as store:
        effects = load(store, "program-1")
        kept, recorded = leaf(traces(store, "program-1")[0]), leaf(tree_of_effects("program", effects))
    for span in (grown, kept, recorded):
        assert (span.name, span.cost.input_tokens, span.cost.output_tokens) == ("m", 7, 0)
        assert span.cost.usd == pytest.approx(7 / 1e6)
    assert recorded.note == '"a text"'
