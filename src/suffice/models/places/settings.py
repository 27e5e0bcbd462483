"""suffice.toml: the default model, prices, policy, limits and what is kept of a project. Keys are never in it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

from suffice.errors import UsageError
from suffice.models.concerns.limit import Limits
from suffice.models.places.address import address
from suffice.models.places.policy import Policy
from suffice.models.places.prices import Price
from suffice.models.places.providers import PROVIDERS
from suffice.numbers import is_number
from suffice.shown import brief
from suffice.store.keep import KEEPS as STORE_KEEPS
from suffice.store.keep import Keep as StoreKeep

T = TypeVar("T")

FILE: Final = "suffice.toml"
_SECTIONS: Final = ("models", "prices", "policy", "limits", "telemetry", "store")
Keep = Literal["off", "on", "full"]
KEEPS: Final[tuple[Keep, ...]] = ("off", "on", "full")
"""What is kept of served calls: nothing, figures without texts, or figures and texts."""
_SECRET: Final = re.compile(r"api_?-?key|(^|[_-])key$|token|secret|passw|credential|bearer", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a suffice.toml says. `file` is where it was found, None where there is none.

    `prices` are by a model's address as it is written, `limits` by provider. `telemetry`: what is kept of served calls;
    `store_keep`: what the store keeps of everything.
    """

    default: str | None = None
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    policy: Policy | None = None
    limits: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    telemetry: Keep = "on"
    store_keep: StoreKeep = "full"
    file: Path | None = None


def settings(folder: Path | None = None) -> Settings:
    """The settings that hold in `folder` (the data's; None: the working directory).

    The nearest suffice.toml counts: in the folder itself, else in its parents up to the one with a `.git`. Above a
    folder that is in no repository nothing is read, because it may be a stranger's. Raises UsageError with file and
    path for what cannot be read, an unknown name (the nearest is offered), a value that cannot be, or a key.
    """
    start = (folder or Path.cwd()).resolve()
    for place in _places(start):
        if (place / FILE).is_file():
            return read_settings(place / FILE)
    return Settings()


def read_settings(file: Path) -> Settings:
    """The settings in one file. Raises UsageError as `settings`."""
    try:
        said: dict[str, Any] = tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {type(error).__name__}", where=str(file)) from None
    except (ValueError, RecursionError) as error:  # besides what is not TOML: a huge integer, a deep nesting
        place = re.search(r"\((at .*)\)$", str(error))  # the rest of the message may quote a value
        raise UsageError(f"is not TOML {place[1] if place else ''}".rstrip(), where=str(file)) from None
    _known(file, "", said, _SECTIONS)
    models, policy = _table(file, "models", said), _table(file, "policy", said)
    _known(file, "models", models, ("default",))
    _known(file, "policy", policy, ("allow", "region"))
    default = models.get("default")
    if default is not None and (not isinstance(default, str) or not default.strip()):
        raise _wrong(file, "models.default", 'a model, as in "openai:gpt-5-mini"')
    return Settings(
        default=default,
        prices=_each(file, "prices", said, _price, _is_address),
        policy=_policy(file, policy) if policy else None,
        limits=_each(file, "limits", said, _limits, _is_provider),
        telemetry=_keep(file, said.get("telemetry", True)),
        store_keep=_store_keep(file, _table(file, "store", said)),
        file=file,
    )


def _places(start: Path) -> list[Path]:
    """`start` and, inside a repository, its parents up to the repository's root."""
    above = [start, *start.parents]
    root = next((n for n, place in enumerate(above) if (place / ".git").exists()), 0)
    return above[: root + 1]


def _price(file: Path, path: str, said: dict[str, Any]) -> Price:
    _known(file, path, said, ("input", "output", "cached_input"))
    for name in ("input", "output"):
        if name not in said:
            raise UsageError(f"{path} lacks {name}", where=str(file), hint="US dollars per million tokens")
    numbers = {name: _number(file, f"{path}.{name}", value, least=0.0, most=1e6) for name, value in said.items()}
    return Price(numbers["input"], numbers["output"], numbers.get("cached_input"))


