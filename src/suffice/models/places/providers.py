"""The providers as data: where each is called, how it is spoken to, how its models differ, and when that was checked.

Azure is left out: its hosts belong to the customer. Its address is a URL,
"https://RESOURCE.openai.azure.com/openai/v1#DEPLOYMENT", with `key_env="AZURE_OPENAI_API_KEY"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Final

from suffice.models.dialects.anthropic_messages import ANTHROPIC
from suffice.models.dialects.dialect import Quirks
from suffice.models.dialects.openai_chat import OPENAI_CHAT
from suffice.models.places.endpoint import Endpoint

CHECKED: Final = date(2026, 11, 26)
"""When the rows below were compared with what the providers document and their users report. Where neither was found
a row says the less: no log-probabilities, no schema mode."""

_OPENAI: Final = 64
"""Above what OpenAI is seen to add: 9 tokens to a schema (openai/openai-cookbook#2140), 12 to functions and 7 to 10 to
each (its cookbook, "How to count tokens with tiktoken")."""

_ROWS: Final = (
    Endpoint(
        "openai",
        "https://api.openai.com/v1",
        OPENAI_CHAT,
        ("OPENAI_API_KEY",),
        # reasoning models refuse max_tokens, and every model takes this one
        Quirks(cap="max_completion_tokens", preamble=_OPENAI),
    ),
    Endpoint(
        "anthropic",
        "https://api.anthropic.com",
        ANTHROPIC,
        ("ANTHROPIC_API_KEY",),
        Quirks(modes=("schema", "tool"), stream_usage=False, logprobs=False),  # its streams tell usage unasked
        embeddings_path=None,
    ),
    Endpoint(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        OPENAI_CHAT,
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        Quirks(logprobs=False, reasons=True),  # "Logprobs is not enabled" for most models since 2.5; they think unasked
    ),
    Endpoint(
        "ollama",
        "http://127.0.0.1:11434/v1",
        OPENAI_CHAT,
        (),
        Quirks(modes=("schema", "json")),  # tool_choice cannot force a call
    ),
    Endpoint(
        "openrouter",
        "https://openrouter.ai/api/v1",
        OPENAI_CHAT,
        ("OPENROUTER_API_KEY",),
        # Without this it silently drops what the chosen host does not take, the JSON schema among it.
        Quirks(body={"provider": {"require_parameters": True}}),
    ),
    Endpoint(
        "groq",
        "https://api.groq.com/openai/v1",
        OPENAI_CHAT,
        ("GROQ_API_KEY",),
        # JSON schemas only on a few models; logprobs is answered with 400.
        Quirks(modes=("tool", "json"), cap="max_completion_tokens", logprobs=False),
        embeddings_path=None,
    ),
    Endpoint(
        "mistral",
        "https://api.mistral.ai/v1",
        OPENAI_CHAT,
        ("MISTRAL_API_KEY",),
        # stream_options.include_usage is refused as an extra field: the last chunk tells usage unasked.
        Quirks(seed="random_seed", stream_usage=False, logprobs=False),
        region="eu",  # its own statement on where the API keeps and processes data by default
    ),
    Endpoint(
        "deepseek",
        "https://api.deepseek.com",
        OPENAI_CHAT,
        ("DEEPSEEK_API_KEY",),
        # Thinking, on by default, answers a forced tool and logprobs with 400, and there is no schema mode.
        Quirks(modes=("json",), logprobs=False, reasons=True),
        embeddings_path=None,
    ),
    Endpoint(
        "together",
        "https://api.together.xyz/v1",
        OPENAI_CHAT,
        ("TOGETHER_API_KEY",),
        Quirks(logprobs=False),  # takes a number, not OpenAI's true
    ),
    Endpoint(
        "xai",
        "https://api.x.ai/v1",
        OPENAI_CHAT,
        ("XAI_API_KEY",),
        # logprobs: not documented for its current models, most of which reason
        Quirks(cap="max_completion_tokens", logprobs=False, reasons=True),
        embeddings_path=None,
    ),
)

PROVIDERS: Final[Mapping[str, Endpoint]] = MappingProxyType({row.provider: row for row in _ROWS})
"""Every provider by the word that stands before the colon."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host name that belongs to a provider, and the region in which it promises to work."""

    provider: str
    region: str | None = None


HOSTS: Final[Mapping[str, Host]] = MappingProxyType(
    {
        **{row.host: Host(row.provider, row.region) for row in _ROWS if not row.loopback},
        # developers.openai.com/api/docs/guides/data-residency; docs.x.ai/developers/advanced-api-usage/regions
        "eu.api.openai.com": Host("openai", "eu"),
        "us.api.openai.com": Host("openai", "us"),
        "us.api.x.ai": Host("xai", "us"),
    }
)
"""Every host that a provider names as its own. A key and a policy's provider name go to these and no other."""


_FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("gpt-", "chatgpt", "o1", "o3", "o4", "text-embedding"), "openai"),
        "claude": "anthropic",
        "gemini": "gemini",
        **dict.fromkeys(("mistral", "ministral", "magistral", "codestral", "pixtral"), "mistral"),
        "deepseek": "deepseek",
        "grok": "xai",
        **dict.fromkeys(("gpt-oss", "llama", "gemma", "qwen", "phi"), "ollama"),
    }
)
"""Whose model a name probably is, by its start; the longest that fits wins."""


