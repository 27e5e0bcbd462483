"""Bad input: each gives one clear message with the next step and keeps everything already recorded."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_samples import Command, table

FILES = {
    "empty.csv": "",
    "header.csv": "text,label\n",
    "columns.csv": "alpha,beta\n1,2\n3,4\n",
    "one.csv": "text,label\nx,yes\ny,yes\nz,yes\n",
    "blank.csv": "text,label\nx,\ny,\nz,\n",
    "some.csv": "text,label\nx,yes\ny,\nz,no\n",
    "three.csv": "text,label\nx,a\ny,b\nz,a\n",
    "ragged.csv": "text,label\nx,a\ny,b,c\nz,a\n",
    "latin.csv": b"text,label\ncaf\xe9,a\ntea,b\n",
    "broken.jsonl": '{"text": "x", "label": "a"}\n{"text": \n',
}


NAMED = [  # in the issue's own words: missing file, wrong columns, one class, all blank, 3 cases, a bar above 1
    ("absent.csv", "", r"absent\.csv: no such file"),
    ("columns.csv", "", "columns are alpha, beta(.|\n)*--input .* --expected"),
    ("one.csv", "", "all 3 cases have the same expected value"),
    ("blank.csv", "", "no case at all has an expected value(.|\n)*--expected"),
    ("three.csv", "", "no sealed test cases(.|\n)*add fresh cases"),
    ("t.csv", "--bar 1.2", r"between 0 and 1, not 1\.2"),
    ("t.csv", "--bar 90", r"between 0 and 1, not 90\nhint: --bar \.9"),
    ("t.csv", "--bar .99 --tolerance .001", r"can show \.99 only as at least"),
]
MORE = [
    ("tt.csv", "", r"did you mean t\.csv"),
    ("no/where.csv", "", "no such folder"),
    ("empty.csv", "", "the file is empty"),
    ("header.csv", "", "there are no cases"),
    ("t.csv", "--expected team", "no column team; the columns are text, label"),
    ("some.csv", "", r"1 case is unlabelled\n +some\.csv:3: (.|\n)*--skip-bad"),
    ("ragged.csv", "", r"ragged\.csv:3: 3 fields where the header has 2(.|\n)*--skip-bad"),
    ("latin.csv", "", r"latin\.csv:2: byte e9 .*(.|\n)*--encoding"),
    ("broken.jsonl", "", r"broken\.jsonl:2: "),
    ("t.csv", "--bar 0", "between 0 and 1"),
    ("t.csv", "--bar nan", "--bar is a number, not nan"),
    ("t.csv", "--tolerance 2", "tolerance"),
    ("t.csv", "--coverage 60", 'between 0 and 1, or "max"(.|\n)*--coverage'),
    ("t.csv", "--coverage most", "--coverage"),
    ("t.csv", "--kind lable", "unknown kind lable"),
    ("t.csv", "--grader exakt", "no grader exakt"),
    ("t.csv", "--encoding utf-88", "unknown encoding"),
]


def slow(rows: list[tuple[str, ...]]) -> list[Any]:
    return [pytest.param(*row, marks=pytest.mark.slow) for row in rows]


@pytest.mark.parametrize(("file", "options", "said"), [*NAMED, *slow(MORE)])
def test_a_task_that_cannot_be_used_is_refused_before_anything_runs(
    suffice: Command, file: str, options: str, said: str
) -> None:
    if file in FILES:
        suffice.write(file, FILES[file])
    bar = [] if "--bar" in options else ["--bar", ".9"]
    suffice("plan", file, *bar, *options.split()).refused(said)


def test_a_climb_without_a_bar_or_with_an_unknown_rung_says_what_to_type(suffice: Command) -> None:
    suffice("climb", "t.csv").refused("There is no bar", "--bar .9")
    suffice("climb", "t.csv", "wrods", "--bar", ".9").refused("no rung called 'wrods'", "words")
    suffice("climb", "t.csv", "--replay", "absent.csv", "--bar", ".9").refused("absent.csv: no such file")


BAD_SOLUTIONS = """
import sys, time

