"""DSPy's optimizers as a rung: what they find is a step of ours, and what they ask is the run's."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from peer_place import INSTALLS
from upstream_faults import Asked, Fault, Ok

import suffice as sf
from suffice.errors import BudgetError, SolutionError, UsageError
from suffice.store import calls
from suffice.store.database import open_store
from suffice.store.runs import list_runs
from upstream import Upstream, upstream

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

LABELS = ("red", "green", "blue")
INPUT = re.compile(r"\[\[ ## text ## \]\]\n(.*?)\n")
PROPOSED = "[[ ## observations ## ]]\nCOMPLETE\n\n[[ ## summary ## ]]\nColours.\n\n[[ ## proposed_instruction ## ]]\n"


@pytest.fixture(autouse=True)
def dspy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """DSPy, with its cache out of the way."""
    monkeypatch.setenv("DSPY_CACHEDIR", str(tmp_path / "dspy"))
    return pytest.importorskip("dspy", reason=INSTALLS)


def truth(text: str) -> str:
    return LABELS[int(text.split()[-1]) % 3]


def answered(asked: Asked) -> Fault:
    """Right where answered turns stand before, else on every other text; in DSPy's form, and in ours."""
    turns = asked.body["messages"]
    text = turns[-1]["content"]
    theirs = INPUT.search(text)
    given = theirs[1].strip() if theirs else text
    if not given.startswith("colour"):
        return Ok(f"{PROPOSED}Name the colour.\n\n[[ ## completed ## ]]")
    helped = any(turn["role"] == "assistant" for turn in turns) or int(given.split()[-1]) % 2 == 0
    said = truth(given) if helped else "none"
    if theirs:
        name = "colour" if "[[ ## colour ## ]]" in text else "answer"
        return Ok(f"[[ ## {name} ## ]]\n{said}\n\n[[ ## completed ## ]]")
    return Ok(json.dumps({"answer": said}) if "response_format" in asked.body else said)


@pytest.fixture
def up() -> Generator[Upstream]:
    with upstream(answered) as running:
        yield running


def a_task(**more: Any) -> sf.Task:
    splits = ["train"] * 40 + ["dev"] * 40 + ["test"] * 120
    rows = [{"text": f"colour {i}", "colour": truth(f"colour {i}"), "split": split} for i, split in enumerate(splits)]
    labels = [*LABELS, "none"]
    return sf.Task(rows, inputs=["text"], expected="colour", bar=0.8, kind="label", labels=labels, **more)


def climbed(rung: Any, up: Upstream, store: Path, **options: Any) -> Any:
    return sf.run(sf.climb(a_task(), [rung], store=store, model=f"{up.url}#m", **options))


@pytest.mark.parametrize("optimizer", ["BootstrapFewShot", "MIPROv2"])
def test_what_an_optimizer_finds_is_saved_as_a_step_and_found_again_for_nothing(
    up: Upstream, tmp_path: Path, optimizer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    decision = climbed(sf.rung.dspy(optimizer=optimizer), up, tmp_path)
    assert decision.verdict == "PASS" and f"DSPy's {optimizer}" in decision.rungs[0].note
    assert capfd.readouterr().out == ""  # stdout may be a command's data
    saved = sf.load(decision.save(tmp_path / "s.suffice"))
    assert saved.form is not None and saved.form.kind == "step" and saved.form.data["examples"]
    assert all(answer == truth(inputs["text"]) for inputs, answer in saved.form.data["examples"])
    n = len(up.log.served)
    with open_store(tmp_path) as db:
        assert calls.spent(db, list_runs(db)[0].id).attempts == n
    again = climbed(sf.rung.dspy(optimizer=optimizer), up, tmp_path)
    assert again.verdict == "PASS" and len(up.log.served) == n
    seen = [turn["content"] for asked in up.log.asked for turn in asked.body["messages"][:-1]]
    assert not any(f"colour {i}\n" in f"{text}\n" for text in seen for i in range(40, 80))  # no dev case is shown


def test_a_spent_budget_ends_the_compilation(up: Upstream, tmp_path: Path) -> None:
    rung = sf.rung.dspy(optimizer="MIPROv2")
    with pytest.raises(BudgetError, match="7 of 7 calls"):
        climbed(rung, up, tmp_path, budget=sf.Budget(calls=7))
    assert len(up.log.served) == 7
    assert climbed(rung, up, tmp_path, budget=sf.Budget(calls=2000)).verdict == "PASS"


def test_a_program_of_ones_own_and_what_cannot_be_one_prompt(up: Upstream, tmp_path: Path, dspy: Any) -> None:
    decision = climbed(sf.rung.dspy("text -> colour"), up, tmp_path, dev_only=True)
    assert "DSPy's BootstrapFewShot" in decision.rungs[0].note
    n = len(up.log.served)
    for program, reason in (
        (dspy.ChainOfThought("text -> colour"), "it answers with reasoning, colour"),
        (dspy.Predict("words -> colour"), "its inputs are words"),
        (dspy.ReAct("text -> colour", tools=[]), "2 predictors cannot be saved"),
    ):
        row = climbed(sf.rung.dspy(program), up, tmp_path, dev_only=True).rungs[0]
        assert row.state == "not tried" and reason in row.note
    assert len(up.log.served) == n
    with pytest.raises(UsageError, match="no optimizer 'Bootstrap'"):
        sf.rung.dspy(optimizer="Bootstrap")
    with pytest.raises(SolutionError, match="BootstrapFewShot failed"):
        climbed(sf.rung.dspy(nonsense=3), up, tmp_path, dev_only=True)
