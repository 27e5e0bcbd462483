"""Embeddings as OpenAI's API reference, "Create embeddings", has them."""

from __future__ import annotations

import json

import pytest

from suffice.errors import MalformedReply, RateLimited
from suffice.exchange import Usage
from suffice.models.dialects.embeddings import decode_embeddings, encode_embeddings

# The answer of the API reference, with two texts and shorter vectors.
BODY = (
    b'{"object":"list","data":[{"object":"embedding","embedding":[0.25,-0.5,1],"index":1},'
    b'{"object":"embedding","embedding":[0.0023,-0.009327,-0.0028],"index":0}],'
    b'"model":"text-embedding-ada-002","usage":{"prompt_tokens":8,"total_tokens":8}}'
)


def data(*items: object) -> bytes:
    return json.dumps({"data": items}).encode()


def test_the_body_asks_for_floats_of_each_text_in_order() -> None:
    assert json.loads(encode_embeddings("m", ["é", "b"])) == {
        "model": "m",
        "input": ["é", "b"],
        "encoding_format": "float",
    }


def test_vectors_come_back_in_the_order_of_the_texts() -> None:
    assert decode_embeddings(BODY) == ([[0.0023, -0.009327, -0.0028], [0.25, -0.5, 1.0]], Usage(input_tokens=8))


def test_usage_that_was_not_said_is_unknown_and_no_index_means_its_own_place() -> None:
    assert decode_embeddings(data({"embedding": [1]}, {"embedding": [2], "index": 1})) == ([[1.0], [2.0]], Usage())


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_an_answer_cut_off_at_any_byte_is_an_error(cut: int) -> None:
    with pytest.raises(MalformedReply):
        decode_embeddings(BODY[:cut])


@pytest.mark.parametrize(
    "body",
    [
        data(),
        data({"embedding": [], "index": 0}),
        data({"embedding": [1.0, None], "index": 0}),
        data({"embedding": [1.0], "index": 0}, {"embedding": [1.0, 2.0], "index": 1}),
        data({"embedding": [1.0], "index": 0}, {"embedding": [2.0], "index": 0}),
        data({"embedding": [1.0], "index": 1}),
        b"{}",
        b"[]",
        b"<html>",
    ],
)
def test_vectors_that_are_not_whole_are_an_error(body: bytes) -> None:
    with pytest.raises(MalformedReply):
        decode_embeddings(body)


def test_an_error_inside_a_good_answer_is_that_error() -> None:
    with pytest.raises(RateLimited):
        decode_embeddings(b'{"error":{"code":429,"message":"slow down"}}')
