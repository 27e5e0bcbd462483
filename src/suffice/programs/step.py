"""A step: a typed function whose body is a model call. Its docstring is the prompt, its annotation the answer."""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast, overload

from typing_extensions import Unpack

from suffice.arguments import Rule, check, is_path
from suffice.errors import UsageError
from suffice.exchange import Image, Reply
from suffice.models.model import Model
from suffice.models.options import CallOptions, checked
from suffice.models.output.typed import OutputType, output_type
from suffice.models.serving import serving
from suffice.programs.annotations import annotations_of
from suffice.programs.prompt import Example, Prompt, check_template, messages, shown, unasked
from suffice.programs.solution import Solution
from suffice.programs.step_solution import Asking, named, step_solution, written
from suffice.programs.using import model_for
from suffice.spans import span
from suffice.values import Answer, to_json

TEMPLATE: Final = Rule(
    lambda v: v is None or isinstance(v, str) or is_path(v), "a text, or the path of a file", 'template="prompt.j2"'
)

P = ParamSpec("P")
R = TypeVar("R")


class StepOptions(CallOptions, total=False):
    """What a step may say besides the options of a call: its model, and examples as (inputs, answer) pairs."""

    model: str | Model | None
    examples: typing.Sequence[tuple[Any, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[P, R]):
    """Called as its function is, it asks the model and gives an answer of the annotated type.

    `await step(x)` is the value, `await step.reply(x)` the whole Reply, `step.prompt(x)` what would be sent. A blank
    input never reaches a model: the answer is None where the type has it, else UsageError.
    """

    name: str
    signature: inspect.Signature
    asked: Prompt
    typed: OutputType
    output: Any
    options: Mapping[str, Any]
    said_model: str | Model | None = None
    function: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        model = self.said_model.name if isinstance(self.said_model, Model) else self.said_model
        return f"<Step {self.name}{f' on {model}' if model else ''}>"

    @property
    def __signature__(self) -> inspect.Signature:
        """Of its function, for whoever inspects it."""
        return self.signature

    @property
    def asks(self) -> bool:
        """Whether it says no model, and so asks the one that holds around its call."""
        return self.said_model is None

    @property
    def made_of(self) -> tuple[str, ...]:
        """What its identity hangs on, besides the model that holds where it says none."""
        options = {name: value for name, value in self.options.items() if name != "budget"}  # it changes as it is spent
        return tuple(map(repr, (self.asked, self.typed.spec_schema, self.said_model, options)))

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The answer. Raises NoModel, and what a call of the model raises."""
        return (await self.reply(*args, **kwargs)).value

    async def reply(self, *args: P.args, **kwargs: P.kwargs) -> Reply[R]:
        """The whole reply: value, usage in tokens, cost in US dollars, attempts. Raises as a call."""
        with serving(self.name), span(self.name, "step"):
            return cast("Reply[R]", await self.asking().reply(self._bound(args, kwargs)))

    async def answer_of(self, *given: Any) -> Answer:
        """The answer to inputs as a case has them, one value or a dict by name, or to several by their places. A blank
        input that has no answer is handed on (ABSTAIN). Raises as a call."""
        told = named(given[0], self.asked.inputs) if len(given) == 1 else self._bound(given, {})
        if unasked(told):
            return self.asking().of_blank(confident=False)
        ask = cast("Callable[..., Awaitable[Reply[R]]]", self.reply)
        return Answer((await ask(**told)).value)

    def prompt(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """What would be sent, as a person reads it. Sends nothing, and needs no model."""
        return shown(messages(self.asked, self._bound(args, kwargs)))

    def using(self, **options: Unpack[StepOptions]) -> Step[P, R]:
        """The same step with another model, other options, or examples of inputs with their answers.

        Raises UsageError for an option that there is not, and for tools: a step's answer is its value.
        """
        said = checked(cast("Mapping[str, Any]", options), StepOptions)
        if "tools" in said:
            raise UsageError(f"the step {self.name} calls no tools", hint="call a Model with tools=")
        asked, model = self.asked, said.pop("model", self.said_model)
        pairs = said.pop("examples", None)
        if pairs is not None:
            asked = replace(asked, examples=tuple(self._example(inputs, answer) for inputs, answer in pairs))
        return replace(self, asked=asked, said_model=model, options={**self.options, **said})

    def asking(self) -> Asking:
        """The step with its model settled here and now. Raises NoModel."""
        return Asking(self.name, model_for(self.said_model, self.name), self.asked, self.typed, self.options)

    def as_solution(self, name: str | None = None) -> Solution:
        """The step as a solution: data that can be recorded, saved and loaded without its source. Raises NoModel."""
        return step_solution(replace(self.asking(), name=name or self.name))

    def _bound(self, args: Any, kwargs: Any) -> dict[str, Any]:
        try:
            return dict(self.signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(f"{self.name}() {error}") from None

    def _example(self, inputs: Any, answer: Any) -> Example:
        names = self.asked.inputs
        told = inputs if isinstance(inputs, Mapping) and set(inputs) <= set(names) else {names[0]: inputs}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        texts = {k: v.link if isinstance(v, Image) else v for k, v in dict[str, Any](told).items()}  # pyright: ignore[reportUnknownArgumentType]
        return Example(texts, written(answer))


@overload
def step(function: Callable[P, Awaitable[R]], /) -> Step[P, R]: ...
@overload
def step(
    *, template: str | Path | None = None, **options: Unpack[StepOptions]
) -> Callable[[Callable[P, Awaitable[R]]], Step[P, R]]: ...
def step(function: Callable[..., Any] | None = None, /, *, template: str | Path | None = None, **options: Any) -> Any:
    """Make a step of an async function with annotations, a docstring and the body `...`.

    `template` is a Jinja2 file, or a text, for the user's turn (it sees the inputs by name). Raises UsageError for a
    function that is not one: no docstring, no annotation of what it returns, code in its body, not async.
    """
    if function is not None:
        return _made(function, None)
    check("template", template, TEMPLATE)
    text = _template(template)

    def decorate(decorated: Callable[..., Any]) -> Any:
        return _made(decorated, text).using(**options)

    return decorate


def _template(given: str | Path | None) -> str | None:
    """The text itself, or what stands in the file."""
    if isinstance(given, str) and ("{" in given or "\n" in given or not is_path(given) or not Path(given).is_file()):
        return given
    try:
        return None if given is None else Path(given).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"the prompt template cannot be read: {said}", where=str(given)) from None


def _made(function: Callable[..., Any], template: str | None) -> Step[Any, Any]:
    name = getattr(function, "__name__", "step")
    if not inspect.iscoroutinefunction(function):
        raise UsageError(f"the step {name} is not async", hint=f"async def {name}(…): it waits for a model")
    instruction = inspect.getdoc(function)
    if not instruction:
        raise UsageError(f"the step {name} has no docstring, and that is its prompt", hint="say there what is wanted")
    _refuse_code(function, name)
    hints = annotations_of(function, f"the step {name}")
    if "return" not in hints:
        raise UsageError(f"the step {name} does not say what it returns", hint=f"async def {name}(…) -> str: …")
    typed = output_type(hints["return"])
    signature = inspect.signature(function)
    asked = Prompt(
        instruction=instruction,
        inputs=_inputs(signature, name),
        template=template,
        wrapped=typed.wrapped,
        plain=typed.spec_schema is None,
        defaults=_defaults(signature, name),
        images=tuple(p for p in signature.parameters if _is_image(hints.get(p))),
    )
    if template is not None:
        check_template(template, asked.inputs)
    return Step(name, signature, asked, typed, hints["return"], {}, None, function)


def _inputs(signature: inspect.Signature, name: str) -> tuple[str, ...]:
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if not signature.parameters or any(p.kind in many for p in signature.parameters.values()):
        raise UsageError(
            f"the inputs of the step {name} are its parameters, each by its name: it has none, or takes any",
            hint=f"async def {name}(text: str) -> …; without an input call a Model",
        )
    return tuple(signature.parameters)


def _is_image(annotation: Any) -> bool:
    """Whether a parameter is an image, or an image that may be left out."""
    return annotation is Image or Image in typing.get_args(annotation)


def _defaults(signature: inspect.Signature, name: str) -> dict[str, Any]:
    said = {p.name: p.default for p in signature.parameters.values() if p.default is not p.empty}
    try:
        return {parameter: to_json(value) for parameter, value in said.items()}
    except TypeError as error:
        raise UsageError(f"a default of the step {name} is no JSON: {error}", hint="a text, a number, None") from None


def _refuse_code(function: Callable[..., Any], name: str) -> None:
    """A body that does something would be thrown away: better say so now."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # typed into a console, say
        return
    found = next((n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef)), None)
    rest = [] if found is None else found.body[1:]
    if any(not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) and n.value.value is ...) for n in rest):
        raise UsageError(
            f"the step {name} has code in its body, which would never run",
            hint="a step's body is its docstring and ...; put code into a function that calls the step",
        )
