"""Rows to cases: columns, kind, expected values, ids, clusters; every bad row found before anything runs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from suffice.errors import DataError, UsageError
from suffice.evals.columns import Columns, choose, cluster_word
from suffice.evals.grade import Grader, default_grader, function, label, named
from suffice.evals.json_rows import parse_json
from suffice.evals.kinds import Kind, brought, checked_kind, folded_texts, infer, labels_of
from suffice.evals.marks import cell_marks, row_mark
from suffice.evals.options import TaskOptions
from suffice.evals.output import OutputType, output_type
from suffice.evals.read import Bad, Row, Table, inside, spelled
from suffice.evals.reviewed import unreviewed
from suffice.evals.split import Placed, Shape, sides
from suffice.evals.user_grader import load_function
from suffice.shown import counted, listed, shown
from suffice.values import Case, Json, Split, blank, canonical, case_key, content_hash, folded

_SHOWN_BAD = 10
_BLANK = "has no expected value"


@dataclass(frozen=True, slots=True, repr=False)
class Parts:
    """A task before its split: what stays the same under every shape. It holds sealed cases and prints none."""

    name: str
    options: TaskOptions
    placed: tuple[Placed, ...]
    columns: Columns
    cluster_name: str | None
    kind: Kind
    kind_reason: str
    nothing: bool
    grader: Grader
    declared: tuple[Json, ...]
    skipped: tuple[Bad, ...]
    notes: tuple[str, ...]
    seed: int
    shape: Shape

    def shaped(self, shape: Shape) -> Parts:
        """The same parts under another shape."""
        return dataclasses.replace(self, shape=shape)

    def seen(self, open_cases: Sequence[Case], sealed: Sequence[Case]) -> tuple[tuple[Json, ...], Grader, list[str]]:
        """The label set as far as it may be seen, the grader that knows it, and a note on labels only test has."""
        if self.kind != "label":
            return (), self.grader, []
        labels = self.declared or labels_of([c.expected for c in open_cases])
        grader = label(labels) if self.grader.name == "label" and not self.grader.settings else self.grader
        known = set(folded_texts(labels))
        new = sum(text not in known for text in folded_texts([c.expected for c in sealed if c.expected is not None]))
        said = f"{counted(new, 'test case')} expect a label that no train or dev case has"
        return labels, grader, [said] if new and not self.declared else []


@dataclass(frozen=True, slots=True, repr=False)
class _Draft:
    """A row with its inputs known and its expected value not yet looked into. `id` is "" without an id column."""

    id: str
    inputs: Json
    cluster: str
    source: str
    key: str
    inputs_hash: str
    marks: tuple[str, ...]
    given: Split | None
    raw: Json
    typed: bool

    def case(self, name: str, expected: Json, alone: bool) -> Case:
        """The finished case. One that stands alone is its own cluster, with those that have the same inputs."""
        cluster = self.key if alone else self.cluster
        return Case(name, self.inputs, expected, cluster, self.source, self.key, self.inputs_hash, self.marks)


def built(table: Table, said: TaskOptions, *, folder: Path, name: str) -> Parts:
    """Everything about a task but its split. Raises DataError with all bad rows, UsageError for options."""
    if not table.rows:
        raise (
            _refused(table.bad, 0)
            if table.bad
            else DataError("there are no cases", where=name, hint="one row is one case")
        )
    columns = _split_meant(choose(table.columns, _wanted(said), open_names=table.open_columns), table, said)
    output = output_type(said["output"]) if "output" in said else None
    nothing = _nothing(said, output)
    drafts, bad = _drafts(table, columns)
    columns, cluster_note = _clustered(columns, drafts, said)
    grader = _asked_grader(said, folder)
    kind, reason = _kind(said, output, grader, drafts, columns)
    grader = grader or default_grader(kind, choices=columns.choices)
    grader = _for_choices(grader, columns)
    seed, shape = said.get("seed") or 0, said.get("shape") or "30/20/50"
    check = _Check(kind, nothing, output, grader, _declared(said, output), columns.cluster is None)
    placed, faults = check.all(drafts, _ids(drafts, columns))
    if faults:
        groups: list[tuple[str, str, Split | None]]
        groups = [(d.key if check.alone else d.cluster, d.key, d.given) for d in drafts]
        bad += _told(faults, drafts, sides(groups, shape=shape, seed=seed))
    bad = [*table.bad, *bad]
    if bad and not (said.get("skip_bad") and placed):
        raise _refused(bad, len(table.rows) + len(table.bad))
    _one_class(placed, kind, said)
    placed, spelling_note = _one_spelling(placed, kind, check.declared)
    word = cluster_word(columns.cluster) if columns.cluster else None
    return Parts(
        name, said, tuple(placed), columns, word, kind, reason, nothing, grader, check.declared, tuple(bad),
        (*columns.notes, *cluster_note, *spelling_note, *unreviewed(table)), seed, shape,
    )  # fmt: skip


def _wanted(said: TaskOptions) -> dict[str, Any]:
    roles = {"split": "split_column"} | {n: n for n in ("inputs", "expected", "id", "cluster", "choices")}
    options = cast(dict[str, Any], said)
    return {role: options[option] for role, option in roles.items() if option in options}


def _split_meant(columns: Columns, table: Table, said: TaskOptions) -> Columns:
    """The columns without one that is only named like a split (a "subset" that says "algebra")."""
    name = columns.split
    if name is None or "split_column" in said or name.casefold() == "split":
        return columns
    words = {str(v) for r in table.rows if not blank(v := r.values.get(name))}
    if all(map(spelled, words)):
        return columns
    return dataclasses.replace(columns, split=None, ignored=(*columns.ignored, name))


def _nothing(said: TaskOptions, output: OutputType | None) -> bool:
    if output is not None and output.nothing:
        if said.get("nothing") is False:
            raise UsageError("output= allows None, and nothing=False forbids it", hint="drop one of the two")
        return True
    return bool(said.get("nothing"))


def _drafts(table: Table, columns: Columns) -> tuple[list[_Draft], list[Bad]]:
    """The rows as drafts; rows without an input are bad."""
    made: list[_Draft] = []
    bad: list[Bad] = []
    for row in table.rows:
        try:
            made.append(_draft(row, columns))
        except ValueError as e:
            bad.append(Bad(row.source, str(e)))
    cells = cell_marks([(d.key, d.inputs) for d in made])
    return [dataclasses.replace(d, marks=(*d.marks, *of)) for d, of in zip(made, cells, strict=True)], bad


def _draft(row: Row, columns: Columns) -> _Draft:
    """One row as a draft. Raises ValueError with a reason that holds no value."""
    lacking = [n for n in columns.inputs if n not in row.values]
    if lacking:
        raise ValueError(f"has no {listed(lacking)}")
    values = {n: row.values[n] for n in columns.inputs}
    if columns.choices:
        values[columns.choices] = _choices(values[columns.choices])
    if all(blank(v) for v in values.values()):
        raise ValueError(f"has a blank {listed(columns.inputs)}")
    inputs = values if len(values) > 1 else next(iter(values.values()))
    if columns.expected not in row.values:
        raise ValueError(f"{_BLANK}: the key {shown(columns.expected)} is missing")
    given = row.split
    if given is None and columns.split and not blank(word := row.values.get(columns.split)):
        given = spelled(str(word))
        if given is None:
            raise ValueError(f"its {shown(columns.split)} is none of train, dev (validation), test")
    key, exact = case_key(inputs), content_hash(inputs)
    group = row.values.get(columns.cluster) if columns.cluster else None
    cluster = key if blank(group) else str(folded(group if isinstance(group, str) else canonical(group)))
    mark = row.values.get(columns.id) if columns.id else None
    name = "" if blank(mark) else mark.strip() if isinstance(mark, str) else canonical(mark)
    marks = (row_mark(row.values, columns.split),)
    return _Draft(name, inputs, cluster, row.source, key, exact, marks, given, row.values[columns.expected], row.typed)


def _ids(drafts: Sequence[_Draft], columns: Columns) -> list[str]:
    """The id column where it is unique (within each split at least), else a hash with #2, #3 for repeats."""
    if columns.id is None:
        seen: Counter[str] = Counter()
        made: list[str] = []
        for draft in drafts:
            short = draft.inputs_hash[:12]
            seen[short] += 1
            made.append(short if seen[short] == 1 else f"{short}#{seen[short]}")
        return made
    names = [d.id for d in drafts]
    if len(set(names)) < len(names) and len({(d.id, d.given) for d in drafts}) == len(names):
        return [f"{d.given}:{d.id}" for d in drafts]
    first: dict[str, str] = {}
    for draft in drafts:
        hint = "make the ids unique, or take none: --id none"
        if not draft.id:
            raise DataError(f"the id column {shown(columns.id)} is blank here", where=draft.source, hint=hint)
        if draft.id in first:
            raise DataError(f"has the same id as {first[draft.id]}", where=draft.source, hint=hint)
        first[draft.id] = draft.source
    return names


