"""Answer every row of a file: the same rows in the same order, with answer, confidence and who answered.

Resuming: rows go to the end of the output file as they come; beside it lies FILE.resume, which says what is being
applied to what, until every row is there with an answer. The same call after a kill goes on behind the last whole row;
after all rows were written, some of them as failed, it goes on at the first of these. What costs is journaled as well:
so rows that were answered, but are not (or no longer) written, are not asked again, and neither are those of an output
that cannot be resumed (standard output).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import aclosing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from suffice.errors import DataError, NoEndpoint, SolutionError, StoreBusy, UsageError
from suffice.evals.answered import Kept, Known, Layout, OutFile, OutText, added_names
from suffice.evals.barred import ENOUGH, barred_by
from suffice.evals.columns import INPUT
from suffice.evals.grade import Grader
from suffice.evals.resuming import begun, ended, side_of
from suffice.evals.runner import BATCH, Job, Tally, outcomes
from suffice.evals.stream import Record, Table, records, scan
from suffice.evals.trespass import asked, refuse_sealed_rows
from suffice.models.places.opened import opened
from suffice.models.spent_before import count_before
from suffice.programs.solution import Solution, check_inputs, from_function
from suffice.shown import counted, listed
from suffice.store import calls, runs
from suffice.store.calls import Spent
from suffice.store.database import Store, chunks
from suffice.store.lease import lease
from suffice.values import Case, Json, Outcome, Score, content_hash

if TYPE_CHECKING:
    from suffice.models.concerns.budget import Budget

CHUNK: Final = 10_000  # rows of a solution that costs which are held in memory at once
AHEAD: Final = (
    4  # without a journal, no row is asked more than this many times the concurrency ahead of the last written
)


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How to apply. `inputs` are the columns to ask with (None: those the solution was decided on or names).

    `concurrency` calls run side by side, each for at most `timeout` seconds. `fresh` asks again what is recorded,
    `journal=False` records nothing. `overwrite` replaces an output file that is complete or of something else.
    `exact` leaves texts that look like formulas as they are in a CSV. After `give_up` failed calls in a row (None:
    never) the run stops, and these rows are asked again by the next. `budget` is what all model calls may cost
    together; what an interrupted run had spent counts, and so it needs the journal.
    """

    inputs: tuple[str, ...] | None = None
    encoding: str | None = None
    concurrency: int = 8
    timeout: float | None = 120.0
    fresh: bool = False
    journal: bool = True
    overwrite: bool = False
    exact: bool = False
    give_up: int | None = 10
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of the rows. `resumed` of them were there from an interrupted run; `notes` are worth saying."""

    rows: int
    answered: int
    nothing: int
    abstained: int
    failed: int
    resumed: int
    inputs: tuple[str, ...]
    columns: tuple[str, ...]  # added
    notes: tuple[str, ...] = ()
    spent: Spent | None = None  # by model calls, before the run was interrupted and since; None without a journal


async def apply(
    solution: Any,
    source: str | Path,
    out: TextIO | str | Path,
    *,
    options: ApplyOptions | None = None,
    store: Store | Path | str | None = None,
    on_rows: Callable[[int], None] | None = None,
    on_done: Callable[[int], None] | None = None,
) -> Applied:
    """Answer the rows of the file `source` and write them to `out`, a path or an open text file, as CSV or JSON lines.

    Added at the end of each row: answer, confidence, answered_by, status (answered, nothing, abstained, failed) and
    error; all with the prefix `suffice_` where the file has one of these columns. In JSONL an abstention is
    {"abstain": true}; in a CSV the answer is empty unless the status is "answered". The same call again asks for the
    rows that failed. `on_rows` hears once how many rows there are, `on_done` how many are done. Raises DataError for a
    file that cannot be read or written, UsageError where `out` must not be replaced, SealedError for a file of sealed
    test cases, SolutionError where calls keep failing, StoreBusy while another process writes `out`, StoreError.
    """
    how = options or ApplyOptions()
    if how.budget is not None and not how.journal:
        raise UsageError("a budget is kept by the journal, and journal=False writes none", hint="leave journal= out")
    solved = from_function(solution)
    path = Path(out).expanduser() if isinstance(out, str | Path) else None
    table = scan(Path(source).expanduser(), encoding=how.encoding)
    if on_rows is not None:
        on_rows(table.rows)
    inputs, notes = input_columns(solved, table, how.inputs)
    notes += refuse_sealed_rows(table, inputs, store)
    layout = Layout(table, added_names(table.names), solved.name, how.exact)
    notes += layout.notes
    mark = {"solution": solved.identity, "source": table.sha256, "inputs": list(inputs), "exact": how.exact}
    with _home(solved, how, store, path) as home:
        before = Kept(0, 0, Counter())
        if path is not None:
            done = not how.fresh and await _done_before(solved, inputs, path, layout, how, home)
            before = begun(path, layout, mark, overwrite=how.overwrite, fresh=how.fresh, done=done)
        target = OutFile(path, layout, before.size) if path is not None else OutText(cast("TextIO", out), layout)
        written = _Written(target, layout, before.statuses, how.give_up, solved.free, on_done)
        try:
            again, spent = await _answer(solved, table, inputs, written, how, home)
            written.rest()
        finally:
            target.close()
        counts = written.statuses
        if path is not None:
            ended(path, mark, counts["failed"])
    notes += _paid_twice(again)
    return Applied(
        rows=table.rows,
        answered=counts["answered"],
        nothing=counts["nothing"],
        abstained=counts["abstained"],
        failed=counts["failed"],
        resumed=before.rows,
        inputs=inputs,
        columns=layout.names,
        notes=tuple(notes),
        spent=spent,
    )


@contextmanager
def _home(
    solution: Solution, how: ApplyOptions, store: Store | Path | str | None, out: Path | None
) -> Generator[Store | None]:
    """The store where calls are recorded, None where none are; the output belongs to this process meanwhile. Raises
    StoreBusy while another one writes it."""
    if solution.free or not how.journal:
        yield None
        return
    with opened(store) as home, nullcontext() if out is None else lease(home, f"the output {out.resolve()}"):
        yield home


def _paid_twice(calls: int) -> list[str]:
    were = "was" if calls == 1 else "were"
    flying = f"{counted(calls, 'call')} that {were} in flight when the last run was cut off"
    return [f"{flying} {were} possibly paid twice"] if calls else []


def input_columns(
    solution: Solution, table: Table, said: Sequence[str] | None = None
) -> tuple[tuple[str, ...], list[str]]:
    """The columns to ask `solution` with, and what is worth saying about them.

    In this order: those `said`, those the bundle was decided on, the parameters of the function, a usual name. Raises
    DataError where they are not in the file (or not in every row), or where two could be it.
    """
    names = table.names
    decided = cast("list[str]", (solution.claim or {}).get("inputs") or [])
    wanted = list(said or decided or solution.required or (solution.parameters or ())[:1])
    notes: list[str] = []
    if len(wanted) == 1 and not said and wanted[0] not in names:
        usual = _only_usual(names, wanted[0])
        notes.append(f"asked with the column {usual}")
        wanted = [usual]
    wanted = wanted or [_only_usual(names, "")]
    absent = [name for name in wanted if name not in names]
    if absent:
        raise DataError(
            f"{solution.name} is asked with {listed(wanted)}, and there is no {listed(absent)}; "
            f"the columns are {listed(names, 12)}",
            hint="say which: --input subject,body",
            where=table.path.name,
        )
    for name in wanted:
        if table.counts[name] < table.rows:
            first = next(r.source for r in records(table) if name not in r.values)
            lacking = table.rows - table.counts[name]
            raise DataError(f"{counted(lacking, 'row')} without {name}, the first here", where=first)
    check_inputs(solution, wanted)
    return tuple(wanted), notes


def _only_usual(names: Sequence[str], wanted: str) -> str:
    found = [n for n in names if n.strip().casefold().replace(" ", "_").replace("-", "_") in INPUT]
    if len(names) == 1 or len(found) == 1:
        return names[0] if len(names) == 1 else found[0]
    what = f"there is no column {wanted}, and " if wanted else ""
    which = f"several could be the input ({listed(found)})" if found else "none has a usual name for an input"
    raise DataError(f"{what}{which}; the columns are {listed(names, 12)}", hint="say which: --input text")


async def _answer(
    solution: Solution,
    table: Table,
    inputs: tuple[str, ...],
    written: _Written,
    how: ApplyOptions,
    store: Store | None,
) -> tuple[int, Spent | None]:
    """Ask for every row that is not written yet, and write it; how many calls an interrupted run may have paid, too,
    and what the run has spent."""
    whole = written.rows == table.rows  # of an earlier run, of which only the end was cut off: nothing is asked
    run = "" if store is None else _run(store, solution, table, inputs, whole=whole)
    if store is not None:
        count_before(store, run, how.budget)
    job = Job(solution, _UNGRADED, store, run, how.concurrency, how.timeout, how.fresh, retry=True, budget=how.budget)
    tally = Tally()
    window = None if store is not None else lambda: AHEAD * how.concurrency
    size = BATCH if solution.free and solution.batch is not None else CHUNK
    try:
        for some in chunks(islice(records(table), written.rows, None), size):
            cases = [_case(record, inputs, hashed=store is not None) for record in some]
            async with aclosing(outcomes(job, cases, window, tally=tally)) as line:
                await written.all(some, line)
    except BaseException as error:
        if store is not None:
            runs.finish_run(store, run, "failed" if isinstance(error, Exception) else "interrupted")
        raise
    if store is None:
        return tally.sent_again, None
    runs.finish_run(store, run, "done", dict(written.statuses))
    spent = calls.spent(store, run)
    return max(tally.sent_again, spent.open), spent  # at the last kill, at all of them


def _identity(solution: Solution, table: Table, inputs: Sequence[str]) -> str:
    """What tells the runs of one solution on one file from others."""
    return content_hash(["apply", solution.identity, table.sha256, list(inputs)])


async def _done_before(
    solution: Solution, inputs: tuple[str, ...], path: Path, layout: Layout, how: ApplyOptions, store: Store | None
) -> bool:
    """Whether all of this was applied before: the store says so, or a free solution gives just what `path` holds."""
    if store is not None:
        last = runs.latest(store, "apply", _identity(solution, layout.table, inputs))
        return last is not None and last.state == "done"
    if not solution.free or how.overwrite or not path.is_file() or side_of(path).exists():
        return False
    target = Known(path, layout)
    written = _Written(target, layout, Counter(), how.give_up, True, None)
    await _answer(solution, layout.table, inputs, written, how, None)
    written.rest()
    return target.same()


def _run(store: Store, solution: Solution, table: Table, inputs: tuple[str, ...], *, whole: bool) -> str:
    """A new run, or the last one of the same where it was cut off: then it is known which calls it had begun. One that
    was done, too, where its rows are written as a `whole`."""
    identity = _identity(solution, table, inputs)
    last = runs.latest(store, "apply", identity)
    if last is not None and (last.state in ("interrupted", "failed") or (whole and last.state == "done")):
        with suppress(StoreBusy):  # another process was faster: both go on, each with a run of its own
            return runs.resume_run(store, last.id).id
    settings = {"source": table.path.name, "solution": solution.name, "rows": table.rows}
    return runs.start_run(store, "apply", table.path.name, settings, identity=identity)


_UNGRADED: Final = Grader("none", lambda output, case: Score(1.0))


def _case(record: Record, inputs: tuple[str, ...], *, hashed: bool) -> Case:
    values: Json = asked(record.values, inputs)
    return Case(record.source, values, None, "", record.source, "", content_hash(values) if hashed else "")


class _Written:
    """The rows on their way out. Rows of failed calls wait until one succeeds, so that an outage leaves none behind."""

    def __init__(
        self,
        target: OutText | OutFile | Known,
        layout: Layout,
        statuses: Counter[str],
        give_up: int | None,
        free: bool,
        on_done: Callable[[int], None] | None,
    ) -> None:
        self.target, self.layout, self.statuses = target, layout, statuses
        self.rows = sum(statuses.values())
        self.give_up, self.free, self.on_done = give_up, free, on_done
        self.waiting: list[tuple[Record, Outcome]] = []

    async def all(self, some: Sequence[Record], line: AsyncIterator[Outcome]) -> None:
        """Write the outcomes of these records as they come."""
        rows = iter(some)
        async for outcome in line:
            self.waiting.append((next(rows), outcome))
            if outcome.failure is None:
                self._write()
                if not self.free:
                    self.target.flush()
            elif self.give_up is not None and len(self.waiting) >= self.give_up:
                raise self._given_up(outcome)
            elif len(self.waiting) >= ENOUGH:
                self._refuse_barred()
        self.target.flush()

    def rest(self) -> None:
        """Write what still waits at the end of all rows."""
        self._refuse_barred()
        self._write()
        self.target.flush()

    def _write(self) -> None:
        for record, outcome in self.waiting:
            text = self.layout.row(record, outcome)
            self.target.write(text)
            self.statuses[_status(outcome)] += 1
            self.rows += 1
            if self.on_done is not None:
                self.on_done(self.rows)
        self.waiting.clear()

    def _refuse_barred(self) -> None:
        """Raise NoEndpoint where no row has an answer and no call could be made: then none is worth a row that says
        so."""
        reason = "" if self.rows or self.give_up is None else barred_by([outcome for _, outcome in self.waiting])
        if reason:
            said = f"{reason}; no row is written"
            raise NoEndpoint(said, hint="suffice models MODEL --reach looks; mend that, then the same command again")

    def _given_up(self, outcome: Outcome) -> SolutionError:
        assert outcome.failure is not None
        return SolutionError(
            f"{counted(len(self.waiting), 'call')} in a row failed, so the run was stopped; {self.rows:,} rows are "
            f"written. The last one: {outcome.failure.message}",
            hint="mend the solution; the same command goes on where this one stopped",
            where=outcome.case.source,
        )


def _status(outcome: Outcome) -> str:
    if outcome.answer is None:
        return "failed"
    return "abstained" if outcome.abstained else "nothing" if outcome.answer.value is None else "answered"
