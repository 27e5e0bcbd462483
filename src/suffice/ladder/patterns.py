"""The `patterns` rung: readable rules that take fields out of a text, found on the cases, or written by a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from suffice.errors import DataError
from suffice.evals.task import Task
from suffice.ladder.calibration import Floats, fit_calibration, logit
from suffice.ladder.covering import Bools, Cases, Ints, Learned, Limits, cover, lower
from suffice.ladder.learning import Trained, learning, one_answer, texts_of
from suffice.ladder.rules import checks_of, features_of, terms
from suffice.ladder.rung import Rung
from suffice.ladder.takes import Action, right_values, same, stands_there, suggested
from suffice.ladder.words import MIN_CASES, grouped_folds
from suffice.programs.conditions import Check
from suffice.programs.logistic import calibrated
from suffice.programs.patterns import FROM, Pattern, Value, patterns_solution, patterns_text, taken, together
from suffice.programs.recognize import Found, Page
from suffice.programs.rules import read_rules_file
from suffice.programs.solution import Solution
from suffice.values import Answer, Case, Json, canonical, content_hash
from suffice.version import __version__

SUPPORT: Final = 3
MOST: Final = 20  # patterns of a field, and with known values among them:
MOST_VALUES: Final = 40
CLOSED: Final = 0.25  # different values, as a share of the cases, up to which they are a set to choose from
LOOKED_AT: Final = 100  # train cases that are looked at to see whether answers stand in their inputs
THERE: Final = 0.1  # share of the values that must
ANSWER: Final = "answer"  # the name of the only field where the answer is one value


@dataclass(frozen=True, slots=True)
class FittedPatterns:
    """Patterns learned from all cases, and for each case the answer of patterns that saw neither it nor its
    cluster."""

    fields: Mapping[str, tuple[Pattern, ...]]
    out_of_fold: tuple[Answer, ...]
    folds: int


def patterns(name: str = "patterns", *, folds: int = 5, seed: int = 0) -> Rung:
    """Patterns learned field by field: `fit_patterns`; for fields, texts and numbers that stand in the input."""

    def train(task: Task, cases: Sequence[Case]) -> Trained:
        fitted = fit_patterns(texts_of(task, cases), _objects(task, cases), [c.cluster for c in cases], seed, folds)
        single = task.kind != "fields"
        text, columns = patterns_text(fitted.fields), task.columns.inputs
        answers = tuple(Answer(a.value[ANSWER], a.confidence) if single else a for a in fitted.out_of_fold)
        return Trained(patterns_solution(name, text, columns, single=single, sure=FROM), answers)

    identity = content_hash(["patterns", __version__, folds, seed])
    return learning(name, identity, train, _unsuited, FROM)


def patterns_of_file(path: str | Path, name: str | None = None) -> Rung:
    """The patterns in a file, as they are: nothing is learned. Raises SolutionError with file and line."""
    text, file, called = read_rules_file(path), Path(path).name, name or Path(path).stem
    made = patterns_solution(called, text, (), file)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return patterns_solution(called, text, task.columns.inputs, file, single=task.kind != "fields")

    return Rung(called, fit, made.identity)


def fit_patterns(
    texts: Sequence[str], expected: Sequence[Mapping[str, Json]], groups: Sequence[str], seed: int = 0, folds: int = 5
) -> FittedPatterns:
    """Learn for each field an ordered list of patterns; `groups` are clusters. The same arguments give the same ones.

    At most 20 patterns a field (40 where values repeat). A pattern's confidence is its precision as calibrated on
    answers out of fold, an answer's the product over its fields. Raises DataError where there is nothing to learn.
    """
    if len(texts) < MIN_CASES or len(set(groups)) < 2:
        hint = "add labelled cases, or leave `patterns` out"
        raise DataError(f"`patterns` learns from at least {MIN_CASES} cases and two clusters", hint=hint)
    names = _names(expected)
    pages, given = [Page(text) for text in texts], [terms(text) for text in texts]
    parts = max(2, min(folds, len(set(groups))))
    whole = {text: i for i, text in enumerate(sorted({canonical(e) for e in expected}))}
    codes = np.array([whole[canonical(e)] for e in expected], dtype=np.intp)
    fold = grouped_folds(codes if len(whole) <= len(texts) // 2 else codes * 0, groups, parts, seed)
    fields: dict[str, tuple[Pattern, ...]] = {}
    got: list[dict[str, Json]] = [{} for _ in texts]
    sure: list[list[float]] = [[] for _ in texts]
    for name in names:
        known = _Field(pages, given, [e.get(name) for e in expected])
        score, right = np.zeros(len(texts)), np.zeros(len(texts), dtype=np.bool_)
        for part in range(parts):
            ways = known.learned(np.flatnonzero(fold != part))
            for i in np.flatnonzero(fold == part).tolist():
                value, score[i] = known.answered(ways, i)
                got[i][name], right[i] = value, same(value, known.wanted[i])
        weights = fit_calibration(logit(score)[:, None], right)
        for i, p in enumerate(calibrated(weights, logit(score)[:, None]).tolist()):
            sure[i].append(p)
        ways = known.learned(np.arange(len(texts)))
        fields[name] = tuple(way.pattern(weights, 1 - 1 / parts) for way in ways)
    answers = tuple(Answer(value, together(list(s))) for value, s in zip(got, sure, strict=True))
    return FittedPatterns(fields, answers, parts)


@dataclass(frozen=True, slots=True)
class _Way:
    """A pattern with how often it was right where it was learned."""

    action: Action | Value
    checks: tuple[Check, ...]
    hits: int
    n: int

    @property
    def score(self) -> float:
        return float(lower(self.hits, self.n))

    def pattern(self, weights: Floats, share: float) -> Pattern:
        """With its confidence; its score is that of a fold, which has this share of the cases (see rules.py)."""
        score = lower(self.hits * share, self.n * share)
        sure = float(calibrated(weights, logit(score)[None, None])[0])
        return Pattern(self.action, self.checks, sure, f"{self.hits} of {self.n}")


@dataclass(slots=True)
class _Field:
    """One field of all cases, and what is known of the actions that were tried on it."""

    pages: Sequence[Page]
    given: Sequence[set[Check]]
    wanted: Sequence[Json]
    right: dict[str, list[list[Found]]] = field(default_factory=dict[str, list[list[Found]]])
    tried: dict[Action, tuple[Bools, Bools]] = field(default_factory=dict[Action, tuple[Bools, Bools]])

    def learned(self, places: Ints) -> list[_Way]:
        """The patterns that the cases at `places` teach, the one for what is left over at the end."""
        wanted = [self.wanted[int(i)] for i in places]
        if not self.right:
            self.right = right_values(self.pages, self.wanted)
        right = {kind: [found[int(i)] for i in places] for kind, found in self.right.items()}
        actions, typed = suggested([self.pages[int(i)] for i in places], wanted, right)
        outcomes = [self._tried(action) for action in actions]
        open_set = len({canonical(want) for want in wanted}) > CLOSED * len(wanted)
        codes, values = _codes(wanted, nulls_only=typed and open_set)
        names, features = features_of([self.given[int(i)] for i in places], max(1, len(values)))
        none = np.zeros((0, len(places)), dtype=np.bool_)
        fires = np.array([o[0][places] for o in outcomes]) if outcomes else none
        good = np.array([o[1][places] for o in outcomes]) if outcomes else none
        cases = Cases(features, len(names), codes, max(1, len(values)), fires, good)
        most = MOST if len(values) < 2 else MOST_VALUES
        rules, left = cover(cases, Limits(most=most, support=SUPPORT))
        ways = [_Way(_action(rule, actions, values), checks_of(rule, names), rule.hits, rule.n) for rule in rules]
        nulls = sum(wanted[i] is None for i in np.flatnonzero(left).tolist())
        return [*ways, _Way(Value(None), (), nulls, int(left.sum()))]

    def answered(self, ways: Sequence[_Way], i: int) -> tuple[Json, float]:
        """What the first pattern that fires on case `i` takes, and its score."""
        for way in ways:
            if not all((Check(c.kind, c.text) in self.given[i]) != c.negated for c in way.checks):
                continue
            if isinstance(way.action, Value):
                return way.action.value, way.score
            found = taken(self.pages[i], way.action)
            if found is not None:
                return found.value, way.score
        return None, 0.0

    def _tried(self, action: Action) -> tuple[Bools, Bools]:
        if action not in self.tried:
            found = [taken(page, action) for page in self.pages]
            fires = np.array([f is not None for f in found], dtype=np.bool_)
            pairs = zip(found, self.wanted, strict=True)
            right = np.array([f is not None and same(f.value, want) for f, want in pairs], dtype=np.bool_)
            self.tried[action] = (fires, right)
        return self.tried[action]


def _codes(wanted: Sequence[Json], *, nulls_only: bool) -> tuple[Ints, list[Json]]:
    """For each case the place of its value among those that repeat, -1 where it does not; None always counts."""
    keys = [canonical(want) for want in wanted]
    counted = Counter(key for key in keys if key == "null" or not nulls_only)
    kept = sorted(key for key, n in counted.items() if n >= SUPPORT)
    place = {key: i for i, key in enumerate(kept)}
    value = dict(zip(keys, wanted, strict=True))
    return np.array([place.get(key, -1) for key in keys], dtype=np.intp), [value[key] for key in kept]


def _action(rule: Learned, actions: Sequence[Action], values: Sequence[Json]) -> Action | Value:
    return actions[rule.take] if rule.take is not None else Value(values[rule.label or 0])


def _names(expected: Sequence[Mapping[str, Json]]) -> list[str]:
    """The fields that occur in enough cases, in the order met."""
    counted = Counter(name for e in expected for name in e)
    return [name for name, n in counted.items() if n >= min(SUPPORT, len(expected))]


def _objects(task: Task, cases: Sequence[Case]) -> list[Mapping[str, Json]]:
    if task.kind == "fields":
        expected = [c.expected for c in cases]
        return [e if isinstance(e, dict) else {} for e in expected]
    return [{ANSWER: c.expected} for c in cases]


def _unsuited(task: Task) -> str | None:
    if task.kind in ("label", "choice"):
        return f"it takes answers out of the input, and this task's are of kind {task.kind}"
    if any(isinstance(c.expected, list) for c in task.train):
        return "it fills fields, and an expected value is a list"
    cases = task.train[:LOOKED_AT]
    pairs = list(zip([Page(text) for text in texts_of(task, cases)], _objects(task, cases), strict=True))
    values = [(page, want) for page, told in pairs for want in told.values() if want is not None]
    there = sum(stands_there(page, want) for page, want in values)
    if there < max(SUPPORT, THERE * len(values)):
        return f"it takes answers out of the input, and of {len(values)} values in train only {there} stand there"
    return one_answer(task)
