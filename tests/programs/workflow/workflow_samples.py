"""What the tests of workflows share: the tree of a call, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import suffice as sf
from suffice.spans import Span, tree


def grown(call: Callable[[], Any]) -> tuple[Any, Span]:
    """What a call gives (or raised), and the tree of what it did."""

    async def main() -> tuple[Any, Span]:
        with tree("test") as root:
            try:
                return await call(), root
            except Exception as error:
                return error, root

    return sf.run(main())


def lines(span: Span, depth: int = 0) -> list[str]:
    """A tree as indented lines: kind, name, and what went wrong or is noted."""
    own = []
    for child in span.children:
        more = "".join(f" ({said})" for said in (child.error, child.note) if said)
        own += [f"{'  ' * depth}{child.kind} {child.name}{more}", *lines(child, depth + 1)]
    return own
