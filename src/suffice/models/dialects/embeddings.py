"""Embeddings: texts to vectors, as OpenAI's POST /embeddings has them (API reference, "Create embeddings")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from suffice.errors import MalformedReply
from suffice.exchange import Usage
from suffice.models.dialects.body import count, fields, json_bytes, json_object, objects
from suffice.models.dialects.faults import error_inside

PATH: Final = "/embeddings"


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


def encode_embeddings(model: str, texts: Sequence[str]) -> bytes:
    """The body that asks `model` for one vector of each text. Raises UsageError for what is no text."""
    return json_bytes({"model": model, "input": list(texts), "encoding_format": "float"})


def decode_embeddings(body: bytes) -> tuple[list[list[float]], Usage]:
    """The vectors, in the order of the texts, and what they used.

    Raises MalformedReply where they are not whole (a vector missing, double, empty, of another length than the
    others, or with something in it that is no number), or the CallError that the endpoint sent inside.
    """
    told = json_object(body)
    if told.get("error"):
        raise error_inside(told["error"], where=PATH)
    vectors = _in_order(told.get("data"))
    if not vectors or not vectors[0]:
        raise MalformedReply("there is no vector in what came back", where=PATH)
    if any(len(v) != len(vectors[0]) for v in vectors):
        raise MalformedReply("the vectors are not of one length", where=PATH)
    usage = fields(told.get("usage"))
    return vectors, Usage(input_tokens=count(usage.get("prompt_tokens")))


def _in_order(data: Any) -> list[list[float]]:
    try:
        items = msgspec.convert(data, list[_Vector])
    except msgspec.ValidationError as error:
        raise MalformedReply(f"what came back are no embeddings: {str(error)[:120]}", where=PATH) from None
    # Gemini leaves out what is zero; an item without an index stands at its own place.
    placed = {at if item.index is None else item.index: item.embedding for at, item in enumerate(items)}
    if len(objects(data)) != len(placed) or sorted(placed) != list(range(len(items))):
        raise MalformedReply("the vectors are not one for each text", where=PATH)
    return [placed[at] for at in range(len(items))]
