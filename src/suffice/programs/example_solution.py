"""A step with examples chosen for each input: the cases most like it stand before it as answered turns."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from suffice.programs.ngrams import split_words
from suffice.programs.prompt import Example
from suffice.programs.solution import Form, Solution
from suffice.programs.step_solution import Asking, asking_of, asking_solution, named
from suffice.values import Answer, Json, canonical, case_key, to_json


@dataclass(frozen=True, slots=True)
class Shown:
    """What is asked, the cases that examples are chosen from, and how many stand before an input.

    `clusters` says which of them belong together, one name a case; empty where each stands alone.
    """

    asking: Asking
    pool: tuple[Example, ...]
    k: int
    clusters: tuple[str, ...] = ()


def example_solution(shown: Shown, saved: dict[str, Json] | None = None) -> Solution:
    """The solution that asks with the `k` most similar examples, the most similar one last, next to the input."""
    asking, names = shown.asking, shown.asking.prompt.inputs
    pool = [[dict(e.inputs), to_json(e.answer)] for e in shown.pool]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(shown.clusters))}
    together = [numbers[name] for name in shown.clusters]  # no more of a cluster is kept than which cases are in it
    data = saved or {**asking.form(), "pool": pool, "clusters": together, "k": shown.k}
    nearest = Nearest([_text(e.inputs) for e in shown.pool], together)

    async def ask(inputs: Json) -> Answer:
        told = named(inputs, names)
        chosen = tuple(shown.pool[i] for i in reversed(nearest(_text(told), shown.k)))
        prompt = replace(asking.prompt, examples=(*asking.prompt.examples, *chosen))
        return await replace(asking, prompt=prompt).answer(told)

    return asking_solution(asking, "examples", data, ask)


def load_examples(form: Form) -> Solution:
    """Examples and what they stand before, from data. Raises ValueError, KeyError, TypeError for damaged data."""
    pool = tuple(Example(inputs, answer) for inputs, answer in form.data["pool"])
    clusters = tuple(str(number) for number in form.data["clusters"])
    return example_solution(Shown(asking_of(form), pool, form.data["k"], clusters), form.data)


class Nearest:
    """The texts most like another: cosine over words, each weighted by how rare it is (Salton & Buckley 1988)."""

    def __init__(self, texts: Sequence[str], clusters: Sequence[int] = ()) -> None:
        self.clusters = clusters or range(len(texts))
        self.same: dict[str, list[int]] = defaultdict(list)
        for i, text in enumerate(texts):
            self.same[case_key(text)].append(i)
        counts = [Counter(split_words(text)) for text in texts]
        held = Counter(word for count in counts for word in count)
        self.weight = {word: math.log((1 + len(texts)) / (1 + n)) + 1.0 for word, n in held.items()}
        self.holds: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for i, count in enumerate(counts):
            vector = self._vector(count)
            for word, value in vector.items():
                self.holds[word].append((i, value))

    def __call__(self, text: str, k: int) -> list[int]:
        """The places of at most `k` texts that share a word with `text`, the most similar first; ties in order.

        The same text itself is left out, and with it its cluster: a case is no example for itself.
        """
        own = {self.clusters[i] for i in self.same.get(case_key(text), ())}
        scores: dict[int, float] = defaultdict(float)
        for word, value in self._vector(Counter(split_words(text))).items():
            for i, other in self.holds.get(word, ()):
                scores[i] += value * other
        ranked = sorted(scores, key=lambda i: (-round(scores[i], 9), i))
        return [i for i in ranked if self.clusters[i] not in own][:k]

    def _vector(self, count: Mapping[str, int]) -> dict[str, float]:
        raw = {word: (1.0 + math.log(n)) * self.weight.get(word, 0.0) for word, n in count.items()}
        length = math.sqrt(sum(v * v for v in raw.values()))
        return {word: v / length for word, v in raw.items() if v} if length else {}


def _text(inputs: Mapping[str, Any]) -> str:
    return " ".join(v if isinstance(v, str) else canonical(to_json(v)) for v in inputs.values())
