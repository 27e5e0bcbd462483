"""The pytest plugin in projects of its own: verdicts become outcomes, nothing sealed is seen, nobody is slowed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.stats  # noqa: F401 - pytester forgets what a run imports, and numpy cannot be imported twice

import suffice.evals.compare
import suffice.evals.graders.fields
import suffice.ladder.dev_bar
import suffice.models.model  # noqa: F401
from suffice.evals.task import Task
from suffice.store import runs
from suffice.store.database import open_store

pytest_plugins = ["pytester"]

SOLUTIONS = """
import random
import pytest
import suffice as sf

def triage(text):
    return "billing" if "refund" in text else "shipping"

def weak(text):
    return "billing"

def near(text):
    return triage(text) if int(text.split()[-1]) % 7 else "other"

def suffice(*args, **options):
    return pytest.mark.suffice(*args, **options)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a task and no store."""
    monkeypatch.delenv("SUFFICE_HOME", raising=False)
    rows = [
        {"text": f"{'refund please' if i % 2 else 'my parcel'} number {i}", "team": "billing" if i % 2 else "shipping"}
        for i in range(300)
    ]
    (pytester.path / "tickets.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error")
    return pytester


def ran(project: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    project.makepyfile(test_it=SOLUTIONS + body)
    return project.runpytest_inprocess(*arguments)


def sealed_in(project: pytest.Pytester, texts: list[str]) -> list[str]:
    sealed = {c.inputs for c in Task.load(project.path / "tickets.jsonl").sealed()}
    return [text for text in texts if text in sealed]


def test_a_solution_that_dev_shows_good_enough_passes_with_its_figure(project: pytest.Pytester) -> None:
    body = '@suffice("tickets.jsonl", bar=0.9)\ndef test_triage():\n    return triage\n'
    result = ran(project, body)
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines(
        [r"=+ suffice =+", r"PASS: `triage` is good enough on dev: 1.000 right \(\.9.. to 1.000"]
    )
    assert (project.path / ".suffice" / "store.sqlite").is_file()  # where `suffice eval` there finds it


def test_one_that_is_clearly_below_fails_with_its_cases_and_no_traceback(project: pytest.Pytester) -> None:
    result = ran(project, '@suffice("tickets.jsonl", bar=0.9)\ndef test_weak():\n    return weak\n')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAIL: `weak` is too weak on dev: *", "wrong: *, the first 5:", "  tickets.jsonl:*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*return weak*")


@pytest.mark.parametrize(("unproven", "outcome"), [("fail", "failed"), ("skip", "skipped"), ("pass", "passed")])
@pytest.mark.parametrize("said_in", ["mark", "ini", "default"])
def test_what_is_not_settled_is_not_green_unless_that_is_said(
    project: pytest.Pytester, unproven: str, outcome: str, said_in: str
) -> None:
    more = f", unproven={unproven!r}" if said_in == "mark" else ""
    if said_in == "ini":
        project.makeini(f"[pytest]\nsuffice_unproven = {unproven}")
    result = ran(project, f'@suffice("tickets.jsonl", bar=0.9{more})\ndef test_near():\n    return near\n')
    result.assert_outcomes(**{"failed" if said_in == "default" else outcome: 1})
    result.stdout.fnmatch_lines(["UNPROVEN: `near` may or may not be good enough on dev: *"])


def test_a_flaky_solution_is_measured(project: pytest.Pytester) -> None:
    body = """
def flaky(text):
    return "other" if random.random() < 0.25 else triage(text)

@suffice("tickets.jsonl", bar=0.6, repeats=4)
def test_flaky():
    return flaky

@suffice("tickets.jsonl", bar=0.98, repeats=4)
def test_flaky_at_a_higher_bar():
    return flaky
"""
    result = ran(project, body)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines([r"repeats: 4 a case: \d+ of \d+ cases were answered in different ways; variance .*"])


@pytest.mark.parametrize(
    ("mark", "returned", "message"),
    [
        ('"tickets.jsonl", bar=0.9', "None", "*and this one returned nothing"),
        ('"nothing.jsonl", bar=0.9', "triage", "nothing.jsonl: is not in *"),
        ('"tickets.jsonl", barr=0.9', "triage", "hint: did you mean bar?"),
        ('"tickets.jsonl"', "triage", "how good is good enough? There is no bar"),
        ("bar=0.9", "triage", "say one task: *"),
        ('"tickets.jsonl", bar=0.9, on="train"', "triage", 'on is "dev" or "test", not *'),
        ('"tickets.jsonl", bar=0.9, unproven="xfail"', "triage", 'unproven is "fail", "skip" or "pass", not *'),
        ('"tickets.jsonl", bar=0.9, on="test", repeats=2', "triage", "sealed cases are asked once*"),
        ('"tickets.jsonl", bar=0.9, repeats=0', "triage", "repeats are 1 to 1,000 times, not 0"),
        ('"tickets.jsonl", bar=0.9', "lambda text: 1 / 0", "<lambda>: each of the first 10 calls failed*"),
        ('"tickets.jsonl", bar=0.9', '"nosuch.py:triage"', "nosuch.py: there is no such file"),
    ],
)
def test_a_mistake_is_one_message(project: pytest.Pytester, mark: str, returned: str, message: str) -> None:
    result = ran(project, f"@suffice({mark})\ndef test_it():\n    return {returned}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_fixtures_parameters_names_rows_and_classes_work(project: pytest.Pytester) -> None:
    body = """
