"""A claim about these sealed inputs alone: it always settles, is worded "scored", and is wrong as seldom as it says."""

from __future__ import annotations

import numpy as np
import pytest
from climb_samples import Calls, a_task, climbed, place, rows, solver

from suffice.errors import UsageError
from suffice.evals import grade
from suffice.evals.task import Task
from suffice.ladder.climb import plan
from suffice.ladder.gate import ALWAYS
from suffice.stats.claim import Claim
from suffice.stats.exact import boundary
from suffice.stats.trial import Trial


def right_on(name: str, right: int, test: int = 200, **more):
    """Right on exactly so many of the sealed cases, and on most of dev."""
    order = sorted((f"test ticket {i + 80} of 0" for i in range(test)), key=lambda text: place(name, "order", text))
    known = set(order[:right])
    return solver(name, lambda text: text in known or (text.startswith("dev") and place(name, text) < 0.9), **more)


def test_a_pass_says_scored_and_these_inputs(tmp_path):
    decision = climbed(a_task(bar=0.8), [right_on("good", 190)], tmp_path, finite=True)
    assert decision.verdict == "PASS" and decision.claim.kind == "finite" and decision.claim.tolerance == 0.0
    assert decision.sentence.startswith("`good` scored at least .")
    assert " right on these 200 inputs (bar .80, tolerance .00, error 2.5%, " in decision.sentence
    assert "suffices" not in decision.sentence and "future" not in decision.sentence
    assert decision.rungs[0].tested.used < 200  # what is clear early is not run to the end
    assert decision.bound is not None and 0.8 <= decision.bound <= 0.95


@pytest.mark.parametrize(("right", "verdict"), [(160, "PASS"), (159, "FAIL"), (161, "PASS"), (140, "FAIL")])
def test_it_settles_to_the_case_at_the_bar(tmp_path, right, verdict):
    """200 cases, bar .80: 160 right are enough, 159 are not, where it is run to the end."""
    decision = climbed(a_task(bar=0.8), [right_on("near", right, free=True)], tmp_path, finite=True, rule=ALWAYS)
    if right in (160, 159):  # so near the bar an early end would be the stated error
        assert decision.rungs[0].tested.used == 200
    assert decision.verdict == verdict
    if verdict == "FAIL":
        assert "`near` did not score so: that it reaches the bar of .80 on these 200 inputs was" in decision.sentence


def test_every_case_of_a_cluster_counts(tmp_path):
    given = rows(customer=lambda i: f"customer {i // 4}")
    task = a_task(given=given, cluster="customer")
    population = climbed(task, [solver("good", 0.95)], tmp_path)
    assert population.claim.most > 1
    decision = climbed(task, [solver("good", 0.95)], tmp_path, finite=True)
    assert decision.claim.n == 200 and decision.claim.per is None and decision.claim.most == 1
    assert "on these 200 inputs" in decision.sentence and decision.rungs[0].dev_total == 60
    assert decision.rungs[0].tested.number == 2  # another claim on the same cases is one more try


def test_a_mean_score_is_claimed_of_these_inputs_by_betting(tmp_path):
    half = grade.function(lambda output, expected: 1.0 if output == expected else 0.5, name="half")
    task = Task(rows(), bar=0.9, grader=half, kind="label", labels=["billing", "shipping", "returns", "orders", "?"])
    decision = climbed(task, [solver("good", 0.95)], tmp_path, finite=True, rule=ALWAYS)
    assert decision.verdict == "PASS" and decision.claim.numbers(0.025).engine.name == "betting"
    assert decision.sentence.startswith("`good` scored a mean of at least .")


def test_with_a_coverage_the_rest_goes_to_a_person(tmp_path):
    shy = solver("shy", 0.97, hands_on=lambda t: place("shy?", t) < 0.3)
    decision = climbed(a_task(bar=0.85), [shy], tmp_path, finite=True, coverage=0.6, rule=ALWAYS)
    assert decision.verdict == "PASS" and "of these 200 inputs" in decision.sentence
    assert decision.sentence.endswith("the others go to a person.")


def test_what_speaks_of_calls_to_come_is_refused(tmp_path):
    calls = Calls()
    for more in ({"p95": 2.0}, {"within": 0.05, "of": "good", "bar": None}):
        with pytest.raises(UsageError, match="these inputs alone"):
            climbed(a_task(), [solver("good", 0.9, calls=calls)], tmp_path, finite=True, **more)
    assert not calls.inputs


def test_a_plan_says_what_is_claimed_and_asks_for_no_fresh_cases(tmp_path):
    made = plan(a_task(bar=0.9), finite=True, store=tmp_path)
    said = str(made)
    claimed = "at least .90 of these 200 sealed inputs are right, and of no others (bar .90, tolerance .00)"
    assert f"claim      {claimed}\n" in said
    assert "to pass    at least 180 of 200 right" in said and "fresh" not in said
    assert all(o.passes + o.fails == pytest.approx(1.0) for o in made.odds)  # it always settles
    assert min(o.rate for o in made.odds) < 0.9 < max(o.rate for o in made.odds)


def test_dev_predicts_whether_these_inputs_will_be_enough(tmp_path):
    good = climbed(a_task(bar=0.8), [solver("good", 0.95)], tmp_path / "a", finite=True, dev_only=True)
    poor = climbed(a_task(bar=0.8), [solver("poor", 0.6)], tmp_path / "b", finite=True, dev_only=True)
    assert good.rungs[0].chance > 0.9 and poor.rungs[0].state == "dropped"


@pytest.mark.parametrize(("right", "wrong", "error"), [(159, "PASS", 0.025), (160, "FAIL", 0.2)])
def test_false_verdicts_are_as_seldom_as_stated(right, wrong, error):
    """4,000 orders of a set just below the claim (PASS would be wrong), or exactly on the bar (FAIL would)."""
    claim, runs = Claim(0.8, 0.0, 200, 0.025, kind="finite"), 4000
    rows_ = np.random.default_rng(11).permuted(np.tile(np.arange(200) < right, (runs, 1)), axis=1)
    seen = rows_.cumsum(1)
    high = seen >= boundary(claim.pass_null, 200, claim.alpha)
    low = seen <= boundary(claim.fail_null, 200, claim.alpha_fail, "fail")
    assert (high | low).any(1).all()  # it always settles
    first = np.where(high.any(1), high.argmax(1), 200) <= np.where(low.any(1), low.argmax(1), 200)
    share = (first if wrong == "PASS" else ~first).mean()
    assert 0 < share <= error + 3 * (error * (1 - error) / runs) ** 0.5
    for row, passed in zip(rows_[:12], first, strict=False):
        trial = Trial(claim)
        assert next(v for v in (trial.observe(float(x), float(x)) for x in row) if v) == ("PASS" if passed else "FAIL")


def test_failed_calls_may_leave_it_unsettled(tmp_path):
    """Neither side is shown where the calls that failed would decide."""
    lost = solver("lost", lambda t: True, fails=lambda t: t.startswith("test") and place("out", t) < 0.3)
    for _ in range(4):  # three pauses, then it is decided with what fails
        decision = climbed(a_task(bar=0.8), [lost], tmp_path, finite=True, rule=ALWAYS)
    assert decision.verdict == "UNPROVEN"
    assert decision.sentence.startswith("`lost` is unproven: neither that it scores so nor that it does not was shown")
