"""The identity of a function: it changes when what the function does may change, and only then."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from typing import Any

import pytest
from program_samples import Write

from suffice.programs.identity import function_identity, packages_of
from suffice.programs.solution import from_function

BASE = '''
    import re
    LIMIT = 3
    TEAMS = {"billing", "shipping"}
    PATTERN = re.compile("invoice")

    def helper(text):
        return text.strip()

    class Rules:
        """Rules."""
        strict = True
        def __init__(self): self.table = {"a": 1}
        def apply(self, text): return deeper(text)
        @property
        def size(self): return LIMIT

    def deeper(text):
        return text.lower()

    RULES = Rules()

    def f(text, default="other"):
        """Which team?"""
        if PATTERN.search(text) and text in {"x", "y", "z"}:
            return RULES.apply(helper(text))
        return default if len(text) > LIMIT else sorted(TEAMS)
'''


def identity(user_module: Write, source: str, name: str = "f", **others: str) -> str:
    return function_identity(getattr(user_module(source, **others), name))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return text.strip()", "return text.strip()  # no space"),
        ("def helper(text):", "# a comment\n\n\n    def helper(text):"),
        ("return RULES.apply(helper(text))", "return RULES.apply(\n                helper(text))"),
        ('"other"', "'other'"),
        ("LIMIT = 3", "LIMIT = 3\n    UNUSED = 4\n    def unused(): pass"),
    ],
)
def test_comments_layout_and_what_is_not_used_do_not_matter(user_module: Write, before: str, after: str) -> None:
    assert before in BASE
    assert identity(user_module, BASE) == identity(user_module, BASE.replace(before, after, 1))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""Which team?"""', '"""Which of the teams?"""'),  # a step's docstring is its prompt
        ("len(text) > LIMIT", "len(text) >= LIMIT"),
        ('default="other"', 'default="none"'),
        ("LIMIT = 3", "LIMIT = 4"),
        ('{"billing", "shipping"}', '{"billing", "returns"}'),
        ('re.compile("invoice")', 're.compile("refund")'),
        ("return text.strip()", "return text.rstrip()"),  # a helper
        ("return text.lower()", "return text.upper()"),  # a helper of a method of an object it uses
        ('{"a": 1}', '{"a": 2}'),  # the state of that object
        ("strict = True", "strict = False"),
        ("def size(self): return LIMIT", "def size(self): return helper(LIMIT)"),
    ],
)
def test_what_it_says_holds_calls_and_uses_matters(user_module: Write, before: str, after: str) -> None:
    assert before in BASE
    assert identity(user_module, BASE) != identity(user_module, BASE.replace(before, after, 1))


def test_it_is_the_same_in_every_process(user_module: Write) -> None:
    module = user_module(BASE + "\n    g = lambda text: text in {'x', 'y', 'z', 'w'}\n")
    folder = os.path.dirname(str(module.__file__))
    program = "from suffice.programs.identity import function_identity as i; import mine; print(i(mine.f), i(mine.g))"
    seen = {f"{function_identity(module.f)} {function_identity(module.g)}\n"}
    for seed in ("0", "1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        run = [sys.executable, "-c", program]
        seen.add(subprocess.run(run, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout)
    assert len(seen) == 1


def test_closures_arguments_and_bound_objects_matter() -> None:
    def outer(limit: Any) -> Any:
        def inner(text: str) -> bool:
            return len(text) > limit

        return inner

    class Rules:
        def __init__(self, limit: int) -> None:
            self.limit = limit

        def answer(self, text: str) -> bool:
            return len(text) > self.limit

        def __call__(self, text: str) -> bool:
            return len(text) > self.limit

    def f(text: str, limit: int) -> bool:
        return len(text) > limit

    for make in (outer, lambda n: Rules(n).answer, Rules, lambda n: functools.partial(f, limit=n)):
        assert function_identity(make(3)) == function_identity(make(3))
        assert function_identity(make(3)) != function_identity(make(4))


def test_two_lambdas_on_one_line_are_two_functions() -> None:
    first, second, again = (lambda text: "a"), (lambda text: "b"), (lambda text: "a")
    assert function_identity(first) != function_identity(second)
    assert function_identity(first) == function_identity(again)


def test_what_a_module_that_it_uses_uses_in_turn_matters(user_module: Write) -> None:
    source = "import my_rules\n\ndef f(text):\n    return my_rules.apply(text)\n"
    rules = "import my_tables\n\ndef apply(text):\n    return my_tables.TABLE[text]\n"
    first = identity(user_module, source, my_rules=rules, my_tables="TABLE = {'x': 1}")
    assert first == identity(user_module, source, my_rules="# why\n" + rules, my_tables="TABLE = {'x': 1}")
    assert first != identity(user_module, source, my_rules=rules, my_tables="TABLE = {'x': 2}")
    assert first != identity(user_module, source, my_rules=rules + "\nextra = 1", my_tables="TABLE = {'x': 1}")


def test_a_module_imported_inside_its_body_matters_before_and_after_it_was_called(user_module: Write) -> None:
    source = "def f(text):\n    from my_late import answer\n    import json\n    return answer(text)\n"
    module = user_module(source, my_late="def answer(text): return 1")
    first = function_identity(module.f)
    assert module.f("x") == 1
    assert function_identity(module.f) == first
    assert identity(user_module, source, my_late="def answer(text): return 2") != first


def test_what_cannot_be_read_still_has_an_identity() -> None:
    space: dict[str, Any] = {}
    exec("import threading\nlock = threading.Lock()\ndef f(text):\n    with lock: return {'a', text}", space)
    assert function_identity(space["f"]) == function_identity(space["f"])
    loop: list[Any] = []

    class Node:
        def __init__(self) -> None:
            self.me = self
            self.loop = loop

        def __call__(self, text: str) -> int:
            return len(self.loop)

    assert len(function_identity(Node())) == 32
    assert len(function_identity(len)) == 32
    assert len(function_identity(str.upper)) == 32


def test_installed_packages_count_with_their_version_and_are_not_read(user_module: Write) -> None:
    import numpy

    module = user_module("import numpy as np\nimport json\ndef f(text): return json.dumps(float(np.mean([1])))\n")
    assert packages_of(module.f) == {"numpy": numpy.__version__}


def test_a_name_is_no_part_of_it(user_module: Write) -> None:
    f = user_module(BASE).f
    assert from_function(f, "a").identity == from_function(f, "b").identity == function_identity(f)
