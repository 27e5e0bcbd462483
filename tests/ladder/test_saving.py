"""What cannot be saved is refused before it is asked where the climb is to save it, and judged where it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from climb_samples import Calls, a_task, climbed, solver, truth

import suffice as sf
from suffice.errors import SolutionError
from suffice.ladder import rung
from suffice.programs.solution import Solution
from suffice.programs.world import World
from suffice.store import runs
from suffice.store.database import open_store

ASKED: Counter[str] = Counter()  # by the name of what cannot be saved


def importable(text: str) -> str:
    return truth(text)


def inside() -> Callable[..., Any]:
    def closure(text: str) -> str:
        ASKED["closure"] += 1
        return truth(text)

    return closure


def program(tools: Any) -> Callable[..., Any]:
    async def answer(text: str) -> str:
        ASKED["desk"] += 1
        return truth(text)

    return answer


WORLD = World(lambda inputs: {"text": inputs}, lambda state: [])
desk = WORLD.solution(program, name="desk")


class Asks:
    def __call__(self, text: str) -> str:
        ASKED["Asks"] += 1
        return truth(text)


UNSAVED = {
    "a world": (desk, "desk cannot be saved: a world's solution is for judging", "save the program itself"),
    "a lambda": (lambda text: inside()(text), "it is a lambda, a partial, or was made inside a function", "top level"),
    "a closure": (inside(), "closure cannot be saved", "top level of a module"),
    "an object": (Asks(), "Asks cannot be saved", "top level of a module"),
    "a workflow in a function": (sf.workflow.chain(inside()), "cannot be saved", "top level of a module"),
}


@pytest.mark.parametrize("kind", UNSAVED)
@pytest.mark.parametrize("within", ["alone", "after another", "in a family"])
def test_it_is_refused_before_anything_runs(kind: str, within: str, tmp_path: Path) -> None:
    thing, said, way = UNSAVED[kind]
    ladder: list[Any] = {
        "alone": [thing],
        "after another": [importable, thing],
        "in a family": [rung.family("both", importable, thing)],
    }[within]
    ASKED.clear()
    with pytest.raises(SolutionError, match=said) as caught:
        climbed(a_task(), ladder, tmp_path, to_save=True)
    assert "nothing was run" in caught.value.message
    assert caught.value.hint and way in caught.value.hint and "without --out" in caught.value.hint
    assert not ASKED
    with open_store(tmp_path) as store:
        assert not runs.list_runs(store)  # nothing was begun


def test_what_can_be_saved_is_climbed_as_without(tmp_path: Path) -> None:
    decision = climbed(a_task(), [importable], tmp_path / "store", to_save=True)
    assert decision.verdict == "PASS"
    assert sf.run(sf.load(decision.save(tmp_path / "b.suffice"))("test ticket 1 of 0")) == truth("test ticket 1 of 0")


def test_what_only_fitting_tells_is_refused_before_a_try_is_spent(tmp_path: Path) -> None:
    calls = Calls()

    async def fit(task: Any, cases: Any) -> Solution:
        return solver("made", 1.0, calls=calls)

    with pytest.raises(SolutionError, match="made cannot be saved.*; no try was begun"):
        climbed(a_task(), [rung.Rung("made", fit, "made")], tmp_path, to_save=True)
    assert calls.on("made", "dev") and not calls.on("made", "test")
    assert climbed(a_task(), [rung.Rung("made", fit, "made")], tmp_path).rungs[0].tested.number == 1


def test_a_world_that_passed_says_what_to_save_in_its_place(tmp_path: Path) -> None:
    task = a_task(grader=lambda output, expected: output["answer"] == expected)
    decision = climbed(task, [desk], tmp_path / "store")
    assert decision.verdict == "PASS"
    with pytest.raises(SolutionError, match="a world's solution is for judging"):
        decision.save(tmp_path / "desk.suffice")
    assert not (tmp_path / "desk.suffice").exists()
