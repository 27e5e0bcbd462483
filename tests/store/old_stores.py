"""A store as an older version of Suffice made it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from suffice.store.database import VERSIONS
from suffice.store.schema import APPLICATION


def old_store(folder: Path, version: int, *rows: str) -> None:
    """Make a store of this version in `folder`, and run the statements `rows` on it."""
    with closing(sqlite3.connect(folder / "store.sqlite")) as db, db:
        for statement in (s for made in VERSIONS[:version] for s in made):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {version}")
        for row in rows:
            db.execute(row)
