"""The values that everything else speaks of: cases, answers, scores. Frozen, equal by content, JSON in and out."""

from __future__ import annotations

import hashlib
import itertools
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, final

Json = Any
"""None, bool, int, float, str, or lists and string-keyed dicts of these."""

Split = Literal["train", "dev", "test"]
Verdict = Literal["PASS", "FAIL", "UNPROVEN"]


@final
class Abstain:
    """The type of `ABSTAIN`: one falsy object, compared by identity."""

    _only: Abstain | None = None

    def __new__(cls) -> Abstain:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "ABSTAIN"

    def __reduce__(self) -> str:
        return "ABSTAIN"


ABSTAIN: Final = Abstain()
"""A solution returns this to say: I hand this on. JSON form: {"abstain": true}."""


@dataclass(frozen=True, slots=True)
class Graded:
    """The value of an answer that was graded elsewhere and comes without its text: only its score in [0, 1]."""

    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A value with the confidence in [0, 1] of whoever gave it (None where there is none)."""

    value: Any
    confidence: float | None = None
    by: str | None = None  # the member of a route that answered


@dataclass(frozen=True, slots=True)
class Score:
    """How right one answer is: `value` in [0, 1], with a reason that a person can read."""

    value: float
    reason: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a score must lie in [0, 1], not {self.value!r}")


@dataclass(frozen=True, slots=True)
class Case:
    """One test case.

    `inputs` is the bare value of a task with one input column, a dict by column name of one with several.
    `key` is the hash of the inputs with case and white space folded and what is invisible left out: the seal and the
    ledger go by it, so a changed space is not a fresh case. `inputs_hash` is the hash of the exact inputs: recorded
    answers go by it.
    `marks` are the hashes that it is known by under other input columns: of its whole row, and of cells that tell it
    from all other cases.
    `cluster` groups cases that are not independent (same customer); a case alone is its own cluster.
    """

    id: str
    inputs: Json
    expected: Json
    cluster: str
    source: str  # "tickets.jsonl:17"
    key: str
    inputs_hash: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call gave no answer: `kind` is "raised", "timeout", "exit", "type" or "paused"; of a model call that any
    other would end like, "unreached" (nobody is there) or "refused" (its key, name or parameters are not taken)."""

    kind: str
    message: str

    @property
    def barred(self) -> bool:
        """Whether it lies at how the model is called, not at the case: any call would end so until that is mended."""
        return self.kind in ("unreached", "refused")


@dataclass(frozen=True, slots=True)
class Cost:
    """What the model calls made for one case take: US dollars, tokens in and out; None where unknown.

    A reply that was looked up counts as when it was made: this is what the case costs where nothing is recorded.
    `at_most`: an attempt in it ended without a count, and stands with all that it may have cost.
    """

    usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    at_most: bool = False

    def __add__(self, other: Cost) -> Cost:
        """Both together; what is unknown of one is unknown of both."""
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        tokens_in = _both(self.input_tokens, other.input_tokens)
        return Cost(usd, tokens_in, _both(self.output_tokens, other.output_tokens), self.at_most or other.at_most)


def _both(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


NO_COST: Final = Cost(0.0, 0, 0)
"""No model was called."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one solution did on one case. `score` is None exactly when `failure` is set."""

    case: Case
    answer: Answer | None
    score: Score | None
    failure: Failure | None
    seconds: float | None  # of the call, without waiting in this process; None where unknown
    recorded: bool = False  # taken from the journal, not called now
    cost: Cost | None = None  # None: unknown, as of an answer that was recorded without it

    @property
    def right(self) -> bool:
        """Whether the answer is fully right (score 1)."""
        return self.score is not None and self.score.value >= 1.0

    @property
    def abstained(self) -> bool:
        """Whether the solution handed this case on."""
        return self.answer is not None and self.answer.value is ABSTAIN


def to_json(value: Any) -> Json:
    """The JSON form of an answer: ABSTAIN becomes {"abstain": true}; tuples become lists. Raises TypeError else.

    A `Failure` in it, of a part of a workflow, is {"failure": {"kind": …, "message": …}}.
    """
    if value is ABSTAIN:
        return {"abstain": True}
    if isinstance(value, Failure):
        return {"failure": {"kind": value.kind, "message": value.message}}
    if isinstance(value, Graded):
        return {"graded": value.score}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    if hasattr(value, "model_dump"):
        return to_json(value.model_dump(mode="json"))
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return to_json(value.item())  # a numpy scalar
    raise TypeError(f"{type(value).__name__} has no JSON form")


def from_json(value: Json) -> Any:
    """The inverse of `to_json` for answers."""
    if value == {"abstain": True}:
        return ABSTAIN
    found: Any = value
    if isinstance(value, dict) and list(found) == ["graded"]:
        return Graded(found["graded"])
    return found


def in_order(value: Any) -> Any:
    """`value` with its sets as sorted lists: they have another order in each process."""
    if isinstance(value, set | frozenset):
        return sorted(map(in_order, cast("set[Any]", value)), key=repr)
    if isinstance(value, dict):
        return {key: in_order(one) for key, one in cast("dict[Any, Any]", value).items()}
    if type(value) in (list, tuple):  # pyright: ignore[reportUnknownArgumentType]
        return [in_order(one) for one in cast("list[Any]", value)]
    return value


def canonical(value: Json) -> str:
    """One text for equal JSON values: sorted keys, no spaces, unicode as it is."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True)


def storable(value: Json) -> str:
    """JSON as the store keeps it: in its order, which a program may show to a model, with half surrogate pairs escaped
    as JSON escapes them: SQLite's UTF-8 cannot hold them."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=True)
    return text.encode("utf-8", "backslashreplace").decode()


def content_hash(value: Json) -> str:
    """32 hex digits (BLAKE2b, 128 bits) of the canonical JSON text."""
    return hashlib.blake2b(canonical(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def blank(value: Json) -> bool:
    """Whether there is nothing to read: None, or a text of white space alone. Such an input is never asked."""
    return value is None or (isinstance(value, str) and not value.replace("\ufeff", "").strip())


def case_key(inputs: Json) -> str:
    """The hash of inputs as a reader sees them: without what cannot be seen and signs at the ends, and folded."""
    return content_hash(folded(_visible(inputs)))


def keys_of_parts(inputs: Json) -> tuple[str, ...]:
    """The keys under which a case may be known where only some of its columns are inputs: of the inputs, and of every
    choice among them; of more than six, of each alone."""
    if not isinstance(inputs, dict):
        return (case_key(inputs),)
    told = cast("dict[str, Json]", inputs)
    sizes = range(2, len(told) + 1) if len(told) <= 6 else (len(told),)
    several = [dict(some) for size in sizes for some in itertools.combinations(told.items(), size)]
    return tuple(case_key(part) for part in (told, *told.values(), *several))


_ENDS: Final = " \t\r\n.!?\u2026,;:"
"""Signs at the ends of a text that make no other case of it."""


def _visible(value: Json) -> Json:
    if isinstance(value, str):
        return (value if value.isascii() else "".join(c for c in value if not _invisible(c))).strip(_ENDS)
    if isinstance(value, dict):
        return {k: _visible(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_visible(v) for v in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def _invisible(character: str) -> bool:
    """Format characters (zero-width space and joiners, soft hyphen, marks of direction) and variation selectors."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


def folded(value: Json) -> Json:
    """`value` with every string NFKC-normalised, case-folded and its white space collapsed."""
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if isinstance(value, Mapping):
        return {str(k): folded(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [folded(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return value