def raises(text): raise ValueError("cannot do this")
def hangs(text): time.sleep(600)
def wrong_type(text): return {1, 2}
def exits(text): sys.exit(3)
def no_parameter(): return "billing"
def two(subject, body): return "billing"
def half_character(text): return "\\ud800"
number = 3
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", r"10 raised(.|\n)*first: t\.csv:\d+: ValueError: cannot do this \(bad\.py:4 in raises\)"),
        ("hangs", r"10 timeout(.|\n)*no answer within 0\.2 s \(bad\.py:5 in hangs\)"),
        ("wrong_type", r"10 type(.|\n)*set has no JSON form \(bad\.py:6 in wrong_type\)"),
        ("exits", r"10 exit(.|\n)*called sys\.exit\(3\) \(bad\.py:7 in exits\)"),
    ],
)
def test_a_solution_that_gives_no_answer_is_told_with_its_line_and_what_it_did_is_counted_apart(
    suffice: Command, name: str, said: str
) -> None:
    suffice.write("bad.py", BAD_SOLUTIONS)
    ran = suffice("eval", "t.csv", f"bad.py:{name}", "--timeout", ".2")
    ran.refused("each of the first 10 calls failed", "asked again")
    assert re.search(said, ran.out), ran.out
    assert "score      unknown" in ran.out
    if name not in ("raises", "hangs"):
        return  # the climb treats all of them alike
    climbed = suffice("climb", "t.csv", f"bad.py:{name}", "--bar", ".9", "--timeout", ".2")
    assert climbed.code == 3 and "paused" in climbed.out and f"in {name})" in climbed.out
    assert "mend that and run the same command again" in climbed.out


UNCALLABLE = [
    ("bad.py:no_parameter", "no_parameter takes no inputs"),
    ("bad.py:two", r"needs subject, body, and the task has the one input text"),
    ("syntax.py:f", r"syntax\.py: cannot be imported: SyntaxError: .*syntax\.py, line 2\)\n"),
    ("failing.py:f", r"failing\.py: cannot be imported: ZeroDivisionError: .* \(failing\.py:2 in <module>\)"),
]
UNFOUND = [
    ("leaving.py:f", r"leaving\.py: cannot be imported: SystemExit: 7"),
    ("needing.py:f", "pip install not_there_at_all"),
    ("bad.py:number", "not callable"),
    ("bad.py:rises", r"bad\.py: has no rises\nhint: did you mean raises"),
    ("bad.py", r"hint: .*bad\.py:"),
    ("bda.py:raises", r"no such file\nhint: did you mean bad\.py"),
    ("nowhere:f", "no module nowhere"),
]


@pytest.mark.parametrize(("typed", "said"), [*UNCALLABLE, *slow(UNFOUND)])
def test_a_solution_that_cannot_be_called_is_refused_before_the_first_call(
    suffice: Command, typed: str, said: str
) -> None:
    suffice.write("bad.py", BAD_SOLUTIONS)
    suffice.write("syntax.py", "x = 1\ndef f(:\n")
    suffice.write("failing.py", "x = 0\n1 / x\n")
    suffice.write("leaving.py", "import sys\nsys.exit(7)\n")
    suffice.write("needing.py", "import not_there_at_all\n")
    suffice("eval", "t.csv", typed).refused(said)