def _clustered(columns: Columns, drafts: Sequence[_Draft], said: TaskOptions) -> tuple[Columns, list[str]]:
    """The columns without a cluster column that groups everything into one."""
    if columns.cluster is None or len({d.cluster for d in drafts}) > 1 or len(drafts) < 2:
        return columns, []
    if said.get("cluster"):
        raise DataError(
            f"every case has the same {shown(columns.cluster)}: they would all be on one side of the split",
            hint="--cluster none, or name another column",
        )
    left = (*columns.ignored, columns.cluster)
    note = f"{shown(columns.cluster)} is the same in every row, so it was not taken as the cluster"
    return dataclasses.replace(columns, cluster=None, ignored=left), [note]


def _asked_grader(said: TaskOptions, folder: Path) -> Grader | None:
    asked, settings = said.get("grader"), said.get("grader_settings")
    if asked is None or isinstance(asked, Grader):
        if settings:
            raise UsageError("grader_settings need a grader by name", hint='grader="number"')
        return asked
    if isinstance(asked, str) and (":" in asked or asked.endswith(".py")):
        return function(load_function(asked, folder, trust=bool(said.get("trust"))), name=asked)
    if isinstance(asked, str):
        made = named(asked, _placed(settings, folder))
        if made.runs_code and not said.get("trust"):
            raise UsageError(
                f"this task asks for the {made.name} grader: the code grader runs the code that a model writes",
                hint="read in docs/graders.md what that covers, then add --trust (trust=True)",
            )
        return made
    if callable(asked):
        return function(cast(Callable[..., Any], asked))
    raise UsageError(f"grader is a {type(asked).__name__}", hint="sf.grade.label(), a function, or a name")


