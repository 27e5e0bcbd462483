"""The command line loaded once and forked for each command, so that a test waits for its work, not for 800 imports.

Every command still is a process of its own, with its own streams, folder and environment. What the interpreter reads
from the environment at its start (`PYTHON…`, the locale) is the server's: a test of that starts the real command, as
those of `begin` and `shell` do.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO

COLD = ("PYTHON", "LANG", "LC_", "OPENBLAS", "OMP")  # what Python and its libraries read once


SCRIPT = """#!{python} -Is
import os, sys

sys.path.append({here!r})
from warm import asked

sys.exit(asked({place!r}, sys.argv[1:], os.getcwd(), os.environ, (0, 1, 2), 600) % 256)
"""


class Warm:
    """A server of commands; `close()` ends it."""

    def __init__(self, folder: Path) -> None:
        self.place = str(folder / "warm")
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # one thread: it forks
        self.process = subprocess.Popen(
            [sys.executable, __file__, self.place], stdout=subprocess.PIPE, env=environment, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str | None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """One command to its end. Raises `subprocess.TimeoutExpired` after that many seconds."""
        words = list(arguments)
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told, _heard(stdin) as heard:
            streams = [stream.fileno() for stream in (heard, said, told)]
            code = asked(self.place, words, str(folder), environment, streams, timeout)
            return subprocess.CompletedProcess(words, code, _text(said), _text(told))

    def command(self, folder: Path) -> None:
        """Write a program `suffice` that a shell can run into this folder: it has the command run by this server."""
        path = folder / "suffice"
        path.write_text(SCRIPT.format(python=sys.executable, here=str(Path(__file__).parent), place=self.place))
        path.chmod(0o755)

    def close(self) -> None:
        """No further commands."""
        self.process.kill()
        self.process.communicate()


def asked(
    place: str,
    arguments: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    streams: Sequence[int],
    timeout: float,
) -> int:
    """The exit code of one command that was run on these three descriptors by the server at `place`."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(place)
        wanted = json.dumps([list(arguments), folder, dict(environment)]).encode()
        socket.send_fds(line, [len(wanted).to_bytes(4)], streams)
        line.sendall(wanted)
        number = int.from_bytes(_exactly(line, 4))
        line.settimeout(timeout)
        try:
            return int.from_bytes(_exactly(line, 4), signed=True)
        except TimeoutError:
            os.kill(number, 9)
            raise subprocess.TimeoutExpired(list(arguments), timeout) from None


def _heard(text: str | None) -> IO[bytes]:
    heard = tempfile.TemporaryFile()
    heard.write((text or "").encode("utf-8", "surrogateescape"))
    heard.seek(0)
    return heard


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _exactly(line: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        more = line.recv(size - len(got))
        if not more:
            raise ConnectionError("the server of commands is gone")
        got += more
    return got


def _serve(place: str) -> None:
    """Answer until killed; returns in the process of a command, which then is to run it."""
    _load()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(place)
        door.listen()
        print("ready", flush=True)
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                break
            line.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    wanted = _exactly(line, int.from_bytes(size))
    command = os.fork()
    if command:
        line.sendall(command.to_bytes(4))
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        with suppress(OSError):  # a test that has given up
            line.sendall(code.to_bytes(4, signed=True))
        os._exit(0)
    line.close()
    _become(streams, *json.loads(wanted))


def _load() -> None:
    """Everything that a command may need."""
    import suffice

    for module in pkgutil.walk_packages(suffice.__path__, "suffice."):
        if not module.name.startswith(("suffice.testing", "suffice.evals.confined", "suffice.programs.confined")):
            with suppress(ImportError):  # of an extra
                import_module(module.name)
    for name in ("scipy.special", "sklearn.svm", "sklearn.feature_extraction.text", "sklearn.linear_model"):
        import_module(name)
    gc.freeze()


def _become(streams: Sequence[int], arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> None:
    """The process of a command: its streams, folder, environment and arguments."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.__stderr__ = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["suffice", *arguments]
    sys.path[0] = folder


if __name__ == "__main__":
    _serve(sys.argv[1])
    from suffice.cli.app import main

    main()