PLACES = [  # what the command would write to at its end, and why it cannot
    ("climb t.csv my.py:counts --bar .9 -o", "t.csv", "a file of this name is in the way"),
    ("climb t.csv my.py:counts --bar .9 -o", "full", r"not a bundle alone \(it holds notes\.txt\)"),
    ("climb t.csv my.py:counts --bar .9 -o", "", r"a bundle is a folder of its own\nhint: -o NAME\.suffice"),
    ("climb t.csv my.py:counts --bar .9 -o", "t.csv/x", "no folder can be made in .*t.csv"),
    ("gate my.py:counts t.csv --bar .9 --junit", "full", "is a folder, not a file"),
    ("eval t.csv my.py:counts --save", "", "is a folder, not a file"),
    ("eval t.csv my.py:counts --save", "no/r.json", "there is no folder no\nhint: .*mkdir -p no"),
]
MORE_PLACES = [
    ("climb t.csv my.py:counts --bar .9 -o", ".", "a bundle is a folder of its own"),
    ("climb t.csv my.py:counts --bar .9 --dev -o", "full", "not a bundle alone"),
    ("gate my.py:counts t.csv --bar .9 --junit", "", "is a folder, not a file"),
    ("gate my.py:counts t.csv --bar .9 --junit", "no/g.xml", "there is no folder no"),
    ("eval t.csv my.py:counts --save", "full", "is a folder, not a file"),
]


@pytest.mark.parametrize(("command", "place", "said"), [*PLACES, *slow(MORE_PLACES)])
def test_a_place_that_cannot_be_written_is_refused_before_the_first_call(
    suffice: Command, command: str, place: str, said: str
) -> None:
    suffice.write("full/notes.txt", "mine")
    suffice.write("my.py", "def counts(text):\n    open('called', 'a').write('x')\n    return 'billing'\n")
    suffice(*command.split(), place).refused(re.escape(place), said)
    assert not (suffice.folder / "called").exists() and not (suffice.folder / "home").exists()


def test_an_older_bundle_an_empty_folder_and_folders_to_be_made_are_places_for_a_bundle(suffice: Command) -> None:
    (suffice.folder / "empty").mkdir()
    for place in ("new/deep/b", "empty", "empty"):
        ran = suffice("climb", "t.csv", "my.py:good", "--bar", ".9", "-o", place)
        assert ran.code == 0 and (suffice.folder / place / "manifest.json").is_file(), ran


def test_blank_and_repeated_ids_say_a_flag_that_works(suffice: Command) -> None:
    rows = [row.split(",") for row in table(200).splitlines()[1:]]
    for ids in (["same"] * 200, [""] + [str(i) for i in range(199)]):
        lines = [f"{name},{text},{label}" for name, (text, label) in zip(ids, rows, strict=True)]
        suffice.write("ids.csv", "\n".join(["id,text,label", *lines]))
        suffice("plan", "ids.csv", "--bar", ".9").refused(r"ids\.csv:\d+: ", "--id none")
        assert suffice("plan", "ids.csv", "--bar", ".9", "--id", "none").code == 0


def test_an_answer_that_python_does_not_write_is_a_failure_of_the_solution(suffice: Command) -> None:
    suffice.write("huge.py", "def f(text):\n    return 10 ** 5000\n")
    ran = suffice("eval", "t.csv", "huge.py:f")
    ran.refused("each of the first 10 calls failed")
    assert "10 of 10: 10 type" in ran.out and "huge.py:1 in f" in ran.out


def test_half_a_character_in_an_answer_is_an_answer(suffice: Command) -> None:
    suffice.write("bad.py", BAD_SOLUTIONS)
    ran = suffice("eval", "t.csv", "bad.py:half_character", "--json", "--save", "r.json")
    assert ran.code == 0 and ran.json["cases"][0]["answer"] == "\ud800"
    assert json.loads((suffice.folder / "r.json").read_text(encoding="utf-8"))["cases"] == ran.json["cases"]
    assert suffice("report", "eval-1").code == 0


