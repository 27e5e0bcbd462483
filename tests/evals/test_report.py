"""Reports: no figure without its n and its interval, and unknown is not zero."""

from __future__ import annotations

import builtins
import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import DataError, MissingExtra
from suffice.evals.latency import duration
from suffice.evals.report import Report, figure, interval_of, lines, shortened
from suffice.stats.intervals import mean_interval, wilson, wilson_clustered
from suffice.values import ABSTAIN, Answer, Case, Failure, Outcome, Score, content_hash

INTERVAL = re.compile(r"\((\.\d{3}|1\.000) to (\.\d{3}|1\.000) at 95%\), \d+ of \d+")


def outcome(
    i: int = 0,
    score: float | None = 1.0,
    value: Any = "a",
    *,
    confidence: float | None = None,
    cluster: str | None = None,
    failure: str = "",
    inputs: Any = None,
    reason: str = "expected a, got b",
    **more: Any,
) -> Outcome:
    """One outcome; with a `failure` it is a call that gave no answer."""
    text = f"input {i}" if inputs is None else inputs
    key = content_hash([i, "key"])
    case = Case(f"c{i}", text, "a", cluster or f"c{i}", f"cases.csv:{i + 2}", key, key)
    seconds = more.pop("seconds", 0.25)
    if failure:
        return Outcome(case, None, None, Failure("raised", failure), seconds, **more)
    assert score is not None
    return Outcome(case, Answer(value, confidence), Score(score, reason), None, seconds, **more)


def abstained(i: int = 0) -> Outcome:
    return outcome(i, 0.0, ABSTAIN)


def report_of(outcomes: Sequence[Outcome], **more: Any) -> Report:
    return Report("tickets", "triage", "f00d", "dev", tuple(outcomes), **more)


def line(report: Report, label: str) -> str:
    [found] = [text for text in str(report).splitlines() if text.startswith(f"  {label}")]
    return found


anything = st.one_of(
    st.builds(
        lambda i, s, c: outcome(i, s, confidence=c),
        st.integers(0, 99),
        st.sampled_from([0.0, 1.0, 0.5]),
        st.none() | st.floats(0, 1),
    ),
    st.builds(lambda i: outcome(i, failure="KeyError: 'a'"), st.integers(0, 99)),
    st.builds(abstained, st.integers(0, 99)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(anything, max_size=40))
def test_no_mean_is_printed_without_its_interval_and_its_n(outcomes: list[Outcome]) -> None:
    report = report_of(outcomes)
    text = str(report)
    assert f"({len(outcomes)} cases)" in text.splitlines()[0]
    score = line(report, "score")
    if not report.graded:
        assert report.score is None and report.interval is None and "unknown" in score
    elif report.interval is None:
        assert "too few cases for an interval" in score and not re.search(r"\.\d{3}", score)
    else:
        low, high = report.interval
        assert report.score is not None and low <= report.score <= high
        assert INTERVAL.search(score)
    for said in text.splitlines():
        body = re.sub(r"latency.*|from confidence \S+", "", said)
        assert "at 95%" in said or not re.search(r"(?<!\d)1?\.\d{3}\b", body), said
    groups = (report.failures, report.errors, report.abstained, [o for o in outcomes if o.right])
    assert sum(map(len, groups)) == report.n == len(outcomes)


def test_unknown_is_not_zero() -> None:
    for outcomes in ([], [outcome(i, failure="KeyError: 'a'") for i in range(4)]):
        report = report_of(outcomes)
        assert report.score is None and report.interval is None and report.curve is None and report.cells(0.5) is None
        assert "unknown: no call gave an answer" in str(report) and ".000" not in str(report)
        assert report.to_json()["score"] is None and report.to_json()["interval95"] is None
    assert report_of([]).seconds is None


def test_a_wrong_answer_is_zero_and_a_call_that_failed_is_apart() -> None:
    report = report_of([*(outcome(i, float(i % 2)) for i in range(20)), outcome(20, failure="KeyError: 'total'")])
    assert report.score == 0.5 and report.interval == wilson(10, 20)[1:3]
    assert "10 of 20 answered calls right" in line(report, "score")
    assert "1 of 21: 1 raised" in line(report, "errors")
    assert "first: cases.csv:22: KeyError: 'total'" in str(report)
    assert len(report.failures) == 10 and report.errors == (report.outcomes[20],)


def test_what_is_handed_on_is_apart_and_counts_zero_in_the_score() -> None:
    report = report_of([*(outcome(i) for i in range(12)), *(abstained(i) for i in range(12, 16))])
    assert report.score == 12 / 16 and report.failures == () and len(report.abstained) == 4
    assert "12 of 16 right" in line(report, "score")
    assert "4 of 16; of those answered 1.000 (" in line(report, "handed on") and "12 of 12" in line(report, "handed on")


def test_none_is_an_answer() -> None:
    report = report_of([outcome(0, 1.0, None), outcome(1, 0.0, None), outcome(2, failure="no")])
    assert report.graded == report.outcomes[:2] and len(report.failures) == 1 and report.abstained == ()
    rows = report.to_json()["cases"]
    assert [r["answer"] for r in rows] == [None, None, None]
    assert [r["error"] for r in rows] == [None, None, "raised: no"]
    assert [r["score"] for r in rows] == [1.0, 0.0, None]


def test_the_interval_is_wilsons_students_or_the_clustered_one() -> None:
    right = [outcome(i, float(i % 4 > 0)) for i in range(40)]
    assert report_of(right).interval == wilson(30, 40)[1:3]
    grades = [outcome(i, i / 40) for i in range(40)]
    assert report_of(grades).interval == mean_interval([i / 40 for i in range(40)])[1:3]
    clustered = [outcome(i, float(i // 4 % 4 > 0), cluster=f"customer {i // 4}") for i in range(40)]
    report = report_of(clustered, cluster_name="customer")
    hits = [4 * float(c % 4 > 0) for c in range(10)]
    assert report.interval == wilson_clustered([int(h) for h in hits], [4] * 10)[1:3]
    assert "(40 cases of 10 customers)" in str(report)
    wide, narrow = report.interval, wilson(sum(o.right for o in clustered), 40)
    assert wide is not None and wide[0] < narrow.low and wide[1] > narrow.high
    few = [outcome(i, 1.0, cluster=f"customer {i % 3}") for i in range(40)]
    assert interval_of(few) is None and "40 of 40 right: too few cases for an interval" in str(report_of(few))


# ---------------------------------------------------------------- confidence


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=60),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.3, 0.4, 1.0]),
)
def test_the_four_cells_and_the_curve_account_for_every_answer(
    answers: list[tuple[float, bool]], others: int, threshold: float
) -> None:
    outcomes = [outcome(i, float(right), confidence=sure) for i, (sure, right) in enumerate(answers)]
    lost = [abstained(100 + i) if i % 2 else outcome(100 + i, failure="no") for i in range(others)]
    report = report_of([*outcomes, *lost])
    cells, curve = report.cells(threshold), report.curve
    assert cells is not None and curve is not None
    assert cells.answered_right == sum(r for c, r in answers if c >= threshold)
    assert cells.held_wrong == sum(not r for c, r in answers if c < threshold)
    assert sum(cells) == len(answers)
    assert curve.answered[-1] == len(answers) and curve.coverage[-1] == len(answers) / report.n
    assert curve.rate[-1] == statistics.fmean(r for _, r in answers)
    assert np.all(np.diff(curve.threshold) < 0) and np.all(np.diff(curve.coverage) > 0)


