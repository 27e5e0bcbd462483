"""A command on a terminal of its own."""

from __future__ import annotations

import os
import select
import struct
import subprocess
import time
from collections.abc import Sequence

import pytest
from cli_samples import MAIN, Command


def on_terminal(
    suffice: Command,
    *arguments: str,
    typed: Sequence[str] = (),
    columns: int = 100,
    interrupt: str | None = None,
    **extra: str,
) -> tuple[int, str]:
    """Run a command on a terminal of its own, where these lines are `typed`; its exit code and all that the terminal
    got. With `interrupt`, press Ctrl-C as soon as this text is there."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [*MAIN, *arguments],
        cwd=suffice.folder,
        env=suffice.environment({"TERM": "xterm-256color", **extra}),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        close_fds=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    os.write(master, "".join(f"{line}\n" for line in typed).encode())
    got = b""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                piece = os.read(master, 65_536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            got += piece
        elif process.poll() is not None:
            break
        if interrupt is not None and interrupt.encode() in got:
            os.write(master, b"\x03")
            interrupt = None
    os.close(master)
    try:
        code = process.wait(timeout=20)
    finally:
        process.kill()
    return code, got.decode("utf-8", "replace").replace("\r\n", "\n")
