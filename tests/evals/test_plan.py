"""`plan`: true figures before anything runs, and refusals whose hint works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import BarError
from suffice.evals.claim import Stated
from suffice.evals.plan import Plan, plan_of, refuse_hopeless
from suffice.evals.seal import Sealed, choose_block, sealed_blocks
from suffice.evals.task import Task
from suffice.ladder.climb import plan as climb_plan
from suffice.stats.claim import Claim
from suffice.stats.ledger import TOTAL, alpha_of_try
from suffice.stats.plan import cases_needed, certifiable, default_tolerance, largest_claim, least_right, power
from suffice.store import ledger
from suffice.store.database import Store, open_store
from suffice.values import Case


def sealed(n: int, passed: tuple[bool, ...] = (), known: int | None = None) -> Sealed:
    """A block of `n` cases with this history."""
    cases = tuple(Case(f"c{i}", f"t{i}", "a", f"c{i}", f"t.csv:{i}", f"{i:032x}", f"{i:032x}") for i in range(n))
    block = ledger.Block(known, frozenset(c.key for c in cases), n, 7)
    return Sealed(block, tuple((c,) for c in cases), passed, clusters=False, most=1)


def stated(
    bar: float, tolerance: float, n: int, coverage: float | None = None, per: str | None = None, **more: Any
) -> Stated:
    return Stated(bar, tolerance, coverage, n, per, "label", "f00d", **more)


def plan_for(bar: float, tolerance: float, block: Sealed, coverage: float | None = None, **more: Any) -> Plan:
    return plan_of(stated(bar, tolerance, block.n, coverage, **more), block, [], default=False)


def hopeless(bar: float, tolerance: float, block: Sealed) -> None:
    refuse_hopeless(stated(bar, tolerance, block.n), block)


def line(plan: Plan, label: str) -> str:
    [found] = [text for text in str(plan).splitlines() if text.startswith(label)]
    return found.removeprefix(label).strip()


# ---------------------------------------------------------------- the figures


@pytest.mark.parametrize(
    ("bar", "tolerance", "n"), [(0.9, 0.05, 240), (0.8, 0.06, 300), (0.95, 0.05, 60), (0.5, 0.1, 41)]
)
@pytest.mark.parametrize("passed", [(), (False,), (True, False)])
def test_every_figure_is_the_engines_own(bar: float, tolerance: float, n: int, passed: tuple[bool, ...]) -> None:
    plan = plan_for(bar, tolerance, sealed(n, passed))
    claim = Claim(bar, tolerance, n, alpha_of_try(passed))
    assert (plan.n, plan.alpha, plan.total, plan.least) == (n, claim.alpha, TOTAL, least_right(claim))
    assert [o.rate for o in plan.odds] == sorted({o.rate for o in plan.odds}) and bar in [o.rate for o in plan.odds]
    for odds in plan.odds:
        assert (odds.passes, odds.fails, odds.cases) == tuple(power(claim, odds.rate))[:3]
    assert plan.fresh == cases_needed(bar, tolerance, (1 + bar) / 2, alpha_of_try([]))
    assert line(plan, "to pass").startswith(f"at least {plan.least} of {n} right")
    for odds in plan.odds:
        row = re.search(rf"^\s+{re.escape(f'{odds.rate:.4f}'.rstrip('0')[1:])}0?\s+(\d+)%\s+(\d+)%", str(plan), re.M)
        assert row is not None and (int(row[1]), int(row[2])) == (round(100 * odds.passes), round(100 * odds.fails))


def test_the_lines_of_a_usual_plan() -> None:
    """Claim .85 (bar .90, tolerance .05): PASS at .90 and .95 with 300 cases is 64 and 100%, less what FAIL takes."""
    plan = plan_for(0.9, 0.05, sealed(300))
    chances = {o.rate: o.passes for o in plan.odds}
    assert chances[0.9] == pytest.approx(0.64, abs=0.03) and chances[0.95] > 0.995
    assert chances[0.85] <= 0.025
    assert line(plan, "claim") == ("at least .85 of future inputs like these are right (bar .90, tolerance .05)")
    assert line(plan, "cases") == "300 sealed"
    assert line(plan, "ledger") == "no try yet; the first may spend .025 of .05"
    assert line(plan, "more").startswith("not needed: ")


def test_the_unit_and_a_default_tolerance_are_named() -> None:
    plan = plan_of(stated(0.8, 0.06, 300, per="customer"), sealed(300), [], default=True)
    assert line(plan, "cases") == "300 sealed, one per customer"
    assert "(bar .80, tolerance .06, the resolution of this test)" in str(plan)
    assert default_tolerance(0.8, 300) == 0.06


def test_with_coverage_the_figures_are_those_of_the_answered_cases() -> None:
    plan = plan_for(0.95, 0.05, sealed(240), coverage=0.6)
    claim = Claim(0.95, 0.05, 144, 0.025)
    assert plan.least == least_right(claim)
    shown = power(Claim(0.6, 0.05, 240, 0.025), 0.8).passes
    assert plan.odds[-1].passes == power(claim, plan.odds[-1].rate).passes * shown
    assert "of the answered inputs" in line(plan, "claim")
    assert line(plan, "coverage") == (
        "at least 55% answered must be shown, too (asked 60%); the figures below are for 144 answered cases, "
        "and the chances where 80% are answered, which shows it in 100%"
    )
    few = plan_for(0.9, 0.1, sealed(40), coverage=0.1)
    assert line(few, "to pass") == "more than 4 answered cases, even were all of them right"
    assert plan_for(0.95, 0.05, sealed(240), coverage=0.0).least == least_right(Claim(0.95, 0.05, 240, 0.025))


def test_what_more_cases_would_buy_keeps_its_word() -> None:
    plan = plan_for(0.9, 0.02, sealed(100))
    assert plan.fresh is not None and plan.fresh > 100
    assert line(plan, "more") == (
        f"{plan.fresh:,} fresh cases on their first try would give a solution of .95 an 80% chance"
    )
    assert power(Claim(0.9, 0.02, plan.fresh, 0.025), 0.95).passes >= 0.8
    assert power(Claim(0.9, 0.02, plan.fresh - 40, 0.025), 0.95).passes < 0.8


# ---------------------------------------------------------------- the ledger


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "store") as opened:
        yield opened


def test_the_ledger_line_tells_what_was_tried_and_what_is_left(store: Store) -> None:
    task = Task([{"text": f"ticket {i}", "team": "ab"[i % 2]} for i in range(300)])
    for number, verdict in enumerate(["PASS", "FAIL", "UNPROVEN"]):
        [block] = sealed_blocks(store, task)
        begun = ledger.begin_try(store, block.block, f"candidate {number}", {"bar": 0.8}, alpha_of_try)
        ledger.finish_try(store, begun.id, verdict, 20)  # pyright: ignore[reportArgumentType]
    block = choose_block(sealed_blocks(store, task), 0.8)
    plan = plan_of(stated(0.8, 0.1, block.n), block, ledger.tries(store, block.block), default=False)
    assert plan.alpha == alpha_of_try([True, False, False]) == 0.05 / 16
    assert line(plan, "ledger") == (
        "3 tries so far, 1 passed; the next may spend .00313 of .05; fresh cases start a ledger of their own"
    )
    one = plan_of(stated(0.8, 0.1, block.n), block, ledger.tries(store, block.block)[:1], default=False)
    assert line(one, "ledger").startswith("1 try so far, 1 passed")


# ---------------------------------------------------------------- refusals


def test_too_few_cases_show_a_bar_only_as_less() -> None:
    best = largest_claim(30, 0.025).possible
    assert best is not None and best < 0.9
    with pytest.raises(BarError) as caught:
        hopeless(0.9, 0.0, sealed(30))
    said = re.fullmatch(r"with 30 sealed cases I can show \.90 only as at least (\.\d+)", caught.value.message)
    assert said is not None and float(said[1]) == best
    assert not certifiable(Claim(0.9, round(0.9 - best - 0.005, 10), 30, 0.025))  # no more than that
    hopeless(0.9, 0.05, sealed(30))


@settings(max_examples=60, deadline=None)
@given(
    bar=st.sampled_from([0.6, 0.8, 0.875, 0.9, 0.925, 0.95, 0.99, 1.0, 0.8333]),
    tolerance=st.sampled_from([0.0, 0.01, 0.05]),
    n=st.integers(1, 400),
    passed=st.lists(st.booleans(), max_size=3),
)
def test_what_is_refused_cannot_be_shown_and_the_tolerance_in_the_hint_can(
    bar: float, tolerance: float, n: int, passed: list[bool]
) -> None:
    block = sealed(n, tuple(passed))
    possible = certifiable(Claim(bar, tolerance, n, block.alpha))
    try:
        hopeless(bar, tolerance, block)
    except BarError as error:
        message, hint = error.message, error.hint or ""
    else:
        assert possible
        return
    assert "\n" not in message and hint
    assert "0." not in message  # a rate is written ".90", as everywhere
    if not possible:
        assert message.startswith(f"with {n} sealed case")
    found = re.search(r"--tolerance (\S+)", hint)
    if found:
        slack = float(shlex.split(found[1])[0])
        assert 0 < slack < bar and certifiable(Claim(bar, slack, n, block.alpha))
    else:
        best = largest_claim(n, block.alpha).possible
        if best is not None and best < bar / 2:
            assert "nothing worth saying can be shown" in message
        else:
            assert possible or best in (None, *(b / 200 for b in range(int(bar * 200), 201)))


@settings(max_examples=15, deadline=None)
@given(bar=st.sampled_from([0.8, 0.9, 0.95]), n=st.integers(1, 40))
def test_the_cases_in_the_hint_would_do(bar: float, n: int) -> None:
    with pytest.raises(BarError) as caught:
        hopeless(bar, 0.0, sealed(min(n, 12)))
    found = re.search(r"add about ([\d,]+) test cases", caught.value.hint or "")
    assert found is not None
    enough = min(n, 12) + int(found[1].replace(",", ""))
    hopeless(bar, 0.0, sealed(enough))
    assert power(Claim(bar, 0.0, enough, 0.025), (1 + bar) / 2).passes >= 0.8


def test_a_claim_that_no_number_of_cases_shows_says_so() -> None:
    with pytest.raises(BarError) as caught:
        hopeless(1.0, 0.0, sealed(50))
    assert "no number of cases would show it so sharply" in (caught.value.hint or "")


def _failed(number: int) -> ledger.Try:
    rest = {"run": None, "started": 0.0, "finished": 1.0, "used": 9, "bound": None, "details": None}
    return ledger.Try(number, 1, number + 1, "c", {}, 0.05 / 2 ** (number + 1), 60, 7, verdict="FAIL", **rest)  # pyright: ignore[reportArgumentType]


def test_one_case_and_a_spent_ledger_are_told_in_plain_words() -> None:
    with pytest.raises(BarError, match="^with 1 sealed case nothing worth saying can be shown\\n"):
        hopeless(0.9, 0.1, sealed(1))
    late = plan_of(stated(0.9, 0.05, 60), sealed(60, (False,) * 11), [_failed(j) for j in range(11)], default=False)
    assert "11 tries so far, 0 passed; the next may spend .0000122 of .05" in line(late, "ledger")
    with pytest.raises(BarError, match="after 9 tries") as caught:
        hopeless(0.9, 0.05, sealed(60, (False,) * 9))
    assert "fresh test cases" in (caught.value.hint or "")


def test_a_stated_claim_is_plain_json_with_its_bound() -> None:
    claim = stated(0.9, 0.1, 60, 0.6, "customer")
    assert claim.bound == 0.8 and stated(0.85, 0.05, 60).bound == 0.8
    assert claim.to_json() == {
        "kind": "population", "bar": 0.9, "tolerance": 0.1, "coverage": 0.6, "per": "customer", "grader": "label",
        "labels": "f00d",
    }  # fmt: skip


# ---------------------------------------------------------------- coverage


def covered(coverage: float, n: int) -> None:
    refuse_hopeless(stated(0.8, 0.1, n, coverage), sealed(n))


@pytest.mark.parametrize(("coverage", "n"), [(0.99, 50), (0.95, 20), (0.98, 40)])
def test_a_coverage_that_the_cases_cannot_show_is_refused_with_what_would_do(coverage: float, n: int) -> None:
    with pytest.raises(BarError, match=f"with {n} sealed cases no coverage of") as caught:
        covered(coverage, n)
    hint = caught.value.hint or ""
    assert "leave --coverage out where every input must be answered" in hint
    [most] = re.findall(r"--coverage (0\.\d+) is the most", hint)
    covered(float(most), n)
    with pytest.raises(BarError):
        covered(round(float(most) + 0.005, 10), n)
    [more] = re.findall(r"add about ([\d,]+) test cases", hint)
    covered(coverage, n + int(more.replace(",", "")))


def test_the_chance_to_pass_counts_that_of_showing_the_share_answered() -> None:
    easy, sharp = plan_for(0.8, 0.1, sealed(100), coverage=0.5), plan_for(0.8, 0.1, sealed(70), coverage=0.99)
    assert easy.likely_share is not None and easy.likely_share > 0.99
    assert sharp.likely_share is not None and sharp.likely_share < 0.9
    for odds in sharp.odds:
        assert odds.passes <= sharp.likely_share and odds.passes + odds.fails <= 1
    assert plan_for(0.8, 0.1, sealed(100)).likely_share is None
    assert plan_for(0.8, 0.1, sealed(100), coverage=0.0).likely_share is None


def test_a_coverage_of_all_is_a_claim_about_all_inputs(store: Store) -> None:
    task = Task([{"text": f"ticket {i}", "team": "ab"[i % 2]} for i in range(80)], bar=0.8)
    every, said = (climb_plan(task, coverage=c, store=store) for c in (1.0, None))
    assert every == said and every.coverage is None and "coverage" not in str(every)


# ---------------------------------------------------------------- time limits


def test_a_plan_with_a_time_limit_says_what_takes_how_many_calls_in_time() -> None:
    plan = plan_for(0.9, 0.05, sealed(300), p95=2.0, concurrency=8)
    timing = Claim(0.95, 0.0, 300, 0.025)
    assert plan.in_time == least_right(timing)
    likely = f"{power(timing, 0.99).passes:.0%}"
    assert line(plan, "time") == (
        f"95% of the calls within 2 s must be shown, too: at least {plan.in_time} of 300 in time; where 99% are, that "
        f"is shown in {likely}; the chances below are those of the answers alone"
    )
    assert plan.fresh == cases_needed(0.9, 0.05, 0.95, 0.025, fast=0.95)
    assert plan.fresh > cases_needed(0.9, 0.05, 0.95, 0.025)
    assert "give a solution of .95 with 99% of its calls in time an 80% chance" in line(plan, "more")


def test_without_a_time_limit_nothing_is_said_of_time() -> None:
    assert "in time" not in str(plan_for(0.9, 0.05, sealed(300)))


# ---------------------------------------------------------------- relative bars


@pytest.mark.parametrize(("within", "n"), [(0.02, 200), (0.05, 60)])
def test_a_margin_that_is_refused_comes_with_one_that_would_do(within: float, n: int) -> None:
    def ask(margin: float, size: int) -> None:
        claim = Stated(0.5, margin / 2, None, size, None, "label", "f00d", graded=True, within=margin, of="big")
        refuse_hopeless(claim, sealed(size))

    with pytest.raises(BarError) as refused:
        ask(within, n)
    found = re.search(
        r"--within (0?\.\d+) is the smallest that these resolve, or add about ([\d,]+) ", refused.value.hint
    )
    assert found, refused.value.hint
    smallest, more = float(found[1]), int(found[2].replace(",", ""))
    ask(smallest, n)
    with pytest.raises(BarError):
        ask(round(smallest - 0.01, 2), n)
    ask(within, n + 2 * more)  # a rough figure: simulated


def test_where_no_margin_would_do_the_number_of_cases_is_named() -> None:
    claim = Stated(0.5, 0.01, None, 3, None, "label", "f00d", graded=True, within=0.02, of="big")
    with pytest.raises(BarError) as refused:
        refuse_hopeless(claim, sealed(3))
    assert "--within" not in refused.value.hint and re.search(r"add about [\d,]+ test cases", refused.value.hint)
