"""Inspect AI's logs: .eval, a zip with one JSON text a sample, and .json. A log is one solution."""

from __future__ import annotations

import math
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

import msgspec

from suffice.errors import DataError
from suffice.evals.foreign.decoding import MOST, decoded
from suffice.evals.foreign.run import Run, RunCase, first_metric
from suffice.values import Cost, Json

TOOL = "Inspect AI"
HEADER: Final = "header.json"
BEGUN: Final = "_journal/start.json"
MOST_TOGETHER: Final = 1 << 31
"""Bytes of all samples of a log, unpacked: 2 GiB."""
MOST_ENTRIES: Final = 1_000_000
WORDS: Final = {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0, "yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
"""What its `value_to_float` makes of the values of its scorers."""
AS_JSON = "inspect log convert LOG --to json --output-dir OUT, then --replay OUT/LOG.json"


class _Eval(msgspec.Struct):
    model: str
    packages: dict[str, Any] = {}


class _Headline(msgspec.Struct):
    scorer: str
    score: str


class _Results(msgspec.Struct):
    headline: _Headline | None = None


class _Header(msgspec.Struct):
    status: str
    eval: _Eval
    results: _Results | None = None
    samples: list[msgspec.Raw] | None = None


class _Score(msgspec.Struct):
    value: Any = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_cost: float | None = None


class _Output(msgspec.Struct):
    completion: str | None = None


class _Error(msgspec.Struct):
    message: str = ""


class _Sample(msgspec.Struct):
    id: int | str
    epoch: int
    input: str | list[Any]
    target: str | list[str]
    output: _Output | None = None
    scores: dict[str, _Score] | None = None
    error: _Error | None = None
    total_time: float | None = None
    working_time: float | None = None
    model_usage: dict[str, _Usage] | None = None
    attachments: dict[str, str] = {}


def is_run(keys: frozenset[str]) -> bool:
    """Whether these are the keys of a .json log."""
    return {"eval", "status", "plan"} <= keys


def runs(data: bytes, name: str) -> list[Run]:
    """The run of a .json log. Raises DataError with file and place."""
    header = decoded(data, _Header, TOOL, name)
    raw = header.samples
    if raw is None:
        raise DataError("holds no samples", where=name, hint="it was written with --no-log-samples")
    return [_run(header, name, ((f"{name}: samples[{i}]", sample) for i, sample in enumerate(raw)))]


def zipped_runs(path: Path) -> list[Run] | None:
    """The run of an .eval log, None where the zip is something else. Nothing is unpacked to disk. Raises DataError."""
    zips, name = _zips(), path.name
    try:
        with zips.ZipFile(path) as archive:
            entries = {e.filename: e for e in archive.infolist()}
            if HEADER not in entries:
                return _unfinished(name) if BEGUN in entries else None
            _refuse_hostile(list(entries.values()), name)
            header = decoded(archive.read(HEADER), _Header, TOOL, f"{name}: {HEADER}")
            samples = [n for n in entries if n.startswith("samples/") and n.endswith(".json")]
            return [_run(header, name, ((f"{name}: {n}", archive.read(n)) for n in samples))]
    except NotImplementedError:
        hint = f"pip install backports.zstd; or {AS_JSON}"
        raise DataError(
            "is compressed with Zstandard, which this Python does not read", where=name, hint=hint
        ) from None
    except (zipfile.BadZipFile, zips.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as e:
        raise DataError(f"is a damaged or locked zip ({type(e).__name__})", where=name) from None


def _zips() -> Any:
    """The module that reads zips: with Zstandard from Python 3.14 on, before it where backports.zstd is installed."""
    if sys.version_info < (3, 14):
        try:
            from backports.zstd import zipfile as zips  # pyright: ignore[reportMissingImports, reportUnknownVariableType]
        except ImportError:
            return zipfile
        return zips  # pyright: ignore[reportUnknownVariableType]
    return zipfile


def _unfinished(name: str) -> None:
    hint = "inspect log recover LOG"
    raise DataError("this run did not finish: the log has no header", where=name, hint=hint)


def _refuse_hostile(entries: list[Any], name: str) -> None:
    if len(entries) > MOST_ENTRIES:
        raise DataError(f"{len(entries):,} entries; at most {MOST_ENTRIES:,} are read", where=name)
    for entry in entries:
        place = PurePosixPath(entry.filename)
        if place.is_absolute() or ".." in place.parts:
            raise DataError("an entry points outside of the zip", where=name)
        if entry.file_size > MOST:
            raise DataError(f"unpacks to {entry.file_size:,} bytes; at most {MOST:,} are read", where=name)
    together = sum(e.file_size for e in entries)
    if together > MOST_TOGETHER:
        raise DataError(f"unpacks to {together:,} bytes; at most {MOST_TOGETHER:,} are read", where=name)


def _run(header: _Header, name: str, samples: Iterator[tuple[str, bytes | msgspec.Raw]]) -> Run:
    if header.status != "success":
        raise DataError("this run did not finish: what is missing may be what is hard", where=name,
                        hint="inspect eval-retry LOG")  # fmt: skip
    cases = [_case(decoded(data, _Sample, TOOL, where), where) for where, data in samples]
    cases.sort(key=lambda c: c.repeat)
    headline, names = header.results and header.results.headline, {n for c in cases for n in c.scores}
    first = [headline.score, f"{headline.scorer}.{headline.score}"] if headline else []
    metric = next((n for n in first if n in names), None)
    version = header.eval.packages.get("inspect_ai", "")
    return Run(TOOL, str(version), header.eval.model, metric or first_metric(cases), tuple(cases))


def _case(sample: _Sample, where: str) -> RunCase:
    used = list((sample.model_usage or {}).values())
    cost = Cost(
        _sum([u.total_cost for u in used]), _sum([u.input_tokens for u in used]), _sum([u.output_tokens for u in used])
    )
    return RunCase(
        id=str(sample.id),
        input=_text(sample, sample.input),
        expected=sample.target,
        answer=_text(sample, sample.output.completion) if sample.output else None,
        scores={k: v for k, v in _scores(sample.scores or {}) if v is not None},
        where=where,
        error=(sample.error.message or "no answer") if sample.error else None,
        seconds=sample.working_time if sample.working_time is not None else sample.total_time,
        cost=cost,
        repeat=sample.epoch,
    )


def _text(sample: _Sample, value: Json) -> Json:
    """A text that stands among the attachments, because it is long, else the value."""
    if not isinstance(value, str):
        return value
    return sample.attachments.get(value.removeprefix("attachment://"), value)


def _scores(scores: dict[str, _Score]) -> Iterator[tuple[str, float | None]]:
    """Every score by its scorer's name; of a scorer that gives several, as SCORER.NAME."""
    for name, score in scores.items():
        value: Json = score.value
        if isinstance(value, dict):
            parts = cast(dict[str, Json], value)
            yield from ((f"{name}.{part}", _number(v)) for part, v in parts.items())
        else:
            yield name, _number(value)


def _number(value: Json) -> float | None:
    if isinstance(value, str):
        try:
            value = WORDS[value.casefold()] if value.casefold() in WORDS else float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, bool | int | float) and math.isfinite(value) else None


def _sum(values: list[Any]) -> Any:
    return None if not values or any(v is None for v in values) else sum(values)
