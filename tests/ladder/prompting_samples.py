"""Models of known skill for the climb: scripts of an upstream that knows the truth of the tickets in climb_samples."""

from __future__ import annotations

import json
import threading
from collections import Counter

from climb_samples import LABELS, place, truth
from upstream_faults import Asked, Fault, Ok, Script


def said(answer: object, delay: float = 0.0) -> Ok:
    return Ok(json.dumps({"answer": answer}), delay=delay)


def wrong(text: str, *salt: object) -> str:
    """One of the other labels."""
    others = [label for label in LABELS if label != truth(text)]
    return others[int(place("wrong", text, *salt) * len(others))]


def skilled(share: float, delay: float = 0.0) -> Script:
    """Right on this share of tickets, and on the same ones each time."""

    def script(asked: Asked) -> Fault:
        text = asked.text
        return said(truth(text) if place("skilled", text) < share else wrong(text), delay)

    return script


def needs_examples(asked: Asked) -> Fault:
    """Right where an answered ticket stands before the ticket, else wrong."""
    turns = [m["role"] for m in asked.body["messages"]]
    return said(truth(asked.text) if "assistant" in turns else wrong(asked.text))


def unsteady(share: float) -> Script:
    """Right on this share of samples. Cold, the same ticket gets the same answer each time."""
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def script(asked: Asked) -> Fault:
        text, sample = asked.text, 0
        if asked.body.get("temperature"):
            with lock:
                sample, seen[text] = seen[text] + 1, seen[text] + 1
        return said(truth(text) if place("sample", text, sample) < share else wrong(text, sample))

    return script
