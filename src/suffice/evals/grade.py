"""Graders: how right an answer is, in [0, 1], with a reason that a person can read."""

from __future__ import annotations

import dataclasses
import difflib
import enum
import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from suffice.errors import UsageError
from suffice.evals import pattern as patterns
from suffice.evals.json_rows import parse_json
from suffice.evals.kinds import Kind
from suffice.evals.numerals import Find, Number, read_number
from suffice.evals.shown import counted, listed, shown
from suffice.evals.user_grader import call_function
from suffice.programs.identity import function_identity
from suffice.values import ABSTAIN, Answer, Case, Json, Score, canonical, content_hash, folded, to_json

_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))
_OPTION = re.compile(r"(?m)^[ \t]*\(?([A-Z])[).:][ \t]+(.+?)[ \t]*$")
_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")
_LETTERED = re.compile(r"(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[).:])\s+(\S.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Grader:
    """A named way to score: `grader(output, case) -> Score`. Equal identities give equal scores.

    An `Answer` is graded by its value. `ABSTAIN` scores 0 with the reason "handed on". None is an answer.
    """

    name: str
    fn: Callable[[Any, Case], Score] = field(repr=False, compare=False)
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)
    identity: str = ""

    def __call__(self, output: Any, case: Case) -> Score:
        """The score of one output. Raises SolutionError where a user's own function fails."""
        value: Any = output.value if isinstance(output, Answer) else output
        return Score(0.0, "handed on") if value is ABSTAIN else self.fn(value, case)


def exact() -> Grader:
    """Right where output and expected are the same JSON value (1 and 1.0 are, 1 and "1" and True are not)."""

    def fn(output: Any, case: Case) -> Score:
        return _score(_same(_jsoned(output), case.expected), case.expected, output)

    return _built("exact", fn)


def text(*, ignore_case: bool = True, ignore_punctuation: bool = False) -> Grader:
    """Right where the texts agree after Unicode NFKC, with white space collapsed; case and punctuation as said."""

    def normal(value: Any) -> str:
        plain = unicodedata.normalize("NFKC", _as_text(value))
        plain = plain.translate(_PUNCTUATION) if ignore_punctuation else plain
        return " ".join((plain.casefold() if ignore_case else plain).split())

    def fn(output: Any, case: Case) -> Score:
        return _score(normal(output) == normal(case.expected), case.expected, output)

    return _built("text", fn, ignore_case=ignore_case, ignore_punctuation=ignore_punctuation)


def label(labels: Sequence[Json] = ()) -> Grader:
    """Right where the answer is the expected label, whatever the case and white space.

    `labels` (a task fills its own in) only serve the reason of an answer that is none of them; they are no part of
    the identity because they change no score.
    """
    known = {_label(v): v for v in labels if v is not None}

    def fn(output: Any, case: Case) -> Score:
        got, want = _label(output), _label(case.expected)
        if got == want or not known or got in known:
            return _score(got == want, case.expected, output)
        near = difflib.get_close_matches(got[:200], known, n=1, cutoff=0.5)
        what = f"none of the {counted(len(known), 'label')}" + (f", nearest {shown(known[near[0]])}" if near else "")
        return Score(0.0, f"expected {shown(case.expected)}, got {shown(output)} ({what})")

    made = _built("label", fn)
    return dataclasses.replace(made, settings={"labels": tuple(labels)} if labels else {})


def choice(choices: str = "choices") -> Grader:
    """Right where the answer names the expected option by letter ("B", "(b)", "B.") or by its text ("b) foo", "foo").

    The options come from the inputs' column `choices` (a list, or a dict by letter), else from lines "(A) foo" in the
    input. An expected whole number counts the options from 0.
    """

    def fn(output: Any, case: Case) -> Score:
        options = _options(case.inputs, choices)
        got, want = _picked(output, options), _picked(case.expected, options)
        if got is None and _label(output) != _label(case.expected):
            return Score(0.0, f"expected {shown(case.expected)}, got {shown(output)} (none of the choices)")
        return _score(got == want, case.expected, output)

    return _built("choice", fn, choices=choices)


