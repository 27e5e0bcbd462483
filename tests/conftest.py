"""What all tests share: the scriptable upstream of tests/models can be imported everywhere, and no model is set."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.append(str(Path(__file__).parent / "models"))


@pytest.fixture(autouse=True)
def no_model_of_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test calls the model that it names, and none that the caller's environment does."""
    monkeypatch.delenv("SUFFICE_MODEL", raising=False)


# How long an example takes depends on who else uses the machine: no test is a timed one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
