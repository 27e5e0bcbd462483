"""The pages of `suffice report`: a climb's decision, or an evaluation, as one self-contained HTML file.

Pure: what a run recorded goes in as JSON, the text of the file comes out. Recordings of older versions may lack
fields; what is unknown is left out.
"""

from __future__ import annotations

import shlex
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suffice.evals.confusion import confusion, said_in_row
from suffice.evals.cost import bounded, money
from suffice.evals.latency import duration
from suffice.evals.report import figure
from suffice.ladder.page_cases import confusion_of, confusion_table, failure_list, label
from suffice.ladder.page_claim import asked, finite, proved, reference, units
from suffice.ladder.page_figures import axis_bottom, strip
from suffice.ladder.page_graph import NOWHERE, TracedIn, looked_up, program_section
from suffice.ladder.page_ladder import cases_seen, decided_rung, ladder, looked_at, paths
from suffice.ladder.page_repeats import call_rows, calls_of, repeats_section
from suffice.ladder.page_sequence import narrowing
from suffice.ladder.page_shell import document, hero, section, terms
from suffice.ladder.page_text import (
    Html,
    clipped,
    code,
    count,
    el,
    folded,
    items,
    join,
    number,
    numbers,
    part,
    parts,
    plain,
    quoted,
    string,
)
from suffice.ladder.program_graph import Node
from suffice.ladder.rung import BUILT_IN
from suffice.ladder.sentence import percent, rate
from suffice.ladder.spending import paid
from suffice.shown import counted
from suffice.values import Json

Record = Mapping[str, Json]

SETTINGS = {
    "path": "data",
    "seed": "seed",
    "shape": "split (train/dev/test)",
    "rule": "rule",
    "concurrency": "calls side by side",
    "timeout": "seconds for a call",
}
"""The recorded settings that are shown under another name; what is not listed here is shown under its own."""
ELSEWHERE = {"claim", "n", "rungs", "base", "command"}  # shown in words of their own


def page(decision: Record, programs: Sequence[Node] = (), traced_in: TracedIn = NOWHERE) -> str:
    """The decision page of what a climb recorded (`to_json_decision`), with the graphs of the programs in it.

    `traced_in` says of a program, by its name, of which earlier runs the graph is.
    """
    name, verdict = string(decision, "task"), string(decision, "verdict")
    sentence = string(decision, "sentence") or ("" if verdict else "This run did not end in a decision.")
    advice = [el("li", quoted(a)) for a in items(decision, "advice") if isinstance(a, str)]
    top = hero(
        join(["Decision on ", code(clipped(name, 80)) if name else "a task"]),
        verdict,
        sentence,
        _facts(decision),
        [el("ul", *advice, class_="advice")] if advice else [],
    )
    title = " · ".join(t for t in (verdict, name, "Suffice") if t)
    sections = [
        ladder(decision),
        paths(decision),
        narrowing(decision),
        program_section(programs, [name for name, _ in looked_up(decision)], traced_in),
        *_evidence(decision),
        _settings(decision),
    ]
    return document(title, top, sections, _footer(decision))


def _facts(decision: Record) -> list[tuple[str, str, str]]:
    claim = part(decision, "claim")
    coverage = number(claim, "coverage")
    bound, share, alpha = (number(decision, key) for key in ("bound", "share", "error"))
    facts = [*proved(claim, bound, share), *asked(claim)]
    if coverage is not None and share is None:
        facts.append(("Coverage", "max" if coverage == 0 else f"{coverage:.0%}", "of inputs, asked for"))
    if alpha is not None:
        facts.append(("Error", percent(alpha), "chance of a wrong PASS, at most"))
    cost = number(decision, "cost_usd")
    facts += [("Cost", _dollars(1000 * cost, decision.get("cost_at_most")), _for_1000(decision))] if cost else []
    n, used = number(claim, "n"), _used(decision)
    if n is not None:
        said = units(claim)
        facts.append(
            ("Test", f"{n:,.0f}", said) if used is None else ("Test", f"{used:,} of {n:,.0f}", f"{said}, used")
        )
    chances = [c for r in parts(decision, "rungs") if (c := number(r, "chance")) is not None]
    if bound is None and chances:
        facts.append(("Best chance", f"{max(chances):.0%}", "of a PASS, predicted on dev"))
    return facts


def _used(decision: Record) -> int | None:
    """Sealed cases used by the try that decided: the easiest PASS, else the last try."""
    tried = [(string(r, "state"), t) for r in parts(decision, "rungs") if (t := part(r, "tested"))]
    passed = [t for state, t in tried if state in ("PASS", "would pass")]
    return count(passed[0] if passed else tried[-1][1], "used") if tried else None