def test_without_a_confidence_on_every_answer_there_is_no_curve() -> None:
    assert report_of([outcome(0), outcome(1)]).curve is None
    assert report_of([outcome(0, confidence=0.5), outcome(1)]).curve is None
    assert report_of([abstained(0)]).curve is None
    assert "coverage" not in str(report_of([outcome(i, confidence=1.0) for i in range(20)]))  # it tells nothing apart


def test_what_confidence_is_worth_is_printed_at_three_shares_with_the_cells() -> None:
    outcomes = [outcome(i, float(i >= 20 or i % 2), confidence=i / 100) for i in range(100)]
    text = str(report_of(outcomes))
    shown = [row for row in text.splitlines() if "from confidence" in row]
    assert [re.search(r"\d+%", row)[0] for row in shown] == ["80%", "60%", "40%"]  # pyright: ignore[reportOptionalSubscript]
    assert "coverage   80% from confidence .200 up: 1.000 (" in shown[0]
    assert "80 of 80 right; held back 10 right, 10 wrong" in shown[0]
    assert all(INTERVAL.search(row) for row in shown)


# ---------------------------------------------------------------- latency


def test_latency_is_of_calls_made_now_alone() -> None:
    calls = [outcome(i, seconds=0.001 * (i + 1)) for i in range(20)]
    report = report_of([*calls, *(outcome(20 + i, seconds=99.0, recorded=True) for i in range(5))])
    assert report.seconds == (pytest.approx(0.0105), 0.02)
    assert "median 10.5 ms, p95 20.0 ms (20 calls, 5 recorded earlier)" in line(report, "latency")
    same = [outcome(i, recorded=True) for i in (0, 0, 3)]
    assert "(20 calls, 1 recorded earlier, 3 with the input of another case)" in line(
        report_of([*calls, *same, outcome(30, recorded=True)]), "latency"
    )
    again = report_of([outcome(i, recorded=True) for i in range(3)])
    assert again.seconds is None and "not measured" in line(again, "latency")


def test_durations_and_shares_read_well() -> None:
    assert [duration(s) for s in (0.0000123, 0.0123, 1.23, 123.4)] == ["12 µs", "12.3 ms", "1.2 s", "123.4 s"]
    assert [figure(v) for v in (0.0, 0.5, 0.99951, 1.0)] == [".000", ".500", "1.000", "1.000"]


