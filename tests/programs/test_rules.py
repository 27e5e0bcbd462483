"""Rules as a text: what is written is what is read, an edit is obeyed, and a broken line is named."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffice as sf
from suffice.errors import BundleError, SolutionError
from suffice.programs.bundle import load, save_bundle
from suffice.programs.conditions import Check, Seen, holds, seen
from suffice.programs.manifest import bundle_hash
from suffice.programs.rules import Rule, answer_of, read_rules, rules_solution, rules_text
from suffice.programs.solution import Solution
from suffice.values import ABSTAIN

TEXT = """
if "gift card" and not "refund*" then "giftcards" (0.97)   # a comment
if contains "€" then "euro" (.5)
if /no\\.? ?\\d{4,8}/ then null (1)
if "refund*" then {"team": 3, "urgent": true}
otherwise abstain
"""


def said(solution: Solution, *texts: Any) -> list[Any]:
    async def every() -> list[Any]:
        return [(a.value, a.confidence) for a in [await solution.reply(t) for t in texts]]

    return asyncio.run(every())


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("My GIFT-CARD, please", ("giftcards", 0.97)),
        ("my gift card was refunded", ({"team": 3, "urgent": True}, None)),
        ("gift 5 card costs 10€", ("euro", 0.5)),
        ("Order NO 12345", (None, 1.0)),
        ("hello", (ABSTAIN, None)),
        ("", (ABSTAIN, None)),
        (" \n", (ABSTAIN, None)),
    ],
)
def test_the_first_rule_that_holds_answers(text: str, answer: tuple[Any, Any]) -> None:
    assert said(rules_solution("rules", TEXT), text) == [answer]


def test_without_an_otherwise_what_no_rule_knows_is_handed_on() -> None:
    assert said(rules_solution("r", 'if "a" then "x" (1)'), "b") == [(ABSTAIN, None)]


words = st.text(alphabet="abcß €İ包裹-*#'\"\\/ \t1", min_size=1, max_size=12)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=3,
)
checks = st.one_of(
    st.builds(Check, st.just("contains"), words.map(lambda t: seen(t).folded), st.booleans()),
    words.map(lambda t: seen(t).words.strip()).filter(bool).flatmap(
        lambda t: st.builds(Check, st.sampled_from(["words", "begins"]), st.just(t), st.booleans())
    ),
    st.sampled_from([r"a/b", r"\/", r"\d{2}", r"x\\", "#", '"']).map(lambda p: Check("pattern", p)),
)  # fmt: skip
rules = st.builds(
    Rule,
    st.lists(checks, min_size=1, max_size=3).map(tuple),
    values,
    st.one_of(st.none(), st.integers(0, 10_000).map(lambda n: n / 10_000)),
    st.sampled_from(["", "3 of 4"]),
)


@given(st.lists(rules, min_size=1, max_size=4), st.text(max_size=20))
def test_what_is_written_is_what_is_read(made: list[Rule], text: str) -> None:
    again = read_rules(rules_text(made), "r.txt")
    assert [(r.answer, r.confidence) for r in again] == [(r.answer, r.confidence) for r in made]
    assert answer_of(again, text) == answer_of(made, text)
    assert rules_text(again).replace("  # 3 of 4", "") == rules_text(made).replace("  # 3 of 4", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("whenever it rains", "begins with if or otherwise"),
        ('if gift then "x"', "a condition is missing"),
        ('if "gift" "card" then "x"', "and or then is missing"),
        ('if "gift" then', "a value is missing"),
        ('if "gift" then x', "a value is missing"),
        ('if "gift" then "x" (1.5)', "a number from 0 to 1"),
        ('if "gift" then "x" (.5', "a number from 0 to 1"),
        ('if "gift" then "x" .5', "not understood"),
        ('if "???" then "x"', "no word in it"),
        ('if contains "" then "x"', "always holds"),
        ('if /(/ then "x"', "not a regular expression"),
        ('if /(a+)+$/ then "x"', "search for very long"),
        (r'if /\w+\s*\w+\s*=/ then "x"', "search for very long"),
        (r'if /(a*)\1\1/ then "x"', "search for very long"),
        ('if "a" then NaN', "a value is missing"),
        ('if "a" then ' + "[" * 100_000, "a value is missing"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(line: str, message: str) -> None:
    with pytest.raises(SolutionError, match=message) as told:
        read_rules(f'# head\n\nif "a" then "b"\n{line}\n', "desk.txt")
    assert told.value.where == "desk.txt:4" and told.value.hint


def test_nothing_may_stand_below_otherwise_and_no_rule_at_all_is_refused() -> None:
    with pytest.raises(SolutionError, match="nothing comes after") as told:
        read_rules('otherwise "a"\nif "b" then "c"', "r.txt")
    assert told.value.where == "r.txt:2"
    with pytest.raises(SolutionError, match="no rule"):
        read_rules("# only a comment\n", "r.txt")


@pytest.mark.parametrize(
    "pattern",
    [r"\d+x", r"refund.*twice", r"[a-z]{1,20} ?\d{1,12}x", r"(?:\d{1,3}[.,]?){1,4}x", r"(a|b|ab){1,6}c"],
)
@pytest.mark.parametrize("unit", ["1", "a", "ab", "refund ", "1.", "9,"])
def test_a_pattern_that_is_taken_searches_any_text_in_bounded_time(pattern: str, unit: str) -> None:
    (rule,) = read_rules(f'if /{pattern}/ then "x"', "r.txt")
    start = time.perf_counter()
    holds(rule.checks[0], Seen(unit * 200_000, " ", ""))
    assert time.perf_counter() - start < 1.5


# In a bundle


def test_rules_are_saved_as_a_text_that_answers_the_same_with_numpy_at_most(tmp_path: Path) -> None:
    folder = save_bundle(rules_solution("desk", rules_text(read_rules(TEXT, "x"))), tmp_path / "b")
    (file,) = folder.glob("rules-*.txt")
    assert 'if "gift card" and not "refund*" then "giftcards" (0.97)' in file.read_text(encoding="utf-8")
    code = f"""if True:
        import sys, suffice as sf
        made = sf.load({str(folder)!r})
        print([sf.run(made(t)) for t in ("a gift card", "no. 123456")],
              [m for m in ("sklearn", "scipy", "suffice.ladder", "suffice.evals") if m in sys.modules])
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == "['giftcards', None] []"