def _evidence(decision: Record) -> list[Html | None]:
    """Confusion and failures on dev."""
    pages = part(decision, "pages")
    if not pages:
        return []
    rung = decided_rung(decision)
    name = clipped(string(pages, "candidate") or string(rung, "candidate") or "the candidate", 80)
    pairs = _pairs(pages)
    failures = parts(pages, "failures")
    total = max(count(pages, "failures_total"), len(failures))
    return [
        _confusion(pairs, name, looked_at(rung)),
        _failures(failures, total, name, cases_seen(rung) if count(rung, "dev_seen") else ""),
    ]


def _pairs(record: Record) -> Counter[tuple[str, str]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for row in items(record, "confusion"):
        if isinstance(row, list | tuple) and len(row) == 3 and isinstance(row[2], int):  # pyright: ignore[reportUnknownArgumentType]
            pairs[_recorded_label(row[0]), _recorded_label(row[1])] += max(row[2], 0)
    return pairs


def _recorded_label(value: Json) -> str:
    """A label as `closing` wrote it: a word, or the JSON of what is none."""
    words = {'{"abstain": true}': "(handed on)", '{"graded": 1.0}': "(right)", '{"graded": 0.0}': "(wrong)"}
    return words.get(value, value) if isinstance(value, str) else label(value)


def _confusion(pairs: Mapping[tuple[str, str], int], name: str, where: str = "dev") -> Html | None:
    if not pairs:
        return None
    said = join(["What ", code(name), f" answered on {where}. Each row is shaded by its own share. "])
    table = confusion_of(pairs)
    if table is None:
        told = "The answers of this task are no labels, or were recorded without text: there is nothing to confuse."
        return section("confusion", "Confusion", told)
    if table.rest:
        more = "The 20 labels most often confused are shown, the others in one; +n of them were confused there."
        said = join([said, more])
    return section("confusion", "Confusion", said, confusion_table(table))


def _failures(failures: list[Record], total: int, name: str, seen: str) -> Html:
    if not total:
        return section("failures", "Failures", join(["On dev ", code(name), " answered nothing wrong."]))
    of = f"{total:,} of {seen}" if seen else counted(total, "dev case")
    sure = any(number(f, "confidence") is not None for f in failures)
    said = [f"{of} that ", code(name), " got wrong", ", the surest first." if sure else "."]
    if total > len(failures):
        said.append(f" {len(failures):,} of them were recorded.")
    return section("failures", "Failures", join(said), failure_list(failures))


def _settings(decision: Record) -> Html:
    told, claim = part(decision, "settings"), part(decision, "claim")
    claim = claim or part(told, "claim")
    rows: list[tuple[str, Html | str]] = []
    for key in ("within", "p95") if reference(claim) else ("bar", "tolerance", "coverage", "p95"):
        value = number(claim, key)
        if value is not None:
            rows.append((key, "max" if key == "coverage" and value == 0 else rate(value)))
    rows += [
        (term, folded(plain(claim[key])))
        for key, term in (("grader", "grader"), ("per", "cluster"), ("most", "cases of a cluster that count"))
        if claim.get(key)
    ]
    names = [r for r in items(told, "rungs") if isinstance(r, str)]
    rows += [("rungs, easiest first", join([code(n) for n in names], ", "))] if names else []
    rows += [("tries before this climb", f"{len(items(told, 'base'))}")] if "base" in told else []
    rows += [(SETTINGS.get(k, k), _setting(v)) for k, v in told.items() if k not in ELSEWHERE and v is not None]
    spent = part(decision, "spent")
    rows.append(("cost of 1,000 inputs", _of_1000(decision) + _between(decision)))
    rows += [("spent on model calls", _spent(spent))] if count(spent, "attempts") else []
    rows += [("run", code(string(decision, "run")))] if string(decision, "run") else []
    said = "The same command on the same data looks the verdict up and spends nothing."
    command, note = _command(decision, told, claim, names)
    parts_ = [el("pre", el("code", command), tabindex="0"), *([el("p", note, class_="note")] if note else [])]
    return section("repeat", "To repeat it", said, *parts_, terms(rows, "settings"))


def _of_1000(decision: Record) -> str:
    """In dollars: of what was decided on; of no solution where nothing passed, unless every call on dev was free."""
    cost = number(decision, "cost_usd")
    seen = [r for r in parts(decision, "rungs") if count(r, "dev_seen")]
    if cost is None and seen and all(number(part(r, "cost"), "usd") == 0 for r in seen):
        cost = 0.0
    return "unknown" if cost is None else _dollars(1000 * cost, decision.get("cost_at_most"))


def _spent(spent: Record) -> str:
    return f"{paid(spent)} in {counted(count(spent, 'attempts'), 'attempt')}"


def _dollars(usd: float, at_most: Json) -> str:
    return bounded(money(usd), at_most is True)


def _for_1000(decision: Record) -> str:
    return f"for 1,000 inputs{_between(decision)}"


def _between(decision: Record) -> str:
    """The interval of what 1,000 inputs cost, after it; "" where none was recorded."""
    ends = numbers(decision.get("cost_usd_interval95"))
    if len(ends) != 2:
        return ""
    return f", {money(1000 * ends[0])} to {money(1000 * ends[1])} at 95%, an estimate"


def _setting(value: Json) -> Html | str:
    if isinstance(value, str) and "(" in value:  # the repr of a rule
        return code(value)
    return f"{value:g}" if isinstance(value, float) else folded(plain(value))


def _command(decision: Record, told: Record, claim: Record, names: list[str]) -> tuple[str, Html | None]:
    """The line to type: as it was recorded, else put together from the settings."""
    if string(told, "command"):
        return string(told, "command"), None
    words = ["suffice", "climb", string(told, "path") or string(decision, "task") or "TASK", *names]
    words += ["--of", reference(claim)] if reference(claim) else []
    for key in ("within", "p95") if reference(claim) else ("bar", "tolerance", "coverage", "p95"):
        value = number(claim, key)
        if value is not None:
            words += [f"--{key}", "max" if key == "coverage" and value == 0 else f"{value:g}"]
    words += ["--finite"] if finite(claim) else []
    words += ["--quick"] if "way_down=None" in string(told, "rule") else []
    own = [n for n in names if n not in BUILT_IN]
    note = join(["Put in place of ", join([code(n) for n in own], ", "), " where they come from: my.py:function."])
    return shlex.join(words), note if own else None


def _footer(decision: Record) -> Html:
    claim = part(decision, "claim")
    n = number(claim, "n")
    kind = "test cases" if claim.get("open") is True else "sealed test cases"
    sealed = f"the {n:,.0f} {kind}" if n is not None else f"the {kind}"
    return el(
        "p",
        f"Shown are dev cases with their texts. Of {sealed} nothing is shown but counts and verdicts: a case that "
        "was looked at can no longer support a claim. Figures on dev guided the choice; only the sentence on top is "
        "claimed.",
    )


def eval_page(report: Record, programs: Sequence[Node] = (), traced_in: TracedIn = NOWHERE) -> str:
    """The page of an evaluation, as `Report.to_json` or the store's `Report.to_record` has it: score, errors, latency,
    the graph of a program (`traced_in` as for `page`), confusion, failures."""
    task, split = string(report, "task"), string(report, "split")
    name = clipped(string(report, "solution") or "the solution", 80)
    found = _evaluated(report)
    kicker = join([f"Evaluation on {split or 'dev'} cases of ", code(clipped(task, 80)) if task else "a task"])
    top = hero(kicker, "", score_sentence(report, name), _eval_facts(report, found.seconds), [])
    sections = [_score_picture(report, name), repeats_section(report)]
    if split == "test":  # sealed: whatever a recording holds, no text of it is shown
        footer = el("p", "These cases are sealed: nothing but counts is shown.")
        return document(f"{name} on {task} · Suffice", top, sections, footer)
    n = count(report, "n")
    sections += [
        _errors(found, calls_of(report)),
        program_section(programs, (), traced_in),
        _confusion(found.pairs, name),
    ]
    sections += [_failures(found.wrong, found.wrong_total, name, counted(n, f"{split or 'dev'} case"))] if n else []
    footer = el(
        "p", f"Shown are {split or 'dev'} cases, which are for looking. A claim needs cases that nobody looked at."
    )
    return document(f"{name} on {task} · Suffice", top, sections, footer)


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """What a page shows of an evaluation beside its figures. `seconds`: median and 95th percentile of a call."""

    wrong: list[Record]
    wrong_total: int
    failed: list[Record]
    kinds: Counter[str]
    pairs: Counter[tuple[str, str]]
    seconds: list[float]


def _evaluated(report: Record) -> _Evaluated:
    if "cases" not in report:  # the store's record: the first failures, and everything counted
        kinds = {kind: n for kind, n in part(report, "error_kinds").items() if isinstance(n, int)}
        wrong, total = parts(report, "failures"), count(report, "failures_total")
        seconds = numbers(report.get("seconds"))
        return _Evaluated(wrong, total, parts(report, "failed"), Counter(kinds), _pairs(report), seconds)
    cases = parts(report, "cases")
    calls = [call for case in cases for call in call_rows(case)]
    failed = [c for c in calls if c.get("error")]
    wrong = [c for c in cases if not c.get("error") and c.get("answer") != {"abstain": True} and not _right(c)]
    pairs = _pairs({"confusion": confusion(map(said_in_row, cases))})
    times = sorted(t for c in calls if (t := number(c, "seconds")) is not None)
    seconds = [statistics.median(times), times[min(len(times) - 1, int(0.95 * len(times)))]] if times else []
    kinds = Counter(string(c, "error").partition(":")[0] for c in failed)
    return _Evaluated(wrong, len(wrong), failed, kinds, pairs, seconds)


def score_sentence(report: Record, name: str) -> str:
    """What an evaluation says in a sentence: the score with its interval and what it is of."""
    score, n = number(report, "score"), count(report, "n")
    if score is None:
        return f"`{name}` gave no answer to any of {n:,} cases, so its score is unknown."
    ends = numbers(report.get("interval95"))
    graded = count(report, "graded") if "graded" in report else n - count(report, "errors")  # an older report
    flattered = _flattered(report)
    among = " answered calls" if count(report, "errors") else ""
    each = " each time" if calls_of(report) > n else ""  # then a case is what is right, not a call
    right = f"{count(report, 'right'):,} of {graded:,}{'' if each else among} right{each}"
    if len(ends) != 2:
        return f"`{name}`: {right}; too few cases for an interval.{flattered}"
    return f"`{name}` scores {figure(score)} ({figure(ends[0])} to {figure(ends[1])} at 95%), {right}.{flattered}"


def _flattered(report: Record) -> str:
    """What a score is worth on cases that the solution was fitted on; "" where there is none."""
    fitted, left = count(report, "fitted"), part(report, "unfitted")
    if not fitted:
        return ""
    said = f" It was fitted on {fitted:,} of these cases, so that flatters"
    score = number(left, "score")
    if score is None:
        return f"{said}; none is left to judge it by."
    return f"{said}: of the other {count(left, 'n'):,}, {count(left, 'right'):,} are right ({figure(score)})."


def _eval_facts(report: Record, seconds: list[float]) -> list[tuple[str, str, str]]:
    facts = [
        ("Cases", f"{count(report, 'n'):,}", "run"),
        ("Errors", f"{count(report, 'errors'):,}", "calls without an answer"),
    ]
    if count(report, "abstained"):
        facts.append(("Handed on", f"{count(report, 'abstained'):,}", "cases"))
    if len(seconds) == 2:
        facts.append(("Median", duration(seconds[0]), "for a call"))
        facts.append(("p95", duration(seconds[1]), "for a call"))
    cost = part(report, "cost")
    if number(cost, "usd") != 0 and count(cost, "n"):
        usd = number(cost, "usd")
        said = "unknown" if usd is None else _dollars(1000 * usd, cost.get("at_most"))
        facts.append(("Cost", said, "for 1,000 cases"))
    return facts


def _score_picture(report: Record, name: str) -> Html | None:
    score = number(report, "score")
    if score is None:
        return None
    ends = numbers(report.get("interval95"))
    interval = (ends[0], ends[1]) if len(ends) == 2 else None
    picture = el("div", strip(name, score, interval, [], "none"), axis_bottom(), class_="one-strip")
    said = "The mean score; the whisker is its 95% interval." if interval is not None else "The mean score."
    sure = clipped(string(report, "confidence_from"), 60)
    said += f" Its confidence: {sure}." if sure else ""
    return section("score", "The score", said, picture)


def _errors(found: _Evaluated, calls: int) -> Html | None:
    total = found.kinds.total()
    if not total:
        return None
    said = f"{total:,} of {calls:,} calls gave no answer: "
    said += ", ".join(f"{times:,} {kind}" for kind, times in found.kinds.most_common()) + "."
    if total > len(found.failed):
        said += f" {len(found.failed):,} of them were recorded."
    return section("errors", "Errors", said, failure_list(found.failed))


def _right(case: Record) -> bool:
    score = number(case, "score")
    return score is not None and score >= 1.0
