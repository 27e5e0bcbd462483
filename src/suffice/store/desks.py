"""Where each event loop of a process writes one store: a connection and group commits of its own."""

from __future__ import annotations

import asyncio
import threading
from weakref import WeakKeyDictionary

from suffice.store.commit import Commits
from suffice.store.database import Store, beside


class Desks:
    """The commits of a store by event loop, made when a loop first asks. Any thread may ask."""

    def __init__(self, store: Store, commits: Commits | None = None) -> None:
        """`commits`, where there are some, are those of the running event loop, on `store` itself."""
        self._store, self._lock = store, threading.Lock()
        self._desks: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Store, Commits]] = WeakKeyDictionary()
        if commits is not None:
            self._desks[asyncio.get_running_loop()] = store, commits

    def here(self) -> Commits:
        """Those of the running event loop. Raises StoreError if the store is gone."""
        loop = asyncio.get_running_loop()
        found = self._desks.get(loop)
        if found is None:
            with self._lock:
                self._leave_closed()
                own = beside(self._store)
                found = self._desks[loop] = own, Commits(own)
        return found[1]

    def close(self) -> None:
        """Write what was handed in, and close the connections. Calls still under way can no longer be recorded."""
        with self._lock:
            for desk in self._desks.values():
                self._let_go(*desk)
            self._desks.clear()

    def _leave_closed(self) -> None:
        """Close the connections of loops that have closed: nested runs make a loop each."""
        for loop in [one for one in self._desks if one.is_closed()]:
            self._let_go(*self._desks.pop(loop))

    def _let_go(self, store: Store, commits: Commits) -> None:
        if store is self._store:  # whose it is closes it
            commits.flush()
        else:
            commits.close()
