"""`suffice advise`: failures of the latest or a named evaluation, possible label errors, break-even; nothing sealed."""

from __future__ import annotations

from cli_samples import Command, table

from suffice.evals.task import Task


def test_it_tells_of_the_latest_evaluation_and_of_a_named_one(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:bad")
    suffice("eval", "t.csv", "my.py:middling")
    last = suffice("advise", "t.csv")
    assert last.code == 0 and last.out.startswith("middling on t, dev (eval-2): ")
    assert "billing → shipping" in last.out and "SOLUTION stands for middling" in last.err
    named = suffice("advise", "t.csv", "my.py:bad")
    assert named.out.startswith("bad on t, dev (eval-1): ") and "shipping → billing" in named.out
    assert "suffice climb t.csv words --bar .9 --dev" in named.out
    assert suffice("advise", "t.csv", "eval-1").out.startswith("bad on t")


def test_a_wrong_label_is_shown_with_its_line_and_no_sealed_case_is(suffice: Command) -> None:
    task = Task.load(suffice.folder / "t.csv")
    case = task.dev[0]
    other = "billing" if case.expected == "shipping" else "shipping"
    lines = table(200).replace(f"{case.inputs},{case.expected}", f"{case.inputs},{other}")
    suffice.write("t.csv", lines)
    before = (suffice.folder / "t.csv").read_bytes()
    ran = suffice("advise", "t.csv", "--json")
    suspects = ran.json["label_noise"]["suspects"]
    assert [s["source"] for s in suspects] == [case.source] and suspects[0]["expected"] == other
    assert "suffice eval t.csv SOLUTION" in ran.err and ran.json["advice"] == []
    assert not [c.id for c in Task.load(suffice.folder / "t.csv").sealed() if c.inputs in ran.out]
    assert (suffice.folder / "t.csv").read_bytes() == before


def test_the_break_even_is_from_the_users_prices(suffice: Command) -> None:
    ran = suffice("advise", "t.csv", "--price-per-1000", "1.2", "--fixed-per-month", "200", "--small-per-1000", ".1")
    assert "181,819 cases a month" in ran.out


def test_what_cannot_be_told_is_refused_with_the_next_step(suffice: Command) -> None:
    suffice("advise", "t.csv", "my.py:good").refused("was not evaluated", "suffice eval t.csv my.py:good")
    suffice("advise", "t.csv", "--price-per-1000", "1").refused("--fixed-per-month")
    suffice("advise", "t.csv", "--fixed-per-month", "1").refused("no price of a case", "--price-per-1000")
    suffice("advise", "none.csv").refused("none.csv")
