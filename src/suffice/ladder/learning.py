"""What rungs that learn have in common: one training gives the solution and the answers out of fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from suffice.evals.task import Task
from suffice.ladder.rung import Rung
from suffice.programs.solution import Solution
from suffice.programs.text_solution import text_of
from suffice.programs.threads import in_thread
from suffice.values import Answer, Case, canonical, content_hash, to_json


@dataclass(frozen=True, slots=True)
class Trained:
    """A solution that learned from cases, and for each of them the answer of one that saw neither it nor its
    cluster."""

    solution: Solution
    out_of_fold: tuple[Answer, ...]


def learning(
    name: str,
    identity: str,
    train: Callable[[Task, Sequence[Case]], Trained],
    unsuited: Callable[[Task], str | None],
    confidence_from: str,
) -> Rung:
    """The rung over `train`, which is called once for the same cases."""
    last: dict[str, Trained] = {}

    def trained(task: Task, cases: Sequence[Case]) -> Trained:
        key = content_hash([[c.inputs, to_json(c.expected), c.cluster] for c in cases])
        if key not in last:
            last.clear()
            last[key] = train(task, cases)
        return last[key]

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return (await in_thread(lambda: trained(task, cases))).solution

    async def out_of_fold(task: Task, cases: Sequence[Case]) -> list[Answer]:
        return list((await in_thread(lambda: trained(task, cases))).out_of_fold)

    return Rung(
        name,
        fit,
        identity,
        learns=True,
        out_of_fold=out_of_fold,
        unsuited=unsuited,
        confidence_from=confidence_from,
    )


def texts_of(task: Task, cases: Sequence[Case]) -> list[str]:
    """The text of each case, as the solution will read it."""
    return [text_of(case.inputs, task.columns.inputs) for case in cases]


def no_labels(task: Task) -> str | None:
    """The reason against choosing among labels: answers of another kind, or all the same; else None."""
    if task.kind not in ("label", "choice"):
        return f"it chooses among labels, and this task's answers are of kind {task.kind}"
    return one_answer(task)


def one_answer(task: Task) -> str | None:
    """The reason against learning where every train and dev case has the same answer, else None."""
    if len({canonical(to_json(c.expected)) for c in (*task.train, *task.dev)}) < 2:
        return "every train and dev case has the same answer"
    return None
