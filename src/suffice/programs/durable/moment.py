"""Time and chance: in a durable run what they were when the program first came here."""

from __future__ import annotations

import random as chance
from datetime import UTC, datetime

from suffice.store.effects import noted_value


def now() -> datetime:
    """The time, in UTC; in a durable run the one of when the program first came here."""
    return datetime.fromisoformat(str(noted_value("now", lambda: datetime.now(UTC).isoformat())))


def random() -> float:
    """A random number in [0, 1); in a durable run the one that the program first got here."""
    return float(noted_value("random", chance.random))
