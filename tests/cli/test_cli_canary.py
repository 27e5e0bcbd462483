"""A word that stands in sealed cases alone comes out of no command and lies in no file: only `unseal` shows it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

import pytest
from cli_samples import Command, Ran, table

CANARY = "zqxjvkanarienvogel"
TRACE = "zqxj"  # the start of it, so that no cut, n-gram or column width hides it

SOLUTIONS = f'''
import asyncio, atexit, dataclasses, logging, os, subprocess, sys, threading, warnings
import suffice as sf

def good(text):
    return "billing" if "invoice" in text else "shipping"

def bad(text):
    return "billing" if "parcel" in text else "shipping"

def told(text):
    """Right, and as loud about it as a program can be."""
    print(text); print(text, file=sys.stderr); sys.__stdout__.write(text); os.write(1, text.encode())
    logging.getLogger("mine").error(text); logging.warning(text); warnings.warn(text)
    subprocess.run(["echo", text]); threading.Thread(target=print, args=(text,)).start()
    return good(text)

def returned(text):
    """Wrong on sealed cases, with the case in the answer."""
    return sf.Answer(text, confidence=.99) if "{TRACE}" in text else good(text)

def raised(text):
    if "{TRACE}" in text:
        try:
            raise KeyError(text)
        except KeyError as inner:
            raise ValueError(f"cannot answer {{text}}") from inner
    return good(text)

def left(text):
    if "{TRACE}" in text:
        sys.exit(text)
    return good(text)

def wrong_type(text):
    if "{TRACE}" in text:
        return {{text}}
    return good(text)

def exited(text):
    if "{TRACE}" in text:
        os._exit(0)
    return good(text)

async def left_a_task(text):
    async def leave():
        sys.exit(text)
    if "{TRACE}" in text:
        asyncio.ensure_future(leave())
        await asyncio.sleep(.01)
    return good(text)

CLERK = """
import sys, time
lines = [line for line in sys.stdin]
print("the clerk was told", len(lines), *lines, flush=True)
print("the clerk was told", len(lines), *lines, file=sys.stderr, flush=True)
"""
clerk = None

def told_a_clerk(text):
    """A child from the days of dev hears every case and talks when all is over; so does what runs at exit."""
    global clerk
    if clerk is None:
        clerk = subprocess.Popen([sys.executable, "-c", CLERK], stdin=subprocess.PIPE, text=True)
        late = os.dup(1)
        told = []
        def confess():
            clerk.stdin.close()
            clerk.wait()
            print(*told); print(*told, file=sys.stderr)
            os.write(late, " ".join(told).encode())
        told_a_clerk.told = told
        atexit.register(confess)
    clerk.stdin.write(text + "\\n")
    told_a_clerk.told.append(text)
    return good(text)

async def leaves(task, cases):
    sys.exit(0)

leaving_rung = dataclasses.replace(sf.rung.words(), fit=leaves, out_of_fold=None)

def unsure(text):
    return sf.ABSTAIN if "{TRACE}" in text else sf.Answer(good(text), confidence=.9)
'''

GRADERS = f"""
def raising(output, case):
    if "{TRACE}" in case.inputs:
        raise ValueError(f"{{case.inputs}} {{case.expected}} {{output}}")
    return output == case.expected

class Panic(BaseException):
    pass

def panicking(output, case):
    if "{TRACE}" in case.inputs:
        raise Panic(case.inputs)
    return output == case.expected

def odd(output, case):
    return f"{{case.inputs}}" if "{TRACE}" in case.inputs else output == case.expected

def loud(output, case):
    print(case.inputs, case.expected, output)
    return output == case.expected
"""


@pytest.fixture
def sealed(suffice: Command) -> Command:
    """A folder whose test split alone holds the canary, in inputs, in expected values and in its notes."""
    head, *rows = table(300, note="").splitlines()
    suffice.write("task/train.csv", "\n".join([head, *rows[:60]]))
    suffice.write("task/dev.csv", "\n".join([head, *rows[60:110]]))
    hidden = [row.replace(" number ", f" {CANARY} number ") for row in rows[110:]]
    suffice.write("task/test.csv", "\n".join([head, *hidden]))
    suffice.write("task/task.toml", "bar = 0.9\n")
    suffice.write("task/grade.py", GRADERS)
    suffice.write("mine.py", SOLUTIONS)
    return suffice


def traces(found: Iterable[tuple[str, bytes]]) -> list[str]:
    """The names of what holds the canary, in any of the usual encodings; archives are looked into."""
    spelled = [TRACE.encode(code) for code in ("utf-8", "utf-16-le", "utf-32-le")]
    out: list[str] = []
    for name, data in found:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                data += b"".join(map(archive.read, archive.namelist()))
        if any(word in data.lower() for word in spelled):
            out.append(name)
    return out


def left_behind(suffice: Command) -> list[str]:
    """The files with a trace, but for the user's own: data, code."""
    own = ("task/", "mine.py", "__pycache__/")
    files = {str(path.relative_to(suffice.folder)): data for path, data in suffice.files().items()}
    return traces((name, data) for name, data in files.items() if not name.startswith(own))


