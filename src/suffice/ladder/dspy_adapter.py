"""DSPy's optimizers as a search on train: one DSPy predictor is compiled, and its instruction and examples are a step.

DSPy asks through Suffice's own model call, so that budget, policy, limits and journal hold for what it asks, and a
compilation that was interrupted is paid once. Its own cache and retries are off; an equal request is the same reply,
so more rounds at another temperature differ only where DSPy asks otherwise.

What becomes of the result: Suffice asks in its own form, not in DSPy's, so what a prompt scored there is not what it
scores here; dev shows what it does. A program of several predictors, or one with more outputs than the answer (a
ChainOfThought), is no single prompt, cannot be saved as one, and is refused before anything is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from suffice.errors import MissingExtra, SolutionError, UsageError
from suffice.evals.grading import graded
from suffice.evals.searching import Searched, SearchRun
from suffice.evals.task import Task
from suffice.exchange import Message, Role
from suffice.ladder.prompt_search import Bounds, halves
from suffice.models.model import Model
from suffice.programs.learned import learned_from
from suffice.programs.prompt import Example
from suffice.programs.solution import ENDS_ALL, describe
from suffice.programs.step_solution import Asking, named, step_solution, written
from suffice.programs.threads import in_thread
from suffice.shown import brief, counted, listed
from suffice.values import Answer, Case, canonical, content_hash, to_json

EXTRA: Final = "pip install 'suffice[dspy]'"
ROLES: Final[Mapping[str, Role]] = {"user": "user", "assistant": "assistant", "developer": "system", "tool": "user"}
"""DSPy's roles in a prompt of texts."""


@dataclass(frozen=True, slots=True)
class Compiling:
    """What is compiled, None: a predictor made from the task, and by which optimizer, with what options."""

    program: Any
    optimizer: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def identity(self) -> str:
        """Changes when another program is compiled, or otherwise."""
        given = None if self.program is None else _predictors(installed(), self.program)
        said = [[p.signature.instructions, list(p.signature.fields), repr(p.demos)] for p in given or ()]
        return content_hash([type(self.program).__name__, said, self.optimizer, repr(sorted(self.options.items()))])


def installed() -> Any:
    """The module `dspy`. Raises MissingExtra, also for one that is too old to ask through us."""
    try:
        found = importlib.import_module("dspy")
        importlib.import_module("dspy.lm15")
    except ImportError:
        raise MissingExtra("DSPy's optimizers need DSPy 3.4 or newer", hint=EXTRA) from None
    return found


def optimizer_class(name: str) -> Any:
    """DSPy's optimizer called `name`. Raises UsageError, MissingExtra."""
    found = getattr(installed(), name, None)
    if not (isinstance(found, type) and hasattr(found, "compile")):
        raise UsageError(f"DSPy has no optimizer {brief(name)}", hint='optimizer="BootstrapFewShot", or "MIPROv2"')
    return found


def not_one_prompt(task: Task, program: Any) -> str | None:
    """The reason why `program` cannot become a step for this task, None where it can."""
    columns = task.columns.inputs
    if not all(name.isidentifier() for name in columns):
        return f"DSPy names fields as Python does, and the inputs here are {listed(columns)}: rename the columns"
    if program is None:
        return None
    predictors = _predictors(installed(), program)
    if len(predictors) != 1:
        return f"a program of {counted(len(predictors), 'predictor')} cannot be saved as one prompt: climb a function"
    asked = predictors[0].signature
    if len(asked.output_fields) != 1:
        said = f"it answers with {listed(asked.output_fields)}, and a step with the answer alone"
        return f"{said}: dspy.Predict of the answer, or the rung `chain` for a model that reasons first"
    if set(asked.input_fields) != set(columns):
        return f"its inputs are {listed(asked.input_fields)}, and those of the task {listed(columns)}"
    return None


async def compiled(asking: Asking, output: Any, compiling: Compiling, task: Task, run: SearchRun) -> Searched:
    """The step with what DSPy found for it on train. `output` is the type of the answer, for a program made from the
    task. Raises SolutionError where DSPy fails, and what ends every call alike, as a spent budget."""
    dspy, by = installed(), compiling.optimizer
    run.tell(f"what DSPy's {by} asks is not known beforehand; a budget holds for it (--budget)")
    module = _module(dspy, compiling.program or _signature(dspy, asking, output))
    cases = halves(task, Bounds(cases=len(task.train)))
    engine = _Engine(dspy.lm15, asking.model, asyncio.get_running_loop())
    found, fault = None, None
    try:
        found = await in_thread(lambda: _run(dspy, module, engine, compiling, task, cases))
    except Exception as error:
        fault = error
    finally:
        engine.closed = True
    if engine.ended is not None:  # DSPy takes it for one failed example
        raise engine.ended
    if found is None:
        hint = EXTRA if isinstance(fault, ImportError) else "try another optimizer, or its options"
        raise SolutionError(f"DSPy's {by} failed: {describe(fault or TypeError(by))}", hint=hint) from fault
    predictor = found.predictors()[0]
    shows = _examples(predictor, asking.prompt.inputs)
    prompt = replace(asking.prompt, instruction=str(predictor.signature.instructions), examples=shows)
    solution = step_solution(replace(asking, prompt=prompt))
    note = f"DSPy's {by}: {counted(len(shows), 'example')}; {counted(engine.calls, 'call')} on train"
    return Searched(learned_from(solution, (c.key for half in cases for c in half)), engine.calls, note)


