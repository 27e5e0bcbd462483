"""The pytest plugin: a test that returns a solution passes when its cases show that it suffices.

    @pytest.mark.suffice("tickets.jsonl", bar=0.9)
    def test_triage():
        return triage

The test goes by dev, with an interval, and spends nothing; `on="test"` makes it the sealed gate. pytest loads this file
in every project that has Suffice installed, so all else is imported where a test with the mark runs.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

if TYPE_CHECKING:
    from suffice.evals.task import Task
    from suffice.ladder.gate import Gated

MARK: Final = "suffice"
UNPROVEN: Final = ("fail", "skip", "pass")
CALLING: Final = ("concurrency", "timeout", "fresh", "model", "budget")
PLAIN: Final = "a suffice test is a plain def that returns the solution (which may be async)"
HELP: Final = (
    'suffice(task, *, bar, on="dev", repeats=1, unproven="fail", failures=5, **options): the test returns a solution, '
    "which must be shown to suffice on the task's dev cases. `options` are those of Task.load, and concurrency, "
    "timeout, fresh, model, budget"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The setting for the whole project."""
    words = "what a suffice test is when its cases do not settle it: fail (default), skip or pass"
    parser.addini("suffice_unproven", words, default="fail")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, as --strict-markers asks."""
    config.addinivalue_line("markers", HELP)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test with the mark: call it for its solution, judge that, and end as the verdict says."""
    mark = pyfuncitem.get_closest_marker(MARK)
    if mark is None:
        return None
    options = _options(mark)
    unproven = options.pop("unproven", None) or pyfuncitem.config.getini("suffice_unproven")
    if unproven not in UNPROVEN:
        pytest.fail(f'unproven is "fail", "skip" or "pass", not {unproven!r}', pytrace=False)
    gated = _judged(pyfuncitem, _solution(pyfuncitem), options)
    said = f"{gated.verdict}: {gated.sentence}"
    pyfuncitem.user_properties.append((MARK, said))
    if gated.verdict == "PASS" or (gated.verdict == "UNPROVEN" and unproven == "pass"):
        return True
    if gated.verdict == "UNPROVEN" and unproven == "skip":
        pytest.skip(said)
    pytest.fail("\n".join([said, *gated.details]), pytrace=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a verdict, also for tests that passed: a figure with its interval is worth more than a dot."""
    reports = [r for kind in ("passed", "failed", "skipped") for r in terminalreporter.stats.get(kind, [])]
    lines = [value for r in reports for name, value in getattr(r, "user_properties", ()) if name == MARK]
    if lines:
        terminalreporter.section("suffice")
        for line in lines:
            terminalreporter.line(line)


def _options(mark: pytest.Mark) -> dict[str, Any]:
    """What the mark says, by name."""
    options = dict(mark.kwargs)
    if len(mark.args) > 1 or (mark.args and "task" in options) or not (mark.args or "task" in options):
        pytest.fail('say one task: @pytest.mark.suffice("tickets.jsonl", bar=0.9)', pytrace=False)
    return {**options, "task": mark.args[0]} if mark.args else options


def _solution(item: pytest.Function) -> Any:
    """What the test function returns. Its own faults are shown as those of any test."""
    names: tuple[str, ...] = item._fixtureinfo.argnames  # pyright: ignore[reportPrivateUsage]  # as pytest itself does
    if inspect.iscoroutinefunction(cast("Any", item).function):
        pytest.fail(PLAIN, pytrace=False)
    found = item.obj(**{name: item.funcargs[name] for name in names})
    if found is None:
        pytest.fail(f"{PLAIN}, and this one returned nothing", pytrace=False)
    return found


def _judged(item: pytest.Function, solution: Any, options: dict[str, Any]) -> Gated:
    """The verdict. What the user must mend is the failure's text, without a traceback; on sealed cases everything is,
    because the locals of a traceback could hold one."""
    from suffice.errors import SufficeError

    on = options.pop("on", "dev")
    fault = None
    try:
        if on not in ("dev", "test"):
            pytest.fail(f'on is "dev" or "test", not {on!r}', pytrace=False)
        return _on_test(item, solution, options) if on == "test" else _on_dev(item, solution, options)
    except SufficeError as error:
        fault = str(error)
    except Exception as error:
        if on == "dev":
            raise
        fault = f"a fault of Suffice itself: {type(error).__name__}; its text is held back, it may quote a sealed case"
    pytest.fail(fault, pytrace=False)


def _on_dev(item: pytest.Function, solution: Any, options: dict[str, Any]) -> Gated:
    from suffice.evals.evaluate import evaluate
    from suffice.ladder.dev_bar import judged_at_bar
    from suffice.programs.bridge import run

    calling = {name: options.pop(name) for name in (*CALLING, "repeats") if name in options}
    failures = options.pop("failures", 5)
    task = _task(item, options)
    report = run(evaluate(task, _named(solution, task), store=_home(item), **calling))
    return judged_at_bar(task, report, failures)


def _on_test(item: pytest.Function, solution: Any, options: dict[str, Any]) -> Gated:
    from suffice.errors import UsageError
    from suffice.ladder.gate import gate_test
    from suffice.programs.bridge import run

    if options.pop("repeats", 1) != 1:
        raise UsageError("sealed cases are asked once: repeats are for dev", hint='leave out on="test" or repeats')
    options.pop("failures", None)
    calling = {name: options.pop(name) for name in CALLING if name in options}
    task = _task(item, options)
    return run(gate_test(task, _named(solution, task), store=_home(item), **calling))


def _task(item: pytest.Function, options: dict[str, Any]) -> Task:
    """The task: a Task, rows, or a path, from the folder of the test file or from pytest's root folder."""
    from suffice.errors import DataError, UsageError
    from suffice.evals.task import Task

    said = options.pop("task")
    if isinstance(said, Task):
        if options:
            raise UsageError(f"a Task has its options: {', '.join(options)}", hint="say them where it is made")
        return said
    if not isinstance(said, str | Path):
        return Task(said, **cast("Any", options))
    places = [item.path.parent / said, item.config.rootpath / said]
    place = next((p for p in places if p.exists()), None)
    if place is None:
        there = " or ".join(str(p) for p in dict.fromkeys(p.parent for p in places))
        raise DataError(f"is not in {there}", where=str(said), hint="a task's path goes from the folder of its test")
    return Task.load(place, **cast("Any", options))


def _named(solution: Any, task: Task) -> Any:
    """A solution that was given by name ("words", "my.py:triage", a bundle folder) as what it means."""
    if not isinstance(solution, str | Path):
        return solution
    from suffice.ladder.rung import from_text

    return from_text(str(solution), task.path)


def _home(item: pytest.Function) -> Path:
    """The folder of the store: as commands find it that are started in pytest's root folder."""
    from suffice.store.database import store_file

    return store_file(here=item.config.rootpath).parent
