"""promptfoo over n cases: `python with_promptfoo.py N CONCURRENCY FOLDER PROMPTFOO`, its npm folder last.

The solution is a custom provider inside its own process. "seconds" is the whole command, for it has no other door.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cases import texts

PROVIDER = Path(__file__).with_name("promptfoo_provider.cjs")
# Its log files are off, because writing them after their end now and then crashes it on its way out.
OFF = ("TELEMETRY", "UPDATE", "DEBUG_LOG", "ERROR_LOG")
QUIET = {f"PROMPTFOO_DISABLE_{what}": "1" for what in OFF}


def main() -> None:
    """Print {"seconds", "right", "version"}; its database goes to FOLDER."""
    n, concurrency, folder, home = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    package = home / "node_modules" / "promptfoo"
    tests = [{"vars": {"text": text}, "assert": [{"type": "equals", "value": label}]} for text, label in texts(n)]
    config = folder / "config.json"
    config.write_text(json.dumps({"prompts": ["{{text}}"], "providers": [PROVIDER.as_uri()], "tests": tests}))
    command = ["node", str(package / "dist" / "src" / "entrypoint.js"), "eval", "-c", str(config), "-j", concurrency]
    command += ["--no-table", "--no-progress-bar", "--no-cache"]
    began = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, **QUIET, "PROMPTFOO_CONFIG_DIR": str(folder)}, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:  # 100 where a case failed
        sys.exit(f"promptfoo ended with {done.returncode}: {done.stderr[-500:]}")
    version = json.loads((package / "package.json").read_text())["version"]
    print(json.dumps({"seconds": seconds, "right": n, "version": version}))


if __name__ == "__main__":
    main()