ROWS = [{"text": f"refund {i}" if i % 2 else f"parcel {i}", "team": ["shipping", "billing"][i % 2]} for i in range(300)]

@pytest.fixture
def word():
    return "refund"

@suffice(ROWS, bar=0.9)
def test_fixture(word):
    return lambda text: "billing" if word in text else "shipping"

@pytest.mark.parametrize("solution", [triage, "named.py:triage"])
@suffice(task="tickets.jsonl", bar=0.9)
def test_parameters(solution):
    return solution

@suffice(sf.Task(ROWS, bar=0.9))
class TestAll:
    def test_one(self):
        async def answer(text):
            return triage(text)
        return answer

def test_other():
    pass
"""
    (project.path / "named.py").write_text(SOLUTIONS, encoding="utf-8")
    ran(project, body).assert_outcomes(passed=5)


SEALED = """
import logging, sys

def loud(text):
    print("HEARD", text); print("HEARD", text, file=sys.stderr); logging.getLogger().error("HEARD %s", text)
    return triage(text)

@suffice("tickets.jsonl", bar=0.9, on="test")
def test_release():
    return loud
"""


def test_the_sealed_gate_goes_through_the_ledger_and_shows_no_case(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SOLUTIONS + SEALED)
    result = project.runpytest_inprocess("-rA", "-l", "-o", "log_cli=true")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["PASS: `loud` suffices: at least * sealed cases*"])
    said = result.stdout.str() + result.stderr.str()
    assert not sealed_in(project, re.findall(r"HEARD (.* number \d+)", said))
    again = project.runpytest_inprocess()
    again.assert_outcomes(passed=1)
    with open_store(project.path / ".suffice") as store:
        assert len(runs.list_runs(store)) == 1  # the second one is a look-up


LEFT_BEHIND = """
import asyncio, threading, time, warnings
import tracemalloc  # pytest imports it to tell of an object that died; while that import runs, no other may die

class Dies:
    def __init__(self, text):
        self.text, self.me = text, self  # a circle: only the collector finds it

    def __del__(self):
        raise ValueError(f"HEARD {self.text}")

def loud(text):
    def late():
        time.sleep(0.2)
        raise ValueError(f"HEARD {text}")

    def dies():
        raise ValueError(f"HEARD {text}")

    Dies(text)
    threading.Thread(target=late).start()
    thread = threading.Thread(target=dies)
    thread.start(), thread.join()
    warnings.warn(f"HEARD {text}")
    return triage(text)

@suffice("tickets.jsonl", bar=0.5, on="test")
def test_release():
    return loud

def test_after():
    time.sleep(0.5)  # those that raise late have done so
    warnings.warn("OPEN warning")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start(), thread.join()
"""


def test_what_sealed_runs_warn_or_leave_behind_is_not_in_the_summary_and_all_else_is(
    project: pytest.Pytester,
) -> None:
    project.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider")
    project.makepyfile(test_it=SOLUTIONS + LEFT_BEHIND)
    result = project.runpytest_subprocess("-rA")
    result.assert_outcomes(passed=2)
    said = result.stdout.str() + result.stderr.str()
    heard = re.findall(r"HEARD (.* number \d+)", said)
    assert heard and not sealed_in(project, heard)  # those of dev are
    assert "OPEN warning" in said and "ZeroDivisionError" in said


def test_a_sealed_gate_that_fails_inside_shows_no_case(project: pytest.Pytester) -> None:
    body = """
def grade(output, case):
    raise RuntimeError(f"SAID {case.inputs}") if "refund" in str(case.inputs) else None

@suffice("tickets.jsonl", bar=0.9, on="test", grader=grade)
def test_release():
    return triage
"""
    result = ran(project, body, "-l", "--full-trace")
    result.assert_outcomes(failed=1)
    said = result.stdout.str() + result.stderr.str()
    assert not sealed_in(project, re.findall(r"SAID (.* number \d+)", said))


@pytest.mark.slow
def test_tests_side_by_side_share_one_store(project: pytest.Pytester) -> None:
    body = "".join(
        f'@suffice("tickets.jsonl", bar=0.9)\ndef test_{i}():\n    return {name}\n\n'
        for i, name in enumerate(["triage", "weak", '"words"'])
    )
    project.makepyfile(test_it=SOLUTIONS + body)
    result = project.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["PASS: `triage` *", "FAIL: `weak` *"])


def test_a_project_that_does_not_use_it_loads_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text("def test_plain():\n    pass\n", encoding="utf-8")
    program = (
        "import sys, pytest\n"
        "code = pytest.main(['-q', '-p', 'no:cacheprovider'])\n"
        "heavy = {'numpy', 'pydantic', 'sqlite3', 'typer', 'sklearn', 'suffice.evals'} & sys.modules.keys()\n"
        "print(int(code), 'suffice.testing' in sys.modules, sorted(heavy))"
    )
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "suffice.testing", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1] == "0 True []"
    assert not (tmp_path / ".suffice").exists()
