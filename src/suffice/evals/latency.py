"""How long calls took: median and 95th percentile of those made now, and how many were not made."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import zip_longest

from suffice.shown import counted
from suffice.values import Outcome

Samples = Sequence[Sequence[Outcome]]
"""For each case its call, or each of its calls."""


def seconds_of(samples: Samples) -> tuple[float, float] | None:
    """Median and 95th percentile of the seconds of calls made now; None where there were none."""
    times = sorted(o.seconds for case in samples for o in case if o.seconds is not None and not o.recorded)
    return (statistics.median(times), times[min(len(times) - 1, int(0.95 * len(times)))]) if times else None


def latency_text(samples: Samples) -> str:
    """ "median 1.2 ms, p95 3.4 ms (180 calls, 6 recorded earlier)", or that everything came from the journal."""
    times = seconds_of(samples)
    if times is None:
        return "not measured: every answer was recorded earlier"
    recorded, same = sum(o.recorded for case in samples for o in case), _same(samples)
    again = f", {recorded - same} recorded earlier" if recorded > same else ""
    again += f", {same} with the input of another case" if same else ""
    called = counted(sum(map(len, samples)) - recorded, "call")
    return f"median {duration(times[0])}, p95 {duration(times[1])} ({called}{again})"


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _same(samples: Samples) -> int:
    """Calls that were not made because one for the same input was made now, for another case."""
    same = 0
    for calls in map(list, zip_longest(*samples)):
        made = {o.case.inputs_hash for o in calls if o is not None and not o.recorded}
        same += sum(o is not None and o.recorded and o.case.inputs_hash in made for o in calls)
    return same
