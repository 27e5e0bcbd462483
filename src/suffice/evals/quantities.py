"""Numbers with units as people write them, by the units that Pint knows: "12.5 kg", "5 ft 3 in", "36,6 °C"."""

from __future__ import annotations

import functools
import importlib
import re
import unicodedata
from typing import Any, Final

from suffice.errors import MissingExtra
from suffice.evals.numerals import read_number

# No more of Pint's language than names, "/", "*" and small powers: what a model writes is not evaluated.
_UNIT: Final = re.compile(r"[^\W\d_]+(?:\*\*-?[1-9])?(?:[*/ ][^\W\d_]+(?:\*\*-?[1-9])?){0,7}")
_PART: Final = re.compile(
    r"([^\w]*\d[\d.,'’_ ]*(?:[eE][+-]?\d{1,3}(?!\w))?)\s*([^\d\s.,+*-](?:\*\*-?\d|\*(?!\*)|[^\d,*])*)?"
)
_SPELLED: Final = {
    "²": "**2", "³": "**3", "^": "**", "·": "*", "×": "*", "⋅": "*", "°C": "degC", "°F": "degF", "℃": "degC",
    "℉": "degF", "°": "degree", "%": "percent", "‰": "permille", " per ": "/", "′": "arcminute", "″": "arcsecond",
}  # fmt: skip


@functools.cache
def registry() -> Any:
    """Pint's units, reckoned exactly with Decimal; read once (0.4 s). Raises MissingExtra where Pint is missing."""
    try:
        pint = importlib.import_module("pint")
    except ImportError:
        hint = "pip install 'suffice[units]'"
        raise MissingExtra("numbers with units need Pint, which is not installed", hint=hint) from None
    from decimal import Decimal

    return pint.UnitRegistry(non_int_type=Decimal)


def read_quantity(value: object) -> Any | None:
    """A Pint quantity, None where `value` is none. A bare number has no unit; parts of one kind are added.

    Names are Pint's; one that is unknown is tried in lower case ("KG"). Units of temperature are on their scales.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = read_number(value)
        return None if number is None else registry().Quantity(number.value, "")
    if not isinstance(value, str) or len(value) > 100:
        return None
    text = value.strip()
    for written, spelled in _SPELLED.items():
        text = text.replace(written, spelled)
    text = unicodedata.normalize("NFKC", text).strip().removesuffix(".")
    parts = list(_PART.finditer(text))
    if not parts or "".join(p[0] for p in parts) != text:
        return None
    return _sum([_one(p[1].lstrip(", "), (p[2] or "").strip()) for p in parts])


def _one(number: str, unit: str) -> Any | None:
    read = read_number(number)
    if read is None or (unit and not _UNIT.fullmatch(unit)):
        return None
    for name in dict.fromkeys((unit, unit.lower())):
        try:
            return registry().Quantity(read.value, registry().parse_units(name))
        except Exception:  # Pint raises many kinds for what is no unit
            continue
    return None


def _sum(parts: list[Any | None]) -> Any | None:
    total = parts[0]
    for part in parts[1:]:
        if total is None or part is None or total.dimensionless or not total.is_compatible_with(part):
            return None
        if part.magnitude < 0:
            return None
        try:
            total = total + part if total.magnitude >= 0 else total - part
        except Exception:  # degrees on a scale cannot be added
            return None
    return total
