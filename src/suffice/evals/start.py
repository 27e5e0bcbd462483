"""A new task folder: cases from a table, from production logs or as typed, a task.toml, and what is to know of them.

Nothing is dropped in silence: rows that make no case are counted with their reasons, and duplicates, leakage,
conflicts and tiny classes are pointed out and left in.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from suffice.errors import DataError, UsageError
from suffice.evals.columns import Columns, choose
from suffice.evals.logs import Exchange, exchanges, is_log
from suffice.evals.near import LIKE, near
from suffice.evals.read import Bad, Table
from suffice.evals.reviewed import COLUMN
from suffice.evals.split import SPLITS
from suffice.evals.task import Task
from suffice.shown import counted, listed, shown
from suffice.values import Case, Json, Split

MadeBy = Literal["people", "model"]
CASES: Final = "cases.jsonl"
FEW: Final = 10  # cases of a label below which it is pointed out: about five of them are sealed
SHOWN: Final = 10
TOLD: Final = 4_000  # characters of a system prompt that stand in the task.toml


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written. `rows` are the lines of cases.jsonl; `said` the options for the task.toml; `left_out` what
    made no case; `system` what the log's system prompt says, where it is always the same."""

    rows: tuple[dict[str, Json], ...]
    said: Mapping[str, Any]
    made_by: MadeBy
    left_out: tuple[Bad, ...] = ()
    notes: tuple[str, ...] = ()
    system: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """A folder that was written: its task, and what is to know of it, in sentences."""

    folder: Path
    task: Task
    lines: tuple[str, ...] = field(default=())


def of_log(table: Table) -> Draft:
    """Cases of a log of model calls: what was asked, and what the model said as the expected answer, not reviewed.

    Raises DataError where no call makes a case.
    """
    found, bad, others = exchanges(table)
    if not found:
        reasons = "; ".join(list(dict.fromkeys(b.reason for b in bad))[:5])
        raise DataError(
            f"no call in it makes a case ({reasons or 'none was found'})", hint="docs/tasks.md names shapes"
        )
    systems = list(dict.fromkeys(one.system for one in found))
    varied = len(systems) > 1
    names = [one.name for one in found]
    named = all(names) and len(set(names)) == len(names)
    rows = tuple(_row(one, named=named, varied=varied) for one in found)
    turns = sum(len([m for m in one.messages or () if m[0] not in ("system", "developer")]) > 1 for one in found)
    notes = (
        [f"{counted(turns, 'call')} of several turns: the input is all of them, each with its role"] if turns else []
    )
    notes += (
        [f"{len(systems):,} different system prompts: each stands in its case, as the input system"] if varied else []
    )
    notes += [f"{counted(others, 'span')} of other work passed over"] if others else []
    said = {"inputs": ["system", "input"] if varied else "input", "expected": "expected"}
    return Draft(rows, said, "model", tuple(bad), tuple(notes), "" if varied else systems[0])


def _row(one: Exchange, *, named: bool, varied: bool) -> dict[str, Json]:
    row: dict[str, Json] = {"id": one.name} if named else {}
    row |= {"system": one.system} if varied else {}
    row |= {"input": one.asked, "expected": (one.answer or "").strip(), COLUMN: False}
    row |= {"model": one.model} if one.model else {}
    return {**row, **({"conversation_id": one.group} if one.group else {}), "from": one.source}


def of_table(table: Table, said: Mapping[str, Any], made_by: MadeBy) -> Draft:
    """Cases of a table as they are; a blank cell of a CSV becomes null. Raises DataError where its columns are not
    clear."""
    wanted = {role: said[role] for role in ("inputs", "expected", "id", "cluster") if said.get(role)}
    columns = choose(table.columns, wanted, open_names=table.open_columns)
    rows: list[dict[str, Json]] = []
    for row in table.rows:
        values = dict(row.values)
        if not row.typed:
            values = {name: _cell(value) for name, value in values.items()}
        if row.split is not None:
            values["split"] = row.split
        rows.append(values | ({COLUMN: False} if made_by == "model" and COLUMN not in values else {}))
    return Draft(tuple(rows), _taken(columns, said), made_by, table.bad)


def _taken(columns: Columns, said: Mapping[str, Any]) -> dict[str, Any]:
    """The columns as a task.toml names them: also those that were found, so that another column changes nothing."""
    names = list(columns.inputs)
    inputs: Any = names if len(names) > 1 else names[0]
    more = {name: said[name] for name in ("id", "cluster") if said.get(name)}
    return {"inputs": inputs, "expected": columns.expected, **more}


def _cell(value: Json) -> Json:
    return None if isinstance(value, str) and not value.strip() else value


def of_examples(examples: Sequence[tuple[str, str]]) -> Draft:
    """Cases as they were typed: inputs with their expected answers. Raises UsageError for none."""
    if not examples:
        raise UsageError("a task needs cases", hint='--from FILE, or --example "where is my parcel? => shipping"')
    rows = tuple({"input": given, "expected": wanted or None} for given, wanted in examples)
    return Draft(rows, {"inputs": "input", "expected": "expected"}, "people")


def drafted(table: Table, said: Mapping[str, Any], made_by: MadeBy) -> Draft:
    """The draft of a log or of a table, whichever it is."""
    return of_log(table) if is_log(table) else of_table(table, said, made_by)


