"""Which model a step calls: said on the step, around the call, in the environment or in suffice.toml, in this order."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from suffice.errors import NoModel, UsageError
from suffice.held import held
from suffice.values import Json, to_json

if TYPE_CHECKING:
    from suffice.models.model import Model

REACHED: Final = ("base_url", "key_env")
"""The options of a model that say where it is."""

SAVED: Final = (
    "system",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "max_output_tokens",
    "extra",
    "sample",
    "repairs",
    "continue_output",
    "shorten",
    "total",
)
"""The options that belong to what a step is; the others are how a machine calls it."""

SET_MODEL: Final = "export SUFFICE_MODEL=openai:gpt-5-mini (and its key), or --model NAME"
NO_MODEL: Final = f"no model: {SET_MODEL}"
"""Why what asks a model cannot be tried where nothing says which."""

_around: ContextVar[Model | None] = ContextVar("suffice_model", default=None)


@contextmanager
def using(*, model: str | Model) -> Generator[Model]:
    """Let the steps called inside, and in tasks and threads started inside, use `model` unless they say their own."""
    made = as_model(model)
    with held(_around, made):
        yield made


@contextmanager
def maybe_using(model: str | Model | None) -> Generator[None]:
    """As `using`, where a model is given."""
    if model is None:
        yield
        return
    with using(model=model):
        yield


def as_model(given: str | Model) -> Model:
    """A model by its name, or as it is. By its name it is made once a second, so that a changed setting soon holds."""
    check_model(given)
    return named_model(given, os.getcwd(), int(time.monotonic())) if isinstance(given, str) else given


def check_model(given: object) -> None:
    """Raises UsageError for what is neither the name of a model nor one."""
    if not isinstance(given, str) and not hasattr(type(given), "gives_logprobs"):
        raise UsageError(
            f"a model is its name or an sf.Model, not a {type(given).__name__}", hint='model="openai:gpt-5-mini"'
        )


@lru_cache(maxsize=64)
def named_model(name: str, folder: str, second: int) -> Model:
    """The model called so, as the settings of the folder say at that time."""
    from suffice.models.model import Model  # heavy, and not needed before somebody calls a model

    return Model(name)


def reached_by(model: Model) -> dict[str, str]:
    """The options of a model that say where it is: with its name, all that a bundle keeps of it."""
    return {name: model.options[name] for name in REACHED if name in model.options}


def saved_options(model: Model) -> dict[str, Json]:
    """The options of a model that change its answers, as a bundle keeps them."""
    return {name: to_json(model.options[name]) for name in SAVED if model.options.get(name) is not None}


def none_named(who: str, task: str) -> NoModel:
    """The refusal where nothing that is to be tried on a task has a model to ask."""
    return NoModel(f"{who} cannot be tried on {task}: no model", hint=SET_MODEL)


def model_for(said: str | Model | None, who: str) -> Model:
    """The model that `who` calls. Raises NoModel, which names every place that could say it."""
    if said is not None:
        return as_model(said)
    around = _around.get()
    if around is not None:
        return around
    name = model_configured()
    if not name:
        raise NoModel(
            f"{who} needs a model, and nothing says which: neither .using(model=…) on it, nor sf.using(model=…) around "
            "it, nor SUFFICE_MODEL, nor [models] default in suffice.toml",
            hint="export SUFFICE_MODEL=openai:gpt-5-mini",
        )
    return as_model(name)


def model_configured() -> str | None:
    """The model that a step without one of its own would call here; None where nothing says so."""
    from suffice.models.places.settings import settings

    around = _around.get()
    return around.name if around is not None else os.environ.get("SUFFICE_MODEL") or settings().default


def model_here() -> str | None:
    """The same with the options that hold for it, as a text that tells one model from another."""
    around = _around.get()
    return model_configured() if around is None else repr(around)
