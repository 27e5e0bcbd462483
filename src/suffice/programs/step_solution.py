"""A step with its model settled: what it asks, how its answers are read, and its form as data in a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from pydantic_core import to_jsonable_python

from suffice.errors import UsageError
from suffice.exchange import Reply
from suffice.models.model import Model
from suffice.models.output.from_schema import type_of_schema
from suffice.models.output.typed import OutputType, output_type
from suffice.models.places.settings import settings
from suffice.programs.confidence import SOURCES, self_check, token_probability, why_none
from suffice.programs.prompt import Example, Prompt, messages, unasked
from suffice.programs.solution import Ask, Confidence, Form, Solution
from suffice.programs.using import SAVED, reached_by
from suffice.shown import brief
from suffice.values import ABSTAIN, Answer, Json, content_hash, to_json

VERSION: Final = 1
"""Goes up when the same data would be asked differently."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A prompt, a type, a model, the options of the call, and where the confidence of an answer comes from."""

    name: str
    model: Model
    prompt: Prompt
    typed: OutputType
    options: Mapping[str, Any]
    confidence: Confidence | None = None

    async def reply(self, inputs: Mapping[str, Any]) -> Reply[Any]:
        """Ask. A blank input never reaches a model. Raises UsageError for one that needs an answer, and as a call."""
        if unasked(inputs):
            return Reply(value=self._nothing())
        turns = messages(self.prompt, inputs)
        told = {**self.options, "logprobs": True} if self.confidence == "logprobs" else self.options
        return await self.model(turns, output=cast("Any", self.typed), **told)

    async def answer(self, inputs: Mapping[str, Any]) -> Answer:
        """Ask, and give the answer with its confidence, where one is stated. A blank input gets `of_blank`. Raises as
        `reply`, and SolutionError where there are no log-probabilities of it."""
        if unasked(inputs):
            return self.of_blank(confident=self.confidence is not None)
        reply = await self.reply(inputs)
        return Answer(written(reply.value), await self._confidence(inputs, reply))

    def of_blank(self, *, confident: bool) -> Answer:
        """The answer to a blank input: nothing, by rule and so certain, where the type has it; else it is handed on."""
        try:
            return Answer(written(self._nothing()), 1.0 if confident else None)
        except UsageError:
            return Answer(ABSTAIN)

    async def _confidence(self, inputs: Mapping[str, Any], reply: Reply[Any]) -> float | None:
        if self.confidence is None:
            return None
        if self.confidence == "logprobs":
            return token_probability(reply, plain=self.typed.spec_schema is None)
        return await self_check(self.model, messages(self.prompt, inputs), reply, self.options)

    def form(self) -> dict[str, Json]:
        """All of it as data."""
        p = self.prompt
        return {
            "version": VERSION,
            "model": self.model.name,
            "reached": reached_by(self.model),
            "instruction": p.instruction,
            "inputs": list(p.inputs),
            "defaults": dict(p.defaults),
            "template": p.template,
            "examples": [[dict(e.inputs), e.answer] for e in p.examples],
            "schema": None if self.typed.spec_schema is None else dict(self.typed.spec_schema),
            "output": self.typed.name,
            "wrapped": p.wrapped,
            "options": {k: self._option(k) for k in SAVED if self._option(k) is not None},
            **({} if self.confidence is None else {"confidence": self.confidence}),
            **({"images": list(p.images)} if p.images else {}),
        }

    def _option(self, name: str) -> Json:
        value: Any = self.options.get(name, self.model.options.get(name))
        return to_json(value)

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
        return await asking.answer(named(inputs, names))

    return asking_solution(asking, "step", data, ask)


def asking_solution(
    asking: Asking, kind: str, data: dict[str, Json], ask: Ask, *, confidence_from: str | None = None
) -> Solution:
    """A solution of a kind that asks a model, from its data. The order of fields counts: it is that of the request.

    Raises UsageError where its model is known to give no confidence as it is stated.
    """
    settings()  # one that cannot be read is told now, not once a case
    reason = why_none(asking.model, asking.confidence)
    if reason is not None:
        raise UsageError(f"{asking.name} has no confidence: {reason}")
    source = confidence_from if asking.confidence is None else SOURCES[asking.confidence]
    return Solution(
        name=asking.name,
        ask=ask,
        identity=content_hash([kind, json.dumps(data, ensure_ascii=False)]),
        confident=source is not None,
        confidence_from=source,
        form=Form(kind, data),
        parameters=asking.prompt.inputs,
        required=asking.prompt.required,
    )


def written(value: Any) -> Json:
    """An answer of any type that pydantic knows as JSON: what a loaded step, which has no such types, answers."""
    return to_jsonable_python(value)


def load_step(form: Form) -> Solution:
    """A step from its data, without its source. Raises ValueError, KeyError, TypeError for damaged data."""
    return step_solution(asking_of(form), form.data)


def named(inputs: Json, names: tuple[str, ...]) -> dict[str, Any]:
    """A case's inputs by name: as they are, or one bare value under the only name."""
    told: Any = inputs
    return told if isinstance(inputs, dict) and set(told) <= set(names) else {names[0]: inputs}


def asking_of(form: Form) -> Asking:
    """What a saved step asks, and of which model. Raises as `load_step`."""
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
        defaults=told["defaults"],
        images=tuple(told.get("images", ())),
    )
    model, sure = Model(told["model"], **told["reached"]), told.get("confidence")
    if sure is not None and sure not in SOURCES:
        raise ValueError(f"there is no confidence {brief(sure)}")
    return Asking("step", model, prompt, typed, told["options"], sure)