def _module(dspy: Any, program: Any) -> Any:
    return program if isinstance(program, dspy.Module) else dspy.Predict(program)


def _predictors(dspy: Any, program: Any) -> list[Any]:
    try:
        return list(_module(dspy, program).predictors())
    except (TypeError, ValueError, AttributeError, SyntaxError) as error:
        hint = "a signature as 'ticket -> team', a dspy.Signature, or a dspy.Module"
        raise UsageError(f"{brief(program)} is no DSPy program: {describe(error)}", hint=hint) from None


def _signature(dspy: Any, asking: Asking, output: Any) -> Any:
    given = {name: (str, dspy.InputField()) for name in asking.prompt.inputs}
    name = next(n for n in ("answer", "output", "the_answer") if n not in given)
    return dspy.Signature({**given, name: (output, dspy.OutputField())}, asking.prompt.instruction)


def _run(
    dspy: Any, module: Any, engine: _Engine, compiling: Compiling, task: Task, cases: Sequence[Sequence[Case]]
) -> Any:
    """Compile, on a thread. What DSPy prints goes to stderr, because stdout may be a command's data."""
    kind = optimizer_class(compiling.optimizer)
    (output,) = module.predictors()[0].signature.output_fields
    names = task.columns.inputs
    sets = [[_example(dspy, c, names, output) for c in half] for half in cases]
    takes = inspect.signature(kind).parameters
    scoring = {"metric": _metric(task, [c for half in cases for c in half], output)} if "metric" in takes else {}
    validates = "valset" in inspect.signature(kind.compile).parameters
    given = {"trainset": sets[0], "valset": sets[1]} if validates else {"trainset": [*sets[0], *sets[1]]}
    lm = dspy.LM("suffice/model", engine=engine, cache=False, num_retries=0)
    with contextlib.redirect_stdout(sys.stderr), dspy.context(lm=lm):
        return kind(**scoring, **compiling.options).compile(module, **given)


def _example(dspy: Any, case: Case, names: tuple[str, ...], output: str) -> Any:
    return dspy.Example(**named(case.inputs, names), **{output: case.expected}).with_inputs(*names)


def _metric(task: Task, cases: Sequence[Case], output: str) -> Callable[..., float | bool]:
    """The task's grader as DSPy calls one: right or wrong where a trace is collected, else the score."""
    names = task.columns.inputs
    known = {canonical([named(c.inputs, names), to_json(c.expected)]): c for c in cases}

    def metric(gold: Any, pred: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None) -> float | bool:
        case = known[canonical([{name: gold[name] for name in names}, to_json(gold[output])])]
        score = graded(task.grader, Answer(written(getattr(pred, output, None))), case).value
        return score if task.grader.graded and trace is None else score >= 1.0

    return metric


def _examples(predictor: Any, names: tuple[str, ...]) -> tuple[Example, ...]:
    """The examples that a predictor shows; one that lacks a field is none."""
    (output,) = predictor.signature.output_fields
    demos = [{**demo} for demo in predictor.demos]
    whole = [demo for demo in demos if all(demo.get(name) is not None for name in names) and output in demo]
    return tuple(Example({name: written(demo[name]) for name in names}, written(demo[output])) for demo in whole)


class _Engine:
    """DSPy's way to the model. Its calls run on the loop of the search, in the search's context, whichever thread
    asks; what ends every call alike is kept in `ended` and ends the rest."""

    def __init__(self, lm15: Any, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self.lm15, self.model, self.loop = lm15, model, loop
        self.context = contextvars.copy_context()
        self.calls = 0
        self.closed = False
        self.ended: Exception | None = None

    def complete(self, request: Any) -> Any:
        """The reply to one request, as DSPy has requests and replies."""
        if self.ended is not None or self.closed:
            raise self.ended or SolutionError("the search that DSPy asks for is over")
        self.calls += 1
        waiting = self.context.copy().run(asyncio.run_coroutine_threadsafe, self._ask(request), self.loop)
        try:
            text = waiting.result()
        except ENDS_ALL as error:
            self.ended = error
            raise
        made = self.lm15
        said = made.Message.assistant(text or " ")
        return made.Response(id=None, model="model", message=said, finish_reason="stop", usage=made.Usage())

    def stream(self, request: Any) -> Any:
        """The same in parts."""
        return self.lm15.response_to_events(self.complete(request))

    def close(self) -> None:
        """Nothing is held open."""

    async def _ask(self, request: Any) -> str:
        config, told = request.config, request.system
        system = told if isinstance(told, str | None) else "".join(part.text for part in told)
        turns = [Message("system", system)] if system else []
        for turn in request.messages:
            if turn.text is None:
                raise SolutionError("DSPy asks with what is no text", hint="a program of texts")
            turns.append(Message(ROLES[turn.role], turn.text))
        said = {"temperature": config.temperature, "max_output_tokens": config.max_tokens, "stop": config.stop or None}
        options: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        return (await self.model(turns, **options)).text
