"""From a text such as "shop.triage:answer" to the function it names, and why a function has no such text."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from suffice.errors import SolutionError
from suffice.programs.identity import function_identity, package_of

PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


class NotImportable(Exception):
    """`path` names no function that may be loaded; the text says why."""


def imported(path: str) -> Callable[..., Any]:
    """The function that "module:name" names, imported. Raises NotImportable, whatever the import does.

    Python's own functions are refused (a bundle from elsewhere must not name `os:system`), and so is a name under
    which a module only happens to hold somebody else's function.
    """
    if not PATH.fullmatch(path):
        raise NotImportable("it is not of the form module:function")
    module, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NotImportable(f"there is no module {error.name} on the Python path") from error
    except (Exception, SystemExit) as error:
        raise NotImportable(f"importing {module} raised {type(error).__name__}: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise NotImportable(f"{module} has no {name}")
        found = getattr(found, part)
    if not callable(found):
        raise NotImportable(f"{path} is not a function")
    if package_of(module) == "stdlib":
        raise NotImportable(f"{path} is Python's own")
    own = f"{getattr(found, '__module__', None)}:{getattr(found, '__qualname__', None)}"
    if getattr(found, "import_path", own) != path:  # a workflow says itself where it stands
        raise NotImportable(f"{path} is another function under this name")
    return found


def check_importable(path: str, identity: str) -> bool:
    """Refuse, before it is saved by name, a function that would not be found again. Raises SolutionError.

    False where it is found, but is not what `identity` says: it was reloaded, or what its module holds changed while
    it ran (a cache, a counter), which a fresh process may undo.
    """
    module, _, name = path.partition(":")
    if module == "__main__":
        raise _of_script(name)
    try:
        return function_identity(imported(path)) == identity
    except NotImportable as error:
        raise SolutionError(
            f"{name} cannot be saved by its name: {error}",
            hint="a bundle needs a function at the top level of a module of yours",
        ) from error


def _of_script(name: str) -> SolutionError:
    file = Path(getattr(sys.modules["__main__"], "__file__", None) or "").name
    if not file or file.startswith("<"):
        return SolutionError(
            f"{name} was typed at a prompt or in a notebook, so no program can import it",
            hint=f"put it into a file, say {name}.py, import it from there, and save again",
        )
    return SolutionError(
        f"{name} is defined in the script that runs ({file}): loading would run the script",
        hint=f"move it into a module of its own, import it into {file} from there, and run {file} again "
        "(what is recorded is not called again)",
    )
