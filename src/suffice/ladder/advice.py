"""Advice: rules of thumb over an evaluation's dev failures, each with its evidence and the next command to type."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from suffice.ladder.advice_groups import Failures, Group, Row, Word, failures_of, group
from suffice.ladder.noise import Noise, noise_lines
from suffice.ladder.rung import ASKING
from suffice.shown import counted
from suffice.values import Json, canonical, to_json

SURE: Final = 0.8  # a rung's confidence from which a route could let it answer
PART: Final = 0.2  # the share of cases that it must then answer
MANY: Final = 0.1  # the share of cases handed on, or of failures that fail alike, from which it is worth a word
KEPT: Final = 0.8  # the share of the surest answers that is looked at, at most
BETTER: Final = 0.05  # by how much more often these must be right
LEAST: Final = 20  # answers with a confidence, to speak of it
FEW: Final = 3  # cases of one pair or word from which it is worth a word
SHOWN: Final = 3  # cases named in a line


@dataclass(frozen=True, slots=True)
class Advice:
    """What to try next: `n` of `of` cases speak for it, those in `cases` ("tickets.csv:17"), by the rule `rule` of
    docs/advise.md; `command` is what to type."""

    rule: str
    text: str
    n: int
    of: int
    cases: tuple[str, ...]
    command: str

    def to_json(self) -> dict[str, Json]:
        """As `suffice advise --json` has it."""
        return {**asdict(self), "cases": list(self.cases)}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One evaluation on dev: its report with cases, what is typed for its task and for its solution."""

    report: Mapping[str, Any]
    task: str  # with its flags, quoted
    solution: str
    claim: str = ""  # " --bar .9" where the task says no bar
    failures: Failures = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "failures", failures_of(self.report["cases"]))

    @property
    def rows(self) -> Sequence[Row]:
        """Every case."""
        return self.report["cases"]

    @property
    def asks(self) -> bool:
        """Whether it calls a model, as far as its cost tells."""
        return self.report["solution"] in ASKING or (bool(self.report.get("cost")) and not self.report.get("free"))

    def climb(self, *rungs: str, more: str = "") -> str:
        """The command that climbs these rungs on dev."""
        return f"suffice climb {self.task} {' '.join(rungs)}{self.claim}{more} --dev"

    def eval(self, solution: str = "", more: str = "") -> str:
        """The command that evaluates a solution."""
        return f"suffice eval {self.task} {solution or self.solution}{more}"


def advice_of(done: Evaluated, noise: Noise) -> list[Advice]:
    """What is worth trying next, in the order of docs/advise.md; nothing where nothing fails. Sealed cases have no
    part in it."""
    if done.failures.n == len(done.failures.right):
        return []
    every = (*_calls(done), *_labels(done, noise), *_easier(done, noise), *_handing_on(done, noise))
    return [*every, *_surest(done), *_alike(done), *_harder(done, noise)]


def _calls(done: Evaluated) -> Iterator[Advice]:
    what = {g.what: g for g in done.failures.calls}
    for kind in ("endpoint not reached", "refused by the endpoint"):
        if kind in what:
            yield _by(what[kind], "set-up", f"{kind}: mend that first, no case is to blame", "suffice models")
    if "time-out" in what:
        text = "calls ran out of time: allow more, or make the solution faster"
        yield _by(what["time-out"], "time-outs", text, done.eval(more=" --timeout 240"))
    if "invalid output" in what:
        text = "answers of the wrong form: see what came back, and say the form in the answer's type"
        yield _by(what["invalid output"], "invalid output", text, _view(done))


def _labels(done: Evaluated, noise: Noise) -> Iterator[Advice]:
    others = {s.case.id: [o for o in s.said if o.by != _name(done)] for s in noise.suspects}
    said = {name: {_key(o.answer.value) for o in those} for name, those in others.items()}
    wrong = done.failures.wrong
    same = [r for r in wrong if canonical(r["answer"]) in said.get(str(r["id"]), ())]
    if same:
        text = "every rung that learns misses these, too, one with the same answer: check their labels first"
        yield _by(group("", same, len(wrong)), "labels", text, done.eval())


