"""Durable runs: what was done is not done again, whatever ended the run; what goes another way is stopped."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from upstream_faults import Asked, Fault, Ok, Status, first

from suffice import Model, step
from suffice.errors import (
    BudgetError,
    JournalDiverged,
    NotDone,
    ServerError,
    StoreBusy,
    StoreError,
    UsageError,
    Waiting,
)
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.retry import Retry
from suffice.programs import durable
from suffice.programs.agent import agent
from suffice.programs.asking import answered_by, ask_human
from suffice.programs.tool import tool
from suffice.spans import span
from suffice.store.database import open_store
from suffice.store.effect_record import load
from suffice.store.forget import Forgotten, erase, forget_inputs, forget_older, forget_run
from suffice.store.traces import traces, tree_of_effects
from suffice.values import ABSTAIN, NO_COST
from upstream import upstream


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    return tmp_path / "store"


class Shop:
    """A world that counts what was done to it, with tools over it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails: dict[str, Exception | type[BaseException]] = {}

        @tool
        def look(order: int) -> dict[str, int]:
            """The order's total."""
            self.note(f"look {order}")
            return {"total": 2 * order}

        @tool(repeat="never")
        def refund(order: int) -> str:
            """Pay it back."""
            self.note(f"refund {order}")
            return f"refunded {order}"

        self.look, self.refund = look, refund

    def note(self, what: str) -> None:
        self.done.append(what)
        if what in self.fails:
            raise self.fails.pop(what)


def go(program: Callable[..., Any], *args: Any, id: str = "one", **options: Any) -> Any:
    return asyncio.run(durable.run(program, *args, id=id, **options))


def test_what_was_recorded_comes_back_in_its_order() -> None:
    """A program shows its order to a model: another one would be another request."""

    @tool
    def rental(number: int) -> dict[str, int]:
        """A rental."""
        return {"rental": number, "paid": 1, "bike": 2}

    heard: list[str] = []

    async def program() -> dict[str, str]:
        heard.append(str(await rental(7)))
        await ask_human("Is it fine?")
        return {"z": "last", "a": "first"}

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "yes")
    assert list(go(program)) == list(go(program)) == ["z", "a"]
    assert heard == ["{'rental': 7, 'paid': 1, 'bike': 2}"] * 2


def test_an_agent_goes_on_whatever_order_its_tools_and_arguments_have() -> None:
    paid: list[int] = []

    @tool
    def rental(number: int) -> dict[str, int]:
        """A rental."""
        return {"rental": number, "paid": 1, "bike": 2}

    @tool(permission="ask", repeat="never")
    def pay_back(rental: int, cents: int) -> str:
        """Pay it back."""
        paid.append(cents)
        return f"paid {cents}"

    def said(asked: Asked) -> Fault:
        results = [m for m in asked.said["messages"] if m["role"] == "tool"]
        if len(results) < 2:
            called = [("rental", '{"number": 7}'), ("pay_back", '{"rental": 7, "cents": 250}')]
            return Ok(tool=called[len(results)])
        return Ok("done")

    with upstream(said) as up:
        bot = agent(f"{up.url}#m", tools=[rental, pay_back], instructions="Help.")
        with pytest.raises(Waiting):
            go(bot, "my bike is broken")
        durable.answer("one", "yes")
        assert go(bot, "my bike is broken") == "done" and paid == [250]


def test_a_run_that_failed_goes_on_where_it_failed_and_a_finished_one_is_looked_up() -> None:
    shop = Shop()
    shop.fails["refund 7"] = NotDone("the bank is closed")

    async def program(order: int) -> str:
        found = await shop.look(order)
        return await shop.refund(order) + f" of {found['total']}"

    with pytest.raises(NotDone, match="bank"):
        go(program, 7)
    assert durable.status("one").state == "failed"
    assert go(program, 7) == "refunded 7 of 14"
    assert go(program, 7) == "refunded 7 of 14"
    assert shop.done == ["look 7", "refund 7", "refund 7"]
    assert durable.status("one").state == "done" and durable.status("program-1").id == "one"


