"""Sealed cases among the rows of a file that is to be answered, whichever of its columns are the inputs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from suffice.errors import SealedError
from suffice.evals.seal import dev_cases
from suffice.evals.stream import scan
from suffice.evals.task import Task
from suffice.evals.trespass import refuse_sealed_rows
from suffice.store.database import open_store

TEXTS = [
    f"{what} of {name}"
    for what in ("the broken lamp", "the lost parcel", "an invoice that was paid twice")
    for name in ("Adam", "Berta", "Cleo", "Dora", "Emil", "Fritz", "Gina", "Hugo")
]


@pytest.mark.parametrize(("sealed_by", "asked"), [(["text", "n"], ["text"]), (["text"], ["n", "text"])])
def test_a_sealed_text_is_refused_beside_other_columns(tmp_path: Path, sealed_by: list[str], asked: list[str]) -> None:
    rows = [{"text": text, "n": i, "team": "ab"[i % 2]} for i, text in enumerate(TEXTS)]
    path = tmp_path / "new.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("n", "text"), *((row["n"] + 100, row["text"]) for row in rows)])
    with open_store(tmp_path / "store") as store:
        task = Task(rows, inputs=sealed_by, expected="team", name="lamps")
        dev_cases(store, task)
        with pytest.raises(SealedError, match=rf"{len(task.sealed())} rows of 24, .* are sealed test cases of lamps"):
            refuse_sealed_rows(scan(path), asked, store)
        assert refuse_sealed_rows(scan(path), ["n"], store) == []
