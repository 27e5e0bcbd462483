"""The page to look through: every case, safe whatever its texts say, with the numbers that Python computed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from view_samples import NASTY, case, hostile, invoices, report, tickets

from suffice.errors import SealedError, UsageError
from suffice.evals.compare import paired
from suffice.ladder.view import of_climb, view, view_two
from suffice.ladder.view_data import BOUNDS, MOST, shown_cases

SIDE = (
    "state",
    "answer",
    "score",
    "confidence",
    "by",
    "seconds",
    "usd",
    "reason",
    "error",
    "fitted",
    "fields",
    "samples",
)


class Page(HTMLParser):
    """Reads a page strictly: every element that opens is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] in (["style"], ["script"]):
            tag, attributes = self.tags[-1]
            name = attributes.get("id") or tag
            self.inside[name] = self.inside.get(name, "") + data
        else:
            self.said.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.said).split())

    @property
    def data(self) -> Any:
        return json.loads(self.inside["data"])


def sides(page: Page, number: int) -> list[dict[str, Any]]:
    return [dict(zip(SIDE, side, strict=True)) for side in page.data["cases"][number][3:]]


ALL = {
    "tickets": lambda: view(tickets()),
    "two": lambda: view_two(tickets(), tickets(seed=4, solution="other", run="eval-4")),
    "fields": lambda: view(invoices()),
    "hostile": lambda: view(hostile()),
    "hostile two": lambda: view_two(hostile(), hostile()),
}


