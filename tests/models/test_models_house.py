"""What the first call may load, and how many files of our own one call goes through."""

from __future__ import annotations

import json
import subprocess
import sys

from upstream import upstream

MODULES = 450
FILES = 30  # besides the dialect's own and the HTTP client; the design asked for 18, before telemetry, tapes and spans

FIRST = """
import asyncio, json, sys
from suffice.models.model import Model
async def main(): return await Model(sys.argv[1])("hello")
assert asyncio.run(main()).value == "ok"
print(json.dumps(sorted(sys.modules)))
"""

CROSSED = """
import asyncio, json, sys
from pathlib import Path
import suffice
from suffice.models.model import Model

home = Path(suffice.__file__).parent
seen = set()

def note(frame, event, arg):
    if event == "call" and frame.f_code.co_filename.startswith(str(home)):
        seen.add(str(Path(frame.f_code.co_filename).relative_to(home)))

async def main():
    model = Model(sys.argv[1])
    await model("first")  # what is worked out once, at the first call
    sys.setprofile(note)
    await model("hello")
    sys.setprofile(None)

asyncio.run(main())
print(json.dumps(sorted(seen)))
"""


def ran(program: str, url: str) -> list[str]:
    """What a program of its own prints as JSON."""
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_first_call_loads_few_modules_and_no_heavy_one() -> None:
    with upstream() as up:
        loaded = ran(FIRST, f"{up.url}#any")
    assert len(loaded) <= MODULES, len(loaded)
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {"sklearn", "torch", "httpx", "pandas", "scipy", "fastapi", "typer", "rich"}


def test_one_call_crosses_few_files_of_our_own() -> None:
    with upstream() as up:
        crossed = ran(CROSSED, f"{up.url}#any")
    apart = {
        "models/dialects/openai_chat.py",
        "models/dialects/openai_reply.py",
        "models/dialects/asking.py",
        "models/dialects/body.py",
        "models/sending/connection.py",
        "models/sending/pool.py",
        "models/sending/transport.py",
    }
    own = [file for file in crossed if file not in apart]
    assert len(own) <= FILES, sorted(own)
