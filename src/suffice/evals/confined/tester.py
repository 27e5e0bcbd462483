"""Inside, apart from the program: runs the tests and asks the program's process for every call of its functions."""

from __future__ import annotations

import builtins
import json
import linecache
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Final, cast

from suffice.evals.confined.plain import from_plain, receive, send, to_plain
from suffice.evals.confined.worker import OPERATIONS

TESTS: Final = "the tests"


class ProgramEnded(BaseException):
    """The program's process is gone, or answers with what is no answer. No test can catch it as an Exception."""


class ProgramError(Exception):
    """An exception of the program of a type that is not built in."""


class Program:
    """The program's process, as the tests ask it."""

    def __init__(self, asked: BinaryIO, answered: BinaryIO) -> None:
        self.asked, self.answered = asked, answered
        self.names: frozenset[str] = frozenset()
        self.raised: dict[int, int] = {}  # lines of the program, by the id of the exception

    def start(self, source: str) -> None:
        """Run the program itself. Raises what it raises."""
        names: Any = self._exchange({"program": source}).get("names")
        self.names = frozenset(map(str, cast("list[Any]", names))) if isinstance(names, list) else frozenset()

    def ask(self, do: str, of: Any, *args: Any, **named: Any) -> Any:
        """One operation on a thing of the program. Raises what it raises; arguments that it changes are changed."""
        request = {"do": do, "of": of, "args": to_plain(list(args), _given), "named": to_plain(named, _given)}
        reply = self._exchange(request)
        try:
            for place, form in dict(reply.get("changed") or {}).items():
                _replace(args[int(place)], from_plain(form, self._thing))
            return from_plain(reply.get("value"), self._thing)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
            raise ProgramEnded(f"the program's process gave no answer: {error}") from None

    def thing(self, name: str) -> Thing:
        """A global name of the program."""
        return Thing(self, {"t": "ref", "v": name})

    def _thing(self, form: dict[str, Any]) -> Thing:
        return Thing(self, {"t": "ref", "v": int(form["v"])}, str(form.get("name")))

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            send(self.asked, message)
            reply = receive(self.answered)
        except (OSError, ValueError) as error:
            reason = "it is gone" if isinstance(error, OSError) else str(error)
            raise ProgramEnded(f"the program's process gave no answer: {reason}") from None
        if reply is None:
            raise ProgramEnded("the program ended before its tests did")
        if "raised" in reply:
            self._raise(str(reply["raised"])[:80], str(reply.get("said"))[:300], reply.get("line"))
        return reply

    def _raise(self, name: str, said: str, line: Any) -> None:
        if name == "SystemExit":
            raise ProgramEnded("the program called exit")
        kind: Any = getattr(builtins, name, None)
        known = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError)
        error = cast("Exception", kind(said)) if known else ProgramError(f"{name}: {said}")
        if isinstance(line, int):
            self.raised[id(error)] = line
        raise error


def _given(value: Any) -> Any:
    """What stands for an argument that is no plain data: only what came from the program can go there again."""
    if isinstance(value, Thing):
        return cast("dict[str, Any]", value.__dict__["_ref"])
    raise TypeError(f"a {type(value).__name__} of the tests cannot be handed to the program: only plain data can")


def _replace(old: Any, new: Any) -> None:
    """An argument that the program changed, changed in place."""
    if isinstance(old, list | bytearray):
        old[:] = new
    else:
        old.clear()
        old.update(new)


class Thing:
    """An object of the program that is no plain data: what is done to it is done there.

    It equals another such object if the program says so, and plain data never: the tests decide what is right.
    """

    def __init__(self, program: Program, ref: Any, kind: str = "object") -> None:
        self.__dict__.update(_program=program, _ref=ref, _kind=kind)

    def __getattr__(self, name: str) -> Any:
        return self._program.ask("attribute", self._ref, name)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._program.ask("call", self._ref, *args, **named)

    def __eq__(self, other: object) -> Any:
        return isinstance(other, Thing) and self._program.ask("eq", self._ref, other) is True

    def __hash__(self) -> int:
        return int(self._program.ask("hash", self._ref))

    def __bool__(self) -> bool:
        return self._program.ask("bool", self._ref) is True

    def __repr__(self) -> str:
        return str(self._program.ask("repr", self._ref))[:300]


def _method(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any) -> Any:
        return self._program.ask(name, self._ref, *args)

    return method


for _name in OPERATIONS.keys() - {"call", "attribute", "eq", "hash", "bool", "repr"}:
    setattr(Thing, f"__{_name.strip('_')}__", _method(_name))


