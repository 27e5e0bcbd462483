"""The graph of a program: places by their names, means over cases, and the critical path."""

from __future__ import annotations

from pathlib import Path

from upstream_faults import Ok

import suffice as sf
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import page
from suffice.ladder.page_graph import program_section
from suffice.ladder.program_graph import graphs
from suffice.spans import Kind, Span
from suffice.store.database import open_store
from suffice.store.traces import traces
from suffice.values import Cost
from upstream import upstream


def made(name: str, kind: Kind, began: float, seconds: float, *children: Span, usd: float = 0.0) -> Span:
    found = Span(name, kind, began=began, seconds=seconds, cost=Cost(usd, 0, 0))
    found.children.extend(children)
    return found


def case(slow: str) -> Span:
    """Two steps side by side, of which one is slow, then a third."""
    times = {"left": 1.0, "right": 1.0, slow: 3.0}
    first = made("left", "step", 0.0, times["left"], made("m", "model", 0.0, times["left"], usd=0.01))
    second = made("right", "step", 0.0, times["right"])
    return made("triage", "program", 0.0, 4.0, first, second, made("last", "step", 3.0, 1.0))


def test_the_critical_path_is_what_the_time_was_made_of() -> None:
    assert [s.name for s in case("left").critical_path()] == ["triage", "left", "m", "last"]
    assert [s.name for s in case("right").critical_path()] == ["triage", "right", "last"]


def test_spans_with_the_same_names_above_them_are_one_node() -> None:
    (top,) = graphs([case("left"), case("left"), case("right")])
    said = {node.name: (depth, node.runs, node.cases, node.critical) for depth, node in top.walk()}
    assert said == {
        "triage": (0, 3, 3, 3),
        "left": (1, 3, 3, 2),
        "m": (2, 3, 3, 2),
        "right": (1, 3, 3, 1),
        "last": (1, 3, 3, 3),
    }
    left = top.children["left", "step"]
    assert (left.seconds, round(left.usd or 0, 6), left.beside) == (7.0, 0.03, 0)
    assert top.children["right", "step"].beside == 3
    assert round(top.usd or 0, 6) == 0.03


def test_a_step_that_runs_twice_and_one_that_fails_are_counted() -> None:
    twice = made("triage", "program", 0.0, 2.0, made("ask", "step", 0.0, 1.0), made("ask", "step", 1.0, 1.0))
    twice.children[0].error = "timeout"
    unpriced = made("triage", "program", 0.0, 1.0, made("ask", "step", 0.0, 1.0))
    unpriced.children[0].cost = Cost(None, 5, 5)
    (top,) = graphs([twice, unpriced])
    ask = top.children["ask", "step"]
    assert (ask.runs, ask.cases, ask.failed, ask.usd, ask.critical) == (3, 2, 1, None, 2)


def test_a_case_of_several_trials_is_one_case() -> None:
    trees = [case("left"), case("left"), case("right"), case("left")]
    for tree, of in zip(trees, ("c1", "c1", "c2", "c2"), strict=True):
        tree.note = of
    (top,) = graphs(trees)
    assert (top.cases, top.trials, top.runs, top.critical) == (2, 4, 4, 4)
    html = program_section([top])
    assert html is not None and "2 cases, 4 trials" in html and "the mean time a trial" in html
    assert "$10.00 / 1,000" in html and "×" not in html  # each step ran once a trial
    (once,) = graphs(trees[1:3])
    html = program_section([once])
    assert html is not None and ", 2 cases<" in html and "trial" not in html


def test_a_climb_whose_dev_answers_were_recorded_before_says_why_there_is_no_graph(tmp_path: Path) -> None:
    rows = [{"ticket": f"the parcel {i}", "team": "shipping", "split": "dev"} for i in range(12)]
    rows += [{"ticket": f"an invoice {i}", "team": "billing", "split": "test"} for i in range(60)]
    task = sf.Task([*rows, {"ticket": "x", "team": "billing", "split": "train"}], inputs=["ticket"], expected="team")

    @sf.step
    async def triage(ticket: str) -> str:
        """Which team should handle this ticket?"""
        ...

    def climbed(store: str, fresh: bool = False) -> str:
        flow = sf.workflow.chain(triage, str, name="desk")
        decision = sf.run(sf.climb(task, [flow], bar=0.8, dev_only=True, store=tmp_path / store, fresh=fresh))
        with open_store(tmp_path / store) as db:
            return page(to_json_decision(decision), graphs(traces(db, decision.run)))

    with upstream(lambda asked: Ok("shipping")) as up, sf.using(model=f"{up.url}#m"):
        sf.run(sf.evaluate(task, sf.workflow.chain(triage, str, name="desk"), store=tmp_path / "one"))
        assert len(up.log.served) == 12
        looked_up = climbed("one")
        assert len(up.log.served) == 12
        assert 'id="program"' in looked_up and "were recorded by an earlier run" in looked_up and "--fresh" in looked_up
        for drawn in (climbed("two"), climbed("one", fresh=True)):
            assert 'class="program"' in drawn and "were recorded by an earlier run" not in drawn


def test_the_picture_says_what_it_shows_and_no_name_becomes_markup() -> None:
    assert program_section([]) is None
    html = program_section(graphs([case("left"), made("<script>alert(1)</script>", "program", 0.0, 1.0)]))
    assert html is not None
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "$10.00 / 1,000" in html and "3.0 s" in html and html.count("<svg") == 2
