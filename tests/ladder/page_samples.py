"""Recorded decisions and evaluations for the tests of the pages: a realistic one, and the odd ones."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from suffice.ladder.page import eval_page, page

TEAMS = (
    "account access", "billing", "cancellation", "complaints", "delivery", "invoices", "installation",
    "orders", "product advice", "returns", "spare parts", "warranty",
)  # fmt: skip
TICKETS = (
    "Hi, I was charged twice for September and the second amount still sits on my card. Who sorts that out?",
    "parcel says delivered but nothing here, neighbours have not seen it either. third time this year!!",
    "Bonjour, la machine ne démarre plus depuis hier soir. Elle a neuf mois, est-ce couvert?",
    "cant log in, reset mail never comes, checked spam",
    "I'd like to send back the blue one and keep the grey one. Do I need the original box, and who pays for "
    "the postage? The form on your site asks for a number that is not on my receipt.",
    "Which filter fits the 2019 model? The old part number isn't in the catalogue any more.",
    "Please stop the renewal. I wrote in May, I wrote in June, and here we are again.",
    "Wo bleibt die Rechnung für März? Die Buchhaltung wartet.",
)

Decided = dict[str, Any]


def rung(name: str, state: str, right: int, seen: int, **more: Any) -> Decided:
    """One rung as `to_json_decision` writes it."""
    low_high = (max(right / seen - 0.06, 0.0), min(right / seen + 0.05, 1.0)) if seen else None
    row: Decided = {
        "name": name, "candidate": name, "state": state, "dev_right": right, "dev_answered": seen, "dev_seen": seen,
        "dev_failed": 0, "dev_total": seen, "out_of_fold": False, "interval": low_high, "chance": 0.0,
        "thresholds": [None], "members": [name], "handled": [1.0], "tested": None, "calls": 0, "saved": 0, "note": "",
        "dev_score": right / seen if seen else None,
    }  # fmt: skip
    return row | more


def a_try(number: int, verdict: str, used: int, bound: float | None = None, share: float | None = None) -> Decided:
    return {
        "number": number, "alpha": 0.05 / 2**number, "verdict": verdict, "used": used, "calls": used, "failed": 0,
        "failures": [], "bound": bound, "share": share, "at": 1.77e9, "known": False, "paused": False,
    }  # fmt: skip


def failure(dice: random.Random, k: int) -> Decided:
    expected, said = dice.sample(TEAMS, 2)
    said = None if k % 9 == 4 else said
    return {
        "source": f"tickets.jsonl:{17 + 5 * k}",
        "inputs": dice.choice(TICKETS),
        "expected": expected,
        "answer": said,
        "confidence": round(dice.uniform(0.62, 0.97), 3),
        "reason": f"expected {expected}, got {said or 'nothing'}" + (" (not one of the labels)" if k == 11 else ""),
        "by": "words" if k % 3 else "triage",
    }


def curve(dice: random.Random, n: int = 300) -> list[list[float]]:
    sure = sorted((dice.betavariate(5, 1.6) for _ in range(n)), reverse=True)
    right, rows = 0, []
    for i, c in enumerate(sure, 1):
        right += dice.random() < 0.35 + 0.65 * c
        rows.append([i / n, right / i, c])
    return rows[:: max(n // 200, 1)]


def tickets() -> Decided:
    """A climb over 12 teams or nothing: four rungs, and the route of the third passed."""
    dice = random.Random(7)
    confusion: Counter[tuple[str, str]] = Counter()
    for team in TEAMS:
        confusion[team, team] = dice.randint(11, 24)
        for _ in range(5):
            confusion[team, dice.choice((*TEAMS, "(nothing)"))] += 1
    confusion["(nothing)", "(nothing)"], confusion["(nothing)", "billing"] = 17, 3
    points = curve(dice)
    threshold = next(c for share, _, c in points if share >= 0.86)
    route = {
        "candidate": "words > triage", "members": ["words", "triage"], "thresholds": [0.78, threshold],
        "handled": [0.613, 0.257], "dev_answered": 261,
    }  # fmt: skip
    return {
        "suffice_decision": 1,
        "task": "tickets",
        "verdict": "PASS",
        "sentence": "`words > triage` answers at least 82% of inputs (87% of those seen on dev), at least .85 of "
        "them right (bar .90, tolerance .05, error 1.25%, 141 of 240 sealed cases, one per customer); the others go "
        "to a person.",
        "claim": {
            "kind": "population", "bar": 0.9, "tolerance": 0.05, "coverage": 0.8, "per": "customer",
            "grader": "label", "n": 240,
        },
        "bound": 0.853, "share": 0.824, "error": 0.0125, "cost_usd": None, "run": "climb-7",
        "advice": ["3 calls that were in flight when the last run was cut off were possibly paid twice."],
        "settings": {
            "claim": {"bar": 0.9}, "n": 240, "rungs": ["constant", "words", "triage", "triage with examples"],
            "base": [True], "rule": "Rule(drop=0.05, drop_from=12, send=0.9, send_from=30, send_at_end=0.4, "
            "way_down=0.1, last_chance=False)", "concurrency": 8, "timeout": 120.0, "seed": 0, "shape": "30/20/50",
            "path": "data/my tickets.jsonl",
        },
        "rungs": [
            rung("constant", "dropped", 37, 300, interval=[0.09, 0.165]),
            rung("words", "UNPROVEN", 232, 300, dev_answered=268, chance=0.52, out_of_fold=True, thresholds=[0.44],
                 handled=[0.893], tested=a_try(1, "UNPROVEN", 240), interval=[0.82, 0.902]),
            rung("triage", "PASS", 244, 300, chance=0.93, interval=[0.897, 0.959], calls=412, saved=318,
                 tested=a_try(2, "PASS", 141, 0.853, 0.824), **route),
            rung("triage with examples", "waiting", 0, 0, chance=None, members=[], thresholds=[], handled=[]),
        ],
        "pages": {
            "candidate": "words > triage",
            "confusion": [[a, b, n] for (a, b), n in sorted(confusion.items())],
            "failures": [failure(dice, k) for k in range(60)],
            "failures_total": 60,
            "curve": points,
            "thresholds": [0.78, threshold],
            "members": ["words", "triage"],
        },
    }  # fmt: skip


def nothing_passed() -> Decided:
    """Three rungs without confidences: one refuted on test, one dropped, one paused."""
    decision = tickets()
    decision |= {
        "verdict": "FAIL", "bound": None, "share": None, "error": None,
        "sentence": "`words` does not suffice: that it reaches the bar of .90 was refuted (error 20%, 96 of 240 "
        "sealed cases).",
        "advice": [
            "Closest on dev: `words`, 249 of 300 right, predicted chance of a PASS 41%.",
            "What could be claimed: `words` answers 71% of dev with .931 right; try --coverage 0.66 and hand the "
            "rest to a person.",
        ],
        "rungs": [
            rung("constant", "dropped", 37, 300),
            rung("words", "FAIL", 249, 300, chance=0.41, tested=a_try(1, "FAIL", 96)),
            rung("agent", "paused", 30, 38, dev_failed=6, dev_total=180, chance=0.3,
                 note="6 of 38 calls gave no answer, the first: timeout: no answer in 120 s"),
        ],
    }  # fmt: skip
    decision["claim"]["coverage"] = None
    decision["pages"] |= {"curve": [], "members": ["words"], "thresholds": [None], "candidate": "words"}
    return decision


def one_rung() -> Decided:
    """The smallest PASS: one rung, nothing wrong on dev."""
    decision = tickets()
    decision |= {"rungs": [rung("constant", "PASS", 60, 60, chance=0.99, tested=a_try(1, "PASS", 41, 0.91))]}
    decision |= {"sentence": "`constant` suffices.", "share": None, "advice": []}
    decision["claim"] |= {"coverage": None, "per": None}
    decision["pages"] = {
        "candidate": "constant", "confusion": [["yes", "yes", 60]], "failures": [], "failures_total": 0,
        "curve": [], "thresholds": [None], "members": ["constant"],
    }  # fmt: skip
    return decision


def many_labels() -> Decided:
    """77 labels with long names, as Banking77 has."""
    dice = random.Random(1)
    names = [f"card_payment_{'fee_' * (k % 4)}charged_{k:02d}" for k in range(77)]
    decision = one_rung()
    pairs = Counter({(name, name): 18 for name in names})
    for _ in range(150):
        pairs[dice.choice(names), dice.choice(names)] += 1
    decision["pages"]["confusion"] = [[a, b, n] for (a, b), n in pairs.items()]
    return decision


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></code><h1>owned</h1>",
    "javascript:alert(1) https://evil.example/x.png url(https://evil.example)",
    "\ud800 lone \udfff surrogates",
    "null \x00 bell \x07 escape \x1b[31m delete \x7f c1 \x9b",
    "\u202eesrever\u202c \u2067isolate \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "👩‍👩‍👧‍👦🏳️‍🌈" * 40,
    "x" * 400,
    "word " * 2000,
    "`back`ticks` everywhere",
    "&lt;b&gt; &amp;amp; &#x3c;",
)


def hostile() -> Decided:
    """Every text of a decision replaced by something nasty."""
    turn = iter(HOSTILE * 400)

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return value if key in ("state", "verdict") else next(turn)
        if isinstance(value, list):
            return [spoil(v) for v in value]
        return {k: spoil(v, k) for k, v in value.items()} if isinstance(value, dict) else value

    return spoil(tickets())


def old_recording() -> Decided:
    """What a version without most fields would have left, with figures of the wrong kind among it."""
    return {
        "verdict": "UNPROVEN",
        "claim": {"bar": 0.9},
        "rungs": [{"name": "words", "state": "kept", "interval": [None, "high"], "chance": "likely"}, "words", None],
        "pages": {
            "curve": [[0.5, 0.9], None, [1.0, float("nan"), 0.2]],
            "confusion": [["a", "b"], 7],
            "failures": [{}],
        },
        "advice": None,
    }


def infinite() -> Decided:
    """A route with a member that its threshold leaves out, as Infinity in the recording."""
    decision = tickets()
    decision["rungs"][2] |= {
        "members": ["rules", "words", "triage"],
        "thresholds": [float("inf"), 0.78, 0.5],
        "handled": [0.0, 0.6, 0.2],
    }
    return json.loads(json.dumps(decision))


DECISIONS = {
    "tickets": tickets,
    "nothing_passed": nothing_passed,
    "one_rung": one_rung,
    "many_labels": many_labels,
    "hostile": hostile,
    "old_recording": old_recording,
    "infinite": infinite,
    "empty": dict,
}


def evaluation(split: str = "dev") -> Decided:
    """A recorded evaluation: 120 cases, a fifth wrong, a few errors and a few handed on."""
    dice, cases = random.Random(5), []
    for k in range(120):
        expected = dice.choice(TEAMS)
        wrong = dice.random() < 0.2
        case: Decided = {
            "id": f"{k}", "key": f"{k:032x}", "source": f"tickets.jsonl:{k + 2}", "inputs": dice.choice(TICKETS),
            "expected": expected, "answer": dice.choice(TEAMS) if wrong else expected, "confidence": None,
            "by": None, "error": None, "seconds": dice.uniform(0.2, 1.4),
        }  # fmt: skip
        if k % 40 == 7:
            case |= {"answer": None, "error": "timeout: no answer in 120 s"}
        elif k % 30 == 3:
            case |= {"answer": {"abstain": True}}
        case["score"] = None if case["error"] else float(case["answer"] == expected)
        case["reason"] = "" if case["score"] or case["error"] else f"expected {expected}, got {case['answer']}"
        cases.append(case)
    return {
        "suffice_report": 1, "task": "tickets", "solution": "triage", "identity": "0", "split": split, "n": 120,
        "score": 0.786, "interval95": [0.703, 0.851], "right": 92, "errors": 3, "abstained": 4, "run": "eval-3",
        "repeats": {
            "most": 2, "unsteady": 9, "within": 0.02, "between": 0.14,
            "pass_k": [
                {"k": 1, "estimate": 0.75, "interval95": [0.67, 0.83]}, {"k": 2, "estimate": 0.7, "interval95": None}
            ],
        },
        "cases": cases,
    }  # fmt: skip


PAGES = {name: lambda make=make: page(make()) for name, make in DECISIONS.items()} | {
    "evaluation": lambda: eval_page(evaluation()),
    "empty evaluation": lambda: eval_page({}),
}
