"""Code: right programs pass their tests, and a hostile one neither passes nor gets away with anything."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from grader_samples import case, value

from suffice.errors import DataError, UsageError
from suffice.evals import grade
from suffice.evals.graders.code import program_of
from suffice.evals.task import Task

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="code is not confined on Windows")

PROMPT = 'import math\n\n\ndef add(a, b):\n    """The sum."""\n'
TESTS = "def check(candidate):\n    assert candidate(1, 2) == 3\n"


def isolating() -> bool:
    """Whether this machine allows isolation."""
    try:
        grade.code()("    return 3\n", case(TESTS, PROMPT))
    except UsageError:
        return False
    return True


ISOLATED = isolating()
needs_isolation = pytest.mark.skipif(not ISOLATED, reason="this machine does not allow namespaces")


def graded(program: str, tests: Any = TESTS, **settings: Any) -> Any:
    """The score of a program as isolated as this machine allows."""
    return grade.code(**{"timeout": 5.0, "isolated": ISOLATED, **settings})(program, case(tests, PROMPT))


@pytest.mark.parametrize(
    "program",
    [
        "    return a + b\n",
        "def add(a, b):\n    return math.fsum([a, b])\n",
        "Sure:\n```python\ndef helper(x):\n    return x\n\ndef add(a, b):\n    return helper(a) + b\n```\nBye.",
        "```\nprint('usage')\n```\n```python\ndef add(a, b):\n    return a + b\n```",
    ],
)
def test_a_program_a_block_and_a_continuation_pass(program: str) -> None:
    assert graded(program).value == 1.0


def test_the_reason_is_the_first_failure_and_where_it_is() -> None:
    assert graded("    return a - b\n").reason == "AssertionError: assert candidate(1, 2) == 3"
    assert graded("    return a / 0\n").reason == "ZeroDivisionError: division by zero (line 6 of the program)"
    assert graded("    return (\n").reason.startswith("SyntaxError: '(' was never closed")
    other = grade.code(isolated=ISOLATED)("def sub(a, b): pass", case(TESTS, {"prompt": "", "entry_point": "add"}))
    assert other.reason == "the program has no add"
    own = "class Odd(Exception):\n    pass\n\ndef add(a, b):\n    raise Odd('no')\n"
    assert graded(own).reason == "Odd: no (line 12 of the program)"


def test_tests_come_as_asserts_functions_and_test_cases_and_their_share_can_count() -> None:
    half = "def add(a, b):\n    return 3\n"
    asserts = ["assert add(1, 2) == 3", "assert add(2, 2) == 4"]
    functions = "def test_one():\n    assert add(1, 2) == 3\n\ndef test_two():\n    assert add(2, 2) == 4\n"
    cases = (
        "import unittest\n\nclass Adds(unittest.TestCase):\n"
        "    def test_one(self):\n        self.assertEqual(add(1, 2), 3)\n"
        "    def test_two(self):\n        self.assertEqual(add(2, 2), 4)\n"
    )
    for tests in (asserts, functions, cases):
        score = graded(half, tests, partial=True)
        assert score.value == 0.5 and score.reason.startswith("passes 1 of 2 tests; AssertionError")
        assert graded(half, tests).value == 0.0
        assert graded("    return a + b\n", tests).reason == "passes its 2 tests"


def test_objects_exceptions_and_changed_arguments_of_the_program_meet_its_tests() -> None:
    program = (
        "class Vec:\n    def __init__(self, x):\n        self.x = x\n"
        "    def __add__(self, o):\n        return Vec(self.x + o.x)\n"
        "    def __eq__(self, o):\n        return self.x == o.x\n    def __len__(self):\n        return self.x\n\n"
        "def add(a, b):\n    a.append(b)\n\ndef odd(n):\n    yield from (i for i in range(n) if i % 2)\n\n"
        "def bad():\n    raise ValueError('no')\n"
    )
    tests = (
        "assert Vec(1) + Vec(2) == Vec(3) and len(Vec(2)) == 2 and Vec(1).x == 1\n"
        "xs = [1]\nadd(xs, 2)\nassert xs == [1, 2]\n"
        "assert list(odd(6)) == [1, 3, 5]\n"
        "try:\n    bad()\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'no'\n"
    )
    assert graded(program, tests).value == 1.0


HOSTILE = {
    "exits before its tests": "import sys\nsys.exit(0)\ndef add(a, b): return 3",
    "exits when called": "import sys\ndef add(a, b): sys.exit(0)",
    "ends its process": "import os\nos._exit(0)",
    "ends it as if not isolated": "import os\nos.write(2, b'no isolation: lie')\nos._exit(97)",
    "equals everything": "class A:\n def __eq__(s, o): return True\n def __ne__(s, o): return False\n"
    "def add(a, b): return A()",
    "an int that equals everything": "class A(int):\n def __eq__(s, o): return True\n"
    "def add(a, b): return A(7)",
    "patches assert": "import builtins\nbuiltins.AssertionError = KeyError\nbuiltins.check = print\n"
    "def add(a, b): return 4",
    "writes a result": "import os\nfor fd in (1, 2):\n os.write(fd, b'{\"passed\": 1, \"total\": 1}')\n"
    "def add(a, b): return 4",
    "writes to its pipes": "import os\nfor fd in range(3, 9):\n"
    " try: os.write(fd, b'[' * 9999 + b'\\n')\n except OSError: pass\n"
    "def add(a, b): return 3",
    "crashes": "import ctypes\ndef add(a, b): ctypes.string_at(0)",
    "recurses": "def add(a, b): return add(a, b)",
    "returns what is too deep": "def add(a, b):\n x = []\n for _ in range(99999): x = [x]\n return x",
    "hoards memory": "x = []\nwhile True: x.append(bytearray(10**7))",
    "raises what cannot be shown": "class E(Exception):\n def __str__(s): raise SystemExit\ndef add(a, b): raise E",
    "leaves a process": "import os, time\ndef add(a, b):\n"
    " if os.fork() == 0:\n  os.setsid(); time.sleep(60)\n return 4",
    "forks": "import os\ndef add(a, b):\n while True: os.fork()",
}  # fmt: skip


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE)
def test_a_program_that_cheats_or_harms_is_wrong_and_soon_over(program: str) -> None:
    if "fork" in program and not ISOLATED:
        pytest.skip("nothing holds a fork without isolation")
    before = time.perf_counter()
    assert graded(program).value == 0.0
    assert time.perf_counter() - before < 10


@pytest.mark.parametrize(
    "program", ["def add(a, b):\n while True: pass", "def add(a, b):\n while True: print('x' * 999)"]
)
def test_a_program_that_never_ends_is_ended(program: str) -> None:
    assert graded(program, timeout=0.6).reason == "took longer than 0.6 s"


def seen_inside(expression: str) -> str:
    """What a program sees, as the text that its exception brings out."""
    return graded(f"import os, socket\ndef add(a, b):\n    raise RuntimeError({expression})\n").reason


def test_nothing_of_the_environment_goes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    assert "canary" not in seen_inside("str(dict(os.environ))")
    assert "OPENAI" not in seen_inside("str(dict(os.environ))")


@needs_isolation
def test_an_isolated_program_sees_no_process_file_or_network_of_yours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    environments = "[open(f'/proc/{p}/environ').read() for p in os.listdir('/proc') if p.isdigit() and p != '1']"
    assert "canary" not in seen_inside(f"str({environments})")
    assert "'1', '2'" in seen_inside("str(sorted(p for p in os.listdir('/proc') if p.isdigit()))")
    assert seen_inside("os.path.exists('/etc/passwd')").startswith("RuntimeError: False")
    assert seen_inside(f"os.path.exists({str(Path(__file__))!r})").startswith("RuntimeError: False")
    assert "Read-only file system" in seen_inside("open('/usr/x', 'w')")
    assert "unreachable" in seen_inside("socket.create_connection(('127.0.0.1', 9), 1)")
    assert "File too large" in seen_inside("open('x', 'wb').write(b'0' * (1 << 25))")


@needs_isolation
def test_no_process_of_a_hostile_program_is_left() -> None:
    name = "suffice_left_behind"
    program = f"import os, time\ndef add(a, b):\n if os.fork() == 0:\n  os.setsid()\n  os.execl('/bin/sh', {name!r}, '-c', 'sleep 60; #{name}')\n time.sleep(.1)\n return 4"  # noqa: E501
    assert graded(program).value == 0.0
    until = time.monotonic() + 5  # they are killed at once, and gone as soon as the kernel comes to it
    while left := [p for p in Path("/proc").glob("[0-9]*/cmdline") if name.encode() in _read(p)]:
        assert time.monotonic() < until, left


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_where_a_machine_does_not_allow_isolation_it_says_what_to_do() -> None:
    if os.geteuid() != 0 or not ISOLATED or not Path("/usr/bin/setpriv").exists():
        pytest.skip("needs root, to become a user without namespaces")
    from suffice.programs.confined.limits import UNAVAILABLE, WHY
    from suffice.programs.confined.start import check_isolated

    ended = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({UNAVAILABLE})"])
    ended.wait()
    with pytest.raises(UsageError, match=r"which this machine does not allow \(why\)\nhint: .*isolated=False"):
        check_isolated(ended, f"{WHY}why".encode(), "code")
    check_isolated(ended, b"something else", "code")


def test_what_a_model_writes_is_taken_apart_as_said() -> None:
    assert program_of("    return 1\n", PROMPT, "add") == PROMPT + "    return 1\n"
    whole = "def add(a, b):\n    return 1\n"
    assert program_of(whole, PROMPT, "add") == f"{PROMPT.rstrip()}\n\n\n{whole}"
    assert program_of(f"```py\n{whole}```", "Write add.", "add") == whole
    assert program_of("x = 1", "Write a program.", "") == "x = 1"


def test_a_task_that_names_it_runs_only_when_trusted_also_inside_another_grader(tmp_path: Path) -> None:
    rows = [{"prompt": PROMPT, "test": TESTS, "entry_point": "add"}, {"prompt": "x", "test": TESTS, "entry_point": "f"}]
    said: dict[str, Any] = {"inputs": ["prompt", "entry_point"], "expected": "test"}
    with pytest.raises(UsageError, match="the code grader runs the code that a model writes.*\nhint: .*--trust"):
        Task(rows, grader="code", **said)
    for name, settings in (("list_f1", {"item": "code"}), ("fields", {"compare": {"x": "code"}})):
        with pytest.raises(UsageError, match="--trust"):
            Task([{"text": "a", "expected": ["x"]}], grader=name, grader_settings=settings)
    assert Task(rows, grader="code", trust=True, **said).kind == "text"
    assert Task(rows, grader=grade.code(), **said).grader.runs_code
    (tmp_path / "task.toml").write_text('grader = "code"\ninputs = ["prompt", "entry_point"]\nexpected = "test"\n')
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    with pytest.raises(UsageError, match="--trust"):
        Task.load(tmp_path)
    with pytest.raises(DataError, match="the tests are not Python"):
        Task([*rows, {**rows[0], "test": "def ("}], grader=grade.code(), **said)


def test_settings_that_allow_nothing_are_refused() -> None:
    for wrong in ({"timeout": 0}, {"memory": 1}, {"timeout": float("nan")}):
        with pytest.raises(UsageError, match="timeout"):
            grade.code(**wrong)


@pytest.mark.slow
def test_all_reference_solutions_of_human_eval_pass_and_none_of_the_empty_ones() -> None:
    path = Path(__file__).parents[4] / "shared/data/human_eval/HumanEval.jsonl.gz"
    if not path.is_file():
        pytest.skip("no shared/data/human_eval")
    rows = [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]
    grader = grade.code(isolated=ISOLATED)
    for row in rows:
        inputs = {"prompt": row["prompt"], "entry_point": row["entry_point"]}
        assert value(grader, row["canonical_solution"], row["test"], inputs) == 1.0, row["task_id"]
        assert value(grader, "    pass\n", row["test"], inputs) == 0.0, row["task_id"]
