"""A template: a text with inputs to fill in and typed holes for the model, asked as one structured output in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import ConfigDict
from typing_extensions import TypedDict, Unpack

from suffice.arguments import check, rule_of
from suffice.errors import UsageError
from suffice.exchange import Reply
from suffice.models.model import Model
from suffice.models.options import CallOptions, checked
from suffice.models.output.typed import output_type
from suffice.models.serving import serving
from suffice.programs.holes import Hole, Part, parts_of
from suffice.programs.prompt import Prompt, messages, shown
from suffice.programs.solution import Form, Solution
from suffice.programs.step_solution import Asking, asking_of, asking_solution, named, step_solution
from suffice.programs.using import model_for
from suffice.shown import brief, listed
from suffice.spans import span
from suffice.values import Answer, Json


@dataclass(frozen=True, slots=True)
class Template:
    """`await fill(model, question=…)` gives the holes by name, in their order.

    `await fill.reply(model, question=…)` is the whole Reply, `fill.prompt(question=…)` what would be sent. `model` may
    be left out where `sf.using` or the environment says one.
    """

    name: str
    text: str
    asked: Prompt
    holes: tuple[Hole, ...]
    options: Mapping[str, Any]

    async def __call__(self, model: str | Model | None = None, /, **inputs: Any) -> dict[str, Any]:
        """Raises UsageError for inputs that the template does not have, NoModel, and as a call of the model."""
        return (await self.reply(model, **inputs)).value

    async def reply(self, model: str | Model | None = None, /, **inputs: Any) -> Reply[dict[str, Any]]:
        """The whole reply: value, usage in tokens, cost in US dollars, attempts. Raises as a call."""
        self._check(inputs)
        with serving(self.name), span(self.name, "step"):
            return cast("Reply[dict[str, Any]]", await self.asking(model).reply(inputs))

    def prompt(self, /, **inputs: Any) -> str:
        """What would be sent, as a person reads it. Sends nothing, and needs no model."""
        self._check(inputs)
        return shown(messages(self.asked, inputs))

    def asking(self, model: str | Model | None = None) -> Asking:
        """The template with its model settled here and now. Raises NoModel."""
        return Asking(
            self.name, model_for(model, self.name), self.asked, output_type(_filled(self.holes)), self.options
        )

    def as_solution(self, answer: str | None = None, *, model: str | Model | None = None) -> Solution:
        """The template as a solution that can be recorded, saved and loaded; `answer` names the hole that is the
        answer (None: all of them, as an object). Raises UsageError for one that it does not have, and NoModel."""
        asking = self.asking(model)
        return step_solution(asking) if answer is None else _hole_solution(asking, self._named(answer))

    def _named(self, hole: str) -> str:
        known = [h.name for h in self.holes]
        if hole not in known:
            raise UsageError(f"the template has no hole {brief(hole)}", hint=f"its holes: {listed(known)}")
        return hole

    def _check(self, inputs: Mapping[str, Any]) -> None:
        wanted = self.asked.inputs
        faults = [f"{name} is missing" for name in wanted if name not in inputs]
        faults += [f"there is no {name}" for name in inputs if name not in wanted]
        if faults:
            raise UsageError(f"the inputs of the template are {listed(wanted)}: {', '.join(faults)}")


def template(text: str, *, name: str = "template", **options: Unpack[CallOptions]) -> Template:
    """A template of a text: `{question}` is an input, `{thought:text(200)}` a hole, `{{` and `}}` are braces.

    A hole's type: text, text(200) (at most so many characters), int, float, bool, yes|no|maybe (one of these),
    list(…) of one of them; with a ? after it, nothing (None) is an answer, too. The holes become the fields of ONE
    structured output, in their order, so that what comes later is written with what came before in sight; they are
    asked for, checked and repaired as any `output=` is. Hosted chat endpoints cannot go on in the middle of a message:
    the text between holes is shown to the model beforehand, and is not written by it or forced on it token by token.

    Raises UsageError, with line and column, for a text that is no such template; it needs an input and a hole.
    """
    check("the text of a template", text, rule_of(str))
    said = checked(cast("Mapping[str, Any]", options), CallOptions)
    if "tools" in said:
        raise UsageError("a template calls no tools", hint="call a Model with tools=, or an agent")
    parts = parts_of(text)
    inputs = tuple(dict.fromkeys(part.name for part in parts if part.kind == "input"))
    holes = tuple(part.hole for part in parts if part.hole is not None)
    if not inputs or not holes:
        lacks = "input" if not inputs else "hole"
        hint = "for example Q: {question} A: {answer:text(200)}"
        raise UsageError(f"the template has no {lacks}", hint=hint)
    asked = Prompt(_instruction(holes), inputs, template="".join(map(_jinja, parts)))
    return Template(name, text, asked, holes, said)


def load_template(form: Form) -> Solution:
    """A template with one hole as its answer. Raises ValueError, KeyError, TypeError for damaged data."""
    told: dict[str, Any] = form.data
    return _hole_solution(asking_of(form), told["answer"], told)


def _hole_solution(asking: Asking, hole: str, saved: dict[str, Json] | None = None) -> Solution:
    names = asking.prompt.inputs
    plain = replace(asking, confidence=None)  # the probability of all holes is not that of one

    async def ask(inputs: Json) -> Answer:
        answer = await plain.answer(named(inputs, names))
        filled: Any = answer.value
        return replace(answer, value=filled[hole]) if isinstance(filled, dict) else answer

    return asking_solution(plain, "template", saved or {**plain.form(), "answer": hole}, ask)


def _filled(holes: tuple[Hole, ...]) -> Any:
    """The type of what comes back: a dict of just the holes. A dict, because a hole may be called "copy"."""
    made: Any = TypedDict("Filled", {hole.name: hole.type for hole in holes})  # type: ignore[misc]
    made.__pydantic_config__ = ConfigDict(extra="forbid")
    return made


def _instruction(holes: tuple[Hole, ...]) -> str:
    told = "\n".join(f"- {hole.name}: {hole.words}" for hole in holes)
    return (
        "Complete the text. Each [[name]] in it is a hole; what you give for it stands in its place, so that the whole "
        f"text reads well. Give them in this order:\n{told}"
    )


def _jinja(part: Part) -> str:
    """A part as Jinja2, in which prompts are kept: literal text as a string, so that nothing in it is markup."""
    if part.kind == "input":
        return f"{{{{ {part.name} }}}}"
    literal = f"[[{part.name}]]" if part.kind == "hole" else part.name
    for plain, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        literal = literal.replace(plain, escaped)
    return f"{{{{ '{literal}' }}}}"
