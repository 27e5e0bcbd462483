"""Is there any? Then what? Every value with the words of the text that say so; one without them is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic_core import to_jsonable_python

from suffice.arguments import validated
from suffice.errors import SolutionError
from suffice.programs.workflow.labels import type_of
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.part import Part, part, part_called
from suffice.programs.workflow.quoted_type import QUOTE, refuse_unquoted
from suffice.programs.workflow.quotes import place_of_quote
from suffice.spans import here
from suffice.values import ABSTAIN, Answer, Json


@validated
def extract(
    is_there: Callable[..., Any] | None,
    what: Callable[..., Any],
    spans: Callable[..., Any] | None = None,
    *,
    text: str | None = None,
    name: str | None = None,
) -> Workflow:
    """`is_there(inputs)` says whether there is anything to extract (a bool), `what(inputs)` is a list of items.

    An item is a text (its own quote), or an object with the field `quote`; `spans(inputs, item)` says its quote
    instead. The answer is a list: of each item its fields (of a text `value`), and `start`, `end` and `quote` of the
    first place where its quote stands in the text, white space folded; equal quotes take one place after another.
    Items whose quote does not stand there are left out, and their number noted on the span. `text` names the input
    that is quoted where there are several. Without anything, the answer is []; ABSTAIN of either ends it.

    Raises UsageError where the type of `what` says that its items have no quote, and SolutionError when called where
    none of them has one.
    """
    if spans is None:
        refuse_unquoted(type_of(what))
    first = [] if is_there is None else [part(is_there)]
    finder, quoter = part(what), None if spans is None else part_called(spans, "spans", "inputs", "item")

    async def body(inputs: Any) -> Answer:
        quoted = _text(inputs, text)
        for question in first:
            said = (await question.inside("stage", inputs)).value
            if said is ABSTAIN:
                return Answer(ABSTAIN)
            if not isinstance(said, bool):
                raise SolutionError(f"{question.name} says True or False, not a {type(said).__name__}")
            if not said:
                return Answer([])
        found = (await finder.inside("stage", inputs)).value
        if found is ABSTAIN:
            return Answer(ABSTAIN)
        items = _items(found, finder.name)
        if quoter is None:
            _refuse_unquoted(items, finder.name)
        quotes = [await _quote(item, inputs, quoter) for item in items]
        return Answer(_supported(items, quotes, quoted))

    return workflow("extract", [*first, finder, *([] if quoter is None else [quoter])], body, (text, bool(first)), name)


def _text(inputs: Any, named: str | None) -> str:
    """The text that is quoted. Raises SolutionError where it is not clear which that is."""
    if isinstance(inputs, str):
        return inputs
    told = cast("dict[str, Any]", inputs) if isinstance(inputs, dict) else {}
    if named is not None and isinstance(told.get(named), str):
        return told[named]
    texts = [value for value in told.values() if isinstance(value, str)]
    if named is None and len(texts) == 1:
        return texts[0]
    raise SolutionError("nothing says which text is quoted", hint='extract(…, text="letter") names the input')


def _items(found: Any, who: str) -> list[Any]:
    if found is None:
        return []
    if not isinstance(found, list | tuple):
        raise SolutionError(
            f"{who} gives a list of what it found, not a {type(found).__name__}", hint="-> list[Amount]"
        )
    return list(cast("list[Any]", found))


def _refuse_unquoted(items: list[Any], who: str) -> None:
    """One item may lack its words, as what a model makes up does; where all do, nobody was told to give them."""
    if items and not any(isinstance(item, str) or QUOTE in _fields(item) for item in items):
        hint = f'give each its words: {{"amount": 5, "{QUOTE}": "EUR 5"}}, or say them with spans='
        raise SolutionError(f"no item of {who} has the field {QUOTE}", hint=hint)


async def _quote(item: Any, inputs: Any, quoter: Part | None) -> str:
    if quoter is not None:
        said = (await quoter.inside("stage", inputs, item)).value
    else:
        said = item if isinstance(item, str) else _fields(item).get(QUOTE)
    return said if isinstance(said, str) else ""


def _supported(items: list[Any], quotes: list[str], text: str) -> list[Json]:
    """The items whose quotes stand in the text, with their places."""
    kept: list[Json] = []
    ends: dict[str, int] = {}
    for item, quote in zip(items, quotes, strict=True):
        words = " ".join(quote.split())
        at = place_of_quote(quote, text, ends.get(words, 0)) or place_of_quote(quote, text)
        if at is None:
            continue
        start, ends[words] = at
        kept.append({**_fields(item), "start": start, "end": at[1], QUOTE: text[start : at[1]]})
    left_out = len(items) - len(kept)
    grown = here()
    if left_out and grown is not None:
        grown.note = f"{left_out} of {len(items)} left out: their words do not stand in the text"
    return kept


def _fields(item: Any) -> dict[str, Json]:
    made = to_jsonable_python(item)
    return dict(cast("Mapping[str, Json]", made)) if isinstance(made, Mapping) else {"value": made}
