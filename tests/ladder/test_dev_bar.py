"""Dev at its bar, with repeats and a coverage together: a call is one, and its case the cluster."""

from __future__ import annotations

from itertools import count

import pytest
from climb_samples import a_task, place, truth

import suffice as sf
from suffice.ladder.dev_bar import judged_at_bar
from suffice.stats.intervals import wilson_clustered


def moody(answers: float, right: float):
    """Hands on at random, anew each time; what it answers is right on this share of the inputs."""
    asked = count()

    async def moody(text: str) -> str:
        if place("hands on", next(asked)) >= answers:
            return sf.ABSTAIN
        return truth(text) if place("right", text) < right else "?"

    return moody


def judged(tmp_path, solution, **options):
    task = a_task(dev=120, **options)
    report = sf.run(sf.evaluate(task, solution, repeats=3, store=tmp_path))
    return judged_at_bar(task, report), report


def test_both_conditions_are_judged_by_calls_whose_cases_are_clusters(tmp_path):
    gated, report = judged(tmp_path, moody(0.8, 0.97), bar=0.9, coverage=0.6)
    assert gated.verdict == "PASS" and len(report.calls) == 360
    said = [[o for o in case if not o.abstained] for case in report.asked]
    sizes, right = [len(s) for s in said if s], [sum(o.right for o in s) for s in said if s]
    found = wilson_clustered(right, sizes)
    assert f"{found.estimate:.3f} right ({found.low:.3f} to".replace("0.", ".") in gated.sentence
    assert f" of {sum(sizes)} calls; " in gated.sentence and " answered (" in gated.sentence


@pytest.mark.parametrize(
    ("answers", "right", "verdict"), [(0.4, 0.97, "FAIL"), (0.8, 0.6, "FAIL"), (0.6, 0.97, "UNPROVEN")]
)
def test_either_may_fail(tmp_path, answers, right, verdict):
    gated, _ = judged(tmp_path, moody(answers, right), bar=0.9, coverage=0.6)
    assert gated.verdict == verdict


def test_a_repeat_is_no_new_case(tmp_path):
    """Three calls that agree are worth one: the interval is that of the cases, as wide as without repeats."""

    def steady(text: str) -> str:
        return truth(text) if place("right", text) < 0.9 else "?"

    task = a_task(dev=120, bar=0.9, coverage=0.6)
    once = judged_at_bar(task, sf.run(sf.evaluate(task, steady, store=tmp_path / "a")))
    thrice = judged_at_bar(task, sf.run(sf.evaluate(task, steady, repeats=3, store=tmp_path / "b")))
    ends = [[float(x) for x in g.sentence.split("(")[1].split(" at ")[0].split(" to ")] for g in (once, thrice)]
    assert ends[0] == pytest.approx(ends[1], abs=0.004)
