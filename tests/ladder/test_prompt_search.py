"""Prompt search: it finds what helps, luck is no evidence, it keeps to its bounds and pays for nothing twice."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Literal

import pytest
from climb_samples import a_task, climbed, place, rows, said, states, truth
from prompting_samples import said as answers
from prompting_samples import wrong
from upstream_faults import Asked, Fault, Ok, Status

import suffice as sf
from suffice.errors import BudgetError, MissingExtra, NoEndpoint, UsageError
from suffice.evals.recalled import recalled
from suffice.ladder import rung
from suffice.ladder.climb import plan
from suffice.ladder.halving import halved, most_calls
from suffice.ladder.prompt_search import Bounds, halves
from suffice.ladder.proposing import LONGEST, taken
from suffice.programs.bundle import load
from suffice.programs.contents import contents_lines
from suffice.store import calls
from suffice.store.database import open_store
from suffice.store.runs import get_run, list_runs
from upstream import Upstream, upstream

Team = Literal["billing", "shipping", "returns", "orders"]
GOOD, LUCKY, POOR = "Mind the codes: GOOD.", "Trust your LUCK.", "Be POOR."


def system(asked: Asked) -> str:
    return asked.body["messages"][0]["content"]


def proposing(asked: Asked) -> bool:
    return system(asked).startswith("You write the instruction")


def model(*proposed: str, share: float = 0.4, good: float = 0.96) -> Callable[[Asked], Fault]:
    """Right on a share of tickets, on more of them with the good instruction; on train alone with the lucky one."""

    def script(asked: Asked) -> Fault:
        if proposing(asked):
            return answers(list(proposed))
        told, text = system(asked), asked.text
        skill = good if GOOD in told else share
        if LUCKY in told and text.startswith("train"):
            skill = 1.0
        return answers(truth(text) if place("skill", told[:40], text) < skill else wrong(text))

    return script


def on(up: Upstream) -> str:
    return f"{up.url}#m"


def priced(up: Upstream) -> sf.Model:
    return sf.Model(on(up), price=(1.0, 2.0))


def task_of(train: int = 60, **more: object) -> sf.Task:
    return a_task(train=train, **more)


def test_it_finds_the_instruction_that_helps_and_what_is_saved_is_a_plain_step(tmp_path):
    with upstream(model(POOR, GOOD, "Another one.")) as up:
        decision = climbed(task_of(), ["prompt", "search"], tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "search"
        assert states(decision)["prompt"] == "dropped"
        saved = sf.load(decision.save(tmp_path / "s.suffice"))
        assert saved.form.kind == "step" and saved.form.data["instruction"] == GOOD
        assert f"prompt     of search: {GOOD}" in contents_lines(tmp_path / "s.suffice")
        n = len(up.log.served)
        assert sf.run(saved("dev ticket 5 of 0")) in ("billing", "shipping", "returns", "orders")
        assert system(up.log.asked[n]) == GOOD
        note = decision.rungs[1].note
        assert "a proposed instruction" in note and "of 3 instructions and 3 sets of examples" in note
        assert saved.learned and not {c.key[:16] for c in task_of().dev} & saved.learned


def test_the_model_that_proposes_sees_one_half_of_train_and_the_race_is_on_the_other(tmp_path):
    task = task_of()
    first, second = halves(task, Bounds())
    assert not {c.id for c in first} & {c.id for c in second} and len(first) == len(second) == 30
    with upstream(model(GOOD)) as up:
        climbed(task, ["search"], tmp_path, model=on(up))
        (told,) = [a.text for a in up.log.asked if proposing(a)]
        assert any(c.inputs in told for c in first)
        assert not any(c.inputs in told for c in (*second, *task.dev))
        assert not any(c.inputs in told for c in task.sealed())
        for asked in up.log.asked:
            turns = [m["content"] for m in asked.body["messages"]]
            assert not any(c.inputs in text for c in second for text in turns[:-1])  # no example is a case of the race
            if asked.text.startswith("dev"):
                assert not any("dev ticket" in text for text in turns[:-1])


def test_the_luck_of_a_variant_on_train_is_no_evidence(tmp_path):
    with upstream(model(LUCKY, POOR)) as up:
        decision = climbed(task_of(dev=120), ["search"], tmp_path, model=on(up))
        (row,) = decision.rungs
        assert "24 of 24 right on train" in row.note  # it won the race
        assert decision.verdict != "PASS" and row.state == "dropped" and row.tested is None
        assert row.dev_right < 0.6 * row.dev_seen


def test_where_examples_are_what_helps_it_takes_a_set_of_them(tmp_path):
    def script(asked: Asked) -> Fault:
        if proposing(asked):
            return answers([POOR])
        turns = [m["role"] for m in asked.body["messages"]]
        skill = 0.97 if "assistant" in turns else 0.4
        return answers(truth(asked.text) if place("skill", asked.text) < skill else wrong(asked.text))

    with upstream(script) as up:
        decision = climbed(task_of(), [sf.rung.search(k=3)], tmp_path, model=on(up))
        assert decision.verdict == "PASS"
        data = load(decision.save(tmp_path / "e.suffice")).form.data
        assert len(data["examples"]) == 3
        assert all(answer == truth(inputs["input"]) for inputs, answer in data["examples"])
        assert "the instruction as it is, 3 examples" in decision.rungs[0].note


def test_what_it_takes_is_said_before_the_first_call_and_is_a_bound(tmp_path):
    heard: list[tuple[int, str]] = []
    with upstream(model(*(f"Way {i}." for i in range(9)))) as up:

        def watch(progress):
            if progress.line:
                heard.append((len(up.log.served), progress.line))

        climbed(task_of(), ["search"], tmp_path, model=priced(up), dev_only=True, watch=watch)
        searched = [a for a in up.log.asked if proposing(a) or a.text.startswith("train")]
        before, line = next((n, line) for n, line in heard if "at most" in line)
        # 30 shown, one that proposes, 7 variants and then 4 by halving
        most = 30 + 1 + most_calls(7, 30) + most_calls(4, 30)
        assert before == 0 and f"search: at most {most} calls on 60 train cases" in line and "($0.0" in line
        assert len(searched) <= most
        proposals = [a for a in up.log.asked if "Way" in system(a)]
        assert len({system(a) for a in proposals}) == 6  # of the 9 that came


def test_a_plan_says_what_the_search_takes_and_asks_nothing(tmp_path):
    with upstream(model(*(f"Way {i}." for i in range(9)))) as up, sf.using(model=priced(up)):
        made = plan(task_of(), ["prompt", "search"], store=tmp_path)
        most = 30 + 1 + most_calls(7, 30) + most_calls(4, 30)
        (line,) = [text for text in str(made).splitlines() if text.startswith("calls")]
        assert line.startswith(f"calls      search: at most {most} calls on 60 train cases, about ")
        assert "($0.0" in line and line.endswith(", before dev") and not up.log.served
        heard: list[str] = []

        def watch(progress):
            heard.extend([progress.line] if progress.line else [])

        climbed(task_of(), ["search"], tmp_path, dev_only=True, watch=watch)
        assert line.removeprefix("calls      ").removesuffix(", before dev") in heard
    assert "calls" not in str(plan(task_of(), ["words"], store=tmp_path))


def test_a_plan_looks_at_the_ladder_of_the_task_and_at_variants_of_a_family(tmp_path):
    with upstream(model()) as up, sf.using(model=on(up)):
        of_task = str(plan(task_of(ladder=["words", "search"]), store=tmp_path))
        assert "calls      search: at most " in of_task and "out ($0.00, what" in of_task
        both = sf.rung.family("both", sf.rung.prompt(), sf.rung.search(variants=2, sets=0, name="small"))
        assert f"calls      small: at most {31 + most_calls(3, 30)} calls" in str(plan(task_of(), both, store=tmp_path))
        short = str(plan(task_of(train=5), ["search"], store=tmp_path))
        assert "calls      search: not tried: a search needs at least 24 train cases" in short


def test_a_plan_without_a_model_says_why_it_has_no_figure(tmp_path, monkeypatch):
    monkeypatch.delenv("SUFFICE_MODEL", raising=False)
    assert "calls      search: not tried: " in str(plan(task_of(), ["search"], store=tmp_path))


@pytest.mark.parametrize("spends", [{"usd": 0.003}, {"calls": 45}, {"tokens": 5_000}], ids=str)
def test_a_budget_that_may_not_pay_the_search_is_said_before_it_and_when_it_is_spent(tmp_path, spends):
    heard: list[tuple[int, str]] = []
    with upstream(model(POOR, GOOD)) as up:

        def watch(progress):
            if progress.line:
                heard.append((len(up.log.served), progress.line))

        with pytest.raises(BudgetError) as error:
            climbed(
                task_of(),
                ["search"],
                tmp_path,
                model=priced(up),
                budget=sf.Budget(**spends),
                watch=watch,
                concurrency=1,
            )
        before, line = next((n, line) for n, line in heard if "may not pay all of that" in line)
        assert before == 0 and line.startswith("search: ") and "are left of the budget" in line
        assert "; the whole search takes at most" in (error.value.hint or "") and "calls" in (error.value.hint or "")
        heard.clear()
        climbed(task_of(), ["search"], tmp_path, model=priced(up), budget=sf.Budget(usd=5), watch=watch, dev_only=True)
        assert not [line for _, line in heard if "may not pay" in line]


def test_a_dollar_too_few_for_one_call_is_refused_before_anything_is_asked(tmp_path):
    with upstream(model(GOOD)) as up:
        with pytest.raises(BudgetError, match=r"it may cost \$0\.\d+") as error:
            climbed(task_of(), ["search"], tmp_path, model=priced(up), budget=sf.Budget(usd=0.00001))
        assert not up.log.served and "the whole search takes" in (error.value.hint or "")
        evaluation = sf.evaluate(
            task_of(), sf.rung.search(), store=tmp_path, model=priced(up), budget=sf.Budget(usd=0.00001)
        )
        with pytest.raises(BudgetError) as error:
            sf.run(evaluation)
        assert not up.log.served and "the whole search takes" in (error.value.hint or "")


@pytest.mark.parametrize("most", [10, 45, 150])
def test_a_spent_budget_stops_it_and_what_was_paid_is_not_asked_again(tmp_path, most):
    with upstream(model(POOR, GOOD)) as up:
        whole = climbed(task_of(), ["search"], tmp_path / "whole", model=on(up))
        n = len(up.log.served)
        assert n > most
        with pytest.raises(BudgetError, match=f"{most} of {most} calls"):
            climbed(task_of(), ["search"], tmp_path / "b", model=on(up), budget=sf.Budget(calls=most))
        assert len(up.log.served) == n + most
        decision = climbed(task_of(), ["search"], tmp_path / "b", model=on(up), budget=sf.Budget(calls=10_000))
        assert said(decision)["rungs"][0]["note"] == said(whole)["rungs"][0]["note"]
        assert decision.verdict == whole.verdict == "PASS"
        asked = Counter(json.dumps(a.body) for a in up.log.asked[n:])
        assert max(asked.values()) == 1
        with open_store(tmp_path / "b") as db:  # those of the search are the run's
            assert calls.spent(db, list_runs(db)[0].id).attempts == len(up.log.served) - n


def test_said_twice_it_asks_nothing_and_decides_the_same(tmp_path):
    with upstream(model(POOR, GOOD)) as up:
        first = climbed(task_of(), ["prompt", "search"], tmp_path, model=on(up))
        n = len(up.log.served)
        assert said(climbed(task_of(), ["prompt", "search"], tmp_path, model=on(up))) == said(first)
        assert len(up.log.served) == n


def test_the_seed_decides_which_cases_are_shown():
    task, seen = task_of(), set()
    for seed in (0, 1):
        first, second = halves(task, Bounds(seed=seed))
        assert (first, second) == halves(task, Bounds(seed=seed)) and len(first) + len(second) == 60
        seen.add(frozenset(c.id for c in first))
    assert len(seen) == 2
    assert sf.rung.search(seed=1).identity != sf.rung.search().identity != sf.rung.search(k=5).identity


def test_a_cluster_is_in_one_half_alone():
    given = [{**row, "customer": f"c{i % 40}"} for i, row in enumerate(rows(train=80))]
    task = a_task(given=given, cluster="customer")
    first, second = halves(task, Bounds())
    assert first and second and not {c.cluster for c in first} & {c.cluster for c in second}


@pytest.mark.parametrize("train", [3, 23])
def test_a_short_train_is_refused_with_what_to_do_and_nothing_is_asked(tmp_path, train):
    with upstream(model(GOOD)) as up:
        decision = climbed(task_of(train=train), ["constant", "search"], tmp_path, model=on(up), dev_only=True)
        row = decision.rungs[1]
        assert row.state == "not tried" and not up.log.served
        assert f"at least 24 train cases, and there are {train}" in row.note
        assert 'shape = "30/20/50"' in row.note
        with pytest.raises(UsageError, match="at least 24 train cases"):
            sf.run(sf.evaluate(task_of(train=train), sf.rung.search(), store=tmp_path, model=on(up)))
        with pytest.raises(UsageError, match="at least 24 train cases"), sf.using(model=on(up)):
            sf.run(sf.rung.search().fit(task_of(train=train), ()))


HOSTILE = [
    "",
    " \n\t ",
    "x" * 100_000,
    "{{ 7 * 7 }} {% for x in y %} {inputs} %s {0}",
    "{{ 7 * 7 }}  {% for x in y %} {inputs} %s {0}",  # the same but for white space
    "\x1b[31mred\x00",
    "\u202eback",
    "<script>alert(1)</script>",
]


def test_hostile_proposals_are_texts_or_nothing(tmp_path):
    braces = HOSTILE[3]
    assert taken(HOSTILE, "Now.", 9) == [braces, HOSTILE[-1]]
    assert taken([" now. ", "y" * LONGEST, "z"], "Now.", 1) == ["y" * LONGEST]
    with upstream(model(*HOSTILE)) as up:
        decision = climbed(task_of(), ["search"], tmp_path, model=on(up), dev_only=True)
        assert "of 2 instructions and 3 sets" in decision.rungs[0].note
        tried = {system(a) for a in up.log.asked if not proposing(a)}
        assert tried - {braces, HOSTILE[-1]} == {next(t for t in tried if t.startswith("You are given"))}


@pytest.mark.parametrize(
    "reply", [Ok("no list at all"), Ok('{"answer": []}'), Ok('{"answer": [1, {}]}'), Status(400)], ids=str
)
def test_where_nothing_is_proposed_the_examples_still_race(tmp_path, reply):
    ordinary = model(share=0.5)

    def script(asked: Asked) -> Fault:
        return reply if proposing(asked) else ordinary(asked)

    with upstream(script) as up:
        decision = climbed(task_of(), ["search"], tmp_path, model=on(up), dev_only=True)
        assert "0 instructions and 3 sets of examples" in decision.rungs[0].note


def test_a_prompt_that_is_right_already_is_left_as_it_is(tmp_path):
    with upstream(model(GOOD, share=1.0)) as up:
        decision = climbed(task_of(), ["search"], tmp_path, model=on(up))
        assert decision.verdict == "PASS" and not any(proposing(a) for a in up.log.asked)
        assert "the prompt as it is: it is right on all 30 train cases" in decision.rungs[0].note


def test_where_nobody_answers_nothing_is_proposed_and_it_is_not_tried(tmp_path):
    with upstream(Status(401)) as up:
        with pytest.raises(NoEndpoint, match="`search` could not be asked: .* refuses every call .* no try was spent"):
            climbed(task_of(), ["search"], tmp_path, model=on(up), dev_only=True)
        assert not any(proposing(a) for a in up.log.asked)


def test_another_model_may_propose(tmp_path):
    def silent(asked: Asked) -> Fault:
        assert not proposing(asked)
        return model()(asked)

    with upstream(silent) as small, upstream(model(GOOD)) as large:
        ladder = [sf.rung.search(proposer=on(large))]
        decision = climbed(task_of(), ladder, tmp_path, model=on(small))
        assert decision.solution is None or decision.solution.form.data["model"] == on(small)
        assert len(large.log.served) == 1 and proposing(large.log.asked[0])


def test_a_step_is_searched_from_its_own_words_and_a_variant_of_a_family(tmp_path):
    @sf.step
    async def sort(ticket: str) -> Team:
        """Which team?"""
        ...

    with upstream(model(GOOD)) as up:
        both = sf.rung.family("both", sf.rung.prompt(), sf.rung.search(sort))
        decision = climbed(task_of(), [both], tmp_path, model=on(up), budget=sf.Budget(calls=2000))
        assert decision.verdict == "PASS"
        assert any(system(a) == "Which team?" for a in up.log.asked)
        asked = Counter(json.dumps(a.body) for a in up.log.asked)
        assert max(asked.values()) == 1
    with pytest.raises(UsageError, match="a step"):
        rung.search("sort")


def test_fresh_asks_anew_but_nothing_twice_within_a_family(tmp_path):
    with upstream(model(GOOD)) as up:
        both = sf.rung.family("both", sf.rung.prompt(), sf.rung.search())
        climbed(task_of(), [both], tmp_path, model=on(up), dev_only=True)
        n = len(up.log.served)
        climbed(task_of(), [both], tmp_path, model=on(up), dev_only=True, fresh=True)
        again = Counter(json.dumps(a.body) for a in up.log.asked[n:] if proposing(a))
        assert again.total() == 1


def test_a_search_is_what_others_are_compared_with_and_is_searched_once(tmp_path):
    with upstream(model(GOOD)) as up:
        ladder = ["prompt", sf.rung.search(name="best")]
        decision = climbed(task_of(bar=None), ladder, tmp_path, model=on(up), within=0.1, of=ladder[1])
        assert states(decision)["prompt"] == "dropped"
        asked = Counter(json.dumps(a.body) for a in up.log.asked if a.text.startswith("train") or proposing(a))
        assert asked and max(asked.values()) == 1


def test_a_proposer_is_a_model():
    with pytest.raises(UsageError, match="proposer is the name of a model or an sf.Model"):
        sf.rung.search(proposer=3)
    with pytest.raises(UsageError, match="cases is a whole number of at least 12"):
        sf.rung.search(cases=3)


def test_evaluate_searches_on_train_once_and_reports_dev(tmp_path):
    with upstream(model(GOOD)) as up:
        report = sf.run(sf.evaluate(task_of(), sf.rung.search(), store=tmp_path, model=on(up)))
        assert report.n == 60 and report.solution == "search" and not report.fitted
        n = len(up.log.served)
        again = sf.run(sf.evaluate(task_of(), sf.rung.search(), store=tmp_path, model=on(up)))
        assert again.identity == report.identity and len(up.log.served) == n
        with pytest.raises(BudgetError):
            sf.run(
                sf.evaluate(task_of(), sf.rung.search(), store=tmp_path / "b", model=on(up), budget=sf.Budget(calls=5))
            )
        assert len(up.log.served) == n + 5


def test_evaluate_counts_what_the_search_asked_and_says_what_it_takes_and_found(tmp_path):
    heard: list[tuple[int, str]] = []
    with upstream(model(POOR, GOOD)) as up:

        def on_line(line: str) -> None:
            heard.append((len(up.log.served), line))

        report = sf.run(sf.evaluate(task_of(), sf.rung.search(), store=tmp_path, model=priced(up), on_line=on_line))
        n = len(up.log.served)
        assert report.spent.attempts == n > report.n and report.cost.n == report.n
        assert heard[0][0] == 0 and heard[0][1].startswith("search: at most ")
        assert f"search: {report.notes[0]}" in [line for _, line in heard]
        assert report.notes[0].startswith("a proposed instruction, ") and report.notes[1] == f"its instruction: {GOOD}"
        assert f"note       its instruction: {GOOD}" in str(report)
        with open_store(tmp_path) as db:
            assert calls.spent(db, report.run).attempts == n


def test_every_case_of_an_evaluated_search_is_found_again(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(train=60, dev=30, test=10)))
    with upstream(model(GOOD)) as up:
        task = sf.Task.load(path, kind="label")
        report = sf.run(sf.evaluate(task, sf.rung.search(), store=tmp_path / "s", model=on(up)))
        with open_store(tmp_path / "s") as db:
            found = recalled(db, get_run(db, report.run))
        assert found["n"] == report.n == 30 and found["right"] == sum(o.right for o in report.outcomes)
        assert found["notes"] == list(report.notes)


def test_an_evaluation_of_a_search_that_was_cut_off_goes_on_in_its_run_and_its_budget(tmp_path):
    def once(**how: object) -> sf.Report:
        return sf.run(sf.evaluate(task_of(), sf.rung.search(), store=tmp_path, model=on(up), **how))

    with upstream(model(POOR, GOOD)) as up:
        with pytest.raises(BudgetError):
            once(budget=sf.Budget(calls=40))
        with pytest.raises(BudgetError):
            once(budget=sf.Budget(calls=45))
        assert len(up.log.served) == 45
        report = once(budget=sf.Budget(calls=10_000))
        assert report.spent.attempts == len(up.log.served)
        with open_store(tmp_path) as db:
            assert [run.id for run in list_runs(db)] == [report.run]


@pytest.mark.parametrize(
    "variants,cases,calls_", [(1, 48, 0), (7, 48, 84 + 48 + 48), (7, 30, 84 + 48 + 12), (2, 12, 24)]
)
def test_halving_bounds_its_calls_and_ties_go_to_the_first(variants, cases, calls_):
    assert most_calls(variants, cases) == calls_
    put: Counter[int] = Counter()
    task = task_of(train=cases)

    async def scores(i, some):
        put[i] += len(some)
        return [0.5] * len(some)

    best, _ = sf.run(halved(variants, task.train, scores, lambda line: None))
    assert best == 0 and put.total() == calls_


def test_without_dspy_its_rung_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dspy", None)
    with pytest.raises(MissingExtra) as one:
        sf.rung.dspy(optimizer="MIPROv2")
    assert one.value.hint == "pip install 'suffice[dspy]'"
