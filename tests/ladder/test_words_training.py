"""Training `words`: folds that keep clusters whole, honest out-of-fold answers, calibration, and refusals."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffice.ladder.words as words
from suffice.errors import DataError
from suffice.ladder.words import fit_words, grouped_folds, out_of_fold
from suffice.programs.words import WordsModel, predict

NOUNS = "invoice parcel refund password warranty voucher courier seller".split()


def noisy(cases: int, seed: int = 0, right: float = 0.8) -> tuple[list[str], list[str], list[str]]:
    """Texts with one telling word; the label follows it with probability `right`."""
    rng = random.Random(seed)
    truth = [rng.choice(NOUNS) for _ in range(cases)]
    texts = [f"{rng.choice(['my', 'the', 'a'])} {t} {rng.choice(['please', 'now', 'today'])}" for t in truth]
    labels = [t if rng.random() < right else rng.choice(NOUNS) for t in truth]
    return texts, labels, [str(i) for i in range(cases)]


def same_bits(a: WordsModel, b: WordsModel) -> bool:
    arrays = [(x.idf.tobytes(), x.coefficients.tobytes(), x.intercepts.tobytes()) for x in (a, b)]
    return arrays[0] == arrays[1] and list(a.vocabulary) == list(b.vocabulary) and a.temperature == b.temperature


def test_the_same_cases_and_seed_give_the_same_model_bit_for_bit_even_side_by_side():
    data = noisy(200)
    first = fit_words(*data, seed=3)
    with ThreadPoolExecutor(2) as pool:
        others = list(pool.map(lambda _: fit_words(*data, seed=3), range(2)))
    assert all(same_bits(first.model, o.model) and first.out_of_fold == o.out_of_fold for o in others)


def test_fitting_gives_the_same_out_of_fold_answers_as_asking_for_them_alone():
    data = noisy(120)
    assert list(fit_words(*data, seed=1).out_of_fold) == out_of_fold(*data, seed=1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), min_size=4, max_size=80), st.integers(2, 5))
def test_a_cluster_never_spans_two_folds(cases: list[tuple[int, int]], folds: int):
    codes, groups = np.array([c for c, _ in cases]), [str(g) for _, g in cases]
    fold = grouped_folds(codes, groups, folds, seed=0)
    assert len(set(zip(groups, fold.tolist(), strict=True))) == len(set(groups))
    assert set(fold.tolist()) == set(range(min(folds, len(set(groups)))))


def test_folds_hold_equal_shares_of_each_label():
    codes = np.array([0] * 100 + [1] * 10 + [2] * 5)
    fold = grouped_folds(codes, [str(i) for i in range(115)], 5, seed=0)
    assert [[int(((codes == k) & (fold == f)).sum()) for f in range(5)] for k in range(3)] == [
        [20] * 5,
        [2] * 5,
        [1] * 5,
    ]


def test_out_of_fold_answers_know_nothing_of_their_own_cluster():
    rng = random.Random(0)
    groups = [str(i // 4) for i in range(200)]
    texts = [f"customer{g} customer{g}" for g in groups]  # each cluster's word tells its label, and nothing else does
    label = {g: rng.choice("ab") for g in groups}
    fitted = fit_words(texts, [label[g] for g in groups], groups)
    seen = [a.value == label[g] for a, g in zip(predict(fitted.model, texts), groups, strict=True)]
    unseen = [a.value == label[g] for a, g in zip(fitted.out_of_fold, groups, strict=True)]
    assert np.mean(seen) > 0.98
    assert np.mean(unseen) < 0.7


def test_confidence_is_the_share_that_is_right():
    texts, labels, groups = noisy(800, right=0.7)
    fitted = fit_words(texts, labels, groups)
    held_out = np.mean([a.value == e for a, e in zip(fitted.out_of_fold, labels, strict=True)])
    assert np.mean([a.confidence or 0 for a in fitted.out_of_fold]) == pytest.approx(held_out, abs=0.03)
    new_texts, new_labels, _ = noisy(2_000, seed=1, right=0.7)
    answers = predict(fitted.model, new_texts)
    right = np.mean([a.value == e for a, e in zip(answers, new_labels, strict=True)])
    assert np.mean([a.confidence or 0 for a in answers]) == pytest.approx(right, abs=0.06)


def test_a_handful_of_right_answers_is_not_taken_for_certainty():
    texts = ["red apple", "green tree"] * 5
    fitted = fit_words(texts, ["fruit", "plant"] * 5, [str(i) for i in range(10)])
    assert [a.value for a in fitted.out_of_fold] == ["fruit", "plant"] * 5
    assert all(a.confidence is not None and 0.8 < a.confidence < 0.97 for a in fitted.out_of_fold)


def test_a_label_with_one_case_is_learned_and_counts_as_wrong_out_of_fold():
    texts, labels, groups = noisy(60, right=1.0)
    fitted = fit_words([*texts, "zebra crossing"], [*labels, "rare"], [*groups, "60"])
    assert fitted.out_of_fold[-1].value != "rare"
    assert predict(fitted.model, ["zebra crossing"])[0].value == "rare"


def test_two_clusters_are_enough_for_two_folds():
    texts, labels, _ = noisy(40, right=1.0)
    fitted = fit_words(texts, labels, ["a", "b"] * 20)
    assert fitted.folds == 2
    assert len(fitted.out_of_fold) == 40


def test_empty_texts_are_learned_from_like_any_other():
    fitted = fit_words(["", "parcel lost"] * 10, [None, "shipping"] * 10, [str(i) for i in range(20)])
    assert [a.value for a in predict(fitted.model, ["", "lost parcel"])] == [None, "shipping"]
    assert len(fit_words([""] * 12, list("ab") * 6, [str(i) for i in range(12)]).out_of_fold) == 12


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(max_size=12), st.sampled_from([None, True, 1, 2.5, "a"]), st.integers(0, 6)), max_size=25
    )
)
def test_any_small_data_is_learned_from_or_refused_with_a_reason(cases: list[tuple[str, Any, int]]):
    texts, labels, groups = [c[0] for c in cases], [c[1] for c in cases], [str(c[2]) for c in cases]
    try:
        fitted = fit_words(texts, labels, groups)
    except DataError as error:
        assert error.message
        return
    assert len(fitted.out_of_fold) == len(cases)
    assert all(a.confidence is not None and 0 < a.confidence <= 1 for a in fitted.out_of_fold)
    assert fitted.model.coefficients.shape == (len(fitted.model.vocabulary), len(fitted.model.labels))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["same"] * 20, "every case has the same answer, `constant` already does this"),
        (["same"] * 3, "every case has the same answer"),
        (["a", "b", "a"], "at least 10 cases, here are 3"),
        ([], "at least 10 cases, here are 0"),
        ([str(i) for i in range(20)], "an answer of its own"),
        ([str(i % 1_100) for i in range(2_200)], "1,100 different answers"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_the_reason(labels: list[str], message: str):
    cases = [str(i) for i in range(len(labels))]
    with pytest.raises(DataError, match=message):
        fit_words(cases, labels, cases)
    with pytest.raises(DataError, match=message):
        out_of_fold(cases, labels, cases)


def test_a_single_cluster_is_refused():
    texts, labels, _ = noisy(40)
    with pytest.raises(DataError, match="one cluster"):
        fit_words(texts, labels, ["same"] * 40)


def test_more_text_than_fits_is_sampled_and_said(monkeypatch: pytest.MonkeyPatch):
    texts, labels, groups = noisy(300)
    monkeypatch.setattr(words, "MAX_TRAINED", sum(map(len, texts)) // 2)
    fitted = fit_words(texts, labels, groups)
    assert 130 <= fitted.trained <= 170
    assert len(fitted.out_of_fold) == 300


def test_the_features_of_the_fewest_texts_go_first_where_the_model_would_be_too_large(monkeypatch: pytest.MonkeyPatch):
    texts, labels, groups = noisy(100, right=1.0)
    monkeypatch.setattr(words, "MAX_COEFFICIENTS", 800)
    model = fit_words([f"{t} unique{i}" for i, t in enumerate(texts)], labels, groups).model
    assert model.coefficients.size <= 800
    assert "#uniq" in model.vocabulary
    assert "unique7" not in model.vocabulary
