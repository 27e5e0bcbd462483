"""Where a third-party server is, and how Suffice reaches its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import suffice as sf

KEY_ENV, KEY = "PEER_KEY", "sk-peer-0123456789abcdef"
INSTALLS = "`make peers` installs it"


@dataclass(frozen=True)
class Place:
    """Where a server is, its model's name there, and the dialect to speak: "openai" or "anthropic"."""

    origin: str
    name: str = "tiny"
    key_env: str | None = None
    dialect: str = "openai"

    @property
    def address(self) -> str:
        """The model as a user writes it."""
        return f"{'anthropic+' if self.dialect == 'anthropic' else ''}{self.origin}/v1#{self.name}"

    def model(self, **options: Any) -> sf.Model:
        """The model, with its key where it needs one."""
        keyed = {"key_env": self.key_env} if self.key_env else {}
        return sf.Model(self.address, **keyed, **options)
