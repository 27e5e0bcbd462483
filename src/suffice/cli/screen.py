"""What the terminal shows while work goes on: on stderr, and silent where nobody looks."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from suffice.cli.talk import own
from suffice.shown import harmless

if TYPE_CHECKING:
    from suffice.ladder.decision import Climbed

STYLES = {
    "PASS": "bold green",
    "FAIL": "bold red",
    "UNPROVEN": "bold yellow",
    "would pass": "bold yellow",
    "paused": "bold magenta",
}


@contextmanager
def console() -> Generator[Console]:
    """A console on a duplicate of the command's own stderr, which goes on while sealed cases silence the process's."""
    err = own()[1]
    try:
        file = os.fdopen(os.dup(2 if err is None else err.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError):
        yield Console(stderr=True)
        return
    try:
        yield Console(file=cast(IO[str], _Patient(file)), highlight=False, soft_wrap=False)
    finally:
        with suppress(OSError, ValueError):
            file.close()


class _Patient:
    """A file that goes on in silence when nobody reads it any more: who watches must not decide what comes out."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, or let it be."""
        with suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on, or let it be."""
        with suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def counting(screen: Console, what: str, total: int | None, silent: bool = False) -> Generator[Any]:
    """A progress bar; the value is a function to call with one thing done, or with how many are done of how many."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=silent or not screen.is_terminal) as bar:
        task = bar.add_task(harmless(what), total=total)

        def advance(done: object = None, of: int | None = None) -> None:
            if isinstance(done, int):
                bar.update(task, completed=done)
            else:
                bar.advance(task)
            if of is not None:
                bar.update(task, total=of)

        yield advance


class Ladder:
    """The live table of a climb; where stderr is no terminal, a line for each rung as it ends."""

    def __init__(self, screen: Console, coverage: bool, *, sealed: bool = True) -> None:
        self.screen, self.coverage, self.cases = screen, coverage, "sealed cases" if sealed else "test cases"
        self.live = Live(console=screen, refresh_per_second=8, transient=False) if screen.is_terminal else None
        self.told: set[tuple[str, str]] = set()

    def __enter__(self) -> Ladder:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()

    def watch(self, progress: Any) -> None:
        """Show a Progress of the climb."""
        if progress.line:
            self.screen.print(Text(harmless(progress.line)), soft_wrap=True)
        if self.live is not None:
            self.live.update(ladder_table(progress.rungs, self.coverage))
            return
        for row in progress.rungs:
            ended = row.state.split(" ")[0] not in ("waiting", "running", "test")
            if ended and (row.name, row.state) not in self.told:
                self.told.add((row.name, row.state))
                met = row.tested is not None  # the dev figure was said before, and is not what decided
                shown = f"{row.state} on {self.cases}" if met else row.state
                text = None if met else ", ".join(filter(None, (dev_text(row, self.coverage), cost_of(row))))
                line = ": ".join(filter(None, (row.candidate, text, shown)))
                self.screen.print(Text(harmless(line)), soft_wrap=True)


def ladder_table(rungs: Sequence[Climbed], coverage: bool) -> Table:
    """Rung, dev score with its interval, predicted chance, verdict, sealed cases used, what was saved."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    costly = any(map(cost_of, rungs))
    heads = ("rung", "dev", "chance", "verdict", "test cases", "calls saved")
    for head in (*heads, "cost") if costly else heads:
        table.add_column(head, overflow="fold")
    for row in rungs:
        used = str(row.tested.used) if row.tested is not None else ""
        table.add_row(
            Text(harmless(row.candidate)),
            Text(harmless(dev_text(row, coverage))),
            f"{row.chance:.0%}" if row.chance is not None else "",
            Text(harmless(row.state), style=STYLES.get(row.state, "")),
            used,
            str(row.saved) if row.saved else "",
            *((cost_of(row),) if costly else ()),
        )
    return table


def cost_of(row: Climbed) -> str:
    """ "$1.20 per 1,000 cases" of the candidate on dev; "" where it is free or no model was called."""
    from suffice.evals.cost import short_cost

    return "" if row.cost is None or row.cost.usd == 0 else short_cost(row.cost)


def dev_text(row: Climbed, coverage: bool) -> str:
    """ ".742 (.66 to .81), 89 of 120"."""
    from suffice.evals.report import figure
    from suffice.ladder.decision import dev_score_text

    if row.note and row.state == "not tried":
        return row.note
    if not row.dev_seen:
        return ""
    if row.interval is None:
        return f"{row.dev_right} right of {row.dev_seen}"
    low, high = (figure(v, 2) for v in row.interval)
    if row.dev_mean is not None:
        mean = f"mean {figure(row.dev_mean)} ({low} to {high}) of {row.dev_answered if coverage else row.dev_seen}"
        return dev_score_text(row) if row.against else mean
    if coverage and row.dev_answered:
        score = figure(row.dev_right / row.dev_answered)
        return f"{score} ({low} to {high}) of {row.dev_answered} answered, {row.dev_seen} seen"
    return f"{figure(row.dev_right / row.dev_seen)} ({low} to {high}), {row.dev_right} of {row.dev_seen}"
