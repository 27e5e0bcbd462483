"""`init` in the real command: with flags alone, and with questions on a terminal."""

from __future__ import annotations

import json
import tomllib

from cli_samples import Command, table
from terminal import on_terminal


def test_a_file_becomes_a_folder_that_the_printed_command_reads(suffice: Command) -> None:
    ran = suffice("init", "mail", "--from", "t.csv", "--bar", ".9")
    assert ran.code == 0 and ran.out.splitlines()[-1] == "next: suffice plan mail", ran.err
    assert "kind: 2 short values" in ran.err
    plan = suffice("plan", "mail")
    assert plan.code == 0 and "200 cases" in plan.err
    suffice("init", "mail", "--from", "t.csv").refused("left as it is", "another name")


def test_answers_of_a_model_are_said_by_plan_and_climb(suffice: Command) -> None:
    rows = table(200).splitlines()[1:]
    log = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]}
        for text, label in (row.rsplit(",", 1) for row in rows)
    ]
    suffice.write("log.jsonl", "\n".join(map(json.dumps, log)))
    ran = suffice("init", "mail", "--from", "log.jsonl")
    assert ran.code == 0 and "200 expected answers of 200 are not reviewed" in ran.err
    assert "not reviewed" in suffice("plan", "mail", "--bar", ".8").err
    suffice.write("mine.py", 'def good(input):\n    return "billing" if "invoice" in input else "shipping"\n')
    climbed = suffice("climb", "mail", "mine.py:good", "--bar", ".8")
    assert climbed.out.startswith("PASS") and "Mind: 200 expected answers of 200 are not reviewed" in climbed.out
    suffice("init", "b", "--from", "log.jsonl", "--by", "people").refused("a model gave the answers")


def test_examples_may_be_typed_as_flags(suffice: Command) -> None:
    examples = [part for text in ("2 + 2 => 4", "3 + 4 => 7") for part in ("--example", text)]
    assert suffice("init", "sums", *examples).code == 0
    lines = (suffice.folder / "sums" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"input": "2 + 2", "expected": "4"},
        {"input": "3 + 4", "expected": "7"},
    ]


def test_wrong_uses_are_refused_with_the_line_to_type(suffice: Command) -> None:
    suffice("init").refused("which folder", "suffice init FOLDER --from FILE")
    suffice("init", "a").refused("needs cases", "--example")
    suffice("init", "a", "--from", "t.csv", "--example", "x => y").refused("keep one")
    suffice("init", "a", "--example", "x y").refused("an input and its answer")
    suffice("init", "a", "--from", "t.csv", "--bar", "90").refused("bar is a share", "--bar .9")
    suffice("init", "a", "--from", "t.csv", "--by", "me").refused("people or model")
    suffice("init", "a", "--from", "none.csv").refused("no such file")
    suffice.write("bare.csv", "alpha,beta,gamma\n1,2,3\n")
    suffice("init", "a", "--from", "bare.csv").refused("alpha, beta, gamma", "--input subject,body --expected team")
    assert not (suffice.folder / "a").exists()


def test_a_terminal_is_asked_for_what_no_flag_says(suffice: Command) -> None:
    suffice.write("bare.csv", "alpha,beta,gamma\n" + "".join(f"t{i},b,{'xy'[i % 2]}\n" for i in range(40)))
    code, seen = on_terminal(suffice, "init", typed=["mail", "bare.csv", "model", "alpha", "gamma", "9", ".9"])
    assert code == 0 and "next: suffice plan mail" in seen, seen
    assert "a share between 0 and 1" in seen
    said = tomllib.loads((suffice.folder / "mail" / "task.toml").read_text(encoding="utf-8"))
    assert (said["inputs"], said["expected"], said["bar"]) == ("alpha", "gamma", 0.9)
    code, seen = on_terminal(suffice, "init", "sums", typed=["", "2 + 2", "4", "3 + 3", "6", "", ""])
    assert code == 0 and "wrote sums: 2 rows" in seen, seen


def test_a_terminal_may_say_no_to_forgetting(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:good")
    code, seen = on_terminal(suffice, "forget", "--older", "0d", typed=["n"])
    assert code == 0 and "for good. Go on?" in seen and "nothing was removed" in seen
    assert suffice("report", "eval-1").code == 0
