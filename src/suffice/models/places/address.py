"""The address of a model: from "openai:gpt-5-mini" or "http://127.0.0.1:8000/v1#name" to an endpoint and a name."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from suffice.errors import NoKey, UsageError
from suffice.models.dialects.anthropic_messages import ANTHROPIC
from suffice.models.dialects.dialect import Dialect, Quirks
from suffice.models.dialects.openai_chat import OPENAI_CHAT
from suffice.models.places.endpoint import Address, Endpoint
from suffice.models.places.providers import HOSTS, PROVIDERS, family_of, quirks_of

FORMS: Final = 'write it as "openai:gpt-5-mini", or "http://127.0.0.1:8000/v1#name" for a server of your own'
_DIALECTS: Final[Mapping[str, Dialect]] = {
    "http": OPENAI_CHAT,
    "https": OPENAI_CHAT,
    "anthropic+http": ANTHROPIC,
    "anthropic+https": ANTHROPIC,
}
_CLAUDE: Final = Quirks(modes=("tool",), stream_usage=False, logprobs=False)  # of a server that we do not know
_LEFT_OUT: Final = {
    "azure": 'write "https://RESOURCE.openai.azure.com/openai/v1#DEPLOYMENT", with key_env="AZURE_OPENAI_API_KEY"',
}
_UNFIT: Final = re.compile(r"[\s\\\x00-\x1f\x7f]")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
_OLLAMA_PORT: Final = 11434
_PORTS: Final = {"http": 80, "https": 443}


def address(
    text: str, *, base_url: str | None = None, key_env: str | None = None, environ: Mapping[str, str] = os.environ
) -> Address:
    """Where the model `text` is. Nothing is sent, and no key is read.

    "PROVIDER:NAME" with a provider of the table; or a URL with "#NAME", which cannot be left out, in OpenAI's dialect
    ("http://", "https://") or Anthropic's ("anthropic+http://", "anthropic+https://"). `base_url` calls a provider's
    model at another URL; a host that is not the provider's own gets none of its keys unless `key_env` names one.
    $OLLAMA_HOST moves "ollama:". Raises UsageError for an unknown provider (the nearest is offered), an empty name, a
    URL with a user, password or query in it, another scheme, or a host that is written to look like another one.
    """
    if "://" in text and "@" in text.partition("#")[0]:
        raise _credentials()
    if not text:
        raise UsageError("no model is named", hint=FORMS)
    if _UNFIT.search(text):
        raise UsageError("a model's address is a text without white space or backslash", hint=FORMS)
    if "://" in text:
        if base_url is not None:
            raise UsageError("a model's address that is a URL takes no base_url besides", hint="leave one of them out")
        url, _, name = text.partition("#")
        endpoint = _at_url(url, name)
    else:
        provider, name = _provider(text)
        endpoint = replace(PROVIDERS[provider], quirks=quirks_of(provider, name))
        other = _ollama(environ) if base_url is None and provider == "ollama" else base_url
        endpoint = endpoint if other is None else _moved(endpoint, other)
    if not name:
        raise UsageError(f"{_shown(text)} names no model", hint=FORMS)
    return Address(text, endpoint if key_env is None else replace(endpoint, key_env=(key_env,)), name)


def key_of(endpoint: Endpoint, environ: Mapping[str, str] = os.environ) -> str | None:
    """The endpoint's key, from the first of its variables that holds one; None where it needs none.

    An endpoint on this machine may do without. Raises NoKey that names the variables, and for a key with white
    space in it or one that no header can hold; never with a value.
    """
    for name in endpoint.key_env:
        key = environ.get(name, "")
        if not key:
            continue
        if not key.isascii() or not key.isprintable() or " " in key:
            raise NoKey(
                f"the key in ${name} has white space, a line end or a character in it that no key has",
                hint=f"set {name} again, without quotes or a line end",
            )
        return key
    if not endpoint.key_env or endpoint.loopback:
        return None
    names = " or ".join(f"${name}" for name in endpoint.key_env)
    raise NoKey(f"{endpoint.provider} needs a key: {names} is not set", hint=f"export {endpoint.key_env[0]}=…")


def key_said(endpoint: Endpoint, environ: Mapping[str, str] = os.environ) -> str:
    """Where the endpoint's key is read from, in a sentence for a hint; never a value."""
    held = next((name for name in endpoint.key_env if environ.get(name)), None)
    if held is not None:
        return f"It is read from {held}"
    if endpoint.key_env:
        return f"None was sent: {' or '.join(endpoint.key_env)} is not set"
    return 'None was sent: sf.Model(…, key_env="NAME") names the variable that holds this endpoint\'s key'


def _provider(text: str) -> tuple[str, str]:
    provider, colon, name = text.partition(":")
    if provider in PROVIDERS and colon:
        return provider, name
    if provider in _LEFT_OUT:
        raise UsageError(f"{provider} has no short form", hint=_LEFT_OUT[provider])
    near = _meant(provider, name)
    if near is not None:
        hint = f"did you mean {near}?"
    elif provider == "localhost" or "." in provider:
        hint = f'a server is written as a URL: "http://{provider}…#NAME"'
    else:
        hint = f"known: {', '.join(PROVIDERS)}; {FORMS}"
    said = f"there is no provider {_shown(provider)}" if colon else f"{_shown(text)} names no provider"
    raise UsageError(said, hint=hint)


