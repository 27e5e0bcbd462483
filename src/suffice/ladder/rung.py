"""Rungs: ways to get a solution from train and dev cases, each with what it costs to own."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from suffice.arguments import AnyPath, Count, NotNegative, Rule, Seed, check_fields, is_path, validated
from suffice.errors import SolutionError, UsageError
from suffice.evals.read import inside
from suffice.evals.searching import Search, Takes
from suffice.evals.task import Task
from suffice.ladder import words as training
from suffice.ladder.recording import read_recording, replay_solution
from suffice.programs.constant import constant_solution
from suffice.programs.identity import asks_around
from suffice.programs.load import find
from suffice.programs.solution import Confidence, Solution, from_function
from suffice.programs.using import model_configured
from suffice.programs.words import CALIBRATED, words_solution
from suffice.shown import brief, shown
from suffice.values import Answer, Case, Json, canonical, content_hash, to_json
from suffice.version import __version__

ASKING = ("prompt", "examples", "vote", "chain", "refine", "search")
"""Built-in rungs that ask a language model."""

BUILT_IN = ("constant", "rules", "words", "nearest", "patterns", *ASKING)
"""Names that mean a rung though a folder is called so, too: that is ./examples."""

Fit = Callable[[Task, Sequence[Case]], Awaitable[Solution]]
Folds = Annotated[int, Rule(lambda v: v >= 2, "a whole number of at least 2")]
Laps = Annotated[int, Rule(lambda v: v >= 12, "a whole number of at least 12")]
Samples = Annotated[int, Rule(lambda v: v >= 2, "at least 2 samples", "sf.rung.vote(step, n=5)")]
_STEP = Rule(
    lambda v: hasattr(v, "asking"),
    "a step",
    "put @sf.step above the async function; a function that asks no model is sf.rung.function(f)",
)
AnyStep = Annotated[Any, _STEP]
_MODEL = Rule(
    lambda v: v is None or isinstance(v, str) or hasattr(v, "gives_logprobs"),
    "the name of a model or an sf.Model",
    'proposer="openai:gpt-5"',
)
AnyModel = Annotated[Any, _MODEL]
OutOfFold = Callable[[Task, Sequence[Case]], Awaitable[list[Answer]]]


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to get a solution.

    `fit(task, cases)` makes it from labelled cases; `out_of_fold(task, cases)` answers each case by a solution that
    was fitted without it (and without its cluster), where the rung learns. `unsuited(task)` is the reason why it
    cannot be tried on this task, None where it can. `note` ends the decision sentence. `as_is`: it goes to test as it
    is, also where a coverage would allow a threshold on its confidence.
    """

    name: str
    fit: Fit
    identity: str = ""  # changes when what it makes may change
    learns: bool = False
    out_of_fold: OutOfFold | None = None
    unsuited: Callable[[Task], str | None] = lambda task: None
    note: str = ""
    family: tuple[Rung, ...] = ()
    as_is: bool = False
    claim: Mapping[str, Json] | None = None  # what was shown of a loaded bundle
    learned: frozenset[str] = frozenset()  # the cases that a loaded bundle was fitted on
    asks: bool = False  # it asks the model that holds when it is fitted
    model: str | None = None  # the address of the one that it says itself
    confidence_from: str | None = None  # of the answers out of fold; else its solution says it
    search: Search | None = None  # it finds its solution by asking on train; `fit` does the same outside of a climb
    takes: Callable[[Task], Takes] | None = None  # what that takes at most, where that is known; asks nothing
    as_typed: str = ""  # what it was made of in a command
    program: Any = None  # the function or program that it asks as it is; None where it makes its solution

    def __post_init__(self) -> None:
        check_fields(self)


