"""Which tool wrote a file, told by what is in it, and its runs."""

from __future__ import annotations

from pathlib import Path

from suffice.arguments import is_path
from suffice.errors import DataError
from suffice.evals.foreign import deepeval, inspect_ai, lm_eval, promptfoo, pydantic_evals
from suffice.evals.foreign.decoding import keys_of, read_bytes
from suffice.evals.foreign.run import Run

FORMATS = (promptfoo, inspect_ai, pydantic_evals, deepeval)
ZIP = b"PK\x03\x04"


def read_runs(path: str | Path) -> list[Run] | None:
    """The runs that another tool wrote into a file, None where none of the known tools wrote it.

    Known are promptfoo, Inspect AI, pydantic-evals, lm-evaluation-harness and DeepEval. Raises DataError with file
    and place where the file is damaged, unfinished, too large, or not what the tool writes.
    """
    file = Path(path)
    if not is_path(file) or not file.is_file():
        return None
    head = _head(file)
    if head.startswith(ZIP):
        found = inspect_ai.zipped_runs(file)
    elif head.lstrip().startswith(b"{"):
        found = _json_runs(file)
    else:
        return None
    for run in found or ():
        if not run.cases:
            raise DataError(f"this {run.tool} run holds no case", where=file.name)
    return found


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(64).removeprefix(b"\xef\xbb\xbf")
    except OSError as e:
        raise DataError(f"cannot be read: {e.strerror or e}", where=file.name) from None


def _json_runs(file: Path) -> list[Run] | None:
    data = read_bytes(file).removeprefix(b"\xef\xbb\xbf")
    if lm_eval.is_line(keys_of(data.lstrip().partition(b"\n")[0])):
        return lm_eval.runs(data, file)
    keys = keys_of(data)
    kind = next((kind for kind in FORMATS if kind.is_run(keys)), None)
    return None if kind is None else kind.runs(data, file.name)
