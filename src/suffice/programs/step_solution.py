"""A step with its model settled: what it asks, how its answers are read, and its form as data in a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from suffice.errors import UsageError
from suffice.exchange import Reply
from suffice.models.model import Model
from suffice.models.output.from_schema import type_of_schema
from suffice.models.output.typed import OutputType, output_type
from suffice.programs.prompt import Example, Prompt, blank, messages
from suffice.programs.solution import Form, Solution
from suffice.values import Answer, Json, content_hash

VERSION: Final = 1
"""Goes up when the same data would be asked differently."""

SAVED: Final = ("temperature", "top_p", "stop", "seed", "max_output_tokens", "repairs", "continue_output", "total")
"""The options that belong to what a step is; the others are how a machine calls it."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A prompt, a type, a model, and the options of the call."""

    name: str
    model: Model
    prompt: Prompt
    typed: OutputType
    options: Mapping[str, Any]

    async def reply(self, inputs: Mapping[str, Any]) -> Reply[Any]:
        """Ask. A blank input never reaches a model. Raises UsageError for one that needs an answer, and as a call."""
        if blank(inputs):
            return Reply(value=self._nothing())
        turns = messages(self.prompt, inputs)
        return await self.model(turns, output=cast("Any", self.typed), **self.options)

    def form(self) -> dict[str, Json]:
        """All of it as data."""
        p = self.prompt
        return {
            "version": VERSION,
            "model": self.model.name,
            "instruction": p.instruction,
            "inputs": list(p.inputs),
            "template": p.template,
            "examples": [[dict(e.inputs), e.answer] for e in p.examples],
            "schema": None if self.typed.spec_schema is None else dict(self.typed.spec_schema),
            "output": self.typed.name,
            "wrapped": p.wrapped,
            "options": {k: self._option(k) for k in SAVED if self._option(k) is not None},
        }

    def _option(self, name: str) -> Json:
        value: Any = self.options.get(name, self.model.options.get(name))
        return list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value

    def _nothing(self) -> Any:
        try:
            if self.typed.spec_schema is not None:
                return self.typed.parse('{"answer": null}' if self.typed.wrapped else "null")
        except Exception as error:  # OutputError: the type has no None
            raise UsageError(
                f"the input of {self.name} is blank, and a blank text is never sent to a model",
                hint="leave it out, or let the answer be None: -> X | None",
            ) from error
        raise UsageError(f"the input of {self.name} is blank, and a blank text is never sent to a model")


def step_solution(asking: Asking, saved: Mapping[str, Json] | None = None) -> Solution:
    """The solution that asks. Its identity is the hash of its data (as saved), the model's name among it."""
    data = dict(saved) if saved is not None else asking.form()
    names = asking.prompt.inputs

    async def ask(inputs: Json) -> Answer:
        return Answer((await asking.reply(named(inputs, names))).value)

    return Solution(
        name=asking.name,
        ask=ask,
        identity=content_hash(["step", data]),
        form=Form("step", data),
        parameters=names,
        required=names,
    )


def load_step(form: Form) -> Solution:
    """A step from its data, without its source. Raises ValueError, KeyError, TypeError for damaged data."""
    return step_solution(asking_of(form), form.data)


def named(inputs: Json, names: tuple[str, ...]) -> dict[str, Any]:
    """A case's inputs by name: as they are, or one bare value under the only name."""
    told: Any = inputs
    return told if isinstance(inputs, dict) and set(told) <= set(names) else {names[0]: inputs}


def asking_of(form: Form, model: Model | None = None) -> Asking:
    """What a saved step asks, of the model that it was saved with or of another. Raises as `load_step`."""
    told: dict[str, Any] = form.data
    if told["version"] > VERSION:
        raise ValueError(f"its prompt is of version {told['version']}; this Suffice asks version {VERSION}")
    schema = told["schema"]
    typed = output_type(str)
    if schema is not None:  # what is asked for stays what was saved, to the letter
        made = output_type(type_of_schema(schema, wrapped=told["wrapped"], name=told["output"]))
        typed = replace(made, spec_schema=schema, name=told["output"], wrapped=told["wrapped"])
    prompt = Prompt(
        told["instruction"],
        tuple(told["inputs"]),
        told["template"],
        tuple(Example(inputs, answer) for inputs, answer in told["examples"]),
        wrapped=told["wrapped"],
        plain=schema is None,
    )
    return Asking("step", model or Model(told["model"]), prompt, typed, told["options"])
