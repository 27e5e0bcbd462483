"""The nearest cases: repeats, votes, copies of any value; held out honestly; the same answers from a bundle."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from climb_samples import climbed
from hypothesis import given, settings
from hypothesis import strategies as st

import suffice as sf
import suffice.ladder.nearest as learning
from suffice.errors import BundleError, DataError
from suffice.ladder import rung
from suffice.ladder.nearest import fit_nearest
from suffice.programs.bundle import load, save_bundle
from suffice.programs.nearest import from_form, nearest_solution, predict, similarities
from suffice.programs.ngrams import ngrams
from suffice.programs.solution import Form
from suffice.values import ABSTAIN

NOUNS = "invoice parcel refund password warranty voucher".split()


def noisy(cases: int, seed: int = 0, right: float = 0.85) -> tuple[list[str], list[str], list[str]]:
    rng = random.Random(seed)
    truth = [rng.choice(NOUNS) for _ in range(cases)]
    texts = [f"{rng.choice(['my', 'the', 'a'])} {t} {rng.choice('pqrstuvw')} {i}" for i, t in enumerate(truth)]
    labels = [t if rng.random() < right else rng.choice(NOUNS) for t in truth]
    return texts, labels, [str(i) for i in range(cases)]


def test_similarity_is_the_cosine_that_scikit_learn_computes():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts, labels, groups = noisy(60)
    model = fit_nearest(texts, labels, groups).model
    vectorizer = TfidfVectorizer(analyzer=ngrams, sublinear_tf=True)
    theirs = vectorizer.fit_transform(texts)
    for text in ["my parcel", "", "???", "unknown zzz", texts[0], "refund " * 300, "我的包裹"]:
        cosine = (vectorizer.transform([text]) @ theirs.T).toarray()[0]
        assert np.abs(similarities(model, text) - cosine).max() < 1e-5


def test_most_new_texts_are_answered_and_the_confidence_says_how_many():
    fitted = fit_nearest(*noisy(400))
    assert fitted.model.k > 1  # one neighbour alone repeats its noise
    texts, labels, _ = noisy(400, seed=1)
    given = [predict(fitted.model, t) for t in texts]
    right = np.mean([a.value == e for a, e in zip(given, labels, strict=True)])
    assert right > 0.8 and abs(np.mean([a.confidence for a in given]) - right) < 0.06


def test_an_exact_repeat_is_answered_as_it_was_however_it_is_typed():
    texts = [f"case number {i}" for i in range(30)] + ["case number 7"] * 2
    expected: list[Any] = [{"id": i, "tags": ["x"]} for i in range(30)] + [{"id": "seven"}] * 2
    model = fit_nearest(texts, expected, [str(i) for i in range(32)]).model
    assert predict(model, "  CASE number 12. ").value == {"id": 12, "tags": ["x"]}
    assert predict(model, "case number 7").value == {"id": "seven"}  # the commonest of its answers


def test_out_of_fold_answers_know_nothing_of_their_own_cluster():
    rng = random.Random(0)
    groups = [str(i // 4) for i in range(200)]
    label = {g: rng.choice("ab") for g in groups}
    texts, labels = [f"customer{g} customer{g}" for g in groups], [label[g] for g in groups]
    fitted = fit_nearest(texts, labels, groups)
    held = np.mean([a.value == e for a, e in zip(fitted.out_of_fold, labels, strict=True)])
    assert held < 0.65
    assert all(predict(fitted.model, t).value == e for t, e in zip(texts, labels, strict=True))


def test_a_text_that_shares_nothing_with_any_case_is_handed_on():
    fitted = fit_nearest([*noisy(200)[0], "包裹"], [*noisy(200)[1], "parcel"], [str(i) for i in range(201)])
    assert fitted.out_of_fold[-1].value is ABSTAIN
    assert predict(fitted.model, "ééé").value is ABSTAIN and predict(fitted.model, "the parcel").value == "parcel"


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.text(max_size=12), st.sampled_from([None, True, 1, "a", {"b": [1]}, [2.5]]), st.integers(0, 6)),
        max_size=25,
    ),
    st.text(max_size=12),
)
def test_any_small_data_is_learned_from_or_refused_with_a_reason(cases: list[Any], text: str):
    texts, expected, groups = [c[0] for c in cases], [c[1] for c in cases], [str(c[2]) for c in cases]
    try:
        fitted = fit_nearest(texts, expected, groups)
    except DataError as error:
        assert "nearest" in error.message
        return
    assert len(fitted.out_of_fold) == len(cases)
    answer = predict(fitted.model, text)
    assert answer.value is ABSTAIN or 0 < (answer.confidence or 0) < 1
    again = from_form(nearest_solution("n", fitted.model).form)
    assert again.batch([text]) == nearest_solution("n", fitted.model).batch([text])


def test_a_bundle_answers_the_same_with_numpy_alone(tmp_path):
    texts, labels, groups = noisy(100)
    made = nearest_solution("nearest", fit_nearest(texts, labels, groups).model)
    folder = save_bundle(made, tmp_path / "b")
    loaded = load(folder)
    assert loaded.identity == made.identity
    assert loaded.batch(["the voucher x", *texts[:5]]) == made.batch(["the voucher x", *texts[:5]])
    assert loaded.batch([" "])[0].value is ABSTAIN
    code = f"""if True:
        import sys, suffice as sf
        print(sf.run(sf.load({str(folder)!r})("the voucher")),
              [m for m in ("sklearn", "scipy", "suffice.ladder", "suffice.evals") if m in sys.modules])
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == "voucher []"
    assert texts[0].encode() not in b"".join(f.read_bytes() for f in folder.iterdir())  # no text is kept


