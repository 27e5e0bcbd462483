"""The store: journal, ledger and runs in one SQLite file that anyone can open."""
