"""The agent's loop against a model over real sockets, in both dialects: calls, results, the answer, and every end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent_samples import (
    DIALECTS,
    Team,
    answers,
    broken,
    calls,
    look_up,
    model,
    offered,
    plays,
    shown,
    told,
)
from program_samples import make_words
from upstream_bodies import whole
from upstream_faults import Ok, Status, WrongJson

import suffice as sf
from suffice.errors import BudgetError, ServerError, UsageError, Waiting
from suffice.programs import durable
from suffice.programs.agent import agent
from suffice.programs.agent.acting import shown as shown_as
from suffice.programs.tool import tool
from suffice.spans import tree
from upstream import Upstream, upstream

both = pytest.mark.parametrize("dialect", DIALECTS)


@both
def test_it_calls_a_tool_and_gives_a_typed_answer(dialect: str) -> None:
    with upstream(plays(calls(("look_up", {"id": "p1"}), text="Let me see."), answers("shipping"))) as up:
        bot = agent(model(up, dialect), tools=[look_up], output=Team, instructions="You sort tickets.")
        run = sf.run(bot.run("where is p1?"))
    assert (run.value, run.ended, run.steps) == ("shipping", "answered", 2)
    first, second = up.log.asked
    assert set(offered(first)) == {"look_up", "final_answer"}
    assert "You sort tickets." in told(first) and "where is p1?" in told(first)
    assert shown(second) == [{"result": {"id": "p1", "status": "p1 is on its way"}}]
    assert run.usage.input_tokens == 24 and run.usage.output_tokens == 6
    assert run.cost == pytest.approx((24 * 1.0 + 6 * 10.0) / 1e6)


@both
def test_an_answer_in_words_needs_no_tool(dialect: str) -> None:
    with upstream(plays(calls(("look_up", {"id": "p1"})), Ok("It is on its way."))) as up:
        bot = agent(model(up, dialect), tools=[look_up])
        assert sf.run(bot("where is p1?")) == "It is on its way."
    assert set(offered(up.log.asked[0])) == {"look_up"}


@both
def test_calls_at_once_run_side_by_side_and_their_results_keep_their_order(dialect: str) -> None:
    waiting: list[str] = []

    @tool
    async def wait(id: str, seconds: float) -> str:
        """Wait."""
        waiting.append(id)
        await asyncio.sleep(seconds)
        return f"{id} after {len(waiting)}"

    wanted = calls(("wait", {"id": "slow", "seconds": 0.2}), ("wait", {"id": "fast", "seconds": 0.0}))
    with upstream(plays(wanted, Ok("done"))) as up:
        sf.run(agent(model(up, dialect), tools=[wait])("go"))
    assert shown(up.log.asked[1]) == [{"result": "slow after 2"}, {"result": "fast after 2"}]


def test_plain_functions_run_on_threads_side_by_side() -> None:
    def nap(seconds: float) -> str:
        """Sleep."""
        time.sleep(seconds)
        return "slept"

    with upstream(plays(calls(*[("nap", {"seconds": 0.3})] * 4), Ok("done"))) as up:
        began = time.monotonic()
        sf.run(agent(model(up), tools=[nap])("go"))
    assert time.monotonic() - began < 1.0


@both
def test_what_goes_wrong_with_a_call_is_shown_to_the_model_as_its_result(dialect: str) -> None:
    wanted = calls(
        ("broken", {"id": "o1"}), ("look_up", {"id": 7}), ("look_up", {"name": "p1"}), ("search", {"id": "p1"})
    )
    with upstream(plays(wanted, Ok("I could not find it."))) as up:
        run = sf.run(agent(model(up, dialect), tools=[look_up, broken])("where is o1?"))
        errors = [one["error"] for one in shown(up.log.asked[1])]
    assert run == "I could not find it."
    assert "LookupError: there is no order o1" in errors[0]
    assert errors[1] == "the arguments do not fit: at `$.id`: expected a valid string, got the number 7"
    assert "at `$.id`: expected a value, it is missing" in errors[2] and "no such field" in errors[2]
    assert errors[3] == "there is no tool called so; there are: look_up, broken"


def test_arguments_that_are_no_json_are_told_to_the_model() -> None:
    bad = Ok("", tools=(("look_up", '{"id": "p1'),))
    with upstream(plays(bad, bad, Ok("sorry, I do without"))) as up:  # the call tries twice
        run = sf.run(agent(model(up), tools=[look_up]).run("p1"))
    assert run.value == "sorry, I do without" and run.steps == 2
    assert "are not JSON" in told(up.log.asked[-1])
    assert (run.usage.input_tokens, run.usage.output_tokens) == (36, 9)  # the unreadable ones are counted, too
    assert run.cost == pytest.approx((36 * 1.0 + 9 * 10.0) / 1e6) and not run.spent.at_most


@both
def test_an_answer_that_does_not_fit_is_told_and_given_again(dialect: str) -> None:
    with upstream(plays(answers("sales"), answers("billing"))) as up:
        run = sf.run(agent(model(up, dialect), output=Team).run("an invoice"))
    assert run.value == "billing"
    assert shown(up.log.asked[1])[0]["error"].startswith("the answer does not fit: at `$.answer`: expected 'billing'")


def test_an_answer_beside_other_calls_is_not_taken_before_their_results_are_seen() -> None:
    early = calls(("look_up", {"id": "p1"}), ("final_answer", {"answer": "billing"}))
    with upstream(plays(early, answers("shipping"))) as up:
        run = sf.run(agent(model(up), tools=[look_up], output=Team).run("p1"))
    assert run.value == "shipping"
    assert "result" in shown(up.log.asked[1])[0] and "alone" in shown(up.log.asked[1])[1]["error"]


def test_at_most_three_reflections() -> None:
    with upstream(plays(answers("sales"))) as up:
        run = sf.run(agent(model(up), output=Team, same=99).run("an invoice"))
        assert (run.value, run.ended, run.steps) == (sf.ABSTAIN, "no_answer", 4)
        run = sf.run(agent(model(up), output=Team).run("an invoice"))  # the same one again and again is no circle
        assert (run.ended, run.steps) == ("no_answer", 4)
    with upstream(plays(Ok("I think so."), answers("billing"))) as up:
        assert sf.run(agent(model(up), output=Team, reflections=1)("an invoice")) == "billing"
    with upstream(plays(Ok('{"answer": "shipping"}'))) as up:  # in words, but it fits
        assert sf.run(agent(model(up), output=Team)("an invoice")) == "shipping"


@both
def test_the_same_call_with_the_same_result_is_told_once_and_then_ends_the_run(dialect: str) -> None:
    with upstream(plays(calls(("look_up", {"id": "p1"})))) as up:
        run = sf.run(agent(model(up, dialect), tools=[look_up], max_steps=50).run("p1"))
    assert (run.ended, run.steps, run.value) == ("loop", 4, sf.ABSTAIN)
    notes = [told(asked).count("the same call with the same result") for asked in up.log.asked]
    assert notes == [0, 0, 0, 1]


def test_the_same_call_side_by_side_is_no_circle() -> None:
    with upstream(plays(calls(*[("look_up", {"id": "p1"})] * 5), Ok("done"))) as up:
        assert sf.run(agent(model(up), tools=[look_up], reflections=0)("p1")) == "done"


def test_a_reply_that_is_cut_off_at_its_cap_ends_the_run_and_keeps_what_was_done() -> None:
    cut = Ok("It is on its w", finish="length")
    with upstream(plays(calls(("look_up", {"id": "p1"})), cut)) as up:
        run = sf.run(agent(model(up), tools=[look_up]).run("p1"))
    assert (run.ended, run.value, run.steps) == ("cut", sf.ABSTAIN, 2)
    assert run.usage.input_tokens == 24 and run.cost == pytest.approx((24 * 1.0 + 6 * 10.0) / 1e6)
    assert "p1 is on its way" in str(run.transcript) and "It is on its w\n" in str(run.transcript)
    assert "cut after 2 steps" in str(run.transcript)


def test_model_calls_that_its_tools_make_count_against_its_budget() -> None:
    @tool
    async def summary(text: str) -> str:
        """Sum it up."""
        return (await inner(text)).text + (await inner(text + "!")).text

    with upstream(plays(calls(("summary", {"text": "a"})), Ok("short"))) as up:
        inner = model(up)
        bot = agent(model(up), tools=[summary], budget=sf.Budget(calls=3))
        run = sf.run(bot.run("go"))
        assert (run.ended, run.steps, len(up.log.asked)) == ("budget", 1, 3)
        assert "summary(text=" in str(run.transcript) and sf.run(inner("free again")).text == "short"
    with upstream(plays(calls(("summary", {"text": "a"})), Ok("short"))) as up:
        inner = model(up)
        run = sf.run(agent(model(up), tools=[summary], budget=sf.Budget(calls=2)).run("go"))
    assert (run.ended, run.steps) == ("budget", 1) and "budget was spent while this was under way" in str(
        run.transcript
    )


def test_an_answer_that_does_not_fit_in_the_last_turn_is_in_the_transcript() -> None:
    with upstream(answers("sales")) as up:
        run = sf.run(agent(model(up), output=Team, max_steps=1).run("an invoice"))
    assert run.ended == "max_steps" and "the answer does not fit" in str(run.transcript)


def test_circles_over_two_calls_are_found_too_and_news_is_no_circle() -> None:
    there, back = calls(("look_up", {"id": "a"})), calls(("look_up", {"id": "b"}))
    with upstream(plays(there, back, there, back, there, back, there)) as up:
        assert sf.run(agent(model(up), tools=[look_up]).run("p1")).ended == "loop"
    states = iter(range(100))

    @tool
    def state() -> int:
        """How far it is."""
        return next(states)

    with upstream(plays(*[calls(("state", {}))] * 8, Ok("ready"))) as up:
        assert sf.run(agent(model(up), tools=[state])("wait for it")) == "ready"


def test_most_steps_end_it_and_the_last_turn_is_announced() -> None:
    def ask(asked: Any) -> Ok:
        return calls(("look_up", {"id": str(asked.number)}))

    with upstream(ask) as up:
        run = sf.run(agent(model(up), tools=[look_up], max_steps=3).run("p1"))
    assert (run.ended, run.steps, run.value) == ("max_steps", 3, sf.ABSTAIN)
    assert ["last turn" in told(asked) for asked in up.log.asked] == [False, False, True]


def test_nothing_is_done_whose_result_nobody_would_see() -> None:
    done: list[str] = []

    @tool
    def send(text: str) -> None:
        """Send it."""
        done.append(text)

    with upstream(plays(*[calls(("send", {"text": str(n)})) for n in range(3)])) as up:
        run = sf.run(agent(model(up), tools=[send], max_steps=3).run("go"))
    assert done == ["0", "1"] and "not done: no turn is left" in str(run.transcript)


def test_calls_beyond_the_most_at_once_are_not_made() -> None:
    done: list[int] = []

    @tool
    async def count(n: int) -> None:
        """Count."""
        done.append(n)

    with upstream(plays(calls(*[("count", {"n": n}) for n in range(40)]), Ok("done"))) as up:
        sf.run(agent(model(up), tools=[count])("go"))
    assert done == list(range(32)) and sum("error" in one for one in shown(up.log.asked[1])) == 8


@tool
def leaves(id: str) -> str:
    """Find an order."""
    raise SystemExit(f"no {id}")


@tool
async def leaves_at_once(id: str) -> str:
    """Find an order."""
    os._exit(int(id))


@tool
def leaves_in_a_thread(id: str) -> str:
    """Find an order."""
    os._exit(int(id))


@tool
async def awaits_what_was_cancelled(id: str) -> str:
    """Find an order."""
    raise asyncio.CancelledError(id)


class Odd(BaseException):
    """An error that is no Exception."""


@tool
async def odd(id: str) -> str:
    """Find an order."""
    raise Odd(id)


def test_a_tool_that_would_end_the_program_has_failed() -> None:
    tools = [leaves, leaves_at_once, leaves_in_a_thread, awaits_what_was_cancelled, odd]
    wanted = calls(*[(one.name, {"id": "7"}) for one in tools])
    with upstream(plays(wanted, Ok("done"))) as up:
        assert sf.run(agent(model(up), tools=tools)("go")) == "done"
        errors = [one["error"] for one in shown(up.log.asked[1])]
    said = ["sys.exit('no 7')", "os._exit(7)", "os._exit(7)", "CancelledError: 7", "Odd: 7"]
    assert [want in error and "(test_agent_loop.py:" in error for want, error in zip(said, errors, strict=True)] == (
        [True] * 5
    )
    child = os.fork()  # os._exit is itself outside of a tool, and in what a tool forks
    if not child:
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5


def test_a_tool_may_end_what_it_forks() -> None:
    @tool
    def forks() -> int:
        """Fork."""
        child = os.fork()
        if not child:
            os._exit(3)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with upstream(plays(calls(("forks", {})), Ok("done"))) as up:
        sf.run(agent(model(up), tools=[forks])("go"))
    assert shown(up.log.asked[1]) == [{"result": 3}]


def test_cancelling_a_run_ends_it_within_a_tool() -> None:
    began = asyncio.Event()
    ended: list[str] = []

    @tool
    async def waits() -> None:
        """Wait."""
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("waits")

    async def main(up: Upstream) -> None:
        run = asyncio.create_task(agent(model(up), tools=[waits])("go"))
        await began.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    with upstream(plays(calls(("waits", {})), Ok("done"))) as up:
        asyncio.run(main(up))
    assert ended == ["waits"] and len(up.log.asked) == 1


@both
def test_of_calls_with_one_id_only_the_first_is_made(dialect: str) -> None:
    done: list[int] = []

    @tool(repeat="never")
    async def refund(amount: int) -> str:
        """Refund."""
        done.append(amount)
        return "refunded"

    wanted = [("refund", json.dumps({"amount": n})) for n in (1, 2, 3)]
    made = re.sub(r"(call|toolu)_\d", "dup", whole(dialect, "any", "", (12, 3), "stop", wanted).decode())
    with upstream(plays(WrongJson(made), Ok("done"))) as up:
        assert sf.run(agent(model(up, dialect), tools=[refund])("go")) == "done"
    first, *others = shown(up.log.asked[1])
    assert done == [1] and first == {"result": "refunded"}
    assert len(others) == 2 and all("same id" in one["error"] for one in others)


def test_a_name_that_no_function_can_have_goes_back_as_one_that_can() -> None:
    with upstream(plays(calls(("functions.look up", {"id": "p"})), Ok("done"))) as up:
        assert sf.run(agent(model(up), tools=[look_up])("go")) == "done"
    assert up.log.asked[1].said["messages"][2]["tool_calls"][0]["function"]["name"] == "functions_look_up"


def test_solutions_and_agents_are_tools_of_another_agent() -> None:
    def say(asked: Any) -> Ok:
        if "You sort" in told(asked):
            return answers("billing")
        if asked.said["messages"][-1]["role"] != "tool":
            return calls(("sorter", {"input": "an invoice"}), ("words", {"text": "a parcel"}))
        return Ok(" ".join(m["content"] for m in asked.said["messages"][-2:]))

    words = replace(make_words(), parameters=("text",))
    with upstream(say) as up:
        sorter = agent(model(up), output=Team, instructions="You sort.", name="sorter")
        said = sf.run(agent(model(up), tools=[sorter, words])("who?"))
    assert said.startswith(
        '{"result": {"value": "billing", "confidence": null, "by": "sorter"}} {"result": {"value": "shi'
    )


def test_its_budget_bounds_each_run_and_one_around_it_is_raised() -> None:
    def ask(asked: Any) -> Ok:
        return calls(("look_up", {"id": str(asked.number)}))

    with upstream(ask) as up:
        bot = agent(model(up), tools=[look_up], budget=sf.Budget(calls=3), max_steps=50)
        for run in (sf.run(bot.run("p1")), sf.run(bot.run("p1"))):
            assert (run.ended, run.value, run.steps) == ("budget", sf.ABSTAIN, 3)
        assert len(up.log.asked) == 6
        around = agent(model(up, budget=sf.Budget(calls=2)), tools=[look_up], max_steps=50)
        with pytest.raises(BudgetError):
            sf.run(around("p1"))


def test_a_budget_that_ended_an_agent_ends_it_again_where_a_durable_run_goes_on(tmp_path: Path) -> None:
    @tool
    async def summary(text: str) -> str:
        """Sum it up."""
        return (await inner(text)).text + (await inner(text + "!")).text

    with upstream(plays(calls(("summary", {"text": "a"})), Ok("short"))) as up:
        inner = model(up)
        bots = [agent(model(up), tools=[summary], budget=sf.Budget(calls=n)) for n in (2, 3)]

        async def program(text: str) -> list[str]:
            ended = [(await bot.run(text)).ended for bot in bots]
            return [*ended, await sf.ask_human("Go on?")]

        async def go() -> list[str]:
            return await durable.run(program, "x", id="spent", store=tmp_path)

        with pytest.raises(Waiting):
            sf.run(go())
        before = len(up.log.asked)
        durable.answer("spent", "yes", store=tmp_path)
        assert sf.run(go()) == ["budget", "answered", "yes"] and len(up.log.asked) == before


def test_a_person_whose_part_a_model_plays_costs_the_agent_nothing() -> None:
    async def person(question: str, choices: tuple[str, ...]) -> str:
        return (await inner(question)).text

    with upstream(plays(calls(("ask_human", {"question": "Which?"})), Ok("that one"))) as up:
        inner = model(up)
        run = sf.run(agent(model(up), tools=[sf.ask_human], ask=person, budget=sf.Budget(calls=2)).run("go"))
    assert (run.ended, len(up.log.asked)) == ("answered", 3)


def test_an_endpoint_that_fails_is_raised_not_answered() -> None:
    with upstream(Status(500)) as up, pytest.raises(ServerError):
        sf.run(agent(model(up), tools=[look_up])("p1"))


def test_a_blank_input_is_never_asked() -> None:
    with upstream() as up:
        run = sf.run(agent(model(up), tools=[look_up]).run("  "))
    assert (run.ended, run.value, up.log.asked) == ("blank", sf.ABSTAIN, [])


def test_several_inputs_stand_under_their_names() -> None:
    with upstream(Ok("fine")) as up:
        sf.run(agent(model(up))(ticket="broken", customer="Ann"))
    assert "<ticket>\nbroken\n</ticket>" in told(up.log.asked[0])


def test_its_plan_is_kept_and_revised() -> None:
    with upstream(
        plays(calls(("plan", {"steps": ["look", "say"]})), calls(("plan", {"steps": ["say"]})), Ok("done"))
    ) as up:
        run = sf.run(agent(model(up), tools=[look_up], planning=True).run("p1"))
    assert run.plan == ("say",) and run.value == "done"
    assert set(offered(up.log.asked[0])) == {"look_up", "plan"}


def test_a_person_can_read_the_transcript() -> None:
    @tool
    def fetch(url: str) -> str:
        """Get a page."""
        return "\x1b[2Jevil"

    wanted = calls(("look_up", {"id": "p1"}), ("fetch", {"url": "http://x"}), text="Let me see.")
    with upstream(plays(wanted, answers("shipping"))) as up:
        run = sf.run(agent(model(up), tools=[look_up, fetch], output=Team).run("where is p1?"))
    text = str(run.transcript)
    assert text.startswith("[task]\nwhere is p1?\n\n[1]\nLet me see.\n" + 'look_up(id="p1")\n  -> {"result":')
    assert 'fetch(url="http://x")' in text and "\x1b" not in text
    assert '[2]\nfinal_answer(answer="shipping")\n\n[end]' in text
    assert text.endswith('[end]\nanswered after 2 steps ($0.0001, tokens 24 in, 6 out): "shipping"')


def test_a_trace_shows_the_agent_its_calls_and_its_tools_at_the_same_places_each_time() -> None:
    wanted = calls(("look_up", {"id": "a"}), ("broken", {"id": "b"}))

    async def grown(bot: Any) -> list[tuple[str, str, str, str | None]]:
        with tree("program") as root:
            await bot("go")
        return [(s.kind, s.name, "/".join(map(str, s.address)), s.error) for s in root.walk()]

    with upstream(plays(wanted, Ok("done"), wanted, Ok("done"))) as up:
        bot = agent(model(up), tools=[look_up, broken], name="desk")
        first, second = sf.run(grown(bot)), sf.run(grown(bot))
    assert first == second
    assert [(kind, error) for kind, _, _, error in first] == [
        ("program", None),
        ("agent", None),
        ("model", None),
        ("tool", None),
        ("tool", "LookupError"),
        ("model", None),
    ]


def test_what_cannot_be_is_refused_before_the_first_call() -> None:
    for wrong in (
        {"tools": [look_up, look_up]},
        {"tools": [3]},
        {"max_steps": 0},
        {"budget": 3},
        {"permissions": {"pay": "ask"}},
        {"permissions": {"look_up": "maybe"}, "tools": [look_up]},
        {"window": 3},
        {"stps": 3},
        {"output": print},
    ):
        with pytest.raises(UsageError):
            agent("openai:gpt-5-mini", **wrong)
    with pytest.raises(UsageError, match="not a int"):
        agent(5)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_a_number_that_is_none_is_told_as_a_text() -> None:
    assert json.loads(shown_as("result", {"rate": float("nan"), "most": float("inf")}, 1000), parse_constant=int) == {
        "result": {"rate": "NaN", "most": "Infinity"}
    }


def test_it_is_a_solution_that_can_be_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path))

    def say(asked: Any) -> Ok:
        if asked.said["messages"][-1]["role"] != "tool":
            return calls(("look_up", {"id": "p1"}))
        return answers("billing" if "invoice" in told(asked) else "shipping")

    rows = [{"ticket": f"{word} {n}", "team": team} for n in range(20) for word, team in WORDS.items()]
    with upstream(say) as up:
        bot = agent(model(up), tools=[look_up], output=Team, name="sorter")
        task = sf.Task(rows, inputs=["ticket"], expected="team", output=Team, bar=0.5)
        report = sf.run(sf.evaluate(task, bot))
    assert report.score == 1.0 and "sorter" in str(report)


WORDS = {"invoice": "billing", "parcel": "shipping"}
