"""What a type's own validator raised on an answer, as an error that says where to mend it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pydantic
from pydantic_core import SchemaValidator, ValidationError

from suffice.errors import SolutionError
from suffice.models.output.reading import QUOTED, printable
from suffice.values import Json

_FOREIGN = (str(Path(pydantic.__file__).parent), str(Path(__file__).parent))


def raised(error: Exception, value: Json, validators: Mapping[str, SchemaValidator], name: str) -> SolutionError:
    """The SolutionError for `error`, which came out of the code of the type `name` on the answer `value`.

    Only ValueError and AssertionError say that an answer does not fit; anything else is a fault of that code, and to
    ask the model again would mend nothing.
    """
    field = _field(value, validators)
    said = printable(" ".join(str(error).split()), QUOTED)
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return SolutionError(
        f"the output type {name} raised {what}{'' if field is None else f' on its field {field}'}{_place(error)}",
        hint="a validator raises ValueError for an answer that does not fit: then it is sent back to be mended",
    )


def _field(value: Json, validators: Mapping[str, SchemaValidator]) -> str | None:
    """The top-level field whose own validator raises, None where it is that of the whole."""
    if not isinstance(value, dict):
        return None
    for name, inner in cast("dict[str, Any]", value).items():
        if name in validators:
            try:
                validators[name].validate_json(json.dumps(inner), strict=True)
            except ValidationError:
                continue
            except Exception:
                return name
    return None


def _place(error: Exception) -> str:
    steps = [s for s in traceback.extract_tb(error.__traceback__) if not s.filename.startswith(_FOREIGN)]
    return f" ({Path(steps[0].filename).name}:{steps[0].lineno} in {steps[0].name})" if steps else ""
