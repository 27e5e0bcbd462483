"""Calls with Suffice's Model: plain, or inside a run whose journal is on ("journal"). See `calling.py`."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager

from calling import MODEL, Ordered, Peer, main

from suffice.models.belonging import Belonging, belonging
from suffice.models.model import Model
from suffice.store.calls import CallJournal, spent
from suffice.store.database import open_store
from suffice.store.runs import start_run
from suffice.version import __version__


@contextmanager
def in_a_run() -> Generator[None]:
    """Let the calls belong to a run in a store of its own. Raises RuntimeError where none was recorded."""
    with tempfile.TemporaryDirectory() as folder, open_store(folder) as store:
        run = start_run(store, "eval", "calls", {})
        journal = CallJournal(store, run)
        try:
            with belonging(Belonging(journal)):
                yield
        finally:
            journal.close()
        if not spent(store, run).attempts:
            raise RuntimeError("the journal holds no attempt: it was not on")


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """One model with its defaults."""
    model = Model(f"{o.url}#{MODEL}")

    async def ask(text: str) -> str:
        return (await model(text)).value

    async def stream(text: str) -> AsyncIterator[str]:
        async with model.stream(text) as pieces:
            async for piece in pieces:
                yield piece

    if o.variant == "journal":
        with in_a_run():
            yield Peer(ask, stream)
    else:
        yield Peer(ask, stream)


if __name__ == "__main__":
    main(opened, __version__)