def test_an_error_that_the_program_went_on_past_is_final() -> None:
    shop = Shop()
    shop.fails = {"look 1": LookupError("no such order"), "refund 9": NotDone("later")}

    async def program() -> str:
        try:
            await shop.look(1)
        except LookupError as error:
            return await shop.refund(9) + f" after {error}"
        return "found"

    with pytest.raises(NotDone, match="later"):
        go(program)
    assert go(program) == "refunded 9 after no such order"
    assert shop.done == ["look 1", "refund 9", "refund 9"]


def test_a_question_stops_the_run_until_it_is_answered() -> None:
    shop = Shop()

    async def program(order: int) -> str:
        await shop.look(order)
        return await shop.refund(order) if await ask_human(f"Refund {order}?", ["yes", "no"]) == "yes" else "kept"

    for _ in range(2):
        with pytest.raises(Waiting) as stop:
            go(program, 3, id="r3")
        assert (stop.value.question, stop.value.choices) == ("Refund 3?", ("yes", "no"))
    (waiting,) = durable.questions()
    assert (waiting.id, waiting.question, waiting.state) == ("r3", "Refund 3?", "waiting")
    with pytest.raises(UsageError, match="yes, no"):
        durable.answer("r3", "perhaps")
    assert durable.answer("r3", "no").state == "answered" and durable.questions() == []
    with pytest.raises(UsageError, match="yes, no"):
        durable.answer("r3", "perhaps")
    assert durable.answer("r3", "no").state == "answered"  # the same again changes nothing
    with pytest.raises(
        UsageError, match=r"Refund 3\? was already answered: no\nhint: suffice answer program-1 yes --rep"
    ):
        durable.answer("r3", "yes")
    durable.answer("r3", "yes", replace=True)  # it was mistyped, and nothing has come of it
    assert go(program, 3, id="r3") == "refunded 3"
    with pytest.raises(UsageError, match="asks nothing: it is done"):
        durable.answer("r3", "no")
    assert shop.done == ["look 3", "refund 3"]


def test_an_answer_does_not_land_on_another_question() -> None:
    async def program() -> list[str]:
        return [await ask_human("How many?"), await ask_human("For how much?")]

    with pytest.raises(Waiting):
        go(program)
    with pytest.raises(UsageError, match="none to replace"):
        durable.answer("one", "3", replace=True)
    durable.answer("one", "3")
    with pytest.raises(UsageError, match="already answered: 3"):
        durable.answer("one", "300")  # meant for the next question, which nobody asked yet
    with pytest.raises(Waiting, match="For how much"):
        go(program)
    with pytest.raises(UsageError, match="none to replace"):
        durable.answer("one", "4", replace=True)  # its program has read it
    durable.answer("one", "300")
    assert go(program) == ["3", "300"]


def test_of_questions_side_by_side_the_first_is_answered_and_the_last_answer_replaced() -> None:
    shop = Shop()

    async def program() -> list[Any]:
        return await asyncio.gather(ask_human("First?"), ask_human("Second?"), shop.look(1))

    with pytest.raises(Waiting):
        go(program)
    assert durable.answer("one", "a").question == "Second?"
    assert durable.answer("one", "b", replace=True).question == "Second?"
    assert durable.answer("one", "c").state == "answered"
    assert go(program) == ["b", "c", {"total": 2}]


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_answer_is_refused_unless_it_is_a_choice(text: str) -> None:
    async def program(choices: list[str]) -> str:
        return await ask_human("Which?", choices)

    for id, choices in (("one", []), ("two", ["a", text])):
        with pytest.raises(Waiting):
            go(program, choices, id=id)
    with pytest.raises(UsageError, match="empty"):
        durable.answer("one", text)
    durable.answer("two", text)
    assert go(program, ["a", text], id="two") == text


