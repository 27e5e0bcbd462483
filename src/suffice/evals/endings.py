"""Why a case was handed on, where an agent in it ended without an answer: as its trace says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from suffice.store.agent_endings import agent_endings
from suffice.store.database import Store
from suffice.values import Outcome, Score

HANDED_ON: Final = "handed on: "


def explained(store: Store, identity: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The same outcomes, of the solution with this identity: where one was handed on and an agent in it ended without
    an answer, the reason of its score says how. Of sealed cases there is no trace. Raises StoreError."""
    wanted = {o.case.inputs_hash for o in outcomes if o.abstained}
    ended = agent_endings(store, identity, wanted) if wanted else {}
    return [_with_reason(o, ended.get(o.case.inputs_hash, ())) if o.abstained else o for o in outcomes]


def ending_notes(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """A sentence for each ending, the commonest first: "8 of 8 handed on: the agent bot ended without an answer, …"."""
    reasons = [o.score.reason for o in outcomes if o.abstained and o.score is not None]
    counts = Counter(reason for reason in reasons if reason.startswith(HANDED_ON)).most_common()
    return tuple(f"{n} of {len(reasons)} {reason}" for reason, n in counts)


def _with_reason(outcome: Outcome, ended: Sequence[tuple[str, str]]) -> Outcome:
    if not ended or outcome.score is None:
        return outcome
    said = dict.fromkeys(f"the agent {name} ended without an answer, {how}" for name, how in ended)
    return replace(outcome, score=Score(outcome.score.value, HANDED_ON + "; ".join(said)))
