"""A classifier's label picks who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from suffice.arguments import validated
from suffice.errors import UsageError
from suffice.programs.workflow.labels import labels_of, plain
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.part import Part, part
from suffice.spans import here, span
from suffice.values import ABSTAIN, Answer


@validated
def branch(
    classifier: Callable[..., Any],
    handlers: Mapping[Any, Callable[..., Any]],
    *,
    default: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Workflow:
    """`classifier(inputs)` gives a label, and the handler of that label answers the same inputs.

    A label without a handler goes to `default`, or is handed on (ABSTAIN) where there is none; so is what the
    classifier abstains on. Handlers are named by a label's value, also where it is an enum's member. Raises UsageError
    where the classifier's type says which labels there are, and one has no handler, or a handler no label.
    """
    parts = {plain(label): part(handler) for label, handler in handlers.items()}
    otherwise = None if default is None else part(default)
    first = part(classifier)
    _fitting(labels_of(classifier), parts, first, complete=otherwise is not None)

    async def body(inputs: Any) -> Answer:
        label = plain((await first.inside("stage", inputs)).value)
        chosen = None if label is ABSTAIN else _handler(parts, label, otherwise)
        if chosen is None:
            return Answer(ABSTAIN)
        with span(chosen.name, "branch"):
            return await chosen(inputs)

    others = [] if otherwise is None else [otherwise]
    return workflow("branch", [first, *parts.values(), *others], body, (list(parts), default is None), name)


def _handler(parts: Mapping[Any, Part], label: Any, otherwise: Part | None) -> Part | None:
    known = next((p for named, p in parts.items() if type(named) is type(label) and named == label), None)
    if known is None and (grown := here()) is not None:
        grown.note = "no handler has this label" + ("" if otherwise is None else ": the default")
    return known or otherwise


def _fitting(labels: tuple[Any, ...] | None, parts: Mapping[Any, Part], first: Part, *, complete: bool) -> None:
    if not parts:
        raise UsageError("a branch needs at least one handler", hint='sf.workflow.branch(triage, {"billing": bill})')
    if labels is None:
        return
    strange = [label for label in parts if label not in labels]
    if strange:
        known = ", ".join(map(repr, labels))
        raise UsageError(
            f"{first.name} never says {strange[0]!r}: its type has {known}", hint="mend the handler's name"
        )
    missing = [label for label in labels if label not in parts]
    if missing and not complete:
        raise UsageError(
            f"{first.name} may say {', '.join(map(repr, missing))}, and no handler is named so",
            hint="add a handler, or default=",
        )
