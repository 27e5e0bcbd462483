"""Whether an event loop stands still until the call made here returns: plain code inside a coroutine waits for it.

Such a call must not wait for others: those whom it waits for may be of that loop, and then nobody goes on.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

standing: Final[ContextVar[bool]] = ContextVar("suffice_standing", default=False)
