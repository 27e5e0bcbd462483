"""Suffice: from test data to the easiest LLM solution shown to suffice."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from suffice.version import __version__ as __version__

if TYPE_CHECKING:
    from suffice import models as models
    from suffice.evals import grade as grade
    from suffice.evals import sequential as sequential
    from suffice.evals.compare import compare as compare
    from suffice.evals.evaluate import evaluate as evaluate
    from suffice.evals.task import Task as Task
    from suffice.ladder import rung as rung
    from suffice.ladder.climb import climb as climb
    from suffice.models.concerns.budget import Budget as Budget
    from suffice.models.model import Model as Model
    from suffice.programs import durable as durable
    from suffice.programs import workflow as workflow
    from suffice.programs.agent import agent as agent
    from suffice.programs.asking import ask_human as ask_human
    from suffice.programs.bridge import run as run
    from suffice.programs.bundle import load as load
    from suffice.programs.route import route as route
    from suffice.programs.step import step as step
    from suffice.programs.tool import tool as tool
    from suffice.programs.using import using as using
    from suffice.values import ABSTAIN as ABSTAIN
    from suffice.values import Answer as Answer

# Where each public name lives: names are imported when first used, so that `import suffice` costs next to nothing.
_NAMES = {
    "Task": "suffice.evals.task",
    "evaluate": "suffice.evals.evaluate",
    "climb": "suffice.ladder.climb",
    "compare": "suffice.evals.compare",
    "load": "suffice.programs.bundle",
    "run": "suffice.programs.bridge",
    "Model": "suffice.models.model",
    "step": "suffice.programs.step",
    "using": "suffice.programs.using",
    "agent": "suffice.programs.agent",
    "tool": "suffice.programs.tool",
    "ask_human": "suffice.programs.asking",
    "Budget": "suffice.models.concerns.budget",
    "ABSTAIN": "suffice.values",
    "Answer": "suffice.values",
    "route": "suffice.programs.route",
}
_MODULES = {
    "durable": "suffice.programs.durable",
    "grade": "suffice.evals.grade",
    "models": "suffice.models",
    "rung": "suffice.ladder.rung",
    "sequential": "suffice.evals.sequential",
    "workflow": "suffice.programs.workflow",
}

__all__ = [  # at most 16: a new name needs a reviewed change of tests/test_public.py
    "ABSTAIN",
    "Answer",
    "Budget",
    "Model",
    "Task",
    "agent",
    "ask_human",
    "climb",
    "compare",
    "evaluate",
    "load",
    "route",
    "run",
    "step",
    "tool",
    "using",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'suffice' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]
