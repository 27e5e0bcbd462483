"""Marks: a case that was looked at is known again in another form, and another case is not taken for it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from suffice.evals.marks import cell_marks, passage_keys, telling_keys
from suffice.values import Json, case_key

WORDS = [
    f"{a}{b}" for a in ("par", "lo", "mi", "tan", "ve", "su", "gor", "del") for b in ("cel", "nik", "ra", "tum", "so")
]


def text(draw: random.Random, n: int = 12) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(n))


def known_by(inputs: list[Json]) -> list[set[str]]:
    keys = [case_key(one) for one in inputs]
    return [{key, *marks} for key, marks in zip(keys, cell_marks(list(zip(keys, inputs, strict=True))), strict=True)]


FORMS: dict[str, Callable[[str], Json]] = {
    "in a list": lambda t: [t],
    "as a message": lambda t: [{"role": "user", "content": t}],
    "as an object": lambda t: {"q": t},
    "after a system message": lambda t: [
        {"role": "system", "content": "Say which team."},
        {"role": "user", "content": t},
    ],
    "after a prompt": lambda t: f"Question: {t}",
    "after a longer prompt": lambda t: f"Which team should have this, in one word? {t}",
    "before a footer": lambda t: f"{t}\nsent from my phone",
    "as a body": lambda t: {"subject": f"{t[:9]} (new)", "body": t},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_case_is_known_again(form: str) -> None:
    draw = random.Random(7)
    texts = [text(draw) for _ in range(300)]
    plain, other = known_by(list(texts)), known_by([FORMS[form](t) for t in texts])
    missed = sum(one.isdisjoint(again) for one, again in zip(plain, other, strict=True))
    assert missed <= (30 if form == "after a longer prompt" else 6), missed
    strangers = known_by([FORMS[form](text(draw)) for _ in range(300)])
    every = set[str]().union(*plain)
    assert sum(not every.isdisjoint(one) for one in strangers) == 0


def test_a_template_and_what_several_share_tell_nobody() -> None:
    template = "Please read the following customer mail with care and say which team it is for: "
    draw = random.Random(1)
    first, second = ([f"{template}{text(draw, 3)}" for _ in range(40)] for _ in range(2))
    every = set[str]().union(*known_by(list(first)))
    assert all(every.isdisjoint(one) for one in known_by(list(second)))
    shared = text(draw, 20)
    both = known_by([f"{shared} {i}" for i in ("one", "two")])
    assert both[0].isdisjoint(both[1])


def test_short_texts_have_no_passages_and_places_tell_texts_apart() -> None:
    assert passage_keys("where is my parcel") == []
    keys = telling_keys([{"role": "system", "content": "a rule of many letters"}, {"content": "a question of as many"}])
    assert list(keys) == ["[0].content", "[1].content"]
    assert telling_keys("a bare text with many letters") == {}
