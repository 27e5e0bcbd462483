"""A docstring as what a model reads of a tool: the text, and what it says of each parameter (Google, numpy, Sphinx)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

_GOOGLE: Final = re.compile(r"(Args|Arguments|Parameters|Params):\s*$")
_SPHINX: Final = re.compile(r":param\s+(?:[^:]*\s)?(?P<name>\w+):\s*(?P<said>.*)$")
_ENTRY: Final = re.compile(r"(?P<name>\*{0,2}\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<said>.*)$")
_NUMPY_ENTRY: Final = re.compile(r"(?P<name>\w+(?:\s*,\s*\w+)*)\s*(?::.*)?$")


@dataclass(frozen=True, slots=True)
class Docstring:
    """The text without its section on parameters, and each parameter's description by name."""

    text: str
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def read_docstring(doc: str | None) -> Docstring:
    """The parts of a docstring, whichever of the usual styles it is written in."""
    lines = inspect.cleandoc(doc or "").splitlines()
    kept: list[str] = []
    found: dict[str, str] = {}
    at = 0
    while at < len(lines):
        line = lines[at]
        if _GOOGLE.fullmatch(line):
            end = len(lines) if at == 0 and _is_all(lines) else _end_of_block(lines, at + 1)
            found |= _entries(lines[at + 1 : end])
        elif line.strip() == "Parameters" and at + 1 < len(lines) and _is_rule(lines[at + 1]):
            end = _end_of_section(lines, at + 2)
            found |= _numpy_entries(lines[at + 2 : end])
        elif sphinx := _SPHINX.fullmatch(line):
            end = _end_of_block(lines, at + 1)
            found[sphinx["name"]] = _joined([sphinx["said"], *lines[at + 1 : end]])
        else:
            kept.append(line)
            end = at + 1
        at = end
    return Docstring(re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), found)


def _is_all(lines: Sequence[str]) -> bool:
    """Whether the first line heads all the others: its own indentation is unknown, so theirs is gone."""
    first = next((line for line in lines[1:] if line.strip()), "")
    return not first[:1].isspace() and _ENTRY.fullmatch(first) is not None


def _entries(lines: Sequence[str]) -> dict[str, str]:
    """The entries of a Google section: "name (type): text", each with its deeper lines."""
    inside = [line for line in inspect.cleandoc("\n" + "\n".join(lines)).splitlines() if line.strip()]
    made: dict[str, str] = {}
    for head, rest in _grouped(inside):
        entry = _ENTRY.fullmatch(head)
        if entry is not None:
            made[entry["name"].lstrip("*")] = _joined([entry["said"], *rest])
    return made


def _numpy_entries(lines: Sequence[str]) -> dict[str, str]:
    made: dict[str, str] = {}
    for head, rest in _grouped([line for line in lines if line.strip()]):
        entry = _NUMPY_ENTRY.fullmatch(head)
        if entry is not None:
            made |= dict.fromkeys(re.split(r"\s*,\s*", entry["name"]), _joined(rest))
    return made


def _grouped(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each line that is not indented, with the indented ones below it."""
    head, rest = None, list[str]()
    for line in lines:
        if line[:1].isspace():
            rest.append(line)
            continue
        if head is not None:
            yield head, rest
        head, rest = line.strip(), []
    if head is not None:
        yield head, rest


def _end_of_block(lines: Sequence[str], start: int) -> int:
    """Where the lines that are indented, or blank before an indented one, end."""
    end = start
    for at in range(start, len(lines)):
        if lines[at][:1].isspace():
            end = at + 1
        elif lines[at].strip():
            break
    return end


def _end_of_section(lines: Sequence[str], start: int) -> int:
    """Where a numpy section ends: at the next heading with its rule."""
    after = (at for at in range(start, len(lines) - 1) if lines[at].strip() and _is_rule(lines[at + 1]))
    return next(after, len(lines))


def _is_rule(line: str) -> bool:
    return len(line.strip()) >= 3 and set(line.strip()) == {"-"}


def _joined(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())
