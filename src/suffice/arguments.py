"""What a public function may be given: its annotations, held against the values; one refusal for all that cannot be."""

from __future__ import annotations

import collections.abc
import difflib
import functools
import inspect
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from suffice.errors import UsageError
from suffice.numbers import is_number, is_whole
from suffice.shown import brief

P = ParamSpec("P")
R = TypeVar("R")

_QUOTED: Final = re.compile('"(.+?)"')
LONGEST: Final = 255  # bytes of a file's name
LONGEST_PATH: Final = 4095  # and of a path


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value may be: the test of it, its words ("a whole number of at least 1"), and what to type instead.

    `part` gives name, value and rule of the first part that does not fit of a list or dict called so.
    """

    fits: Callable[[Any], bool]
    what: str
    hint: str | None = None
    part: Callable[[str, Any], Part | None] = lambda name, value: None


Part = tuple[str, Any, Rule]


def check(name: str, value: object, rule: Rule, hint: str | None = None) -> None:
    """Raise UsageError where `rule` does not allow `value`; `hint` where the rule has none of its own."""
    if rule.fits(value):
        return
    part = rule.part(name, value)
    if part is not None:
        check(*part, hint)
    raise UsageError(f"{name} is {rule.what}, not {brief(value)}", hint=_near(value, rule) or rule.hint or hint)


def validated(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, refusing with UsageError each argument that its annotation does not allow.

    An annotation that says more than a type is `Annotated[float, Rule(...)]`. What cannot be held against a value in
    general (`Any`, a type variable) allows all.
    """
    return held_to(function, {}, None)


def held_to(function: Callable[P, R], called: Mapping[str, str], hint: str | None) -> Callable[P, R]:
    """As `validated`, for who calls the arguments otherwise ("--budget") and has another hint than the signature."""
    signature = inspect.signature(function)

    @functools.lru_cache(maxsize=1)
    def rules() -> dict[str, Rule]:
        hints = get_type_hints(function, include_extras=True)
        single = {n for n, p in signature.parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        return {name: rule_of(kind, or_none=not called) for name, kind in hints.items() if name in single}

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        known = rules()
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in known and not (called and value is None):  # nobody types None
                check(called.get(name, name), value, known[name], hint or _usage(function.__name__, signature))
        return function(*args, **kwargs)

    return call


def check_fields(made: object) -> None:
    """As `validated`, for the fields of a dataclass: to be called in its `__post_init__`."""
    kind = type(made)
    for name, rule in _field_rules(kind).items():
        check(name, getattr(made, name), rule, _usage(kind.__name__, inspect.signature(kind)))


@functools.lru_cache
def _field_rules(kind: type) -> dict[str, Rule]:
    return {name: rule_of(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}


def rule_of(kind: Any, *, or_none: bool = True) -> Rule:
    """The rule that an annotation is; without `or_none` as if it did not say `| None`."""
    if kind in (Any, object):
        return ANY
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        base, own = rule_of(inner[0], or_none=or_none), next((r for r in inner[1:] if isinstance(r, Rule)), None)
        return base if own is None else Rule(lambda v: base.fits(v) and own.fits(v), own.what, own.hint)
    if origin in (Union, UnionType):
        return _either([rule_of(one) for one in inner if or_none or one is not NoneType])
    if origin is Literal:
        *most, last = (f'"{one}"' for one in inner)
        words = f"{', '.join(most)} or {last}" if most else last
        return Rule(lambda v: any(type(v) is type(one) and v == one for one in inner), words)
    if origin in _LISTS:
        return _listed(rule_of(inner[0]), origin)
    if origin in (collections.abc.Mapping, dict):
        return _mapped(*map(rule_of, inner))
    if origin is _CALLABLE:
        return Rule(lambda v: callable(v), "a function")
    of: Any = origin or kind
    return Rule(lambda v: isinstance(v, of), f"a {of.__name__}") if isinstance(of, type) else ANY


def is_path(value: object) -> bool:
    """Whether this can be the path of a file: a text or Path without NUL, and not longer than systems allow."""
    if not isinstance(value, str | Path) or "\0" in str(value):
        return False
    try:
        raw = os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return len(raw) <= LONGEST_PATH and all(len(part) <= LONGEST for part in raw.split(os.sep.encode()))


ANY: Final = Rule(lambda v: True, "anything")
_PLAIN: Final[Mapping[Any, Rule]] = {
    bool: Rule(lambda v: isinstance(v, bool), "True or False"),
    int: Rule(is_whole, "a whole number"),
    float: Rule(is_number, "a number"),
    str: Rule(lambda v: isinstance(v, str), "a text"),
    Path: Rule(lambda v: isinstance(v, Path) and is_path(v), "the path of a file or folder", "data/cases.csv, say"),
    NoneType: Rule(lambda v: v is None, "None"),
}
_CALLABLE: Final[Any] = collections.abc.Callable
_LISTS: Final = (collections.abc.Sequence, list, tuple, set, frozenset)

AnyPath = Annotated[str | Path, Rule(is_path, "the path of a file or folder", "data/cases.csv, say")]
Share = Annotated[float, Rule(lambda v: is_number(v, 0.0, 1.0), "a share from 0 to 1")]
NotNegative = Annotated[float, Rule(lambda v: is_number(v, 0.0), "a number of at least 0")]
Count = Annotated[int, Rule(lambda v: is_whole(v, 1), "a whole number of at least 1")]
Seed = Annotated[int, Rule(lambda v: is_whole(v, 0), "a whole number of at least 0")]


def _either(rules: Sequence[Rule]) -> Rule:
    def part(name: str, value: Any) -> Part | None:
        return next(filter(None, (rule.part(name, value) for rule in rules)), None)

    words = ", or ".join(rule.what for rule in rules)
    hint = next((rule.hint for rule in rules if rule.hint), None)
    return Rule(lambda v: any(rule.fits(v) for rule in rules), words, hint, part)


def _listed(item: Rule, kind: type) -> Rule:
    def is_list(value: object) -> bool:
        return isinstance(value, kind) and not isinstance(value, str | bytes)

    def part(name: str, value: Any) -> Part | None:
        items = enumerate(value if is_list(value) else ())
        return next(((f"{name}[{i}]", one, item) for i, one in items if not item.fits(one)), None)

    return Rule(lambda v: is_list(v) and part("", v) is None, "a list", None, part)


def _mapped(key: Rule, item: Rule) -> Rule:
    def part(name: str, value: Any) -> Part | None:
        said: Mapping[Any, Any] = value if _is_dict(value) else {}
        for one, what in said.items():
            if not key.fits(one):
                return f"each name in {name}", one, key
            if not item.fits(what):
                return f"{name}[{brief(one)}]", what, item
        return None

    return Rule(lambda v: _is_dict(v) and part("", v) is None, "a dict", None, part)


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping)


def _near(value: object, rule: Rule) -> str | None:
    """The word that was meant, of those that a rule names."""
    near = difflib.get_close_matches(value[:40], _QUOTED.findall(rule.what), n=1) if isinstance(value, str) else []
    return f"did you mean {near[0]}?" if near else None


def _usage(name: str, signature: inspect.Signature) -> str:
    """How the function is called, without annotations: "number(tolerance=0.0, *, relative=0.0)"."""
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return f"{name}{inspect.Signature(bare)}"
