"""Starts confined processes and ends them: the parent's side, which stays outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from suffice.arguments import Rule
from suffice.errors import UsageError
from suffice.programs.confined.limits import UNAVAILABLE, WHY, Limits

Seconds = Annotated[float, Rule(lambda v: 0 < v <= 3600, "more than 0 and at most 3600 seconds")]
Mebibytes = Annotated[int, Rule(lambda v: v >= 64, "a whole number of MiB, at least 64")]

_PACKAGES: Final = str(Path(__file__).resolve().parents[3])
_AT_ONCE: Final = threading.BoundedSemaphore(os.cpu_count() or 1)  # more would only wait for a core inside their limits


def code_of(module: str, *arguments: str) -> str:
    """A program for `python -I -c` that runs the main function of a module of this package."""
    given = ", ".join(map(repr, arguments))
    return f"import sys; sys.path.append({_PACKAGES!r}); from {module} import main; main({given})"


@contextmanager
def place() -> Generator[Path]:
    """An empty folder for a confined run, removed after it; no more runs at a time than there are cores."""
    with _AT_ONCE, tempfile.TemporaryDirectory(prefix="suffice-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def start(
    module: str, limits: Limits, folder: Path, *, stdin: int, stdout: int, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `main` of a module of this package confined in `folder`; see `launch`."""
    inner = ["-I", "-c", code_of(module, *map(str, keep))]
    return launch(inner, limits, folder, stdin=stdin, stdout=stdout, keep=keep)


def launch(
    arguments: Sequence[str], limits: Limits, folder: Path, *, stdin: int, stdout: int, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `python ARGUMENTS` confined in `folder`, with no environment and no open file but those named.

    Its standard error is a pipe, on which also comes why it could not be isolated, if it has no `limits.control`.
    Raises UsageError on Windows.
    """
    if sys.platform == "win32":
        raise UsageError("code from a model cannot be confined on Windows", hint="use Linux, macOS or WSL")
    enter = code_of("suffice.programs.confined.enter")
    folder.mkdir(mode=0o700)
    return subprocess.Popen(
        [sys.executable, "-I", "-c", enter, limits.told(), *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={},
        pass_fds=keep,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its group, and where it is isolated with everything inside; wait until it is gone."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it is gone; or macOS, where only a zombie is left
        pass
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def check_isolated(process: subprocess.Popen[bytes], said: bytes, grader: str) -> None:
    """Raises UsageError where an ended process `said` on stderr that this machine does not allow isolation."""
    told = said[:500].decode("utf-8", "replace")
    if process.returncode != UNAVAILABLE or not told.startswith(WHY):
        return
    raise not_isolated(f"the {grader} grader", told)


def not_isolated(who: str, said: str) -> UsageError:
    """The error of a machine that does not allow isolation; `said` is what the process said of it."""
    return UsageError(
        f"{who} runs what a model wrote apart from your network, files and processes, which this machine does not "
        f"allow ({said.removeprefix(WHY)})",
        hint="inside a container or VM that holds nothing else: isolated=False (limits of time and memory alone)",
    )
