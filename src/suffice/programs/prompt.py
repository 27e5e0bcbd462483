"""A prompt: an instruction, the inputs by name, examples. Data, and the pure function that makes messages of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from suffice.errors import UsageError
from suffice.exchange import Image, Message
from suffice.models.messages import image
from suffice.models.output.typed import ANSWER
from suffice.shown import brief
from suffice.values import Json, blank, to_json


@dataclass(frozen=True, slots=True)
class Example:
    """One input with the answer that is expected of it, both as JSON values; `inputs` by name."""

    inputs: Mapping[str, Json]
    answer: Json


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked. `template` is a Jinja2 text for the user's turn; without it the inputs stand there by themselves.

    `wrapped` says that answers are written as {"answer": …}, `plain` that they are texts. `defaults` are the inputs
    that may be left out, `images` those that are images: an Image, or a text that is the URL or the data URL of one.
    """

    instruction: str
    inputs: tuple[str, ...]
    template: str | None = None
    examples: tuple[Example, ...] = ()
    wrapped: bool = False
    plain: bool = False
    defaults: Mapping[str, Json] = field(default_factory=dict[str, Json])
    images: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """The inputs that must be given."""
        return tuple(name for name in self.inputs if name not in self.defaults)


def messages(prompt: Prompt, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages: the instruction, the examples as turns that went before, and the inputs as the last turn.

    Inputs are data: they stand in the user's turn, never in the instruction, in the order in which the prompt names
    them; images come behind the texts. Raises UsageError for inputs that are missing, no JSON or no image, and for a
    template that cannot be rendered.
    """
    made = [Message("system", prompt.instruction)] if prompt.instruction else []
    for example in prompt.examples:
        made.append(Message("user", _asked(prompt, example.inputs)))
        made.append(Message("assistant", answer_text(prompt, example.answer)))
    made.append(Message("user", _asked(prompt, inputs)))
    return tuple(made)


def shown(turns: tuple[Message, ...]) -> str:
    """Messages as a person reads them; of an image, what it is."""
    return "\n\n".join(f"[{turn.role}]\n{_read(turn.content)}" for turn in turns)


def _read(content: str | tuple[str | Image, ...]) -> str:
    return content if isinstance(content, str) else "\n\n".join(map(str, content))


def unasked(inputs: Mapping[str, Any]) -> bool:
    """Whether there is nothing to answer: every input is blank."""
    return all(map(blank, inputs.values()))


def check_template(template: str, inputs: tuple[str, ...]) -> None:
    """Refuse a template that uses a name which is no input, or none of the inputs: a mistyped path, say.

    Raises UsageError.
    """
    from jinja2 import meta

    compiled = _compiled(template)
    names = meta.find_undeclared_variables(compiled.environment.parse(template))
    strange = sorted(names - {*inputs, *compiled.environment.globals})
    if strange:
        hint = f"the inputs are {', '.join(inputs)}"
        raise UsageError(f"the prompt template uses {', '.join(strange)}, which is no input of the step", hint=hint)
    if names.isdisjoint(inputs):
        said = template if len(template) <= 60 else template[:59] + "…"
        raise UsageError(
            f"the prompt template {brief(said)} uses no input of the step, and is no file",
            hint=f"write {{{{ {inputs[0]} }}}} in it, or give the path of a file that is there",
        )


def _asked(prompt: Prompt, inputs: Mapping[str, Any]) -> str | tuple[str | Image, ...]:
    given = _given(prompt, inputs)
    images = tuple(value for value in given.values() if isinstance(value, Image))
    texts = {name: value for name, value in given.items() if not isinstance(value, Image)}
    if prompt.template is not None:
        return _with(_rendered(prompt.template, texts), images)
    texts = {name: value for name, value in texts.items() if value is not None or name not in prompt.images}
    if len(texts) == 1:
        text = _text(next(iter(texts.values())))
    else:
        text = _tagged({name: _text(value) for name, value in texts.items()})
    return _with(text, images)


def _with(text: str, images: tuple[Image, ...]) -> str | tuple[str | Image, ...]:
    if not images:
        return text
    return (text, *images) if text else images


def _tagged(texts: Mapping[str, str]) -> str:
    """Each text between tags of its name; with a number where a text holds such a tag, so that none ends another."""
    number = next(
        n
        for n in itertools.chain([""], (f"-{i}" for i in itertools.count(2)))
        if not any(f"<{end}{name}{n}>" in text for end in ("", "/") for name in texts for text in texts.values())
    )
    return "\n\n".join(f"<{name}{number}>\n{text}\n</{name}{number}>" for name, text in texts.items())


def _given(prompt: Prompt, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in the order of the prompt, so that the same inputs are the same bytes whoever named them."""
    told = {**prompt.defaults, **inputs}
    missing = [name for name in prompt.inputs if name not in told]
    if missing:
        raise UsageError(f"the prompt needs {', '.join(missing)} besides what was given", hint="give them by name")
    return {name: _image(name, told[name]) if name in prompt.images else told[name] for name in prompt.inputs}


def _image(name: str, value: Any) -> Image | None:
    """An input that is an image. A case holds it as text: its URL, or a data URL; blank, there is none."""
    if value is None or isinstance(value, Image):
        return value
    if blank(value):
        return None
    if isinstance(value, str) and value.startswith(("https://", "http://", "data:")):
        return image(value, name)
    raise UsageError(f"the input {name} is no image", hint="a URL, a data URL, or sf.models.Image(data=…)")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(to_json(value), ensure_ascii=False, indent=1)
    except (TypeError, ValueError) as error:
        raise UsageError(f"an input cannot be written into a prompt: {error}", hint="give a text or JSON") from None


def answer_text(prompt: Prompt, answer: Json) -> str:
    """An answer as the model writes it."""
    if prompt.plain:
        return _text(answer)
    return json.dumps({ANSWER: answer} if prompt.wrapped else answer, ensure_ascii=False)


def _rendered(template: str, inputs: Mapping[str, Any]) -> str:
    made = _compiled(template)
    try:
        return made.render(**inputs)
    except Exception as error:  # a template computes: not only Jinja2's own errors come out of it
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"the prompt template cannot be rendered: {said}", hint="mend the template") from None


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
