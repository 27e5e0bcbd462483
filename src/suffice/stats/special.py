"""scipy's special functions, imported when the first one is needed: they take long, and have no type stubs."""

from __future__ import annotations

import importlib
from typing import Any


def special() -> Any:
    """The module `scipy.special`; it comes with scikit-learn."""
    return importlib.import_module("scipy.special")
