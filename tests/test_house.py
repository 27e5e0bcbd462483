"""The rules of the house that a machine can check. Raising a budget here is a reviewed one-line change."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import suffice

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PUBLIC_NAMES = 16
FUNCTION_LINES = 60
PARAMETERS = 8
FILE_LINES = 400
BANNED = ("util", "helper", "manager", "base", "common", "misc")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return function.name.endswith("_command")  # its parameters are the flags that a user types


@pytest.mark.parametrize("file", SOURCES, ids=lambda p: p.name)
def test_every_file_says_in_its_first_line_what_it_is_for(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith('"""'), "the first line is not a docstring"
    assert len(text.partition("\n")[0]) > 20


@pytest.mark.parametrize("file", SOURCES, ids=lambda p: p.name)
def test_functions_and_files_stay_short(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES
    for function in functions(ast.parse(text)):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= FUNCTION_LINES, f"{function.name} has {length} lines"
        arguments = [a for a in (*function.args.args, *function.args.kwonlyargs) if a.arg not in ("self", "cls")]
        if not is_command(function):
            assert len(arguments) <= PARAMETERS, f"{function.name} has {len(arguments)} parameters"


@pytest.mark.parametrize("file", SOURCES, ids=lambda p: p.name)
def test_no_file_has_a_name_that_says_nothing(file: Path) -> None:
    assert not any(word in file.stem.split("_") or file.stem == word + "s" for word in BANNED)


@pytest.mark.parametrize("file", SOURCES, ids=lambda p: p.name)
def test_public_functions_and_classes_have_docstrings(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        overload = any(getattr(d, "id", "") == "overload" for d in node.decorator_list)
        assert overload or ast.get_docstring(node), f"{node.name} has no docstring"


def test_the_public_face_stays_small_and_every_name_is_there() -> None:
    assert len(suffice.__all__) <= PUBLIC_NAMES
    for name in suffice.__all__:
        assert getattr(suffice, name) is not None


def test_importing_suffice_loads_neither_scikit_learn_nor_numpy_nor_pydantic() -> None:
    program = "import sys, suffice; print([m for m in ('sklearn', 'numpy', 'pydantic', 'typer') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_help_loads_neither_scikit_learn_nor_numpy_nor_pydantic() -> None:
    program = (
        "import sys\nfrom suffice.cli.app import app\n"
        "try:\n    app(['--help'], standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('sklearn', 'numpy', 'pydantic', 'sqlite3') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip().endswith("[]")


def test_the_tree_in_the_readme_is_made_from_the_files() -> None:
    ran = subprocess.run([sys.executable, str(ROOT / "scripts" / "tree.py"), "--check"], check=False)
    assert ran.returncode == 0, "run: python scripts/tree.py"


def test_the_project_speaks_of_itself_alone() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    if listed == [""]:
        pytest.skip("not a git checkout")
    place = str(ROOT.parent) + "/main"
    for name in filter(None, listed):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        assert place.encode() not in data, name
