"""From a text to a typed answer: what is repaired and how, what is continued, and what is never parsed."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import pytest
from one_call import ask
from pydantic import BaseModel
from upstream_faults import Asked, Fault, Ok, Status, first

from suffice.errors import ContentFiltered, OutputError, RefusedError, Truncated
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from upstream import Upstream, upstream


class Item(BaseModel):
    """A type of the user's."""

    n: int
    name: str


def model(up: Upstream, **options: Any) -> Model:
    """A priced model at the upstream."""
    return Model(f"{up.url}#any", **{"retry": Retry(base=0.001, cap=0.01), "price": (1.0, 1.0), **options})


Yes = Literal["yes", "no"]


def test_an_answer_that_does_not_fit_is_repaired_and_all_of_it_is_accounted() -> None:
    wrong, right = (
        Ok('{"answer":"perhaps"}', usage=(10, 5), delay=0.02),
        Ok('{"answer":"no"}', usage=(20, 5), delay=0.02),
    )
    with upstream(first(wrong, Status(500), then=right)) as up:
        reply = ask(model(up), output=Yes)
    assert reply.value == "no"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (30, 10)
    assert reply.cost == pytest.approx(40 / 1e6)
    assert len(reply.attempts) == len(up.log.asked) == 3
    assert 0.04 <= reply.latency < 0.5


def test_a_repair_holds_the_question_the_last_answer_and_the_fault_and_does_not_grow() -> None:
    def script(asked: Asked) -> Ok:
        return Ok(f'{{"answer":"wrong {asked.number}"}}')

    with upstream(script) as up:
        with pytest.raises(OutputError) as caught:
            ask(model(up, system="Be brief."), output=Yes, repairs=5)
    assert len(up.log.asked) == 6
    assert len(caught.value.attempts) == 6
    assert caught.value.partial == '{"answer":"wrong 5"}'
    for n, asked in enumerate(up.log.asked[1:], 1):
        turns = asked.said["messages"]
        assert [t["role"] for t in turns] == ["system", "user", "assistant", "user"]
        assert turns[2]["content"] == f'{{"answer":"wrong {n - 1}"}}'
        assert "cannot be used" in turns[3]["content"] and "hello" not in turns[3]["content"]
        assert len(turns[3]["content"]) <= 1000


@pytest.mark.parametrize("repairs", [0, 1, 2])
def test_repairs_are_bounded(repairs: int) -> None:
    with upstream(Ok("no JSON")) as up:
        with pytest.raises(OutputError):
            ask(model(up), output=Yes, repairs=repairs)
        assert len(up.log.asked) == repairs + 1


@pytest.mark.parametrize("text", ['{"answer":"yes"}', '{"answer":"y'])
def test_a_reply_that_was_cut_off_is_neither_parsed_nor_repaired(text: str) -> None:
    with upstream(Ok(text, finish="length")) as up:
        with pytest.raises(Truncated, match="4,096") as caught:
            ask(model(up), output=Yes)
        # once more with the whole cap, as a label is first asked for with a small one; and in the same words
        assert [a.body["max_tokens"] for a in up.log.asked] == [256, 4096]
        assert up.log.asked[0].body["messages"] == up.log.asked[1].body["messages"]
    assert caught.value.partial == text
    assert len(caught.value.attempts) == 2


def test_a_repair_that_is_cut_off_or_fails_tells_of_all_attempts() -> None:
    with upstream(first(Ok("no JSON"), then=Ok('{"answer"', finish="length"))) as up:
        with pytest.raises(Truncated) as cut:
            ask(model(up, max_output_tokens=50), output=Yes)
    assert len(cut.value.attempts) == len(up.log.asked) == 2
    with upstream(first(Ok("no JSON"), then=Status(400))) as up:
        with pytest.raises(RefusedError) as refused:
            ask(model(up), output=Yes)
    assert len(refused.value.attempts) == len(up.log.asked) == 2


def test_a_filtered_answer_is_not_repaired() -> None:
    with upstream(Ok("no JSON", finish="content_filter")) as up:
        with pytest.raises(ContentFiltered):
            ask(model(up), output=Yes)
        assert len(up.log.asked) == 1


