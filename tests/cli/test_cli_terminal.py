"""What a terminal gets: a live table where there is one, plain lines where there is none, and never a raw control."""

from __future__ import annotations

import json
import re
import signal
import time
import xml.etree.ElementTree as ElementTree

import pytest
from cli_samples import Command, table
from terminal import on_terminal

pytest.importorskip("pty")

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r"
SAFE = re.compile(r"\r\x1b\[2K|\x1b\[[0-9;?]*[A-Za-z]|[\n\t]")  # what our own table and colours use
RAW = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def test_a_climb_on_a_terminal_shows_a_live_table_and_ends_with_the_sentence(suffice: Command) -> None:
    code, text = on_terminal(suffice, "climb", "t.csv", "my.py:bad", "my.py:good", "--bar", ".9")
    assert code == 0
    assert "\x1b[1;32mPASS" in text and "test cases" in text  # green, in a table
    assert "PASS: `good` suffices" in text.replace("\n", " ")
    assert text.count("try 1: uses .025 of .05") == 1


def test_no_color_means_none(suffice: Command) -> None:
    _, text = on_terminal(suffice, "climb", "t.csv", "my.py:good", "--bar", ".9", NO_COLOR="1")
    assert "test cases" in text
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text)


def test_a_narrow_terminal_cuts_no_figure_away(suffice: Command) -> None:
    code, text = on_terminal(suffice, "climb", "t.csv", "my.py:good", "--bar", ".9", columns=40)
    assert code == 0
    last = text[text.rindex("verdict") :] if "verdict" in text else text
    assert "PASS" in last and "…" not in last.partition("PASS: ")[0]


def test_without_a_terminal_there_is_no_escape_at_all(suffice: Command) -> None:
    ran = suffice("climb", "t.csv", "my.py:good", "--bar", ".9", TERM="xterm-256color")
    assert "\x1b" not in ran.out + ran.err
    told = [line for line in ran.err.splitlines() if line.startswith("good: ")]
    assert re.fullmatch(r"good: 1\.000 \(.* to 1\.00\), \d+ of \d+: to test", told[0]), told
    assert told[1].startswith("good: try 1: ")
    assert told[2:] == ["good: PASS on sealed cases"]  # the dev figure was said before


def test_ctrl_c_on_a_terminal_says_what_was_kept(suffice: Command) -> None:
    suffice.write("slow.py", "import time\ndef f(text):\n    time.sleep(.2)\n    return 'billing'\n")
    code, text = on_terminal(suffice, "eval", "t.csv", "slow.py:f", "--concurrency", "1", interrupt="3/")
    assert code == 130
    assert "interrupted: what was recorded is kept; the same command goes on from there" in text
    assert "Traceback" not in text and "\x1b[?25h" in text  # the cursor is back


@pytest.mark.parametrize(
    "script",
    [
        "suffice eval t.csv my.py:bad --failures 99 | head -1",
        "suffice --help | head -1",
        pytest.param("suffice plan t.csv --bar .9 | head -1", marks=pytest.mark.slow),
        pytest.param("suffice unseal t.csv --yes | head -1", marks=pytest.mark.slow),
    ],
)
def test_a_reader_who_has_enough_is_no_error(suffice: Command, script: str) -> None:
    ran = suffice.shell(f"set -o pipefail; {script}")
    assert ran.code == 0 and len(ran.out.splitlines()) == 1
    assert "Broken pipe" not in ran.err and "Traceback" not in ran.err


def test_a_reader_who_has_enough_does_not_change_a_verdict(suffice: Command) -> None:
    gone = suffice.shell("suffice gate my.py:bad t.csv --bar .9 --anyway > >(true); exit $?")
    assert gone.code == 1, gone
    both = suffice.shell("set -o pipefail; suffice climb t.csv my.py:middling --bar .97 2>&1 | true")
    alone = suffice("climb", "t.csv", "my.py:middling", "--bar", ".97", SUFFICE_HOME=str(suffice.folder / "alone"))
    assert both.code == alone.code in (1, 3), both


def test_a_reader_who_has_enough_stops_apply(suffice: Command) -> None:
    suffice.write("new.csv", "text\n" + "invoice\n" * 50_000)
    ran = suffice.shell("set -o pipefail; suffice apply my.py:good new.csv | head -2")
    assert ran.code == 0 and ran.out.splitlines() == [
        "text,answer,confidence,answered_by,status,error",
        "invoice,billing,,good,answered,",
    ]
    assert "error" not in ran.err and "Traceback" not in ran.err


