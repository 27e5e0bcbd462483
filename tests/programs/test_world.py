"""Worlds: a fresh state each trial, what a program left there as its answer, the person asked, an honest identity."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from upstream_faults import Ok, first

import suffice as sf
from suffice.errors import SolutionError, UsageError
from suffice.programs.agent import agent
from suffice.programs.asking import ask_human
from suffice.programs.identity import identity_of
from suffice.programs.solution import attempt, from_function
from suffice.programs.trial import in_trial
from suffice.programs.workflow.chain import chain
from suffice.programs.world import UNKNOWN, World, as_it_is
from suffice.store import effects
from suffice.values import ABSTAIN, Answer, Case
from upstream import upstream


@dataclass
class Shop:
    """Two orders, and what was done."""

    paid: dict[str, float] = field(default_factory=lambda: {"a1": 20.0, "b2": 80.0})
    refunded: dict[str, float] = field(default_factory=dict[str, float])
    known: str = ""


def tools(shop: Shop) -> list[Callable[..., Any]]:
    def look_up(order: str) -> float:
        """What was paid for an order."""
        return shop.paid[order]

    def refund(order: str, amount: float) -> str:
        """Pay back."""
        shop.refunded[order] = shop.refunded.get(order, 0) + amount
        return "done"

    return [look_up, refund]


def too_much(shop: Shop) -> list[str]:
    return [f"refunded more than was paid for {o}" for o, paid in shop.refunded.items() if paid > shop.paid[o]]


def who(shop: Shop, question: str, choices: tuple[str, ...]) -> str | None:
    return shop.known if shop.known and "order" in question.lower() else None


def start(inputs: Any) -> Shop:
    return Shop(known=inputs["known"])


WORLD = World(start, tools, lambda s: s.refunded, too_much, who, told=lambda inputs: inputs["message"])


def by_name(given: Any) -> dict[str, Any]:
    return {tool.name: tool for tool in given}


def careful(given: Any) -> Callable[..., Any]:
    """Refunds the order that is named, and asks where none is."""
    tool = by_name(given)

    async def settle(message: str) -> str:
        order = next((word for word in message.split() if word in ("a1", "b2")), None)
        order = order or await ask_human("Which order is it?")
        if order == UNKNOWN:
            return "kept"
        return await tool["refund"](order, await tool["look_up"](order))

    return settle


def case(message: str, known: str = "") -> dict[str, str]:
    return {"message": message, "known": known}


def left(solution: Any, inputs: Any) -> Any:
    return sf.run(from_function(solution)(**inputs))


def test_the_answer_is_what_became_of_the_world() -> None:
    desk = WORLD.solution(careful, name="desk")
    want = {"answer": "done", "final": {"a1": 20.0}, "violations": [], "questions": []}
    assert left(desk, case("refund a1")) == want
    assert sf.run(desk(**case("refund a1"))) == want  # as it is, too
    assert from_function(desk).name == "desk"


def test_a_program_is_told_only_what_the_world_says_and_the_person_knows_the_rest() -> None:
    told: list[Any] = []

    def make(given: Any) -> Callable[..., Any]:
        settle = careful(given)

        async def program(message: str) -> str:
            told.append(message)
            return await settle(message)

        return program

    found = left(WORLD.solution(make), case("refund my order", known="b2"))
    assert told == ["refund my order"]
    assert found["final"] == {"b2": 80.0}
    assert found["questions"] == [{"question": "Which order is it?", "choices": [], "answer": "b2"}]


def test_a_person_who_does_not_know_says_so() -> None:
    found = left(WORLD.solution(careful), case("refund my order"))
    assert found["answer"] == "kept" and found["questions"][0]["answer"] is None


def test_rules_that_were_broken_are_named() -> None:
    def generous(given: Any) -> Callable[..., Any]:
        async def program(message: str) -> str:
            return await by_name(given)["refund"]("a1", 500)

        return program

    assert left(WORLD.solution(generous), case("a1"))["violations"] == ["refunded more than was paid for a1"]
    one = replace(WORLD, violations=lambda state: "just one rule")
    assert left(one.solution(generous), case("a1"))["violations"] == ["just one rule"]


def test_each_trial_has_a_state_of_its_own_also_where_start_hands_out_what_it_keeps() -> None:
    kept = {"refunds": [1]}
    world = World(lambda inputs: kept, lambda state: [_adding(state)])

    def make(given: Any) -> Callable[..., Any]:
        async def program(n: int) -> None:
            await given[0](n)

        return program

    solution = from_function(world.solution(make))

    async def side_by_side() -> list[Any]:
        return await asyncio.gather(*(solution(n) for n in range(5)))

    assert [one["final"]["refunds"] for one in sf.run(side_by_side())] == [[1, n] for n in range(5)]
    assert kept == {"refunds": [1]}


def _adding(state: Any) -> Callable[..., Any]:
    def add(n: int) -> None:
        """Add."""
        state["refunds"].append(n)

    return add


def test_neither_the_program_nor_the_world_changes_the_inputs_of_the_case() -> None:
    def emptied(inputs: Any) -> Any:
        return inputs.pop("known")

    world = World(emptied, lambda state: [])

    def make(given: Any) -> Callable[..., Any]:
        async def program(**inputs: Any) -> None:
            inputs["message"].append("more")

        return program

    inputs: dict[str, Any] = {"message": ["hello"], "known": "b2"}
    assert left(world.solution(make), inputs)["final"] == "b2"
    assert inputs == {"message": ["hello"], "known": "b2"}


def test_a_state_that_cannot_be_copied_is_taken_as_it_is() -> None:
    def connected(inputs: Any) -> sqlite3.Connection:
        made = sqlite3.connect(":memory:", check_same_thread=False)
        made.execute("CREATE TABLE t (n)")
        return made

    def writing(state: sqlite3.Connection) -> list[Callable[..., Any]]:
        def add(n: int) -> None:
            """Add."""
            state.execute("INSERT INTO t VALUES (?)", (n,))

        return [add]

    world = World(connected, writing, lambda s: s.execute("SELECT count(*) FROM t").fetchone()[0])

    def make(given: Any) -> Callable[..., Any]:
        async def program(n: int) -> None:
            await given[0](n)

        return program

    assert [left(world.solution(make), {"n": 1})["final"] for _ in range(2)] == [1, 1]


def test_a_case_is_handed_on_only_where_the_world_is_as_it_was() -> None:
    def shy(given: Any) -> Callable[..., Any]:
        async def program(message: str) -> Any:
            if "b2" in message:
                await by_name(given)["refund"]("b2", 1)
            return ABSTAIN

        return program

    assert left(WORLD.solution(shy), case("a1")) is ABSTAIN
    changed = left(WORLD.solution(shy), case("b2"))
    assert changed["answer"] == {"abstain": True} and changed["final"] == {"b2": 1}


def test_what_the_program_raises_is_a_failed_call() -> None:
    def broken(given: Any) -> Callable[..., Any]:
        def program(message: str) -> str:
            raise KeyError(message)

        return program

    answer, failure = sf.run(attempt(from_function(WORLD.solution(broken)), case("a1"), None))
    assert answer is None and failure is not None and failure.kind == "raised" and "KeyError" in failure.message


@pytest.mark.parametrize("said", [7, "perhaps"])
def test_a_person_who_answers_what_cannot_be_fails_the_trial_whatever_the_program_makes_of_it(said: Any) -> None:
    world = World(lambda inputs: {}, lambda state: [], person=lambda state, question, choices: said)

    def make(given: Any) -> Callable[..., Any]:
        async def program(text: str) -> str:
            try:
                return await ask_human("Sure?", ["yes", "no"])
            except Exception:
                return "no"

        return program

    _, failure = sf.run(attempt(from_function(world.solution(make)), "x", None))
    assert failure is not None and "the world's person said" in failure.message


def test_a_person_may_be_async_and_the_confidence_of_the_program_is_kept() -> None:
    async def person(state: Any, question: str, choices: tuple[str, ...]) -> str:
        return choices[-1]

    def make(given: Any) -> Callable[..., Any]:
        async def program(text: str) -> Answer:
            return Answer(await ask_human("Sure?", ["yes", "no"]), 0.7)

        return program

    solution = from_function(World(lambda i: {}, lambda s: [], person=person).solution(make))
    answer = sf.run(solution.reply("x"))
    assert answer.confidence == 0.7 and answer.value["answer"] == "no"


def test_calls_at_once_are_done_one_by_one_in_the_order_in_which_they_were_asked_for() -> None:
    running: set[int] = set()

    def slow(state: list[int]) -> list[Callable[..., Any]]:
        def put(n: int) -> None:
            """Put."""
            running.add(threading.get_ident())
            assert len(running) == 1
            time.sleep(0.02 / n)
            state.append(n)
            running.clear()

        return [put]

    def make(given: Any) -> Callable[..., Any]:
        async def program(text: str) -> None:
            await asyncio.gather(*(given[0](n) for n in (1, 2, 3)))

        return program

    assert left(World(lambda i: [], slow).solution(make), {"text": "x"})["final"] == [1, 2, 3]


class Till:
    """A state whose methods are its tools."""

    def __init__(self) -> None:
        self.cents = 0

    def pay(self, cents: int) -> int:
        """Pay."""
        self.cents += cents
        return self.cents


@pytest.mark.parametrize(("ask", "score"), [(False, 1.0), (True, 0.0)])
def test_methods_are_tools_and_a_permission_is_no_question_to_the_person(ask: bool, score: float) -> None:
    world = World(
        lambda inputs: Till(),
        lambda till: [sf.tool(permission="ask")(till.pay)],
        final=lambda till: till.cents,
        person=lambda till, question, choices: "no",
    )
    turns = (Ok(tools=(("pay", '{"cents": 5}'), ("pay", '{"cents": 7}'))), Ok("Paid."))
    with upstream(first(*turns)) as up:
        model = sf.Model(f"{up.url}#m")
        found = left(world.solution(lambda given: agent(model, tools=given)), {"text": "pay"})
    assert found["final"] == 12 and found["questions"] == []
    case = Case("c1", "pay", {"final": 12, "ask": ask}, "c1", "t.csv:2", "k", "h")
    assert sf.grade.world()(found, case).value == score


def test_inputs_that_are_no_case_are_refused() -> None:
    desk = WORLD.solution(careful)
    with pytest.raises(UsageError, match="`start` of the world cannot read these inputs as a case: TypeError: string"):
        sf.run(desk("refund my order"))
    with pytest.raises(UsageError, match=r"`told` of the world cannot read .* KeyError: 'message'"):
        sf.run(desk(known="b2"))


def test_a_tool_may_call_another() -> None:
    def nested(state: list[str]) -> list[Callable[..., Any]]:
        @sf.tool
        async def inner() -> None:
            """Inner."""
            state.append("inner")

        @sf.tool
        async def outer() -> None:
            """Outer."""
            await turned["inner"]()
            state.append("outer")

        return [inner, outer]

    turned: dict[str, Any] = {}

    def make(given: Any) -> Callable[..., Any]:
        turned.update(by_name(given))

        async def program(text: str) -> None:
            await given[1]()

        return program

    async def soon() -> Any:
        async with asyncio.timeout(5):
            return await from_function(World(lambda i: [], nested).solution(make))("x")

    assert sf.run(soon())["final"] == ["inner", "outer"]


def test_an_agent_works_in_a_world_and_asks_its_person() -> None:
    turns = (
        Ok(tool=("ask_human", '{"question": "Which order, please?"}')),
        Ok(tool=("look_up", '{"order": "b2"}')),
        Ok(tool=("refund", '{"order": "b2", "amount": 80}')),
        Ok("It is paid back."),
    )
    with upstream(first(*turns)) as up:
        model = sf.Model(f"{up.url}#m")
        desk = WORLD.solution(lambda given: agent(model, tools=[*given, ask_human]))
        found = left(desk, case("refund my order", known="b2"))
    assert found["final"] == {"b2": 80.0} and found["answer"] == "It is paid back."
    assert found["questions"] == [{"question": "Which order, please?", "choices": [], "answer": "b2"}]


def test_the_model_that_holds_around_is_settled_with_the_solution() -> None:
    with upstream(lambda asked: Ok("kept")) as up:
        a, b = sf.Model(f"{up.url}#a"), sf.Model(f"{up.url}#b")
        desk = WORLD.solution(lambda given: agent(tools=given))
        with sf.using(model=a):
            first_one = from_function(desk)
        with sf.using(model=b):
            second = from_function(desk)
            sf.run(first_one(**case("hello")))
        assert up.log.asked[-1].said["model"] == "a"
        assert first_one.identity != second.identity


def test_workflows_and_solutions_are_programs_too() -> None:
    def answering(message: str) -> str:
        return "kept"

    for make in (lambda given: chain(answering), lambda given: from_function(answering), lambda given: answering):
        assert left(WORLD.solution(make), case("a1"))["answer"] == "kept"


def test_the_identity_changes_with_the_world_and_with_the_program() -> None:
    def names(solution: Any) -> str:
        return from_function(solution).identity

    def other_tools(shop: Shop) -> list[Callable[..., Any]]:
        return tools(shop)[:1]

    def other(given: Any) -> Callable[..., Any]:
        return careful(given[:1])

    plain = names(WORLD.solution(careful))
    assert plain == names(World(*WORLD.made_of).solution(careful, name="another name"))
    changed = [
        World(start, other_tools, *WORLD.made_of[2:]),
        World(start, tools, lambda s: s.paid, *WORLD.made_of[3:]),
        World(*WORLD.made_of[:3], lambda s: [], who),
        World(*WORLD.made_of[:4], lambda s, q, c: "a1"),
        World(*WORLD.made_of[:5], told=lambda inputs: inputs),
    ]
    found = [names(one.solution(careful)) for one in changed]
    assert len({plain, names(WORLD.solution(other)), *found}) == 7
    assert identity_of(WORLD) != identity_of(changed[0])


class Item(BaseModel):
    tags: set[str]


def test_states_have_one_form_as_json() -> None:
    assert as_it_is({"items": (Item(tags={"b", "a"}),), 1: Shop(known="x").refunded}) == {
        "items": [{"tags": ["a", "b"]}],
        "1": {},
    }
    with pytest.raises(UsageError, match="a state holds a object, which has no JSON form"):
        as_it_is([object()])


def test_a_state_without_a_json_form_is_refused_before_the_program_runs() -> None:
    made: list[Any] = []
    world = World(lambda inputs: object(), lambda state: [])
    with pytest.raises(UsageError, match="has no JSON form"):
        left(world.solution(lambda given: made.append(given)), {"text": "x"})
    assert not made


@pytest.mark.parametrize("wrong", [{"start": 7}, {"tools": []}, {"person": "yes"}])
def test_what_is_no_world_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is a function"):
        World(**{"start": start, "tools": tools, **wrong})


def test_a_durable_run_is_refused(tmp_path: Path) -> None:
    desk = WORLD.solution(careful)

    async def program(message: str) -> Any:
        return await desk(**case(message))

    with pytest.raises(UsageError, match="no durable run can go on in it"):
        sf.run(sf.durable.run(program, "a1", id="one", store=tmp_path))
    assert effects.durable_run() is None


@pytest.mark.parametrize("swallows", [False, True])
def test_a_durable_run_inside_is_refused_where_the_solution_is_called_by_hand(tmp_path: Path, swallows: bool) -> None:
    refused: list[UsageError] = []

    def make(given: Any) -> Callable[..., Any]:
        async def pay(message: str) -> Any:
            return await by_name(given)["refund"](message, 1.0)

        async def program(message: str) -> Any:
            try:
                return await sf.durable.run(pay, message, id="one", store=tmp_path)
            except UsageError as error:
                refused.append(error)
                if not swallows:
                    raise
                return "refused"

        return program

    desk = WORLD.solution(make)
    for _ in range(2):
        if swallows:
            assert sf.run(desk(**case("a1")))["final"] == {}
        else:
            with pytest.raises(UsageError, match="world"):
                sf.run(desk(**case("a1")))
    assert len(refused) == 2 and "world" in refused[0].message and refused[0].hint
    assert not in_trial()


def test_what_runs_in_a_trial_knows_it_in_its_threads_too_and_nothing_does_after_it() -> None:
    def make(given: Any) -> Callable[..., Any]:
        def program(message: str) -> bool:  # on a thread
            return in_trial()

        return program

    assert not in_trial()
    assert sf.run(WORLD.solution(make)(**case("a1")))["answer"] is True
    assert not in_trial()


def test_a_world_says_that_its_solution_is_for_judging_where_it_is_to_be_saved() -> None:
    with pytest.raises(SolutionError, match="desk cannot be saved: a world's solution is for judging") as caught:
        WORLD.solution(careful, name="desk").check_saved("desk")
    assert caught.value.hint is not None and "save the program itself" in caught.value.hint


def rows(n: int) -> list[dict[str, Any]]:
    """Refunds of an order that is named, or known to the person alone."""
    return [
        {
            "message": f"customer {i}: refund {'my order' if i % 3 == 0 else 'b2'}",
            "known": "b2",
            "expected": {"final": {"b2": 80.0}, "ask": ["order"] if i % 3 == 0 else False},
        }
        for i in range(n)
    ]


def test_an_evaluation_records_trials_and_asks_for_none_twice(tmp_path: Path) -> None:
    task = sf.Task(rows(60), inputs=["message", "known"], grader=sf.grade.world())
    begun = tmp_path / "begun"  # what a function closes over is part of it, so a list that grows would not do

    def counted(inputs: Any) -> Shop:
        with begun.open("a") as file:
            file.write("begun\n")
        return start(inputs)

    world = World(counted, *WORLD.made_of[1:])
    report, again = (sf.run(sf.evaluate(task, world.solution(careful), repeats=2, store=tmp_path)) for _ in range(2))
    assert report.score == again.score == 1 and len(begun.read_text().split()) == 2 * report.n
    assert all(o.answer is not None and o.answer.value["final"] == {"b2": 80.0} for o in report.outcomes)


def test_a_climb_decides_on_a_program_in_a_world(tmp_path: Path) -> None:
    task = sf.Task(rows(200), inputs=["message", "known"], grader=sf.grade.world())

    def guessing(given: Any) -> Callable[..., Any]:
        async def program(message: str) -> str:
            return await by_name(given)["refund"]("b2", 80)

        return program

    ladder = [WORLD.solution(guessing, name="guessing"), WORLD.solution(careful, name="asking")]
    decision = sf.run(sf.climb(task, ladder, bar=0.9, store=tmp_path))
    assert decision.verdict == "PASS" and "`asking` suffices" in decision.sentence
