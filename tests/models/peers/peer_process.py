"""A third-party server as a process: started, waited for, ended, and never there for more than ten minutes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LIVES = 600  # seconds, whatever becomes of the tests
HERE = Path(__file__).parent


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        return given.getsockname()[1]


@contextmanager
def peer(
    command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """A running `command` that writes to `log`; ended with all its children."""
    with log.open("wb") as written:
        process = subprocess.Popen(
            ["timeout", str(LIVES), *command],  # which passes a signal on to all that the command started
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


def answering(process: subprocess.Popen[bytes], url: str, log: Path, seconds: float = 240.0) -> None:
    """Wait until a GET of `url` is answered with 200. Raises AssertionError with the end of the log."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer; the end of its log:\n{_end(log)}")


@contextmanager
def llama(gguf: Path, log: Path, *flags: str) -> Generator[str]:
    """llama.cpp's server of one model; gives its origin, "http://127.0.0.1:PORT"."""
    with peer([sys.executable, str(HERE / "llama_peer.py"), str(gguf), *flags], log) as process:
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            origin = next((line for line in lines if line.startswith("http://")), None)
            if origin is not None:
                yield origin
                return
            time.sleep(0.05)
        raise AssertionError(f"llama.cpp's server did not start:\n{_end(log)}")


def _end(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
