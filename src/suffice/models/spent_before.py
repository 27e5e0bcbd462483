"""A budget holds for a whole run: what the run had spent before it was interrupted counts, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from suffice.errors import UsageError
from suffice.store import calls
from suffice.store.database import Store

if TYPE_CHECKING:  # its class is heavy, and most runs call no model
    from suffice.models.concerns.budget import Budget


def check_budget(budget: object) -> None:
    """Raises UsageError for what is no budget, and not None."""
    if budget is not None and not hasattr(budget, "already"):
        said = f"budget is a Budget, not such a value of type {type(budget).__name__}"
        raise UsageError(said, hint="budget=sf.Budget(usd=2)")


def count_before(store: Store, run: str, budget: Budget | None, since: float = 0.0) -> None:
    """Count against `budget` what `run` spent before it was interrupted (`since` then, seconds since 1970).

    An attempt that was in flight counts with all that was reserved for it. A budget that this process has used for
    this run already knows. Raises StoreError, and UsageError for what is no budget.
    """
    check_budget(cast("object", budget))
    if budget is not None:
        before = calls.spent(store, run, since)
        budget.already(before.usd, before.attempts, before.tokens, of=f"{store.path} {run}")
