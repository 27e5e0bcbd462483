"""Counting tokens: exactly where a tokenizer is at hand, else by a stated estimate; and cutting a text to fit."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from suffice.models.places.endpoint import Address
from suffice.models.places.prices import listed

Keep = Literal["start", "end", "both"]

# Tokens for each thing counted, fitted by non-negative least squares on relative errors over texts of 1,500
# characters in the eleven kinds below, against OpenAI's o200k_base vocabulary; half of the texts were held out.
_WORD: Final = 0.973  # a run of ASCII letters
_LONG: Final = 0.221  # each of its letters beyond the seventh
_DIGITS: Final = 1.194  # up to three digits of a run
_LINES: Final = 1.324  # white space with line ends in it
_BLANKS: Final = 0.747  # two blanks or more; one goes with the word after it
_MARKS: Final = 0.755  # a run of ASCII punctuation
_MARK: Final = 0.107  # each of its characters beyond the first
_BYTE: Final = 0.55  # each byte of anything else
_SCRIPTS: Final = (  # each character
    (re.compile(r"[\u3400-\u9fff\uf900-\ufaff]"), 0.794),  # Chinese characters
    (re.compile(r"[\u3040-\u30ff]"), 0.643),  # kana
    (re.compile(r"[\uac00-\ud7a3]"), 0.718),  # hangul
    (re.compile(r"[\u0370-\u052f]"), 0.272),  # Greek, Cyrillic
    (re.compile(r"[\u00c0-\u024f]"), 0.722),  # Latin letters with marks
)
_WORDS: Final = re.compile(r"[A-Za-z]+")
_NUMBERS: Final = re.compile(r"[0-9]+")
_SPACE: Final = re.compile(r"\s{2,}|\n")
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]+")
_REST: Final = re.compile(
    r"[^\x20-\x7e\s\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7a3\u0370-\u052f\u00c0-\u024f]+"
)
_FINE: Final = 256  # the part of a long text that may be cut off beyond need, to count it few times
_SNAP: Final = 24  # characters that a cut may move to fall between words


@dataclass(frozen=True, slots=True)
class TokenCount:
    """`n` tokens. `exact` says whether the model's own tokenizer counted, `how` in words what did."""

    n: int
    exact: bool
    how: str


def count_tokens(text: str, model: str | None = None) -> TokenCount:
    """How many tokens `text` is: exact for OpenAI's names where tiktoken is installed (`suffice[tokens]`) and has its
    vocabulary, which it downloads when first used; else an estimate.

    The estimate counts words, digits, punctuation, line ends and letters of other scripts. Measured on held-out texts
    of 1,500 characters against o200k_base, the relative error is (median, 95th percentile): English prose 3 %, 8 %;
    Python 4 %, 11 %; TypeScript 6 %, 16 %; JSON 3 %, 7 %; numbers in CSV 1 %, 1 %; German, French, Spanish, Italian,
    Portuguese 8 %, 16 %; Polish, Czech, Turkish 6 %, 11 %; Russian 1 %, 5 %; Chinese 14 %, 17 %; Japanese 1 %, 3 %;
    Korean 1 %, 3 %. Other scripts, emoji, base64 and the vocabularies of other providers were not measured. The
    older cl100k_base makes about as many tokens of English and code, and 10 to 50 % more of other languages.
    """
    name = (model or "").rpartition("openai/")[2]
    encode = _tiktoken(name) if name else None
    if encode is not None:
        return TokenCount(encode(text), True, f"tiktoken for {name}")
    n = min(math.ceil(_estimate(text)), upper_bound(text))
    return TokenCount(n, False, "estimated from words, digits, punctuation and scripts")