def _placed(settings: Mapping[str, Any] | None, folder: Path) -> dict[str, Any]:
    """Settings of a grader; a database is a file of the task's folder. Raises DataError where it is not."""
    placed = dict(settings or {})
    name = placed.get("database")
    if isinstance(name, str):
        within = (folder / name).is_dir() and (folder / name).resolve().is_relative_to(folder.resolve())
        placed["database"] = folder / name if within else inside(folder, name)
    return placed


def _kind(
    said: TaskOptions, output: OutputType | None, grader: Grader | None, drafts: Sequence[_Draft], columns: Columns
) -> tuple[Kind, str]:
    """The kind: as said, as output= declares, as the grader needs, else inferred."""
    if "kind" in said:
        return checked_kind(str(said["kind"])), "as you said (kind)"
    if output is not None:
        return output.kind, output.reason
    if said.get("labels"):
        return "label", "as you listed the labels"
    if grader is not None and grader.kind is not None:
        return grader.kind, f"the {grader.name} grader compares them so"
    values = [d.raw for d in drafts if not blank(d.raw)]
    return infer(values, [d.inputs for d in drafts[:50]], choices=columns.choices is not None)


def _for_choices(grader: Grader, columns: Columns) -> Grader:
    if grader.name == "choice" and columns.choices and grader.settings.get("choices") == "choices":
        return default_grader("choice", choices=columns.choices)
    return grader


def _declared(said: TaskOptions, output: OutputType | None) -> tuple[Json, ...]:
    if output is not None and output.labels:
        return output.labels
    return tuple(v for v in said.get("labels") or () if v is not None)


