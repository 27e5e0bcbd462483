"""The cases of a report as files for other tools: JSONL, CSV, Parquet, and a log that Inspect AI opens.

Inputs and answers are data: in a CSV they drive neither a spreadsheet nor a terminal (`answered.cell`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from suffice.errors import DataError
from suffice.evals.answered import cell
from suffice.evals.report_rows import answered
from suffice.programs.folder import write_file
from suffice.values import Json, Outcome, to_json

if TYPE_CHECKING:
    from suffice.evals.report import Report


def save_report(report: Report, path: Path) -> None:
    """Write `report` in the form that the ending of `path` means: the cases as .jsonl, .csv, .parquet or .eval
    (Inspect AI), else the whole report as JSON.

    A case that was asked several times is a row for each time in .csv, .parquet and .eval. Raises DataError where the
    file cannot be written, MissingExtra for .parquet without pyarrow.
    """
    make = _FORMS.get(path.suffix.lower(), _json)
    try:
        write_file(path, make(report))
    except OSError as error:
        raise DataError(f"cannot write the report: {error.strerror}", where=str(path)) from None


def check_saves(path: Path) -> None:
    """Raise MissingExtra where a file of this ending cannot be written here."""
    if path.suffix.lower() == ".parquet":
        from suffice.evals.arrow import library

        library()


def table_rows(report: Report) -> list[dict[str, Json]]:
    """A flat dict a case, or a call where cases were asked several times: no value but JSON, all with the same keys.

    `input`, or `input.NAME` for each of several; `status` is answered, nothing, abstained or failed.
    """
    names: dict[str, None] = {}
    made: list[tuple[Outcome, int, Outcome]] = []
    for i, outcome in enumerate(report.outcomes):
        names |= dict.fromkeys(_inputs(outcome))
        samples = report.samples[i] if report.samples else (outcome,)
        made += [(outcome, number, call) for number, call in enumerate(samples, 1)]
    return [_flat(report, list(names), *row) for row in made]


def _flat(report: Report, names: list[str], outcome: Outcome, number: int, call: Outcome) -> dict[str, Json]:
    given, said = _inputs(outcome), answered(call)
    cost = cast("Mapping[str, Json]", said.pop("cost") or {})
    return {
        "id": outcome.case.id,
        "source": outcome.case.source,
        **({"sample": number} if report.samples else {}),
        **{name: given.get(name) for name in names},
        "expected": to_json(outcome.case.expected),
        "status": _status(call),
        **said,
        "answer": None if call.abstained else said["answer"],
        "usd": cost.get("usd"),
        "input_tokens": cost.get("input_tokens"),
        "output_tokens": cost.get("output_tokens"),
        **({"fitted": outcome.case.id in report.fitted} if report.fitted else {}),
    }


def _inputs(outcome: Outcome) -> dict[str, Json]:
    inputs = outcome.case.inputs
    if not isinstance(inputs, dict):
        return {"input": inputs}
    return {f"input.{name}": value for name, value in cast("dict[str, Json]", inputs).items()}


def _status(call: Outcome) -> str:
    if call.answer is None:
        return "failed"
    return "abstained" if call.abstained else "nothing" if call.answer.value is None else "answered"


def _json(report: Report) -> bytes:
    text = json.dumps(report.to_json(), ensure_ascii=False, indent=1)
    return _utf8(f"{text}\n")


def _jsonl(report: Report) -> bytes:
    return _utf8("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in report.rows))


def _csv(report: Report) -> bytes:
    rows = table_rows(report)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([_cell(name) for name in (rows[0] if rows else ())])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return _utf8(file.getvalue())


def _parquet(report: Report) -> bytes:
    from suffice.evals.arrow import parquet_bytes

    rows = table_rows(report)
    return parquet_bytes({name: [row[name] for row in rows] for name in (rows[0] if rows else ())})


def _inspect(report: Report) -> bytes:
    from suffice.evals.inspect_log import log_bytes

    return log_bytes(report)


def _cell(value: Json) -> str:
    if value is None:
        return ""
    return cell(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair, which UTF-8 cannot hold, as its escape


_FORMS: Final[Mapping[str, Callable[[Report], bytes]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
    ".eval": _inspect,
}
