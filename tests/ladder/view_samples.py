"""Reports with every case, for the tests of the page to look through: realistic, hostile, graded, with fields."""

from __future__ import annotations

import random
from typing import Any

from page_samples import TEAMS, TICKETS

from suffice.stats.intervals import wilson

Report = dict[str, Any]


def case(number: int, inputs: Any, expected: Any, answer: Any, score: float | None, **more: Any) -> Report:
    """One case as `Report.to_json` has it."""
    row: Report = {
        "id": f"t{number}", "key": f"key {number}", "source": f"tickets.jsonl:{number}", "inputs": inputs,
        "expected": expected, "answer": answer, "confidence": None, "by": None, "score": score, "reason": "",
        "error": None, "seconds": None, "cost": None,
    }  # fmt: skip
    return row | more


def between(graded: list[float]) -> list[float] | None:
    """The 95% interval of right and wrong scores."""
    found = wilson(sum(s == 1.0 for s in graded), len(graded)) if graded else None
    return None if found is None else [found.low, found.high]


def report(cases: list[Report], **more: Any) -> Report:
    """The cases with their figures."""
    graded = [c["score"] for c in cases if c["score"] is not None]
    found: Report = {
        "suffice_report": 1, "task": "tickets", "fingerprint": "f", "grader": "g", "solution": "triage",
        "identity": "0", "split": "dev", "n": len(cases), "score": sum(graded) / len(graded) if graded else None,
        "interval95": between(graded), "right": sum(s == 1.0 for s in graded), "errors": len(cases) - len(graded),
        "abstained": 0, "fitted": 0, "unfitted": None, "stopped": "", "run": "eval-3", "free": False, "cost": None,
        "spent": None, "confidence_from": "log-probabilities", "cases": cases,
    }  # fmt: skip
    return found | more


def tickets(n: int = 120, seed: int = 3, skill: float = 0.75, **more: Any) -> Report:
    """Support tickets: right, wrong, handed on and failed, answered by two members, with seconds and cost."""
    world, dice = random.Random(7), random.Random(seed)
    cases: list[Report] = []
    for number in range(1, n + 1):
        expected, text = world.choice(TEAMS), world.choice(TICKETS)
        luck = dice.random()
        sure, by = round(dice.betavariate(6, 2), 3), dice.choice(("words", "triage"))
        told: Report = {"seconds": round(dice.lognormvariate(0, 0.6), 3)}
        told["cost"] = {"usd": 0.0004, "input_tokens": 210, "output_tokens": 6, "at_most": False}
        if luck < 0.04:
            said = case(number, text, expected, None, None, error="timeout: no answer in 120 s", **told)
        elif luck < 0.1:
            said = case(number, text, expected, {"abstain": True}, 0.0, reason="handed on", by=by, **told)
        elif luck < 0.1 + 0.9 * skill:
            said = case(number, text, expected, expected, 1.0, confidence=sure, by=by, **told)
        else:
            wrong = dice.choice([t for t in (*TEAMS, None) if t != expected])
            reason = f"expected {expected}, got {wrong or 'nothing'}"
            said = case(number, text, expected, wrong, 0.0, reason=reason, confidence=sure, by=by, **told)
        cases.append(said)
    return report(cases, **more)


def invoices(n: int = 40) -> Report:
    """Fields with a partial score and the paths of what is wrong."""
    dice = random.Random(5)
    cases: list[Report] = []
    for number in range(1, n + 1):
        want = {"total": 100 + number, "items": [{"price": 3}, {"price": number}], "currency": "EUR"}
        got, reason, score = dict(want), "all 4 fields right", 1.0
        if number % 3 == 0:
            got, score = {**want, "total": 7, "currency": "USD"}, 0.5
            reason = f"$.total: expected {100 + number}, got 7; $.currency: expected EUR, got USD"
        elif number % 5 == 0:
            got, score = {**want, "items": [{"price": 3}, {"price": 0}]}, 0.75
            reason = f"$.items[1].price: expected {number}, got 0"
        columns = {
            "subject": f"Invoice {number}",
            "body": f"Total due {100 + number} EUR\n\nThank you." * dice.randint(1, 9),
        }
        cases.append(case(number, columns, want, got, score, reason=reason))
    return report(cases, solution="extract", task="invoices", confidence_from=None)


NASTY = (
    "</script><script>alert(1)</script>",
    "<!-- <script> ]]> <img src=x onerror=alert(1)>",
    "right\u202eto left\u2066 and \u2069 back\u200f",
    "nul \x00 escape \x1b[31m bell \x07 c1 \x9b half \ud800 line \u2028 par \u2029",
    "&lt;b&gt; \" ' ` ${alert(1)} {{7*7}} \\u003c/script>",
    "مرحبا بالعالم " * 40,
    "한국어 日本語 🤦🏽‍♂️ e\u0301\u0301\u0301\u0301\u0301" * 20,
    "Z̸̢̛͎͕̪͖̈́̂a̷l̵g̶o " * 60,
    "x" * 5_000,
    "",
    "   \n\t\r\n  ",
    "🙂" * 3_000,
)


def hostile() -> Report:
    """Texts that would break out, turn the page, or never end, in every place that a text can stand in."""
    cases = [
        case(k + 1, {t[:300]: t, "b": t}, t, t, k % 2 / 2, reason=t, by=t[:90], confidence=0.5, seconds=1e-5, source=t)
        for k, t in enumerate(NASTY)
    ]
    cases.append(case(90, "y" * 1_000_000, "z" * 1_000_000, {"deep": [[[None, True, 1e308]]]}, 0.0))
    cases.append(case(91, None, None, None, None, error="raised: " + NASTY[0] * 2_000))
    cases.append(case(92, ["a", {"b": "</script>"}], {"abstain": True}, {"graded": 0.3}, 0.3))
    return report(cases, solution=NASTY[0], task=NASTY[2], run=NASTY[1], notes=[NASTY[0], "`" + NASTY[2]])
