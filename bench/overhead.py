"""What `evaluate` adds to a call: time, memory and journal with an instant solution, beside four other tools.

    python bench/overhead.py [--peers VENV] [--promptfoo FOLDER] [--repeats 5] [--large 100000]

VENV is a virtual environment with dspy, pydantic-evals and inspect-ai, FOLDER one where `npm install promptfoo` ran;
what is absent is skipped, and said. Every tool gets the same cases (about 55 characters, four labels), an instant
solution that is always right, exact match and eight cases side by side; none calls a model or an endpoint. Each run
is a process of its own and the tools take turns. All figures are medians.

Suffice's own table: seconds of the whole `evaluate` (opening the store, every commit, the report) divided by n, on an
empty store and again on the same one. The table of tools: (T(n) - T(n/10)) / (n - n/10), so that start-up cancels; T
is the time around the evaluating call, for promptfoo that of the whole command. CPU likewise, of the whole process.
At --large each tool runs once, T(n) / n, where that would take at most five minutes; after ten it is stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent / "peers"
KINDS = {"async": "`async def`", "def": "`def`"}
CONCURRENCY = (1, 8, 64)
SIDE_BY_SIDE = 8  # in the table of tools
PATIENCE = 300.0  # seconds that one run at the large size may be expected to take
LIMIT = 600.0  # seconds after which one run is stopped


@dataclass(frozen=True)
class Tool:
    """One tool: its script in `peers/`, and in words how it gets the solution and what it writes."""

    name: str
    script: str
    given: str
    writes: str
    python: Path = Path(sys.executable)
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ran:
    """One process: what it said, its CPU seconds and its peak memory in MB."""

    said: dict[str, Any]
    cpu: float
    peak: float
    version: str = ""


Turns = tuple[list[Ran], list[Ran]]
"""First runs and re-runs."""

SUFFICE = Tool("Suffice", "with_suffice.py", "`async def`", "journal (SQLite), committed as it goes")


def peers(venv: Path | None, promptfoo: Path | None) -> list[Tool]:
    """The tools that are there; the others are skipped aloud."""
    python = (venv or Path("nowhere")) / "bin" / "python"
    found = [
        Tool("DSPy Evaluate", "with_dspy.py", "`dspy.Module` without an LM", "nothing", python),
        Tool("pydantic-evals", "with_pydantic_evals.py", "`async def`", "nothing", python),
        Tool("Inspect AI", "with_inspect.py", "solver without a model", "log (.eval)", python),
    ]
    there = [t for t in found if python.is_file() and _imports(python, t)]
    if promptfoo is not None and shutil.which("node") and (promptfoo / "node_modules" / "promptfoo").is_dir():
        given = "custom provider (JavaScript)"
        there.append(Tool("promptfoo", "with_promptfoo.py", given, "its SQLite", more=(str(promptfoo.resolve()),)))
    absent = {"DSPy Evaluate", "pydantic-evals", "Inspect AI", "promptfoo"} - {t.name for t in there}
    if absent:
        print(f"skipped, not installed where --peers and --promptfoo say: {', '.join(sorted(absent))}\n", flush=True)
    return there


def _imports(python: Path, tool: Tool) -> bool:
    module = tool.script.removeprefix("with_").removesuffix(".py").replace("inspect", "inspect_ai")
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def ran(tool: Tool, n: int, concurrency: int, folder: Path, *more: str) -> Ran:
    """One run in its own process. Raises RuntimeError where the tool fails or does not get every case right."""
    command = [str(tool.python), str(HERE / tool.script), str(n), str(concurrency), str(folder), *tool.more, *more]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=folder)
        timer = threading.Timer(LIMIT, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text = out.read()
        if process.returncode == -signal.SIGKILL:
            raise RuntimeError(f"{tool.name} on {n:,} cases was stopped after {LIMIT / 60:.0f} min")
        if process.returncode:
            raise RuntimeError(f"{tool.name} failed on {n} cases: {err.read()[-1500:]}")
    said = json.loads(text.strip().splitlines()[-1])
    if said["right"] != n:
        raise RuntimeError(f"{tool.name} got {said['right']} of {n} cases right: it did not do the task")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return Ran(said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale, said.pop("version"))


def fresh(tool: Tool, n: int, concurrency: int, *more: str) -> Ran:
    """One run in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        return ran(tool, n, concurrency, Path(folder), *more)


def twice(n: int, concurrency: int, *kind: str) -> tuple[Ran, Ran]:
    """Suffice on an empty store, and again on what that left."""
    with tempfile.TemporaryDirectory() as folder:
        first, again = (ran(SUFFICE, n, concurrency, Path(folder), *kind) for _ in range(2))
        return first, again


def middle(runs: Iterable[Ran], name: str) -> float:
    """The median of what the runs said under `name`."""
    return statistics.median(r.said[name] for r in runs)


def table(*rows: Sequence[str]) -> None:
    """Print a Markdown table, figures to the right; the first row is its head."""
    for k, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if k == 0:
            print("|---" * 2 + "|--:" * (len(row) - 2) + "|")
    print(flush=True)