def _easier(done: Evaluated, noise: Noise) -> Iterator[Advice]:
    """The rung that learns which does as well as this solution, or that could answer part of the cases before it.

    A solution that learns is compared by its own answers out of fold: both then learn from equally many cases.
    """
    same = noise.answers(_name(done))
    own = {i for i, said in same.items() if said.right} or {str(r["id"]) for r in done.failures.right}
    ids = [str(r["id"]) for r in done.rows]
    best: tuple[int, Advice] | None = None
    for witness in noise.witnesses:
        name, said = witness.name, noise.answers(witness.name)
        known = [i for i in ids if i in said]
        right = [i for i in known if said[i].right]
        if name == done.report["solution"] or not known:
            continue
        mine = sum(i in own for i in known)
        if len(right) >= mine:
            saves = [r for r in done.rows if str(r["id"]) in right and str(r["id"]) not in own]
            text = (
                f"{name} is right in {len(right)} of these {len(known)} dev cases out of fold, {_name(done)} in {mine}"
            )
            if not saves:
                continue
            found = Advice("easier rung", text, len(saves), len(known) - mine, _of(saves), done.climb(name))
            best = max(best or (0, found), (len(right), found), key=lambda b: b[0])
            continue
        sure = [i for i in known if (said[i].answer.confidence or 0.0) >= SURE]
        hits, theirs = sum(said[i].right for i in sure), sum(i in own for i in sure)
        if best is None and hits >= theirs and len(sure) >= PART * len(known):
            rows = [r for r in done.rows if str(r["id"]) in sure]
            text = f"where {name} is sure ({SURE:g} and more), it is right in {hits} of {len(sure)}, {_name(done)} in "
            text += f"{theirs}: let it answer those and hand on the rest"
            found = Advice("route", text, len(sure), len(known), _of(rows), done.climb(name, done.solution))
            best = (0, found)
    if best is not None:
        yield best[1]


def _handing_on(done: Evaluated, noise: Noise) -> Iterator[Advice]:
    held, failures = done.failures.handed_on, done.failures
    if len(held) >= MANY * failures.n:
        said = {w.name: noise.answers(w.name) for w in noise.witnesses if w.name != done.report["solution"]}
        right = {name: sum(i in of and of[i].right for i in (str(r["id"]) for r in held)) for name, of in said.items()}
        name = max(right, key=lambda n: right[n], default="")
        heard = bool(name) and 2 * right[name] >= len(held)
        text = "handed on: a harder rung behind it could answer these"
        text += f" ({name} has {right[name]} of these {len(held)} right out of fold)" if heard else ""
        command = done.climb(done.solution, name if heard else "prompt")
        yield Advice("handed on", text, len(held), failures.n, _of(held), command)


def _surest(done: Evaluated) -> Iterator[Advice]:
    """Answering only where the solution is sure, where its confidence tells right from wrong."""
    right, wrong = done.failures.right, done.failures.wrong
    answered = (*right, *wrong)
    if len(answered) < LEAST or not wrong or any(r.get("confidence") is None for r in answered):
        return
    most = int(KEPT * len(answered))
    after = sorted((r["confidence"] for r in answered), reverse=True)[most]
    least = min((r["confidence"] for r in answered if r["confidence"] > after), default=None)  # equals go together
    if least is None:
        return
    kept, rest = sum(r["confidence"] >= least for r in answered), [r for r in wrong if r["confidence"] < least]
    hits = sum(r["confidence"] >= least for r in right)
    if kept < PART * len(answered) or hits / kept < len(right) / len(answered) + BETTER:
        return
    text = f"{hits} of the {kept} answers with confidence {least:.2f} and more are right, {len(right)} of all "
    text += f"{len(answered)}: hand the others on to a person"
    command = done.climb(done.solution, more=f" --coverage {kept / done.failures.n:.2f}".replace(" 0.", " ."))
    yield Advice("coverage", text, len(rest), len(wrong), _of(rest), command)