@pytest.mark.parametrize("way", ["by age", "by its id", "by its name"])
def test_a_forgotten_run_leaves_nothing_and_is_not_done_again(home: Path, way: str) -> None:
    shop = Shop()

    async def program(order: int, to: str) -> str:
        await shop.refund(order)
        return await ask_human(f"Tell {to}?") if order == 2 else f"told {to}"

    assert go(program, 1, "Frau Yilmaz") == "told Frau Yilmaz"
    with pytest.raises(Waiting):
        go(program, 2, "Frau Yilmaz", id="two")
    with open_store(home) as store:
        if way == "by age":
            assert forget_older(store, time.time() + 1, really=True).effects == 3
        else:
            names = ("one", "two") if way == "by its id" else ("program-1", "program-2")
            assert [forget_run(store, name, really=True) for name in names] == [
                Forgotten(effects=1, runs=1),
                Forgotten(effects=2, runs=1),
            ]
            assert forget_run(store, "one", really=True) == Forgotten()
        erase(store)
    assert all(b"Yilmaz" not in file.read_bytes() for file in home.iterdir())
    assert durable.questions() == [] and durable.status("two").state == durable.status("one").state == "forgotten"
    for order, id in ((1, "one"), (2, "two")):
        with pytest.raises(UsageError, match="forgotten.*\nhint: give a new run a new id"):
            go(program, order, "Frau Yilmaz", id=id)
    assert shop.done == ["refund 1", "refund 2"]
    with pytest.raises(UsageError, match="asks nothing: it is forgotten"):
        durable.answer("two", "yes")


def test_a_run_that_quotes_a_forgotten_case_goes_as_a_whole_and_others_stay(home: Path) -> None:
    """Without some of its effects it would do them again."""
    shop = Shop()

    async def program(name: str, order: int) -> str:
        await shop.refund(order)
        return await ask_human(f"Tell {name}?")

    for name, order in (("Frau Yilmaz", 1), ("Herr Kowalski", 2)):
        with pytest.raises(Waiting):
            go(program, name, order, id=name)
    with open_store(home) as store:
        assert forget_inputs(store, "00" * 16, ["Frau Yilmaz?"], lambda r: r, really=True) == Forgotten(
            effects=2, runs=1
        )
    assert [at.id for at in durable.questions()] == ["Herr Kowalski"]
    with pytest.raises(UsageError, match="forgotten"):
        go(program, "Frau Yilmaz", 1, id="Frau Yilmaz")
    assert shop.done == ["refund 1", "refund 2"]


def test_the_tree_of_recorded_effects_has_the_names_and_costs_that_are_known(home: Path) -> None:
    shop = Shop()

    async def stage(order: int) -> int:
        with span("stage", "stage"):
            return (await shop.look(order))["total"]

    async def program() -> str:
        await asyncio.gather(stage(1), stage(2))
        reply = await Model(f"{up.url}#m")("hello")
        return f"{await stage(3)} {reply.text} {await shop.refund(4)}"

    shop.fails["look 3"] = OSError("later")
    with upstream(first(then=Ok("well"))) as up, pytest.raises(OSError, match="later"):
        go(program)
    with open_store(home) as store:
        kept, effects = traces(store, "program-1")[0], load(store, "program-1")
    for known, name in ((kept, "stage"), (None, "…")):
        root = tree_of_effects("program", effects, known)
        assert [(s.name, s.kind) for s in root.walk()] == [
            ("program", "program"),
            *[(name, "stage"), ("look", "tool")] * 2,
            ("m", "model"),
            *[(name, "stage"), ("look", "tool")],
        ]
    told, failed = root.children[2], root.children[3].children[0]
    assert told.cost == kept.children[2].cost != NO_COST and told.note == '"hello"'
    assert (failed.error, failed.note) == ("OSError", "is tried again: look(order=3)")


def test_a_program_that_catches_everything_does_not_catch_a_question() -> None:
    async def program() -> str:
        try:
            return await ask_human("Sure?")
        except Exception:
            return "swallowed"

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "quite")
    assert go(program) == "quite"


def test_outside_of_a_run_a_question_needs_somebody_to_answer() -> None:
    with pytest.raises(UsageError, match="nobody can answer"):
        asyncio.run(ask_human("Sure?"))

    async def person(question: str, choices: tuple[str, ...]) -> str:
        return f"{question} {choices}"

    with answered_by(person):
        assert asyncio.run(ask_human("Sure?", ["yes"])) == "Sure? ('yes',)"
    for wrong in ({"question": ""}, {"question": 3}, {"question": "a", "choices": "yes"}):
        with pytest.raises(UsageError):
            asyncio.run(ask_human(**wrong))


