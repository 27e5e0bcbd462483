"""Durable runs under kills: a program of tools, model calls and refunds, killed at random instants until it is done.

    python bench/durable_kills.py [--kills 200] [--orders 40]

Programs of `--orders` orders with three effects each (a tool that may be repeated, a model call, a refund that must
never be), the last four orders side by side, are killed 0 to 30 ms after they did something, until there were so many
kills. A person who looks at the books answers whether an open refund was made. Printed: kills, questions, refunds made
twice, calls made again, and how many of those the runs' status reports. The model is the scriptable one of the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS / "models"), str(TESTS / "programs" / "durable")]

from test_durable_kills import killed_until_done  # noqa: E402
from upstream_faults import Ok, always  # noqa: E402

from suffice.programs import durable  # noqa: E402
from upstream import upstream  # noqa: E402


def main() -> None:
    """Print the table."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--kills", type=int, default=200)
    told.add_argument("--orders", type=int, default=40)
    asked = told.parse_args()
    total: Counter[str] = Counter()
    while total["kills"] < asked.kills:
        total += one(asked.orders, min(10, asked.kills - total["kills"]))
    for name in (
        "programs",
        "kills",
        "questions",
        "refunds",
        "refunds twice",
        "looks again",
        "calls again",
        "reported",
    ):
        print(f"| {name} | {total[name]:,} |")


def one(orders: int, kills: int) -> Counter[str]:
    """One program, killed so often."""
    with tempfile.TemporaryDirectory() as folder, upstream(always(Ok("ok"))) as up:
        home, notes = Path(folder, "store"), Path(folder, "notes")
        killing = killed_until_done(home, notes, up.url, orders, kills)
        did = Counter(notes.read_text(encoding="ascii").split("\n"))
        refunds = [did[f"refund {n}"] for n in range(orders)]
        again = sum(did[f"look {n}"] - 1 for n in range(orders))
        reported = durable.status("shop", store=home).again
        found = {"programs": 1, "kills": killing.kills, "questions": killing.questions, "refunds": sum(refunds)}
        found |= {"refunds twice": sum(n > 1 for n in refunds), "looks again": again}
        found |= {"calls again": max(0, len(up.log.served) - orders), "reported": reported}
        return Counter(found)


if __name__ == "__main__":
    main()
