"""What two texts have in common: edit distance, ROUGE, BLEU, chrF."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest
from grader_samples import ANY, case, value
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import UsageError
from suffice.evals import grade
from suffice.evals.sequences import common_length, edit_distance

SHORT = st.text("abc", max_size=12)


def by_the_book(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """Edit distance and longest common subsequence by their recurrences."""

    @lru_cache(None)
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        same = one[i - 1] == other[j - 1]
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (not same))

    @lru_cache(None)
    def common(i: int, j: int) -> int:
        if not i or not j:
            return 0
        if one[i - 1] == other[j - 1]:
            return common(i - 1, j - 1) + 1
        return max(common(i - 1, j), common(i, j - 1))

    return distance(len(one), len(other)), common(len(one), len(other))


@given(SHORT, SHORT)
def test_distance_and_common_subsequence_are_those_of_the_book(one: str, other: str) -> None:
    assert (edit_distance(one, other), common_length(one, other)) == by_the_book(one, other)


def test_sequences_beyond_the_limit_are_bounded_from_the_right_side() -> None:
    one, other = "ab" * 50, "ba" * 50
    assert edit_distance(one, other, longest=10) >= edit_distance(one, other) == 2
    assert common_length(one, other, longest=10) <= common_length(one, other)
    assert edit_distance("x" * 300_000, "x" * 300_000) == 0


def test_levenshtein_is_one_minus_the_share_of_edits() -> None:
    assert value(grade.levenshtein(), "sitting", "Kitten") == pytest.approx(1 - 3 / 7)
    assert value(grade.levenshtein(by="words"), "the cat sat", "the dog  sat") == pytest.approx(2 / 3)
    assert grade.levenshtein()("sitting", case("kitten")).reason == (
        "0.571: 3 edits in 7 characters; expected kitten, got sitting"
    )
    score = grade.levenshtein(threshold=0.6)("sitting", case("kitten"))
    assert score.value == 0.0 and score.reason.endswith(", below 0.6")
    assert value(grade.levenshtein(), "cat", ["dog", "car"]) == pytest.approx(2 / 3)
    assert value(grade.levenshtein(ignore_case=False), "A", "a") == 0.0
    for wrong in ({"by": "lines"}, {"threshold": 2}):
        with pytest.raises(UsageError):
            grade.levenshtein(**wrong)


@given(st.text(max_size=20), st.text(max_size=20))
def test_levenshtein_is_1_for_the_same_text_alone_and_the_same_from_either_side(one: str, other: str) -> None:
    grader = grade.levenshtein()
    assert value(grader, one, other) == value(grader, other, one)
    assert (value(grader, one, other) == 1.0) == (value(grade.text(), one, other) == 1.0)


# The figures of rouge-score 0.1.2, RougeScorer([...], use_stemmer=False): F1 of rouge1, rouge2, rougeL.
ROUGE = [
    ("the cat sat on the mat", "the cat was sitting on the mat", (0.7692307692, 0.5454545454, 0.7692307692)),
    ("Don't panic, it's 3.5!", "panic: it is 3,5", (0.6666666666666666, 0.4, 0.6666666666666666)),
    ("a b c d", "d c b a", (1.0, 0.0, 0.25)),
    ("one", "two", (0.0, 0.0, 0.0)),
    ("café au lait", "cafe au lait", (0.6666666666666666, 0.5, 0.6666666666666666)),
]  # fmt: skip


@pytest.mark.parametrize(("want", "got", "figures"), ROUGE)
def test_rouge_gives_the_figures_of_rouge_score(want: str, got: str, figures: tuple[float, ...]) -> None:
    for variant, figure in zip(("rouge1", "rouge2", "rougeL"), figures, strict=True):
        assert value(grade.named("rouge", {"variant": variant}), got, want) == pytest.approx(figure)


def test_rouge_says_where_it_sees_no_words_and_takes_the_nearest_of_several() -> None:
    assert "use chrf" in grade.rouge()("你好", case("你好")).reason
    assert value(grade.rouge(), "a b", ["x y", "a b"]) == 1.0
    assert "ROUGE-L 0.667: precision 0.5, recall 1" in grade.rouge()("a b", case("a")).reason
    with pytest.raises(UsageError, match='"rouge1", "rouge2" or "rougeL"'):
        grade.rouge("rouge9")  # type: ignore[arg-type]


def test_bleu_and_chrf_are_those_of_sacrebleu_over_a_hundred() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    got, wanted = "the cat sat on the mat today", ["the cat is on the mat", "a cat sat on the mat"]
    assert value(grade.bleu(), got, wanted) == pytest.approx(sacrebleu.sentence_bleu(got, wanted).score / 100)
    assert value(grade.chrf(), got, wanted) == pytest.approx(sacrebleu.sentence_chrf(got, wanted).score / 100)
    plus = sacrebleu.sentence_chrf(got, wanted, word_order=2).score / 100
    assert value(grade.chrf(word_order=2), got, wanted) == pytest.approx(plus)
    assert value(grade.bleu(), wanted[0], wanted[0]) == value(grade.chrf(), "你好", "你好") == 1.0
    assert value(grade.bleu(), "", "a b") == 0.0
    with pytest.raises(UsageError, match="word_order"):
        grade.chrf(word_order=9)


@given(ANY, ANY)
def test_no_json_makes_them_raise(one: Any, other: Any) -> None:
    pytest.importorskip("sacrebleu")
    for grader in (grade.levenshtein(), grade.levenshtein(by="words"), grade.rouge(), grade.bleu(), grade.chrf()):
        value(grader, one, other)