def test_other_arguments_at_a_recorded_place_stop_the_run_with_both_values() -> None:
    shop = Shop()
    shop.fails["refund 5"] = NotDone("later")
    asked = 5

    async def program() -> str:
        await shop.look(asked)
        return await shop.refund(asked)

    with pytest.raises(NotDone, match="later"):
        go(program)
    asked = 6
    with pytest.raises(
        JournalDiverged, match=r"at look: recorded is look\(order=5\), asked for is now look\(order=6\)"
    ):
        go(program)
    assert shop.done == ["look 5", "refund 5"]
    asked = 5
    assert go(program) == "refunded 5"


@pytest.mark.parametrize("change", ["left out", "put in front", "in a thread", "in a stage"])
def test_a_changed_program_is_stopped_at_the_first_step_that_differs(change: str) -> None:
    shop = Shop()
    shop.fails["refund 5"] = NotDone("later")
    changed = False

    async def program() -> str:
        from suffice.spans import span

        if changed and change == "put in front":
            await shop.look(1)
        if changed and change == "in a stage":
            with span("stage", "stage"):
                await shop.look(5)
        elif not (changed and change == "left out"):
            await shop.look(5)
        if changed and change == "in a thread":
            await asyncio.create_task(shop.look(2))  # type: ignore[arg-type]
        return await shop.refund(5)

    with pytest.raises(NotDone, match="later"):
        go(program)
    changed = True
    before = list(shop.done)
    if change == "in a thread":  # what a new task does was never recorded: it is simply done
        assert go(program) == "refunded 5" and shop.done == [*before, "look 2", "refund 5"]
        return
    with pytest.raises(JournalDiverged):
        go(program)
    assert shop.done == before


def test_branches_side_by_side_are_told_apart() -> None:
    shop = Shop()
    shop.fails["refund 3"] = NotDone("later")

    async def branch(order: int) -> str:
        await shop.look(order)
        await asyncio.sleep(0.001 * (5 - order))
        return await shop.refund(order)

    async def program() -> list[str]:
        return await asyncio.gather(*(branch(order) for order in range(1, 5)))

    with pytest.raises(NotDone, match="later"):
        go(program)
    done = len(shop.done)
    assert go(program) == [f"refunded {n}" for n in range(1, 5)]
    assert sorted(shop.done[:done] + [d for d in shop.done[done:] if d != "refund 3"]) == sorted(set(shop.done))


def test_a_question_lets_the_branches_beside_it_end_and_the_first_is_asked_first() -> None:
    shop = Shop()

    async def branch(order: int) -> str:
        if order == 2:
            await asyncio.sleep(0.02)
            return await shop.refund(order)
        return await ask_human(f"Sure of {order}?")

    async def program() -> list[str]:
        return await asyncio.gather(*(branch(order) for order in (3, 2, 1)))

    for question in ("Sure of 3?", "Sure of 1?"):
        with pytest.raises(Waiting) as stop:
            go(program)
        assert stop.value.question == question
        durable.answer("one", "yes")
    assert go(program) == ["yes", "refunded 2", "yes"] and shop.done == ["refund 2"]


def test_a_task_that_is_left_behind_does_nothing_after_the_run() -> None:
    shop = Shop()

    async def late() -> None:
        await asyncio.sleep(0.05)
        await shop.refund(1)

    async def program(tasks: list[str]) -> str:
        left.append(asyncio.create_task(late()))
        return "done"

    left: list[asyncio.Task[None]] = []

    async def main() -> None:
        assert await durable.run(program, [], id="one") == "done"
        with pytest.raises(StoreError, match=r"has ended, and refund\(order=1\) was not called"):
            await left[0]

    asyncio.run(main())
    assert shop.done == []


def test_time_and_chance_are_what_they_were() -> None:
    shop = Shop()
    shop.fails["refund 1"] = NotDone("later")
    seen: list[tuple[datetime, float]] = []

    async def program() -> str:
        seen.append((durable.now(), durable.random()))
        return await shop.refund(1)

    with pytest.raises(NotDone, match="later"):
        go(program)
    go(program)
    assert seen[0] == seen[1] and seen[0][0].tzinfo is not None and 0 <= seen[0][1] < 1
    assert durable.random() != durable.random()


def test_plain_functions_run_on_a_thread_and_their_steps_are_recorded() -> None:
    from suffice import run

    shop = Shop()
    shop.fails["refund 2"] = NotDone("later")

    def program(order: int) -> str:
        run(shop.look(order))
        return run(shop.refund(order))

    with pytest.raises(NotDone, match="later"):
        go(program, 2)
    assert go(program, 2) == "refunded 2" and shop.done == ["look 2", "refund 2", "refund 2"]


