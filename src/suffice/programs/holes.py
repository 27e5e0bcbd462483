"""The parts of a template with holes: literal text, inputs, and holes with their types."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NoReturn, Optional

from pydantic import Field

from suffice.errors import UsageError
from suffice.shown import brief

_PART: Final = re.compile(r"\{\{|\}\}|\{(?P<hole>[^{}]*)\}|[{}]|[^{}]+")
_SIZED: Final = re.compile(r"text\(\s*(\d{1,9})\s*\)")
_LIST: Final = re.compile(r"list\((.*)\)", re.DOTALL)
_PLAIN: Final[dict[str, tuple[Any, str]]] = {
    "text": (Annotated[str, Field()], "a text"),  # annotated: str alone would be plain text, not a field
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "bool": (bool, "true or false"),
}
_WORDS: Final = {
    "True",
    "False",
    "None",
    "true",
    "false",
    "none",
    "not",
    "self",
}  # of Jinja2, in which prompts are kept
_TYPES: Final = "text, text(200), int, float, bool, yes|no, list(text); with ? after it also nothing"


@dataclass(frozen=True, slots=True)
class Hole:
    """What the model fills in: its name, its type, and the type in words."""

    name: str
    type: Any
    words: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a template. `name` is that of an input or hole, of literal text the text itself."""

    kind: Literal["text", "input", "hole"]
    name: str
    hole: Hole | None = None


def parts_of(text: str) -> list[Part]:
    """The parts in their order. Raises UsageError with line and column for what is no template."""
    found = list[Part]()
    for match in _PART.finditer(text):
        token, at = match[0], _Place(text, match.start())
        if match["hole"] is not None:
            found.append(_braced(match["hole"], found, at))
        elif token in ("{", "}"):
            at.fault(
                f"a {token} that nothing {'closes' if token == '{' else 'opens'}", f"a brace itself is {token * 2}"
            )
        else:
            found.append(Part("text", token[0] if token in ("{{", "}}") else token))
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a template something stands."""

    text: str
    at: int

    def fault(self, message: str, hint: str) -> NoReturn:
        before = self.text[: self.at]
        line, column = before.count("\n") + 1, self.at - (before.rfind("\n") + 1) + 1
        raise UsageError(message, where=f"the template, line {line}, column {column}", hint=hint)


def _braced(inside: str, before: list[Part], at: _Place) -> Part:
    name, typed, said = (part.strip() for part in inside.partition(":"))
    if not name.isidentifier() or name.startswith("_"):
        at.fault(
            f"{brief(name)} is no name of an input or hole", "letters, digits and _, as in {question}; a brace is {{"
        )
    if name in _WORDS:
        at.fault(f"{name} is a word that means something else", f"another name, as in {{{name}_given}}")
    kind: Literal["hole", "input"] = "hole" if typed else "input"
    same = [part for part in before if part.name == name and part.kind != "text"]
    if any(part.kind == "hole" or kind == "hole" for part in same):
        at.fault(f"{name} is there before, and a hole has a name of its own", f"{{{name}2:…}}")
    if not typed:
        return Part(kind, name)
    type_, words = _type_of(said, at)
    return Part(kind, name, Hole(name, type_, words))


def _type_of(said: str, at: _Place) -> tuple[Any, str]:
    """A hole's type, and the same in words."""
    if said.endswith("?"):
        type_, words = _type_of(said[:-1].strip(), at)
        return Optional[type_], f"{words}, or null where there is nothing to say"  # noqa: UP045 - of a value
    if said in _PLAIN:
        return _PLAIN[said]
    sized, many = _SIZED.fullmatch(said), _LIST.fullmatch(said)
    if sized and int(sized[1]) > 0:
        return Annotated[str, Field(max_length=int(sized[1]))], f"a text of at most {int(sized[1]):,} characters"
    if many:
        type_, words = _type_of(many[1].strip(), at)
        return list[type_], f"a list, each of it {words}"
    choices = [choice.strip() for choice in said.split("|")]
    if len(choices) > 1 and all(choices) and len(set(choices)) == len(choices) and not re.search(r"[()?]", said):
        return Literal[tuple(choices)], f"one of {', '.join(choices)}"
    near = difflib.get_close_matches(said, _PLAIN, n=1)
    at.fault(
        f"a hole has no type {brief(said)}", f"did you mean {near[0]}? types: {_TYPES}" if near else f"types: {_TYPES}"
    )
