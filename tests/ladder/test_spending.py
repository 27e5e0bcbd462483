"""What a climb took is said once: calls, attempts, tokens and dollars, the same on the screen and on the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

from climb_samples import a_task, climbed, solver
from prompting_samples import unsteady

import suffice as sf
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import page
from suffice.ladder.spending import EXPLAINED, line_of
from upstream import upstream

SPENT = {
    "usd": 0.21, "attempts": 480, "unpriced": 0, "tokens": 130_000,
    "uncounted": 0, "uncounted_usd": 0.0, "input_tokens": 120_400, "output_tokens": 3_100,
}  # fmt: skip


def test_calls_attempts_tokens_and_dollars_stand_in_one_line():
    assert line_of("climb-3", 310, SPENT) == (
        f"climb-3 spent $0.21: 310 calls took 480 attempts, 120,400 tokens in and 3,100 out ({EXPLAINED})"
    )
    assert "retries, repairs and repeated samples count" in EXPLAINED


def test_a_bound_is_said_to_be_one():
    bound = line_of("climb-3", 310, {**SPENT, "uncounted": 2, "uncounted_usd": 0.05})
    assert bound.startswith("climb-3 spent at most $0.21: 310 calls took 480 attempts, at most 130,000 tokens (")
    assert line_of("climb-3", 310, {"attempts": 0}) == (
        "climb-3 spent nothing: 310 calls, every reply was recorded earlier"
    )
    assert line_of("climb-3", 1, {**SPENT, "usd": None}).startswith(
        "climb-3 spent an unknown price: 1 call took 480 attempts"
    )


def test_a_climb_says_it_as_its_page_does_and_again_when_it_is_looked_up(tmp_path: Path):
    with upstream(unsteady(0.9)) as up:
        model = sf.Model(f"{up.url}#m", price=(1.0, 2.0))
        ladder = ["prompt", sf.rung.vote(n=3)]
        decision = climbed(a_task(bar=0.95, test=60), ladder, tmp_path, model=model)
        again = climbed(a_task(bar=0.95, test=60), ladder, tmp_path, model=model)
        asked = len(up.log.asked)
    calls = sum(row.calls for row in decision.rungs)
    assert 0 < calls < asked  # a vote asks three times
    said = re.sub(r" \(.*", "", decision.spent_line)
    assert re.fullmatch(
        rf"climb-1 spent \$0\.\d+: {calls} calls took {asked} attempts, [\d,]+ tokens in and [\d,]+ out", said
    )
    assert decision.spent_line in str(decision)
    words = re.sub(r"<[^>]+>", "", page(json.loads(json.dumps(to_json_decision(decision)))))
    assert said.partition(": ")[2] in words and EXPLAINED[1:] in words
    assert again.spent_line == decision.spent_line  # of the run, which is the same


def test_a_climb_that_asks_no_model_says_nothing_of_it(tmp_path: Path):
    assert climbed(a_task(), [solver("good", 0.97)], tmp_path).spent_line == ""
