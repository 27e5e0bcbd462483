"""Long inputs in pieces: where they are cut, that all is read, that results are reduced in a tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import SolutionError, UsageError
from suffice.programs.workflow import map_reduce
from suffice.programs.workflow.map_reduce import grouped
from suffice.programs.workflow.splitting import pieces
from suffice.values import ABSTAIN, Failure


@given(st.lists(st.sampled_from(["", " ", "\n", "\n\n"]), max_size=120), st.integers(4, 60), st.integers(0, 2))
def test_nothing_is_lost_and_no_piece_is_too_long(gaps, most, overlap):
    text = "".join(chr(0x4E00 + number) + gap for number, gap in enumerate(gaps))  # each character tells its place
    ended = 0
    for piece in pieces(text, most, overlap):
        assert len(piece) <= most
        begin = text.index(piece)
        assert not text[ended:begin].strip() and begin >= ended - overlap
        ended = begin + len(piece)
    assert not text[ended:].strip()


def test_pieces_end_at_paragraphs_else_sentences_else_words():
    paragraphs = "One is here. Two is.\n\nThree comes. Four goes."
    assert pieces(paragraphs, 30) == ["One is here. Two is.", "Three comes. Four goes."]
    assert pieces("One is here. Two is there too.", 20) == ["One is here.", "Two is there too."]
    assert pieces("word " * 6, 13) == ["word word", "word word", "word word"]
    assert pieces("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


def test_an_overlap_begins_at_a_sentence_of_the_piece_before():
    text = "First one here. Second one here. Third one here. Fourth one here."
    made = pieces(text, 40, 20)
    assert made[0] == "First one here. Second one here." and made[1].startswith("Second one here. Third")


def test_pieces_are_mapped_side_by_side_and_reduced_once_where_that_fits():
    made = map_reduce(len, sum, most_chars=20, name="total")
    value, root = grown(lambda: made("One is here. Two is there too. Three."))
    assert value == len("One is here.") + len("Two is there too.") + len("Three.")
    assert lines(root) == ["program total", "  branch len 1", "  branch len 2", "  branch len 3", "  stage sum"]


def test_results_that_are_too_long_are_reduced_in_a_tree_in_order():
    made = map_reduce(
        lambda piece: f"{piece:.<9}", lambda parts: f"({''.join(p.strip('.') for p in parts)})", list, most_chars=20
    )
    value, root = grown(lambda: made("abcdefg"))
    assert value == "((ab)(cd)(efg))"
    assert [line for line in lines(root) if "lambda> 1." in line] == [f"  branch <lambda> 1.{i}" for i in (1, 2, 3)]


@given(st.lists(st.text(max_size=12), max_size=20), st.integers(1, 30))
def test_groups_hold_all_in_order_and_each_round_has_fewer(values, most):
    groups = grouped(values, most)
    assert [value for group in groups for value in group] == values
    assert len(groups) <= max(1, len(values) // 2)


def test_a_piece_that_fails_is_a_value_among_the_results():
    def read(piece):
        if "Two" in piece:
            raise KeyError("x")
        return piece

    results = sf.run(map_reduce(read, lambda parts: parts, most_chars=20)("One is here. Two is there too."))
    assert results[0] == "One is here." and isinstance(results[1], Failure)


def test_a_split_of_ones_own_may_be_of_any_input():
    made = map_reduce(lambda page: page * 2, sum, split=lambda pages: pages)
    assert sf.run(made([1, 2, 3])) == 12
    with pytest.raises(SolutionError, match="split=my_split"):
        sf.run(map_reduce(len, sum)([1, 2]))


def test_functions_that_do_not_take_a_piece_or_the_results_are_refused_at_once():
    with pytest.raises(UsageError, match=r"reduce_step\(results\), and <lambda> takes \(text, results\)"):
        map_reduce(str.upper, lambda text, results: results)
    with pytest.raises(UsageError, match=r"map_step\(piece\), and <lambda> takes \(text, n\)"):
        map_reduce(lambda text, n: text, "".join)


def test_bounds_hold():
    with pytest.raises(SolutionError, match="1001 pieces, and at most 1,000"):
        sf.run(map_reduce(len, sum, split=list)("a" * 1001))
    with pytest.raises(UsageError, match="more than half"):
        map_reduce(len, sum, most_chars=10, overlap=6)


@pytest.mark.parametrize("cut", [None, "abc", 5, {"a": 1}])
def test_a_split_that_gives_no_list_is_refused(cut):
    made = map_reduce(len, sum, split=lambda text: cut)
    with pytest.raises(SolutionError, match="gives a list of pieces, not a ") as error:
        sf.run(made("abc"))
    assert "split=" in error.value.hint


def test_a_split_may_hand_the_case_on_and_may_give_pieces_one_by_one():
    assert sf.run(map_reduce(len, sum, split=lambda text: ABSTAIN)("abc")) is ABSTAIN
    assert sf.run(map_reduce(len, sum, split=lambda text: (word for word in text.split()))("a bc")) == 3
