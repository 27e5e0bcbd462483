"""Rungs whose model cannot be called: a dead server, a wrong key, a wrong name. Nothing is decided or spent on them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Literal

import pytest
from climb_samples import a_task, climbed, solver, states
from prompting_samples import skilled
from upstream_faults import Status

import suffice as sf
from suffice.errors import NoEndpoint, SolutionError
from suffice.evals.seal import sealed_blocks
from suffice.store import ledger
from suffice.store.database import open_store
from upstream import upstream


@sf.step
async def sort_mail(ticket: str) -> Literal["billing", "shipping", "returns", "orders"]:
    """Which team?"""
    ...


def on(url: str) -> Any:
    """The step on a model at `url`, which is not asked twice."""
    return sort_mail.using(model=sf.Model(f"{url}#m", attempts=1))


@pytest.fixture
def nobody() -> str:
    """A URL at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def tries(store: Path, task: sf.Task) -> list[ledger.Try]:
    with open_store(store) as db:
        return [t for block in sealed_blocks(db, task) for t in ledger.tries(db, block.block)]


def test_a_dead_server_alone_ends_the_climb_as_a_fault_of_the_set_up(tmp_path: Path, nobody: str):
    with pytest.raises(NoEndpoint) as caught:
        climbed(a_task(), [on(nobody)], tmp_path, command="suffice climb t.csv step.py:sort_mail")
    assert "`sort_mail` could not be asked: the model's endpoint does not answer" in caught.value.message
    assert "connection refused; is a server running at" in caught.value.message
    assert "Nothing was decided, and no try was spent" in caught.value.message
    assert f"suffice models '{nobody}#m' --reach" in str(caught.value.hint)
    assert "suffice climb t.csv step.py:sort_mail" in str(caught.value.hint)
    assert tries(tmp_path, a_task()) == []


@pytest.mark.parametrize(("status", "said"), [(401, "is the key right"), (404, "is the model's name right")])
def test_a_key_or_a_name_that_is_not_taken_is_said_in_the_endpoints_words(tmp_path: Path, status: int, said: str):
    with upstream(Status(status)) as up, pytest.raises(NoEndpoint, match=f"answered {status}.*{said}"):
        climbed(a_task(), [on(up.url)], tmp_path)


def test_once_it_is_mended_the_same_climb_goes_on(tmp_path: Path):
    broken = [True]
    with upstream(lambda asked: Status(404) if broken[0] else skilled(0.97)(asked)) as up:
        with pytest.raises(NoEndpoint):
            climbed(a_task(), [on(up.url)], tmp_path)
        broken[0] = False
        decision = climbed(a_task(), [on(up.url)], tmp_path)
    assert decision.verdict == "PASS" and decision.run == "climb-1"


def test_other_rungs_go_on_and_what_they_decide_stands(tmp_path: Path, nobody: str):
    decision = climbed(a_task(), [on(nobody), solver("good", 0.97)], tmp_path)
    assert decision.verdict == "PASS" and states(decision) == {"sort_mail": "not tried", "good": "PASS"}
    assert decision.rungs[0].note.startswith("the model's endpoint does not answer (cannot connect to 127.0.0.1")
    assert decision.rungs[0].dev_seen == 0


def test_where_the_others_meet_no_test_nothing_was_decided(tmp_path: Path, nobody: str):
    with pytest.raises(NoEndpoint, match="no try was spent"):
        climbed(a_task(), [solver("bad", 0.1), on(nobody)], tmp_path)


def test_without_test_a_rung_that_is_ready_is_said_and_else_it_is_a_fault(tmp_path: Path, nobody: str):
    ready = climbed(a_task(), [on(nobody), solver("good", 0.97)], tmp_path, dev_only=True)
    assert states(ready) == {"sort_mail": "not tried", "good": "to test"}
    with pytest.raises(NoEndpoint):
        climbed(a_task(), [on(nobody)], tmp_path, dev_only=True)


def test_an_endpoint_that_is_gone_before_test_spends_nothing_however_often(tmp_path: Path):
    task, gone = a_task(), [True]

    def script(asked: Any) -> Any:
        return Status(401) if gone[0] and asked.text.startswith("test") else skilled(0.97)(asked)

    with upstream(script) as up:
        for _ in range(5):  # more than a try may pause
            with pytest.raises(NoEndpoint, match="the try that was begun stays open"):
                climbed(task, [on(up.url)], tmp_path)
        assert [(t.verdict, t.pauses) for t in tries(tmp_path, task)] == [(None, 0)]
        gone[0] = False
        assert climbed(task, [on(up.url)], tmp_path).verdict == "PASS"
    assert [t.verdict for t in tries(tmp_path, task)] == ["PASS"]


def test_an_endpoint_that_answered_before_pauses_the_rung_as_any_failure(tmp_path: Path):
    answered: list[int] = []

    def script(asked: Any) -> Any:
        answered.append(1)
        return skilled(0.97)(asked) if len(answered) <= 4 else Status(401)

    with upstream(script) as up:
        decision = climbed(a_task(), [on(up.url)], tmp_path, concurrency=1)
    assert decision.verdict == "UNPROVEN" and states(decision) == {"sort_mail": "paused"}


def test_an_evaluation_stops_at_once_and_a_comparison_is_refused(tmp_path: Path, nobody: str):
    report = sf.run(sf.evaluate(a_task(), on(nobody), store=tmp_path))
    assert report.n == 3 and "does not answer" in report.stopped and "57 cases were not run" in report.stopped
    with pytest.raises(SolutionError, match="sort_mail: the model's endpoint does not answer"):
        sf.run(sf.compare(a_task(), solver("good", 0.9), on(nobody), store=tmp_path))


def test_a_dead_server_ends_so_also_where_these_cases_have_had_a_try(tmp_path: Path, nobody: str):
    assert climbed(a_task(), [solver("good", 0.95)], tmp_path).verdict == "PASS"
    with pytest.raises(NoEndpoint, match="Nothing was decided"):
        climbed(a_task(), [on(nobody)], tmp_path)
    assert len(tries(tmp_path, a_task())) == 1