def start(folder: Path, draft: Draft, said: Mapping[str, Any]) -> Started:
    """Write the folder and say what is to know of it. `said` are options of the task, such as kind, bar and nothing.

    Nothing is written where the folder is there already, or where the rows make no task. Raises UsageError, DataError.
    """
    check_new(folder)
    options = {"name": folder.resolve().name, **draft.said, **{k: v for k, v in said.items() if v is not None}}
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        beside.mkdir(parents=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in draft.rows)
        (beside / CASES).write_text(text, encoding="utf-8", errors="backslashreplace")
        (beside / "task.toml").write_text(toml_of(options, draft), encoding="utf-8")
        task = Task.load(beside, skip_bad=True)
        beside.replace(folder)
    except OSError as error:
        hint = "choose another place"
        raise DataError(f"cannot be written: {error.strerror or error}", where=str(folder), hint=hint) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Started(folder, task, tuple(findings(task, draft)))


def check_new(folder: Path) -> None:
    """Raise UsageError where something lies at `folder` already."""
    try:
        there = folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir())))
    except OSError as error:
        raise UsageError(f"cannot be used: {error.strerror}", where=str(folder), hint="another name") from None
    if there:
        raise UsageError("is there already; it was left as it is", where=str(folder), hint="choose another name")


def toml_of(options: Mapping[str, Any], draft: Draft) -> str:
    """The text of a task.toml."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in options.items()]
    lines.append(f'cases = "{CASES}"')
    if "bar" not in options:
        lines.append("# bar = 0.9  # the share right that would suffice")
    if draft.made_by == "model":
        lines += [
            "",
            "# The expected answers are what a model said: no labels until somebody has looked at them. Who does so",
            "# mends `expected` and sets `reviewed` to true. Until then a claim says how often a solution agrees with",
            "# that model, not how often it is right.",
        ]
    if draft.system:
        cut = draft.system[:TOLD] + (" …" if len(draft.system) > TOLD else "")
        lines += ["", "# What the system prompt of the log said:", *(f"#   {line}" for line in _plain(cut).split("\n"))]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Without what a comment in TOML may not hold."""
    return "".join(c for c in text if c == "\n" or c == "\t" or c.isprintable())


def findings(task: Task, draft: Draft) -> list[str]:
    """What is to know of the cases, in sentences: places and counts, no texts, because some are sealed."""
    out = [*draft.notes]
    if draft.left_out:
        out.append(_reasons(f"{counted(len(draft.left_out), 'row')} made no case", draft.left_out))
    if task.skipped:
        many = counted(len(task.skipped), "row")
        out.append(_reasons(f"{many} in {CASES} cannot be used until mended (or --skip-bad)", task.skipped))
    by: list[tuple[Split, Case]] = [
        (split, case)
        for split, cases in zip(SPLITS, (task.train, task.dev, task.sealed()), strict=True)
        for case in cases
    ]
    by.sort(key=lambda one: int(one[1].source.rpartition(":")[2]))
    out += _same([case for _, case in by])
    out += _near(by)
    if task.kind == "label":
        counts = Counter(shown(case.expected, 40) for _, case in by)
        tiny = sorted((n, name) for name, n in counts.items() if n < FEW)
        if tiny:
            told = ", ".join(f"{name} {n}" for n, name in tiny[:SHOWN]) + (", …" if len(tiny) > SHOWN else "")
            out.append(f"{counted(len(tiny), 'label')} with fewer than {FEW} cases, which show little: {told}")
    return out


def _reasons(what: str, bad: Sequence[Bad]) -> str:
    """What was not taken, by reason, with the first places of each."""
    by: dict[str, list[str]] = {}
    for one in bad:
        by.setdefault(one.reason, []).append(one.source)
    told = [f"{reason}: {listed(places, 3)}" for reason, places in list(by.items())[:SHOWN]]
    return f"{what}: " + "; ".join(told) + ("; …" if len(by) > SHOWN else "")


def _same(cases: Sequence[Case]) -> list[str]:
    """Inputs that occur more than once, folded; the split keeps them on one side."""
    first: dict[str, Case] = {}
    pairs = [(first[c.key].source, c.source) for c in cases if first.setdefault(c.key, c) is not c]
    if not pairs:
        return []
    again = "repeats" if len(pairs) == 1 else "repeat"
    return [
        f"{counted(len(pairs), 'case')} {again} the input of another, and they stay on one side of the split "
        f"({_places(pairs)})"
    ]


def _near(by: Sequence[tuple[Split, Case]]) -> list[str]:
    """Near-duplicates, and those that stand on both sides of test."""
    first: dict[str, tuple[Split, Case]] = {}
    for one in by:
        first.setdefault(one[1].key, one)
    alone = list(first.values())
    found = near([case.inputs for _, case in alone], [split for split, _ in alone])
    alike = [sorted((i, min(other.values()))) for i, other in enumerate(found) if other]
    if not alike:
        return []
    pairs = dict.fromkeys((alone[a][1].source, alone[b][1].source) for a, b in alike)
    leaks = [
        (alone[other[side]][1].source, alone[i][1].source)
        for i, other in enumerate(found)
        if alone[i][0] == "test" and (side := next((s for s in ("train", "dev") if s in other), None))
    ]
    out = [
        f"{counted(len(alike), 'case')} nearly the same as another, {LIKE:.0%} or more of their 5-character pieces in "
        f"common ({_places(list(pairs))})"
    ]
    if leaks:
        tests = sum(split == "test" for split, _ in by)
        out.append(
            f"leakage: {len(leaks):,} of {tests:,} test cases nearly repeat a train or dev case ({_places(leaks)}); "
            "a column that names what belongs together (--cluster) keeps such cases on one side"
        )
    return out


def _places(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{one} ~ {other}" for one, other in pairs[:3]) + (", …" if len(pairs) > 3 else "")
