"""The arguments of a tool: their JSON schema for a model, and what reads those that it wrote."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, NotRequired, Required

from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from suffice.errors import UsageError
from suffice.models.output.typed import output_type
from suffice.values import Json

TYPED_DICT: Final = "from typing_extensions import TypedDict"
KINDS: Final = (
    "types that work: str, int, float, bool, date, Literal, an enum, list[…], dict[str, …], a dataclass, "
    "a pydantic model, and any of them | None"
)
Read = Callable[[Json], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its name, its type, whether it must be given, what it is else, and what is said of it."""

    name: str
    kind: Any
    required: bool = True
    default: Any = None
    said: str | None = None


def arguments_of(
    name: str, signature: inspect.Signature, hints: Mapping[str, Any], said: Mapping[str, str]
) -> list[Argument]:
    """The arguments of the tool `name`, of its signature. Raises UsageError for one that a model could not give."""
    made: list[Argument] = []
    for parameter in signature.parameters.values():
        own = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            hint = f"def {name}(id: str) -> …"
            raise UsageError(f"the tool {name} takes {parameter}: a model gives each argument by its name", hint=hint)
        if own not in hints:
            raise UsageError(f"the parameter {own} of the tool {name} has no annotation", hint=f"{own}: str")
        required = parameter.default is parameter.empty
        made.append(Argument(own, hints[own], required, None if required else parameter.default, said.get(own)))
    return made


def read_of(name: str, arguments: Sequence[Argument]) -> tuple[dict[str, Json], Read]:
    """The JSON schema of the arguments of the tool `name`, and what reads them (it raises OutputError). Raises
    UsageError for a type without a JSON schema."""
    fields: dict[str, Any] = {}
    for one in arguments:
        adapter_of(name, f"the parameter {one.name}", one.kind, schema=True)
        kind = one.kind if one.said is None else Annotated[one.kind, Field(description=one.said)]
        fields[one.name] = Required[kind] if one.required else NotRequired[kind]
    made: Any = TypedDict(name, fields)  # type: ignore[misc]
    made.__pydantic_config__ = ConfigDict(extra="forbid")
    typed = output_type(made)
    schema = json.loads(json.dumps(typed.spec_schema))
    for one in arguments:
        told = schema["properties"][one.name]
        told.pop("title", None)  # its name over again
        if one.default is not None:
            told.setdefault("default", to_jsonable_python(one.default, fallback=repr))
    schema.pop("title", None)

    def read(given: Json) -> Mapping[str, Any]:
        return typed.parse(json.dumps(given))

    return schema, read


def adapter_of(name: str, what: str, kind: Any, *, schema: bool = False) -> TypeAdapter[Any]:
    """What validates a type, and writes it. Raises UsageError for one that pydantic cannot describe, or, with `schema`,
    that has no JSON schema."""
    try:
        made: TypeAdapter[Any] = TypeAdapter(kind)
        if schema:
            made.json_schema()
        return made
    except Exception as error:  # pydantic's own, and whatever its looking into an object that is no type ends in
        if isinstance(error, PydanticUserError) and error.code == "typed-dict-version":
            said, hint = "holds a typing.TypedDict, which Python 3.11 tells too little of", TYPED_DICT
        else:
            first = (str(error) or type(error).__name__).splitlines()[0]
            said, hint = f"has no JSON schema: {first:.200}", KINDS
        raise UsageError(f"the tool {name}: {what} {said}", hint=hint) from None