def family_of(name: str) -> str | None:
    """The provider whose model `name` probably is: to say what may have been meant, never to call it."""
    said = name.lower()
    fitting = [start for start in _FAMILIES if said.startswith(start) and said not in PROVIDERS]
    return _FAMILIES[max(fitting, key=len)] if fitting else None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """How the models of a provider whose name starts with `prefix` differ from its other ones."""

    provider: str
    prefix: str
    quirks: Quirks
    checked: date = CHECKED


_PLAIN: Final = PROVIDERS["openai"].quirks
_REASONING: Final = replace(_PLAIN, sampling=False, logprobs=False, reasons=True)
_NO_SCHEMA: Final = replace(_PLAIN, modes=("tool", "json"))
_CLAUDE_OLD: Final = Quirks(modes=("tool",), stream_usage=False, logprobs=False)  # before structured outputs
_CLAUDE_NEW: Final = Quirks(modes=("schema", "tool"), sampling=False, stream_usage=False, logprobs=False)

MODEL_ROWS: Final = (
    # "Unsupported parameter: 'temperature'": platform.openai.com/docs/guides/reasoning
    *(ModelRow("openai", prefix, _REASONING) for prefix in ("o1", "o3", "o4-mini", "gpt-5", "gpt-6")),
    ModelRow("openai", "gpt-5-chat", _PLAIN),
    # json_schema came with gpt-4o-2024-08-06
    *(ModelRow("openai", prefix, _NO_SCHEMA) for prefix in ("gpt-3.5", "gpt-4", "gpt-4o-2024-05-13")),
    *(ModelRow("openai", prefix, _PLAIN) for prefix in ("gpt-4o", "gpt-4.1", "gpt-4.5")),
    # "`temperature` is deprecated for this model": everything after Opus 4.6
    *(
        ModelRow("anthropic", f"claude-{name}", _CLAUDE_NEW)
        for name in ("opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "haiku-5", "fable-5", "mythos-5")
    ),
    # models from before output_config.format
    *(
        ModelRow("anthropic", f"claude-{name}", _CLAUDE_OLD)
        for name in ("2", "3", "opus-4-0", "opus-4-2", "sonnet-4-0", "sonnet-4-2")
    ),
)
"""Rows by the start of a model's name; the longest that fits wins."""


def quirks_of(provider: str, model: str) -> Quirks:
    """How `model` of `provider` is spoken to; a fine-tuned model ("ft:NAME:...") as the one that it came from."""
    name = model.removeprefix("ft:").lower()
    fitting = [row for row in MODEL_ROWS if row.provider == provider and name.startswith(row.prefix)]
    return max(fitting, key=lambda row: len(row.prefix)).quirks if fitting else PROVIDERS[provider].quirks
