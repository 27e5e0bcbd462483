"""The names of rungs on one ladder: one step on several models is told apart by the models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from climb_samples import a_task, climbed, solver
from prompting_samples import skilled

import suffice as sf
from suffice.ladder.names import told_apart
from suffice.ladder.rung import as_rung, family
from upstream import upstream


@sf.step
async def sort_mail(ticket: str) -> Literal["billing", "shipping", "returns", "orders"]:
    """Which team?"""
    ...


def named(*models: str | None, around: str = "openai:gpt-5-mini") -> list[str]:
    """The names of the step on these models; None: on the one around."""
    with sf.using(model=around):
        return [r.name for r in told_apart([as_rung(sort_mail.using(model=m) if m else sort_mail) for m in models])]


def test_one_step_on_several_models_is_named_by_them():
    small, large = "sort_mail (openai:gpt-5-mini)", "sort_mail (anthropic:claude-haiku-4-5)"
    assert named("openai:gpt-5-mini", "anthropic:claude-haiku-4-5") == [small, large]
    assert named(None, "anthropic:claude-haiku-4-5") == [small, large]
    assert named("openai:gpt-5-mini") == ["sort_mail"]


def test_an_address_is_as_short_as_tells_it_from_the_others():
    here, there = "http://127.0.0.1:8000/v1", "http://127.0.0.1:9000/v1"
    assert named(f"{here}#qwen", f"{there}#gemma") == ["sort_mail (qwen)", "sort_mail (gemma)"]
    assert named(f"{here}#qwen", f"{there}#qwen") == [
        "sort_mail (127.0.0.1:8000#qwen)",
        "sort_mail (127.0.0.1:9000#qwen)",
    ]


def test_what_no_model_tells_apart_is_numbered():
    assert named("openai:gpt-5-mini", "openai:gpt-5-mini") == ["sort_mail", "sort_mail 2"]
    twice = [as_rung(solver("triage", 0.5, version=n)) for n in range(2)]
    assert [r.name for r in told_apart(twice)] == ["triage", "triage 2"]


def test_the_variants_of_a_family_are_told_apart_too():
    variants = [sort_mail.using(model=m) for m in ("openai:gpt-5-mini", "openai:gpt-5")]
    (made,) = told_apart([family("sorters", *variants)])
    assert [r.name for r in made.family] == ["sort_mail (openai:gpt-5-mini)", "sort_mail (openai:gpt-5)"]


def test_the_claim_and_the_route_name_the_model(tmp_path: Path):
    with upstream(skilled(0.4)) as weak, upstream(skilled(0.97)) as strong:
        rungs = [sort_mail.using(model=f"{weak.url}#small"), sort_mail.using(model=f"{strong.url}#large")]
        decision = climbed(a_task(), rungs, tmp_path)
    assert decision.sentence.startswith("`sort_mail (large)` suffices")
    assert [r.name for r in decision.rungs] == ["sort_mail (small)", "sort_mail (large)"]
