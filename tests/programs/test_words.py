"""Predicting with `words`: what scikit-learn's own pipeline says, from arrays and numpy alone."""

from __future__ import annotations

import asyncio
import io
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suffice.errors import BundleError, SolutionError
from suffice.ladder.words import RARE, fit_words
from suffice.programs.ngrams import ngrams
from suffice.programs.solution import Form
from suffice.programs.text_solution import text_of
from suffice.programs.words import WordsModel, from_form, predict, scores, softmax, words_solution

TOPICS = {
    "billing": "invoice charge card refund paid twice money bank",
    "shipping": "parcel late courier address delivery lost box van",
    None: "hello thanks weather nice day lunch song joke",
    7: "seven wonders number lucky dice count sum odd",
    True: "yes indeed right agreed sure certainly true fine",
}


def corpus(cases: int, labels: Sequence[Any] = tuple(TOPICS), seed: int = 0) -> tuple[list[str], list[Any], list[str]]:
    """Texts that mostly hold words of their label's topic, and a few of any other."""
    rng = random.Random(seed)
    everything = " ".join(TOPICS.values()).split()
    chosen = [labels[i % len(labels)] for i in range(cases)]
    texts = [
        " ".join([*rng.choices(TOPICS[label].split(), k=3), *rng.choices(everything, k=4), str(rng.randrange(99))])
        for label in chosen
    ]
    return texts, chosen, [str(i) for i in range(cases)]


@pytest.fixture(scope="module")
def model() -> WordsModel:
    return fit_words(*corpus(150)).model


