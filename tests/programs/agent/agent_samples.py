"""What the tests of agents share: tools over a small shop, and what a model was shown, in either dialect."""

from __future__ import annotations

import json
from typing import Any, Literal

from upstream_faults import Asked, Fault, Ok, Script, first

from suffice.models.model import Model
from suffice.programs.tool import tool
from upstream import Upstream

DIALECTS = ("openai", "anthropic")
PRICE = (1.0, 10.0)  # US dollars per million tokens
Team = Literal["billing", "shipping"]


@tool
async def look_up(id: str) -> dict[str, str]:
    """Find a parcel by its id."""
    return {"id": id, "status": f"{id} is on its way"}


@tool
def broken(id: str) -> str:
    """Find an order."""
    raise LookupError(f"there is no order {id}")


def model(up: Upstream, dialect: str = "openai", **options: Any) -> Model:
    address = f"{up.url}#any" if dialect == "openai" else f"anthropic+{up.origin}#any"
    return Model(address, price=PRICE, attempts=2, **options)


def calls(*wanted: tuple[str, Any], text: str = "") -> Ok:
    """A reply that asks for these calls at once."""
    return Ok(text, tools=tuple((name, json.dumps(arguments)) for name, arguments in wanted))


def answers(value: Any) -> Ok:
    """A reply that gives the final answer."""
    return calls(("final_answer", {"answer": value}))


def plays(*faults: Fault) -> Script:
    """These replies in turn, the last one for ever."""
    return first(*faults, then=faults[-1])


def shown(asked: Asked) -> list[dict[str, Any]]:
    """The results of the last turn as the model was shown them, in their order."""
    found: list[str] = []
    for message in reversed(asked.said["messages"]):
        if message["role"] == "assistant":
            break
        if message["role"] == "tool":
            found.insert(0, message["content"])
        elif isinstance(message["content"], list):
            blocks = [b["content"] for b in message["content"] if b["type"] == "tool_result"]
            found = [*blocks, *found]
    return [json.loads(one) for one in found]


def told(asked: Asked) -> str:
    """All texts of the user's turns and the system's, in one."""
    parts = [asked.said.get("system", "")]
    for message in asked.said["messages"]:
        content = message["content"]
        if message["role"] in ("user", "system") and isinstance(content, str):
            parts.append(content)
        elif message["role"] == "user":
            parts += [b["text"] for b in content if b["type"] == "text"]
    return "\n".join(parts)


def offered(asked: Asked) -> dict[str, Any]:
    """The schemas of the tools that were offered, by name."""
    tools = [t.get("function", t) for t in asked.said.get("tools", [])]
    return {t["name"]: t.get("parameters", t.get("input_schema")) for t in tools}