def _alike(done: Evaluated) -> Iterator[Advice]:
    """The pair, field or word that many wrong answers share."""
    wrong = len(done.failures.wrong)
    for rule, groups in (("pair", done.failures.pairs), ("field", done.failures.fields)):
        if groups and groups[0].n >= max(FEW, MANY * wrong):
            how = (
                "say in the prompt how the two differ, or show examples of both" if done.asks else "see what they share"
            )
            if rule == "field":
                how = "this field fails most often"
            ask = rule == "pair" and done.asks and done.report["solution"] != "examples"
            yield _by(groups[0], rule, f"{groups[0].what}: {how}", done.eval("examples") if ask else _view(done))
    word = next(iter(done.failures.words), None)
    if word is not None and word.wrong >= max(FEW, MANY * wrong):
        text = f'"{word.word}" is {word.lift:.1f} times as frequent in wrong answers\' inputs ({word.right} of '
        text += f"{word.of_right} right ones have it): look at these side by side"
        yield Advice("word", text, word.wrong, word.of_wrong, word.cases, _view(done))


def _harder(done: Evaluated, noise: Noise) -> Iterator[Advice]:
    """Failures that no rung that learns gets right, either: the case for a harder rung."""
    said = {s.case.id: s for s in noise.ranked}
    failed = (*done.failures.wrong, *done.failures.handed_on)
    hard = [r for r in failed if str(r["id"]) in said and not any(s.right for s in said[str(r["id"])].said)]
    if not hard:
        return
    name = done.report["solution"]
    text = "not right in any rung that learns, either: "
    if name == "prompt":
        text, command = f"{text}examples before each input may help", done.eval("examples")
    elif done.asks:
        text, command = f"{text}a larger model may help", done.eval(more=" --model PROVIDER:LARGER")
    else:
        text, command = f"{text}a prompt may read what these do not", done.eval("prompt")
    yield _by(group("", hard, len(failed)), "harder rung", text, command)


def advice_lines(done: Evaluated, advice: Sequence[Advice], noise: Noise, most: int = 10) -> list[str]:
    """Everything in plain text: the groups, the possible label errors, then what to try next."""
    f = done.failures
    counts = f"{len(f.wrong)} wrong, {len(f.handed_on)} handed on, {len(f.failed)} without an answer"
    run = f" ({done.report['run']})" if done.report.get("run") else ""
    out = [f"{_name(done)} on {done.report['task']}, dev{run}: {len(f.right)} of {f.n} right, {counts}"]
    out += _section("wrong, by expected → answered", f.pairs)
    out += _section("wrong, by field", f.fields)
    out += ["words more frequent in the inputs of wrong answers (some are by chance):"] if f.words else []
    out += [_word_line(word) for word in f.words]
    out += _section("calls without an answer", f.calls)
    out += _section("handed on", f.abstained)
    out += noise_lines(noise, most)
    if not advice:
        return [
            *out,
            "nothing fails on dev: what is claimed is decided on the sealed cases",
            f"  next: {_decide(done)}",
        ]
    out.append("worth trying next (rules of thumb, none of them a claim):")
    for i, one in enumerate(advice, 1):
        out.append(f"  {i}. {one.text}")
        out.append(f"     evidence: {one.n} of {one.of}: {_named(one.cases)}")
        out.append(f"     next: {one.command}")
    return out


def _section(title: str, groups: Sequence[Group]) -> list[str]:
    lines = [f"  {g.n} of {g.of}  {g.what}  {_named(g.cases)}  | {g.example}" for g in groups]
    return [f"{title}:", *lines] if lines else []


def _word_line(w: Word) -> str:
    said = f'"{w.word}"  {w.wrong} of {w.of_wrong} wrong, {w.right} of {w.of_right} right, lift {w.lift:.1f}'
    return f"  {said}  {_named(w.cases)}"


def _named(cases: Sequence[str]) -> str:
    more = f" and {counted(len(cases) - SHOWN, 'more', 'more')}" if len(cases) > SHOWN else ""
    return ", ".join(cases[:SHOWN]) + more


def _by(found: Group, rule: str, text: str, command: str) -> Advice:
    return Advice(rule, text, found.n, found.of, found.cases, command)


def _of(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(str(r["source"]) for r in rows)


def _name(done: Evaluated) -> str:
    return str(done.report["solution"])


def _view(done: Evaluated) -> str:
    return f"suffice view {shlex.quote(str(done.report.get('run') or ''))}".rstrip(" '")


def _decide(done: Evaluated) -> str:
    return f"suffice climb {done.task} {done.solution}{done.claim}"


def _key(value: Any) -> str:
    return canonical(to_json(value))
