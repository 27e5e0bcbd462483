"""From what is typed in a command ("my.py:triage", "shop.triage:answer", a bundle folder) to the solution it means."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from suffice.arguments import is_path
from suffice.errors import SolutionError
from suffice.programs.bundle import load
from suffice.programs.manifest import is_bundle, read_manifest
from suffice.programs.solution import Solution, describe, from_function
from suffice.shown import brief, shown

FORMS = "a bundle folder, my.py:function, or package.module:function"


def find_solution(text: str, *, model: str | None = None) -> Solution:
    """The solution that `text` names: a bundle folder, "my.py:function" or "package.module:function".

    A bundle asks the models that it was saved with, whatever holds around it; where `model` is said, it asks that one,
    and what was shown of it is dropped (`load`). Raises SolutionError for code that cannot be imported or is not
    callable, BundleError for a bundle.
    """
    return from_function(find(text, model=model))


def find(text: str, *, model: str | None = None) -> Any:
    """The object itself: what find_solution wraps, or whatever else has this name in the module (a rung).

    The folder of a file, or the working directory for the other two, is put on Python's path, as `python` itself
    does. Raises as find_solution.
    """
    if text and is_path(text) and Path(text).is_dir():
        _reachable(Path.cwd(), first=False)  # last: a bundle must not choose what its own imports find here
        return load(text, model=model)
    source, _, name = text.rpartition(":")
    if not source or not is_path(source) or not all(part.isidentifier() for part in name.split(".")):
        alone = f"name the function in it: {shown(text)}:triage" if text.endswith(".py") else FORMS
        raise SolutionError(f"{brief(text, 100)} names no solution", hint=alone)
    if source.endswith(".py") or "/" in source or "\\" in source:
        module = _module_of_file(Path(source), name)
    else:
        _reachable(Path.cwd(), first=True)
        module = _import(source, source)
    return _attribute(module, name, source)


def dropped_claim(text: str, found: Any, model: str | None) -> str | None:
    """What to say where the bundle that `text` names was shown something, and does not ask the model that it was shown
    with; None else. `found` is what was made of it."""
    if model is None or getattr(found, "claim", None) is not None or not is_bundle(Path(text)):
        return None
    if read_manifest(text).claim is None:
        return None
    return f"{text} is asked with {model}: what was shown of it was shown with another model, and is dropped"


def _module_of_file(file: Path, wanted: str) -> ModuleType:
    """The module in a file, under the name that an import would give it: a package's folders have an __init__.py.

    `wanted` is the name in it that is asked for.
    """
    if not file.is_file():
        near = difflib.get_close_matches(file.stem, [p.stem for p in file.parent.glob("*.py")], n=1, cutoff=0.65)
        raise SolutionError(
            "there is no such file" if not is_bundle(file) else "this is a bundle folder: leave out what follows it",
            hint=f"did you mean {file.with_name(near[0])}.py:{wanted}?" if near else FORMS,
            where=str(file),
        )
    full = file.resolve()
    names, folder = [full.stem], full.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if names[-1] == "__init__":
        names.pop()
    dotted = ".".join(names)
    if not all(name.isidentifier() for name in names):
        raise SolutionError(f"{dotted} is no name that Python can import", hint="rename the file", where=str(file))
    _reachable(folder, first=True)
    module = _import(dotted, str(file))
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != full:
        raise SolutionError(
            f"Python already knows another module called {dotted} ({found or 'its own'})",
            hint="rename the file",
            where=str(file),
        )
    return module


def _import(dotted: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        missing = error.name or dotted
        own = dotted == missing or dotted.startswith(f"{missing}.")
        hint = "run in its folder, or install its package" if own else f"pip install {missing.partition('.')[0]}"
        raise SolutionError(f"there is no module {missing}", hint=hint, where=where) from error
    except (Exception, SystemExit) as error:
        raise SolutionError(f"cannot be imported: {describe(error)}", hint="mend the file", where=where) from error


def _attribute(module: ModuleType, name: str, where: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            own = [n for n, f in inspect.getmembers(module, inspect.isfunction) if f.__module__ == module.__name__]
            near = difflib.get_close_matches(name, own, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(own[:10]) or 'no function'}"
            raise SolutionError(f"has no {name}", hint=hint, where=where)
        found = getattr(found, part)
    return found


def _reachable(folder: Path, *, first: bool) -> None:
    text = str(folder)
    if first and sys.path[:1] != [text]:
        sys.path.insert(0, text)
    elif not first and text not in sys.path and "" not in sys.path:
        sys.path.append(text)