def number(tolerance: float = 0.0, *, relative: float = 0.0, find: Find = "whole") -> Grader:
    """Right where the numbers differ by at most `tolerance`, or `relative` times the expected one, reckoned exactly.

    How texts are read: `numerals.read_number` ("1,234.50", "$3", "−4"; find="last" takes the last number in a longer
    text). "12%" agrees with 12 and with 0.12 where the other side has no percent sign.
    """
    for name, value in (("tolerance", tolerance), ("relative", relative)):
        if not 0 <= value < float("inf"):
            raise UsageError(f"{name} must be a number of at least 0, not {value!r}")
    if find not in ("whole", "last"):
        raise UsageError(f'find must be "whole" or "last", not {find!r}')
    absolute, ratio = Decimal(str(tolerance)), Decimal(str(relative))

    def fn(output: Any, case: Case) -> Score:
        want, got = read_number(case.expected, find), read_number(output, find)
        if want is None or got is None:
            what = f"{shown(output)}, which is not a number" if got is None else shown(output)
            return Score(0.0, f"expected {shown(case.expected)}, got {what}")
        off = min(_differences(got, want))
        if off <= max(absolute, ratio * abs(want.value)):
            return _score(True, case.expected, output, f" (off by {off.normalize():f})" if off else "")
        return _score(False, case.expected, output, f" (off by {shown(f'{off:.6g}')})")

    return _built("number", fn, tolerance=tolerance, relative=relative, find=find)


def contains(*, ignore_case: bool = True) -> Grader:
    """Right where the output contains the expected text; where it is a list, all of its texts."""

    def normal(value: Any) -> str:
        plain = " ".join(unicodedata.normalize("NFKC", _as_text(value)).split())
        return plain.casefold() if ignore_case else plain

    def fn(output: Any, case: Case) -> Score:
        wanted = _many(case.expected)
        whole = normal(output)
        lacking = [w for w in wanted if normal(w) not in whole]
        if lacking:
            return Score(0.0, f"{shown(output)} does not contain {listed(lacking, 3)}")
        return Score(1.0, f"contains {listed(wanted, 3)}")

    return _built("contains", fn, ignore_case=ignore_case)


def regex(pattern: str | None = None, *, ignore_case: bool = False) -> Grader:
    """Right where the pattern (else the expected text, read as one) occurs in the first 20,000 characters.

    A search that could backtrack for long runs in a child process and counts as wrong after 2 seconds
    (`pattern.found`). Anchor with ^ and $ to match the whole output. Raises UsageError for a broken `pattern`.
    """
    flags = re.IGNORECASE if ignore_case else 0
    fixed = patterns.compiled(pattern, flags) if pattern is not None else None

    def fn(output: Any, case: Case) -> Score:
        wanted = fixed or patterns.compiled(_as_text(case.expected), flags)
        hit = patterns.found(wanted, _as_text(output))
        if hit is None:
            return Score(0.0, f"gave up on {shown(wanted.pattern)} after {patterns.SECONDS:g} s: simplify the pattern")
        return Score(float(hit), f"{shown(output)} {'matches' if hit else 'does not match'} {shown(wanted.pattern)}")

    return _built("regex", fn, pattern=pattern, ignore_case=ignore_case)


def check_pattern(expected: Json) -> None:
    """Raises ValueError where an expected value is no regular expression; its text is not in the message."""
    try:
        re.compile(_as_text(expected))
    except (re.error, OverflowError, RecursionError):
        raise ValueError("the expected value is not a regular expression") from None


