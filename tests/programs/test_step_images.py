"""Images as inputs of steps: shown in the printed prompt, sent as image parts, also where a case holds them as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import suffice as sf
from suffice.errors import UsageError
from suffice.programs.bundle import save_bundle
from upstream import Upstream, upstream

PIXELS = bytes(12_345)
LINK = sf.models.Image(data=b"abc").link


@sf.step
async def look(question: str, img: sf.models.Image | None = None) -> str:
    """Answer from the image."""
    ...


def on(up: Upstream) -> Any:
    return look.using(model=f"{up.url}#m")


def content(up: Upstream) -> Any:
    """What the user's turn of the last request held."""
    return up.log.asked[-1].body["messages"][-1]["content"]


def test_the_printed_prompt_says_which_image_would_be_sent():
    printed = look.prompt("What is it?", sf.models.Image(data=PIXELS))
    assert printed.endswith("[user]\nWhat is it?\n\n[image, 12,345 bytes, image/png]")
    assert look.prompt("What is it?", sf.models.Image(url="https://x/1.png")).endswith("[image, https://x/1.png]")


def test_an_image_that_is_left_out_is_no_text_that_says_null():
    assert look.prompt("What is it?").endswith("[user]\nWhat is it?")


@pytest.mark.parametrize("given", [sf.models.Image(data=b"abc"), LINK])
def test_an_image_is_sent_as_an_image_part_also_from_the_text_of_a_case(given: Any):
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": LINK}}]
    with upstream() as up:
        sf.run(on(up)("What is it?", given))
        assert content(up) == parts
        sf.run(on(up).as_solution()(question="What is it?", img=given))
        assert content(up) == parts


def test_cases_with_images_are_evaluated_with_image_parts_and_so_is_the_saved_step(tmp_path: Path):
    rows = [{"question": f"q {i}", "img": sf.models.Image(data=bytes([i])), "answer": "ab"[i % 2]} for i in range(12)]
    task = sf.Task(rows, inputs=["question", "img"], expected="answer")
    with upstream() as up:
        sf.run(sf.evaluate(task, on(up), store=tmp_path / "store"))
        asked = [a.body["messages"][-1]["content"] for a in up.log.asked]
        links = {part["image_url"]["url"] for parts in asked for part in parts if part["type"] == "image_url"}
        assert links == {case.inputs["img"] for case in task.dev} and len(links) > 1
        loaded = sf.load(save_bundle(on(up).as_solution(), tmp_path / "look.suffice"))
        sf.run(loaded(question="q", img=LINK))
        assert content(up)[-1]["image_url"]["url"] == LINK


def test_an_example_may_hold_an_image():
    with upstream() as up:
        shown = {"question": "q", "img": sf.models.Image(data=b"abc")}
        sf.run(on(up).using(examples=[(shown, "a cat")]).as_solution()(question="q", img=None))
        assert up.log.asked[-1].body["messages"][1]["content"][-1]["image_url"]["url"] == LINK


def test_a_text_that_is_no_image_is_refused():
    with pytest.raises(UsageError, match="img is no image"):
        look.prompt("What is it?", "cats.png")  # type: ignore[arg-type]  # what a case of a CSV file would hold