class _Names(dict[str, Any]):
    """The global names of the tests; those they lack and Python lacks are the program's."""

    def __init__(self, program: Program, candidate: str) -> None:
        super().__init__(__name__="tests")
        self.program, self.candidate = program, candidate

    def __missing__(self, name: str) -> Any:
        if name == "candidate" and self.candidate:
            name = self.candidate
        if name not in self.program.names or hasattr(builtins, name):
            raise KeyError(name)
        return self.program.thing(name)


@dataclass(frozen=True)
class _Defined:
    """The tests that a text has defined."""

    tests: list[Callable[[], Any]]


def main(asked: str, answered: str) -> None:
    """Read {"program", "tests", "entry"} from stdin, say {"passed", "total", "fault"} on stdout."""
    told = json.loads(sys.stdin.buffer.read())
    results = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    program = Program(os.fdopen(int(asked), "wb"), os.fdopen(int(answered), "rb"))
    send(results, tested(program, told["program"], told["tests"], told["entry"]))
    results.close()
    os._exit(0)  # what the tests left behind is not waited for


def tested(program: Program, source: str, tests: list[str], entry: str) -> dict[str, Any]:
    """How many of the tests pass, and what is wrong with the first that does not."""
    passed = total = 0
    fault = ""
    try:
        program.start(source)
        if entry and entry not in program.names:
            return {"passed": 0, "total": max(1, len(tests)), "fault": f"the program has no {entry}"}
    except BaseException as error:  # noqa: B036 - the program's fault, whatever it is
        return {"passed": 0, "total": max(1, len(tests)), "fault": _told(program, error)}
    for test in tests:
        names = _Names(program, entry)
        waiting: list[Callable[[], Any]] = [lambda test=test, names=names: _execute(test, names)]
        while waiting:
            total += 1
            try:
                more = waiting.pop(0)()
                if isinstance(more, _Defined):  # a text that defines tests is none itself
                    waiting += more.tests
                    total -= bool(more.tests)
                    passed += not more.tests
                else:
                    passed += 1
            except BaseException as error:  # noqa: B036 - SystemExit of a test is a fault as well
                fault = fault or _told(program, error)
    return {"passed": passed, "total": total, "fault": fault}


def _execute(test: str, names: _Names) -> _Defined:
    """Run the text of a test; what is given back are the tests it defines: `check`, test_ functions, TestCases."""
    linecache.cache[TESTS] = (len(test), None, test.splitlines(keepends=True), TESTS)
    exec(compile(test, TESTS, "exec"), names)
    found: list[Callable[[], Any]] = []
    for name, value in list(names.items()):
        thing: Any = value
        if _is_test_case(thing):
            found += _cases(thing)
        elif name.startswith("test_") and callable(thing):
            found.append(thing)
        elif name == "check" and callable(thing) and names.candidate:
            found.append(_checked(thing, names.program.thing(names.candidate)))
    return _Defined(found)


def _checked(check: Callable[[Any], Any], candidate: Thing) -> Callable[[], None]:
    def run() -> None:
        check(candidate)

    return run


def _is_test_case(thing: Any) -> bool:
    unittest: Any = sys.modules.get("unittest")  # heavy, and only there where a test has imported it
    return unittest is not None and isinstance(thing, type) and issubclass(thing, unittest.TestCase)


def _cases(kind: Any) -> list[Callable[[], Any]]:
    """Each test method of a TestCase as a test that raises what is wrong."""
    unittest: Any = sys.modules["unittest"]

    def running(one: Any) -> Callable[[], None]:
        def run() -> None:
            result = unittest.TestResult()
            one.run(result)
            if not result.wasSuccessful():
                faults = [text for _, text in (*result.errors, *result.failures)]
                raise AssertionError(faults[0].strip().splitlines()[-1][:300] if faults else "failed")

        return run

    return [running(one) for one in unittest.defaultTestLoader.loadTestsFromTestCase(kind)]


def _told(program: Program, error: BaseException) -> str:
    """The last line of a traceback, and where it came from."""
    if isinstance(error, ProgramEnded):
        return str(error)
    own = isinstance(error, ProgramError)
    said = str(error) if own else traceback.format_exception_only(error)[-1].strip().splitlines()[0][:300]
    if (line := program.raised.get(id(error))) is not None:
        return f"{said} (line {line} of the program)"
    test = _test_line(error.__traceback__)
    return f"{said}: {test}" if test else said


def _test_line(trace: TracebackType | None) -> str:
    found = ""
    for frame, number in traceback.walk_tb(trace):
        if frame.f_code.co_filename == TESTS:
            found = linecache.getline(TESTS, number).strip()
    return found[:200]
