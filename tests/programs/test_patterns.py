"""Patterns as a text: values taken out of a page, a round trip, an edit obeyed, a broken line named."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import BundleError, SolutionError
from suffice.programs.bundle import load, save_bundle
from suffice.programs.conditions import Check
from suffice.programs.patterns import (
    SIZED,
    Near,
    Pattern,
    Span,
    Take,
    Value,
    answer_of,
    patterns_solution,
    patterns_text,
    read_patterns,
)
from suffice.programs.recognize import KINDS
from suffice.programs.solution import Solution
from suffice.values import ABSTAIN

RECEIPT = """
CORNER STORE LTD
12 High St
Leeds LS1
Tel 0113 496 0000
Date: 05/03/2024
Milk 1.20
Sub total 9.00
TOTAL   £ 9.50
Cash 10.00
"""
TEXT = """
[vendor]
take first line with "ltd" (0.9)
take line 1 (.5)
[date]
if contains "$" then take first date-mdy after "date" (0.9)
take first date-dmy after "date" (0.8)   # 12 of 13
otherwise null (0.1)
[total]
take last amount after "total" not after "sub" (0.9)
take largest amount (0.5)
["where it is"]
take lines 2 until "tel" or "phone" (1)
"""


def ask(solution: Solution, text: Any) -> Any:
    return asyncio.run(solution.reply(text))


def test_each_field_is_taken_by_the_first_pattern_that_finds_something() -> None:
    made = patterns_solution("patterns", TEXT)
    answer = ask(made, RECEIPT)
    assert answer.value == {
        "vendor": "CORNER STORE LTD",
        "date": "2024-03-05",
        "total": 9.5,
        "where it is": "12 High St Leeds LS1",
    }
    assert answer.confidence == pytest.approx(0.9 * 0.8 * 0.9)
    assert ask(made, RECEIPT.replace("£", "$")).value["date"] == "2024-05-03"
    bare = ask(made, "Shop\n1.00 2.00").value
    assert bare == {"vendor": "Shop", "date": None, "total": 2.0, "where it is": None}
    assert ask(made, " \n").value is ABSTAIN


def test_a_single_value_is_not_wrapped_and_a_field_may_hand_the_whole_on() -> None:
    text = '[answer]\ntake first number after "age" (0.9)\notherwise abstain'
    made = patterns_solution("p", text, single=True)
    assert ask(made, "Age: 41").value == 41 and ask(made, "none").value is ABSTAIN
    with pytest.raises(SolutionError, match="2 fields"):
        patterns_solution("p", text + "\n[b]\ntake line 1", single=True)


phrase = st.lists(st.text(alphabet="abcé包", min_size=1, max_size=3), min_size=1, max_size=2).map(" ".join)


@st.composite
def phrases(draw: Any) -> str:
    from suffice.programs.ngrams import split_words

    return " ".join(split_words(draw(phrase)))


near = st.builds(Near, st.sampled_from(["after", "before", "with"]), phrases(), st.booleans())
takes = st.one_of(
    st.builds(
        Take, st.sampled_from(sorted(KINDS)), st.sampled_from(["first", "last"]), st.lists(near, max_size=2).map(tuple)
    ),
    st.builds(Take, st.sampled_from(SIZED), st.sampled_from(["largest", "smallest"])),
    st.integers(1, 9).flatmap(lambda n: st.sampled_from([Take("line", at=n), Take("line", at=-n)])),
    st.builds(Span, st.one_of(st.integers(1, 9), phrases()), st.integers(1, 5)),
    st.builds(Span, st.one_of(st.integers(1, 9), phrases()), st.just(0), st.lists(phrases(), min_size=1).map(tuple)),
    st.builds(Value, st.one_of(st.none(), st.integers(), st.text(max_size=5))),
)
ways = st.builds(
    Pattern,
    takes,
    st.sampled_from([(Check("words", "a"),), (Check("contains", "€"), Check("begins", "b", negated=True))]),
    st.integers(0, 100).map(lambda n: n / 100),
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.lists(ways, min_size=1, max_size=3).map(tuple), min_size=1))
def test_what_is_written_is_what_is_read(fields: dict[str, tuple[Pattern, ...]]) -> None:
    again = read_patterns(patterns_text(fields), "p.txt")
    assert again == fields
    assert answer_of(again, "a €b\nc 5.00") == answer_of(fields, "a €b\nc 5.00")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("largest amount", "begins with take, if or otherwise"),
        ("take biggest amount", "take which one"),
        ("take first money", "there is no kind money"),
        ("take largest date", "has no size"),
        ("take first amount after total", "words in quotes are missing"),
        ('take first amount after "$"', "words in quotes are missing"),
        ('take first amount not "x"', "not what"),
        ("take line", "which line"),
        ("take line 0", "which line"),
        ("take lines 4 to 2", "up to which line"),
        ("take lines 0 to 2", "from which line"),
        ('take lines 2 until "a" or', "words in quotes are missing"),
        ('if "a" take line 1', "and or then is missing"),
        ("take line 1 (2)", "a number from 0 to 1"),
        ("[total]", "second time"),
        ("[]", "stands in brackets"),
        ("[x] y", "not understood"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(line: str, message: str) -> None:
    with pytest.raises(SolutionError, match=message) as told:
        read_patterns(f"[total]\n\ntake line 1\n{line}\n", "mine.txt")
    assert told.value.where == "mine.txt:4" and told.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("take line 1", "belongs to no field"),
        ("# nothing", "there is no field"),
        ("[a]\n[b]\ntake line 1", '"a" has no pattern'),
        ("[a]\notherwise null\ntake line 1", "nothing comes after otherwise"),
    ],
)
def test_what_makes_no_field_is_refused(text: str, message: str) -> None:
    with pytest.raises(SolutionError, match=message):
        read_patterns(text, "p.txt")


def test_a_bundle_answers_the_same_without_the_ladder_and_an_edit_drops_the_claim(tmp_path: Path) -> None:
    made = patterns_solution("receipts", TEXT)
    folder = save_bundle(made, tmp_path / "b", claim={"verdict": "PASS"})
    code = f"""if True:
        import sys, suffice as sf
        print(sf.run(sf.load({str(folder)!r})({RECEIPT!r}))["total"],
              [m for m in ("sklearn", "scipy", "suffice.ladder", "suffice.evals") if m in sys.modules])
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == "9.5 []"
    assert load(folder).identity == made.identity and load(folder).claim is not None
    (file,) = folder.glob("patterns-*.txt")
    file.write_text("[total]\ntake smallest amount (0.4)\n", encoding="utf-8")
    with pytest.raises(BundleError, match="patterns:"):
        load(folder)
    edited = load(folder, allow_changed=True)
    assert ask(edited, RECEIPT).value == {"total": 1.2} and edited.claim is None
    file.write_text("[total]\ntake smallest amuont\n", encoding="utf-8")
    with pytest.raises(BundleError, match="no kind amuont") as told:
        load(folder, allow_changed=True)
    assert told.value.where == f"{file}:2"


def test_the_identity_follows_what_is_taken_and_not_the_comments() -> None:
    same = patterns_solution("a", "[t]\ntake  line 1 (0.50)  # why\n")
    assert same.identity == patterns_solution("b", "[t]\n\ntake line 1 (0.5)").identity
    assert same.identity != patterns_solution("a", "[t]\ntake line 2 (0.5)").identity
    assert same.identity != patterns_solution("a", "[u]\ntake line 1 (0.5)").identity