def fields(*, tolerance: float = 0.0, partial: bool = False, extra: bool = True) -> Grader:
    """Right where every expected field is: texts by `text`, numbers within `tolerance`, lists item by item.

    `partial=True` scores the share of right fields instead of all or nothing; `extra=False` counts a field that was
    not expected as wrong. An output that is a JSON text is read first.
    """
    allowed = Decimal(str(tolerance))

    def fn(output: Any, case: Case) -> Score:
        got, want = _object(output), case.expected
        if not _comparable(got, want):
            return _score(_alike(got, want, allowed), want, output, "")
        pairs, surplus = _paired(got, want)
        wrong = [(name, w, g) for name, w, g in pairs if not _alike(g, w, allowed)]
        faults = [f"{shown(name)}: expected {shown(w)}, got {shown(g)}" for name, w, g in wrong]
        faults += [] if extra and isinstance(want, dict) else [f"{shown(name)} was not expected" for name in surplus]
        if not faults:
            return Score(1.0, f"all {counted(len(pairs), 'field')} right")
        total = max(1, len(pairs) + len(faults) - len(wrong))
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        return Score((total - len(faults)) / total if partial else 0.0, "; ".join(faults[:3]) + more)

    return _built("fields", fn, tolerance=tolerance, partial=partial, extra=extra)


def function(fn: Callable[..., Any], *, name: str | None = None) -> Grader:
    """A Python function as a grader: `fn(output, case)`, or any of output, case, expected, inputs by name.

    It returns a bool, a number in [0, 1] or a Score; it must be a plain `def`. When it raises, or returns something
    else, grading raises a SolutionError that names the case. The identity is that of the function
    (`programs.identity`): its syntax tree and that of what it calls, without comments.
    """
    called = name or getattr(fn, "__qualname__", type(fn).__name__)
    run = call_function(fn, called)
    return Grader(called, run, {}, f"function {function_identity(fn)}")


GRADERS: dict[str, Callable[..., Grader]] = {
    "exact": exact, "text": text, "label": label, "choice": choice, "number": number, "contains": contains,
    "regex": regex, "fields": fields,
}  # fmt: skip


def default_grader(kind: Kind, *, labels: Sequence[Json] = (), choices: str | None = None) -> Grader:
    """The grader of a kind: label, number, choice, text or fields."""
    if kind == "label":
        return label(labels)
    if kind == "choice":
        return choice(choices or "choices")
    return GRADERS[kind]()


def named(name: str, settings: Mapping[str, Any] | None = None) -> Grader:
    """A grader by its name and settings, as in a task.toml. Raises UsageError with the nearest name or setting."""
    make = GRADERS.get(name)
    if make is None:
        near = difflib.get_close_matches(name, GRADERS, n=1)
        raise UsageError(
            f"there is no grader {shown(name)}" + (f" (did you mean {near[0]}?)" if near else ""),
            hint=f"one of {', '.join(GRADERS)}, or your own: grade.py:score",
        )
    try:
        return make(**(settings or {}))
    except (TypeError, ValueError, ArithmeticError):
        raise UsageError(
            f"the {name} grader does not take these settings: {listed(settings or {})}",
            hint=f"it takes {listed(make.__annotations__.keys() - {'return'}) or 'none'}",
        ) from None


def _built(name: str, fn: Callable[[Any, Case], Score], **settings: Any) -> Grader:
    """A grader of ours: None is compared here, so that the functions see values only."""

    def run(output: Any, case: Case) -> Score:
        if output is None or (case.expected is None and name != "regex"):
            return _score(output is None and case.expected is None, case.expected, output)
        return fn(output, case)

    return Grader(name, run, settings, f"{name} {content_hash(settings)[:12]}" if settings else name)


def _score(right: bool, expected: Json, output: Any, more: str = "") -> Score:
    if right:
        return Score(1.0, f"{shown(output)} is right{more}")
    return Score(0.0, f"expected {shown(expected)}, got {shown(output)}{more}")


def _jsoned(value: Any) -> Json:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _jsoned(dataclasses.asdict(value))
    if isinstance(value, enum.Enum):
        return _jsoned(value.value)
    try:
        return to_json(value)
    except (TypeError, RecursionError):
        return f"<{type(value).__name__}>"


def _as_text(value: Any) -> str:
    """A value as the text that a CSV file would hold."""
    form = _jsoned(value)
    if isinstance(form, str):
        return form
    if isinstance(form, float) and form.is_integer():
        return str(int(form)) if abs(form) < 1e15 else str(form)
    return canonical(form)


def _label(value: Any) -> str:
    return str(folded(_as_text(value)))


