"""Examples chosen for each input: the most similar cases, never the input itself."""

from __future__ import annotations

import pytest
from asked_samples import knows, triage, turns
from hypothesis import given
from hypothesis import strategies as st

import suffice as sf
from suffice.programs.bundle import save_bundle
from suffice.programs.example_solution import Nearest, Shown, example_solution
from suffice.programs.prompt import Example
from upstream import upstream

POOL = ["where is my parcel", "the invoice is wrong", "my parcel is broken", "a new password please"]


def test_the_most_similar_come_first_and_a_rare_word_counts_more():
    nearest = Nearest(POOL)
    assert nearest("is my parcel lost", 2) == [0, 2]
    assert nearest("is a password", 1) == [3]
    assert nearest("nothing in common", 3) == []
    assert nearest("parcel", 0) == []


def test_the_input_itself_is_no_example_however_it_is_written():
    for same in ("where is my parcel", "Where is my parcel?", "  where is  my parcel…", "where\u200b is my parcel"):
        assert 0 not in Nearest(POOL)(same, 4)


def test_a_longer_text_with_all_the_words_of_an_example_has_that_example():
    assert Nearest(POOL)("where is my parcel 8321", 1) == [0]
    assert Nearest(["parcel", "invoice"])("parcel zzz", 1) == [0]
    assert Nearest(["bad, not good", "good"])("not bad, good", 1) == [0]  # the same words are not the same text


def test_texts_as_similar_keep_their_order():
    assert Nearest(["a x", "b x", "c x"])("x", 3) == [0, 1, 2]


def test_any_script_has_words():
    pool = ["包裹在哪里", "发票错误", "où est mon colis", "ГДЕ ПОСЫЛКА", "فاتورة خاطئة", "straße"]
    nearest = Nearest(pool)
    asked = ["我的包裹", "发票", "mon COLIS", "где моя посылка", "فاتورة", "STRASSE 5"]
    assert [nearest(text, 1) for text in asked] == [[i] for i in range(6)]


def test_no_case_of_the_inputs_own_cluster_is_an_example():
    nearest = Nearest(["my parcel", "my parcel again", "a parcel"], [7, 7, 8])
    assert nearest("my parcel", 3) == [2]
    assert sorted(nearest("their parcel", 3)) == [0, 1, 2]


@given(st.lists(st.text(max_size=20), max_size=8), st.text(max_size=20), st.integers(0, 5))
def test_whatever_the_texts_at_most_k_others_come_back_and_always_the_same(pool, text, k):
    found = Nearest(pool)(text, k)
    assert len(found) <= k and len(set(found)) == len(found)
    assert all(pool[i] != text for i in found)
    assert found == Nearest(pool)(text, k)


def shown(url: str, k: int = 2, clusters: tuple[str, ...] = ()):
    step = triage.using(model=f"{url}#m", examples=[("always", "returns")])
    answers = ["shipping", "billing", "returns", None]
    pool = tuple(Example({"ticket": text}, answer) for text, answer in zip(POOL, answers, strict=True))
    return example_solution(Shown(step.asking(), pool, k, clusters))


def test_the_most_similar_example_stands_next_to_the_input_and_those_of_the_step_before():
    with upstream(knows) as up:
        assert sf.run(shown(up.url)("is my parcel lost?")) == "shipping"
        assert turns(up.log.asked[0])[1:] == [
            ("user", "always"),
            ("assistant", '{"answer": "returns"}'),
            ("user", "my parcel is broken"),
            ("assistant", '{"answer": "returns"}'),
            ("user", "where is my parcel"),
            ("assistant", '{"answer": "shipping"}'),
            ("user", "is my parcel lost?"),
        ]
        assert sf.run(shown(up.url)(" ")) is None and len(up.log.served) == 1


def test_examples_are_saved_with_their_pool_and_without_the_names_of_clusters(tmp_path):
    clusters = ("customer Ada", "customer Ada", "customer Bob", "customer Cem")
    with upstream(knows) as up:
        solution = shown(up.url, k=3, clusters=clusters)
        bundle = save_bundle(solution, tmp_path / "examples.suffice")
        loaded = sf.load(bundle)
        assert loaded.identity == solution.identity
        for text in ("is my parcel lost?", "where is my parcel"):
            assert sf.run(loaded(text)) == sf.run(solution(text))
            assert up.log.asked[-1].body == up.log.asked[-2].body
        assert "Ada" not in (bundle / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("other", [{"k": 3}, {"clusters": ("a", "a", "b", "c")}])
def test_the_identity_changes_with_the_pool_and_the_number(other):
    url = "http://127.0.0.1:1/v1"
    assert shown(url, **other).identity != shown(url).identity