# ---------------------------------------------------------------- texts


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.text(st.characters()) | st.floats() | st.none(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_any_value_becomes_one_short_printable_line(value: Any) -> None:
    text = shortened(value, 40)
    assert len(text) <= 40 and text.isprintable() and "\n" not in text
    text.encode()


def test_hostile_and_huge_texts_stay_in_their_line() -> None:
    evil = "\x1b[2J\x1b[31mboo\r\n  score      1.000 \u202e right \ud83d " + "y" * 3_000_000
    outcomes = [
        outcome(0, failure=evil),
        outcome(1, 0.0, evil, inputs=evil, reason=evil),
        outcome(2, 0.0, {"a": [evil]}, inputs={"subject": evil, "body": evil}, reason=evil),
    ]
    report = report_of(outcomes)
    for text in lines(report):
        assert text.isprintable() and len(text) < 700
    assert line(report, "score")  # one alone
    str(report).encode()
    assert shortened("a\n\t b  ") == "a b" and shortened(" " * 9_000 + "b").endswith("…")
    assert shortened("a" * 100) == "a" * 100 and shortened("a" * 101) == "a" * 99 + "…"
    assert shortened({"ключ": "дом"}) == '{"ключ": "дом"}'


def test_the_first_failures_are_listed_as_asked() -> None:
    report = report_of([outcome(i, 0.0) for i in range(9)])
    assert sum("expected a, got b" in text for text in lines(report)) == 5
    assert "failures   9, the first 2:" in "\n".join(lines(report, 2))
    assert sum("expected a" in text for text in lines(report, 2)) == 2
    assert "  failures   9" in lines(report, 0) and not any("expected a" in text for text in lines(report, 0))
    assert "failures" not in str(report_of([outcome(0)]))


def test_what_was_not_run_and_what_may_have_been_paid_twice_is_said() -> None:
    report = report_of([outcome(0)], possibly_paid_twice=3, stopped="each of the first 10 calls failed")
    assert "3 calls of an interrupted run were possibly paid twice" in str(report)
    assert "stopped    each of the first 10 calls failed" in str(report)


# ---------------------------------------------------------------- files


def _mixed() -> Report:
    return report_of(
        [
            outcome(0, 1.0, {"total": 3, "items": ["é", None]}, confidence=0.5),
            outcome(1, 0.5, "half \ud83d of it", inputs={"subject": "s", "body": None}),
            outcome(2, failure="KeyError: 'a'"),
            abstained(3),
            outcome(4, 0.0, None),
        ],
        fingerprint="cafe",
        grader="beef",
        run="eval-3",
    )


def test_a_saved_report_comes_back_as_it_was(tmp_path: Path) -> None:
    report = _mixed()
    report.save(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert found == report.to_json()
    assert found["suffice_report"] == 1 and found["n"] == 5 and found["right"] == 1
    assert [c["answer"] for c in found["cases"]][3:] == [{"abstain": True}, None]
    with pytest.raises(DataError, match="cannot write the report") as caught:
        report.save(tmp_path / "no such folder" / "report.json")
    assert "report.json" in str(caught.value)


def test_what_the_store_keeps_is_small_whatever_was_answered() -> None:
    big = "long " * 10_000
    report = report_of(
        [outcome(i, 0.0, f"{i} {big}", inputs={"a": big}, failure=big if i % 2 else "") for i in range(2_000)]
    )
    kept = report.to_record()
    assert len(json.dumps(kept)) < 5_000_000
    assert (len(kept["failures"]), len(kept["failed"]), kept["failures_total"], kept["errors"]) == (
        200,
        200,
        1_000,
        1_000,
    )
    assert kept["n"] == 2_000 and kept["error_kinds"] == {"raised": 1_000}
    small = _mixed().to_record()
    assert small["failures"][0]["answer"] == "half \ud83d of it"
    assert small["confusion"] == []  # half right is no label
    labels = report_of(
        [outcome(0), outcome(1, failure="KeyError: 'a'"), abstained(2), outcome(3, 0.0, None)]
    ).to_record()
    assert sum(n for _, _, n in labels["confusion"]) == 4
    assert ["a", "(error)", 1] in labels["confusion"] and ["a", "(nothing)", 1] in labels["confusion"]


def test_a_frame_has_a_row_for_each_case() -> None:
    frame = _mixed().to_frame()
    assert list(frame["id"]) == ["c0", "c1", "c2", "c3", "c4"]
    assert frame["score"].isna().tolist() == [False, False, True, False, False]
    assert frame["error"].notna().sum() == 1
    assert len(report_of([]).to_frame()) == 0


def test_without_pandas_a_frame_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="pip install pandas"):
        _mixed().to_frame()


def test_how_many_failures_are_shown_is_said_where_there_are_more() -> None:
    def headed(count: int, **how: int) -> str:
        report = report_of([outcome(i, 0.0) for i in range(count)])
        return next(text for text in lines(report, **how) if text.startswith("  failures"))

    assert headed(1) == "  failures   1:" and headed(7) == "  failures   7, the first 5:"
    assert headed(2, failures=1) == "  failures   2, the first:" and headed(2, failures=0) == "  failures   2"
