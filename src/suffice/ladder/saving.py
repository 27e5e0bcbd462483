"""Whether what a rung makes can be saved, found out before a try is spent on it: what passes must not be lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from suffice.errors import BundleError, NoModel, SolutionError
from suffice.ladder.rung import Rung
from suffice.programs.bundle import save_bundle
from suffice.programs.solution import Solution, from_function


def refuse_unsaved(ladder: Sequence[Rung]) -> None:
    """Raise SolutionError for a rung of which it is known before it is fitted that no bundle can hold what it makes."""
    for rung in ladder:
        refuse_unsaved(rung.family)
        if rung.program is None:
            continue
        try:
            check_program(rung)
            _dry(from_function(rung.program, rung.name))
        except NoModel:  # it is not tried, and the climb says why
            continue
        except SolutionError as error:
            raise _told(error, "nothing was run") from None


def refuse_unsaved_solution(solution: Solution[Any]) -> None:
    """Raise SolutionError where a candidate, as it would go to test, cannot be saved."""
    try:
        _dry(solution)
    except SolutionError as error:
        raise _told(error, "no try was begun") from None


def check_program(rung: Rung) -> None:
    """Raise SolutionError where the program of a rung knows better than a bundle why it cannot be saved."""
    refuse = getattr(rung.program, "check_saved", None)
    if refuse is not None:
        refuse(rung.name)


def _dry(solution: Solution[Any]) -> None:
    """Save it to a place that is gone at once: so nothing else can come out at the end. Raises SolutionError."""
    try:
        with TemporaryDirectory() as folder:
            save_bundle(solution, Path(folder) / "dry.suffice")
    except (BundleError, OSError):  # of that place, which is not where the bundle will be
        return


def _told(error: SolutionError, left: str) -> SolutionError:
    ways = "; ".join(filter(None, (error.hint, "without --out (to_save=True) it is judged, and not saved")))
    return SolutionError(f"{error.message}; {left}", hint=ways, where=error.where)
