"""A path that no system takes is refused like any other: in one message, before anything runs, wherever it is given."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cli_samples import Command, Ran

PROGRAM = "import json, sys; sys.argv[1:] = json.loads(sys.stdin.read()); from suffice.cli.app import main; main()"
LONG = "a" * 100_000

PLACES = [
    "plan PATH --bar .5",
    "plan PATH/t.csv --bar .5",
    "climb t.csv --dev --out PATH",
    "climb t.csv --dev PATH",
    "climb t.csv --dev PATH.py:good",
    "climb --replay PATH",
    "climb t.csv --replay PATH",
    "climb t.csv replay:PATH#x",
    "climb t.csv rules:PATH",
    "eval t.csv my.py:good --save PATH.csv",
    "eval t.csv my.py:good --save PATH/x.json",
    "compare t.csv PATH my.py:good",
    "apply PATH t.csv",
    "apply my.py:good PATH",
    "apply my.py:good t.csv --out PATH.csv",
    "gate t.csv my.py:good --on dev --against PATH",
    "gate t.csv my.py:good --on dev --junit PATH",
    "report PATH",
    "report climb-1 --out PATH",
    "view PATH",
    "view PATH/x.json",
    "view --out PATH",
    "init PATH --from t.csv",
    "init new --from PATH",
    "advise PATH",
    "advise t.csv my.py:good --out PATH",
    "show PATH",
]


@pytest.mark.parametrize("bad", [LONG, "nul\0"], ids=["long", "nul"])
@pytest.mark.parametrize("typed", PLACES)
def test_what_no_system_takes_as_a_path_is_refused_in_one_message(suffice: Command, typed: str, bad: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=suffice.folder,
        env=suffice.environment(),
        input=json.dumps([word.replace("PATH", bad) for word in typed.split()]),
        capture_output=True,
        text=True,
        check=False,
    )
    Ran(ran.returncode, ran.stdout, ran.stderr).refused()
    assert len(ran.stderr) < 1500, ran.stderr[:300]
    assert not ran.stdout
