"""Label noise: train and dev cases whose expected answer the rungs that learn all miss, most suspicious first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from suffice.errors import DataError
from suffice.evals.task import Task
from suffice.ladder import rung
from suffice.ladder.rung import Rung
from suffice.shown import shown
from suffice.values import ABSTAIN, Answer, Case, Json, canonical, to_json

UNSURE: Final = 0.5  # what an answer without a confidence weighs


@dataclass(frozen=True, slots=True)
class Witness:
    """A rung that was asked: how many of `n` cases it answers as expected by a fit that did not see them."""

    name: str
    right: int
    n: int


@dataclass(frozen=True, slots=True)
class Said:
    """What one witness answered to one case, and whether that is as expected."""

    by: str
    answer: Answer
    right: bool


@dataclass(frozen=True, slots=True)
class Suspect:
    """One case with what every witness said of it, the most accurate one first. `score` in [-1, 1] is the confidence
    of that one, negative where it gave the expected answer."""

    case: Case
    score: float
    said: tuple[Said, ...]

    @property
    def missed_by_all(self) -> bool:
        """Whether every witness gave another answer than the expected one; one that handed on did not."""
        return all(not s.right and s.answer.value is not ABSTAIN for s in self.said)

    def to_json(self) -> dict[str, Json]:
        """As `suffice advise --json` has it."""
        said: list[Json] = [
            {"by": s.by, "answer": to_json(s.answer.value), "confidence": s.answer.confidence, "right": s.right}
            for s in self.said
        ]
        return {
            "id": self.case.id,
            "source": self.case.source,
            "inputs": self.case.inputs,
            "expected": to_json(self.case.expected),
            "score": self.score,
            "said": said,
        }


@dataclass(frozen=True, slots=True)
class Noise:
    """Every case, the most suspicious first, and who was asked. `left_out` says of each other rung why it was not."""

    ranked: tuple[Suspect, ...]
    witnesses: tuple[Witness, ...]
    left_out: Mapping[str, str]

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """The cases that every witness misses, the most suspicious first."""
        return tuple(s for s in self.ranked if self.witnesses and s.missed_by_all)

    def answers(self, name: str) -> dict[str, Said]:
        """What one witness said, by the id of the case."""
        return {s.case.id: said for s in self.ranked for said in s.said if said.by == name}


async def label_noise(task: Task, cases: Sequence[Case] | None = None, rungs: Sequence[Rung] | None = None) -> Noise:
    """Rank the cases of train and dev (or `cases`) by how likely their expected answer is wrong. None is changed.

    Each rung answers every case by a fit that saw neither it nor its cluster, with a calibrated confidence (as in
    confident learning, Northcutt et al. 2021, arXiv 1911.00068). Cases that all miss come first, then by `score`.
    Rungs that are right no more often than the commonest answer are left out. `rungs`: words, nearest, rules and
    patterns where they suit.

    Without a witness the ranking is empty. Raises what a Python grader raises.
    """
    asked = (*task.train, *task.dev) if cases is None else tuple(cases)
    left_out: dict[str, str] = {}
    heard: dict[str, list[Said]] = {}
    floor = Counter(canonical(to_json(c.expected)) for c in asked).most_common(1)[0][1] if asked else 0
    for made in rungs if rungs is not None else (rung.words(), rung.nearest(), rung.rules(), rung.patterns()):
        said = await _heard(task, asked, made)
        right = 0 if isinstance(said, str) else sum(s.right for s in said)
        if isinstance(said, str):
            left_out[made.name] = said
        elif right <= floor:
            left_out[made.name] = f"{right} of {len(asked)} right, no more than the commonest answer ({floor})"
        else:
            heard[made.name] = said
    if not heard:
        return Noise((), (), left_out)
    found = [Witness(name, sum(s.right for s in said), len(asked)) for name, said in heard.items()]
    witnesses = sorted(found, key=lambda w: -w.right)  # stable, as below: equals stay in their order
    said_by = [heard[w.name] for w in witnesses]
    suspects = [Suspect(case, _score(said[0]), tuple(said)) for case, *said in zip(asked, *said_by, strict=True)]
    # The most accurate alone orders better than a mean over all of them (bench/noise.py); the others narrow it down.
    ranked = sorted(suspects, key=lambda s: (not s.missed_by_all, -s.score))
    return Noise(tuple(ranked), tuple(witnesses), left_out)


def noise_lines(noise: Noise, most: int = 10) -> list[str]:
    """What was found, in plain text, with the first `most` suspects."""
    if not noise.witnesses:
        reasons = "; ".join(f"{name}: {why}" for name, why in noise.left_out.items())
        return [f"possible label errors: not looked for, no rung learned enough to say ({reasons})"]
    every = len(noise.ranked)
    by = ", ".join(f"{w.name} ({w.right} of {w.n} right)" for w in noise.witnesses)
    head = f"possible label errors: {len(noise.suspects)} of {every} train and dev cases, missed out of fold by {by}"
    out = [head + (f"; the {min(most, len(noise.suspects))} most suspicious:" if noise.suspects and most else "")]
    for suspect in noise.suspects[:most]:
        said = "; ".join(f"{s.by}: {shown(s.answer.value, 30)}{_sure(s.answer)}" for s in suspect.said)
        case = suspect.case
        out.append(f"  {case.source}  expected {shown(case.expected, 30)}  | {said}  | {shown(case.inputs)}")
    return out


async def _heard(task: Task, cases: Sequence[Case], made: Rung) -> list[Said] | str:
    """What a rung says of each case out of fold, or why it cannot be asked."""
    if task.grader.slow or task.grader.runs_code:
        return f"the grader {task.grader.name} runs something for every answer"
    reason = made.unsuited(task)
    if reason is not None or made.out_of_fold is None:
        return reason or "it does not learn, so nothing of it is out of fold"
    try:
        answers = await made.out_of_fold(task, cases)
    except DataError as error:
        return error.message
    return [Said(made.name, a, _right(task, a, c)) for a, c in zip(answers, cases, strict=True)]


def _right(task: Task, answer: Answer, case: Case) -> bool:
    return answer.value is not ABSTAIN and task.grader(answer, case).value >= 1.0


def _score(said: Said) -> float:
    if said.answer.value is ABSTAIN:
        return 0.0
    sure = UNSURE if said.answer.confidence is None else said.answer.confidence
    return -sure if said.right else sure


def _sure(answer: Answer) -> str:
    return "" if answer.confidence is None else f" {answer.confidence:.2f}".replace(" 0.", " .")
