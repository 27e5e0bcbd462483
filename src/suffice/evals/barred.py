"""Calls that cannot be made at all: nobody answers at the model's endpoint, or it takes no key, name or parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from suffice.values import Outcome

ENOUGH: Final = 3
"""Calls from the first one on that must end so before a run is given up; fewer where there are no more."""


def barred_by(outcomes: Sequence[Outcome], *, texts: bool = True) -> str:
    """Why none of these calls could be made, in the endpoint's words if `texts`; "" where one could, or failed
    otherwise.

    It lies at the set-up and not at a case: whatever was asked would have ended so.
    """
    failures = [o.failure for o in outcomes]
    first = failures[0] if failures else None
    if first is None or not all(f is not None and f.barred for f in failures):
        return ""
    said = "does not answer" if first.kind == "unreached" else "refuses every call"
    words = min((f.message for f in failures if f is not None and f.kind == first.kind), key=len)
    return f"the model's endpoint {said}" + (f" ({words})" if texts else "")
