"""The features of a text for the linear model: its words, its pairs of words, and character n-grams inside words.

Pure Python, and the same function for training and prediction, so that the two can never disagree.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

VERSION = 1
"""Goes up when the features of any text change: a saved model is only good for the version that it learned from."""

MAX_CHARACTERS = 100_000
"""A text is read up to here; what follows is ignored (about 0.1 s of work at most)."""

LENGTHS = (3, 4, 5)
"""Character n-gram lengths; a word is padded with one space on both sides, so "cat" has " ca", "cat", "at ", …"""

EMPTY = "#"
"""The one feature of a text without words: a model can learn what an empty text means."""

# A word is a run of anything but white space and punctuation, so that combining marks, emoji and signs such as "€"
# stay inside it, with no table of scripts. Han characters and kana stand for words alone: their scripts put no
# spaces between words, and single characters and pairs are what tells such texts apart.
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_BETWEEN = r"\s!-/:-@\[-^`{-~\u00a0-\u00bf\u060c\u061b\u061f\u06d4\u0964\u0965\u2000-\u206f\u3000-\u303f"
_WORD = re.compile(f"[{_ALONE}]|[^{_BETWEEN}{_ALONE}]+")

_CACHED = 24  # longer words are rare: caching them would only cost memory


def ngrams(text: str) -> list[str]:
    """All features of `text`, repeats kept: words, pairs ("my card"), and "#" before character n-grams ("# ca").

    Letters are NFKC-normalised and case-folded first. Any string has features; none contains a line break.
    """
    words = split_words(text)
    if not words:
        return [EMPTY]
    features = list(words)
    features += [f"{a} {b}" for a, b in pairwise(words)]
    for word in words:
        features += _cached_pieces(word) if len(word) <= _CACHED else _pieces(word)
    return features


def split_words(text: str) -> list[str]:
    """The words of a text's first `MAX_CHARACTERS` characters, in order, NFKC-normalised and case-folded."""
    return _WORD.findall(unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold())


def _pieces(word: str) -> list[str]:
    padded = f" {word} "
    if len(padded) <= LENGTHS[0]:
        return [f"#{padded}"]
    ends = len(padded) + 1
    return [f"#{padded[i : i + n]}" for n in LENGTHS for i in range(ends - n)]


@lru_cache(maxsize=8192)  # about 8 MB of text in the usual case: words repeat, and this is half of the work
def _cached_pieces(word: str) -> tuple[str, ...]:
    return tuple(_pieces(word))