def constant() -> Rung:
    """Always the most frequent expected answer of the cases it is fitted on."""

    def unsuited(task: Task) -> str | None:
        return None if task.train else "there are no train cases to count answers in"

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        counted = Counter(canonical(to_json(c.expected)) for c in cases)
        common = max(sorted(counted), key=lambda text: counted[text])
        return constant_solution(next(c.expected for c in cases if canonical(to_json(c.expected)) == common))

    return Rung("constant", fit, identity="constant", learns=True, unsuited=unsuited)


@validated
def words(name: str = "words", *, folds: Folds = 5, seed: Seed = 0) -> Rung:
    """A linear model over word and character n-grams, calibrated out of fold; for labels and choices."""
    from suffice.ladder.learning import Trained, learning, no_labels, texts_of  # it makes rungs

    def train(task: Task, cases: Sequence[Case]) -> Trained:
        labels, groups = [c.expected for c in cases], [c.cluster for c in cases]
        fitted = training.fit_words(texts_of(task, cases), labels, groups, seed, folds)
        return Trained(words_solution(name, fitted.model, task.columns.inputs), fitted.out_of_fold)

    return learning(name, content_hash(["words", __version__, folds, seed]), train, no_labels, CALIBRATED)


@validated
def rules(name: str = "rules", *, file: AnyPath | None = None, folds: Folds = 5, seed: Seed = 0) -> Rung:
    """An ordered list of readable rules, learned for labels and choices; those in `file` as they are
    (`ladder.rules`)."""
    from suffice.ladder import rules as learning  # it makes rungs

    return learning.rules(name, folds=folds, seed=seed) if file is None else learning.rules_of_file(file, name)


@validated
def nearest(name: str = "nearest", *, folds: Folds = 5, seed: Seed = 0) -> Rung:
    """The answer of the most similar cases, whatever its kind (`ladder.nearest`)."""
    from suffice.ladder import nearest as learning

    return learning.nearest(name, folds=folds, seed=seed)


@validated
def patterns(name: str = "patterns", *, file: AnyPath | None = None, folds: Folds = 5, seed: Seed = 0) -> Rung:
    """Readable rules that take the fields of an answer out of a text; those in `file` as they are
    (`ladder.patterns`)."""
    from suffice.ladder import patterns as learning

    return learning.patterns(name, folds=folds, seed=seed) if file is None else learning.patterns_of_file(file, name)


@validated
def function(solution: Any, name: str | None = None) -> Rung:
    """A solution that needs no fitting: a function, a route, or a loaded bundle."""
    made, asks = from_function(solution, name), asks_around(solution)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return from_function(solution, name) if asks else made  # with the model that holds by then

    # A route was given its thresholds by a decision, and is known to the ledger with them.
    as_is = bool(made.members)
    return Rung(
        made.name,
        fit,
        made.identity,
        as_is=as_is,
        claim=made.claim,
        learned=made.learned,
        asks=asks,
        program=solution,
    )


@validated
def replay(path: AnyPath, column: str | None = None, name: str | None = None) -> Rung:
    """Answers, or right and wrong, recorded elsewhere, by case: a CSV or JSONL file, or a run of another tool.

    Rows name their case by `id`, or by the task's input columns. `column` chooses what to read: a column of answers,
    or of scores (0/1, true/false, right/wrong); without it, the usual names. Of a tool's run it is a solution, a score
    or `answer`. Raises DataError with file and line, UsageError where a run has several solutions and none is named.
    """
    from suffice.ladder import replayed  # it makes rungs

    runs = replayed.rungs_of(path, column)
    if runs is not None:
        if len(runs) > 1:
            names = ", ".join(r.name for r in runs)
            raise UsageError(f"{path} has several solutions: {names}", hint=f"name one: replay:{path}#{runs[0].name}")
        return replace(runs[0], name=name or runs[0].name)
    recording = read_recording(path, column)

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        everything = (*task.train, *task.dev, *task.sealed())
        return replay_solution(recording, everything, task.columns.inputs, name)

    label = name or column or Path(path).stem
    identity = content_hash(["replay", recording.column, [row for _, row in recording.rows]])
    return Rung(label, fit, identity=identity, note="as recorded; valid only if nobody tuned on these cases")


