"""`apply` from the shell: any file in, the same rows out, never over something else."""

from __future__ import annotations

import csv
import json

import pytest
from cli_samples import Command

RULES = """
import suffice as sf

def team(text):
    if "nothing" in text: return None
    if "person" in text: return sf.ABSTAIN
    if "crash" in text: raise RuntimeError("no parcel today")
    return sf.Answer("shipping" if "parcel" in text else "=1+1", confidence=.75)

def both(subject, body):
    return f"{subject}/{body}"
"""


@pytest.fixture
def rules(suffice: Command) -> Command:
    suffice.write("rules.py", RULES)
    suffice.write("new.csv", 'note,text\r\n"a, b",parcel\r\nc,nothing\r\nd,a person\r\ne,"in\r\nvoice"\r\nf,crash\r\n')
    return suffice


def test_rows_keep_their_text_and_say_what_became_of_them(rules: Command) -> None:
    ran = rules("apply", "rules.py:team", "new.csv", "--input", "text", "--out", "out.csv")
    ran.refused("1 of 5 rows failed: the column error says why", "the same command again asks these rows again")
    assert not ran.out and ran.err.startswith("5 rows: 2 answered, 1 nothing, 1 for a person, 1 failed\n")
    with (rules.folder / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["note"] for row in rows] == ["a, b", "c", "d", "e", "f"] and rows[3]["text"] == "in\r\nvoice"
    assert [row["status"] for row in rows] == ["answered", "nothing", "abstained", "answered", "failed"]
    assert [row["answer"] for row in rows] == ["shipping", "", "", "'=1+1", ""]  # no spreadsheet runs it
    assert rows[0]["confidence"] == "0.75" and rows[0]["answered_by"] == "team"
    assert rows[4]["error"].startswith("raised: RuntimeError: no parcel today (rules.py:")


def test_jsonl_goes_in_and_out(rules: Command) -> None:
    rules.write("new.jsonl", '{"text": "parcel", "n": 1}\n{"text": "a person"}\n')
    rows = [json.loads(line) for line in rules("apply", "rules.py:team", "new.jsonl").out.splitlines()]
    assert rows[0] == {
        "text": "parcel", "n": 1, "answer": "shipping", "confidence": 0.75, "answered_by": "team", "status": "answered",
        "error": None,
    }  # fmt: skip
    assert rows[1]["answer"] == {"abstain": True}


def test_exact_leaves_formulas_alone(rules: Command) -> None:
    rules.write("one.csv", "text\ninvoice\n")
    assert (
        rules("apply", "rules.py:team", "one.csv", "--exact").out.splitlines()[1] == "invoice,=1+1,0.75,team,answered,"
    )


def test_several_columns_are_arguments_and_a_wrong_one_is_told(rules: Command) -> None:
    rules.write("mail.csv", "subject,body,rest\ns,b,r\n")
    assert rules("apply", "rules.py:both", "mail.csv").out.splitlines()[1].startswith("s,b,r,s/b,")
    rules("apply", "rules.py:both", "mail.csv", "--input", "subject,rest").refused("both does not fit", "--input")
    rules("apply", "rules.py:both", "mail.csv", "--input", "topic,body").refused("no topic; the columns are subject")


def test_an_output_is_never_overwritten_unawares(rules: Command) -> None:
    rules.write("out.csv", "somebody's work\n")
    apply = ["apply", "rules.py:team", "new.csv", "--input", "text", "--out"]
    rules(*apply, "out.csv").refused(r"out\.csv: the output file exists; it was left as it is", "--overwrite")
    assert (rules.folder / "out.csv").read_text() == "somebody's work\n"
    assert rules(*apply, "out.csv", "--overwrite").code == 2  # written, and a row failed
    assert (rules.folder / "out.csv").read_text().startswith("note,text,answer,")
    rules(*apply, "new.csv").refused("the output is the input file itself")
    rules(*apply, "no/out.csv").refused("cannot be written")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "the file is empty", marks=pytest.mark.slow),
        pytest.param(b"text\n", "the file has no rows", marks=pytest.mark.slow),
        (b"text\nx,y\n", r"bad\.csv:2: 2 fields where the header has 1"),
        (b"PK\x03\x04 and so on", r"bad\.csv: is not a text file\nhint: export it as CSV or JSONL"),
        pytest.param(b"text\n\xff\0\x01\n", "is not a text file", marks=pytest.mark.slow),
        (b"text\ncaf\xe9\n", r"bad\.csv:2: byte e9 is not UTF-8(.|\n)*--encoding"),
        pytest.param(b'[{"text": "x"}]', "one JSON array(.|\n)*jq", marks=pytest.mark.slow),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_before_the_first_call(rules: Command, content: bytes, said: str) -> None:
    name = "bad.csv" if not content.startswith(b"[") else "bad.jsonl"
    rules.write(name, content)
    ran = rules("apply", "rules.py:team", name, "--input", "text", "--out", "out.csv")
    ran.refused(said)
    assert not (rules.folder / "out.csv").exists()


