"""The calls of one turn: checked, allowed or not, done side by side, and shown to the model as data."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from suffice.errors import OutputError, UsageError
from suffice.exchange import ToolCall
from suffice.programs.agent.setup import Setup
from suffice.programs.agent.transcript import Acted, How
from suffice.programs.asking import STOP, YES, ask_permission, meant
from suffice.programs.dry_run import in_dry_run, left_out
from suffice.programs.solution import ENDS_ALL, describe
from suffice.programs.tool import UNFIT, CallableTool
from suffice.shown import one_line
from suffice.values import Json, canonical

ERROR_CHARS: Final = 2_000
AT_ONCE: Final = 32  # calls of one turn
DRY: Final = "dry run: this was not done. It would have been called with these arguments; go on as if it had been."
SAME_ID: Final = (
    "not done: an earlier call of the same reply has the same id; make this one again in a reply of its own"
)


STOPPED: Final = "a person said stop"
NOBODY: Final = "a person must allow this, and nobody can be asked"
BESIDE: Final = {
    STOPPED: "a person said stop to another call of this turn",
    NOBODY: "nobody could be asked whether to allow another call of this turn",
}
"""Why the other calls of the turn were not made."""


class Denied(Exception):
    """A person is needed for a call, and said stop, or nobody can be asked. `acted` is what became of every call of the
    turn, none of which was made."""

    def __init__(self, acted: tuple[Acted, ...]) -> None:
        super().__init__()
        self.acted = acted


class _Refused(Exception):
    """`why` the run ends at this call, which was not made."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class _Allowed:
    call: ToolCall
    tool: CallableTool[..., Any]
    values: Mapping[str, Any]


async def act(setup: Setup, calls: Sequence[ToolCall]) -> tuple[Acted, ...]:
    """What came of each call, in the order of the calls. A person is asked one question after another, and then what is
    allowed is done side by side.

    Raises Denied, and what must end everything: a spent budget, a policy, a store that cannot be written.
    """
    ids = [call.id for call in calls]
    settled = [
        failed(call, "invalid", SAME_ID) if call.id in ids[:n] else _checked(setup, call)
        for n, call in enumerate(calls[:AT_ONCE])
    ]
    settled += [failed(call, "denied", f"not done: at most {AT_ONCE} calls at once") for call in calls[AT_ONCE:]]
    for n, one in enumerate(settled):
        if isinstance(one, Acted):
            continue
        try:
            settled[n] = await _permitted(setup, one)
        except _Refused as refused:
            raise Denied(_unmade(settled, n, refused.why, setup)) from None
    return tuple(await side_by_side([_done(one) for one in settled]))


def shown(name: str, value: Json, most: int) -> str:
    """`value` as the content of a message: {`name`: value} as JSON, so that no text in it can end the data it is in.
    What is longer than `most` characters is cut, and says so."""
    text = _dumped({name: value})
    if len(text) <= most:
        return text
    whole = value if isinstance(value, str) else canonical(value)
    return _dumped({name: whole[:most], "cut": f"{most:,} of {len(whole):,} characters are shown"})


def _dumped(value: Json) -> str:
    """JSON without lone surrogates, which no request can hold, and with NaN and infinities as texts."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()


def _finite(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in cast("dict[str, Json]", value).items()}
    if isinstance(value, list):
        return [_finite(one) for one in cast("list[Json]", value)]
    return json.dumps(value) if isinstance(value, float) and not math.isfinite(value) else value


def failed(call: ToolCall, how: How, said: str) -> Acted:
    """A call without a result, and why."""
    return Acted(call, how, shown("error", said, ERROR_CHARS))


async def side_by_side(doing: Sequence[Awaitable[Acted]]) -> list[Acted]:
    """All of them, each to its end; what one of them raised is raised then, the first that is no Exception first."""
    ended = await asyncio.gather(*doing, return_exceptions=True)
    raised = [one for one in ended if isinstance(one, BaseException)]
    for error in sorted(raised, key=lambda e: isinstance(e, Exception)):
        raise error
    return [one for one in ended if isinstance(one, Acted)]


def _checked(setup: Setup, call: ToolCall) -> Acted | _Allowed:
    tool = setup.tools.get(call.name)
    if tool is None:
        known = ", ".join(offer.name for offer in setup.offers)
        return failed(call, "unknown", f"there is no tool called so; there are: {known}")
    if setup.permission(tool) == "deny":
        return failed(call, "denied", "this tool may not be called here")
    try:
        values = tool.read(call.arguments)
    except OutputError as error:
        return failed(call, "invalid", f"the arguments do not fit: {error.message.removeprefix(UNFIT)}")
    except Exception as error:  # a validator of the user's own, at fault
        return failed(call, "failed", describe(error, hint=False))
    return _Allowed(call, tool, values)


def _unmade(settled: Sequence[Acted | _Allowed], at: int, why: str, setup: Setup) -> tuple[Acted, ...]:
    """What became of every call of a turn that ended at the call `at`, whose answers up to there are in `settled`."""

    def of(n: int, one: _Allowed) -> Acted:
        if n == at:
            return failed(one.call, "denied", why)
        yes = " (to this one they said yes)" if n < at and setup.permission(one.tool) == "ask" else ""
        return failed(one.call, "stopped", f"not done: the run ended, because {BESIDE[why]}{yes}")

    return tuple(one if isinstance(one, Acted) else of(n, one) for n, one in enumerate(settled))


async def _permitted(setup: Setup, one: _Allowed) -> Acted | _Allowed:
    if in_dry_run() and one.tool.alters:
        return _dry(one, DRY)
    if setup.permission(one.tool) == "allow":
        return one
    question = one_line(f"{setup.name} wants to call {Acted(one.call, 'ok', '').asking}. May it?")
    try:
        said = await ask_permission(question)
    except UsageError:  # the question is one, so it says that there is nobody
        raise _Refused(NOBODY) from None
    if meant(said) == STOP:
        raise _Refused(STOPPED)
    return one if meant(said) == YES else failed(one.call, "denied", f"a person did not allow this, and said: {said}")


async def _done(one: Acted | _Allowed) -> Acted:
    if isinstance(one, Acted):
        return one
    try:
        result = await one.tool.asked(one.call.arguments, one.values)
        return Acted(one.call, "ok", shown("result", result, one.tool.most_chars))
    except ENDS_ALL:
        raise
    except Exception as error:
        inside = left_out(error)
        if inside is not None:
            return _dry(one, f"{inside.message}, and so this ended there; go on as if it had been done.")
        return failed(one.call, "failed", describe(error, hint=False))


def _dry(one: _Allowed, said: str) -> Acted:
    return Acted(one.call, "dry", shown("note", said, one.tool.most_chars))
