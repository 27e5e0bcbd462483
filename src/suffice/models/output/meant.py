"""What a JSON answer means along its schema, where JSON or pydantic would be less exact: left-out fields, choices.

Strict endpoints want every field, so an optional field is asked for as nullable. Where the type itself has no None
(`n: int = 5`, `NotRequired[int]`), a null there can only mean "not given", and the default applies.
Pydantic compares a choice as Python does, where true is 1 and 1.0 is 1; in JSON they are different values.
"""

from __future__ import annotations

from typing import cast

from suffice.errors import OutputError
from suffice.models.output.place import Path, place
from suffice.models.output.schema import Schema, branches, forms, items, mapping, takes_null
from suffice.values import Json


def as_meant(value: Json, schema: Schema, root: Schema) -> Json:
    """`value` without the nulls that mean "left out"; the same object where there are none.

    In a union a null goes only where every branch that knows the field would let it be left out and forbids null.
    Raises OutputError where a boolean or number stands for a choice that only Python takes it for.
    """
    return _meant(value, [schema], root, ())


def _meant(value: Json, schemas: list[Schema], root: Schema, at: Path) -> Json:
    if isinstance(value, dict):
        return _object(cast(dict[str, Json], value), forms(schemas, root), root, at)
    if isinstance(value, list):
        given = cast(list[Json], value)
        inner = [cast(Schema, one["items"]) for one in forms(schemas, root) if isinstance(one.get("items"), dict)]
        if not inner:
            return given
        made = [_meant(item, inner, root, (*at, index)) for index, item in enumerate(given)]
        return made if any(a is not b for a, b in zip(made, given, strict=True)) else given
    if isinstance(value, bool | int | float):
        _chosen(value, forms(schemas, root), at)
    return value


def _object(value: dict[str, Json], known: list[Schema], root: Schema, at: Path) -> dict[str, Json]:
    made: dict[str, Json] = {}
    changed = False
    for key, inner in value.items():
        naming = [form for form in known if key in mapping(form.get("properties"))]
        if inner is None and naming and all(_left_out(form, key, root) for form in naming):
            changed = True
            continue
        fields = [mapping(form["properties"])[key] for form in naming]
        others = [form.get("additionalProperties") for form in known if key not in mapping(form.get("properties"))]
        under = [cast(Schema, one) for one in fields + others if isinstance(one, dict)]
        made[key] = _meant(inner, under, root, (*at, key)) if under else inner
        changed = changed or made[key] is not inner
    return made if changed else value


def _left_out(form: Schema, key: str, root: Schema) -> bool:
    field = mapping(form["properties"])[key]
    optional = key not in (form.get("required") or ())
    return optional and isinstance(field, dict) and not takes_null(cast(Schema, field), root)


def _chosen(value: bool | int | float, known: list[Schema], at: Path) -> None:
    choices: list[Json] = []
    for form in known:
        if "enum" in form or "const" in form:
            choices += items(form["enum"]) if "enum" in form else [form["const"]]
        elif not branches(form):
            return  # something other than a choice may take it
    alike = [one for one in choices if one == value]
    if alike and not any(_same(value, one) for one in alike):
        got = "true" if value is True else "false" if value is False else "another kind of number"
        wanted = "a boolean" if isinstance(alike[0], bool) else "a whole number"
        raise OutputError(f"the answer does not fit its type: at `{place(at)}`: expected {wanted}, got {got}")


def _same(value: bool | int | float, choice: Json) -> bool:
    if isinstance(value, bool) or isinstance(choice, bool):
        return isinstance(value, bool) and isinstance(choice, bool)
    return isinstance(value, int) or isinstance(choice, float)
