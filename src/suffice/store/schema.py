"""The tables of the store, one tuple of SQL statements per schema version: what `sqlite3 store.sqlite` shows.

Hashes are 16-byte blobs, times are seconds since 1970 (UTC), values are JSON text, unknown is NULL.
"""

from __future__ import annotations

from typing import Final

APPLICATION: Final = 0x53554646  # "SUFF": tells our file from any other SQLite database

VERSION_1: Final = (
    """CREATE TABLE process (
        id INTEGER PRIMARY KEY, host TEXT NOT NULL, place TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
        beat REAL NOT NULL, UNIQUE (place, pid, born))""",
    """CREATE TABLE run (
        number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, task TEXT NOT NULL, identity TEXT NOT NULL,
        settings TEXT NOT NULL, state TEXT NOT NULL, process INTEGER NOT NULL REFERENCES process,
        started REAL NOT NULL, finished REAL, result TEXT)""",
    "CREATE INDEX run_identity ON run (identity, kind)",
    """CREATE TABLE lease (
        name TEXT PRIMARY KEY, process INTEGER NOT NULL REFERENCES process, token BLOB NOT NULL,
        since REAL NOT NULL)""",
    # The journal. The names of solutions and gradings are long hashes: rows carry their numbers.
    "CREATE TABLE solution (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE grading (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE answer (
        solution INTEGER NOT NULL REFERENCES solution, inputs BLOB NOT NULL, run INTEGER NOT NULL,
        value TEXT NOT NULL, confidence REAL, answered_by TEXT, seconds REAL, cost_usd REAL,
        PRIMARY KEY (solution, inputs)) WITHOUT ROWID""",
    # Scores of sealed cases: no column here can hold a text.
    """CREATE TABLE sealed_score (
        solution INTEGER NOT NULL REFERENCES solution, grading INTEGER NOT NULL REFERENCES grading,
        inputs BLOB NOT NULL, run INTEGER NOT NULL, pass_score REAL NOT NULL, answered INTEGER NOT NULL,
        output BLOB, seconds REAL, cost_usd REAL,
        PRIMARY KEY (solution, grading, inputs)) WITHOUT ROWID""",
    """CREATE TABLE failed (
        run INTEGER NOT NULL, solution INTEGER NOT NULL REFERENCES solution, inputs BLOB NOT NULL,
        kind TEXT NOT NULL, message TEXT NOT NULL, seconds REAL, cost_usd REAL,
        PRIMARY KEY (run, solution, inputs)) WITHOUT ROWID""",
    """CREATE TABLE in_flight (
        run INTEGER NOT NULL, solution INTEGER NOT NULL REFERENCES solution, inputs BLOB NOT NULL,
        PRIMARY KEY (run, solution, inputs)) WITHOUT ROWID""",
    # The ledger. `block_case` is keyed by the case alone, so two blocks cannot share one.
    """CREATE TABLE exposure (
        id INTEGER PRIMARY KEY, cases BLOB NOT NULL UNIQUE, why TEXT NOT NULL, at REAL NOT NULL)""",
    """CREATE TABLE exposed (
        key BLOB PRIMARY KEY, exposure INTEGER NOT NULL REFERENCES exposure) WITHOUT ROWID""",
    """CREATE TABLE block (
        id INTEGER PRIMARY KEY, cases BLOB NOT NULL, n INTEGER NOT NULL, order_seed INTEGER NOT NULL,
        at REAL NOT NULL)""",
    """CREATE TABLE block_case (
        key BLOB PRIMARY KEY, block INTEGER NOT NULL REFERENCES block) WITHOUT ROWID""",
    """CREATE TABLE try (
        id INTEGER PRIMARY KEY, block INTEGER NOT NULL REFERENCES block, number INTEGER NOT NULL,
        candidate TEXT NOT NULL, claim TEXT NOT NULL, cases BLOB NOT NULL, n INTEGER NOT NULL,
        alpha REAL NOT NULL, overtaken INTEGER NOT NULL DEFAULT 0, run INTEGER, started REAL NOT NULL,
        finished REAL, verdict TEXT, used INTEGER, bound REAL, details TEXT,
        UNIQUE (block, number), UNIQUE (block, candidate, claim, cases))""",
)

VERSION_2: Final = (
    # The sealed cases of every task that was looked at, so that no other file can show them unnoticed.
    """CREATE TABLE sealing (
        id INTEGER PRIMARY KEY, cases BLOB NOT NULL UNIQUE, task TEXT NOT NULL, at REAL NOT NULL)""",
    """CREATE TABLE sealed (
        key BLOB PRIMARY KEY, sealing INTEGER NOT NULL REFERENCES sealing) WITHOUT ROWID""",
    "ALTER TABLE try ADD COLUMN pauses INTEGER NOT NULL DEFAULT 0",
)

VERSION_3: Final = (
    # Model calls. `reply` is the cache: what a request was answered, by the hash of all of it.
    """CREATE TABLE reply (
        request BLOB PRIMARY KEY, model TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID""",
    # Every attempt on the wire that belongs to a run: its reservation is the intent, its settlement the result.
    """CREATE TABLE attempt (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL, request BLOB NOT NULL, model TEXT NOT NULL,
        endpoint TEXT NOT NULL, at REAL NOT NULL, reserved_usd REAL, outcome TEXT, status INTEGER, seconds REAL,
        input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL, request_id TEXT)""",
    "CREATE INDEX attempt_run ON attempt (run)",
)

VERSION_4: Final = (
    # Tokens beside the dollars of a case: what its model calls take, recorded replies counted as when they were made.
    "ALTER TABLE answer ADD COLUMN input_tokens INTEGER",
    "ALTER TABLE answer ADD COLUMN output_tokens INTEGER",
    "ALTER TABLE sealed_score ADD COLUMN input_tokens INTEGER",
    "ALTER TABLE sealed_score ADD COLUMN output_tokens INTEGER",
    "ALTER TABLE failed ADD COLUMN input_tokens INTEGER",
    "ALTER TABLE failed ADD COLUMN output_tokens INTEGER",
    "ALTER TABLE attempt ADD COLUMN reserved_tokens INTEGER",
    # Telemetry: a row for each served call, which belongs to no run; `request` and `reply` only where texts are kept.
    """CREATE TABLE served (
        id INTEGER PRIMARY KEY, at REAL NOT NULL, operation TEXT NOT NULL, model TEXT NOT NULL, answered_by TEXT,
        solution TEXT, outcome TEXT NOT NULL, attempts INTEGER NOT NULL, seconds REAL NOT NULL, ttft REAL,
        input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL, request_id TEXT, request TEXT, reply TEXT)""",
    # How many rows were lost under pressure, or because they could not be written.
    "CREATE TABLE served_lost (id INTEGER PRIMARY KEY, at REAL NOT NULL, calls INTEGER NOT NULL)",
)

VERSION_5: Final = (
    # What an attempt cost that ended without a count is only a bound: it is kept apart from what was counted.
    "ALTER TABLE served ADD COLUMN cost_usd_at_most REAL",
    "UPDATE served SET cost_usd_at_most = cost_usd",
    "ALTER TABLE answer ADD COLUMN at_most INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sealed_score ADD COLUMN at_most INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE failed ADD COLUMN at_most INTEGER NOT NULL DEFAULT 0",
)

VERSION_6: Final = (
    # Where no texts are kept, `value` is '' and `output` the hash of the answer.
    "ALTER TABLE answer ADD COLUMN output BLOB",
    # The case that a reply was recorded for, by its inputs, so that it can be forgotten with it.
    "ALTER TABLE reply ADD COLUMN inputs BLOB",
)

VERSION_7: Final = (
    # What a durable run did: an intent before each model call, tool and question, then its result. `address` is its
    # place in the program, `number` the order of beginning; `state` is open, done or failed.
    """CREATE TABLE effect (
        run INTEGER NOT NULL, address TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
        arguments TEXT NOT NULL, begun REAL NOT NULL, ended REAL, times INTEGER NOT NULL DEFAULT 1,
        state TEXT NOT NULL DEFAULT 'open', value TEXT, PRIMARY KEY (run, address)) WITHOUT ROWID""",
    # What a program did on a case, as a tree: names, times and costs, no text of the case.
    """CREATE TABLE trace (
        run INTEGER NOT NULL, solution TEXT NOT NULL, inputs BLOB NOT NULL, tree TEXT NOT NULL,
        PRIMARY KEY (run, solution, inputs)) WITHOUT ROWID""",
)

VERSION_8: Final = (
    # Where the end of an effect comes in the order of all beginnings (`number`) and ends: a replay keeps to it. The
    # address of what was done on the way out of an error that ended the run has its number and "~" before it.
    "ALTER TABLE effect ADD COLUMN finish INTEGER",
    # The last of these ends that the program knew of when it began this one.
    "ALTER TABLE effect ADD COLUMN seen INTEGER",
)

VERSIONS: Final = (VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7, VERSION_8)
"""A store of version v is brought up to date by the statements of versions v+1, v+2, ... in order."""
