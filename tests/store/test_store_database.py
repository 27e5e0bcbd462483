"""Opening the store, and every way in which a disk or another process can refuse it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from old_stores import old_store

from suffice.errors import StoreBusy, StoreError, StoreFull, StoreNewer
from suffice.store.database import Store, beside, open_store, transaction
from suffice.store.journal import lookup
from suffice.store.runs import get_run, list_runs, start_run
from suffice.store.schema import VERSIONS
from suffice.values import Cost

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_a_new_store_is_private_and_out_of_git(tmp_path: Path) -> None:
    with open_store(tmp_path / "new" / "store") as store:
        start_run(store, "climb", "tickets", {})
        files = {path.name: mode(path) for path in store.path.parent.iterdir()}
        assert mode(store.path.parent) == 0o700
        assert files.pop(".gitignore")
        assert files == {"store.sqlite": 0o600, "store.sqlite-wal": 0o600, "store.sqlite-shm": 0o600}
        assert (store.path.parent / ".gitignore").read_text(encoding="utf-8") == "*\n"


@posix
def test_a_folder_that_holds_other_things_keeps_its_mode_and_is_not_ignored(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letters.txt").touch()
    with open_store(tmp_path) as store:
        assert mode(tmp_path) == 0o755 and mode(store.path) == 0o600
    assert not (tmp_path / ".gitignore").exists()


def test_the_store_is_found_by_argument_then_variable_then_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUFFICE_HOME", raising=False)
    with open_store() as store:
        assert store.path == tmp_path / ".suffice" / "store.sqlite"
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "home"))
    with open_store() as store:
        assert store.path == tmp_path / "home" / "store.sqlite"
    with open_store(str(tmp_path / "given")) as store:
        assert store.path == tmp_path / "given" / "store.sqlite"


def test_what_was_written_is_there_when_opened_again(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        run = start_run(store, "climb", "tickets", {"bar": 0.9})
    with open_store(tmp_path) as store:
        assert get_run(store, run).settings == {"bar": 0.9}


def test_a_store_of_the_version_before_keeps_what_it_holds(tmp_path: Path) -> None:
    old_store(
        tmp_path,
        4,
        "INSERT INTO solution VALUES (1, 'ab')",
        "INSERT INTO answer VALUES (1, x'00', 1, '\"a\"', NULL, NULL, 0.5, 0.25, 3, 4)",
        "INSERT INTO served (at, operation, model, outcome, attempts, seconds, cost_usd)"
        " VALUES (1.0, 'chat', 'm', 'ok', 1, 0.5, 0.25)",
    )
    with open_store(tmp_path) as store:
        assert store.connection.execute("SELECT cost_usd, cost_usd_at_most FROM served").fetchall() == [(0.25, 0.25)]
        assert lookup(store, "ab", ["00"])["00"].cost == Cost(0.25, 3, 4)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.connection.execute(f"PRAGMA user_version = {len(VERSIONS) + 1}")
    before = store.path.read_bytes()
    with pytest.raises(StoreNewer, match="newer") as caught:
        open_store(tmp_path)
    assert "upgrade" in (caught.value.hint or "") and store.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"garbage " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_garbage_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.sqlite").write_bytes(content)
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path)
    assert caught.value.hint and caught.value.where == str(tmp_path / "store.sqlite")
    assert (tmp_path / "store.sqlite").read_bytes() == content


def test_damage_in_the_middle_of_the_file_is_a_store_error(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for number in range(600):
            start_run(store, "climb", f"task {number}", {"text": "x" * 400})
    with store.path.open("r+b") as file:
        file.seek(store.path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096 * 4)
    with pytest.raises(StoreError, match="damaged") as caught, open_store(tmp_path) as store:
        list_runs(store, limit=1000)
        start_run(store, "climb", "task", {})
    assert "mv" in (caught.value.hint or "")


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as other:
        other.execute("CREATE TABLE photos (name TEXT)")
    with pytest.raises(StoreError, match="not a Suffice store"):
        open_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as other:
        assert [name for (name,) in other.execute("SELECT name FROM sqlite_master")] == ["photos"]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").touch()  # a kill between making the file and filling it leaves this
    with open_store(tmp_path) as store:
        assert start_run(store, "climb", "tickets", {}) == "climb-1"


def test_a_folder_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError) as caught:
            open_store(folder)
        assert "SUFFICE_HOME" in (caught.value.hint or "")
    (tmp_path / "store.sqlite").mkdir()
    with pytest.raises(StoreError):
        open_store(tmp_path)


@contextmanager
def powerless() -> Iterator[Path]:
    """A folder of an ordinary user, inside: file modes do not hold root back."""
    root = os.geteuid() == 0
    home = Path(tempfile.mkdtemp())
    if root:
        os.chown(home, 65534, 65534)
        os.seteuid(65534)
    try:
        yield home
    finally:
        if root:
            os.seteuid(0)
        with suppress(FileNotFoundError):
            home.chmod(0o700)
        shutil.rmtree(home, ignore_errors=True)


@posix
def test_a_read_only_folder_is_a_store_error() -> None:
    with powerless() as home:
        open_store(home / "old").close()
        (home / "old" / "store.sqlite").chmod(0o400)
        (home / "old").chmod(0o500)
        home.chmod(0o500)
        for folder in (home / "new", home / "old"):
            with pytest.raises(StoreError) as caught:
                open_store(folder)
            assert not isinstance(caught.value, StoreFull | StoreBusy)
            assert "SUFFICE_HOME" in (caught.value.hint or "")
        (home / "old").chmod(0o000)
        with pytest.raises(StoreError):
            open_store(home / "old")
        (home / "old").chmod(0o700)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A real file system of this size, mounted on `folder`."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(store: Store) -> list[str]:
    """Start runs until the store refuses; those that were acknowledged."""
    begun: list[str] = []
    with pytest.raises(StoreFull) as caught:
        for _ in range(5000):
            begun.append(start_run(store, "climb", "tickets", {"text": "x" * 1000}))
    assert caught.value.retryable and str(store.path) in str(caught.value)
    assert "bytes free" in caught.value.message and "kept" in caught.value.message
    assert "same command again" in (caught.value.hint or "")
    return begun


def test_a_full_disk_is_told_and_what_was_written_before_is_kept(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1024):
        ballast = tmp_path / "disk" / "ballast"
        ballast.write_bytes(b"x" * 100_000)
        with open_store(tmp_path / "disk" / "home") as store:
            begun = fill(store)
            ballast.unlink()
            begun.append(start_run(store, "climb", "tickets", {}))  # the same handle works again
        with open_store(tmp_path / "disk" / "home") as store:
            assert {run.id for run in list_runs(store, limit=9999)} == set(begun)


@pytest.mark.parametrize("left", [0, 8, 40])
def test_opening_on_a_full_disk_is_told(tmp_path: Path, left: int) -> None:
    with small_disk(tmp_path / "disk", 512):
        with (tmp_path / "disk" / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            file.write(b"x" * (512 - left) * 1024)
        with pytest.raises(StoreFull):
            open_store(tmp_path / "disk" / "home").close()


def test_a_full_database_is_told_and_what_was_written_before_is_kept(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.connection.execute("PRAGMA max_page_count = 60")
        begun = fill(store)
        assert len(list_runs(store, limit=9999)) == len(begun) > 10


def test_a_store_locked_for_long_is_busy(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, open_store(tmp_path, patience=0.05) as other:
        with transaction(store), pytest.raises(StoreBusy) as caught:
            start_run(other, "climb", "tickets", {})
        assert caught.value.retryable and caught.value.hint
        assert start_run(other, "climb", "tickets", {}) == "climb-1"


def test_what_is_raised_inside_a_transaction_undoes_it(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), transaction(store) as db:
        db.execute("INSERT INTO solution (name) VALUES ('words')")
        raise ZeroDivisionError
    assert store.connection.execute("SELECT count(*) FROM solution").fetchone() == (0,)


@posix
def test_a_store_deleted_while_in_use_is_told_at_the_next_write(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        start_run(store, "climb", "tickets", {})
        shutil.rmtree(tmp_path / "store")
        with pytest.raises(StoreError, match="deleted"):
            start_run(store, "climb", "tickets", {})
        with pytest.raises(StoreError):
            beside(store)
        with open_store(tmp_path / "store"), pytest.raises(StoreError, match="replaced"):
            start_run(store, "climb", "tickets", {})


def test_misuse_of_the_driver_is_no_disk_error(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        list_runs(store)