class Verdict(BaseModel):
    fit: bool


def test_model_calls_and_steps_are_paid_once_and_come_back_typed() -> None:
    shop = Shop()
    shop.fails["refund 1"] = NotDone("later")

    @step
    async def check(text: str) -> Verdict:
        """Is it fit?"""
        ...

    async def program(text: str) -> list[Any]:
        once = await Model(f"{up.url}#m")(text)
        again = await Model(f"{up.url}#m")(text)
        fit = await check.using(model=f"{up.url}#m")(text)
        await shop.refund(1)
        return [once.text, again.text, once.cached, fit.fit]

    def script(asked: Asked) -> Fault:
        said.append(1)
        return Ok('{"fit": true}' if "response_format" in asked.said else f"number {len(said)}")

    said: list[int] = []

    with upstream(script) as up:
        with pytest.raises(NotDone, match="later"):
            go(program, "hello")
        assert len(up.log.served) == 3  # an equal request later in a program is another call
        told = go(program, "hello")
        assert len(up.log.served) == 3
    assert told == ["number 1", "number 2", True, True]
    status = durable.status("one")
    assert (status.effects, status.again) == (4, 0)


def test_a_failed_call_is_made_again_and_a_budget_holds() -> None:
    async def program() -> str:
        return (await Model(f"{up.url}#m", retry=Retry(attempts=1))("hello")).text

    with upstream(first(Status(500), then=Ok("well"))) as up:
        with pytest.raises(ServerError):
            go(program)
        assert go(program) == "well"
        with pytest.raises(BudgetError):
            go(program, id="two", budget=Budget(tokens=1))


def test_the_tree_of_a_run_is_kept_also_of_one_that_stops(home: Path) -> None:
    shop = Shop()

    async def program(order: int) -> str:
        await shop.look(order)
        return await ask_human("Sure?")

    with pytest.raises(Waiting):
        go(program, 4)
    with open_store(home) as store:
        (root,) = traces(store, "program-1")
    assert [(s.name, s.kind) for s in root.walk()] == [
        ("program", "program"),
        ("look", "tool"),
        ("question", "question"),
    ]


def test_wrong_uses_are_refused_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()

    async def program(order: Any) -> str:
        return await shop.refund(1)

    for id in ("", "  ", "x" * 201, 7, None):
        with pytest.raises(UsageError, match="id"):
            go(program, 1, id=id)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="JSON"):
        go(program, object())
    with pytest.raises(UsageError, match="function"):
        go("program")  # type: ignore[arg-type]
    assert shop.done == []
    go(program, 1)
    with pytest.raises(UsageError, match="other arguments"):
        go(program, 2)
    with pytest.raises(UsageError, match="no durable run"):
        durable.status("nine")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suffice.toml").write_text('[store]\nkeep = "hashes"\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"store\.keep"):
        go(program, 1, id="two")


def test_the_same_run_twice_at_once_is_refused() -> None:
    async def program() -> str:
        with pytest.raises(UsageError, match="another durable run"):
            await durable.run(program, id="one")
        with pytest.raises(StoreBusy):
            await asyncio.create_task(durable.run(program, id="one"), context=contextvars.Context())
        return "once"

    assert go(program) == "once"


def test_an_error_in_a_task_that_the_program_went_on_past_is_final() -> None:
    shop = Shop()
    shop.fails = {"look 1": LookupError("no such order"), "refund 9": NotDone("later")}

    async def program() -> str:
        done = await asyncio.gather(shop.look(1), shop.look(2), return_exceptions=True)
        return await shop.refund(9) + f" after {done}"

    with pytest.raises(NotDone, match="later"):
        go(program)
    assert go(program) == "refunded 9 after [LookupError('no such order'), {'total': 4}]"
    assert shop.done == ["look 1", "look 2", "refund 9", "refund 9"]


def test_an_error_that_is_wrapped_is_tried_again_too() -> None:
    shop = Shop()
    shop.fails["look 1"] = LookupError("no such order")

    async def program() -> str:
        try:
            await shop.look(1)
        except LookupError as error:
            raise RuntimeError("cannot go on") from error
        return "found"

    with pytest.raises(RuntimeError):
        go(program)
    assert go(program) == "found" and shop.done == ["look 1", "look 1"]