def listing(total: int, at_most: int, repeat: int = 0) -> Any:
    """A script that gives `total` items, at most `at_most` a reply, from where the question says that it got to.

    `repeat` items are said again at the start of a continuation, as models do.
    """

    def script(asked: Asked) -> Fault:
        found = re.search(r"after (\d+) items", asked.text)
        start = max(0, int(found[1]) - repeat) if found else 0
        stop = min(total, start + at_most + (repeat if start else 0))
        items = [{"n": i, "name": f"item {i}"} for i in range(start, stop)]
        text = json.dumps({"answer": items})
        if stop == total:
            return Ok(text, usage=(10, 5))
        cut = text[:-2] + ', {"n": ' + str(stop) + ', "na'  # in the middle of the next one
        return Ok(cut if items else '{"answer": [{"n"', usage=(10, 5), finish="length")

    return script


@pytest.mark.parametrize("total", [0, 1, 50])
@pytest.mark.parametrize(("at_most", "repeat"), [(3, 0), (7, 2), (49, 1), (50, 0)])
def test_a_list_that_is_cut_off_is_continued_to_its_end_without_repeats(total: int, at_most: int, repeat: int) -> None:
    with upstream(listing(total, at_most, repeat)) as up:
        reply = ask(model(up), output=list[Item], continue_output=True)
    assert [item.n for item in reply.value] == list(range(total))
    assert json.loads(reply.text)["answer"][-1:] == ([{"n": total - 1, "name": f"item {total - 1}"}] if total else [])
    assert len(reply.attempts) == len(up.log.asked)
    assert reply.usage.input_tokens == 10 * len(up.log.asked)


def test_a_continued_list_shows_the_model_all_that_it_gave() -> None:
    with upstream(listing(10, 3)) as up:
        ask(model(up), output=list[Item], continue_output=True)
    shown = [a.said["messages"] for a in up.log.asked[1:]]
    assert all(len(turns) == 3 for turns in shown)
    assert [len(json.loads(turns[1]["content"])["answer"]) for turns in shown] == [3, 6, 9]


def test_a_list_that_never_gets_on_ends() -> None:
    with upstream(Ok('{"answer": [{"n"', finish="length")) as up:
        with pytest.raises(Truncated) as caught:
            ask(model(up), output=list[Item], continue_output=True)
        assert len(up.log.asked) == len(caught.value.attempts) <= 20


TEXT = " ".join(f"Sentence number {i} says what {i * i} is." for i in range(60))


@pytest.mark.parametrize("size", [50, 333, 2000, 5000])
@pytest.mark.parametrize("overlap", [0, 25])
def test_a_text_that_is_cut_off_is_continued_word_for_word(size: int, overlap: int) -> None:
    if len(TEXT) / size > 19:
        size = len(TEXT) // 15

    def script(asked: Asked) -> Fault:
        turns = asked.said["messages"]
        there = len(turns[1]["content"]) if len(turns) > 1 else 0
        start = max(0, there - overlap) if there else 0
        part = TEXT[start : there + size]
        return Ok(part, finish="stop" if there + size >= len(TEXT) else "length")

    with upstream(script) as up:
        reply = ask(model(up), continue_output=True)
    assert reply.value == reply.text == TEXT
    assert len(reply.attempts) == len(up.log.asked)


def test_a_continued_answer_that_does_not_fit_tells_of_all_attempts() -> None:
    with upstream(first(Ok('{"answer": [{"n": 1, "name": "a"}, {"n"', finish="length"), then=Ok("no list"))) as up:
        with pytest.raises(OutputError) as caught:
            ask(model(up), output=list[Item], continue_output=True)
    assert len(caught.value.attempts) == len(up.log.asked) == 2


def test_latency_is_that_of_the_whole_answer() -> None:
    with upstream(first(*[Ok("no JSON", delay=0.1)] * 2, then=Ok('{"answer":"no"}', delay=0.1))) as up:
        reply = ask(model(up), output=Yes)
    assert 0.3 <= reply.latency < 0.45