def _meant(provider: str, name: str) -> str | None:
    """The address that was probably meant by a word and what stands behind its colon, if anything."""
    first, slash, rest = provider.partition("/")
    if slash and first.lower() in PROVIDERS:  # as routers write it
        return f"{first.lower()}:{rest}{name and ':'}{name}"
    whole = f"{provider}:{name}" if name else provider
    for said in (name, whole):
        family = family_of(said)
        if family is not None and (said == name or not name or family == "ollama"):  # whose names have tags
            return f"{family}:{said}"
    near = difflib.get_close_matches(provider.lower(), PROVIDERS, n=1)
    return f"{near[0]}:{name or 'NAME'}" if near else None


def _at_url(url: str, name: str) -> Endpoint:
    """The endpoint at a URL: a provider's where the host is its own, else one called by its host and port."""
    parts = _split(url)
    dialect, own = _DIALECTS[parts.scheme], HOSTS.get(parts.hostname or "")
    plain = _plain(parts, dialect)
    if own is not None and PROVIDERS[own.provider].dialect is dialect:
        return _moved(replace(PROVIDERS[own.provider], quirks=quirks_of(own.provider, name)), plain)
    if dialect is ANTHROPIC:
        return Endpoint(parts.netloc.lower(), plain, dialect, quirks=_CLAUDE, embeddings_path=None)
    return Endpoint(parts.netloc.lower(), plain, dialect)


def _moved(endpoint: Endpoint, url: str) -> Endpoint:
    """`endpoint` at another URL: still the provider's where the host is its own, else its host's, without its key."""
    parts = _split(url)
    if parts.scheme not in _PORTS:
        raise UsageError("base_url begins with http:// or https://")
    plain, own = _plain(parts, endpoint.dialect), HOSTS.get(parts.hostname or "")
    if own is not None and own.provider == endpoint.provider:
        if parts.scheme != "https" or parts.port not in (None, 443):
            raise UsageError(f"{own.provider} is called over https at its usual port, or its key could be read")
        return replace(endpoint, url=plain, region=own.region)
    made = replace(endpoint, url=plain)
    if endpoint.loopback and made.loopback:
        return made
    return replace(made, provider=parts.netloc.lower(), key_env=(), region=None)


def _plain(parts: SplitResult, dialect: Dialect) -> str:
    """The base URL, without the "/v1" that stands in the dialect's own path already."""
    path = parts.path.rstrip("/")
    path = path.removesuffix("/v1") if dialect.path.startswith("/v1/") else path
    return f"{parts.scheme.removeprefix('anthropic+')}://{parts.netloc.lower()}{path}"


def _split(url: str) -> SplitResult:
    """The parts of a URL that can be nothing but what it looks like. Raises UsageError, never with a password."""
    if "@" in url:
        raise _credentials()
    if _UNFIT.search(url):
        raise UsageError("a URL has no white space or backslash in it", hint=FORMS)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("the URL's host or port cannot be read", hint=FORMS) from None
    if parts.scheme not in _DIALECTS:
        raise UsageError(f"a model is not called over {_shown(parts.scheme)}", hint=f"use {', '.join(_DIALECTS)}")
    if parts.query or "?" in url or "#" in url:
        raise UsageError("the URL has a query or a second part: keys stay in the environment", hint="name key_env=")
    if not _is_host(host) or port == 0:
        raise UsageError(f"{_shown(host)} is no host name, or is written to look like another", hint=FORMS)
    return parts


def _is_host(host: str) -> bool:
    """A plain name or a plain IP address: no trailing dot, no letters beyond ASCII, no number in disguise."""
    try:
        return bool(str(ipaddress.ip_address(host)))
    except ValueError:
        pass
    last = host.rpartition(".")[2]
    looks_local = host.startswith("127.")  # 127.0.0.1.elsewhere.com
    return bool(_HOST.fullmatch(host)) and not (last[:1].isdigit() or looks_local)


def _ollama(environ: Mapping[str, str]) -> str | None:
    """The URL that $OLLAMA_HOST means to Ollama's own client: HOST, HOST:PORT, :PORT or a URL."""
    said = environ.get("OLLAMA_HOST", "").strip().rstrip("/")
    if not said:
        return None
    bare = "://" not in said
    whole = f"127.0.0.1{said}" if said.startswith(":") else said
    parts = _split(f"http://{whole}" if bare else whole)
    host = parts.hostname or ""
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # where it listens
    port = parts.port or (_OLLAMA_PORT if bare else _PORTS.get(parts.scheme))
    return f"{parts.scheme}://{host}:{port}{parts.path.removesuffix('/v1')}/v1"


def _credentials() -> UsageError:
    return UsageError(
        "the address has a user name or password in it: keys stay in the environment",
        hint='take out what stands before the "@"; key_env="NAME" names the variable of a key',
    )


def _shown(text: str) -> str:
    """A text in quotes; a long one is not repeated, because it may be a key in the wrong place."""
    return repr(text) if len(text) <= 24 else "what was given"