@validated
def family(name: str, *variants: Any) -> Rung:
    """One rung with several variants: the best of them on dev goes on, so that trying more of them costs no alpha."""
    rungs = tuple(as_rung(v) for v in variants)
    if len(rungs) < 2:
        raise UsageError(
            f"the family {shown(name)} needs at least two variants", hint='sf.rung.family("prompts", one, other)'
        )

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        raise SolutionError(f"{name} is a family: race it on dev first", hint="suffice climb")

    def unsuited(task: Task) -> str | None:
        reasons = [r.unsuited(task) for r in rungs]
        return None if None in reasons else reasons[0]

    identity = content_hash(["family", [r.identity for r in rungs]])
    learns, asks = any(r.learns for r in rungs), any(r.asks for r in rungs)
    learned = frozenset[str]().union(*(r.learned for r in rungs))
    return Rung(name, fit, identity, learns=learns, unsuited=unsuited, family=rungs, asks=asks, learned=learned)


@validated
def prompt(name: str = "prompt", *, confidence: Confidence | None = None) -> Rung:
    """Zero-shot: a prompt made from the task alone; `confidence` is "logprobs", "self-check" or none
    (`prompting.prompt`)."""
    from suffice.ladder import prompting  # what calls a model is heavy

    return prompting.prompt(name, confidence=confidence)


@validated
def step(base: AnyStep, *, confidence: Confidence | None = None, name: str | None = None) -> Rung:
    """A step as it is, where it needs a confidence; a step alone is a rung without (`prompting.step`)."""
    from suffice.ladder import prompting

    return prompting.step(base, confidence=confidence, name=name)


@validated
def examples(
    base: AnyStep | None = None, *, k: Count = 8, confidence: Confidence | None = None, name: str = "examples"
) -> Rung:
    """Few-shot: the `k` train cases most like an input stand before it (`prompting.examples`)."""
    from suffice.ladder import prompting

    return prompting.examples(base, k=k, confidence=confidence, name=name)


@validated
def vote(base: AnyStep | None = None, *, n: Samples = 5, temperature: NotNegative = 0.7, name: str = "vote") -> Rung:
    """Self-consistency: `n` samples, the commonest answer, its share as confidence (`prompting.vote`)."""
    from suffice.ladder import prompting

    return prompting.vote(base, n=n, temperature=temperature, name=name)


@validated
def chain(base: AnyStep | None = None, *, name: str = "chain") -> Rung:
    """The model reasons in one call and answers in a second (`prompting.chain`). A chain of your own steps is a rung as
    it is: `sf.workflow.chain(…)`."""
    from suffice.ladder import prompting

    return prompting.chain(base, name=name)


@validated
def refine(base: AnyStep | None = None, *, most: Count = 1, name: str = "refine") -> Rung:
    """The model answers, checks that, and answers again where it finds a fault (`prompting.refine`)."""
    from suffice.ladder import prompting

    return prompting.refine(base, most=most, name=name)


@validated
def search(
    base: AnyStep | None = None,
    *,
    variants: Count = 6,
    sets: Seed = 3,
    k: Count = 4,
    cases: Laps = 48,
    proposer: AnyModel = None,
    seed: Seed = 0,
    name: str = "search",
) -> Rung:
    """A prompt searched on train: instructions that a model proposes, and sets of examples (`prompting.search`)."""
    from suffice.ladder import prompt_search, prompting

    bounds = prompt_search.Bounds(variants, sets, k, cases, seed)
    return prompting.search(base, bounds, proposer=proposer, name=name)


@validated
def dspy(program: Any = None, *, optimizer: str = "BootstrapFewShot", name: str = "dspy", **options: Any) -> Rung:
    """A prompt that an optimizer of DSPy, with its options, finds on train by the task's grader; needs
    `suffice[dspy]` (`dspy_adapter`)."""
    from suffice.ladder import dspy_adapter, prompting

    return prompting.dspy(dspy_adapter.Compiling(program, optimizer, options), name)