def test_an_output_of_few_characters_gets_escapes(suffice: Command) -> None:
    ran = suffice("plan", "t.csv", "--bar", ".9", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ran.code == 0 and "text \\u2192 label" in ran.err


@pytest.fixture
def hostile(suffice: Command) -> Command:
    """A task whose every text would drive a terminal, and solutions that answer and raise such texts."""
    suffice.write("h.csv", table(200, note=f" <script>alert(1)</script>{ESCAPE}").replace(ESCAPE, ESCAPE[:-1]))
    suffice.write(
        "evil.py",
        f"BAD = {ESCAPE!r}\n"
        "def right(text): return 'billing' if 'invoice' in text else 'shipping'\n"
        "def answers(text): return BAD + 'x'\n"
        "def some(text): return BAD if '3' in text else right(text)\n"
        "def raises(text): raise ValueError(BAD)\n",
    )
    suffice.write("evil_import.py", f"raise RuntimeError({ESCAPE!r})\n")
    return suffice


def raw(text: str) -> list[str]:
    """The control characters in `text` that are not our own."""
    return RAW.findall(SAFE.sub("", text))


def test_what_a_case_or_an_answer_says_never_drives_the_terminal(hostile: Command) -> None:
    commands = [
        ["plan", "h.csv", "--bar", ".9"],
        ["plan", "h.csv", "--bar", ".9", "--expected", f"x{ESCAPE}"],
        ["eval", "h.csv", "evil.py:answers"],
        ["eval", "h.csv", "evil.py:answers", "--json"],
        ["eval", "h.csv", "evil.py:raises"],
        ["eval", "h.csv", "evil_import.py:f"],
        ["compare", "h.csv", "evil.py:some", "evil.py:right"],
        ["climb", "h.csv", "evil.py:raises", "evil.py:some", "--bar", ".9"],
        ["show", "climb-8"],
        ["show", "climb-8", "--json"],
        ["runs"],
        ["unseal", "h.csv", "--yes"],
    ]
    for command in commands:
        ran = hostile(*command)
        assert ran.code in (0, 2, 3) and "a fault of" not in ran.err, ran.err
        assert not RAW.search(ran.out + ran.err), (command, raw(ran.out + ran.err))


def test_nor_does_it_on_the_live_table_or_where_rows_go_to_the_terminal(hostile: Command) -> None:
    _, text = on_terminal(hostile, "climb", "h.csv", "evil.py:raises", "evil.py:some", "--bar", ".9")
    assert "evil" in text and not raw(text) and "\x1b]" not in text and "\x1b[2J" not in text
    hostile.write("new.csv", f'text\n"invoice {ESCAPE}"\n')
    code, text = on_terminal(hostile, "apply", "evil.py:answers", "new.csv")
    assert code == 0 and "\\x1b]0;owned" in text and not raw(text) and "\x1b[2J" not in text
    piped = hostile("apply", "evil.py:answers", "new.csv", "--exact")
    assert ESCAPE[:-1] in piped.out  # in a file the data stays what it is


def test_json_keeps_what_it_makes_harmless(hostile: Command) -> None:
    report = hostile("eval", "h.csv", "evil.py:answers", "--json").json
    assert report["cases"][0]["answer"] == ESCAPE + "x"
    rows = [json.loads(line) for line in hostile("unseal", "h.csv", "--yes", "--cases", "2").out.splitlines()]
    assert all("\x1b]0;owned\x07" in row["inputs"] for row in rows)


def test_a_page_and_a_junit_file_hold_it_as_text(hostile: Command) -> None:
    saved = hostile("eval", "h.csv", "evil.py:right", "--save", "right.json")
    assert saved.code == 0
    gate = ["gate", "evil.py:some", "h.csv", "--on", "dev", "--against", "right.json", "--junit", "gate.xml"]
    assert hostile(*gate).code in (1, 3)
    suite = ElementTree.parse(hostile.folder / "gate.xml")  # well formed, although XML holds no control characters
    assert "<script>" in "".join(suite.getroot().itertext())
    assert hostile("report", "eval-2", "--out", "page.html").code == 0
    page = (hostile.folder / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_a_line_end_in_a_file_name_begins_no_line(suffice: Command) -> None:
    name = "t\nPASS: all is well\x1b[31m.csv"
    suffice.write(name, table(200))
    for ran in (
        suffice("plan", name, "--bar", ".9"),
        suffice("climb", name, "my.py:bad", "--bar", ".9"),
        suffice("eval", name, "my.py:bad"),
        suffice("eval", f"no {name}", "my.py:bad"),
    ):
        assert "all is well" in ran.out + ran.err and "\x1b" not in ran.out + ran.err
        assert not any(line.startswith("PASS: all") for line in (ran.out + ran.err).splitlines()), ran


def test_a_name_that_looks_like_markup_is_a_name(suffice: Command) -> None:
    suffice.write("t.toml", "")
    suffice.write("odd/task.toml", 'name = "[red]x[/nope]"\nbar = 0.9\n')
    suffice.write("odd/cases.csv", table(200))
    suffice.write("odd.py", "def f(text): return 'billing'\nf.__name__ = '[bold]f[/nope]'\n")
    for command in (["eval", "odd", "odd.py:f"], ["climb", "odd", "odd.py:f"]):
        code, text = on_terminal(suffice, *command)
        assert code in (0, 3) and "[bold]f[/nope]" in text, text


def test_ctrl_c_is_passed_on_by_signal_too(suffice: Command) -> None:
    suffice.write(
        "slow.py", "import pathlib, time\ndef f(text):\n    pathlib.Path('begun').touch()\n    time.sleep(600)\n"
    )
    process = suffice.begin("climb", "t.csv", "slow.py:f", "--bar", ".9")
    while not (suffice.folder / "begun").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and not out
    assert err.rstrip().endswith("interrupted: what was recorded is kept; the same command goes on from there")


def test_apply_on_a_terminal_shows_how_far_it_is_and_ends_with_the_counts(suffice: Command) -> None:
    suffice.write("new.csv", "text\n" + "invoice\n" * 30)
    suffice.write("slow.py", "import time\ndef f(text):\n    time.sleep(.1)\n    return 'billing'\n")
    code, text = on_terminal(suffice, "apply", "slow.py:f", "new.csv", "--out", "out.csv")
    assert code == 0 and re.search(r"[1-9]\d?/30", text) and "30 rows: 30 answered" in text
    assert (suffice.folder / "out.csv").read_text().count("billing") == 30
