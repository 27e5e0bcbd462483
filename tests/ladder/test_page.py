"""The decision page: self-contained, safe whatever the data holds, and complete."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from page_samples import HOSTILE, PAGES, evaluation, failure, infinite, many_labels, nothing_passed, one_rung, tickets

from suffice.ladder import decision as deciding
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import eval_page, page
from suffice.ladder.page_text import BEGINNING, LONGEST
from suffice.stats.sequences import cluster_sequence


@pytest.fixture(params=PAGES)
def text(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]()


class Reader(HTMLParser):
    """Reads a page strictly: every element that opens is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.said).split())


# What holds for every page


def test_a_page_is_well_formed_and_can_be_written_as_utf8(text: str) -> None:
    reader = Reader(text)
    text.encode("utf-8")
    assert reader.tags[0][0] == "html" and reader.tags[0][1]["lang"] == "en"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert [t for t, _ in reader.tags].count("h1") == 1


def test_a_page_refers_to_nothing_outside_itself(text: str) -> None:
    reader = Reader(text)
    for tag, attributes in reader.tags:
        assert tag not in ("script", "img", "link", "iframe", "object", "embed", "base", "form", "a", "use", "image")
        assert not {"src", "href", "xlink:href", "style", "srcset", "action", "background"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")]
    style = re.search("<style>(.*?)</style>", text, re.S)
    assert style and not re.search(r"https?:|url\(|@import|//[a-z]", style[1])
    assert "refresh" not in [a.get("http-equiv") for t, a in reader.tags if t == "meta"]


def test_the_policy_allows_the_one_style_sheet_by_its_hash_and_nothing_else(text: str) -> None:
    policies = [a["content"] for t, a in Reader(text).tags if a.get("http-equiv") == "Content-Security-Policy"]
    styles = re.findall("<style>(.*?)</style>", text, re.S)
    assert len(policies) == len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    allowed = dict(p.strip().split(" ", 1) for p in (policies[0] or "").split(";"))
    assert allowed["default-src"] == "'none'"
    assert allowed["style-src"] == f"'sha256-{digest}'"
    assert set(allowed) == {"default-src", "style-src", "base-uri", "form-action"}
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_pictures_have_a_title_and_tables_have_heads(text: str) -> None:
    tags = Reader(text).tags
    for i, (tag, attributes) in enumerate(tags):
        if tag == "svg" and attributes.get("role") == "img":
            assert tags[i + 1][0] == "title"
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")


def test_the_same_recording_makes_the_same_page() -> None:
    recorded = tickets()
    before = copy.deepcopy(recorded)
    assert page(recorded) == page(json.loads(json.dumps(recorded)))
    assert recorded == before


# What a reader finds


def test_the_sentence_is_the_heading_and_the_verdict_is_said_in_words() -> None:
    text = page(tickets())
    heading = re.search("<h1>(.*?)</h1>", text, re.S)
    assert heading
    said = Reader(heading[1]).words
    assert said.startswith("PASS words > triage answers at least 82% of inputs")
    assert "<title>PASS · tickets · Suffice</title>" in text


def test_the_ladder_shows_every_rung_with_the_hardest_on_top() -> None:
    text = page(tickets())
    rows = re.findall(r'<tr role="row"><th scope="row".*?</tr>', text, re.S)
    said = [Reader(row).words for row in rows]
    assert [s.split()[1] for s in said] == ["triage", "triage", "words", "constant"]
    assert ".935 .897 to .959" in said[1] and "244 of 261" in said[1]
    assert "93%" in said[1] and "PASS 141 of 240 sealed cases" in said[1]
    assert "try 2, error 1.25%" in said[1]
    assert "not reached" in said[0] and "not run" in said[0]
    assert "UNPROVEN" in said[2] and "out of fold" in said[2]


def test_a_dev_score_counts_every_case_when_everything_must_be_answered() -> None:
    decision = tickets()
    decision["claim"]["coverage"] = None
    assert ".813 .897 to .959 244 of 300 answered 87% of 300" in Reader(page(decision)).words


def test_the_route_tells_what_each_member_answers_and_what_a_person_gets() -> None:
    text = page(tickets())
    told = re.search('<svg class="route".*?<desc>(.*?)</desc>', text, re.S)
    assert told
    assert "words answers 61% of inputs seen, when at least .780 sure" in told[1]
    assert "triage answers 26% of inputs seen" in told[1]
    assert "a person: 13%" in told[1]


def test_a_member_that_its_threshold_leaves_out_is_not_in_the_route() -> None:
    told = re.search('<svg class="route".*?<desc>(.*?)</desc>', page(infinite()), re.S)
    assert told and "rules" not in told[1] and "a person: 20%" in told[1]


def test_without_coverage_nobody_is_said_to_hand_on_to_a_person() -> None:
    assert "a person" not in Reader(page(one_rung())).words


def test_the_coverage_curve_marks_the_threshold_that_was_chosen() -> None:
    decision = tickets()
    share, right, threshold = next(p for p in decision["pages"]["curve"] if p[0] >= 0.86)
    text = page(decision)
    shown = f"{threshold:.3f}"[1:]
    assert f"threshold {shown}" in text
    assert f"{right:.3f}"[1:] + f" right at {share:.0%} answered, where its confidence is at least {shown}." in text


def test_a_solution_without_confidences_has_no_curve_and_is_told_so() -> None:
    text = page(nothing_passed())
    assert 'class="coverage"' not in text
    assert "gives no confidence that tells one answer from another" in Reader(text).words


def test_where_nothing_passed_inputs_cost_nothing_only_if_every_call_is_known_to_be_free() -> None:
    decision = nothing_passed()
    for rung in decision["rungs"]:
        rung["cost"] = {"usd": 0.0, "n": 9}
    assert "cost of 1,000 inputs $0.00" in Reader(page(decision)).words
    for cost in (None, {"usd": None, "n": 9}, {"usd": 0.01, "n": 9}):
        decision["rungs"][0]["cost"] = cost
        assert "cost of 1,000 inputs unknown" in Reader(page(decision)).words


def test_the_confusion_table_counts_every_case() -> None:
    decision = tickets()
    text = page(decision)
    table = re.search('<table class="heat">.*?</table>', text, re.S)
    assert table
    counts = [int(n) for n in re.findall(r"<td class=\"[de]\d\">(\d+)<", table[0])]
    assert sum(counts) == sum(n for _, _, n in decision["pages"]["confusion"])
    assert "17 of 20" in Reader(table[0]).words


def test_of_many_labels_the_twenty_most_confused_are_shown_and_the_rest_summed() -> None:
    decision = many_labels()
    table = re.search('<table class="heat">.*?</table>', page(decision), re.S)
    assert table
    assert table[0].count('scope="row"') == 21
    assert "57 other labels" in Reader(table[0]).words
    numbers = re.findall(r'<td class="[de]\d">(\d+)(?:<small> \+(\d+)</small>)?', table[0])
    total = sum(int(a) + int(b or 0) for a, b in numbers)
    assert total == sum(n for _, _, n in decision["pages"]["confusion"])


def test_answers_that_are_no_labels_have_no_confusion_table() -> None:
    decision = tickets()
    decision["pages"]["confusion"] = [[f"{k * 17}", f"{k * 17 + k % 2}", 1] for k in range(120)]
    assert 'class="heat"' not in page(decision)
    decision["pages"]["confusion"] = [["5", '{"graded": 1.0}', 3], ["5", '{"graded": 0.0}', 9]]
    assert 'class="heat"' not in page(decision)


def test_failures_stand_surest_first_with_all_that_is_known_of_them() -> None:
    decision = tickets()
    text = page(decision)
    listed = re.search('<ol class="failures">(.*?)</ol>', text, re.S)
    assert listed
    said = [Reader(li + "</li>").words for li in listed[1].split("</li>")[:-1]]
    assert len(said) == 60
    sure = [float(re.search(r"confidence (\.\d+|1\.0+)", s)[1]) for s in said]  # type: ignore[index]
    assert sure == sorted(sure, reverse=True)
    top = max(decision["pages"]["failures"], key=lambda f: f["confidence"])
    for known in (top["source"], " ".join(top["inputs"].split()), top["expected"], f"by {top['by']}"):
        assert known in said[0]
    assert "60 of 300 dev cases" in Reader(text).words


def test_a_text_answer_nothing_is_told_apart_from_the_answer_nothing() -> None:
    decision = one_rung()
    known = {"source": "t:1", "inputs": "hi", "expected": "billing", "reason": ""}
    decision["pages"] |= {"failures": [known | {"answer": None}, known | {"answer": "nothing"}], "failures_total": 2}
    text = page(decision)
    assert text.count("<i>nothing</i>") == 1 and "<bdi>nothing</bdi>" in text


def test_several_input_columns_are_shown_by_name() -> None:
    decision = one_rung()
    inputs = {"subject": "refund", "body": {"lines": [1, 2]}}
    decision["pages"] |= {"failures": [{"source": "t:1", "inputs": inputs, "expected": 1, "answer": 2}]}
    said = Reader(page(decision)).words
    assert "subject" in said and '{"lines": [1, 2]}' in said


def test_more_failures_than_were_recorded_are_counted() -> None:
    decision = tickets()
    decision["pages"]["failures_total"] = 112
    assert "112 of 300 dev cases" in Reader(page(decision)).words
    assert "60 of them were recorded." in Reader(page(decision)).words


def test_the_command_repeats_the_climb() -> None:
    command = re.search('<pre tabindex="0"><code>(.*?)</code>', page(tickets()))
    assert command
    line = "suffice climb &#x27;data/my tickets.jsonl&#x27; constant words triage &#x27;triage with examples&#x27;"
    assert command[1] == f"{line} --bar 0.9 --tolerance 0.05 --coverage 0.8"
    recorded = tickets()
    recorded["settings"]["command"] = "suffice climb data.jsonl my.py:triage --bar .9"
    assert "<code>suffice climb data.jsonl my.py:triage --bar .9</code>" in page(recorded)
    assert "my.py:triage" not in Reader(page(recorded)).words.replace("data.jsonl my.py:triage", "")


def test_a_page_says_that_the_test_cases_stay_sealed() -> None:
    assert "Of the 240 sealed test cases nothing is shown but counts and verdicts" in Reader(page(tickets())).words


def test_cases_answered_out_of_fold_are_not_called_dev_cases_alone() -> None:
    decision = nothing_passed()
    decision["rungs"][1] |= {"out_of_fold": True}
    said = Reader(page(decision)).words
    assert "all inputs (300 train and dev cases)" in said and "60 of 300 train and dev cases" in said


def test_when_nothing_passed_the_page_says_what_to_do() -> None:
    said = Reader(page(nothing_passed())).words
    assert "FAIL words does not suffice" in said
    assert "try --coverage 0.66" in said and "The closest route" in said
    assert "stopped early, of 180" in said and "6 failed calls" in said


def test_what_a_climb_writes_can_be_shown() -> None:
    stated = deciding.Stated(bar=0.9, tolerance=0.05, coverage=None, n=240, per=None, grader="label", labels="0")
    at = time.mktime((2026, 3, 14, 9, 26, 0, 0, 0, -1))
    won = deciding.Tested(1, 0.025, "PASS", 141, 141, 0, (), 0.8537, None, at, known=True)
    row = deciding.Climbed(
        "words", "words", "PASS", 271, 290, 290, 0, 290, True, (0.9, 0.96), 0.95, (None,), ("words",), (1.0,), won
    )
    decision = deciding.Decision(
        "tickets", "PASS", "`words` suffices.", stated, (row,), bound=0.8537, error=0.025, run="climb-7"
    )
    said = Reader(page(json.loads(json.dumps(to_json_decision(decision))))).words
    assert "known since 2026-03-14 09:26" in said
    assert "at least .8537 right" in said and "2.5%" in said and "climb-7" in said


# What must not happen


@pytest.mark.parametrize("nasty", HOSTILE)
def test_a_hostile_text_stays_text_wherever_it_stands(nasty: str) -> None:
    def spoiled(value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return nasty if key not in ("state", "verdict") else value
        if isinstance(value, list):
            return [spoiled(v) for v in value[:8]]
        return {k: spoiled(v, k) for k, v in value.items()} if isinstance(value, dict) else value

    kept = [t for t, _ in Reader(page(spoiled(tickets()))).tags]
    plain = {t for t, _ in Reader(page(tickets())).tags} | {"details", "summary", "small"}
    assert set(kept) <= plain and kept.count("h1") == 1
    kept = [t for t, _ in Reader(eval_page(spoiled(evaluation()))).tags]
    assert set(kept) <= plain and kept.count("h1") == 1


def test_a_script_in_a_case_is_shown_as_it_was_written() -> None:
    decision = tickets()
    decision["pages"]["failures"][0]["inputs"] = "<script>alert('x')</script>"
    text = page(decision)
    assert "<script" not in text and "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in text


def test_letters_that_cannot_be_shown_are_named() -> None:
    decision = one_rung()
    inputs = "a\x00b\x1bc\x9bd\ud800e\u202ef"
    decision["pages"] |= {"failures": [{"source": "t:1", "inputs": inputs, "expected": 1, "answer": 2}]}
    assert "a⟨U+0000⟩b⟨U+001B⟩c⟨U+009B⟩d⟨U+D800⟩e⟨U+202E⟩f" in page(decision)


def test_a_long_text_is_folded_and_a_very_long_one_is_cut_with_its_count() -> None:
    decision = one_rung()
    case = {"source": "t:1", "expected": 1, "answer": 2}
    decision["pages"] |= {"failures": [case | {"inputs": "z" * 10_000}]}
    text = page(decision)
    summary = re.search('<summary><bdi>(z+)</bdi><span class="more">(.*?)</span>', text)
    assert summary and len(summary[1]) == BEGINNING and "all 10,000 characters" in summary[2]
    assert text.count("z") - page(one_rung()).count("z") == 10_000
    decision["pages"] |= {"failures": [case | {"inputs": "z" * (LONGEST + 123_456)}]}
    assert "123,456 more characters are in the recording." in page(decision)
    assert page(decision).count("z" * 1000) <= LONGEST // 1000


def test_a_page_of_many_long_failures_is_made_at_once() -> None:
    decision = tickets()
    decision["pages"]["failures"] = [failure(random.Random(k), k) | {"inputs": "é " * 5000} for k in range(200)]
    began = time.perf_counter()
    assert len(page(decision)) < 4_000_000
    assert time.perf_counter() - began < 5.0


# An evaluation


def test_an_evaluation_shows_score_interval_errors_latency_and_failures() -> None:
    text = eval_page(evaluation())
    said = Reader(text).words
    assert "triage scores .786 (.703 to .851 at 95%), 92 of 117 answered calls right." in said
    assert "3 of 120 calls gave no answer: 3 timeout." in said
    assert "Median" in said and "p95" in said and "Handed on" in said
    assert said.count("tickets.jsonl:") == 3 + sum(
        not c["error"] and c["answer"] not in (c["expected"], {"abstain": True}) for c in evaluation()["cases"]
    )


def test_no_text_of_a_sealed_case_is_shown() -> None:
    recorded = evaluation("test")
    for case in recorded["cases"]:
        case |= {k: "canary-7f3a" for k in ("id", "key", "source", "inputs", "expected", "answer", "reason", "error")}
    assert "canary-7f3a" not in eval_page(recorded)
    assert "sealed" in Reader(eval_page(recorded)).words


def test_a_claim_about_mean_scores_of_clusters_is_shown_as_one() -> None:
    decision = one_rung()
    decision["claim"] |= {"graded": True, "most": 2, "per": "customer", "p95": 2.0, "concurrency": 8}
    decision["rungs"][-1] |= {"dev_mean": 0.91}
    said = Reader(page(decision)).words
    assert "The mark is the mean score on dev" in said and "mean score at least" in said
    assert "sealed customers, at most 2 cases of each" in said
    assert "95% ≤ 2 s 8 side by side" in said


def test_a_relative_bar_is_shown_as_a_difference() -> None:
    decision = one_rung()
    decision["claim"] |= {"bar": 0.5, "tolerance": 0.025, "within": 0.05, "of": "big", "coverage": None, "graded": True}
    decision["bound"] = 0.49
    decision["rungs"][-1] |= {"dev_mean": 0.48, "interval": [0.46, 0.5], "against": "big"}
    said = Reader(page(decision)).words
    assert "≤ .02 worse than big" in said and "Within .05" in said
    assert "-0.040 -0.080 to +0.000" in said and "pairs with big" in said
    assert "in the middle they are equal" in said


def test_how_sure_dev_became_is_drawn_case_by_case_and_of_sealed_cases_never() -> None:
    decision = copy.deepcopy(tickets())
    assert "Dev, case by case" not in page(decision)  # an older record has no scores
    decision["pages"]["scores"] = [[float(i % 10 != 0), 1] for i in range(120)]
    decision["claim"].pop("most", None)
    text = page(decision)
    low, high = cluster_sequence([float(i % 10 != 0) for i in range(120)], [1] * 120, 1)[-1]
    assert f"Between {low:.3f} and {high:.3f} after 120 cases.".replace("0.", ".") in text
    assert 'id="sequence"' in text and "Of test cases no such picture is drawn." in text
    for hostile in ([[2.0, 1]] * 40, [["x", 1]] * 40, "scores", [[0.5, -1]] * 40, [[1.0, 1]] * 4):
        decision["pages"]["scores"] = hostile
        assert 'id="sequence"' not in page(decision)