def test_an_edited_bundle_is_refused_and_where_it_is_allowed_the_edit_is_obeyed_and_the_claim_is_gone(
    tmp_path: Path,
) -> None:
    made = rules_solution("desk", TEXT)
    folder = save_bundle(made, tmp_path / "b", claim={"verdict": "PASS", "sentence": "it suffices"})
    (file,) = folder.glob("rules-*.txt")
    assert load(folder).claim is not None and load(folder).identity == made.identity
    file.write_text('if "parcel" then "shipping" (0.9)\n', encoding="utf-8")
    with pytest.raises(BundleError, match="it was edited") as told:
        load(folder)
    assert "rules:" in str(told.value) and str(file) in str(told.value)
    edited = load(folder, allow_changed=True)
    assert said(edited, "a parcel", "a gift card") == [("shipping", 0.9), (ABSTAIN, None)]
    assert edited.claim is None and edited.identity != made.identity
    assert bundle_hash(save_bundle(edited, tmp_path / "again")) != bundle_hash(folder)
    file.write_text('if "parcel" then "shipping" (0.9)\nif what', encoding="utf-8")
    with pytest.raises(BundleError, match="a condition is missing") as told:
        load(folder, allow_changed=True)
    assert told.value.where == f"{file}:2"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="UTF-8"):
        load(folder, allow_changed=True)


def test_comments_and_layout_change_no_identity() -> None:
    plain = rules_solution("r", 'if "a" then "b" (0.5)\notherwise "c"')
    other = rules_solution("s", '# why\n\n  if   "a"  then "b" (.50)  # 3 of 4\r\notherwise "c"\r\n')
    assert plain.identity == other.identity
    assert plain.identity != rules_solution("r", 'if "a" then "b" (0.6)\notherwise "c"').identity


def test_a_bundle_with_a_manifest_that_names_no_text_is_refused(tmp_path: Path) -> None:
    from suffice.programs.manifest import manifest_text

    folder = save_bundle(rules_solution("desk", TEXT), tmp_path / "b")
    body = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del body["hash"], body["solution"]["text"]
    (folder / "manifest.json").write_bytes(manifest_text(body, "x"))
    with pytest.raises(BundleError, match="text of its rules is missing"):
        load(folder)


def test_several_columns_are_read_together() -> None:
    made = rules_solution("r", 'if "urgent" then "now" (1)\notherwise "later" (1)', ["subject", "body"])
    assert sf.run(made(subject="Urgent", body="")) == "now" and made.required == ("subject", "body")
