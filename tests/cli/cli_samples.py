"""A small task, solutions good and bad, and the command line to run on them."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from warm import COLD, Warm

MAIN = [sys.executable, "-m", "suffice.cli.app"]

SOLUTIONS = """
import suffice as sf

def good(text):
    return "billing" if "invoice" in text else "shipping"

def middling(text):
    return "shipping" if int(text.split()[2]) % 4 == 0 else good(text)

def bad(text):
    return "billing"
"""


def table(n: int, seed: int = 1, note: str = "") -> str:
    """A CSV of `n` cases that two words tell apart; `note` stands at the end of each input."""
    draw, out = random.Random(seed), io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["text", "label"])
    for i in range(n):
        label = draw.choice(["billing", "shipping"])
        word = "invoice" if label == "billing" else "parcel"
        rows.writerow([f"{word} number {i} {draw.random():.6f}{note}", label])
    return out.getvalue()


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """Standard output as one JSON value."""
        return json.loads(self.out)

    def refused(self, *said: str, code: int = 2) -> None:
        """Assert that it ended in one message that says all of this, with a next step, and without a traceback."""
        assert self.code == code, f"{self.code}\n{self.out}\n{self.err}"
        assert self.err.count("error: ") == 1 and self.err.count("\nhint: ") == 1, self.err
        assert "Traceback" not in self.err and "a fault of Suffice" not in self.err, self.err
        message = self.err[self.err.index("error: ") :]
        for words in said:
            assert re.search(words, message), f"{words!r} is not in\n{message}"


class Command:
    """`suffice` in one folder with one store."""

    def __init__(self, folder: Path, started: list[subprocess.Popen[str]], warm: Warm) -> None:
        self.folder, self.started, self.warm = folder, started, warm
        self.home = folder / "home"
        (folder / "t.csv").write_text(table(200), encoding="utf-8")
        (folder / "my.py").write_text(SOLUTIONS, encoding="utf-8")

    def write(self, name: str, text: str | bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Of every command: its own store, nothing of the caller's terminal."""
        mine = {k: v for k, v in os.environ.items() if k not in ("SUFFICE_HOME", "NO_COLOR", "FORCE_COLOR", "COLUMNS")}
        return {**mine, "SUFFICE_HOME": str(self.home), **(extra or {})}

    def __call__(self, *arguments: object, stdin: str | None = None, timeout: float = 60, **extra: str) -> Ran:
        """Run one command to its end; upper-case keywords are environment variables."""
        words, environment = list(map(str, arguments)), self.environment(extra)
        if any(name.startswith(COLD) for name in extra):
            ran = subprocess.run(
                [*MAIN, *words],
                cwd=self.folder,
                env=environment,
                input=stdin or "",
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=timeout,
                check=False,
            )
        else:
            ran = self.warm.run(words, self.folder, environment, stdin, timeout)
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def begin(self, *arguments: object, **extra: str) -> subprocess.Popen[str]:
        """Start one command."""
        process = subprocess.Popen(
            [*MAIN, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.started.append(process)
        return process

    def shell(self, script: str, timeout: float = 60, **extra: str) -> Ran:
        """Run a script of bash, in which `suffice` is the command."""
        word = " ".join(f"'{part}'" for part in MAIN)
        ran = subprocess.run(
            ["bash", "-c", f'suffice() {{ {word} "$@"; }}\n{script}'],
            cwd=self.folder,
            env=self.environment(extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def files(self) -> dict[Path, bytes]:
        """Everything that lies in the folder, the store included."""
        return {path: path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()}
