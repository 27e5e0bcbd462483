"""What a script relies on: exit codes, data on stdout, talk on stderr, JSON that parses."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from cli_samples import Command

from suffice.version import __version__


def test_a_climb_that_passes_ends_in_0_and_saves_a_bundle_that_says_so(suffice: Command) -> None:
    ran = suffice("climb", "t.csv", "my.py:bad", "my.py:good", "--bar", ".9")
    assert ran.code == 0
    assert ran.out.startswith("PASS: `good` suffices: at least ") and ran.out.count("\n") == 1
    assert "bad: " in ran.err and "try 1: uses .025 of .05" in ran.err and "saved t.suffice" in ran.err
    assert (suffice.folder / "t.suffice" / "manifest.json").is_file()
    again = suffice("climb", "t.csv", "my.py:bad", "my.py:good", "--bar", ".9")
    assert again.code == 0 and again.out.startswith(ran.out) and "Known: decided on" in again.out


def test_a_climb_that_shows_nothing_ends_in_3_and_says_what_came_closest(suffice: Command) -> None:
    ran = suffice("climb", "t.csv", "my.py:bad", "--bar", ".9")
    assert ran.code == 3
    assert ran.out.startswith("UNPROVEN: ") and "Closest on dev: `bad`" in ran.out
    assert not (suffice.folder / "t.suffice").exists()


def test_a_gate_that_is_refuted_ends_in_1_and_junit_says_the_same(suffice: Command) -> None:
    ran = suffice("gate", "my.py:bad", "t.csv", "--bar", ".9", "--anyway", "--junit", "gate.xml")
    assert ran.code == 1
    assert ran.out.startswith("FAIL: `bad` does not suffice")
    junit = (suffice.folder / "gate.xml").read_text(encoding="utf-8")
    assert 'failures="1"' in junit and "does not suffice" in junit


def test_a_gate_on_dev_pairs_with_a_saved_report(suffice: Command) -> None:
    saved = suffice("eval", "t.csv", "my.py:good", "--save", "good.json")
    assert saved.code == 0 and json.loads((suffice.folder / "good.json").read_text(encoding="utf-8"))["right"] > 30
    same = suffice("gate", "my.py:good", "t.csv", "--on", "dev", "--against", "good.json", "--margin", ".1")
    assert same.code == 0 and same.out.startswith("PASS: `good` ")
    worse = suffice("gate", "my.py:bad", "t.csv", "--on", "dev", "--against", "good.json", "--margin", ".1")
    assert worse.code == 1 and "flips" in worse.out and "    - t.csv:" in worse.out
    no_junit = suffice("gate", "my.py:good", "t.csv", "--on", "dev", "--against", "good.json", "--junit", "no/x.xml")
    no_junit.refused("no/x.xml: there is no folder no", "mkdir -p no")


def test_dev_only_ends_in_0_and_spends_nothing(suffice: Command) -> None:
    ran = suffice("climb", "t.csv", "my.py:good", "--bar", ".9", "--dev")
    assert ran.code == 0 and "is ready for test" in ran.out and "--dev" in ran.out
    assert "no try yet" in suffice("plan", "t.csv", "--bar", ".9").out
    assert "calls" not in suffice("plan", "t.csv", "words", "my.py:good", "--bar", ".9").out
    search = ("plan", "t.csv", "search", "--bar", ".9")
    searched = suffice(*search, "--model", "openai:gpt-5-mini", OPENAI_API_KEY="sk-none")
    assert searched.code == 0, searched.err
    assert re.search(r"^calls      search: at most \d+ calls on \d+ train cases, .*\$0\.\d*[1-9]", searched.out, re.M)
    keyless = suffice(*search, "--model", "openai:gpt-5-mini", OPENAI_API_KEY="")
    assert keyless.code == 0 and "calls      search: what it takes is not known: openai needs a key" in keyless.out
    assert "calls      search: not tried: " in suffice(*search, SUFFICE_MODEL="").out
    suffice("plan", "t.csv", "my.py:none", "--bar", ".9").refused("none")
    suffice(*search, "--model", "no such").refused("a model.s address")


def test_data_is_on_stdout_alone_and_json_parses_whatever_a_solution_prints(suffice: Command) -> None:
    suffice.write(
        "loud.py",
        "import os, sys\nprint('loud at import')\n"
        "def triage(text):\n"
        "    print('loud', flush=True); os.system('echo child'); sys.stderr.write('warned\\n')\n"
        "    return 'billing' if 'invoice' in text else 'shipping'\n",
    )
    report = suffice("eval", "t.csv", "loud.py:triage", "--json")
    assert report.code == 0 and report.json["solution"] == "triage" and report.json["n"] == len(report.json["cases"])
    assert {"loud", "child", "warned", "loud at import"} <= set(report.err.splitlines())
    decision = suffice("climb", "t.csv", "loud.py:triage", "--bar", ".9", "--json")
    assert decision.json["verdict"] == "PASS" and decision.json["settings"]["command"] == shlex.join(
        ["suffice", "climb", "t.csv", "loud.py:triage", "--bar", ".9", "--json"]
    )
    suffice.write("new.csv", "text\ninvoice 1\nparcel 2\n")
    applied = suffice("apply", "loud.py:triage", "new.csv")
    assert applied.out.splitlines() == [
        "text,answer,confidence,answered_by,status,error",
        "invoice 1,billing,,triage,answered,",
        "parcel 2,shipping,,triage,answered,",
    ]
    assert applied.err.rstrip().endswith("2 rows: 2 answered, 0 nothing, 0 for a person")


def test_what_is_no_number_is_null_in_json(suffice: Command) -> None:
    suffice.write("nan.py", "def f(text):\n    return float('nan')\n")
    ran = suffice("eval", "t.csv", "nan.py:f", "--json")
    assert json.loads(ran.out, parse_constant=pytest.fail)["cases"][0]["answer"] is None


@pytest.mark.parametrize("more", [[], ["--repeats", "3"]], ids=["once", "repeated"])
def test_a_runs_line_says_of_how_many_calls_its_score_is_as_its_page_does(suffice: Command, more: list[str]) -> None:
    suffice.write("some.py", "from my import good\ndef f(text):\n    assert int(text[-1]) < 7\n    return good(text)\n")
    told = suffice("eval", "t.csv", "some.py:f", "--json", *more).json
    failed, scored = told["errors"], sum(case["error"] is None for case in told["cases"])
    assert 0 < scored < told["n"] and failed == (told["n"] - scored) * (3 if more else 1)
    among = f"{told['right']} of {scored} {'right each time' if more else 'answered calls right'}"
    assert f"at 95%), {among}, {failed} failed calls" in suffice("runs").out
    suffice("report", "eval-1")
    page = (suffice.folder / "eval-1.html").read_text(encoding="utf-8")
    assert f"at 95%), {among}" in page


def test_runs_are_listed_shown_and_made_into_pages(suffice: Command) -> None:
    assert "no runs yet" in suffice("runs").err
    suffice("eval", "t.csv", "my.py:middling")
    suffice("climb", "t.csv", "my.py:good", "--bar", ".9")
    listed = suffice("runs").out.splitlines()
    assert [line.split()[0] for line in listed] == ["climb-2", "eval-1"] and "PASS: `good`" in listed[0]
    [only] = map(json.loads, suffice("runs", "--kind", "eval", "--json").out.splitlines())
    assert only["run"] == "eval-1" and only["state"] == "done" and only["said"].startswith("middling: 0.")
    assert re.search(r"at 95%\), \d+ of (\d+) right$", only["said"])
    shown = suffice("show", "climb-2", "--json").json
    assert shown["settings"]["command"] == "suffice climb t.csv my.py:good --bar .9"
    short = suffice("show", "climb-2").out
    assert len(short.splitlines()) < 20 and "{" not in short
    assert re.search(r"^command +suffice climb t.csv my.py:good --bar .9$", short, re.M)
    assert re.search(r"^claim +bar 0.9, tolerance [\d.]+; \d+ sealed; error 0.025$", short, re.M)
    assert re.search(r"^ended in +PASS: `good` suffices: ", short, re.M)
    assert re.search(r"^rung +good: PASS; dev (\d+) right of \1; PASS after \d+ sealed cases$", short, re.M)
    assert re.search(r"^ended in +middling: 0\.", suffice("show", "eval-1").out, re.M)
    for run in ("eval-1", "climb-2"):
        assert suffice("report", run).out == f"{run}.html\n"
    page = (suffice.folder / "climb-2.html").read_text(encoding="utf-8")
    assert "suffice climb t.csv my.py:good --bar .9" in page
    assert suffice("report").out == "climb-2.html\n"  # the latest
    suffice("report", "eval-9").refused("there is no run 'eval-9'", "suffice runs")
    suffice("show", "nonsense").refused("not a run", "climb-7")
    suffice("runs", "--kind", "gate").refused("climb, eval, apply")
    suffice("report", "eval-1", "--out", "none/x.html").refused("none/x.html: cannot write the page")


def test_version_and_help(suffice: Command) -> None:
    assert suffice("--version").out == f"{__version__}\n"
    assert suffice("-h").out == suffice("--help").out
    alone = suffice()
    assert alone.code == 2 and "Commands:" in alone.err and not alone.out


def slow(*row: object) -> object:
    return pytest.param(*row, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("typed", "said", "hint"),
    [
        (["clmb"], "no such command clmb", "did you mean climb?"),
        slow(["frobnicate"], "no such command frobnicate", "suffice --help"),
        (["plan", "t.csv", "--bra", ".9"], "no such option: --bra", "did you mean --bar"),
        slow(["plan", "t.csv", "--wobble"], "no such option", "suffice plan --help"),
        (["eval", "t.csv"], "missing argument SOLUTION", "suffice eval --help"),
        (["plan", "t.csv", "--bar", "high"], "invalid value for --bar", "suffice plan --help"),
        slow(["eval", "t.csv", "my.py:good", "--concurrency", "0"], "invalid value for --concurrency", "eval --help"),
        (["eval", "t.csv", "my.py:good", "--split", "test"], "sealed", "suffice climb t.csv.*suffice unseal t.csv"),
        slow(["eval", "t.csv", "my.py:good", "--split", "tset"], "no split 'tset'", "dev or train"),
        (["gate", "my.py:good", "t.csv", "--on", "prod"], "--on is test or dev", "--on dev at every commit"),
        (["gate", "my.py:good", "t.csv", "--on", "dev"], "with a saved report", "suffice eval t.csv my.py:good"),
        (["climb", "t.csv", "--bar", ".9", "--resume"], "no interrupted climb", "leave --resume out"),
        (["unseal", "t.csv"], "for good", "--yes"),
    ],
)  # fmt: skip
def test_wrong_use_ends_in_2_with_one_message_and_the_next_step(
    suffice: Command, typed: list[str], said: str, hint: str
) -> None:
    suffice(*typed).refused(said, f"hint: .*{hint}")


def test_unseal_retires_what_it_shows(suffice: Command) -> None:
    shown = suffice("unseal", "t.csv", "--cases", "3", "--yes")
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert len(rows) == 3 and all(row["expected"] in ("billing", "shipping") for row in rows)
    assert "retired 3 of " in shown.err and "for good" in shown.err
    before = int(shown.err.split("retired 3 of ")[1].split()[0])
    assert f"retired {before - 3} of {before - 3}" in suffice("unseal", "t.csv", "--yes").err
    suffice("unseal", "t.csv", "--yes").refused("no sealed test cases left")
    suffice("plan", "t.csv", "--bar", ".9").refused("no sealed test cases", "add fresh cases")


def test_a_fault_of_our_own_is_no_verdict_and_its_text_stays_in(suffice: Command) -> None:
    suffice.write("broken.py", "import suffice.evals.evaluate as e\ne.Report = None\ndef f(text): return 'secret'\n")
    ran = suffice("eval", "t.csv", "broken.py:f")
    assert ran.code == 2 and "error: a fault of Suffice itself: TypeError at evaluate.py:" in ran.err
    assert "NoneType" not in ran.err and "SUFFICE_TRACEBACK=1" in ran.err
    assert "NoneType" in suffice("eval", "t.csv", "broken.py:f", SUFFICE_TRACEBACK="1").err