def test_a_store_that_cannot_be_used_is_told_and_left_as_it_is(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:good")
    file = suffice.home / "store.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")
        db.execute("PRAGMA journal_mode = DELETE")
    newer = file.read_bytes()
    for command in (["runs"], ["plan", "t.csv", "--bar", ".9"], ["eval", "t.csv", "my.py:good"]):
        suffice(*command).refused("newer Suffice", "pip install --upgrade suffice")
    assert file.read_bytes() == newer
    file.write_bytes(b"not a database at all, but some text of somebody's" * 20)
    suffice("eval", "t.csv", "my.py:good").refused("damaged or not a database", "left as it is", "backup")
    in_the_way = suffice.write("occupied", "a file")
    suffice("climb", "t.csv", "my.py:good", "--bar", ".9", SUFFICE_HOME=str(in_the_way)).refused("cannot be opened")
    assert in_the_way.read_bytes() == b"a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads and writes everything")
def test_a_store_that_may_not_be_read_is_told(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:good")
    (suffice.home / "store.sqlite").chmod(0)
    suffice("runs").refused("cannot be opened", "SUFFICE_HOME")


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_on_a_full_disk_what_was_recorded_is_kept_and_the_same_command_goes_on(suffice: Command) -> None:
    suffice.write(
        "calls.py", "def long(text):\n    open('calls', 'a').write('x')\n    return 'billing ' + 'x' * 20_000\n"
    )
    with small_disk(suffice.folder / "disk", 8000):
        home = str(suffice.folder / "disk" / "home")
        suffice("runs", SUFFICE_HOME=home)
        ballast = suffice.folder / "disk" / "ballast"
        ballast.write_bytes(b"x" * 7_200_000)
        suffice("eval", "t.csv", "calls.py:long", SUFFICE_HOME=home).refused(
            "no space left for the store", "kept", "run the same command again"
        )
        first = len((suffice.folder / "calls").read_text())
        ballast.unlink()
        again = suffice("eval", "t.csv", "calls.py:long", SUFFICE_HOME=home)
        assert again.code == 0
        n = int(again.out.split("dev (")[1].split()[0])
        assert n <= len((suffice.folder / "calls").read_text()) <= n + 16 and first > 0  # 8 in flight, twice at most


def test_standard_output_on_a_full_disk_is_told(suffice: Command) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    ran = suffice.shell("suffice climb t.csv my.py:good --bar .9 > /dev/full")
    ran.refused("standard output cannot be written", "kept")
    assert suffice("climb", "t.csv", "my.py:good", "--bar", ".9").out.startswith("PASS")
    suffice.write("new.csv", "text\n" + "invoice\n" * 2000)
    suffice.shell("suffice apply my.py:good new.csv > /dev/full").refused("cannot be written")


def test_two_climbs_on_one_store_at_once_do_not_disturb_each_other(suffice: Command) -> None:
    suffice.write(
        "slow.py",
        "import pathlib, time\n"
        "def f(text):\n"
        "    pathlib.Path('begun').touch()\n"
        "    while not pathlib.Path('go').exists():\n"
        "        time.sleep(.01)\n"
        "    return 'billing' if 'invoice' in text else 'shipping'\n",
    )
    first = suffice.begin("climb", "t.csv", "slow.py:f", "--bar", ".9", "--concurrency", "1")
    while not (suffice.folder / "begun").exists():
        assert first.poll() is None, first.communicate()
    same = suffice("climb", "t.csv", "slow.py:f", "--bar", ".9", "--concurrency", "1")
    same.refused("climb-1 is still running: process", "wait until it ends, or stop process")
    other = suffice("climb", "t.csv", "my.py:good", "--bar", ".9")
    assert other.code == 0 and other.out.startswith("PASS")
    (suffice.folder / "go").touch()
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0 and out.startswith("PASS"), out + err
    assert "2 tries so far, 2 passed" in suffice("plan", "t.csv", "--bar", ".9").out


HOSTILE = (
    'import pathlib\npathlib.Path("owned").touch()\ndef score(output, case):\n    return output == case.expected\n'
)


def test_a_task_folder_from_elsewhere_runs_no_code_unless_it_is_trusted(suffice: Command) -> None:
    suffice.write("from/task.toml", 'name = "../../pwned"\ngrader = "grade.py:score"\nbar = 0.9\n')
    suffice.write("from/grade.py", HOSTILE)
    suffice.write("from/cases.csv", table(200))
    for command in (["plan", "from"], ["eval", "from", "my.py:good"], ["climb", "from", "my.py:good"]):
        suffice(*command).refused("asks to run Python code: .*grade.py", "--trust")
    assert not (suffice.folder / "owned").exists()
    ran = suffice("climb", "from", "my.py:good", "--trust")
    assert ran.code == 0 and (suffice.folder / "owned").exists()
    assert "saved pwned" in ran.err and not list(suffice.folder.parent.glob("*pwned*"))


@pytest.mark.parametrize("line", ['cases = "../secret.csv"', 'cases = "/etc/passwd"', 'cases = "link.csv"'])
def test_a_task_folder_from_elsewhere_reads_no_other_file(suffice: Command, line: str) -> None:
    suffice.write("secret.csv", table(200, note=" top-secret"))
    suffice.write("from/task.toml", f"{line}\nbar = 0.9\n")
    (suffice.folder / "from" / "link.csv").symlink_to(suffice.folder / "secret.csv")
    ran = suffice("eval", "from", "my.py:good")
    ran.refused("points outside of itself")
    assert "top-secret" not in ran.out + ran.err


def test_the_recording_of_a_task_folder_lies_inside_of_it(suffice: Command) -> None:
    suffice.write("secret.csv", "id,answer\n1,top-secret\n")
    suffice.write("from/task.toml", 'ladder = ["replay:../secret.csv"]\nbar = 0.9\n')
    suffice.write("from/cases.csv", table(200))
    suffice("climb", "from").refused("points outside of itself")


def tampered_manifest(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("0.9", "0.99"), encoding="utf-8")


def tampered_weights(bundle: Path) -> None:
    [weights] = bundle.glob("*.npz")
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)


