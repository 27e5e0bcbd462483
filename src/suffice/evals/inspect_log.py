"""A report as a log of Inspect AI (.eval): a zip with a header, one JSON text a sample, and their summaries.

A solution stands where Inspect has the model, a repeat where it has an epoch. Its mean is the report's score: both
leave out calls that failed.
"""

from __future__ import annotations

import datetime
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from suffice.values import ABSTAIN, Case, Json, Outcome, content_hash, to_json
from suffice.version import __version__

if TYPE_CHECKING:
    from suffice.evals.report import Report

SUMMARY = ("id", "epoch", "input", "target", "metadata", "scores", "model_usage", "total_time", "working_time", "uuid")
SHORT = 5_000  # characters of a text in the summaries, which Inspect holds in memory all at once


def log_bytes(report: Report) -> bytes:
    """The bytes of the log."""
    samples = list(_samples(report))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", _text(sample))
        archive.writestr("summaries.json", _text([_summary(s) for s in samples]))
        archive.writestr("header.json", _text(_header(report, samples)))
    return made.getvalue()


def _header(report: Report, samples: list[dict[str, Json]]) -> dict[str, Json]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    name, ids = _grader(report), list(dict.fromkeys(s["id"] for s in samples))
    figures = {k: v for k, v in report.to_json().items() if k != "cases"}
    low_high = report.interval
    values = {"mean": report.score}
    values |= dict(zip(("low95", "high95"), low_high, strict=True)) if low_high is not None else {}
    metrics: dict[str, Json] = {k: {"name": k, "value": v, "params": {}} for k, v in values.items() if v is not None}
    failed = sum(s["error"] is not None for s in samples)
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": content_hash(["eval", report.run, now]),
            "run_id": report.run or "run",
            "created": now,
            "task": report.task,
            "task_id": report.fingerprint or content_hash(report.task),
            "task_version": 0,
            "dataset": {"name": report.split, "samples": len(ids), "sample_ids": ids, "shuffled": False},
            "model": report.solution,
            "config": {"epochs": max(map(len, report.samples), default=1), "fail_on_error": False},
            "packages": {"suffice": __version__},
            "metadata": {"suffice": figures},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples) - failed,
            "scores": [{"name": name, "scorer": name, "params": {}, "metrics": metrics}],
        },
        "stats": {"started_at": now, "completed_at": now, "model_usage": {}},
    }


def _samples(report: Report) -> Iterator[dict[str, Json]]:
    names: set[str] = set()
    for i, outcome in enumerate(report.outcomes):
        name = re.sub(r"[^\w.=@+ -]|^\.+", "_", outcome.case.id) or "case"  # it becomes the name of a file in the zip
        name = name if name not in names else f"{name}-{i + 1}"
        names.add(name)
        for epoch, call in enumerate(report.samples[i] if report.samples else (outcome,), 1):
            yield _sample(report, name, epoch, call)


def _sample(report: Report, name: str, epoch: int, call: Outcome) -> dict[str, Json]:
    case, answer, score = call.case, call.answer, call.score
    said = "" if answer is None else "(handed on)" if answer.value is ABSTAIN else _word(answer.value)
    told: list[Json] = [{"role": "user", "content": _word(case.inputs), "source": "input"}]
    message = {"role": "assistant", "content": said, "source": "generate"}
    choices = [] if answer is None else [{"message": message, "stop_reason": "stop"}]
    error = None
    if call.failure is not None:
        text = f"{call.failure.kind}: {call.failure.message}"
        error = {"message": text, "traceback": text, "traceback_ansi": text}
    scores = {}
    if score is not None:
        scores[_grader(report)] = {"value": score.value, "answer": said, "explanation": score.reason or None}
    return {
        "id": name,
        "epoch": epoch,
        "input": _word(case.inputs),
        "target": _word(case.expected),
        "messages": [*told, message] if choices else told,
        "output": {"model": report.solution, "choices": choices, "completion": said},
        "scores": scores,
        "metadata": _metadata(report, case, call),
        "store": {},
        "events": [],
        "model_usage": _usage(report, call),
        "total_time": call.seconds,
        "working_time": call.seconds,
        "uuid": content_hash([report.run, name, epoch]),
        "error": error,
        "attachments": {},
    }


def _metadata(report: Report, case: Case, call: Outcome) -> dict[str, Json]:
    found: dict[str, Json] = {"source": case.source, "id": case.id, "inputs": None}
    if isinstance(case.inputs, dict):
        found["inputs"] = to_json(case.inputs)  # pyright: ignore[reportUnknownMemberType]
    if call.answer is not None:
        found |= {"confidence": call.answer.confidence, "by": call.answer.by}
    found |= {"fitted": case.id in report.fitted or None}
    return {name: value for name, value in found.items() if value is not None}


def _usage(report: Report, call: Outcome) -> dict[str, Json]:
    cost = call.cost
    if cost is None or not (cost.input_tokens or cost.output_tokens):
        return {}
    tokens_in, tokens_out = cost.input_tokens or 0, cost.output_tokens or 0
    counts = {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    return {report.solution: {**counts, **({} if cost.usd is None else {"total_cost": cost.usd})}}


def _summary(sample: dict[str, Json]) -> dict[str, Json]:
    error = {} if sample["error"] is None else {"error": sample["error"]["message"]}
    short = {name: sample[name][:SHORT] for name in ("input", "target")}
    more = {"completed": True, "message_count": len(sample["messages"])}
    return {**{name: sample[name] for name in SUMMARY}, **short, **more, **error}


def _grader(report: Report) -> str:
    """The name of the scorer: a grader's identity is its name and, behind a colon, a hash."""
    return re.sub(r"\W.*", "", report.grader) or "score"


def _word(value: Json) -> str:
    """A value as text: what is no text as JSON, nothing as an empty one."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(to_json(value), ensure_ascii=False)


def _text(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