@pytest.mark.parametrize("repeat", ["safe", "never"])
@pytest.mark.parametrize("how", ["wait_for", "timeout"])
def test_what_the_program_cut_off_is_cut_off_again_and_not_called(how: str, repeat: str) -> None:
    shop, slow = Shop(), [True]
    shop.fails["refund 1"] = NotDone("later")

    @tool(repeat=repeat)  # type: ignore[call-overload]
    async def primary() -> str:
        """The answer, in its own time."""
        shop.note("primary")
        await asyncio.sleep(5 if slow[0] else 0)
        return "primary"

    async def program() -> str:
        try:
            if how == "wait_for":
                via = await asyncio.wait_for(primary(), 0.05)
            else:
                async with asyncio.timeout(0.05):
                    via = await primary()
        except TimeoutError:
            via = "fallback"
        return f"{via}: {await shop.refund(1)}"

    with pytest.raises(NotDone, match="later"):
        go(program)
    slow[0] = False
    assert go(program) == "fallback: refunded 1"
    assert shop.done == ["primary", "refund 1", "refund 1"]


def test_a_result_that_a_person_gives_is_asked_for_until_it_fits() -> None:
    shop = Shop()
    shop.fails["count"] = SystemExit  # as a kill: nobody knows whether it was done

    @tool(repeat="never")
    def count() -> int:
        """Count down."""
        shop.note("count")
        return 3

    async def program() -> int:
        return await count()

    with pytest.raises(SystemExit):
        go(program)
    answers = (("done", "Was it?"), ("seven", "return (as JSON)?"), ("[7]", "'seven' is no JSON"), ("7", "type"))
    for said, asked in answers:
        with pytest.raises(Waiting) as stop:
            go(program)
        assert asked in stop.value.question
        durable.answer("one", said)
    assert go(program) == 7 and shop.done == ["count"]


@pytest.mark.parametrize(("said", "result"), [("paid 4711", "paid 4711"), ("4711", "4711"), ('"ok"', "ok")])
def test_a_text_that_a_person_gives_for_a_result_is_taken_as_it_is(said: str, result: str) -> None:
    shop = Shop()
    shop.fails["refund 1"] = SystemExit

    async def program() -> str:
        return await shop.refund(1)

    with pytest.raises(SystemExit):
        go(program)
    for text, asked in (("done", "Was it?"), (said, "return (as JSON; a text as it is)?")):
        with pytest.raises(Waiting) as stop:
            go(program)
        assert asked in stop.value.question
        durable.answer("one", text)
    assert go(program) == result and shop.done == ["refund 1"]


def test_a_solution_that_is_evaluated_cannot_start_one() -> None:
    import suffice as sf

    async def program(text: str) -> str:
        return "a"

    async def solution(text: str) -> str:
        return await durable.run(program, text, id=text)

    rows = [{"text": f"case number {i}", "label": "ab"[i % 2]} for i in range(40)]
    task = sf.Task(rows, inputs=["text"], expected="label", bar=0.5)
    report = sf.run(sf.evaluate(task, solution))
    assert len(report.errors) == report.n and "durable run cannot be part" in str(report)


@pytest.mark.parametrize("value", [ABSTAIN, {"a": ABSTAIN, "b": [1, ABSTAIN]}], ids=["alone", "inside"])
def test_a_program_may_hand_on(value: Any) -> None:
    async def program() -> Any:
        return value

    async def typed() -> str:
        return value

    for _ in range(2):
        assert asyncio.run(durable.run(program, id="one")) == value
    if value is ABSTAIN:
        assert asyncio.run(durable.run(typed, id="two")) is ABSTAIN


def test_an_id_that_is_the_name_of_another_run_is_refused() -> None:
    async def program() -> str:
        return await ask_human("Sure?")

    with pytest.raises(Waiting):
        asyncio.run(durable.run(program, id="one"))
    with pytest.raises(UsageError, match="'program-1' cannot be an id"):
        asyncio.run(durable.run(program, id="program-1"))
    assert durable.answer("program-1", "yes").id == "one"
