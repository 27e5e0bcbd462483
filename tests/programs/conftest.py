"""What the tests of programs share: modules of a user, imported anew."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from program_samples import Write, make_words

from suffice.programs.solution import Solution


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Import `source` as the module `name`, each time from a folder of its own."""
    before = set(sys.modules)
    written: list[str] = []

    def write(source: str, name: str = "mine", **others: str) -> ModuleType:
        folder = tmp_path / f"modules{len(written)}"
        folder.mkdir()
        for other, text in {name: source, **others}.items():
            (folder / f"{other}.py").write_text(textwrap.dedent(text), encoding="utf-8")
            sys.modules.pop(other, None)
        written.append(name)
        monkeypatch.syspath_prepend(folder)
        return importlib.import_module(name)

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def words() -> Solution:
    """Tells "billing" from "shipping" by two words, with a confidence; anything else it hardly knows."""
    return make_words()
