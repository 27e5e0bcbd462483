"""The `rules` rung: an ordered list of readable rules found on the cases, or one that a person wrote."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from suffice.evals.task import Task
from suffice.ladder.calibration import Floats, fit_calibration, logit
from suffice.ladder.covering import Cases, Ints, Learned, Limits, cover, lower
from suffice.ladder.learning import Trained, learning, no_labels, texts_of
from suffice.ladder.rung import Rung
from suffice.ladder.words import coded, grouped_folds, sampled
from suffice.programs.conditions import Check
from suffice.programs.logistic import calibrated
from suffice.programs.ngrams import MAX_CHARACTERS, split_words
from suffice.programs.rules import FROM, Rule, read_rules_file, rules_solution, rules_text
from suffice.programs.solution import Solution
from suffice.values import Answer, Case, Json, content_hash
from suffice.version import __version__

A_LABEL: Final = 5  # rules, at most, for each label
FEWEST: Final = 50  # and so many rules are always allowed
SUPPORT: Final = 3  # cases that a rule must answer rightly, and that a condition must hold of
BEGINNINGS: Final = (4, 5, 6)  # letters that the beginning of a word may have
MAX_COUNTS: Final = 16_000_000  # conditions times labels; beyond, the conditions of the fewest cases go first


@dataclass(frozen=True, slots=True)
class FittedRules:
    """Rules learned from all cases, and for each case the answer of rules that saw neither it nor its cluster."""

    rules: tuple[Rule, ...]
    out_of_fold: tuple[Answer, ...]
    folds: int


def rules(name: str = "rules", *, folds: int = 5, seed: int = 0) -> Rung:
    """Rules learned by sequential covering: `fit_rules`; for labels and choices."""

    def train(task: Task, cases: Sequence[Case]) -> Trained:
        texts, labels, groups = texts_of(task, cases), [c.expected for c in cases], [c.cluster for c in cases]
        fitted = fit_rules(texts, labels, groups, seed, folds)
        solution = rules_solution(name, rules_text(fitted.rules), task.columns.inputs, sure=FROM)
        return Trained(solution, fitted.out_of_fold)

    identity = content_hash(["rules", __version__, folds, seed])
    return learning(name, identity, train, no_labels, FROM)


def rules_of_file(path: str | Path, name: str | None = None) -> Rung:
    """The rules in a file, as they are: nothing is learned. Raises SolutionError with file and line."""
    text, file = read_rules_file(path), Path(path).name
    made = rules_solution(name or Path(path).stem, text, (), file)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return rules_solution(made.name, text, task.columns.inputs, file)

    return Rung(made.name, fit, made.identity)


def fit_rules(
    texts: Sequence[str], labels: Sequence[Json], groups: Sequence[str], seed: int = 0, folds: int = 5
) -> FittedRules:
    """Learn an ordered list of rules; `groups` are clusters. The same arguments give the same rules.

    At most 5 a label, or 50, each of one or two conditions; the last one answers what the others leave over. A rule's
    confidence is its precision as calibrated on answers out of fold. Raises DataError like `fit_words`.
    """
    values, codes = coded(texts, labels, groups, "rules")
    given = [terms(text) for text in texts]
    parts = max(2, min(folds, len(set(groups))))
    fold = grouped_folds(codes, groups, parts, seed)
    held, score = np.zeros(len(texts), dtype=np.intp), np.zeros(len(texts))
    for part in range(parts):
        inside, outside = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        inside = inside[sampled([texts[int(i)] for i in inside], seed)]
        names, learned, rest = _learned([given[int(i)] for i in inside], codes[inside], len(values))
        for i in outside:
            rule = _first(names, learned, given[int(i)]) or rest
            held[i], score[i] = rule.label or 0, lower(rule.hits, rule.n)
    weights = fit_calibration(logit(score)[:, None], held == codes)
    sure = calibrated(weights, logit(score)[:, None])
    answers = tuple(Answer(values[int(k)], float(p)) for k, p in zip(held, sure, strict=True))
    sample = sampled(texts, seed)
    names, learned, rest = _learned([given[int(i)] for i in sample], codes[sample], len(values))
    share = 1 - 1 / parts
    return FittedRules(tuple(_said(rule, names, values, weights, share) for rule in (*learned, rest)), answers, parts)


def terms(text: str) -> set[Check]:
    """The conditions that a rule may be learned with and that hold of `text`: its words, pairs of words, beginnings
    of words, and currency signs."""
    words = split_words(text)
    found = {Check("words", word) for word in words}
    found |= {Check("words", f"{one} {two}") for one, two in zip(words, words[1:], strict=False)}
    found |= {Check("begins", word[:n]) for word in set(words) for n in BEGINNINGS if len(word) > n}
    folded = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()
    return found | {Check("contains", c) for c in set(folded) if not c.isalnum() and unicodedata.category(c) == "Sc"}


def features_of(given: Sequence[set[Check]], labels: int) -> tuple[list[Check], list[Ints]]:
    """The conditions that hold of enough cases, the plainest first, and for each case the places of its own."""
    counted = Counter(check for checks in given for check in checks)
    often = [check for check, n in counted.items() if n >= SUPPORT]
    often.sort(key=lambda c: (-counted[c], c.kind, c.text))
    kept = often[: max(1, MAX_COUNTS // max(1, labels))]
    kept.sort(key=lambda c: (len(c.text.split()), c.kind == "begins", -counted[c], c.kind, c.text))
    place = {check: i for i, check in enumerate(kept)}
    return kept, [np.array(sorted(place[c] for c in checks if c in place), dtype=np.intp) for checks in given]


def checks_of(rule: Learned, names: Sequence[Check]) -> tuple[Check, ...]:
    """The conditions of a learned rule."""
    lacking = (Check(names[f].kind, names[f].text, negated=True) for f in rule.lacking)
    return (*(names[f] for f in rule.having), *lacking)


def _learned(given: Sequence[set[Check]], codes: Ints, labels: int) -> tuple[list[Check], list[Learned], Learned]:
    """The names of the conditions, the rules in order, and the one for what they leave over."""
    names, features = features_of(given, labels)
    cases = Cases(features, len(names), codes, labels)
    learned, left = cover(cases, Limits(most=max(FEWEST, A_LABEL * labels), support=SUPPORT))
    over = codes[left] if left.any() else codes
    label = int(np.bincount(over, minlength=labels).argmax())
    rest = Learned((), (), label, None, int((over == label).sum()) if left.any() else 0, int(left.sum()))
    return names, learned, rest


def _first(names: Sequence[Check], learned: Sequence[Learned], have: set[Check]) -> Learned | None:
    for rule in learned:
        if all(names[f] in have for f in rule.having) and not any(names[f] in have for f in rule.lacking):
            return rule
    return None


def _said(rule: Learned, names: Sequence[Check], values: Sequence[Json], weights: Floats, share: float) -> Rule:
    """The rule with its confidence. Its score is that of a fold, which has this share of the cases: of all cases it
    would be higher without any rule being better, and a threshold fitted out of fold would let more through."""
    sign = logit(lower(rule.hits * share, rule.n * share))[None, None]
    sure = float(calibrated(weights, sign)[0])
    label = values[rule.label or 0]
    return Rule(checks_of(rule, names), label, sure, f"{rule.hits} of {rule.n}")
