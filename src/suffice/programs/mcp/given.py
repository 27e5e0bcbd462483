"""What `tools_of_mcp` may be given: a server, its environment, headers; no error shows a value, which may be a key."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from suffice.errors import UsageError
from suffice.shown import shown

SERVER: Final = 'tools_of_mcp("python shop.py"), tools_of_mcp(["python", "my shop.py"]) or a URL'
ENV: Final = 'env={"SUFFICE_MODEL": "…"}'
HEADERS: Final = 'headers={"Authorization": f"Bearer {token}"}'
URLS: Final = ("http://", "https://")
HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def server_words(server: object) -> tuple[str, list[str]]:
    """A command, or a URL, in one text and in its words. Raises UsageError."""
    words: list[Any] = []
    if isinstance(server, str):
        try:
            words = [server] if server.startswith(URLS) else shlex.split(server)
        except ValueError:  # a quotation mark without its other one
            hint = "close the quotation mark, or give the words as a list: " + SERVER
            raise UsageError(
                "the command of the MCP server has a quotation mark that does not end", hint=hint
            ) from None
    elif isinstance(server, Sequence) and not isinstance(server, bytes | bytearray | memoryview):
        words = list(cast("Sequence[Any]", server))
    else:
        raise UsageError(f"an MCP server is a command or a URL, not {_kind(cast('object', server))}", hint=SERVER)
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise UsageError(f"server[{number}] is a text, not {_kind(word)}", hint=SERVER)
        if not _for_a_process(word):
            raise UsageError(f"server[{number}] has a character that no command may have", hint=SERVER)
    if not words or not words[0]:
        raise UsageError("an MCP server is a command or a URL", hint=SERVER)
    return server if isinstance(server, str) else shlex.join(words), words


def check_env(env: object) -> None:
    """Raises UsageError for what is no environment."""
    for name, value in _texts(env, "env", ENV).items():
        if not name or "=" in name or not _for_a_process(name) or not _for_a_process(value):
            raise UsageError(f"env[{shown(name, 40)}] has a name or a value that no environment may have", hint=ENV)


def check_headers(headers: object, url: str | None) -> None:
    """Raises UsageError for what are no headers, or have nowhere to go."""
    texts = _texts(headers, "headers", HEADERS)
    if texts and url is None:
        raise UsageError("a command takes no headers", hint='env={"TOKEN": …} gives it a key; headers= are for a URL')
    for name, value in texts.items():
        if not HEADER.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise UsageError(f"the header {shown(name, 40)} has a name or a value that cannot be sent", hint=HEADERS)


def _texts(given: object, called: str, hint: str) -> Mapping[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"{called} is a dict of texts, not {_kind(given)}", hint=hint)
    for name, value in cast("Mapping[Any, Any]", given).items():
        if not isinstance(name, str):
            raise UsageError(f"each name in {called} is a text, not {_kind(name)}", hint=hint)
        if not isinstance(value, str):
            raise UsageError(f"{called}[{shown(name, 40)}] is a text, not {_kind(value)}", hint=hint)
    return cast("Mapping[str, str]", given)


def _for_a_process(text: str) -> bool:
    """Whether a new process can be given it."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _kind(value: object) -> str:
    return "None" if value is None else f"something of type {type(value).__name__}"
