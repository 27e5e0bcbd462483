"""Where in a JSON value something is: a path of keys and indices, and its text form `$.items[3].price`."""

from __future__ import annotations

import json
import re

Path = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]")
_PLACE = re.compile(r"at `(\$[^`]*)`")


def place(path: Path) -> str:
    """The text form of `path`; a key that is no plain name is quoted as JSON, in ASCII and without a backtick."""
    return "$" + "".join(_step(part) for part in path)


def places(text: str) -> list[Path]:
    """The paths that a text names as ``at `$...` ``, in order, each once."""
    found: dict[Path, None] = {}
    for match in _PLACE.finditer(text):
        steps = _STEP.findall(match[1])
        found[tuple(name or (json.loads(quoted) if quoted else int(index)) for name, index, quoted in steps)] = None
    return list(found)


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if _PLAIN.fullmatch(part):
        return f".{part}"
    return f"[{json.dumps(part)}]".replace("`", "\\u0060")