def test_when_every_call_fails_it_stops_and_says_where(rules: Command) -> None:
    rules.write("many.csv", "text\n" + "crash\n" * 50)
    ran = rules("apply", "rules.py:team", "many.csv", "--out", "out.csv")
    ran.refused("10 calls in a row failed.*no parcel today", "goes on where this one stopped")


def test_the_same_command_asks_the_rows_that_failed_again(rules: Command) -> None:
    rules.write(
        "flaky.py",
        """if True:
        import os
        async def f(text):
            if text == "b" and not os.path.exists("up"):
                raise OSError("no network")
            return text.upper()
        """,
    )
    rules.write("some.csv", "text\na\nb\nc\n")
    command = ["apply", "flaky.py:f", "some.csv", "--out", "out.csv"]
    assert rules(*command).code == 2
    rules.write("up", "")
    ran = rules(*command)
    assert ran.code == 0 and ran.err == "3 rows: 3 answered, 0 nothing, 0 for a person, 1 were there already\n"
    assert [line.split(",")[1] for line in (rules.folder / "out.csv").read_text().splitlines()[1:]] == ["A", "B", "C"]
    done = rules(*command)
    assert done.code == 0 and done.err == "3 rows: 3 answered, 0 nothing, 0 for a person, 3 were there already\n"
    rules.write("out.csv", (rules.folder / "out.csv").read_text() + "more,D,1,f,answered,\n")
    rules(*command).refused("the output file exists")


def test_a_file_of_sealed_cases_is_not_answered_unnoticed(rules: Command) -> None:
    assert rules("eval", "t.csv", "my.py:good").code == 0
    ran = rules("apply", "my.py:good", "t.csv", "--input", "text", "--out", "out.csv")
    ran.refused(
        r"t\.csv: \d+ rows of 200, the first at t\.csv:\d+, are sealed test cases of t; nothing", "suffice unseal"
    )
    assert not (rules.folder / "out.csv").exists()
    first = rules.folder / "t.csv"
    some = [line.partition(",")[0] for line in first.read_text(encoding="utf-8").splitlines()]
    rules.write("new.csv", "\n".join(["text", *some[1:11], *(f"a fresh parcel {i}" for i in range(300))]))
    ran = rules("apply", "my.py:good", "new.csv", "--out", "out.csv")  # people ask the same things again
    assert ran.code == 0 and "ask the same as sealed test cases of t" in ran.err
    assert rules("unseal", "t.csv", "--yes").code == 0
    assert rules("apply", "my.py:good", "t.csv", "--input", "text", "--out", "all.csv").code == 0


def test_a_solution_that_changes_the_folder_moves_no_output(rules: Command) -> None:
    rules.write("roams.py", "import os\nfrom my import good\ndef f(text):\n    os.chdir('/')\n    return good(text)\n")
    ran = rules("climb", "t.csv", "roams.py:f", "--bar", ".8", "--out", "here.suffice")
    assert ran.code == 0 and (rules.folder / "here.suffice" / "manifest.json").is_file(), ran
    ran = rules("eval", "t.csv", "roams.py:f", "--save", "report.json", "--fresh")
    assert ran.code == 0 and (rules.folder / "report.json").is_file(), ran


def test_a_bundle_answers_where_nothing_can_be_written(rules: Command) -> None:
    assert rules("climb", "t.csv", "words", "--bar", ".8", "--out", "w").code == 0
    rules.write("one.csv", "text\ninvoice number 7\n")
    ran = rules("apply", "w", "one.csv", SUFFICE_HOME="/proc/nowhere")  # what costs nothing needs no store
    assert ran.code == 0 and ran.out.splitlines()[1].startswith("invoice number 7,billing,")