@pytest.mark.parametrize("name", ALL)
def test_a_page_is_well_formed_and_no_text_leaves_its_place(name: str) -> None:
    text = ALL[name]()
    page = Page(text)
    text.encode("utf-8")
    assert [t for t, _ in page.tags].count("script") == 2 and [t for t, _ in page.tags].count("h1") == 1
    for tag, attributes in page.tags:
        assert tag not in ("img", "link", "iframe", "object", "embed", "base", "a")
        assert not {"src", "href", "style", "srcset", "action"} & set(attributes)
        assert not [key for key in attributes if key.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    raw = page.inside["data"]
    assert "<" not in raw and "\u2028" not in raw and "\u2029" not in raw


def test_the_policy_allows_this_style_sheet_and_this_script_and_nothing_else() -> None:
    page = Page(view(tickets()))
    [policy] = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    digests = [
        base64.b64encode(hashlib.sha256(page.inside[part].encode()).digest()).decode() for part in ("style", "script")
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; base-uri 'none'; "
        "form-action 'none'"
    )


def test_the_script_is_plain_and_puts_no_text_into_markup() -> None:
    script = Page(view(tickets())).inside["script"]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|import ", script)
    assert not re.search(r"https?:|//[a-z]|fetch|XMLHttp|localStorage|cookie", script)


def test_every_case_is_there_with_all_that_is_known_of_it() -> None:
    told = tickets()
    page = Page(view(told))
    data = page.data
    assert len(data["cases"]) == 120 and data["names"] == ["triage"]
    states = ("right", "wrong", "handed on", "failed")
    for number, row in enumerate(told["cases"]):
        source, inputs, expected, *_ = data["cases"][number]
        [side] = sides(page, number)
        assert (source, inputs, data["texts"][expected]) == (row["source"], row["inputs"], row["expected"])
        assert (side["score"], side["confidence"]) == (row["score"], row["confidence"])
        assert side["seconds"] == pytest.approx(row["seconds"], rel=1e-3) and side["usd"] == row["cost"]["usd"]
        assert (None if side["by"] is None else data["texts"][side["by"]]) == row["by"]
        assert (states[side["state"]] == "failed") == (row["error"] is not None) == (side["answer"] is None)
        assert (states[side["state"]] == "right") == (row["score"] == 1.0)
        if isinstance(row["answer"], str):
            assert data["texts"][side["answer"]] == row["answer"]
    assert {"word": "handed on"} in data["texts"] and {"word": "nothing"} in data["texts"]
    assert any(sides(page, k)[0]["error"] == "timeout: no answer in 120 s" for k in range(120))


def test_the_head_says_the_score_with_its_interval_and_how_many_are_in_each_state() -> None:
    said = Page(view(tickets())).words
    assert "eval-3: dev cases of tickets" in said and re.search(r"triage scores \.\d+ \(\.\d+ to \.\d+ at 95%\)", said)
    assert "Right 78" in said and "Wrong 29" in said and "Handed on 6" in said and "Failed 7" in said
    assert "All 120" in said and "Confidence: log-probabilities." in said


def test_two_reports_are_compared_by_the_numbers_of_compare() -> None:
    before, after = tickets(), tickets(seed=4, skill=0.85, solution="other", run="eval-4")
    found = paired(before, after)
    page = Page(view_two(before, after))
    assert found.difference_text() in page.words
    assert f"other is right on {found.both + len(found.gained)} of 120 cases" in page.words
    assert f"Fixed {len(found.gained)}" in page.words and f"Broken {len(found.lost)}" in page.words
    assert f"Both right {found.both}" in page.words
    flips = [tuple(int(s["state"] != 0) for s in sides(page, k)) for k in range(120)]
    assert flips.count((1, 0)) == len(found.gained) and flips.count((0, 1)) == len(found.lost)


def test_cases_that_only_one_of_two_has_are_left_out_and_counted() -> None:
    before, after = tickets(120), tickets(90, seed=4, run="eval-4")
    page = Page(view_two(before, after))
    assert len(page.data["cases"]) == 90 and page.data["names"] == ["triage (eval-3)", "triage (eval-4)"]
    assert "30 cases of triage (eval-3) that the other has not, or expects otherwise: left out." in page.words


def test_reports_that_were_graded_in_different_ways_are_not_compared() -> None:
    with pytest.raises(UsageError, match="graded in different ways"):
        view_two(tickets(), tickets(grader="another"))


def test_sealed_cases_are_refused_whatever_a_report_holds() -> None:
    with pytest.raises(SealedError):
        view(tickets(split="test"))
    with pytest.raises(SealedError):
        view_two(tickets(), tickets(split="test"))
    with pytest.raises(UsageError, match="no case to look at"):
        view(report([]))


def test_texts_are_whole_up_to_a_bound_and_say_how_much_is_left_out() -> None:
    page = Page(view(report([case(1, "y" * 1_000_000, "a", "z" * BOUNDS[0], 0.0)])))
    [[_, inputs, *_]] = page.data["cases"]
    assert inputs == {"t": "y" * 100_000, "more": 900_000} and "z" * BOUNDS[0] in page.data["texts"]
    assert "up to its 100,000th character" in page.words


def test_the_bound_falls_where_all_texts_together_would_make_too_large_a_page() -> None:
    rows = [[case(k, "y" * 50_000, "a", "b", 0.0)] for k in range(1_500)]
    found = shown_cases(["one"], rows)
    assert found.bound == 20_000 and 1_500 * found.bound < MOST


def test_what_cannot_be_seen_is_named_and_every_hostile_text_comes_back() -> None:
    data = Page(view(hostile())).data
    columns = [inputs["c"][-1][1] for _, inputs, *_ in data["cases"][: len(NASTY)]]
    assert columns[0] == NASTY[0] and columns[4] == NASTY[4] and columns[5] == NASTY[5]
    assert "⟨U+202E⟩" in columns[2] and "⟨U+0000⟩" in columns[3] and "⟨U+D800⟩" in columns[3]


def test_wrong_fields_are_known_by_their_path_whatever_the_item() -> None:
    page = Page(view(invoices()))
    assert page.data["graded"] and page.data["fields"] == ["total", "currency", "items[*].price"]
    assert sides(page, 4)[0]["fields"] == [2] and sides(page, 0)[0]["fields"] == []
    assert not Page(view(tickets())).data["fields"]


def test_a_reason_that_says_only_what_stands_beside_it_is_left_out() -> None:
    rows = [
        case(1, "a", "x", "y", 0.0, reason="expected x, got y"),
        case(2, "a", "x", "y", 0.0, reason="expected x, got y (not one of the labels)"),
        case(3, "a", "x", "x", 1.0, reason="x is right"),
    ]
    page = Page(view(report(rows)))
    assert [sides(page, k)[0]["reason"] for k in range(3)] == ["", "expected x, got y (not one of the labels)", ""]


def test_samples_of_a_case_that_was_asked_several_times_are_there() -> None:
    samples = [{"answer": "x", "score": 1.0, "error": None}, {"answer": None, "score": None, "error": "timeout: late"}]
    page = Page(view(report([case(1, "a", "x", "x", 0.5, samples=samples)])))
    [side] = sides(page, 0)
    assert [s[0] for s in side["samples"]] == [0, 3] and page.data["texts"][side["samples"][0][1]] == "x"


def test_the_notes_of_a_report_are_said_once() -> None:
    said = Page(view_two(tickets(notes=["It `changed`."]), tickets(run="eval-4", notes=["It `changed`."]))).words
    assert said.count("It changed .") == 1


def test_a_climb_shows_the_failures_of_its_candidate_and_says_that_it_keeps_no_more() -> None:
    failures = [
        {"source": "f:1", "inputs": "a", "expected": "x", "answer": "y", "confidence": 0.5, "reason": "r",
         "by": "words"},
        {"source": "f:2", "inputs": "b", "expected": "x", "answer": None, "confidence": None, "reason": "late",
         "error": "timeout: late", "by": "words"},
    ]  # fmt: skip
    decision = {
        "task": "tickets", "run": "climb-7", "pages": {"candidate": "words", "failures": failures, "failures_total": 5},
        "rungs": [{"candidate": "words", "dev_seen": 100, "dev_right": 95}],
    }  # fmt: skip
    page = Page(view(of_climb(decision)))
    assert "climb-7: dev cases of tickets" in page.words
    assert "words was right on 95 of 100 dev cases; here are the 2 it got wrong." in page.words
    assert "It got 5 wrong, of which 2 were recorded." in page.words
    assert [sides(page, k)[0]["state"] for k in (0, 1)] == [1, 3]
    with pytest.raises(UsageError, match="no case to look at"):
        view(of_climb({"pages": {}}))
    with pytest.raises(UsageError, match="cannot be seen beside another run"):
        view_two(of_climb(decision), tickets())


def test_ten_thousand_cases_are_a_page_within_seconds() -> None:
    told = tickets(10_000)
    began = time.perf_counter()
    text = view(told)
    assert time.perf_counter() - began < 10 and len(text) < 5_000_000
