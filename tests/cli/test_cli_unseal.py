"""`suffice unseal`, and what happens to sealed cases when a command reads them with other flags."""

from __future__ import annotations

import csv
from pathlib import Path

from cli_samples import Command

BY_CUSTOMER = ("mails.csv", "--input", "mail", "--expected", "team", "--cluster", "customer")
DROPPED = ("--input", "mail,customer", "--expected", "team")


def mails(folder: Path) -> None:
    with (folder / "mails.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [(f"please look after the parcel number {i}", f"C{i * 7919 % 60}", "abc"[i % 3]) for i in range(240)]
        csv.writer(file).writerows([("mail", "customer", "team"), *rows])
    (folder / "b.py").write_text("def one(mail, customer=None):\n    return 'a'\n", encoding="utf-8")


def test_other_flags_after_a_plan_are_told_what_they_cost(suffice: Command) -> None:
    mails(suffice.folder)
    assert suffice("plan", *BY_CUSTOMER, "--bar", ".6").code == 0
    ran = suffice("eval", "mails.csv", "b.py:one", *DROPPED)
    assert ran.code == 0 and "cases to look at here are sealed as test cases of mails" in ran.out
    assert "note: " in ran.err and "they no longer count there" in ran.err


def test_other_flags_after_a_claim_are_refused_and_unseal_asks_first(suffice: Command) -> None:
    mails(suffice.folder)
    suffice("gate", "b.py:one", *BY_CUSTOMER, "--bar", ".2", "--anyway")
    planned = suffice("plan", *BY_CUSTOMER, "--bar", ".2").out
    for verb in (("eval", "mails.csv", "b.py:one"), ("compare", "mails.csv", "b.py:one", "b.py:one")):
        suffice(*verb, *DROPPED).refused(
            "a claim was made on them; nothing was shown", "unseal .*mails.csv --elsewhere"
        )
    suffice("advise", "mails.csv", *DROPPED).refused("a claim was made on them")
    suffice("unseal", "mails.csv", *DROPPED, "--elsewhere").refused("this retires .* cases for good", "--yes")
    assert suffice("plan", *BY_CUSTOMER, "--bar", ".2").out == planned
    assert suffice("unseal", "mails.csv", *DROPPED, "--elsewhere", "--yes").out == ""
    assert suffice("eval", "mails.csv", "b.py:one", *DROPPED).code == 0
    assert "were looked at before" in suffice("plan", *BY_CUSTOMER, "--bar", ".2").out
