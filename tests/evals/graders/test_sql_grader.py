"""SQL by its result: what is the same, what is not, and what a hostile query cannot do."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from grader_samples import case

from suffice.errors import DataError, UsageError
from suffice.evals import grade
from suffice.evals.confined.queries import is_ordered
from suffice.evals.task import Task

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="queries are not confined on Windows")

SCHEMA = """
CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, weight REAL);
INSERT INTO pet VALUES (1, 'Ada', 'cat', 4.1), (2, 'Bo', 'dog', 9.3), (3, 'Cy', 'cat', 3.2), (4, 'Di', 'cat', NULL);
"""
CATS = "SELECT name FROM pet WHERE kind = 'cat'"


def graded(query: Any, expected: Any = CATS, **settings: Any) -> Any:
    return grade.sql(**settings)(query, case(expected, {"question": "?", "schema": SCHEMA}))


ONE_CALL = "SELECT instr(hex(zeroblob(2000000)), hex(zeroblob(1000000)) || 'b')"
"""One call of a function that takes for ever: SQLite asks nobody in between."""


def test_a_query_that_stays_in_one_call_is_ended_at_its_time() -> None:
    begin = time.monotonic()
    score = graded(ONE_CALL, timeout=0.5)
    assert (score.value, score.reason) == (0.0, "took too long")
    with pytest.raises(DataError, match="the expected query .* is at fault: took too long"):
        graded(CATS, ONE_CALL, timeout=0.5)
    with pytest.raises(DataError, match="at fault: took too long"):
        script = f"{SCHEMA} CREATE TABLE t AS {ONE_CALL};"
        grade.sql(timeout=0.5)(CATS, case(CATS, {"question": "?", "schema": script}))
    assert time.monotonic() - begin < 3 * 4  # not the seconds for which a stuck process is waited for


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select p.name as n from pet p where p.kind like 'cat' order by 1 desc;", CATS),
        ("Here:\n```sql\nSELECT name FROM pet WHERE id IN (1, 3, 4)\n```\nDone.", CATS),
        ("WITH c AS (SELECT * FROM pet WHERE kind = 'cat') SELECT name FROM c", CATS),
        ("SELECT 1.0, 0.1 + 0.2", "SELECT 1, 0.3"),
        (CATS, [["Di"], ["Ada"], ["Cy"]]),
        ("SELECT id, name FROM pet WHERE id = 2", [{"id": 2, "name": "Bo"}]),
        ("SELECT weight FROM pet WHERE id = 4", [[None]]),
        ("SELECT name FROM pet WHERE id > 9", "SELECT id FROM pet WHERE id > 9"),
    ],
)
def test_another_query_with_the_same_rows_is_right(query: str, expected: Any) -> None:
    assert graded(query, expected).value == 1.0


@pytest.mark.parametrize(
    ("query", "expected", "reason"),
    [
        ("SELECT name FROM pet", CATS, "rows: 3 expected, 4 given; not expected ('Bo',)"),
        (CATS + " LIMIT 1", CATS, "rows: 3 expected, 1 given; missing ('Cy',)"),
        ("SELECT kind FROM pet", "SELECT DISTINCT kind FROM pet", "rows: 2 expected, 4 given; not expected ('cat',)"),
        ("SELECT name, id FROM pet", "SELECT name FROM pet", "2 columns instead of 1"),
        ("SELECT id, name FROM pet", "SELECT name, id FROM pet", "rows: 4 expected, 4 given; missing ('Ada', 1)"),
        (f"{CATS} ORDER BY 1", f"{CATS} ORDER BY 1 DESC", "the same rows in another order"),
        ("SELECT nme FROM pet", CATS, "OperationalError: no such column: nme"),
        ("the cats", CATS, 'OperationalError: near "the": syntax error'),
        (f"{CATS}; {CATS}", CATS, "ProgrammingError: You can only execute one statement at a time."),
    ],
)
def test_other_rows_are_wrong_and_the_reason_names_one(query: str, expected: Any, reason: str) -> None:
    score = graded(query, expected)
    assert score.value == 0.0 and score.reason.startswith(reason)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM pet",
        "INSERT INTO pet VALUES (9, 'x', 'y', 1)",
        "CREATE TABLE t (x)",
        "ATTACH '/tmp/suffice-stolen.db' AS x",
        "PRAGMA writable_schema = ON",
        "SELECT * FROM pragma_database_list",
        "VACUUM INTO '/tmp/suffice-stolen.db'",
        "SELECT load_extension('x')",
        "BEGIN",
    ],
)
def test_whatever_is_not_reading_is_refused(query: str) -> None:
    score = graded(query)
    assert score.value == 0.0 and ("authoriz" in score.reason or "prohibited" in score.reason)
    assert not Path("/tmp/suffice-stolen.db").exists()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "


@pytest.mark.parametrize(
    ("query", "seconds", "reason"),
    [
        (f"{ENDLESS} count(*) FROM n", 0.5, "took too long"),
        (f"{ENDLESS} i FROM n", 5, "more than 1,000 rows"),
        ("SELECT hex(zeroblob(999999999))", 5, "DataError: string or blob too big"),
        (f"{ENDLESS} i, zeroblob(9999999) FROM n LIMIT 900", 5, "took too much memory"),
    ],
)
def test_a_query_without_end_or_measure_is_wrong_and_soon_over(query: str, seconds: float, reason: str) -> None:
    before = time.perf_counter()
    assert graded(query, timeout=seconds, rows=1000).reason.startswith(reason)
    assert time.perf_counter() - before < 8


def test_a_database_file_is_read_and_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "pets" / "pets.sqlite"
    file.parent.mkdir()
    with sqlite3.connect(file) as made:
        made.executescript(SCHEMA)
    made.close()
    before = file.read_bytes()
    (tmp_path / "outside.sqlite").write_bytes(before)
    assert grade.sql(file)("SELECT name FROM pet WHERE kind = 'cat'", case(CATS)).value == 1.0
    folder = grade.sql(tmp_path)
    assert folder("DROP TABLE pet", case(CATS, {"q": "?", "db_id": "pets"})).value == 0.0
    assert folder(CATS, case(CATS, {"q": "?", "db_id": "pets"})).value == 1.0
    assert file.read_bytes() == before
    with pytest.raises(DataError, match=r"t\.csv:2: there is no database \.\./outside"):
        grade.sql(file.parent)(CATS, case(CATS, {"q": "?", "db_id": "../outside"}))
    with pytest.raises(DataError, match="no such database"):
        grade.sql(tmp_path / "none.db")
    assert grade.sql(file).identity == grade.sql(str(file)).identity != grade.sql(tmp_path).identity


def test_a_broken_expected_query_is_a_fault_of_the_case_not_of_the_answer() -> None:
    with pytest.raises(DataError, match=r"t\.csv:2: the expected query .* of case c1 is at fault: .*no such table"):
        graded(CATS, "SELECT * FROM nowhere")
    with pytest.raises(UsageError, match="timeout"):
        grade.sql(timeout=0)


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("SELECT a FROM t ORDER\n BY a", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT row_number() OVER (PARTITION BY (b) ORDER BY a) FROM t", False),
        ("SELECT ' order by ' FROM t -- order by a", False),
        ("SELECT (')') FROM t order by 1", True),
    ],
)
def test_only_an_outer_order_by_orders(query: str, ordered: bool) -> None:
    assert is_ordered(query) is ordered


def test_a_task_folder_names_a_database_of_its_own_only(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "pets.sqlite") as made:
        made.executescript(SCHEMA)
    made.close()
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "cases.csv").write_text(f'question,query\ncats?,"{CATS}"\ndogs?,"SELECT name FROM pet"\n')
    toml = 'expected = "query"\ninputs = "question"\ngrader = "sql"\n[grader_settings]\ndatabase = "%s"\n'
    (folder / "task.toml").write_text(toml % "../pets.sqlite")
    with pytest.raises(DataError, match="outside of itself"):
        Task.load(folder)
    (tmp_path / "pets.sqlite").rename(folder / "pets.sqlite")
    (folder / "task.toml").write_text(toml % "pets.sqlite")
    task = Task.load(folder)
    assert task.kind == "text"
    assert all(task.grader(c.expected, c).value == 1.0 for c in (*task.train, *task.dev, *task.sealed()))
