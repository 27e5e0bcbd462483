"""What a model call costs besides the model: calls a second, failures left, streams, many in flight, imports.

    python bench/calls.py --peers VENV [--failures | --stream | --inflight | --imports] [--n 5000] [--repeats 5]

VENV is a virtual environment with aiohttp, pyreqwest, openai, litellm, pydantic-ai-slim[openai], langchain-openai and
tensorzero; what is absent is skipped, and said. The upstream is on this machine: for throughput a C program with one
fixed reply (`bench/upstream/upstream.c`, compiled here with cc), for failures the scriptable one of the tests. The
client is a process pinned to core 1 with all its threads, the upstream one pinned to core 0, and the clients take
turns. Every client runs with its defaults. All figures are medians over the repeats; nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests" / "models"
LIMIT = 300.0  # seconds after which one run is stopped
UPSTREAM_CORE, CLIENT_CORE = 0, 1
Figures = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """One way to call: its script in `peers/`, the Python that has it, and what `--imports` imports and weighs."""

    name: str
    script: str
    python: Path
    module: str
    package: str
    variant: str = ""


OURS = Path(sys.executable)
SUFFICE = Client("Suffice", "calls_suffice.py", OURS, "suffice.models.model", "suffice")
JOURNAL = Client("Suffice, in a run with its journal", SUFFICE.script, OURS, SUFFICE.module, "suffice", "journal")


def clients(venv: Path | None) -> list[Client]:
    """Suffice and the peers that are there; the others are skipped aloud."""
    python = (venv or Path("nowhere")) / "bin" / "python"
    peers = [
        Client("aiohttp, by hand", "calls_aiohttp.py", python, "aiohttp", "aiohttp"),
        Client("pyreqwest, by hand", "calls_pyreqwest.py", python, "pyreqwest.client", "pyreqwest"),
        Client("openai", "calls_openai.py", python, "openai", "openai"),
        Client("LiteLLM", "calls_litellm.py", python, "litellm", "litellm"),
        Client(
            "pydantic-ai, direct",
            "calls_pydantic_ai.py",
            python,
            "pydantic_ai.models.openai, pydantic_ai.direct",
            "pydantic-ai-slim[openai]",
        ),
        Client("langchain-openai", "calls_langchain.py", python, "langchain_openai", "langchain-openai"),
        Client("TensorZero, embedded", "calls_tensorzero.py", python, "tensorzero", "tensorzero"),
    ]
    there = [c for c in peers if python.is_file() and _imports(c)]
    absent = [c.name for c in peers if c not in there]
    if absent:
        print(f"skipped, not installed where --peers says: {', '.join(absent)}\n", flush=True)
    return [SUFFICE, *there]


def _imports(client: Client) -> bool:
    return subprocess.run([client.python, "-c", f"import {client.module}"], capture_output=True).returncode == 0


def pinned(core: int) -> Callable[[], None] | None:
    """What a new process does first so that it stays on one core; None where that cannot be."""
    if not hasattr(os, "sched_setaffinity") or core not in os.sched_getaffinity(0):
        return None
    return lambda: os.sched_setaffinity(0, {core})


def compiled(folder: Path) -> Path:
    """The C upstream, built into `folder`. Raises SystemExit where there is no C compiler."""
    program = folder / "upstream"
    command = ["cc", "-O2", "-o", str(program), str(HERE / "upstream" / "upstream.c")]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        sys.exit("this benchmark needs a C compiler called cc")
    return program


@dataclass(frozen=True)
class Upstream:
    """An upstream in a process of its own: the URL that clients take, and at its end what it says that it saw."""

    url: str
    said: Figures


@contextmanager
def served(command: Sequence[str]) -> Generator[Upstream]:
    """Run an upstream."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(UPSTREAM_CORE)) as process:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        up = Upstream(first if first.startswith("http") else f"http://127.0.0.1:{first}/v1", {})
        try:
            yield up
        finally:
            process.terminate()
            rest, _ = process.communicate()
            up.said.update(json.loads(rest))


def native(program: Path, **options: float) -> AbstractContextManager[Upstream]:
    """The C upstream with these options."""
    more = [text for name, value in options.items() for text in (f"--{name}", f"{value:g}")]
    return served([str(program), "--seconds", f"{LIMIT:g}", *more])


def scripted(spec: str) -> AbstractContextManager[Upstream]:
    """The scriptable upstream of the tests."""
    return served([sys.executable, str(TESTS / "upstream.py"), "--script", spec, "--seconds", f"{LIMIT:g}"])


