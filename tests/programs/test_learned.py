"""What a solution was fitted on is known of it, and of its bundle, for whoever scores it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from program_samples import make_words

import suffice as sf
from suffice.errors import BundleError
from suffice.programs.bundle import load, save_bundle
from suffice.programs.constant import constant_solution
from suffice.programs.learned import case_mark, learned_from
from suffice.programs.manifest import bundle_hash, read_manifest
from suffice.programs.route import route
from suffice.values import case_key

KEYS = [case_key(f"ticket {i}") for i in range(50)]


def fitted_file(folder: Path) -> Path:
    [found] = folder.glob("fitted-*.txt")
    return found


def test_a_bundle_names_the_cases_that_its_members_were_fitted_on(tmp_path: Path) -> None:
    words, example = learned_from(make_words(), KEYS[:20]), learned_from(constant_solution("x"), KEYS[10:30])
    saved = save_bundle(route(words, example, thresholds=[0.9, None]), tmp_path / "b")
    loaded = load(saved, output=str)
    assert loaded.learned == {case_mark(key) for key in KEYS[:30]}
    assert read_manifest(saved).fitted == fitted_file(saved).name
    assert "ticket" not in fitted_file(saved).read_text()
    assert route(loaded, constant_solution("y")).learned == loaded.learned


def test_the_same_cases_in_any_order_are_the_same_bundle_and_others_are_not(tmp_path: Path) -> None:
    one, two = learned_from(make_words(), KEYS), learned_from(learned_from(make_words(), KEYS[25:]), reversed(KEYS))
    hashes = [bundle_hash(save_bundle(s, tmp_path / str(i))) for i, s in enumerate((one, two))]
    assert hashes[0] == hashes[1] == bundle_hash(save_bundle(load(tmp_path / "0"), tmp_path / "again"))
    assert bundle_hash(save_bundle(learned_from(make_words(), KEYS[1:]), tmp_path / "less")) != hashes[0]


def test_a_solution_that_learned_from_no_case_has_no_such_file_and_is_loaded_as_ever(tmp_path: Path) -> None:
    saved = save_bundle(learned_from(make_words(), KEYS), tmp_path / "b")
    save_bundle(make_words(), saved)  # over it
    assert not list(saved.glob("fitted-*")) and "fitted" not in (saved / "manifest.json").read_text()
    assert read_manifest(saved).fitted is None and load(saved).learned == frozenset()


@pytest.mark.parametrize("content", [None, "", "half a line\n", "0123456789abcdef"])
def test_a_list_of_cases_that_is_missing_or_changed_is_refused(tmp_path: Path, content: str | None) -> None:
    saved = save_bundle(learned_from(make_words(), KEYS), tmp_path / "b")
    fitted_file(saved).unlink()
    if content is not None:
        saved.joinpath(read_manifest(saved).fitted or "").write_text(content)
    with pytest.raises(BundleError, match="missing|changed"):
        load(saved)


def test_a_case_is_known_however_its_letters_and_spaces_are_written() -> None:
    assert case_mark(case_key("  Where is\u200b my PARCEL? ")) == case_mark(case_key("where is my parcel"))


@sf.step
async def team(text: str) -> Literal["billing", "shipping"]:
    """Which team?"""
    ...


def test_the_manifest_says_which_model_is_needed_and_which_variable_holds_its_key(tmp_path: Path) -> None:
    for model, needed in {
        "openai:gpt-5-mini": "OPENAI_API_KEY",
        "gemini:gemini-3-flash": "GEMINI_API_KEY or GOOGLE_API_KEY",
        "http://127.0.0.1:8000/v1#mine": "no key",
    }.items():
        person = route(team.using(model=model), constant_solution(None))
        saved = save_bundle(person, tmp_path / "b")
        assert read_manifest(saved).needs == {model: needed}
    own = sf.Model("http://127.0.0.1:8000/v1#mine", key_env="MY_KEY")
    saved = save_bundle(team.using(model=own).as_solution(), tmp_path / "b")
    assert read_manifest(saved).needs == {own.name: "MY_KEY"}