def silent(ran: Ran, *codes: int) -> Ran:
    """What a command said, checked for the canary and for faults of ours."""
    assert ran.code in codes, f"{ran.code}\n{ran.out}\n{ran.err}"
    assert TRACE not in ran.out.casefold() and TRACE not in ran.err.casefold(), ran.out + ran.err
    assert "Traceback" not in ran.err and "a fault of Suffice" not in ran.err, ran.err
    return ran


def test_the_daily_commands_and_a_loud_solution_let_nothing_out(sealed: Command) -> None:
    silent(sealed("plan", "task"), 0)
    silent(sealed("eval", "task", "mine.py:told", "--save", "told.json", "--json"), 0)
    silent(sealed("compare", "task", "mine.py:good", "mine.py:bad"), 0)
    climbed = silent(sealed("climb", "task", "words", "mine.py:told", "--json"), 0)
    assert climbed.json["verdict"] == "PASS" and climbed.json["rungs"][0]["tested"]["used"] > 0
    silent(sealed("climb", "task", "mine.py:told", "--out", "told.suffice"), 0)
    silent(sealed("gate", "task.suffice", "task", "--junit", "gate.xml"), 0)
    dev = ["--on", "dev", "--against", "told.json", "--junit", "dev.xml", "--margin", ".2"]
    silent(sealed("gate", "mine.py:good", "task", *dev), 0)
    runs = [line.split()[0] for line in silent(sealed("runs"), 0).out.splitlines()]
    for run in (runs[0], next(r for r in runs if r.startswith("climb"))):
        silent(sealed("show", run), 0)
        silent(sealed("show", run, "--json"), 0)
        silent(sealed("report", run), 0)
    assert len(list(sealed.folder.glob("*.html"))) == 2 and list(sealed.folder.glob("*.suffice/*.npz"))
    assert left_behind(sealed) == []

    shown = sealed("unseal", "task", "--yes", "--cases", "1")  # and here it is: this test can fail
    assert CANARY in shown.out
    sealed.write("shown.txt", shown.out)
    assert left_behind(sealed) == ["shown.txt"]


@pytest.mark.parametrize(
    ("name", "codes", "said"),
    [
        ("returned", (1,), "FAIL"),
        ("raised", (3,), "is paused, not decided"),
        pytest.param("left", (3,), "is paused, not decided", marks=pytest.mark.slow),
        pytest.param("wrong_type", (3,), "is paused, not decided", marks=pytest.mark.slow),
        pytest.param("unsure", (1, 3), "", marks=pytest.mark.slow),
    ],
)
def test_a_solution_that_gives_the_case_away_is_not_heard(
    sealed: Command, name: str, codes: tuple[int, ...], said: str
) -> None:
    ran = silent(sealed("climb", "task", f"mine.py:{name}", "--json"), *codes)
    assert said in f"{ran.json['verdict']}: {ran.json['sentence']}"
    silent(sealed("report", "climb-1"), 0)
    assert left_behind(sealed) == []


def test_a_solution_that_ends_the_process_has_not_passed(sealed: Command) -> None:
    ran = silent(sealed("gate", "mine.py:exited", "task"), 3)
    assert ran.out.startswith("UNPROVEN: `exited` is paused, not decided") and "(exit)" in ran.out
    silent(sealed("gate", "mine.py:left_a_task", "task"), 0)  # it answered, and what it left behind harms nobody
    silent(sealed("gate", "mine.py:leaving_rung", "task"), 2).refused("tried to end the program")
    assert left_behind(sealed) == []


def test_nobody_tells_a_sealed_case_when_all_is_over(sealed: Command) -> None:
    ran = sealed("eval", "task", "mine.py:told_a_clerk", "--concurrency", "1")  # on dev everyone is heard, to the end
    assert ran.code == 0 and ran.err.count("the clerk was told") == 2 and "parcel number" in ran.out
    ran = silent(sealed("climb", "task", "mine.py:told_a_clerk", "--json", "--concurrency", "1"), 0)
    assert ran.json["verdict"] == "PASS" and "the clerk" not in ran.err
    assert left_behind(sealed) == []


