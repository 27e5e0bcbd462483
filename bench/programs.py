"""What programs cost besides their model: a step, a tool call, an agent of 50 steps, ten agents at once.

    python bench/programs.py --peers VENV [--steps 50] [--repeats 5]

VENV is a virtual environment with pydantic-ai-slim[openai], langgraph, langchain-openai, smolagents[openai] and dspy;
what is absent is skipped, and said. The model is an instant one on this machine (`bench/upstream/agent_upstream.py`),
pinned to core 0; each framework runs pinned to core 1, with its defaults, all caches off, in turns. Suffice runs as a
durable run, every effect in its journal, and once without. "At the wire" is the same number of exchanges of the same
bodies over one raw socket. Figures are medians over the repeats; nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = {
    "pydantic-ai": "programs_pydantic_ai.py",
    "LangGraph": "programs_langgraph.py",
    "smolagents": "programs_smolagents.py",
    "DSPy": "programs_dspy.py",
}
UPSTREAM_CORE, CLIENT_CORE = 0, 1
LIMIT = 600.0  # seconds after which one run is stopped


def main() -> None:
    """Print the tables."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--peers", type=Path)
    told.add_argument("--steps", type=int, default=50)
    told.add_argument("--repeats", type=int, default=5)
    asked = told.parse_args()
    url, up = upstream(asked.steps)
    try:
        print(f"Python {platform.python_version()}, {asked.steps} steps, medians of {asked.repeats}\n")
        rows = {
            "Suffice, journal on": ran(Path(sys.executable), "programs_suffice.py", url, asked),
            "Suffice, no journal": ran(Path(sys.executable), "programs_suffice.py", url, asked, "plain"),
        }
        python = (asked.peers or Path("nowhere")) / "bin" / "python"
        for name, script in PEERS.items():
            rows[name] = ran(python, script, url, asked) if python.is_file() else None
        wire = {"step": [at_the_wire(url, 50)]}
        shown({"at the wire": wire, **rows})
    finally:
        up.kill()


def upstream(steps: int) -> tuple[str, subprocess.Popen[str]]:
    """The model's URL, and its process."""
    command = [sys.executable, str(HERE / "upstream" / "agent_upstream.py"), str(steps)]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(up.pid, {UPSTREAM_CORE})
    assert up.stdout is not None
    return up.stdout.readline().strip(), up


def ran(python: Path, script: str, url: str, asked: Any, *more: str) -> dict[str, Any] | None:
    """What one script measured; None, said aloud, where it does not run."""
    command = [str(python), script, url, str(asked.steps), str(asked.repeats), *more]
    done = subprocess.run(
        command,
        cwd=HERE / "peers",
        capture_output=True,
        text=True,
        timeout=LIMIT,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
    )
    if done.returncode:
        print(f"skipped {script}: {(done.stderr.strip().splitlines() or ['?'])[-1]}\n", flush=True)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def at_the_wire(url: str, n: int) -> float:
    """Seconds for one exchange with the model, by Python's own client over one connection."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    host = url.removeprefix("http://").removesuffix("/v1")
    connection = http.client.HTTPConnection(host)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "How much is 3 + 4?"}]})
    took: list[float] = []
    for _ in range(n):
        began = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", body)
        connection.getresponse().read()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def shown(rows: dict[str, dict[str, Any] | None]) -> None:
    """Print one table: milliseconds a step, a tool call, a step of an agent; of ten agents all there is."""
    print("| | a step, ms | a tool call, ms | a step of the agent, ms | ten agents, s | peak MiB | loop lag, ms |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, found in rows.items():
        if found is None:
            continue
        ms = [f"{1000 * statistics.median(found[k]):.3f}" if k in found else "" for k in ("step", "tool", "agent")]
        ten = found.get("ten agents", {})
        more = [f"{ten[k]:.1f}" if k in ten else "" for k in ("seconds", "MiB", "loop lag ms")]
        print(f"| {name} | {' | '.join([*ms, *more])} |")


if __name__ == "__main__":
    main()
