"""What the tests of the command line share: the real command, in a folder and with a store of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_samples import Command

from warm import Warm


@pytest.fixture
def suffice(tmp_path: Path, warm: Warm) -> Iterator[Command]:
    """Run `suffice` in a fresh folder with a task `t.csv` (200 cases) and solutions `my.py`; nothing keeps running."""
    started: list[subprocess.Popen[str]] = []
    yield Command(tmp_path, started, warm)
    for process in started:
        process.kill()
        process.communicate()