def _limits(file: Path, path: str, said: dict[str, Any]) -> Limits:
    _known(file, path, said, ("concurrency", "requests_per_minute", "tokens_per_minute"))
    numbers = {name: _number(file, f"{path}.{name}", value, least=1.0) for name, value in said.items()}
    at_once = numbers.pop("concurrency", None)
    if at_once is not None and at_once != int(at_once):
        raise _wrong(file, f"{path}.concurrency", "a whole number")
    return Limits(None if at_once is None else int(at_once), **numbers)


def _keep(file: Path, said: object) -> Keep:
    if isinstance(said, bool):
        return "on" if said else "off"
    if said == "full":
        return "full"
    raise _wrong(file, "telemetry", 'true, false, or "full" (with texts)')


def _store_keep(file: Path, said: dict[str, Any]) -> StoreKeep:
    _known(file, "store", said, ("keep",))
    for keep in STORE_KEEPS:
        if said.get("keep", "full") == keep:
            return keep
    raise _wrong(file, "store.keep", '"full", "hashes" (in place of texts) or "off"')


def _policy(file: Path, said: dict[str, Any]) -> Policy:
    try:
        return Policy(said.get("allow"), said.get("region"))
    except UsageError as error:
        raise UsageError(f"policy: {error.message}", where=str(file), hint=error.hint) from None


def _each(
    file: Path,
    section: str,
    said: dict[str, Any],
    read: Callable[[Path, str, dict[str, Any]], T],
    check: Callable[[str], None],
) -> dict[str, T]:
    """What every table of a section says, by its name, which `check` refuses with UsageError where it cannot be."""
    tables = _table(file, section, said)
    for name in tables:
        try:
            check(name)
        except UsageError as error:
            raise UsageError(f"{section}: {error.message}", where=str(file), hint=error.hint) from None
    return {name: read(file, f'{section}."{name}"', _table(file, name, tables, section)) for name in tables}


def _is_address(name: str) -> None:
    address(name)


def _is_provider(name: str) -> None:
    """A provider of the table, or the host of a server, with its port where it has one."""
    if name in PROVIDERS or "." in name or name.partition(":")[0] == "localhost" or name.startswith("["):
        return
    near = difflib.get_close_matches(name, PROVIDERS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(PROVIDERS)}, or a host with its port"
    raise UsageError(f"there is no provider {brief(name)}", hint=hint)


def _table(file: Path, name: str, within: dict[str, Any], section: str = "") -> dict[str, Any]:
    found: object = within.get(name, {})
    if not isinstance(found, dict):
        if _SECRET.search(name) and not section:
            raise _secret(file, name)
        raise _wrong(file, f'{section}."{name}"' if section else name, "a table")
    return cast("dict[str, Any]", found)


def _known(file: Path, path: str, said: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuses what is not in `names`; a key gets its own refusal, because the next step is another one."""
    for name in said:
        if name in names:
            continue
        if _SECRET.search(name):
            raise _secret(file, f"{path}.{name}".lstrip("."))
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
        raise UsageError(f"there is no {f'{path}.{name}'.lstrip('.')}", where=str(file), hint=hint)


def _number(file: Path, path: str, value: object, *, least: float, most: float = 1e12) -> float:
    if not is_number(value, least, most):
        raise _wrong(file, path, f"a number of at least {least:g} and at most {most:g}")
    return float(cast("float", value))


def _wrong(file: Path, path: str, what: str) -> UsageError:
    return UsageError(f"{path} is {what}", where=str(file))


def _secret(file: Path, path: str) -> UsageError:
    return UsageError(
        f"{path} looks like a key, and no file holds one",
        where=str(file),
        hint="take it out, make a new one, and put that into the environment: export OPENAI_API_KEY=…",
    )