@pytest.mark.parametrize(
    ("grader", "code"), [("raising", 2), ("panicking", 2), pytest.param("odd", 2, marks=pytest.mark.slow), ("loud", 0)]
)
def test_a_grader_that_gives_the_case_away_is_not_heard(sealed: Command, grader: str, code: int) -> None:
    sealed.write("task/task.toml", f'bar = 0.9\ngrader = "grade.py:{grader}"\n')
    silent(sealed("eval", "task", "mine.py:good", "--trust"), 0)
    ran = silent(sealed("climb", "task", "mine.py:good", "--trust"), code)
    if code == 2:
        ran.refused(f"grader grade.py:{grader} failed on a sealed case .*its text is held back", "suffice eval")
    silent(sealed("show", "climb-2"), 0)
    silent(sealed("show", "climb-2", "--json"), 0)
    assert left_behind(sealed) == []


@pytest.mark.parametrize(
    "row",
    [
        f"{CANARY},",  # no label
        f"{CANARY},{CANARY},{CANARY}",  # a field too many
        pytest.param(f'"{CANARY}" {CANARY},billing', marks=pytest.mark.slow),  # a quotation mark in the middle
        pytest.param(f'"{CANARY},billing', marks=pytest.mark.slow),  # a quotation mark that is never closed
        pytest.param(f"{CANARY} number 1,{CANARY}", marks=pytest.mark.slow),  # a label of no train or dev case
    ],
)
def test_a_bad_row_of_the_sealed_split_is_named_by_its_place_alone(sealed: Command, row: str) -> None:
    path = sealed.folder / "task" / "test.csv"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{row}\n", encoding="utf-8")
    silent(sealed("plan", "task"), 0, 2)
    silent(sealed("climb", "task", "mine.py:good", "--skip-bad", "--json"), 0, 2)
    assert left_behind(sealed) == []


def test_an_error_in_the_midst_of_a_sealed_test_holds_its_text_back(sealed: Command) -> None:
    sealed.write(
        "breaks.py",
        "import pathlib\nfrom mine import good\n"
        "def f(text):\n"
        f"    if '{TRACE}' in text:\n"
        "        store = pathlib.Path('home/store.sqlite')\n"
        "        store.exists() and store.unlink()\n"
        "    return good(text)\n",
    )
    ran = silent(sealed("climb", "task", "breaks.py:f"), 2)
    ran.refused("the store was deleted or replaced while in use")
    assert [name for name in left_behind(sealed) if name != "breaks.py"] == []


def test_sealed_text_is_in_no_message_about_a_recording(sealed: Command) -> None:
    rows = (sealed.folder / "task" / "test.csv").read_text(encoding="utf-8").splitlines()[1:]
    sealed.write("task/recorded.csv", "text,answer\n" + "\n".join(rows))
    silent(sealed("climb", "task", "--replay", "task/recorded.csv"), 2)  # it lacks train and dev
    sealed.write("task/recorded.csv", "text,said\n" + "\n".join(rows))
    silent(sealed("climb", "task", "--replay", "task/recorded.csv"), 2)
    sealed.write("task/recorded.csv", "\n".join(rows))
    silent(sealed("climb", "task", "--replay", "task/recorded.csv"), 2)
    assert left_behind(sealed) == []


def test_what_is_expected_and_what_was_recorded_stay_sealed_too(sealed: Command) -> None:
    lines = ["split,question,answer"]
    for i in range(200):
        split, secret = ("dev", "") if i < 60 else ("test", f" {CANARY}")
        lines.append(f"{split},what is {i}{secret},it is {i}{secret}")
    sealed.write("task/free.csv", "\n".join(lines))
    sealed.write("task/recorded.csv", "\n".join(line.partition(",")[2] for line in lines))
    sealed.write(
        "free.py", "def f(question):\n    return question.replace('what', 'it').replace('it is', 'it is', 1)\n"
    )
    assert silent(sealed("climb", "task/free.csv", "free.py:f", "--bar", ".9", "--json"), 0).json["verdict"] == "PASS"
    recorded = ["--replay", "task/recorded.csv#answer"]
    ran = silent(sealed("climb", "task/free.csv", *recorded, "--bar", ".9"), 0)
    assert "valid only if nobody tuned" in ran.out and "not saved" in ran.err
    for run in ("climb-1", "climb-2"):
        silent(sealed("show", run), 0)
        silent(sealed("show", run, "--json"), 0)
        silent(sealed("report", run), 0)
    assert [name for name in left_behind(sealed) if name != "free.py"] == []
