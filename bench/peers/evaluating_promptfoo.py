"""promptfoo's eval on its provider for OpenAI-compatible endpoints; MORE is its npm folder. See `evaluating_cases.py`.

"seconds" is the whole command, for it has no other door. Its database goes to FOLDER.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from calling import KEY, MODEL
from evaluating_cases import REPLY, Evaluating, Ordered, main, questions
from with_promptfoo import QUIET


def prepared(o: Ordered) -> Evaluating:
    """The command, its cache off; it ends with 100 where a case failed."""
    folder = Path(o.folder)
    settings = {"apiBaseUrl": o.url, "apiKey": KEY, "max_tokens": 4096}
    tests = [{"vars": {"text": text}, "assert": [{"type": "equals", "value": REPLY}]} for text in questions(o.n)]
    providers = [{"id": f"openai:chat:{MODEL}", "config": settings}]
    config = folder / "config.json"
    config.write_text(json.dumps({"prompts": ["{{text}}"], "providers": providers, "tests": tests}))
    entry = Path(o.more) / "node_modules" / "promptfoo" / "dist" / "src" / "entrypoint.js"
    command = ["node", str(entry), "eval", "-c", str(config), "-j", str(o.concurrency)]
    command += ["--no-table", "--no-progress-bar", "--no-cache"]
    environment = {**os.environ, **QUIET, "PROMPTFOO_CONFIG_DIR": str(folder)}

    def evaluating() -> int:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"promptfoo ended with {done.returncode}: {done.stderr[-500:]}")
        return o.n

    return evaluating


def version(home: str) -> str:
    """Of the package in its npm folder."""
    return json.loads((Path(home) / "node_modules" / "promptfoo" / "package.json").read_text())["version"]


if __name__ == "__main__":
    main(prepared, version(sys.argv[-1]))
