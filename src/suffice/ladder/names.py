"""The names of the rungs on one ladder: those that share a name are told apart by their models, else by a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from suffice.ladder.rung import Rung
from suffice.programs.using import model_configured


def told_apart(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs, and the variants of a family, under names that differ.

    "sort (openai:gpt-5-mini)" where rungs of one name ask several models, "sort 2" where nothing else tells.
    """
    inside = [replace(r, family=tuple(told_apart(r.family))) if r.family else r for r in rungs]
    made: list[Rung] = []
    taken: set[str] = set()
    for rung in inside:
        base = _with_model(rung, [r for r in inside if r.name == rung.name])
        names = (base, *(f"{base} {n}" for n in range(2, len(inside) + 2)))
        made.append(replace(rung, name=next(n for n in names if n not in taken)))
        taken.add(made[-1].name)
    return made


def _with_model(rung: Rung, same: Sequence[Rung]) -> str:
    """The name of a rung among those of the `same` name."""
    models = {_model(r) for r in same}
    mine = _model(rung)
    return rung.name if len(models) < 2 or mine is None else f"{rung.name} ({_short(mine, models)})"


def _model(rung: Rung) -> str | None:
    """The address of the model that a rung asks; None where it asks none, or nothing says which."""
    return rung.model or (model_configured() if rung.asks else None)


def _short(model: str, among: set[str | None]) -> str:
    """The shortest form of an address that tells it from the others: of a URL its name, else with the host."""
    others = [other for other in among if other is not None and other != model]
    return next(
        (form for i, form in enumerate(_forms(model)) if all(form not in _forms(other)[: i + 1] for other in others)),
        model,
    )


def _forms(model: str) -> list[str]:
    url, mark, name = model.partition("#")
    return [name, f"{urlsplit(url).netloc}#{name}", model] if mark and "://" in url else [model]
