"""`evaluate` over cases that a model answers: Suffice and four other tools beside a bare loop, on an instant endpoint.

    python bench/evaluations.py --peers VENV [--promptfoo FOLDER] [--n 2000] [--repeats 5]

VENV is a virtual environment with aiohttp, openai, dspy, pydantic-evals and inspect-ai, FOLDER one where `npm install
promptfoo` ran; what is absent is skipped, and said. The upstream is the C program of `calls.py` with its one fixed
reply, which is what every case expects: a tool that does not get all of them right is left out. Each run is a process
of its own pinned to core 1 with all its threads, the upstream a fresh one on core 0, and the tools take turns, 32 cases
side by side and otherwise their defaults, their caches of replies off (Suffice's is on, and empty).

Seconds are those of the evaluating call inside the process, with whatever the tool loads then; for promptfoo, which has
no other door, of the whole command. CPU likewise, children included. "Requests" is what the upstream counted. "Kept"
says where the answers given before a kill (SIGKILL) are: in a journal with which the same call goes on, in a log that a
command of the tool's own goes on with (`inspect log recover` and `eval-retry`, `promptfoo eval --resume`), or in none.
All figures are medians; nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calls import OURS, Client, Figures, compiled, middle, named, native, ran, table, turns

SIDE_BY_SIDE = 32


@dataclass(frozen=True)
class Said:
    """What the table says of a tool in words: what asks the model, and what is left of a run that is killed."""

    asks: str
    kept: str


SUFFICE = Client("Suffice", "evaluating_suffice.py", OURS, "suffice", "suffice")
AGAIN = Client("Suffice, same store again", SUFFICE.script, OURS, "suffice", "suffice")
SAID = {
    "evaluating_aiohttp.py": Said("aiohttp, by hand", "none"),
    SUFFICE.script: Said("a step, its defaults", "journal"),
    "evaluating_dspy.py": Said("`dspy.LM`, a plain call", "none"),
    "evaluating_pydantic_evals.py": Said("the openai client", "none"),
    "evaluating_inspect.py": Said("`generate()`, its openai-api provider", "log"),
    "evaluating_promptfoo.py": Said("its openai:chat provider", "log"),
}


def clients(venv: Path | None, promptfoo: Path | None) -> list[Client]:
    """The bare loop, Suffice, and the other tools that are there; those that are not are skipped aloud."""
    python = (venv or Path("nowhere")) / "bin" / "python"
    bare = Client("bare loop, aiohttp", "evaluating_aiohttp.py", python, "aiohttp", "aiohttp")
    peers = [
        Client("DSPy Evaluate", "evaluating_dspy.py", python, "dspy", "dspy"),
        Client("pydantic-evals", "evaluating_pydantic_evals.py", python, "pydantic_evals, openai", "pydantic-evals"),
        Client("Inspect AI", "evaluating_inspect.py", python, "inspect_ai, openai", "inspect-ai"),
    ]
    there = [c for c in (bare, *peers) if python.is_file() and _imports(c)]
    absent = [c.name for c in (bare, *peers) if c not in there]
    if promptfoo and shutil.which("node") and (promptfoo / "node_modules" / "promptfoo").is_dir():
        home = str(promptfoo.resolve())
        there.append(Client("promptfoo", "evaluating_promptfoo.py", OURS, "json", "promptfoo", home))
    else:
        absent.append("promptfoo")
    if absent:
        print(f"skipped, not installed where --peers and --promptfoo say: {', '.join(absent)}\n", flush=True)
    first = [c for c in there if c == bare]
    return [*first, SUFFICE, AGAIN, *(c for c in there if c != bare)]


def _imports(client: Client) -> bool:
    return subprocess.run([client.python, "-c", f"import {client.module}"], capture_output=True).returncode == 0


def free_port() -> int:
    """A port for all upstreams: a step on another one would be another solution, and nothing of it recorded."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def evaluated(client: Client, program: Path, port: int, folder: Path, n: int) -> Figures:
    """One run against an upstream of its own. Raises RuntimeError where not every case was right."""
    with native(program, port=port) as up:
        figures = ran(client, up.url, str(folder), n, SIDE_BY_SIDE)
    if figures["right"] != n:
        raise RuntimeError(f"{client.name} got {figures['right']} of {n} cases right: it did not do the task")
    return {**figures, **up.said}


def rows(runs: dict[Client, list[Figures]], n: int) -> list[list[str]]:
    """The rows of the table; the first client's seconds are what the others are compared with."""
    bare = math.nan
    made: list[list[str]] = []
    for client, figures in runs.items():
        seconds = middle(figures, lambda r: r["seconds"])
        bare = seconds if client.script == "evaluating_aiohttp.py" else bare
        low, high = (pick(r["seconds"] for r in figures) for pick in (min, max))
        said = SAID[client.script]
        row = [named(client, figures), said.asks, f"{seconds:.2f}", f"{low:.2f} to {high:.2f}", f"{seconds / bare:.1f}"]
        row.append(f"{middle(figures, lambda r: r['cpu'] / n * 1e3):.2f}")
        made.append([*row, f"{middle(figures, lambda r: r['served']):,.0f}", said.kept])
    return made


def compared(all_: Sequence[Client], program: Path, n: int, repeats: int) -> None:
    """The table: each tool in an empty folder, and Suffice again in the one that it has just left."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "run"

        def one(client: Client) -> Figures:
            if client is not AGAIN:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            return evaluated(client, program, port, folder, n)

        runs = turns(all_, repeats, one)
    head = [f"{n:,} cases, {SIDE_BY_SIDE} side by side", "asks with", "seconds", "least to most", "/ bare loop"]
    table([*head, "CPU ms a case", "requests", "kept"], rows(runs, n))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, help="virtual environment with the other tools")
    parser.add_argument("--promptfoo", type=Path, help="folder where npm install promptfoo ran")
    parser.add_argument("--n", type=int, default=2_000, help="cases a run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", help="tools whose script has this in its name (comma-separated)")
    o = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}\n")
    all_ = [c for c in clients(o.peers, o.promptfoo) if not o.only or any(w in c.script for w in o.only.split(","))]
    with tempfile.TemporaryDirectory() as folder:
        compared(all_, compiled(Path(folder)), o.n, o.repeats)


if __name__ == "__main__":
    main()