@dataclass(frozen=True, slots=True)
class _Check:
    """Brings expected values into form, and says what is wrong with those that have none."""

    kind: Kind
    nothing: bool
    output: OutputType | None
    grader: Grader
    declared: tuple[Json, ...]
    alone: bool

    def all(self, drafts: Sequence[_Draft], ids: Sequence[str]) -> tuple[list[Placed], dict[int, str]]:
        """The cases, and what is wrong with the drafts that make none, by their place."""
        known = set(folded_texts(self.declared)) if self.output is None else set[str]()
        placed: list[Placed] = []
        faults: dict[int, str] = {}
        for i, (draft, name) in enumerate(zip(drafts, ids, strict=True)):
            try:
                expected = self.one(draft, known)
            except ValueError as e:
                faults[i] = str(e)
                continue
            placed.append(Placed(draft.case(name, expected, self.alone), draft.given))
        if drafts and all(blank(d.raw) for d in drafts):
            raise DataError(
                "no case at all has an expected value: these are unlabelled inputs, not test cases",
                hint="label some, or name the column that holds the labels: --expected COLUMN",
            )
        return placed, faults

    def one(self, draft: _Draft, known: set[str]) -> Json:
        """The expected value in form. Raises ValueError with a reason that holds no value."""
        raw = draft.raw
        if raw is None or (not draft.typed and blank(raw)):
            if self.nothing:
                return None
            raise ValueError(_BLANK)
        if blank(raw):
            raise ValueError(f"{_BLANK}: an empty text (null means nothing)" if self.nothing else _BLANK)
        find = self.grader.settings.get("find", "whole") if self.grader.name == "number" else "whole"
        value = brought(
            raw.strip() if not draft.typed and self.kind != "text" else raw, self.kind, output=self.output, find=find
        )
        if self.grader.check is not None:
            self.grader.check(value)
        if known and canonical(folded(value)) not in known:
            texts = {str(folded(str(v))): v for v in self.declared}
            if not isinstance(value, str) or str(folded(value)) not in texts:
                raise ValueError(f"the expected value is none of the {counted(len(self.declared), 'label')}")
            value = texts[str(folded(value))]
        return value


def _told(faults: Mapping[int, str], drafts: Sequence[_Draft], where: Sequence[Split]) -> list[Bad]:
    """The faults as bad rows: the value is added where it is not blank and its case would not be sealed."""
    made: list[Bad] = []
    for i, reason in faults.items():
        hidden = where[i] == "test" or blank(drafts[i].raw)
        made.append(Bad(drafts[i].source, reason if hidden else f"{reason}: {shown(drafts[i].raw)}"))
    return made


def _one_spelling(placed: Sequence[Placed], kind: Kind, declared: Sequence[Json]) -> tuple[Sequence[Placed], list[str]]:
    """The cases with one spelling of each label, the most frequent: to a grader they are one, so to a rung as well."""
    if kind != "label" or declared:
        return placed, []
    usual = {canonical(folded(v)): v for v in labels_of([p.case.expected for p in placed])}
    made: list[Placed] = []
    changed = 0
    for p in placed:
        value = usual.get(canonical(folded(p.case.expected)), p.case.expected)
        other = canonical(value) != canonical(p.case.expected)
        changed += other
        made.append(dataclasses.replace(p, case=dataclasses.replace(p.case, expected=value)) if other else p)
    said = f"{counted(changed, 'label')} spelled in another case or spacing: read as the usual spelling"
    return made, [said] if changed else []


def _one_class(placed: Sequence[Placed], kind: Kind, said: TaskOptions) -> None:
    free = not any(name in said for name in ("kind", "output", "labels", "grader"))
    if free and kind == "label" and len(placed) > 1 and len(set(folded_texts([p.case.expected for p in placed]))) == 1:
        raise DataError(
            f"all {len(placed):,} cases have the same expected value, so any constant is always right",
            hint="check --expected; if this is meant, say --kind label",
        )


def _refused(bad: Sequence[Bad], total: int) -> DataError:
    """One error for all bad rows: the first ten, how many, and the ways out."""
    unlabelled = sum(b.reason.startswith(_BLANK) for b in bad)
    lines = [f"{counted(len(bad), 'bad row')}" + (f" of {total:,}" if total else "") + ", nothing was run"]
    if unlabelled:
        lines[0] += f"; {counted(unlabelled, 'case')} {'is' if unlabelled == 1 else 'are'} unlabelled"
    lines += [f"  {b}" for b in bad[:_SHOWN_BAD]]
    lines += [f"  and {len(bad) - _SHOWN_BAD:,} more"] if len(bad) > _SHOWN_BAD else []
    ways = (
        'if a blank means "nothing applies": nothing = true (--nothing); else label them, or '
        if unlabelled
        else "mend them, or "
    )
    return DataError("\n".join(lines), hint=f"{ways}leave them out: --skip-bad (skip_bad=True)")


def _choices(value: Json) -> Json:
    """A list of options; in a CSV cell as a JSON list or separated by "|"."""
    if not isinstance(value, str):
        return value
    if value.lstrip()[:1] in ("[", "{"):
        try:
            return parse_json(value)
        except ValueError:
            raise ValueError("its choices are not a JSON list") from None
    return [part.strip() for part in value.split("|")] if "|" in value else value
