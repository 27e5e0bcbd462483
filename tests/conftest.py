"""What all tests share: the upstream of tests/models can be imported everywhere; no model is set, and no telemetry."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from suffice.programs.using import named_model
from warm import Warm

sys.path.append(str(Path(__file__).parent / "models"))


@pytest.fixture(autouse=True)
def no_model_of_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test calls the model that it names, not the one of the caller's environment, and writes to no store there."""
    monkeypatch.delenv("SUFFICE_MODEL", raising=False)
    monkeypatch.setenv("SUFFICE_TELEMETRY", "off")
    named_model.cache_clear()


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """The command line, loaded once for all tests."""
    server = Warm(tmp_path_factory.mktemp("warm"))
    yield server
    server.close()


# How long an example takes depends on who else uses the machine: no test is a timed one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