def upper_bound(text: str) -> int:
    """The most tokens that `text` can be: its UTF-8 bytes, because no tokenizer makes a token of less than a byte.
    What a provider puts around a message comes on top."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def window_of(address: Address) -> tuple[int | None, int | None]:
    """A model's context window and its output cap in tokens, None where nobody says. The price library knows windows
    alone; an endpoint on this machine is not looked up."""
    entry = None if address.endpoint.loopback else listed(address)
    return (None if entry is None else entry.context_window, None)


def shorten(text: str, most: int, *, keep: Keep, model: str | None = None) -> tuple[str, str]:
    """`text` cut to at most `most` tokens, as `count_tokens` counts them for `model`, and a sentence on what is gone.

    `keep` says which part stays. A mark "[… 1,234 tokens left out …]" stands where something is missing; it is there
    even if `most` is less than the mark alone takes. A text that fits comes back as it is, with an empty sentence.
    """

    def count(part: str) -> int:
        return count_tokens(part, model).n

    if _fits(text, most, count):
        return text, ""
    whole = count(text)
    low, high = 0, _enough(text, most, count)
    made, gone = _cut(text, 0, keep, whole, count)
    while high - low > high // _FINE:  # the most characters that fit with their mark
        middle = (low + high + 1) // 2
        tried, left = _cut(text, middle, keep, whole, count)
        if count(tried) <= most:
            low, made, gone = middle, tried, left
        else:
            high = middle - 1
    about = "" if count_tokens("", model).exact else "about "
    place = {"start": "at the end", "end": "at the start", "both": "in the middle"}[keep]
    return made, f"{about}{gone:,} of {about}{whole:,} tokens were left out {place} to fit {most:,}"


def _fits(text: str, most: int, count: Callable[[str], int]) -> bool:
    return upper_bound(text) <= most or count(text) <= most


def _enough(text: str, most: int, count: Callable[[str], int]) -> int:
    """A number of characters whose first or last are more than `most` tokens, without counting a huge text often."""
    size = max(64, 8 * most)
    while size < len(text) and count(text[:size]) <= most and count(text[-size:]) <= most:
        size *= 2
    return min(2 * size, len(text))


def _cut(text: str, size: int, keep: Keep, whole: int, count: Callable[[str], int]) -> tuple[str, int]:
    """About `size` characters of `text` and the mark, and the tokens that are missing."""
    first = {"start": size, "end": 0, "both": (size + 1) // 2}[keep]
    start = _snapped(text[:first], text[first : first + 1])
    end = text[len(text) - (size - first) :] if size > first else ""
    before = text[: len(text) - (size - first)][-1:]
    end = _snapped(end[::-1], before)[::-1]
    left = max(1, whole - count(start) - count(end))
    mark = f"[… {left:,} tokens left out …]"
    return "\n".join(part for part in (start, mark, end) if part), left


def _snapped(part: str, after: str) -> str:
    """`part` without the piece of a word at its end, where one is cut through and not long."""
    if not part or not after.isalnum() or not part[-1:].isalnum():
        return part
    piece = len(part) - max((part.rfind(blank) for blank in (" ", "\n", "\t")), default=-1) - 1
    return part[: len(part) - piece] if piece <= _SNAP and piece < len(part) else part


def _estimate(text: str) -> float:
    words = _WORDS.findall(text)
    spaces = _SPACE.findall(text)
    lines = sum("\n" in space for space in spaces)
    marks = _PUNCTUATION.findall(text)
    total = _WORD * len(words) + _LONG * sum(len(w) - 7 for w in words if len(w) > 7)
    total += _DIGITS * sum(-(-len(n) // 3) for n in _NUMBERS.findall(text))
    total += _LINES * lines + _BLANKS * (len(spaces) - lines)
    total += _MARKS * len(marks) + _MARK * sum(len(m) - 1 for m in marks)
    if not text.isascii():
        total += sum(weight * len(script.findall(text)) for script, weight in _SCRIPTS)
    return total + _BYTE * sum(len(rest.encode("utf-8", "surrogatepass")) for rest in _REST.findall(text))


@lru_cache(maxsize=32)
def _tiktoken(model: str) -> Callable[[str], int] | None:
    """What counts tokens for an OpenAI model; None without tiktoken, its vocabulary, or a model that it knows."""
    try:
        encoding: Any = importlib.import_module("tiktoken").encoding_for_model(model)
    except Exception:  # not installed, not its model, or a download that failed in one of many ways
        return None
    return lambda text: len(encoding.encode(text, disallowed_special=()))