def ran(client: Client, url: str, mode: str, n: int, concurrency: int) -> Figures:
    """One run in its own process, no key or setting of this machine in its environment. Raises RuntimeError."""
    arguments = [url, mode, str(n), str(concurrency), *([client.variant] if client.variant else [])]
    command = [str(client.python), str(HERE / "peers" / client.script), *arguments]
    with tempfile.TemporaryDirectory() as folder:
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")}
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                cwd=folder,
                env={**kept, "SUFFICE_HOME": folder},
                preexec_fn=pinned(CLIENT_CORE),
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{client.name} was stopped after {LIMIT:g} s") from None
    if done.returncode:
        raise RuntimeError(f"{client.name} failed: {done.stderr[-600:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def turns(all_: Sequence[Client], repeats: int, one: Callable[[Client], Figures]) -> dict[Client, list[Figures]]:
    """Every client `repeats` times, turn by turn; one that fails is left out aloud."""
    runs: dict[Client, list[Figures]] = {client: [] for client in all_}
    for client in (c for _ in range(repeats) for c in all_ if c in runs):
        try:
            runs[client].append(one(client))
        except RuntimeError as error:
            del runs[client]
            print(f"left out: {error}\n", flush=True)
    return runs


def middle(runs: Sequence[Figures], of: Callable[[Figures], float]) -> float:
    """The median of a figure."""
    return statistics.median(of(run) for run in runs)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, figures to the right."""
    print(f"| {' | '.join(head)} |\n|---{'|--:' * (len(head) - 1)}|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def named(client: Client, runs: Sequence[Figures]) -> str:
    """A client with its version."""
    return f"{client.name} {runs[0]['version']}"


def _failed(runs: Sequence[Figures]) -> str:
    return f"{sum(r['failures'] for r in runs):,}"


def throughput(all_: Sequence[Client], program: Path, concurrency: int, n: int, repeats: int) -> None:
    """Calls a second on one core."""
    ours = [c for client in all_ for c in ([SUFFICE, JOURNAL] if client is SUFFICE else [client])]
    with native(program) as up:
        runs = turns(ours, repeats, lambda c: ran(c, up.url, "calls", n, concurrency))
    rows: list[list[str]] = []
    own = middle(runs[SUFFICE], lambda r: n / r["seconds"]) if runs.get(SUFFICE) else float("nan")
    for client, figures in runs.items():
        rate = middle(figures, lambda r: n / r["seconds"])
        low, high = (pick(n / r["seconds"] for r in figures) for pick in (min, max))
        cpu = middle(figures, lambda r: r["cpu"] / n * 1e6)
        row = [named(client, figures), f"{rate:,.0f}", f"{low:,.0f} to {high:,.0f}", f"{own / rate:.2f}"]
        rows.append([*row, f"{cpu:,.0f}", _failed(figures)])
    head = [f"{concurrency} at once, {n:,} calls", "calls a second", "least to most", "Suffice / it"]
    table([*head, "CPU µs a call", "failed"], rows)


def failures(all_: Sequence[Client], n: int, repeats: int) -> None:
    """Calls that still fail where 30% are refused with 429 and 5% fail with 500."""

    def one(client: Client) -> Figures:
        with scripted("refusals:0.3:0.05:7") as up:  # a fresh one for each, so that all meet the same
            figures = ran(client, up.url, "failures", n, 32)
        return {**figures, **up.said}

    rows: list[list[str]] = []
    for client, figures in turns(all_, repeats, one).items():
        failed, calls = sum(r["failures"] for r in figures), n * len(figures)
        kinds = sorted({kind for r in figures for kind in r["kinds"]})
        seconds = middle(figures, lambda r: r["seconds"])
        rows.append([named(client, figures), f"{failed:,} of {calls:,}", f"{failed / calls:.2%}", f"{seconds:.1f}"])
        rows[-1] += [f"{middle(figures, lambda r: r['requests'] / n):.2f}", ", ".join(kinds) or "none"]
    head = [f"30% 429, 5% 500; {n:,} calls, 32 at once", "still failed", "share", "seconds", "requests a call", "with"]
    table(head, rows)


def streams(all_: Sequence[Client], program: Path, n: int, repeats: int) -> None:
    """What a chunk costs, and how much later the first one comes than it was sent."""
    chunks, gap, delay = 100, 1.0, 20.0
    with native(program, chunks=chunks, gap=gap) as up:
        many = turns(all_, repeats, lambda c: ran(c, up.url, "stream", n, 4))
    with native(program, chunks=5, gap=gap, delay=delay) as up:
        first = turns(all_, repeats, lambda c: ran(c, up.url, "stream", max(20, n // 4), 1))
    rows: list[list[str]] = []
    for client in (c for c in many if c in first):
        if "absent" in many[client][0]:
            rows.append([named(client, many[client]), many[client][0]["absent"], "", "", ""])
            continue
        lost = any(r["characters"] != n * chunks * 5 for r in many[client])
        cpu = middle(many[client], lambda r: r["cpu"] / (n * chunks) * 1e6)
        pieces = middle(many[client], lambda r: r["pieces"] / n)
        added = middle(first[client], lambda r: r["ttft"] * 1e3 - delay)
        row = [named(client, many[client]), f"{cpu:,.0f}", f"{pieces:.0f}", f"{added:.2f}"]
        rows.append([*row, "text lost" if lost else _failed([*many[client], *first[client]])])
    head = [f"{n} streams of {chunks} chunks, 1 ms apart", "CPU µs a chunk", "pieces a stream", "TTFT added, ms"]
    table([*head, "failed"], rows)


def many(all_: Sequence[Client], program: Path, n: int, repeats: int) -> None:
    """Two thousand in flight at 200 ms."""
    concurrency, delay = 2_000, 0.2
    ideal = concurrency / delay

    def one(client: Client) -> Figures:
        with native(program, delay=delay * 1e3) as up:
            figures = ran(client, up.url, "inflight", n, concurrency)
        return {**figures, **up.said}

    runs = turns(all_, repeats, one)
    rows: list[list[str]] = []
    for client, figures in runs.items():
        rate = middle(figures, lambda r: n / r["seconds"])
        row = [named(client, figures), f"{rate:,.0f}", f"{rate / ideal:.0%}"]
        row.append(f"{middle(figures, lambda r: r['most_in_flight']):,.0f}")
        row.append(f"{middle(figures, lambda r: r['memory'] / r['most_in_flight'] / 1e3):.0f}")
        rows.append([*row, f"{middle(figures, lambda r: r['lag'] * 1e3):.0f}", _failed(figures)])
    head = [f"{concurrency:,} at once, {n:,} calls of 200 ms", "calls a second", f"of the ideal {ideal:,.0f}"]
    table([*head, "most in flight", "kB a call in flight", "loop lag p99, ms", "failed"], rows)


def imports(all_: Sequence[Client], repeats: int) -> None:
    """How long a program waits before its first line, and what it installs."""
    rows: list[list[str]] = []
    for client in all_:
        bare = statistics.median(_started(client.python, "pass") for _ in range(repeats))
        full = statistics.median(_started(client.python, f"import {client.module}") for _ in range(repeats))
        count = f"import sys, {client.module}; print(len(sys.modules))"
        modules = subprocess.run([client.python, "-c", count], capture_output=True, text=True).stdout.split()[-1]
        weigh = [str(client.python), str(HERE / "peers" / "weight.py"), client.package]
        weight = json.loads(subprocess.run(weigh, capture_output=True, text=True, check=True).stdout)
        row = [f"`import {client.module}`", f"{(full - bare) * 1e3:,.0f}", modules, str(weight["packages"])]
        rows.append([*row, f"{weight['bytes'] / 1e6:,.0f}"])
    table(["", "ms to import", "modules loaded", "packages installed", "MB installed"], rows)


def _started(python: Path, program: str) -> float:
    began = time.perf_counter()
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    subprocess.run([python, "-c", program], check=True, capture_output=True, env=environment)
    return time.perf_counter() - began


def main() -> None:
    """Print the tables of one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, help="virtual environment with the other clients")
    parser.add_argument("--n", type=int, help="calls or streams a run (5,000; failures 2,000; streams 100)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", help="clients whose script has this in its name (comma-separated)")
    for part in ("failures", "stream", "inflight", "imports"):
        parser.add_argument(f"--{part}", action="store_true")
    o = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}\n")
    all_ = [c for c in clients(o.peers) if not o.only or any(word in c.script for word in o.only.split(","))]
    with tempfile.TemporaryDirectory() as folder:
        if o.failures:
            failures(all_, o.n or 2_000, o.repeats)
        elif o.imports:
            imports(all_, o.repeats)
        elif o.stream:
            streams(all_, compiled(Path(folder)), o.n or 100, o.repeats)
        elif o.inflight:
            many(all_, compiled(Path(folder)), o.n or 10_000, o.repeats)
        else:
            program = compiled(Path(folder))
            for concurrency in (64, 256):
                throughput(all_, program, concurrency, o.n or 5_000, o.repeats)


if __name__ == "__main__":
    main()
