"""Write the file tree into README.md from the first line of every file: `python scripts/tree.py`, or `--check` it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- tree: made by scripts/tree.py -->", "<!-- end of tree -->"
ORDER = ("cli", "ladder", "evals", "programs", "store", "stats")


def tree() -> str:
    """The packages from the top of the house down, each file with the line that says what it is for."""
    house = ROOT / "src" / "suffice"
    lines = ["```", "src/suffice/"]
    for package in ORDER:
        lines.append(f"  {package + '/':<12}{first_line(house / package / '__init__.py')}")
        files = sorted(p for p in (house / package).glob("*.py") if p.name != "__init__.py")
        lines += [f"    {file.name:<18}{first_line(file)}" for file in files]
    alone = sorted(p.name for p in house.glob("*.py") if p.name != "__init__.py")
    lines += [f"  {name:<20}{first_line(house / name)}" for name in alone]
    return "\n".join([*lines, "```"])


def first_line(file: Path) -> str:
    """The first line of a file's docstring."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def main() -> int:
    """Write the tree, or with --check say whether it is up to date."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    fresh = f"{head}{BEGIN}\n{tree()}\n{END}{tail}"
    if "--check" in sys.argv:
        return 0 if fresh == text else 1
    readme.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
