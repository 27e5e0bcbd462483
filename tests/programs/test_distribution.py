"""The distribution over labels: read off one token, and a typed error where there is nothing to read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from asked_samples import turns
from upstream_faults import Ok

import suffice as sf
from suffice.errors import SolutionError, UsageError
from suffice.models.concerns.reply_json import reply_from_json, reply_to_json
from suffice.programs.distribution import Distribution, distribution
from upstream import upstream

LABELS = ["billing", "shipping", "returns"]


def read(answer: Ok, **options: Any) -> Distribution:
    with upstream(answer) as up:
        return sf.run(distribution(LABELS, "where is my parcel?", model=f"{up.url}#m", **options))


def told(text: str, **probabilities: float) -> Ok:
    others = {token.replace("_", " "): math.log(p) for token, p in probabilities.items()}
    return Ok(text, tokens=((text, -0.1, others),))


def test_each_label_has_the_probability_of_its_letter_and_they_sum_to_one() -> None:
    with upstream(told("B", B=0.5, _B=0.25, A=0.05, The=0.1, C=0.0001)) as up:
        found = sf.run(distribution(LABELS, "where is my parcel?", model=f"{up.url}#m", extra={"k": 1}))
        (asked,) = up.log.asked
    assert found.mass == pytest.approx(0.8001)
    assert found.labels == pytest.approx(
        {"billing": 0.05 / 0.8001, "shipping": 0.75 / 0.8001, "returns": 0.0001 / 0.8001}
    )
    assert sum(found.labels.values()) == pytest.approx(1.0) and found.best == "shipping"
    assert (asked.body["logprobs"], asked.body["top_logprobs"], asked.body["k"]) == (True, 20, 1)
    (_, instruction), user = turns(asked)
    assert "A: billing\nB: shipping\nC: returns" in instruction and user == ("user", "where is my parcel?")


def test_the_token_is_the_one_that_begins_the_answer() -> None:
    thinking = (("A", -1.0, {"A": -0.01}), ("\n", -0.1, {"A": -0.01}), ("B", -0.1, {"B": math.log(0.9)}))
    found = read(Ok("B", tokens=thinking))
    assert found.labels == {"billing": 0.0, "shipping": 1.0, "returns": 0.0} and found.mass == pytest.approx(0.9)


def test_where_there_is_nothing_to_read_a_typed_error_says_so() -> None:
    with pytest.raises(SolutionError, match="told no likeliest tokens"):
        read(Ok("B"))
    with pytest.raises(SolutionError, match="told no likeliest tokens"):
        read(Ok("B", tokens=(("B", -0.1),)))
    with pytest.raises(SolutionError, match="none of the labels"):
        read(told("The", The=0.9, b=0.05))
    with pytest.raises(UsageError, match="gives no log-probabilities\nhint: a vote"):
        sf.run(distribution(LABELS, "x", model="anthropic:claude-sonnet-4-5"))


def test_labels_that_cannot_be_told_apart_are_refused() -> None:
    for wrong in (["a"], ["a", "a"], ["a", " "], [str(i) for i in range(21)], "ab", ["a", 1]):
        with pytest.raises(UsageError, match="labels is 2 to 20 different texts"):
            sf.run(distribution(wrong, "x", model="openai:gpt-4.1-mini"))  # pyright: ignore[reportArgumentType]


def test_a_recorded_reply_keeps_its_likeliest_tokens() -> None:
    reply = read(Ok("B", tokens=(("B", -0.1, {"B": -0.1, "A": -3.0}), (b"\xf0\x9f", -0.2), ("", -0.3)))).reply
    back = reply_from_json(json.loads(json.dumps(reply_to_json(reply))))
    assert back.logprobs == reply.logprobs and back.logprobs[0].others == (("B", -0.1), ("A", -3.0))
