"""Inspect AI's logs, .eval and .json, from its own eval: `python make_inspect.py` in an environment that has it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from making import MODELS, OUT, PROMPT, broken, sanitised, tickets
from serve import serving


def run(
    name: str, model: str, rows: list[dict[str, str]], form: str, *, epochs: int = 1, deflated: bool = False
) -> None:
    """One eval of `model` on `rows`, written to NAME."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate, prompt_template

    samples = [Sample(input=r["ticket"], target=r["team"], id=r["id"]) for r in rows]
    template = PROMPT.replace("{ticket}", "{prompt}")
    task = Task(MemoryDataset(samples), solver=[prompt_template(template), generate()], scorer=match(), name="tickets")
    with serving() as url, tempfile.TemporaryDirectory() as place:
        os.environ["XDG_DATA_HOME"] = place
        asked = get_model(f"openai-api/local/{model}", base_url=url, api_key="sk-none")
        eval(task, model=asked, display="none", log_dir=place, log_format=form, epochs=epochs, fail_on_error=False,
             log_model_api=False, log_realtime=False)  # fmt: skip
        (written,) = Path(place).glob(f"*.{form}")
        if form == "json":
            (OUT / name).write_text(small(written.read_text(encoding="utf-8"), place), encoding="utf-8")
            return
        with zipfile.ZipFile(written) as old, zipfile.ZipFile(OUT / name, "w") as new:
            for entry in old.infolist():
                text = small(old.read(entry).decode("utf-8"), place)
                new.writestr(entry.filename, text, zipfile.ZIP_DEFLATED if deflated else entry.compress_type)


def small(text: str, place: str) -> str:
    """Sanitised, and without the events of a sample: they are nine tenths of a log and hold stack traces."""
    log: Any = json.loads(sanitised(text, place, Path.cwd(), Path(sys.prefix)))
    for sample in log.get("samples", [log]) if isinstance(log, dict) else []:
        if "events" in sample:
            sample |= {"events": [], "events_data": None, "attachments": {}}
        if sample.get("error"):
            sample["error"] |= {"traceback": "", "traceback_ansi": ""}
    return json.dumps(log, indent=1)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    run("inspect_plain.eval", MODELS[0], tickets(), "eval", deflated=True)  # as it wrote before it took to Zstandard
    run("inspect_careful.json", MODELS[1], tickets(), "json")
    run("inspect_repeats.eval", "fragile", broken(), "eval", epochs=2)
