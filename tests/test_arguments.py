"""What a public function may be given: a value that its annotation does not allow is refused, whatever it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

import suffice as sf
from suffice.arguments import AnyPath, Rule, check_fields, is_path, validated
from suffice.errors import DataError, SufficeError, UsageError
from suffice.evals.graders.grader import Grader
from suffice.ladder.rung import Rung
from suffice.values import Case, Score

VALUES: list[Any] = [None, True, 3, "x", b"x", [], {}, object()]
LONG = "a" * 100_000
VARIOUS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
TASK = sf.Task([{"text": f"word{i % 2} of {i}", "label": "ab"[i % 2]} for i in range(40)])
CASE = Case("c1", "in", "a", "c1", "t.csv:2", "k", "h")


@sf.step
async def asked(text: str) -> str:
    """Answer."""
    ...


def scored(output: Any, case: Case) -> bool:
    """Right."""
    return True


async def fitted(task: Any, cases: Any) -> Any:
    """What a rung makes."""
    return None


SAMPLES: Mapping[str, Any] = {
    "fn": scored,
    "fit": fitted,
    "kind": "text",
    "name": "exact",
    "task": TASK,
    "base": asked,
    "path": "nowhere.csv",
    "text": "constant",
    "solution": scored,
    "thing": scored,
    "variants": scored,
    "program": scored,
}
"""A value of the right type for each parameter that must be given."""


def public(module: Any, *places: str) -> list[tuple[str, Callable[..., Any]]]:
    """Every function and class of a module that is there for its users."""
    found = vars(module).items()
    own = [(n, f) for n, f in found if callable(f) and getattr(f, "__module__", "").startswith(places)]
    return [(n, f) for n, f in own if not n.startswith("_") and n != "Kind"]


def calls(module: Any, *places: str) -> list[Any]:
    """Each parameter of each of them."""
    functions = public(module, *places)
    return [
        pytest.param(f, name, id=f"{n}-{name}")
        for n, f in functions
        for name, p in inspect.signature(f).parameters.items()
        if p.kind is not p.VAR_KEYWORD
    ]


def called(function: Callable[..., Any], parameter: str, value: Any) -> Any:
    """What it makes of the value, all else being right."""
    known = inspect.signature(function).parameters
    needed = {n: SAMPLES[n] for n, p in known.items() if p.default is p.empty and p.kind not in VARIOUS}
    if known[parameter].kind is inspect.Parameter.VAR_POSITIONAL:
        return function(*needed.values(), value, SAMPLES[parameter])
    return function(**{**needed, parameter: value})


def used(made: Any) -> None:
    """The first use of a grader or rung."""
    if isinstance(made, Grader):
        made("a", CASE)
    elif isinstance(made, Rung) and made.unsuited(TASK) is None and not made.asks and made.fit is not fitted:
        sf.run(made.fit(TASK, TASK.train))


@pytest.mark.parametrize(
    ("function", "parameter"),
    calls(sf.grade, "suffice.evals.grade", "suffice.evals.graders") + calls(sf.rung, "suffice.ladder.rung"),
)
def test_whatever_an_argument_is_the_call_works_or_is_refused(function: Callable[..., Any], parameter: str) -> None:
    for value in [*VALUES, LONG, "nul\0"]:
        try:
            made = called(function, parameter, value)
            if not (function in (Grader, Rung) and callable(value)):
                used(made)
        except SufficeError as error:
            assert len(str(error)) < 1000
            assert error.hint or not isinstance(error, UsageError)


@pytest.mark.parametrize(
    "call",
    [
        lambda: sf.load(None),  # type: ignore[arg-type]
        lambda: sf.load(3),  # type: ignore[arg-type]
        lambda: sf.load(LONG),
        lambda: sf.load("nul\0"),
        lambda: sf.load("\ud800"),
        lambda: sf.Task.load(None),  # type: ignore[arg-type]
        lambda: sf.Task.load(LONG),
        lambda: sf.Task.load("nul\0.csv"),
        lambda: sf.Task.load("folder/" * 2000),
        lambda: sf.Task([{"a": 1, "label": "b"}], output={}),
        lambda: sf.Task([{"a": 1, "label": "b"}], output=3),
        lambda: sf.Task([{"a": 1, "label": "b"}], output=[]),
        lambda: sf.Task([{"a": 1, "label": "b"}], output=object()),
        lambda: sf.route(scored, thresholds=3),  # type: ignore[arg-type]
        lambda: sf.route(scored, thresholds="x"),  # type: ignore[arg-type]
        lambda: sf.route(scored, thresholds=["x"]),  # type: ignore[list-item]
        lambda: sf.route(scored, thresholds=[True]),
        lambda: sf.route(scored, thresholds=[1.5]),
        lambda: sf.route(3),
        lambda: sf.rung.replay(LONG),
        lambda: sf.rung.rules(file=LONG),
        lambda: sf.grade.sql("nul\0"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_type(call: Callable[[], Any]) -> None:
    with pytest.raises(SufficeError) as caught:
        call()
    assert caught.value.hint
    assert len(str(caught.value)) < 1000


@validated
def function(
    one: int = 1,
    *,
    word: Literal["red", "green", "blue"] = "red",
    texts: Sequence[str] | None = None,
    table: Mapping[str, Annotated[float, Rule(lambda v: v > 0, "more than 0", "table={'a': 1}")]] | None = None,
    file: AnyPath = "x",
) -> int:
    """A function."""
    return one


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"one": True}, "one is a whole number, not True\nhint: function(one=1, *, word='red', "),
        ({"one": "x"}, "one is a whole number, not 'x'"),
        ({"word": "gren"}, 'word is "red", "green" or "blue", not \'gren\'\nhint: did you mean green?'),
        ({"texts": "abc"}, "texts is a list, or None, not 'abc'"),
        ({"texts": ["a", 3]}, "texts[1] is a text, not 3"),
        ({"table": {3: 1}}, "each name in table is a text, not 3"),
        ({"table": {"b": -1}}, "table['b'] is more than 0, not -1\nhint: table={'a': 1}"),
        ({"file": b"x"}, "file is the path of a file or folder, not such a value of type bytes"),
    ],
)
def test_a_refusal_names_the_place_and_what_may_stand_there(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        function(**arguments)
    assert str(caught.value).startswith(said)


def test_what_an_annotation_allows_reaches_the_function_as_it_was() -> None:
    assert function(7, word="blue", texts=("a",), table={"a": 2.0}, file="x") == 7
    with pytest.raises(TypeError, match="unexpected"):
        function(other=1)  # type: ignore[call-arg]


NAN, INF, HUGE = float("nan"), float("inf"), 10**400
WRONG: Sequence[Callable[[], Any]] = (
    *[lambda value=value: sf.sequential.claim(bar=value) for value in (None, "x", NAN, HUGE)],
    *[lambda value=value: sf.sequential.claim(0.9, tolerance=value) for value in (None, "x", NAN, HUGE)],
    *[lambda value=value: sf.sequential.claim(0.9, of=value) for value in (NAN, INF, HUGE, 0, "x", 2.5)],
    *[lambda value=value: sf.sequential.claim(0.9, error=value) for value in (None, 0, NAN)],
    *[lambda value=value: sf.sequential.claim(0.9, of=1, judge=value) for value in (None, ["x"], [2.0], 3)],
    *[lambda value=value: sf.sequential.claim(0.9, 0.1).add(value) for value in (None, "1", NAN, HUGE, [1], 1 + 0j)],
    lambda: sf.sequential.claim(0.9, judge=True).add(1.0, judge=0.5, unlabelled=None),  # type: ignore[arg-type]
    *[lambda value=value: sf.sequential.claim(0.9).bounds(value) for value in (None, 0, 1, NAN)],
    *[lambda value=value: sf.sequential.bounds(value) for value in ([{}], [HUGE], 0, None, "1", ["1"], {"a": 1})],
    *[lambda value=value: sf.sequential.bounds([1.0], value) for value in (None, 1.5)],
    *[lambda value=value: sf.agent(tools=value) for value in (None, 3, "look_up", {})],
    *[lambda value=value: sf.step(template=value) for value in (0, b"x", [], False)],
    *[lambda value=value: sf.run(sf.evaluate(TASK, scored, store=value)) for value in (-1, "a\0b", b"x", True)],
    *[lambda value=value: sf.models.record(value) for value in (None, 3, "a\0b")],
    *[lambda value=value: sf.models.replay(value) for value in (None, 3, "a\0b")],
    *[lambda value=value: sf.durable.status(value) for value in (None, ["x"], HUGE, "\ud800", "", "a" * 300)],
    *[lambda value=value: sf.durable.answer(value, "yes") for value in (None, ["x"], HUGE, "\ud800")],
    *[lambda value=value: sf.durable.answer("x", value) for value in (None, ["x"], HUGE)],
    *[lambda value=value: sf.run(sf.durable.run(scored, id=value)) for value in (None, ["x"], HUGE, "\ud800")],
    lambda: sf.durable.questions(store=-1),  # type: ignore[arg-type]
)


def test_what_is_of_a_wrong_type_is_refused_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, wrong in enumerate(WRONG):
        with pytest.raises(UsageError) as caught:
            wrong()
        assert caught.value.hint, f"{number}: {caught.value}"


def test_a_score_may_be_a_bool_or_of_numpy() -> None:
    scored = sf.sequential.claim(0.9, 0.1)
    for score in (True, np.float32(1.0), np.int64(1), np.bool_(True)):
        scored.add(score)  # type: ignore[arg-type]
    assert scored.n == 4
    assert sf.sequential.bounds(np.array([1, 0, 1])) == sf.sequential.bounds([1.0, 0.0, 1.0])  # type: ignore[arg-type]


def test_a_folder_of_databases_is_looked_at_no_deeper_than_a_case_can_name_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no database in this folder"):
        sf.grade.sql(tmp_path)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "b.sqlite").write_bytes(b"x")
    with pytest.raises(DataError, match="there is no database in this folder"):
        sf.grade.sql(tmp_path)
    (tmp_path / "a" / "a.sqlite").write_bytes(b"x")
    assert sf.grade.sql(tmp_path).name == "sql"


def test_a_grader_of_ones_own_is_checked_like_any_call() -> None:
    made = Grader("mine", lambda output, case: Score(1.0))
    check_fields(made)
    with pytest.raises(UsageError, match="graded is True or False, not 'no'"):
        Grader("mine", made.fn, graded="no")  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", ".", "a/b.csv", "ü.csv", "a" * 255, "/".join(["abc"] * 1000)])
def test_a_path_that_a_system_takes_is_a_path(path: str) -> None:
    assert is_path(path)


@pytest.mark.parametrize("path", ["\0", "a\0b", "a" * 256, "ü" * 128, "a/" * 3000, "\ud800", b"a", None, 3])
def test_what_no_system_takes_is_none(path: Any) -> None:
    assert not is_path(path)
