"""What a case costs in production and what a run paid now are two figures, and unknown is not zero."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upstream_faults import Asked, Fault, Hang, Ok, Status

import suffice as sf
from suffice.errors import UsageError
from suffice.evals.cost import PerCase, money, per_case, spent_json, spent_text
from suffice.evals.report import lines
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import eval_page, page
from suffice.models.belonging import current
from suffice.store.calls import Spent
from suffice.store.database import open_store
from suffice.store.runs import get_run
from suffice.values import NO_COST, Cost
from upstream import upstream

PRICE = (10.0, 100.0)  # US dollars per million tokens
USAGE = (12, 3)
EACH = (12 * 10 + 3 * 100) / 1e6


@pytest.fixture
def task(tmp_path: Path) -> sf.Task:
    rows = [{"text": f"ticket {i}", "label": "ok"} for i in range(400)]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return sf.Task.load(tmp_path / "cases.jsonl", bar=0.8, kind="label")


def asking(url: str, calls: int = 1, **options: Any) -> Any:
    """A solution that asks a model so many times for each case."""
    model = sf.Model(f"{url}#any", **{"price": PRICE, "max_output_tokens": 50, **options})

    async def triage(text: str) -> str:
        replies = await asyncio.gather(*(model(text, sample=i) for i in range(calls)))
        return replies[0].value

    return triage


def test_a_report_says_what_a_case_costs_and_what_the_run_paid(task: sf.Task, tmp_path: Path) -> None:
    with upstream(Ok(usage=USAGE)) as up:
        report = sf.run(sf.evaluate(task, asking(up.url, calls=2), store=tmp_path))
    assert report.cost is not None and report.spent is not None
    low, high = report.cost.between or (0, 0)
    assert report.cost == PerCase(report.n, pytest.approx(2 * EACH), 24, 6, False, low, high)
    assert 0.95 * 2 * EACH < low < 2 * EACH < high < 1.05 * 2 * EACH
    assert report.spent.usd == pytest.approx(2 * EACH * report.n) and report.spent.attempts == 2 * report.n
    said = report.to_json()
    assert said["cost"]["usd_per_1000"] == pytest.approx(2000 * EACH)
    assert said["cost"]["usd_per_1000_interval95"] == pytest.approx([1000 * low, 1000 * high])
    between = f"{money(1000 * low)} to {money(1000 * high)} at 95%, an estimate"
    each = {"usd": pytest.approx(2 * EACH), "input_tokens": 24, "output_tokens": 6, "at_most": False}
    assert said["cases"][0]["cost"] == each
    text = "\n".join(lines(report))
    assert f"cost       $0.84 per 1,000 cases ({between}; $0.00084 each); tokens a case: 24 in, 6 out" in text
    assert f"spent      {money(2 * EACH * report.n)} in {2 * report.n} attempts" in text
    assert "$0.84" in eval_page(report.to_record())


def test_what_is_looked_up_costs_nothing_now_and_the_same_in_production(task: sf.Task, tmp_path: Path) -> None:
    with upstream(Ok(usage=USAGE)) as up:
        first = sf.run(sf.evaluate(task, asking(up.url), store=tmp_path))
        answers = sf.run(sf.evaluate(task, asking(up.url), store=tmp_path))

        name = f"{up.url}#any"

        async def other(text: str) -> str:  # another solution, the same requests: its answers are new, its replies not
            return (await sf.Model(name, price=PRICE, max_output_tokens=50)(text)).text.strip()

        replies = sf.run(sf.evaluate(task, other, store=tmp_path))
        assert len(up.log.served) == first.n
    for again in (answers, replies):
        assert again.cost == first.cost
        assert again.spent is not None and (again.spent.usd, again.spent.attempts) == (0.0, 0)
        assert "spent      nothing: every reply was recorded earlier" in "\n".join(lines(again))


def test_equal_requests_at_once_are_paid_once_and_cost_each_case_the_same(task: sf.Task, tmp_path: Path) -> None:
    with upstream(Ok(usage=USAGE, delay=0.05)) as up:
        model = sf.Model(f"{up.url}#any", price=PRICE)

        async def same(text: str) -> str:
            return (await model("one question for all")).value

        report = sf.run(sf.evaluate(task, same, store=tmp_path, concurrency=64))
        assert len(up.log.served) == 1
    assert report.cost is not None and report.cost.usd == pytest.approx(EACH)
    assert report.spent is not None and report.spent.usd == pytest.approx(EACH)


def test_failed_attempts_are_part_of_the_cost_and_failed_cases_of_the_mean(task: sf.Task, tmp_path: Path) -> None:
    def script(asked: Asked) -> Fault:
        return Status(400) if asked.text.endswith("7") else Ok(usage=USAGE)

    with upstream(script) as up:
        report = sf.run(sf.evaluate(task, asking(up.url), store=tmp_path))
    assert 0 < len(report.errors) < report.n and report.cost is not None
    assert report.cost.usd == pytest.approx(EACH * (report.n - len(report.errors)) / report.n)


def test_attempts_that_ended_without_a_count_are_said_to_cost_at_most_their_reservation(
    task: sf.Task, tmp_path: Path
) -> None:
    def script(asked: Asked) -> Fault:
        return Hang() if asked.number < 2 else Ok(usage=USAGE)

    def triage(url: str) -> Any:
        return asking(url, attempts=2, timeout=0.2, retry=sf.models.Retry(base=0.001))

    with upstream(script) as up:
        report = sf.run(sf.evaluate(task, triage(up.url), store=tmp_path))
        again = sf.run(sf.evaluate(task, triage(up.url), store=tmp_path))
    assert report.spent is not None and report.cost is not None and not report.errors
    assert (report.spent.attempts, report.spent.uncounted) == (report.n + 2, 2)
    assert report.spent.usd - report.spent.uncounted_usd == pytest.approx(EACH * report.n)
    assert report.spent.uncounted_usd >= 2 * 50 * 100 / 1e6
    assert report.cost.at_most and report.cost.usd == pytest.approx(report.spent.usd / report.n)
    text = "\n".join(lines(report))
    assert f"spent      at most {money(report.spent.usd)} in {report.n + 2} attempts: {money(EACH * report.n)}" in text
    assert "counted, the rest is the most that 2 without a count may cost" in text
    assert "cost       at most $" in text
    shown = eval_page(report.to_record())
    assert "at most $" in shown and report.to_json()["spent"]["uncounted"] == 2
    assert again.cost is not None and again.cost.at_most  # looked up, it is no better known
    assert per_case([Cost(0.1, 1, 1, at_most=True), NO_COST]) == PerCase(2, 0.05, 0.5, 0.5, at_most=True)


def test_a_budget_that_is_none_is_refused(task: sf.Task, tmp_path: Path) -> None:
    for wrong in (2, "2", {}):
        with pytest.raises(UsageError, match="^budget is a Budget"):
            sf.run(sf.evaluate(task, lambda text: "ok", store=tmp_path, budget=wrong))  # type: ignore[arg-type]


def test_what_was_counted_is_not_said_to_be_a_bound() -> None:
    paid = Spent(attempts=3, open=0, input_tokens=36, output_tokens=9, usd=0.02, unpriced=0)
    assert spent_text(paid) == "$0.020 in 3 attempts"
    bound = Spent(2, 1, 12, 3, 0.5, 0, 700, uncounted=1, uncounted_usd=0.4)
    assert spent_text(bound) == (
        "at most $0.50 in 2 attempts: $0.10 counted, the rest is the most that 1 without a count may cost"
    )


def test_an_unknown_price_is_unknown_and_never_zero(task: sf.Task, tmp_path: Path) -> None:
    async def triage(text: str) -> str:
        run = current()
        assert run is not None and run.meter is not None
        run.meter.add(Cost(None, 12, 3))  # as a call does whose price nobody knows
        return "ok"

    report = sf.run(sf.evaluate(task, triage, store=tmp_path))
    assert report.cost == PerCase(report.n, None, 12, 3)
    assert report.to_json()["cost"]["usd_per_1000"] is None
    text = "\n".join(lines(report))
    assert "cost       unknown" in text and "tokens a case: 12 in, 3 out" in text and "$" not in text
    paid = Spent(attempts=3, open=0, input_tokens=36, output_tokens=9, usd=0.02, unpriced=1)
    assert spent_text(paid) == "$0.020 in 3 attempts, 1 of them at an unknown price"
    assert spent_json(paid)["usd"] is None


def test_a_solution_that_calls_no_model_has_no_known_cost_and_words_are_free(task: sf.Task, tmp_path: Path) -> None:
    report = sf.run(sf.evaluate(task, lambda text: "ok", store=tmp_path))
    assert report.cost is None and "cost" not in "\n".join(lines(report)).replace("costs", "")
    free = sf.run(sf.evaluate(task, sf.rung.constant(), store=tmp_path))
    assert free.cost is not None and free.cost.usd == 0.0


def test_a_mean_over_cases_of_which_one_is_unknown_is_unknown() -> None:
    assert per_case([NO_COST, NO_COST]) is None
    assert per_case([Cost(0.1, 10, 2), NO_COST]) == PerCase(2, 0.05, 5, 1)
    assert per_case([Cost(0.1, 10, 2), Cost(None, 20, 4)]) == PerCase(2, None, 15, 3)
    assert per_case([Cost(0.1, 10, 2), None]) == PerCase(2, None, 10, 2)
    assert [money(v) for v in (0, 1.2, 1234.5, 0.0123)] == ["$0.00", "$1.20", "$1,234.50", "$0.012"]


def test_compare_sets_the_costs_side_by_side(task: sf.Task, tmp_path: Path) -> None:
    with upstream(Ok(usage=USAGE)) as up:
        both = [asking(up.url), asking(up.url, calls=3)]
        comparison = sf.run(sf.compare(task, *both, store=tmp_path))
        new, old = r"\$1\.26 \(\$1\.2\d to \$1\.\d\d\)", r"\$0\.42 \(\$0\.4\d to \$0\.4\d\)"
        assert re.search(f"cost       {new} per 1,000 cases against {old} per 1,000 cases", str(comparison))
        against = sf.run(sf.compare(task, sf.rung.constant(), both[0], store=tmp_path))
    assert re.search(r"cost       \$0\.42 \(.*\) per 1,000 cases against free", str(against))


def test_a_climb_says_what_each_rung_costs_and_what_the_decision_takes(task: sf.Task, tmp_path: Path) -> None:
    def script(asked: Asked) -> Fault:
        return Ok("no" if asked.model == "weak" else "ok", usage=USAGE)

    with upstream(script) as up:
        weak = sf.Model(f"{up.url}#weak", price=(1, 10), max_output_tokens=50)

        async def cheap(text: str) -> str:
            return (await weak(text)).value

        decision = sf.run(sf.climb(task, [cheap, asking(up.url)], store=tmp_path))
    assert decision.verdict == "PASS" and decision.rungs[0].state == "dropped"
    assert [r.cost.usd for r in decision.rungs if r.cost] == pytest.approx([EACH / 10, EACH])
    tested = decision.rungs[1].tested
    assert tested is not None and tested.cost is not None and tested.cost.n == tested.calls
    assert decision.cost == pytest.approx(EACH)
    assert decision.cost_between == tested.cost.between is not None
    ends = " to ".join(money(1000 * end) for end in decision.cost_between or ())
    how = f"{ends} at 95%, an estimate; mean of {tested.calls} cases"
    assert decision.sentence.endswith(f"It costs $0.42 per 1,000 inputs ({how}).")
    assert decision.spent is not None and decision.spent.usd == pytest.approx(
        decision.rungs[0].dev_seen * EACH / 10 + (decision.rungs[1].dev_seen + tested.calls) * EACH
    )
    assert re.search(r"\$0\.042 \(\$.* to \$.*\) per 1,000 cases", str(decision))
    with open_store(tmp_path) as store:
        recorded = get_run(store, decision.run).result
    assert recorded["rungs"][1]["cost"]["usd"] == pytest.approx(EACH) and recorded["cost_usd"] == pytest.approx(EACH)
    shown = page(recorded)
    assert f"for 1,000 inputs, {ends} at 95%, an estimate" in shown and "$0.042 per 1,000 cases" in shown
    assert recorded["cost_usd_interval95"] == pytest.approx(list(decision.cost_between or ()))
    again = sf.run(sf.climb(task, [cheap, asking(up.url)], store=tmp_path))
    assert again.cost == decision.cost and to_json_decision(again)["sentence"] == decision.sentence


def test_an_interval_of_the_cost_covers_the_mean_of_skewed_costs_and_knows_clusters() -> None:
    rng, runs, covered = np.random.default_rng(3), 400, 0
    for _ in range(runs):
        found = per_case([Cost(float(usd), 1, 1) for usd in rng.lognormal(0.0, 0.8, 60)])
        assert found is not None and found.between is not None
        covered += found.between[0] <= np.exp(0.32) <= found.between[1]
    assert 0.9 <= covered / runs <= 0.99
    alike = [Cost(float(usd), 1, 1) for usd in np.repeat(rng.lognormal(0.0, 0.8, 12), 5)]
    wide, narrow = per_case(alike, clusters=[i // 5 for i in range(60)]), per_case(alike)
    assert wide is not None and narrow is not None and wide.between and narrow.between
    assert wide.between[1] - wide.between[0] > 1.5 * (narrow.between[1] - narrow.between[0])


def test_too_few_costs_and_bounds_have_no_interval() -> None:
    some = [Cost(0.1, 1, 1)] * 9
    assert (few := per_case(some)) is not None and few.between is None
    bound = per_case([*some, Cost(0.3, 1, 1, at_most=True)])
    assert bound is not None and bound.between is None and bound.to_json()["usd_per_1000_interval95"] is None
