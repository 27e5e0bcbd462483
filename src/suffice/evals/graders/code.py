"""The grader of code: a model's program runs its tests in processes of its own."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from suffice.arguments import validated
from suffice.evals.graders.forms import as_text, several
from suffice.evals.graders.grader import Grader, built
from suffice.programs.confined.limits import Limits
from suffice.programs.confined.start import Mebibytes, Seconds, check_isolated, end, place, start
from suffice.shown import one_line
from suffice.values import Case, Json, Score

_FENCED = re.compile(r"(?ms)^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```")
_ANSWER = "Answer with Python code alone: the whole program, with nothing around it."


@validated
def code(
    *,
    timeout: Seconds = 10.0,
    memory: Mebibytes = 512,
    partial: bool = False,
    isolated: bool = True,
    prompt: str = "prompt",
    entry: str = "entry_point",
) -> Grader:
    """Right where the Python code that a model wrote passes the tests, which are the expected value. It runs that code.

    The expected value is the text of the tests, or a list of them: asserts, a `check(candidate)`, `test_` functions
    or TestCases. The inputs' column `entry` names the function that `check` is given, else it is the last one that the
    prompt defines. An output is a whole program, a Markdown block of one, or what continues the prompt (the input, or
    its column `prompt`). `partial=True` scores the share of tests that pass. The reason is the first failure.

    The program has one process and the tests another: a program can neither see nor change its tests, and what comes
    of a call is taken as plain data (an object that claims to equal everything does not). `timeout` is in seconds,
    for all tests of a case together; `memory` in MiB for a process.

    What is covered: on Linux 5.12 or newer both have no network, no file but a read-only Python and system libraries,
    64 MiB to write in that are gone afterwards, no environment, 8 processes with `memory` MiB together, see no process
    of yours, and the system calls that lead around this fail. Not covered: faults of the kernel itself. Where a machine
    does not allow this, grading stops with a UsageError; `isolated=False` then runs with the limits alone (on Linux
    also without sockets), and the code can reach all that you can reach. Raises UsageError for limits that allow
    nothing.
    """
    limits = Limits(seconds=timeout, memory=memory, isolated=isolated)

    def fn(output: Any, case: Case) -> Score:
        asked = _column(case.inputs, prompt)
        name = _column({} if isinstance(case.inputs, str) else case.inputs, entry) or _last_function(asked)
        program = program_of(as_text(output), asked, name)
        tests = [as_text(test) for test in several(case.expected)]
        told = run_tests(program, tests, name, limits)
        passed, total = int(told.get("passed", 0)), max(1, int(told.get("total", 1)))
        if passed == total:
            return Score(1.0, "passes its test" if total == 1 else f"passes its {total} tests")
        share = passed / total if partial else 0.0
        fault = one_line(str(told.get("fault"))[:300])
        return Score(share, fault if total == 1 else f"passes {passed} of {total} tests; {fault}")

    made = built(
        "code",
        fn,
        graded=partial,
        timeout=timeout,
        memory=memory,
        partial=partial,
        isolated=isolated,
        columns=[prompt, entry],
    )
    return dataclasses.replace(made, kind="text", slow=True, runs_code=True, answer=_ANSWER, check=_check)


def program_of(output: str, prompt: str, entry: str) -> str:
    """The program that an output means: itself where it defines `entry` (after the prompt, for its imports), else
    the prompt continued by it. Of Markdown the first block that defines it counts, else the first."""
    blocks = cast("list[str]", _FENCED.findall(output))
    defining = [block for block in blocks if entry and entry in _defined(block)]
    text = defining[0] if defining else blocks[0] if blocks else output
    if not prompt or not entry:
        return text
    if entry in _defined(text):
        return f"{prompt.rstrip()}\n\n\n{text}" if _parsed(prompt) is not None else text
    return prompt + text


def run_tests(program: str, tests: Sequence[str], entry: str, limits: Limits) -> dict[str, Any]:
    """What `confined.tester` says: {"passed", "total", "fault"}. Raises UsageError where isolation is not possible."""
    told = json.dumps({"program": program, "tests": list(tests), "entry": entry}).encode()
    with place() as folder:
        worker, tester = _started(limits, folder)
        try:
            said, why = tester.communicate(told, timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            return {"fault": f"took longer than {limits.seconds:g} s"}
        finally:
            end(worker)
            end(tester)
    check_isolated(tester, why, "code")
    try:
        return cast("dict[str, Any]", json.loads(said[:100_000]))
    except ValueError:
        return {"fault": "the tests ended without a result"}


def _started(limits: Limits, folder: Path) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """The program's process and that of its tests, joined by two pipes that nobody else holds."""
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    module = "suffice.evals.confined"
    try:
        worker = start(f"{module}.worker", limits, folder / "program", stdin=asked, stdout=answer)
        try:
            piped = subprocess.PIPE
            joined = (ask, answered)
            return worker, start(f"{module}.tester", limits, folder / "tests", stdin=piped, stdout=piped, keep=joined)
        except BaseException:
            end(worker)
            raise
    finally:
        for pipe in (asked, ask, answered, answer):
            os.close(pipe)


def _check(expected: Json) -> None:
    for test in several(expected):
        if _parsed(as_text(test)) is None:
            raise ValueError("the tests are not Python")


def _column(inputs: Json, column: str) -> str:
    """The text of an input column; of a task with one input column that input."""
    if isinstance(inputs, dict):
        value: Json = cast("dict[str, Json]", inputs).get(column)
        return value if isinstance(value, str) else ""
    return inputs if isinstance(inputs, str) else ""


def _last_function(prompt: str) -> str:
    tree = _parsed(prompt)
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] if tree else []
    return names[-1] if names else ""


def _defined(source: str) -> set[str]:
    """The functions and classes at the top of a program."""
    tree = _parsed(source)
    body = tree.body if tree else []
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