@pytest.mark.parametrize(
    "change",
    [
        {"codes": np.array([99] * 40)},
        {"cases": np.array([-1], dtype=np.int32)},
        {"start": np.array([0, 5])},
        {"weights": np.zeros(3, dtype=np.float32)},
        {"calibration": np.array([np.nan] * 4)},
        {"hashes": np.zeros(2, dtype=np.uint64)},
        {"k": 0},
        {"k": "many"},
        {"features": 99},
    ],
)
def test_a_damaged_form_is_refused(change: dict[str, Any]):
    form = nearest_solution("n", fit_nearest(*noisy(40)).model).form
    data = {**form.data, **{k: v for k, v in change.items() if k in form.data}}
    arrays = {**form.arrays, **{k: v for k, v in change.items() if k in form.arrays}}
    with pytest.raises(BundleError):
        from_form(Form(form.kind, data, arrays))


def test_more_cases_than_are_kept_are_sampled(monkeypatch):
    monkeypatch.setattr(learning, "MOST", 50)
    monkeypatch.setattr(learning, "MAX_WEIGHTS", 400)
    fitted = fit_nearest(*noisy(200))
    assert len(fitted.model.codes) == 50 and len(fitted.model.weights) <= 400 and len(fitted.out_of_fold) == 200


def test_answers_that_are_too_long_to_keep_are_refused(monkeypatch):
    monkeypatch.setattr(learning, "MAX_ANSWERS", 100)
    with pytest.raises(DataError, match="characters"):
        fit_nearest([f"t {i}" for i in range(20)], [f"essay {i} " * 9 for i in range(20)], [str(i) for i in range(20)])


def test_nearest_copies_fields_and_numbers_as_a_rung(tmp_path):
    kinds = {"kettle": {"price": 20, "aisle": "B"}, "lamp": {"price": 35, "aisle": "C"}}
    rows = [
        {"input": f"where is the {list(kinds)[i % 2]} {i}", "expected": kinds[list(kinds)[i % 2]], "split": s}
        for i, s in enumerate(["train"] * 40 + ["dev"] * 40 + ["test"] * 120)
    ]
    decision = climbed(sf.Task(rows, bar=0.9), ["nearest"], tmp_path)
    assert decision.verdict == "PASS" and decision.rungs[0].out_of_fold
    assert asyncio.run(decision("is there a lamp?")) == kinds["lamp"]
    assert "same answer" in (rung.nearest().unsuited(sf.Task([r | {"expected": {"a": 1}} for r in rows])) or "")
