"""Graders of how much two texts have in common: edit distance, ROUGE, BLEU, chrF. With several expected texts the
nearest counts."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, cast

from suffice.arguments import Rule, Share, validated
from suffice.errors import MissingExtra
from suffice.evals.graders.forms import as_text, plain_text, several
from suffice.evals.graders.grader import Grader, built, within
from suffice.evals.sequences import common_length, edit_distance
from suffice.shown import counted, shown
from suffice.values import Case, Score

Unit = Literal["characters", "words"]
Rouge = Literal["rouge1", "rouge2", "rougeL"]
WordOrder = Annotated[int, Rule(lambda v: 0 <= v <= 6, "a whole number from 0 to 6", "0 is chrF, 2 is chrF++")]
_NO_WORD = re.compile(r"[^a-z0-9]+")


@validated
def levenshtein(*, by: Unit = "characters", threshold: Share = 0.0, ignore_case: bool = True) -> Grader:
    """1 minus the edit distance (insertions, deletions, substitutions) over the length of the longer text.

    Counted in characters or words, after Unicode NFKC and with white space collapsed. A score below `threshold` is 0
    (0.5 makes it ANLS). Raises UsageError for another unit or a threshold outside [0, 1].
    """

    def normal(value: Any) -> Sequence[str]:
        text = plain_text(value, ignore_case=ignore_case)
        return text if by == "characters" else text.split()

    def fn(output: Any, case: Case) -> Score:
        got = normal(output)
        wanted = [(want, normal(want)) for want in several(case.expected)]
        if not wanted:
            return Score(0.0, "nothing is expected: an empty list of texts")
        longest = [max(len(got), len(want), 1) for _, want in wanted]
        apart = [edit_distance(want, got) for _, want in wanted]
        best = min(range(len(wanted)), key=lambda i: apart[i] / longest[i])
        value = within(1 - apart[best] / longest[best])
        edits = f"{counted(apart[best], 'edit')} in {counted(longest[best], by[:-1])}"
        reason = _both(wanted[best][0], output, f"{value:.3g}: {edits}")
        return Score(value, reason) if value >= threshold else Score(0.0, f"{reason}, below {threshold:g}")

    return _texts(built("levenshtein", fn, graded=True, by=by, threshold=threshold, ignore_case=ignore_case))


@validated
def rouge(variant: Rouge = "rougeL") -> Grader:
    """ROUGE F1 (Lin 2004): words in common ("rouge1"), pairs of words ("rouge2") or words in one order ("rougeL").

    The figures are those of the package rouge-score without a stemmer: words are runs of a to z and 0 to 9, so texts
    in other scripts have none (use `chrf`). Raises UsageError for another variant.
    """

    def fn(output: Any, case: Case) -> Score:
        got = _words(output)
        results = [(_rouge(variant, _words(want), got), want) for want in several(case.expected)]
        if not results:
            return Score(0.0, "nothing is expected: an empty list of texts")
        (f1, precision, recall), want = max(results, key=lambda result: result[0][0])
        if not _words(want):
            return Score(0.0, f"{shown(want)} has no word for ROUGE, which knows a to z and 0 to 9: use chrf")
        name = variant.replace("rouge", "ROUGE-")
        return Score(
            within(f1), _both(want, output, f"{name} {f1:.3g}: precision {precision:.3g}, recall {recall:.3g}")
        )

    return _texts(built("rouge", fn, graded=True, variant=variant))


def bleu() -> Grader:
    """Sentence BLEU of sacrebleu (13a tokens, exponential smoothing, effective order), over 100.

    The mean over cases is not corpus BLEU, which counts all cases together. Raises MissingExtra without sacrebleu.
    """
    measure = _sacrebleu("BLEU", effective_order=True)
    return _measured("bleu", "BLEU", measure)


@validated
def chrf(*, word_order: WordOrder = 0) -> Grader:
    """chrF of sacrebleu (character n-grams to 6, recall counts twice), over 100; `word_order=2` is chrF++.

    Raises MissingExtra without sacrebleu.
    """
    measure = _sacrebleu("CHRF", word_order=word_order)
    return _measured("chrf", "chrF" + "+" * min(word_order, 2), measure, word_order=word_order)


def _measured(name: str, title: str, measure: Any, **settings: Any) -> Grader:
    def fn(output: Any, case: Case) -> Score:
        wanted = [as_text(want) for want in several(case.expected)]
        if not wanted:
            return Score(0.0, "nothing is expected: an empty list of texts")
        value = within(float(measure.sentence_score(as_text(output)[:100_000], wanted).score) / 100)
        return Score(value, _both(wanted[0], output, f"{title} {value:.3g}"))

    return _texts(built(name, fn, graded=True, **settings))


def _sacrebleu(name: str, **settings: Any) -> Any:
    try:
        metrics = importlib.import_module("sacrebleu.metrics")
    except ImportError:
        hint = "pip install 'suffice[bleu]'"
        raise MissingExtra("BLEU and chrF need sacrebleu, which is not installed", hint=hint) from None
    return cast(Callable[..., Any], getattr(metrics, name))(**settings)


def _texts(grader: Grader) -> Grader:
    return dataclasses.replace(grader, kind="text")


def _both(want: Any, got: Any, figures: str) -> str:
    return f"{figures}; expected {shown(want)}, got {shown(got)}"


def _words(value: Any) -> list[str]:
    return _NO_WORD.sub(" ", as_text(value).lower()).split()


def _rouge(variant: Rouge, want: list[str], got: list[str]) -> tuple[float, float, float]:
    """F1, precision and recall."""
    if variant == "rougeL":
        hits, wanted, given = common_length(want, got), len(want), len(got)
    else:
        n = int(variant[-1])
        left, right = (Counter(tuple(w[i : i + n]) for i in range(len(w) - n + 1)) for w in (want, got))
        hits, wanted, given = (left & right).total(), left.total(), right.total()
    precision, recall = hits / max(given, 1), hits / max(wanted, 1)
    return (2 * precision * recall / (precision + recall) if hits else 0.0), precision, recall