@validated
def as_rung(thing: Any) -> Rung:
    """A rung as it is; anything else that can be called, as a rung that needs no fitting."""
    if isinstance(thing, Rung):
        return thing
    if hasattr(thing, "as_solution"):  # its model is settled when the climb begins, and may be missing
        from suffice.ladder import prompting

        return prompting.step(thing) if hasattr(thing, "asking") else prompting.program(thing)
    return function(thing)


@validated
def proposed(task: Task, folder: Path | None = None) -> list[Rung]:
    """The ladder for a task: its own (`ladder = [...]` in task.toml), else the built-in rungs that suit it.

    A prompt is always among them: without a model it is not tried, and the climb says what configures one.
    """
    if task.ladder:
        return [from_name(name, folder) for name in task.ladder]
    asking = [prompt(), examples()] if model_configured() else []
    # `nearest` only on request: on labels it is close to `words`, and each more rung that nearly suffices costs a try.
    ladder = [r for r in (constant(), rules(), words(), patterns(), *asking) if r.unsuited(task) is None]
    return [*ladder, prompt()] if ladder and not asking else ladder


LEARNING = {"words": words, "rules": rules, "nearest": nearest, "patterns": patterns}
"""Built-in rungs that learn, by name."""


@validated
def from_text(text: str, path: Path | None = None, *, model: str | None = None) -> Rung:
    """A rung as typed in a command: a rung's name, a bundle folder, or `my.py:name`, `package.module:name` of a
    function or a rung.

    `path` is the task's file or folder: recordings are looked for in a folder first. `model` is asked in place of a
    bundle's own (`find`). Raises UsageError, SolutionError.
    """
    if text.startswith(("replay:", "rules:", "patterns:")):
        file = text.partition(":")[2].partition("#")[0]
        found = from_name(text, path if path is not None and is_path(file) and (path / file).is_file() else None)
    elif text in BUILT_IN or (":" not in text and not (is_path(text) and Path(text).exists())):
        found = from_name(text)
    else:
        found = as_rung(find(text, model=model))
    return replace(found, as_typed=text)


@validated
def from_name(name: str, folder: Path | None = None) -> Rung:
    """A rung by its name in a command or task.toml: `constant`, `words`, `rules:FILE`, `replay:FILE#COLUMN`.

    With a `folder`, the file must lie in it: a task folder from elsewhere reads no other. Raises UsageError, DataError.
    """
    kind, _, rest = name.partition(":")
    if name == "constant":
        return constant()
    if name in LEARNING:
        return LEARNING[name]()
    if name in ASKING:
        asking = {"prompt": prompt, "examples": examples, "vote": vote, "chain": chain, "refine": refine}
        return {**asking, "search": search}[name]()
    if kind in ("rules", "patterns") and rest:
        return {"rules": rules, "patterns": patterns}[kind](file=inside(folder, rest) if folder is not None else rest)
    if kind == "replay" and rest:
        path, _, column = rest.partition("#")
        return replay(inside(folder, path) if folder is not None else path, column or None)
    if folder is not None and ":" in name:
        raise UsageError(
            f"a ladder in task.toml names built-in rungs and its own files, not {brief(name)}: "
            "a task folder runs no code",
            hint=f"put functions on the command line: suffice climb {folder} words {shown(name)}",
        )
    near = difflib.get_close_matches(name, [*BUILT_IN, "replay"], n=1)
    raise UsageError(
        f"there is no rung called {brief(name, 100)}",
        hint=(f"did you mean {near[0]}? " if near else "")
        + f"Rungs: {', '.join(BUILT_IN)}, rules:FILE, patterns:FILE, "
        "replay:FILE[#COLUMN], a bundle folder, or your own function as my.py:triage",
    )
