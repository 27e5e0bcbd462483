"""What is typed in a command is found, and what cannot be found is explained."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked_samples import knows, triage

import suffice as sf
from suffice.errors import BundleError, SolutionError
from suffice.programs.bundle import load, save_bundle
from suffice.programs.constant import constant_solution
from suffice.programs.load import dropped_claim, find, find_solution
from upstream import upstream


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python's path and modules as they were, and an empty working directory."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def answer(text: str, inputs: Any = "x") -> Any:
    return asyncio.run(find_solution(text)(inputs))


def test_a_function_in_a_file_is_found_with_the_modules_beside_it() -> None:
    write("tickets/my_rules.py", "from my_tables import TEAMS\ndef triage(text): return TEAMS[text]\n")
    write("tickets/my_tables.py", 'TEAMS = {"x": "billing"}\n')
    assert answer("tickets/my_rules.py:triage") == "billing"
    assert find_solution("tickets/my_rules.py:triage").name == "triage"


def test_a_file_in_a_package_is_imported_as_part_of_it_so_that_a_bundle_of_it_loads_elsewhere() -> None:
    write("shop/desk/__init__.py", "")
    write("shop/__init__.py", "")
    write("shop/desk/triage.py", "from . import teams\nasync def answer(text): return teams.FIRST\n")
    write("shop/desk/teams.py", 'FIRST = "billing"\n')
    assert answer("shop/desk/triage.py:answer") == "billing"
    saved = save_bundle(find_solution("shop/desk/triage.py:answer"), "b")
    code = "import asyncio, suffice as sf; print(asyncio.run(sf.load('b')('x')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("billing\n", "")
    assert asyncio.run(load(saved)("x")) == "billing"


def test_a_dotted_module_of_the_working_directory_is_found() -> None:
    write("my_desk/triage.py", "class Rules:\n    @staticmethod\n    def answer(text): return text.upper()\n")
    assert answer("my_desk.triage:Rules.answer") == "X"


def test_a_bundle_folder_is_loaded_and_its_function_found_in_the_working_directory() -> None:
    save_bundle(constant_solution("a"), "plain.suffice")
    assert answer("plain.suffice") == "a"
    write("my_own.py", "def triage(text): return 'own'\n")
    save_bundle(find_solution("my_own.py:triage"), "own.suffice")
    code = (
        "import asyncio; from suffice.programs.load import find_solution as f; print(asyncio.run(f('own.suffice')('')))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("own\n", "")


def test_a_solution_or_anything_else_in_a_module_is_found_as_it_is() -> None:
    write("my_things.py", "import suffice as sf\nmine = sf.route(lambda t: 'a', name='mine')\nLIMIT = 3\n")
    assert find_solution("my_things.py:mine").name == "mine"
    assert find("my_things.py:LIMIT") == 3
    with pytest.raises(SolutionError, match="not callable"):
        find_solution("my_things.py:LIMIT")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("triage", "names no solution", "my.py:function"),
        ("", "names no solution", "my.py:function"),
        ("my_file.py:", "names no solution", "my.py:function"),
        ("my_file.py:triage()", "names no solution", "my.py:function"),
        ("my_fil.py:triage", "no such file", "did you mean my_file.py:triage?"),
        ("nofile.py:triage", "no such file", "a bundle folder, my.py:function"),
        ("my_file.py:trriage", "has no trriage", "did you mean triage"),
        ("my_file.py:x", "has no x", "triage"),
        ("no_such_package.mod:f", "no module no_such_package", "install"),
        ("broken.py:f", "SyntaxError", "mend"),
        ("raises.py:f", "raises.py:2", "mend"),
        ("exits.py:f", "SystemExit", "mend"),
        ("needs.py:f", "no module not_installed_here", "pip install not_installed_here"),
        ("my-file.py:f", "no name that Python can import", "rename"),
        ("random.py:f", "another module called random", "rename"),
    ],
)
def test_what_cannot_be_found_is_explained(text: str, message: str, hint: str) -> None:
    write("my_file.py", "def triage(text): return text\n")
    write("broken.py", "def f(:\n")
    write("raises.py", "def f(): pass\n1 / 0\n")
    write("exits.py", "import sys; sys.exit(1)\n")
    write("needs.py", "import not_installed_here.part\n")
    write("novel.py", "")  # near "nofile.py" by its ending alone
    write("my-file.py", "def f(text): return 1\n")
    write("random.py", "def f(text): return 1\n")
    with pytest.raises(SolutionError, match=message) as caught:
        find_solution(text)
    assert hint in (caught.value.hint or "")


def test_a_folder_that_is_no_bundle_says_so() -> None:
    Path("folder").mkdir()
    with pytest.raises(BundleError, match="missing"):
        find_solution("folder")


TYPED = """
from typing import Any, Literal, assert_type
import suffice as sf
from suffice.programs.bundle import load
from suffice.values import Abstain, Answer

Team = Literal["billing", "shipping"]

async def main() -> None:
    triage = load("b", output=Team | None)
    assert_type(await triage("x"), Literal["billing", "shipping"] | None | Abstain)
    assert_type(await triage.reply("x"), Answer)
    assert_type(await load("b")("x"), Any)
    assert_type(await sf.load("b", output=int)("x"), int | Abstain)
    await load("b", output=int)(subject="a", body="b")
    load("b", outputs=int)  # pyright: ignore[reportCallIssue]
"""


def test_a_loaded_bundle_is_typed(tmp_path: Path) -> None:
    write("typed.py", TYPED)
    settings = '{"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": true}'
    write("pyrightconfig.json", settings)
    check = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_bundle_asks_its_own_model_unless_another_one_is_said_and_then_its_claim_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with upstream(knows) as own, upstream(knows) as other:
        step = triage.using(model=f"{own.url}#own").as_solution()
        save_bundle(step, "b", claim={"sentence": "it suffices"})
        monkeypatch.setenv("SUFFICE_MODEL", f"{other.url}#environment")
        with sf.using(model=f"{other.url}#around"):
            kept = find_solution("b")
            assert asyncio.run(kept("my invoice")) == "billing"
        assert kept.claim and len(own.log.served) == 1 and not other.log.served
        assert dropped_claim("b", kept, None) is None
        said = find_solution("b", model=f"{other.url}#said")
        assert asyncio.run(said("my invoice")) == "billing" and other.log.asked[0].model == "said"
        assert said.claim is None and said.identity != kept.identity
        assert "is asked with" in (dropped_claim("b", said, f"{other.url}#said") or "")
        same = find_solution("b", model=f"{own.url}#own")
        assert same.claim and dropped_claim("b", same, f"{own.url}#own") is None
