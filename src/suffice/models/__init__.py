"""The model call: a flaky API call, treated as one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suffice.exchange import Image as Image
    from suffice.exchange import Message as Message
    from suffice.exchange import Reply as Reply
    from suffice.exchange import Tool as Tool
    from suffice.models.concerns.limit import Limits as Limits
    from suffice.models.concerns.retry import Retry as Retry
    from suffice.models.places.policy import Policy as Policy
    from suffice.models.places.prices import Price as Price
    from suffice.models.sending.tape import record as record
    from suffice.models.sending.tape import replay as replay

# What stands one level down: sf.models.Policy. Imported when first used.
_NAMES = {
    "Image": "suffice.exchange",
    "Limits": "suffice.models.concerns.limit",
    "Message": "suffice.exchange",
    "Policy": "suffice.models.places.policy",
    "Price": "suffice.models.places.prices",
    "Reply": "suffice.exchange",
    "Retry": "suffice.models.concerns.retry",
    "Tool": "suffice.exchange",
    "record": "suffice.models.sending.tape",
    "replay": "suffice.models.sending.tape",
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'suffice.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(_NAMES)
