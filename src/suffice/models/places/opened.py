"""The store that a call writes to, keeping what suffice.toml lets it keep."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from suffice.arguments import AnyPath, check, rule_of
from suffice.models.places.settings import settings
from suffice.store.database import Store, open_store

STORE: Final = rule_of(Store | AnyPath | None)


@contextmanager
def opened(store: Store | Path | str | None) -> Generator[Store]:
    """A store for the time of one call: opened and closed here unless the caller brought an open one. It keeps what
    suffice.toml says, unless the caller's says itself. Raises UsageError for what is no store, and for a suffice.toml
    that cannot be read."""
    check("store", store, STORE, 'store="runs", a folder')
    if isinstance(store, Store):
        yield store if store.keep is not None else replace(store, keep=settings().store_keep)
        return
    keep = settings().store_keep
    with open_store(store) as own:
        yield replace(own, keep=keep)