def _same(one: Json, other: Json) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast(dict[str, Json], one), cast(dict[str, Json], other)
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast(list[Json], one), cast(list[Json], other)
        return len(first) == len(second) and all(map(_same, first, second))
    return one == other


def _differences(got: Number, want: Number) -> list[Decimal]:
    """How far apart two numbers are; with one percent sign, also as a share of a hundred."""
    off = [abs(got.value - want.value)]
    if got.percent and not want.percent:
        off.append(abs(got.value / 100 - want.value))
    elif want.percent and not got.percent:
        off.append(abs(got.value * 100 - want.value))
    return off


def _options(inputs: Json, column: str) -> dict[str, str]:
    """The options of a case by letter; empty where none are listed."""
    given: Json = cast(dict[str, Json], inputs).get(column) if isinstance(inputs, dict) else None
    if isinstance(given, dict):
        return {str(k).upper(): _as_text(v) for k, v in cast(dict[str, Json], given).items()}
    if isinstance(given, list):
        return {chr(65 + i): _as_text(v) for i, v in enumerate(cast(list[Json], given)[:26])}
    whole = inputs if isinstance(inputs, str) else _as_text(inputs).replace("\\n", "\n")
    return {letter: option for letter, option in _OPTION.findall(whole)}


def _picked(value: Any, options: Mapping[str, str]) -> str | None:
    """The letter that a value means, else None."""
    form = _jsoned(value)
    if isinstance(form, int) and not isinstance(form, bool) and str(form) not in map(str.strip, options.values()):
        letter = chr(65 + form) if 0 <= form < 26 else ""
        return letter if letter in options or not options else None
    plain = _as_text(form).strip()
    by_text = {str(folded(option)): letter for letter, option in options.items()}
    if str(folded(plain)) in by_text:
        return by_text[str(folded(plain))]
    only = _LETTER.fullmatch(plain)
    if only:
        return only[1].upper() if only[1].upper() in options or not options else None
    started = _LETTERED.fullmatch(plain)
    if started is None:
        return None
    letter, rest = (started[1] or started[2] or started[3]).upper(), started[4]
    if not options:
        return letter
    meant = by_text.get(str(folded(rest)))
    return letter if letter in options and meant in (None, letter) else None


def _many(value: Json) -> list[Json]:
    return cast(list[Json], value) if isinstance(value, list) else [value]


def _comparable(got: Json, want: Json) -> bool:
    """Whether both are objects or both are lists."""
    return any(isinstance(got, kind) and isinstance(want, kind) for kind in (dict, list))


def _object(output: Any) -> Json:
    form = _jsoned(output)
    if isinstance(form, str) and form.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(form)
        except ValueError:
            return form
    return form


def _paired(got: Json, want: Json) -> tuple[list[tuple[str, Json, Json]], list[str]]:
    """Name, wanted and got for every expected field or item, and the names of what came on top."""
    if isinstance(want, dict):
        wanted, have = cast(dict[str, Json], want), cast(dict[str, Json], got)
        return [(n, w, have.get(n)) for n, w in wanted.items()], [n for n in have if n not in wanted]
    wants, haves = cast(list[Json], want), cast(list[Json], got)
    pairs = [(f"item {i + 1}", w, haves[i] if i < len(haves) else None) for i, w in enumerate(wants)]
    return pairs, [f"item {i + 1}" for i in range(len(wants), len(haves))]


def _alike(got: Json, want: Json, allowed: Decimal) -> bool:
    """One field by its kind: null and bool exactly, numbers within the tolerance, texts folded, the rest within."""
    if isinstance(want, dict | list):
        if not _comparable(got, want):
            return False
        pairs, surplus = _paired(got, want)
        return not (surplus and isinstance(want, list)) and all(_alike(g, w, allowed) for _, w, g in pairs)
    if want is None or got is None or isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, int | float) or isinstance(got, int | float):
        one, other = read_number(got), read_number(want)
        return one is not None and other is not None and abs(one.value - other.value) <= allowed
    return folded(got) == folded(want)
