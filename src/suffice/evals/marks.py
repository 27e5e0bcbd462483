"""What a case is known by in another form: the hash of its row, of its texts alone, and of passages in them.

Looked at under other columns, in a list of messages, or with a prompt put in front, it was looked at all the same.
"""

from __future__ import annotations

import hashlib
import heapq
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from itertools import islice
from typing import Any, Final, cast

from suffice.values import Json, canonical, case_key, folded

LETTERS: Final = 16
"""That a cell has at least, to tell a case: of 10,000 questions to a bank (Banking77) 99% have as many. Numbers, times,
ids and most names have fewer, and two tasks may share them by chance."""

PASSAGE: Final = 8  # words of a passage that tells a case, if no other case of its task has it
OWN: Final = 4  # of its words that few have in common: a template with a word filled in tells nobody
MOSTLY: Final = 0.8  # of the cases have a word that is one of the template
READ: Final = 48  # words of a text whose passages are looked at
PASSAGES: Final = 4  # passages that are marks: those with the smallest hashes, so that new words around leave some
CANDIDATES: Final = 12  # among so many, in case others have some of them, too
MODULUS: Final = 2**61 - 1  # of the rolling hash of a passage
FACTOR: Final = 1_000_000_007
LEADING: Final = pow(FACTOR, PASSAGE - 1, MODULUS)
MIXED: Final = 0x9E3779B97F4A7C15 % MODULUS  # so that hashes of neighbours are not alike
ASKED: Final = 24  # passages of an input of which nobody knows what others like it have


def telling_keys(inputs: Json) -> dict[str, str]:
    """By place, the key that each cell of these inputs, and each text in them, would have as the only input; only those
    with enough letters. A bare text is its own key, and is not among them."""
    found = {name: case_key(cell) for name, cell in _cells(inputs) if _telling(cell)}
    return found | {place: case_key(text) for place, text in _texts(inputs) if place and _telling(text)}


def passage_keys(inputs: Json) -> list[str]:
    """The keys of passages that may tell these inputs."""
    grams = _passages(_words(inputs), frozenset())
    return [_key(grams[least]) for least in heapq.nsmallest(ASKED, grams)]


def cell_marks(cases: Sequence[tuple[str, Json]]) -> Iterator[tuple[str, ...]]:
    """For each case, by its key and inputs, the keys of those of its cells and passages that tell it from all others.

    A cell tells where it has enough letters, no other of these cases has it, and most of them have one of their own in
    that column: a template or a passage that several share tells none, and neither does a category that happens to
    occur once. As an input alone it would be this case, and so it is looked at wherever the case is. A passage of eight
    words tells where no other case has it: with other words around it, this case is it still.
    """
    told = [telling_keys(inputs) for _, inputs in cases]
    owners: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for (key, _), cells in zip(cases, told, strict=True):
        for cell in cells.items():
            owners[cell].add(key)
    own: defaultdict[str, set[str]] = defaultdict(set)
    for (name, _), keys in owners.items():
        if len(keys) == 1:
            own[name] |= keys
    most = len({key for key, _ in cases}) / 2
    for (key, _), cells, passages in zip(cases, told, _own_passages(cases), strict=True):
        yield (*(mark for name, mark in cells.items() if key in own[name] and len(own[name]) > most), *passages)


def row_mark(values: dict[str, Any], split: str | None) -> str:
    """The hash of a whole row, but for its split: looked at under other columns, it was looked at all the same."""
    return case_key({name: value for name, value in values.items() if name != split})


def _own_passages(cases: Sequence[tuple[str, Json]]) -> Iterator[list[str]]:
    """The passages of each case that no other has."""
    texts = [_words(inputs) for _, inputs in cases]
    having = Counter(word for words in texts for word in {word for text in words for word in text})
    common = frozenset(word for word, n in having.items() if n > max(1, MOSTLY * len(cases)))
    owner: dict[int, str | None] = {}
    found: list[list[tuple[int, tuple[Sequence[str], int]]]] = []
    for (key, _), words in zip(cases, texts, strict=True):
        grams = _passages(words, common)
        found.append([(least, grams[least]) for least in heapq.nsmallest(CANDIDATES, grams)])
        for least, _ in found[-1]:
            owner[least] = key if owner.get(least, key) == key else None
    for (key, _), passages in zip(cases, found, strict=True):
        yield [_key(gram) for gram in islice((gram for least, gram in passages if owner[least] == key), PASSAGES)]


def _words(inputs: Json) -> list[list[str]]:
    """The first words of each text, folded."""
    return [folded(text).split(maxsplit=READ)[:READ] for _, text in _texts(inputs)]


def _passages(texts: Sequence[Sequence[str]], common: Set[str]) -> dict[int, tuple[Sequence[str], int]]:
    """The passages with enough words that are not `common`, by their hashes: a text, and where in it one begins."""
    found: dict[int, tuple[Sequence[str], int]] = {}
    for words in texts:
        if len(words) < PASSAGE:
            continue
        numbers = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words]
        own = [word not in common for word in words]
        rolling, count = 0, sum(own[: PASSAGE - 1])
        for number in numbers[: PASSAGE - 1]:
            rolling = (rolling * FACTOR + number) % MODULUS
        for begin in range(len(words) - PASSAGE + 1):  # each from the one before it (Karp & Rabin 1987)
            end = begin + PASSAGE - 1
            rolling = (rolling * FACTOR + numbers[end]) % MODULUS
            count += own[end]
            if count >= OWN:
                found[rolling * MIXED % MODULUS] = words, begin
            rolling -= numbers[begin] * LEADING
            count -= own[begin]
    return found


def _key(passage: tuple[Sequence[str], int]) -> str:
    words, begin = passage
    text = " ".join(words[begin : begin + PASSAGE])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=b"passage").hexdigest()


def _cells(inputs: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(inputs, dict):
        yield from cast("dict[str, Json]", inputs).items()


def _texts(value: Json, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value with its place in it; "" is the value itself."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Json]", value).items():
            yield from _texts(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(cast("Sequence[Json]", value)):
            yield from _texts(inner, f"{place}[{i}]")


def _telling(cell: Json) -> bool:
    letters = filter(str.isalpha, cell if isinstance(cell, str) else canonical(cell))
    return next(islice(letters, LETTERS - 1, None), None) is not None
