"""What the makers of foreign files share: the tickets, the prompt, where files go, and how they are sanitised."""

from __future__ import annotations

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = ROOT / "tests" / "evals" / "foreign" / "files"
SHOWN = ROOT / "examples" / "runs"
PROMPT = "Which team handles this ticket: billing, shipping, returns or account? One word.\nTicket: {ticket}\nTeam:"
MODELS = ("plain", "careful")


def tickets() -> list[dict[str, str]]:
    """The rows of tickets.csv: id, ticket, team."""
    with (SHOWN / "tickets.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def broken() -> list[dict[str, str]]:
    """Six tickets of which the model `fragile` refuses one: for runs with repeats and an error."""
    return tickets()[34:]


def sanitised(text: str, *places: str | Path) -> str:
    """Without folders of this machine, ports and host names of the server that was asked."""
    for place in sorted((str(p) for p in places), key=len, reverse=True):
        text = text.replace(place, "/somewhere")
    text = re.sub(r"/(?:tmp|work|root|home)/[\w./@-]*(?=/)", "/somewhere", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8000", text)
