"""The workflow in examples/ci: it parses, its commands run on the embedded example, and its ledger survives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / "examples" / "ci" / "gate.yaml").read_text(encoding="utf-8"))
JOBS = WORKFLOW["jobs"]


def scripts(job: str) -> dict[str, str]:
    """The commands of a job by the name of their step."""
    return {step["name"]: step["run"] for step in JOBS[job]["steps"] if "name" in step}


def ran(script: str, place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A step as a runner runs it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {**os.environ, **WORKFLOW["env"], "PATH": path, "GITHUB_REF_NAME": "v1", **environment}
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=place, env=given, capture_output=True, text=True, check=False
    )


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    shutil.copytree(ROOT / "examples" / "tickets", place / "examples" / "tickets")
    return place


def test_the_workflow_has_a_gate_for_commits_and_one_for_tags() -> None:
    assert set(WORKFLOW[True]["push"]) == {"branches", "tags"}  # YAML reads `on` as true
    assert "--on dev" in scripts("dev")["gate on dev"]
    assert "--on" not in scripts("release")["gate on sealed cases"]  # test is the default
    cached = [s["with"]["path"] for job in JOBS.values() for s in job["steps"] if "actions/cache" in s.get("uses", "")]
    assert cached == [".suffice"]  # of the dev job, never the ledger
    assert JOBS["release"]["concurrency"] == {"group": "suffice-ledger", "cancel-in-progress": False}


def test_the_gate_of_every_commit_runs_on_the_embedded_example(runner: Path) -> None:
    said = {"SUFFICE_HOME": str(runner / ".suffice"), "SOLUTION": "constant"}  # which is quick
    saved = ran('suffice eval "$TASK" "$SOLUTION" --save "$REPORT"', runner, **said)
    assert saved.returncode == 0, saved.stderr
    gate = ran(scripts("dev")["gate on dev"], runner, **said)
    assert gate.returncode == 0 and gate.stdout.startswith("PASS: "), gate.stderr
    assert "<testsuite" in (runner / "gate.xml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_ledger_of_a_release_is_there_at_the_next_one(runner: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    git = "git -c user.name=a -c user.email=a@localhost"
    first = f"git init -q --bare {origin} && git init -q seed && cd seed && git switch -q --orphan suffice-ledger"
    first += f" && {git} commit -q --allow-empty -m ledger && git push -q {origin} suffice-ledger"
    assert ran(first, tmp_path).returncode == 0
    said = []
    for _ in range(2):
        assert ran(f"git clone -q -b suffice-ledger {origin} ledger", runner).returncode == 0
        gate = ran(scripts("release")["gate on sealed cases"], runner, SUFFICE_HOME=str(runner / "ledger"))
        kept = ran(scripts("release")["keep the ledger, whatever the verdict"], runner)
        assert gate.returncode == 0 and kept.returncode == 0, gate.stderr + kept.stderr
        said.append(gate.stdout)
        shutil.rmtree(runner / "ledger")  # the runner's disk is empty each time
    assert "costs no try" not in said[0] and "the same candidate again costs no try" in said[1]