def through_npz(form: Form) -> Form:
    """The form after a disk: JSON text, and arrays in a file that may hold no pickle."""
    file = io.BytesIO()
    np.savez(file, **form.arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return Form(form.kind, json.loads(json.dumps(form.data)), {k: loaded[k] for k in loaded.files})


@pytest.mark.parametrize(
    ("cases", "labels", "min_df"),
    [(150, tuple(TOPICS), 1), (60, ("billing", "shipping"), 1), (RARE, tuple(TOPICS), 2)],
)
def test_probabilities_equal_those_of_scikit_learn(cases: int, labels: Sequence[Any], min_df: int):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    texts, expected, groups = corpus(cases, labels)
    model = fit_words(texts, expected, groups).model
    codes = [model.labels.index(label) for label in expected]
    pipeline = make_pipeline(
        TfidfVectorizer(analyzer=ngrams, sublinear_tf=True, min_df=min_df),
        LinearSVC(class_weight="balanced", dual=True, max_iter=2_000, random_state=0),
    ).fit(texts, codes)

    new = [*corpus(200, labels, seed=1)[0], "", "???", "nothing known: zzz", "refund " * 500, "我的包裹"]
    theirs = pipeline.decision_function(new)
    theirs = np.column_stack([-theirs, theirs]) if theirs.ndim == 1 else theirs
    probable = softmax(theirs, model.temperature)
    assert np.abs(softmax(scores(model, new), model.temperature) - probable).max() < 1e-6
    ours = predict(model, new)
    assert [a.value for a in ours] == [model.labels[k] for k in probable.argmax(axis=1)]
    assert np.abs(np.array([a.confidence for a in ours]) - probable.max(axis=1)).max() < 1e-6


def test_predicting_loads_neither_scikit_learn_nor_scipy():
    code = """if True:
        import sys, numpy as np
        from suffice.programs.words import from_form
        from suffice.programs.solution import Form
        data = {"name": "words", "columns": [], "labels": ["a", None], "temperature": 1.0, "features": 1}
        arrays = {"vocabulary": np.frombuffer(b"cat\\ndog", dtype=np.uint8), "idf": np.ones(2),
                  "coefficients": np.array([[1, -1], [-1, 1]], dtype=np.float32), "intercepts": np.zeros(2)}
        print([a.value for a in from_form(Form("words", data, arrays)).batch(["cat", "dog"])],
              [m for m in ("sklearn", "scipy", "pandas") if m in sys.modules])
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['a', None] []"


def test_labels_keep_their_types_and_most_answers_are_right(model: WordsModel):
    texts, expected, _ = corpus(300, seed=2)
    answers = predict(model, texts)
    assert sum(a.value is e or a.value == e for a, e in zip(answers, expected, strict=True)) > 250
    assert {type(a.value) for a in answers} == {str, type(None), int, bool}
    assert all(a.confidence is not None and 0.2 <= a.confidence <= 1.0 for a in answers)


def test_a_batch_says_exactly_what_single_calls_say(model: WordsModel):
    solution = words_solution("words", model)
    texts = corpus(40, seed=3)[0]
    assert solution.batch is not None
    single = [asyncio.run(solution.reply(t)) for t in texts]
    assert {answer.by for answer in single} == {"words"}  # a reply says who gave it
    assert [replace(answer, by="words") for answer in solution.batch(texts)] == single
    assert solution.batch([]) == []
    assert solution.free and solution.confident


def test_a_solution_comes_back_from_its_form_with_the_same_answers_and_identity(model: WordsModel):
    odd = replace(model, vocabulary={f"{f}\ud800": i for f, i in model.vocabulary.items()})  # a lone surrogate
    for one in (model, odd):
        solution = words_solution("cheap", one, ["subject", "body"])
        assert solution.form is not None and solution.batch is not None
        again = from_form(through_npz(solution.form))
        inputs = [{"subject": t, "body": "and no more"} for t in corpus(40, seed=4)[0]]
        assert again.batch is not None
        assert again.batch(inputs) == solution.batch(inputs)
        assert (again.name, again.identity, again.parameters) == ("cheap", solution.identity, ("subject", "body"))


def test_identity_follows_what_decides_the_answer_and_not_the_name(model: WordsModel):
    same = words_solution("a", model).identity
    assert words_solution("b", model).identity == same
    changed = model.coefficients.copy()
    changed[0, 0] += 1
    others = [
        words_solution("a", replace(model, temperature=model.temperature * 2)),
        words_solution("a", replace(model, coefficients=changed)),
        words_solution("a", replace(model, labels=("x", *model.labels[1:]))),
        words_solution("a", model, ["ticket"]),
    ]
    assert same not in {s.identity for s in others}


def test_several_columns_are_read_in_their_own_order_under_their_own_names():
    columns = ["subject", "mail body"]
    text = text_of({"mail body": "b", "subject": "a", "other": "ignored"}, columns)
    assert text == text_of({"subject": "a", "mail body": "b"}, columns)
    assert text != text_of({"subject": "b", "mail body": "a"}, columns)
    assert "\u241fsubject a" in ngrams(text) and "\u241fmail_body b" in ngrams(text)


def test_one_column_is_its_value_whether_bare_or_by_name():
    assert text_of("a", []) == text_of("a", ["ticket"]) == text_of({"ticket": "a"}, ["ticket"]) == "a"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (5, "5"), (1.5, "1.5"), (True, "true"), (["b", "ä"], '["b","ä"]'), ({"k": 1}, '{"k":1}')],
)
def test_what_is_not_a_string_is_read_as_its_json_text(value: Any, text: str):
    assert text_of(value, []) == text
    assert text_of({"ticket": value}, ["ticket"]) == text


@pytest.mark.parametrize("inputs", ["bare", {"subject": "only this"}])
def test_a_missing_column_is_named(model: WordsModel, inputs: Any):
    solution = words_solution("words", model, ["subject", "body"])
    with pytest.raises(SolutionError, match="body"):
        asyncio.run(solution.ask(inputs))


def damaged(form: Form, **changes: Any) -> Form:
    data = {**form.data, **{k: v for k, v in changes.items() if k in form.data}}
    return Form(form.kind, data, {**form.arrays, **{k: v for k, v in changes.items() if k in form.arrays}})


@pytest.mark.parametrize(
    "changes",
    [
        {"features": 99},
        {"labels": ["one"]},
        {"temperature": 0.0},
        {"temperature": "warm"},
        {"idf": np.ones(3)},
        {"coefficients": np.zeros((2, 2), dtype=np.float32)},
        {"intercepts": np.full(5, np.nan)},
        {"vocabulary": np.frombuffer(b"a\na", dtype=np.uint8)},
        {"vocabulary": np.frombuffer(b"\xff\xfe", dtype=np.uint8)},
    ],
)
def test_a_damaged_form_is_refused(model: WordsModel, changes: dict[str, Any]):
    form = words_solution("words", model).form
    assert form is not None
    with pytest.raises(BundleError):
        from_form(damaged(form, **changes))


@pytest.mark.parametrize("missing", ["vocabulary", "idf", "coefficients", "intercepts"])
def test_a_form_without_one_of_its_arrays_is_refused(model: WordsModel, missing: str):
    form = words_solution("words", model).form
    assert form is not None
    with pytest.raises(BundleError, match=missing):
        from_form(Form(form.kind, form.data, {k: v for k, v in form.arrays.items() if k != missing}))
