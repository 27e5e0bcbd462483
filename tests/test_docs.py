"""The documentation is true: its programs run, its commands run, and what it shows is what they print.

In a page, `<!-- file: NAME -->` before a block writes that file; `<!-- skip -->` leaves a block alone; `$ ` lines of
console blocks are run, and the lines below each must be what it prints, where `…` stands for anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Ok

from upstream import upstream
from warm import Warm

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)[^\n]*\n(?P<body>.*?)```", re.DOTALL)
VARIES = [
    (re.compile(r"\d+(\.\d+)? (µs|ms|s)\b"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "DATE"),
    (re.compile(r"(climb|eval|gate)-\d+"), r"\1-N"),
]


@dataclass(frozen=True)
class Block:
    mark: str
    language: str
    body: str


def blocks(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(m["mark"] or "", m["language"], m["body"]) for m in found]


def plain(text: str) -> str:
    for pattern, word in VARIES:
        text = pattern.sub(word, text)
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def agrees(shown: str, printed: str) -> bool:
    loose = re.sub(r"\n…(?=\n|$)", "…", plain(shown))  # a line of its own stands for any lines, or none
    pattern = ".*?".join(map(re.escape, loose.split("…")))
    return re.fullmatch(pattern, plain(printed), re.DOTALL) is not None


def console(body: str) -> list[tuple[str, str]]:
    """Each command with the output shown under it."""
    pairs: list[tuple[str, str]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], ""))
        elif pairs:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + line + "\n")
    return pairs


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / ".suffice"))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_what_a_page_shows_is_what_happens(page: Path, place: Path, warm: Warm, tmp_path_factory: Any) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    if page.name != "README.md":  # there the command itself is started
        warm.command(front := tmp_path_factory.mktemp("bin"))
        environment["PATH"] = f"{front}:{environment['PATH']}"
    environment["PYTHONUNBUFFERED"] = "1"  # stdout and stderr in the order of a terminal
    with upstream(answering) as up:
        if page.name in ("models.md", "programs.md"):
            environment["SUFFICE_MODEL"] = f"{up.url}#m"
        run_blocks(page, place, environment)


def answering(asked: Asked) -> Fault:
    """A model that says "shipping" to everything, in the form that was asked for, once it has looked up what it can."""
    if "tools" in asked.said and asked.said["messages"][-1]["role"] != "tool":
        return Ok(tool=("look_up", '{"id": "p1"}'))
    if "final_answer" in str(asked.said.get("tools")):
        return Ok(tool=("final_answer", '{"answer": "shipping"}'))
    return Ok('{"answer": "shipping"}' if "response_format" in asked.said else "shipping")


def run_blocks(page: Path, place: Path, environment: dict[str, str]) -> None:
    for block in blocks(page):
        if block.mark.startswith("skip"):
            continue
        if block.mark.startswith("file: "):
            target = place / block.mark.removeprefix("file: ")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.body, encoding="utf-8")
        elif block.language == "python":
            ran = subprocess.run(
                [sys.executable, "-"], input=block.body, cwd=place, env=environment, capture_output=True, text=True
            )
            assert ran.returncode == 0, f"{block.body}\n{ran.stdout}\n{ran.stderr}"
        elif block.language == "console":
            for command, shown in console(block.body):
                ran = subprocess.run(
                    command,
                    shell=True,
                    cwd=place,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                printed = ran.stdout
                assert ran.returncode in (0, 1, 3) or "error:" in shown, f"{command}\n{printed}"
                if shown.strip():
                    assert agrees(shown, printed), f"{command}\nshown:\n{plain(shown)}\nprinted:\n{plain(printed)}"


def test_every_command_is_documented_and_has_help() -> None:
    from suffice.cli.app import app

    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for command in app.registered_commands:
        assert command.callback is not None and command.callback.__doc__
        assert f"suffice {command.name}" in text, f"suffice {command.name} is in no page"
