"""Which column is what: usual names, flags, and refusing to guess."""

from __future__ import annotations

import pytest

from suffice.errors import DataError
from suffice.evals.columns import choose, cluster_word


@pytest.mark.parametrize(
    ("names", "inputs", "expected"),
    [
        (["question", "answer"], ("question",), "answer"),
        (["Text", "Category"], ("Text",), "Category"),
        (["input", "target"], ("input",), "target"),
        (["text", "label", "label_text"], ("text",), "label"),
        (["input", "text", "expected_output", "label"], ("input",), "expected_output"),
        (["title", "body", "team"], ("title", "body"), "team"),
        (["Subject", "Body", "label"], ("Subject", "Body"), "label"),
        (["question", "context", "answer"], ("question", "context"), "answer"),
        (["premise", "hypothesis", "label"], ("premise", "hypothesis"), "label"),
        (["instruction", "input", "output"], ("instruction", "input"), "output"),
        (["foo", "label"], ("foo",), "label"),
        (["text", "foo"], ("text",), "foo"),
        (["user", "label"], ("user",), "label"),
        (["id", "customer_id", "foo", "label"], ("foo",), "label"),
    ],
)
def test_usual_names_are_taken(names: list[str], inputs: tuple[str, ...], expected: str) -> None:
    taken = choose(names, {})
    assert (taken.inputs, taken.expected) == (inputs, expected)


@pytest.mark.parametrize(
    "names", [["text", "prompt", "label"], ["text", "label", "category"], ["a", "b"], ["a", "b", "label"]]
)
def test_two_plausible_columns_are_never_guessed_between(names: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        choose(names, {})
    assert "--input subject,body --expected team" in str(caught.value)
    assert all(name in str(caught.value) for name in names)


def test_the_roles_beside_input_and_expected_are_found_and_the_rest_is_listed() -> None:
    taken = choose(["ID", "text", "label", "customer_id", "Split", "date", "agent"], {})
    assert (taken.id, taken.cluster, taken.split, taken.ignored) == ("ID", "customer_id", "Split", ("date", "agent"))
    assert cluster_word("customer_id") == "customer"
    assert "cluster customer_id" in str(taken) and "ignored: date, agent" in str(taken)


def test_choices_are_part_of_the_inputs() -> None:
    taken = choose(["question", "choices", "answer"], {})
    assert taken.inputs == ("question", "choices") and taken.choices == "choices"


def test_what_is_said_wins_over_usual_names() -> None:
    names = ["text", "label", "user", "team", "note"]
    taken = choose(names, {"inputs": "text,NOTE", "expected": "team", "cluster": "none"})
    assert (taken.inputs, taken.expected, taken.cluster, taken.ignored) == (
        ("text", "note"), "team", None, ("label", "user"),
    )  # fmt: skip
    assert choose(["a,b", "label"], {"inputs": "a,b"}).inputs == ("a,b",)


def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        DataError, match=r"no column subjct; the columns are subject, team\nhint: did you mean subject\?"
    ):
        choose(["subject", "team"], {"inputs": ["subjct"]})


def test_names_met_only_in_a_sealed_file_are_never_listed() -> None:
    with pytest.raises(DataError) as caught:
        choose(["my canary", "other"], {}, open_names=frozenset())
    assert "canary" not in str(caught.value) and "--input" in str(caught.value)
