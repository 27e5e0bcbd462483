"""Steps that tests share, and scripts of an upstream that answers them by the words of the last message."""

from __future__ import annotations

import json
from typing import Any, Literal

from upstream_faults import Asked, Fault, Ok, Script

import suffice as sf

Team = Literal["billing", "shipping", "returns"]
WORDS = {"invoice": "billing", "parcel": "shipping", "broken": "returns"}


@sf.step
async def triage(ticket: str) -> Team | None:
    """Which team should handle this ticket? Answer None if no team fits."""
    ...


@sf.step
async def reply_to(ticket: str, customer: str, tone: str = "friendly") -> str:
    """Write a reply to the customer."""
    ...


def said(answer: Any) -> Ok:
    """A good reply with a wrapped answer."""
    return Ok(json.dumps({"answer": answer}))


def team_of(text: str) -> str | None:
    return next((team for word, team in WORDS.items() if word in text), None)


def knows(asked: Asked) -> Fault:
    """Answers as `team_of` does."""
    return said(team_of(asked.text))


def turns(asked: Asked) -> list[tuple[str, str]]:
    """Role and text of each message of a request."""
    return [(m["role"], m["content"]) for m in asked.body["messages"]]


def first_samples(*answers: Any) -> Script:
    """These answers for the first requests, whatever they ask, and then again from the start."""
    return lambda asked: said(answers[asked.number % len(answers)])
