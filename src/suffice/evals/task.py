"""A task: cases with their grader and bar, the test cases sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

from typing_extensions import Unpack

from suffice.arguments import AnyPath, validated
from suffice.evals.build import Parts, built
from suffice.evals.columns import Columns
from suffice.evals.grade import Grader
from suffice.evals.kinds import Kind
from suffice.evals.options import TaskOptions, checked, read_toml
from suffice.evals.python_rows import table_of
from suffice.evals.read import Bad, Table, read_file, read_folder
from suffice.evals.split import SealedCase, Shape, divided
from suffice.shown import counted, listed, one_line
from suffice.values import Case, Json, canonical, content_hash, keys_of_parts


@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class Task:
    """Cases with a grader and a bar. `train` and `dev` are for looking; what is in `sealed()` is for claims alone.

    `bar`, `tolerance` and `coverage` are None where nothing was said. `cluster_name` is the word for "per customer",
    None where cases stand alone; `per_cluster` cases of a cluster count in a claim at most (None: the median size of
    clusters; 1: a cluster is the unit of the claim). `labels` is the closed set (from train and dev where it was not
    declared).
    """

    name: str
    path: Path | None
    kind: Kind
    kind_reason: str
    nothing: bool
    output: Any
    columns: Columns
    cluster_name: str | None
    per_cluster: int | None
    grader: Grader
    labels: tuple[Json, ...]
    bar: float | None
    tolerance: float | None
    coverage: float | str | None
    seed: int
    shape: Shape
    ladder: tuple[str, ...]  # rung names of a climb that names none; empty: proposed
    train: tuple[Case, ...]
    dev: tuple[Case, ...]
    skipped: tuple[Bad, ...]
    notes: tuple[str, ...]
    split_notes: tuple[str, ...]
    known_as: Mapping[str, tuple[str, ...]]  # of cases open to others: by their key, those that other tasks know
    _sealed: tuple[SealedCase, ...] = field(repr=False)
    _parts: Parts = field(repr=False)
    _fingerprint: list[str] = field(repr=False)  # at most one: worked out when first asked for

    def __init__(self, rows: object, **options: Unpack[TaskOptions]) -> None:
        """A task from a list of dicts or a DataFrame. Raises DataError listing every bad row, UsageError else."""
        said = checked(cast(Mapping[str, Any], options))
        self._fill(built(table_of(rows), said, folder=Path(), name=said.get("name") or "rows"), None)

    @classmethod
    @validated
    def load(cls, path: AnyPath, **options: Unpack[TaskOptions]) -> Self:
        """A task from a file (JSONL, JSON, CSV, TSV) or a folder (train|dev|test files, or task.toml and cases).

        Options given here override those of task.toml. Raises DataError with file and line of every bad row (or
        keeps going with `skip_bad=True`), UsageError for options, and for a Python grader without `trust=True`.
        """
        said = checked(cast(Mapping[str, Any], options))
        place = Path(path).expanduser()
        place = place.parent if place.name == "task.toml" else place
        table, said = _read(place, said)
        folder = place if _is_folder(place) else place.parent
        task = cls.__new__(cls)
        task._fill(built(table, said, folder=folder, name=said.get("name") or place.resolve().stem), place)
        return task

    def with_shape(self, shape: Shape) -> Task:
        """The same task, with what was not given drawn in other shares ("10/30/60" where no rung learns).

        To be settled before any case is looked at: what is dev under one shape may be test under another.
        """
        if shape == self.shape:
            return self
        task = Task.__new__(Task)
        task._fill(self._parts.shaped(shape), self.path)
        return task

    def open_to_others(self) -> Task:
        """The same task of cases that others could look at: nothing of it is sealed, though it is not shown here.

        Its keys are its own: what is claimed on it spends nothing of a task whose cases are sealed.
        """
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        known = {_other_key(c): keys_of_parts(c.inputs) for c in (*self.train, *self.dev, *self._sealed)}
        for name in ("train", "dev", "_sealed"):
            values[name] = tuple(replace(c, key=_other_key(c), marks=()) for c in values[name])
        made = Task.__new__(Task)
        for name, value in (values | {"known_as": known}).items():
            object.__setattr__(made, name, value)
        return made

    def sealed(self) -> tuple[SealedCase, ...]:
        """The test cases, for the runner of claims. Each prints as its id alone; whoever reads on breaks the seal."""
        return self._sealed

    @property
    def options(self) -> TaskOptions:
        """What was said of it, in keywords and in its task.toml."""
        return self._parts.options

    @property
    def sizes(self) -> dict[str, int]:
        """The number of cases of each split."""
        return {"train": len(self.train), "dev": len(self.dev), "test": len(self._sealed)}

    @property
    def given(self) -> frozenset[str]:
        """The splits that the data itself named; the shape draws the others."""
        return frozenset(p.given for p in self._parts.placed if p.given)

    @property
    def fingerprint(self) -> str:
        """A hash of the cases, their splits and expected values, and of what decides a score.

        Bar, tolerance and coverage are not in it: they change what is claimed, not what a solution scores.
        """
        if not self._fingerprint:
            digest = hashlib.blake2b(digest_size=16)
            digest.update(canonical([self.kind, self.nothing, self.grader.identity, self.seed, self.shape]).encode())
            for split, cases in (("train", self.train), ("dev", self.dev), ("test", self._sealed)):
                for case in cases:
                    line = f"{split}\0{case.id}\0{case.inputs_hash}\0{case.cluster}\0{canonical(case.expected)}\n"
                    digest.update(line.encode("utf-8", "surrogatepass"))
            self._fingerprint.append(digest.hexdigest())
        return self._fingerprint[0]

    def __len__(self) -> int:
        return len(self.train) + len(self.dev) + len(self._sealed)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        """A short honest summary; nothing out of a test case is in it."""
        what = f" ({counted(len(self.labels), 'label')}: {listed(self.labels, 6)})" if self.labels else ""
        sizes = ", ".join(f"{split} {n:,}" for split, n in self.sizes.items())
        said = [f"{n} {v:g}" if isinstance(v, float) else f"{n} {v}" for n, v in self._asked() if v is not None]
        lines = [
            f"Task {self.name}: {counted(len(self), 'case')}, {self.kind}{what}"
            + (", or nothing" if self.nothing else ""),
            f"  kind: {self.kind_reason}",
            f"  columns: {self.columns}" + (f"; one cluster per {self.cluster_name}" if self.cluster_name else ""),
            f"  splits: {sizes} ({'open to others' if self.known_as else 'sealed'})",
            f"  grader: {self.grader.name}" + "".join(f", {text}" for text in said),
            *(f"  skipped: {counted(len(self.skipped), 'bad row')}" for _ in self.skipped[:1]),
            *(f"  note: {note}" for note in (*self.notes, *self.split_notes)),
        ]
        return "\n".join(lines)

    def _asked(self) -> tuple[tuple[str, float | str | None], ...]:
        return ("bar", self.bar), ("tolerance", self.tolerance), ("coverage", self.coverage)

    def _fill(self, parts: Parts, path: Path | None) -> None:
        splits = divided(parts.placed, shape=parts.shape, seed=parts.seed, cluster_name=parts.cluster_name)
        labels, grader, notes = parts.seen((*splits.train, *splits.dev), splits.test)
        said = parts.options
        values: dict[str, Any] = {
            "name": one_line(parts.name), "path": path, "kind": parts.kind, "kind_reason": parts.kind_reason,
            "nothing": parts.nothing, "output": said.get("output"), "columns": parts.columns,
            "cluster_name": parts.cluster_name, "per_cluster": said.get("per_cluster"), "grader": grader,
            "labels": labels, "bar": said.get("bar"),
            "tolerance": said.get("tolerance"), "coverage": said.get("coverage"), "seed": parts.seed,
            "shape": parts.shape, "ladder": tuple(said.get("ladder") or ()), "train": splits.train,
            "dev": splits.dev, "skipped": parts.skipped,
            "notes": (*parts.notes, *notes), "split_notes": splits.notes, "_sealed": splits.test, "_parts": parts,
            "_fingerprint": [], "known_as": {},
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _other_key(case: Case) -> str:
    return content_hash(["open", case.key])


def _read(place: Path, said: TaskOptions) -> tuple[Table, TaskOptions]:
    """The table at a path, and the options with those of its task.toml underneath."""
    if _is_folder(place):
        toml = place / "task.toml"
        cases = None
        if toml.is_file():
            below, cases = read_toml(toml)
            both = {**below, **said}
            if "grader" in said and "grader_settings" not in said:
                both.pop("grader_settings", None)  # the settings were those of the other grader
            said = checked(both)
        return read_folder(place, encoding=said.get("encoding"), cases=cases), said
    return read_file(place, encoding=said.get("encoding")), said


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except (OSError, ValueError):  # too long a name; reading it says what is wrong
        return False
