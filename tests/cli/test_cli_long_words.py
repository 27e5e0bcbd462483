"""No message of the command line holds a whole long word, wherever it was typed, and none ends in a traceback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cli_samples import Command

PROGRAM = """
import io, json, sys, typer
from suffice.cli import app, talk

LONG, KNOWN = "q" * 100_000, json.loads(sys.argv[1])
found = {}
for name, command in typer.main.get_command(app.app).commands.items():
    for tried in command.params:
        if tried.type_descriptor.annotation in (bool, int, float):
            continue
        words = [name, "--dev"] if name == "climb" and tried.name != "task" else [name]
        for one in command.params:
            if one.param_type_name == "argument" and (one.required or one is tried):
                words.append(LONG if one is tried else KNOWN.get(one.name, "x"))
        words += [tried.opts[0], LONG] if tried.param_type_name == "option" else []
        out, err = io.StringIO(), io.StringIO()
        talk.speak_through(out, err)
        found[f"{name} {tried.name}"] = [app._code(words), err.getvalue()]
open("found.json", "w").write(json.dumps(found))
"""
KNOWN = {
    "task": "t.csv",
    "solution": "my.py:good",
    "bundle": "my.py:good",
    "file": "t.csv",
    "before": "constant",
    "after": "words",
}


@pytest.mark.slow
def test_a_long_word_is_refused_in_a_short_message_wherever_it_is_typed(suffice: Command) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(KNOWN)],
        cwd=suffice.folder,
        env=suffice.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads((suffice.folder / "found.json").read_text())
    assert len(found) > 100
    for typed, (code, said) in found.items():
        assert code in (0, 2, 3), typed
        assert "a fault of Suffice" not in said and "Traceback" not in said, (typed, said[:500])
        assert len(said) < 2000, (typed, said[:500])