def missing_weights(bundle: Path) -> None:
    [weights] = bundle.glob("*.npz")
    weights.unlink()


def newer_bundle(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text(encoding="utf-8")), "format": 9}), encoding="utf-8")


def test_a_bundle_that_was_tampered_with_answers_nothing(suffice: Command) -> None:
    assert suffice("climb", "t.csv", "words", "--bar", ".8", "--out", "w").code == 0
    suffice.write("new.csv", "text\ninvoice 1\n")
    whole = {path.name: path.read_bytes() for path in (suffice.folder / "w").iterdir()}
    cases: list[tuple[Callable[[Path], None], str]] = [
        (tampered_manifest, "does not fit its hash"),
        (tampered_weights, "its content was changed"),
        (missing_weights, "a file of the bundle is missing"),
        (newer_bundle, "pip install --upgrade suffice"),
    ]
    commands = [["apply", "w", "new.csv"], ["eval", "t.csv", "w"], ["gate", "w", "t.csv", "--bar", ".8"]]
    for (spoil, said), command in zip(cases, [*commands, commands[0]], strict=True):
        spoil(suffice.folder / "w")
        ran = suffice(*command)
        ran.refused(said)
        assert not ran.out
        for name, content in whole.items():
            (suffice.folder / "w" / name).write_bytes(content)
    assert suffice("gate", "w", "t.csv", "--bar", ".8").code == 0


def test_a_bundle_of_a_function_that_changed_is_refused_with_what_to_do(suffice: Command) -> None:
    assert suffice("climb", "t.csv", "my.py:good", "--bar", ".9", "--out", "g").code == 0
    suffice.write("new.csv", "text\ninvoice 1\n")
    assert suffice("apply", "g", "new.csv").code == 0
    suffice.write("my.py", (suffice.folder / "my.py").read_text(encoding="utf-8").replace('"invoice"', '"parcel"'))
    suffice("apply", "g", "new.csv").refused("is not the function that was saved", "put back what changed")
    suffice("apply", "nowhere", "new.csv").refused("nowhere")
