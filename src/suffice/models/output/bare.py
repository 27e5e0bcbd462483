"""A label that stands alone: what a model that was asked for JSON gave where it gave a choice as plain text."""

from __future__ import annotations

from collections.abc import Mapping

from suffice.models.output.schema import Schema, forms, items


def bare_labels(schema: Schema, root: Schema) -> Mapping[str, str]:
    """The texts that a choice under `schema` may be, by how they are compared: case and white space aside.

    Labels that are alike so are left out, and nothing is found where any other text fits.
    """
    labels = list[str]()
    for form in forms([schema], root):
        if "enum" in form or "const" in form:
            choices = items(form["enum"]) if "enum" in form else [form["const"]]
            labels += [one for one in choices if isinstance(one, str)]
        elif form.get("type") == "string":
            return {}
    alike = [compared(label) for label in labels]
    return {key: label for key, label in zip(alike, labels, strict=True) if alike.count(key) == 1}


def compared(text: str) -> str:
    """`text` without what does not tell labels apart."""
    return " ".join(text.split()).casefold()
