"""promptfoo's JSON output, by its own command: `python make_promptfoo.py FOLDER` (promptfoo in its node_modules)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from making import MODELS, OUT, PROMPT, SHOWN, broken, sanitised, tickets
from serve import serving

QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_SELF_HOSTED": "1",
         "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1"}  # fmt: skip


def run(home: Path, to: Path, rows: list[dict[str, str]], models: tuple[str, ...], *more: str) -> None:
    """One eval of `models` on `rows`, written to TO."""
    with serving() as url, tempfile.TemporaryDirectory() as place:
        providers = [{"id": f"openai:chat:{m}", "label": m, "config": {"apiBaseUrl": url, "apiKey": "sk-none",
                      "cost": 0.000001}} for m in models]  # fmt: skip
        tests = [{"vars": {"ticket": r["ticket"], "team": r["team"]}, "metadata": {"id": r["id"]},
                  "assert": [{"type": "equals", "value": "{{team}}"}]} for r in rows]  # fmt: skip
        config: dict[str, Any] = {"prompts": [PROMPT.replace("{ticket}", "{{ticket}}")], "providers": providers,
                                  "tests": tests}  # fmt: skip
        (Path(place) / "config.json").write_text(json.dumps(config))
        entry = home.resolve() / "node_modules" / "promptfoo" / "dist" / "src" / "entrypoint.js"
        command = ["node", str(entry), "eval", "-c", "config.json", "-o", "out.json", "--no-cache", "--no-table",
                   "--no-progress-bar", "-j", "4", *more]  # fmt: skip
        environment = {**os.environ, **QUIET, "PROMPTFOO_CONFIG_DIR": place}
        subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False, timeout=240)
        text = sanitised((Path(place) / "out.json").read_text(encoding="utf-8"), place)
        to.write_text(json.dumps(json.loads(text), ensure_ascii=False), encoding="utf-8")  # not indented


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    run(Path(sys.argv[1]), SHOWN / "promptfoo.json", tickets(), MODELS)
    run(Path(sys.argv[1]), OUT / "promptfoo_repeats.json", broken(), ("fragile",), "--repeat", "2")
