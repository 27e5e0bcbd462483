"""A prompt: an instruction, the inputs by name, examples. Data, and the pure function that makes messages of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from suffice.errors import UsageError
from suffice.exchange import Image, Message
from suffice.models.output.typed import ANSWER
from suffice.values import Json, to_json


@dataclass(frozen=True, slots=True)
class Example:
    """One input with the answer that is expected of it, both as JSON values; `inputs` by name."""

    inputs: Mapping[str, Json]
    answer: Json


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked. `template` is a Jinja2 text for the user's turn; without it the inputs stand there by themselves.

    `wrapped` says that answers are written as {"answer": …}, `plain` that they are texts.
    """

    instruction: str
    inputs: tuple[str, ...]
    template: str | None = None
    examples: tuple[Example, ...] = ()
    wrapped: bool = False
    plain: bool = False


def messages(prompt: Prompt, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages: the instruction, the examples as turns that went before, and the inputs as the last turn.

    Inputs are data: they stand in the user's turn, never in the instruction. Raises UsageError for a template that
    cannot be rendered.
    """
    made = [Message("system", prompt.instruction)] if prompt.instruction else []
    for example in prompt.examples:
        made.append(Message("user", _asked(prompt, example.inputs)))
        made.append(Message("assistant", _answer(prompt, example.answer)))
    made.append(Message("user", _asked(prompt, inputs)))
    return tuple(made)


def shown(turns: tuple[Message, ...]) -> str:
    """Messages as a person reads them."""
    return "\n\n".join(f"[{turn.role}]\n{turn.text}" for turn in turns)


def blank(inputs: Mapping[str, Any]) -> bool:
    """Whether there is nothing to answer: every input is None or a blank text."""
    return all(v is None or (isinstance(v, str) and not v.strip("\ufeff \t\r\n")) for v in inputs.values())


def _asked(prompt: Prompt, inputs: Mapping[str, Any]) -> str | tuple[str | Image, ...]:
    if prompt.template is not None:
        return _rendered(prompt.template, inputs)
    images = tuple(value for value in inputs.values() if isinstance(value, Image))
    texts = {name: value for name, value in inputs.items() if not isinstance(value, Image)}
    if len(texts) == 1:
        text = _text(next(iter(texts.values())))
    else:
        text = "\n\n".join(f"<{name}>\n{_text(value)}\n</{name}>" for name, value in texts.items())
    return (text, *images) if images else text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(to_json(value), ensure_ascii=False, indent=1)


def _answer(prompt: Prompt, answer: Json) -> str:
    if prompt.plain:
        return _text(answer)
    return json.dumps({ANSWER: answer} if prompt.wrapped else answer, ensure_ascii=False)


def _rendered(template: str, inputs: Mapping[str, Any]) -> str:
    from jinja2 import TemplateError

    try:
        return _compiled(template).render(**inputs)
    except TemplateError as error:
        raise UsageError(f"the prompt template cannot be rendered: {error}", hint="mend the template") from None


@lru_cache(maxsize=64)
def _compiled(template: str) -> Any:
    """Jinja2 without access to anything but the inputs; a name that is missing is an error, not an empty text."""
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        return environment.from_string(template)
    except TemplateError as error:
        raise UsageError(f"the prompt template is not Jinja2: {error}", hint="mend the template") from None
