"""The features of a text: what they are, and that any text at all has them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.programs.ngrams import EMPTY, MAX_CHARACTERS, ngrams, split_words

any_text = st.text(alphabet=st.characters(), max_size=80)  # lone surrogates included


def test_a_text_has_its_words_its_pairs_and_the_pieces_of_its_words():
    assert ngrams("My cat") == [
        *("my", "cat", "my cat"),
        *("# my", "#my ", "# my "),
        *("# ca", "#cat", "#at ", "# cat", "#cat ", "# cat "),
    ]


def test_repeats_are_kept_because_they_are_counted():
    assert ngrams("no no").count("no") == 2


@pytest.mark.parametrize("text", ["", " \n\t", "?!… —", "\u200b"])
def test_a_text_without_words_is_the_empty_feature(text: str):
    assert ngrams(text) == [EMPTY]


def test_case_width_and_composition_make_no_difference():
    assert ngrams("STRASSE café") == ngrams("straße cafe\u0301") == ngrams("ＳＴＲＡＳＳＥ café")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don’t re-order_it", ["don", "t", "re", "order_it"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया"]),  # vowel signs are marks, not letters
        ("Где мой заказ?", ["где", "мой", "заказ"]),
        ("أين طلبي؟", ["أين", "طلبي"]),
        ("我的包裹", ["我", "的", "包", "裹"]),
        ("カードが", ["カ", "ー", "ド", "が"]),
        ("주문 취소", ["주문", "취소"]),
        ("5€ 👍", ["5€", "👍"]),
    ],
)
def test_words_are_found_in_any_script(text: str, words: list[str]):
    assert split_words(text) == [unicodedata.normalize("NFKC", w) for w in words]


@given(any_text)
def test_any_text_has_features_that_can_be_joined_by_line_breaks(text: str):
    features = ngrams(text)
    assert features
    assert features == ngrams(text)
    assert all(f and "\n" not in f for f in features)
    joined = "\n".join(features).encode("utf-8", "surrogatepass")
    assert joined.decode("utf-8", "surrogatepass").split("\n") == features


@given(any_text)
def test_a_word_a_pair_and_a_piece_are_never_the_same_feature(text: str):
    words = split_words(text)
    assert not any("#" in w or " " in w for w in words)


@given(st.integers(1, 60))
def test_a_long_word_has_the_same_kind_of_pieces_as_a_short_one(length: int):
    word = "".join(chr(ord("a") + i % 26) for i in range(length))
    padded = f" {word} "
    expected = [f"#{padded[i : i + n]}" for n in (3, 4, 5) for i in range(len(padded) - n + 1)]
    assert ngrams(word)[1:] == expected


def test_a_text_of_ten_million_characters_is_read_up_to_the_stated_length():
    text = "wörter und mehr " * 650_000
    assert ngrams(text) == ngrams(text[:MAX_CHARACTERS])
    assert ngrams("a" * 10_000_000) == ngrams("a" * MAX_CHARACTERS)