def own(sizes: Sequence[int], repeats: Sequence[int]) -> None:
    """Suffice by itself: time by kind of function and concurrency, then memory and disk."""
    head = ["solution", "", "cases", "first run, ms a case", "CPU", "again, ms a case", "CPU"]
    rows: list[list[str]] = []
    usual: dict[int, Turns] = {}
    for n, times in zip(sizes, repeats, strict=True):
        runs = [{(kind, c): twice(n, c, kind) for kind in KINDS for c in CONCURRENCY} for _ in range(times)]
        for kind, c in runs[0]:
            first, again = ([turn[kind, c][k] for turn in runs] for k in (0, 1))
            times_ = [f"{middle(side, of) / n * 1e3:.3f}" for side in (first, again) for of in ("seconds", "cpu")]
            rows.append([KINDS[kind], f"{c} side by side", f"{n:,}", *times_])
            if (kind, c) == ("async", SIDE_BY_SIDE):
                usual[n] = first, again
    table(head, *rows)
    table(["`async def`, 8 side by side", "", *(f"{n:,} cases" for n in sizes)], *disk(usual), *memory(usual))


def disk(usual: Mapping[int, Turns]) -> list[list[str]]:
    """Bytes of the store beside those of the texts."""
    raw = [middle(first, "raw") for first, _ in usual.values()]
    wrote = [middle(first, "store") for first, _ in usual.values()]
    more = [middle(again, "store") - w for (_, again), w in zip(usual.values(), wrote, strict=True)]
    return [
        ["raw texts", "inputs and answers", *(f"{b / 1e6:.2f} MB" for b in raw)],
        ["store", "after the first run", *(f"{b / 1e6:.2f} MB" for b in wrote)],
        ["store / raw texts", "target: at most 3", *(f"{w / r:.2f}" for w, r in zip(wrote, raw, strict=True))],
        ["added to the store", "by a re-run", *(f"{b / 1e3:.0f} kB" for b in more)],
    ]


def memory(usual: Mapping[int, Turns]) -> list[list[str]]:
    """Peak of the process, and what Python allocates from the call of `evaluate` on (a traced run of its own)."""
    rows = [
        ["peak memory", "whole process", *(f"{statistics.median(r.peak for r in a):.0f} MB" for a, _ in usual.values())]
    ]
    traced = [twice(n, SIDE_BY_SIDE, "async", "traced") for n in usual]
    for k, name in enumerate(("first run", "re-run")):
        for what, said in (("held", "held by the report at its end"), ("peak", "peak")):
            rows.append([f"allocated by the {name}", said, *(f"{both[k].said[what] / 1e6:.1f} MB" for both in traced)])
    alone = [fresh(SUFFICE, n, SIDE_BY_SIDE, "dropped", "traced") for n in usual]
    return [
        *rows,
        ["by the runner alone", "peak, outcomes dropped", *(f"{r.said['peak'] / 1e6:.1f} MB" for r in alone)],
    ]


def slope(large: Sequence[float], small: Sequence[float], n: int) -> float:
    """Milliseconds a case: the difference of the medians of two sizes, so that start-up cancels."""
    return (statistics.median(large) - statistics.median(small)) / (n - n // 10) * 1e3


def turns(tools: Sequence[Tool], n: int, repeats: int) -> dict[Tool, list[tuple[Ran, Ran]]]:
    """Each tool at n/10 and n cases, turn by turn; one that fails is left out aloud."""
    runs: dict[Tool, list[tuple[Ran, Ran]]] = {tool: [] for tool in tools}
    for tool in (t for _ in range(repeats) for t in tools if t in runs):
        try:
            runs[tool].append((fresh(tool, n // 10, SIDE_BY_SIDE), fresh(tool, n, SIDE_BY_SIDE)))
        except RuntimeError as error:
            del runs[tool]
            print(f"left out: {error}\n", flush=True)
    return runs


def beside(tools: Sequence[Tool], n: int, repeats: int, large: int) -> None:
    """The table of tools, Suffice first."""
    rows: list[list[str]] = []
    ours = math.nan
    for tool, runs in turns(tools, n, repeats).items():
        small, full = zip(*runs, strict=True)
        each = slope([r.said["seconds"] for r in full], [r.said["seconds"] for r in small], n)
        cpu = slope([r.cpu for r in full], [r.cpu for r in small], n)
        ours = each if tool is SUFFICE else ours
        peak = statistics.median(r.peak for r in full)
        row = [f"{tool.name} {full[0].version}", f"{tool.given}; writes {tool.writes}", f"{each:.2f}"]
        rows.append([*row, f"{each / ours:.1f}", f"{cpu:.2f}", f"{peak:.0f}", *at(tool, large, each)])
    head = ["tool", "solution given as; writes", "ms a case", "x Suffice", "CPU ms a case", f"peak MB, {n:,}"]
    table([*head, f"ms a case, {large:,}", f"peak MB, {large:,}"], *rows)


def at(tool: Tool, large: int, each: float) -> tuple[str, str]:
    """One run at the large size, where it would end in good time."""
    likely = each * large / 1e3
    if likely > PATIENCE:
        return f"not run (about {likely / 60:.0f} min)", ""
    try:
        one = fresh(tool, large, SIDE_BY_SIDE)
    except RuntimeError as error:
        print(f"{error}\n", flush=True)
        return "stopped or failed", ""
    return f"{one.said['seconds'] / large * 1e3:.2f}", f"{one.peak:.0f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, help="virtual environment with dspy, pydantic-evals, inspect-ai")
    parser.add_argument("--promptfoo", type=Path, help="folder where npm install promptfoo ran")
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--only", choices=("own", "tools"), help="one half of it")
    parser.add_argument("--repeats", type=int, default=5, help="at --cases; at --large two fifths of it")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}\n")
    if options.only != "tools":
        own((options.cases, options.large), (options.repeats, max(1, options.repeats * 2 // 5)))
    if options.only != "own":
        tools = [SUFFICE, *peers(options.peers, options.promptfoo)]
        beside(tools, options.cases, options.repeats, options.large)


if __name__ == "__main__":
    main()
