"""The identity of a grader keys sealed scores and fingerprints: those of earlier versions stay what they were."""

from __future__ import annotations

import pytest

from suffice.evals import grade

BEFORE = [
    (grade.exact(), "exact"),
    (grade.text(), "text b6e64e9b561f"),
    (grade.text(ignore_case=False), "text f2333196949b"),
    (grade.text(ignore_punctuation=True), "text 2238c06a027f"),
    (grade.label(), "label"),
    (grade.label(["a"]), "label"),
    (grade.choice(), "choice 2e3da45f1337"),
    (grade.choice("options"), "choice 219c93dc8f35"),
    (grade.number(), "number 77bb7a600075"),
    (grade.number(0.1), "number 18212eea2d48"),
    (grade.number(relative=0.01), "number 10c39b02455f"),
    (grade.number(find="last"), "number 3ac782b0f2ae"),
    (grade.contains(), "contains 60efd755ba24"),
    (grade.contains(ignore_case=False), "contains 9812f4451b2c"),
    (grade.regex(), "regex 105c232cc3d3"),
    (grade.regex("^a"), "regex 47f0f0b91600"),
    (grade.fields(), "fields c6c58cde78b0"),
    (grade.fields(tolerance=0.5), "fields 336b05783062"),
    (grade.fields(partial=True), "fields 20451eb9cfc3"),
    (grade.fields(extra=False), "fields 9501166c6ec0"),
]


@pytest.mark.parametrize(("grader", "identity"), BEFORE, ids=[i for _, i in BEFORE])
def test_the_identity_is_that_of_earlier_versions(grader: grade.Grader, identity: str) -> None:
    assert grader.identity == identity


def test_every_grader_with_a_name_is_public_and_has_that_name() -> None:
    needs = {"sql": {"database": None}}
    for name in grade.GRADERS:
        assert grade.named(name, needs.get(name)).name == name and getattr(grade, name) is grade.GRADERS[name]


def test_a_grader_inside_another_is_part_of_its_identity() -> None:
    by_number = grade.fields(compare={"total": grade.number(0.01)})
    assert by_number.identity != grade.fields().identity
    assert by_number.identity == grade.fields(compare={"$.total": grade.number(0.01)}).identity
    assert by_number.identity != grade.fields(compare={"total": grade.number(0.02)}).identity
    assert grade.list_f1(item=grade.number(1)).identity != grade.list_f1(item=grade.number(2)).identity


def test_graders_inside_another_can_be_named_in_a_task_toml() -> None:
    settings = {"compare": {"date": {"grader": "date", "order": "DMY"}, "total": "number"}}
    made = grade.fields_f1(compare={"date": grade.date(order="DMY"), "total": grade.number()})
    assert grade.named("fields_f1", settings).identity == made.identity
    assert grade.named("list_f1", {"item": "number"}).identity == grade.list_f1(item=grade.number()).identity
