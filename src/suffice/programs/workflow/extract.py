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
from suffice.programs.workflow.quoted_type import QUOTE, RENAME, refuse_taken, refuse_unquoted, taken
from suffice.programs.workflow.quotes import place_of_quote
from suffice.shown import one_line
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
    instead, as a text ("" or ABSTAIN where there is none). The answer is a list: of each item its fields (of a text
    `value`), and `start`, `end` and `quote` of the first place where its quote stands in the text, white space folded;
    equal quotes take one place after another. Items whose quote does not stand there are left out, and their number
    noted on the span. `text` names the input that is quoted where there are several. Without anything, the answer is
    []; ABSTAIN of either ends it.

    Raises UsageError where the type of `what` says that its items have no quote, or a `start` or `end` of their own,
    and SolutionError when called where none of them has a quote, one has a field that is taken or no JSON form, and
    where `spans` says no text.
    """
    refuse_taken(type_of(what))
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
        fields = [_fields(item, finder.name) for item in items]
        if quoter is None:
            quotes = _own_quotes(items, fields, finder.name)
        else:
            quotes = [await _quote(item, inputs, quoter) for item in items]
        return Answer(_supported(fields, quotes, quoted))

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


def _own_quotes(items: list[Any], fields: list[dict[str, Json]], who: str) -> list[str]:
    """What each item says itself. One may lack its words, as what a model makes up does; where all do, nobody was told
    to give them: raises SolutionError."""
    both = list(zip(items, fields, strict=True))
    if items and not any(isinstance(item, str) or QUOTE in named for item, named in both):
        hint = f'give each its words: {{"amount": 5, "{QUOTE}": "EUR 5"}}, or say them with spans='
        raise SolutionError(f"no item of {who} has the field {QUOTE}", hint=hint)
    said = [item if isinstance(item, str) else named.get(QUOTE) for item, named in both]
    return [words if isinstance(words, str) else "" for words in said]


async def _quote(item: Any, inputs: Any, quoter: Part) -> str:
    said = (await quoter.inside("stage", inputs, item)).value
    if said is ABSTAIN:
        return ""
    if not isinstance(said, str):
        hint = 'return the words, such as text[0:3], or "" where none say so'
        raise SolutionError(f"{quoter.name} says the words of an item, a text, not a {type(said).__name__}", hint=hint)
    return said


def _supported(items: list[dict[str, Json]], quotes: list[str], text: str) -> list[Json]:
    """The items whose quotes stand in the text, with their places."""
    kept: list[Json] = []
    ends: dict[str, int] = {}
    for item, quote in zip(items, quotes, strict=True):
        words = " ".join(quote.split())
        at = place_of_quote(quote, text, ends.get(words, 0)) or place_of_quote(quote, text)
        if at is None:
            continue
        start, ends[words] = at
        kept.append({**item, "start": start, "end": at[1], QUOTE: text[start : at[1]]})
    left_out = len(items) - len(kept)
    grown = here()
    if left_out and grown is not None:
        grown.note = f"{left_out} of {len(items)} left out: their words do not stand in the text"
    return kept


def _fields(item: Any, who: str) -> dict[str, Json]:
    """An item as JSON by name. Raises SolutionError where it has none, or names that the answer needs."""
    if item is ABSTAIN:
        hint = "leave it out of the list, or return ABSTAIN instead of the list"
        raise SolutionError(f"an item of {who} is ABSTAIN", hint=hint)
    try:
        made = to_jsonable_python(item)
    except ValueError as error:  # pydantic's own, and of what holds itself
        hint = "texts, numbers, dicts, lists, dataclasses and Pydantic models have one"
        raise SolutionError(f"an item of {who} has no JSON form: {one_line(str(error))[:200]}", hint=hint) from None
    if not isinstance(made, Mapping):
        return {"value": made}
    named = dict(cast("Mapping[str, Json]", made))
    message = taken(named, who)
    if message is not None:
        raise SolutionError(message, hint=RENAME)
    return named
