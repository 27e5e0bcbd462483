"""lm-evaluation-harness samples, from its own command: `python make_lm_eval.py` where lm-eval[api] is installed.

No torch is needed: the model is an OpenAI-compatible endpoint, the data a local JSONL file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from making import MODELS, OUT, PROMPT, sanitised, tickets
from serve import serving

TASK = """task: tickets
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: {text}
doc_to_target: "{{{{team}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 8}}
repeats: 1
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""


def run(name: str, model: str) -> None:
    """One evaluation of `model`: its samples and its results, written to the folder NAME under the model's name."""
    with serving() as url, tempfile.TemporaryDirectory() as place:
        data = Path(place) / "tickets.jsonl"
        data.write_text("".join(f"{json.dumps(row)}\n" for row in tickets()))
        text = json.dumps(PROMPT.replace("{ticket}", "{{ticket}}"))
        (Path(place) / "tickets.yaml").write_text(TASK.format(data=data, text=text))
        arguments = f"model={model},base_url={url}/completions,num_concurrent=4,tokenizer_backend=None"
        command = [sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args", arguments,
                   "--tasks", "tickets", "--include_path", place, "--output_path", f"{place}/out", "--log_samples",
                   "--batch_size", "1"]  # fmt: skip
        environment = {**os.environ, "HF_HOME": f"{place}/hf", "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "sk-none",
                       "DO_NOT_TRACK": "1"}  # fmt: skip
        done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, timeout=300)
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        for written in Path(place, "out").rglob("*.json*"):
            to = OUT / name / written.name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(sanitised(written.read_text(encoding="utf-8"), place), encoding="utf-8")


if __name__ == "__main__":
    for one in MODELS:
        run(f"lm_eval/{one}", one)
