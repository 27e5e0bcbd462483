"""Every error that Suffice raises, grouped by what the caller can do about it.

SufficeError                 what happened, to which case or call, what was kept, and the next step (`hint`)
├── UsageError               change the command or the call
│   ├── SealedError          the sealed test cases may not be looked at this way
│   ├── BarError             these cases cannot show this bar
│   ├── MissingExtra         an optional part is not installed
│   ├── NoModel              nothing says which model to call
│   ├── NoKey                the key of a provider is not in the environment
│   ├── NoEndpoint           no model answers there: start it, or mend its key, name or URL
│   └── PriceUnknown         a dollar budget over a price that nobody knows
├── DataError                mend the data: it names file and line
├── SolutionError            mend the solution: it cannot be loaded, called or saved
│   ├── NotDone              what a tool raises to say that it has done nothing, and may be called again
│   └── JournalDiverged      a durable program did something else than when it was recorded
├── Waiting                  a durable run waits for a person's answer
├── CallError                a model call gave no reply; `attempts` says what was tried
│   ├── RefusedError         the endpoint will never take this request (key, name, parameter): change it
│   ├── InputTooLong         the request does not fit the model: shorten it
│   ├── RateLimited          too many requests: it waited and gave up; ask less at once
│   ├── ServerError          the endpoint failed (5xx, overloaded): try later
│   ├── ConnectionLost       no connection, or it broke: try again
│   ├── CallTimeout          no reply in time: try again, or allow more
│   ├── MalformedReply       what came back is no reply: try again
│   │   └── WebPage          it is a web page: the URL is probably wrong
│   ├── Truncated            the reply ended at its output cap: raise the cap, or continue it
│   ├── OutputError          the reply does not fit the type that was asked for
│   ├── ContentFiltered      the model or its filter declined to answer
│   └── ReplayMiss           nothing like this request was recorded
├── BudgetError              the budget does not allow another attempt
├── PolicyError              the policy does not allow this provider to see the data
├── BundleError              the saved bundle is missing, newer, changed or tampered with
└── StoreError               the store (.suffice/) cannot be read or written
    ├── StoreFull            no space left: free some and run the same command again
    ├── StoreBusy            another process holds it: wait, or stop that one
    └── StoreNewer           written by a newer version of Suffice
"""

from __future__ import annotations

from typing import Final

PLACE: Final = "__suffice_place__"
"""The attribute of an error that says where in the user's code it was raised, of one whose traceback is gone."""


class SufficeError(Exception):
    """Base of every error raised on purpose.

    `hint` is the next command or edit to try; `where` is the place of the fault ("tickets.csv:17", "$.items[3]");
    `retryable` says whether the same call may succeed later; `request_id` names a remote request where there was one.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.request_id = request_id

    def __str__(self) -> str:
        at = f"{self.where}: " if self.where else ""
        return f"{at}{self.message}" + (f"\nhint: {self.hint}" if self.hint else "")


class UsageError(SufficeError):
    """The command or call itself is wrong; nothing was run."""


class SealedError(UsageError):
    """The request would show sealed test cases."""


class BarError(UsageError):
    """The bar cannot be shown with these cases."""


class MissingExtra(UsageError):
    """An optional dependency is not installed; the hint holds the command that installs it."""


class DataError(SufficeError):
    """A task's data is unusable; `where` holds file and line."""


class SolutionError(SufficeError):
    """A solution cannot be loaded, called or saved."""


class NotDone(SolutionError):
    """A tool has done nothing. Raised by a tool with `repeat="never"`: when the durable run that it ended goes on, the
    tool is called again, where after any other error a person is asked whether it was done."""


class JournalDiverged(SolutionError):
    """A durable program, run again, asks for something else than was recorded; nothing was called or written."""


class Waiting(SufficeError):
    """A durable run waits for a person; what it did is kept, and it goes on from there once the answer is given.

    `run` is its id, `question` what is asked, `choices` what may be answered (empty: anything).
    """

    retryable = True

    def __init__(self, run: str, question: str, choices: tuple[str, ...] = ()) -> None:
        said = f" ({', '.join(choices)})" if choices else ""
        hint = f'suffice answer {run} "{choices[0] if choices else "…"}"'
        super().__init__(f"{run} waits for an answer: {question}{said}", hint=hint)
        self.run, self.question, self.choices = run, question, choices


class NoModel(UsageError):
    """Nothing says which model to call; the message names every place that could."""


class NoKey(UsageError):
    """A provider's key is not set, or cannot be one; the message names the variables, never a value."""


class NoEndpoint(UsageError):
    """Every call of a model ended before it was answered, all alike: nobody is there, or its key, name or URL is not
    taken; the message holds the endpoint's own words."""


class PriceUnknown(UsageError):
    """A budget in dollars needs a price; the hint is the line that sets it."""


class CallError(SufficeError):
    """A model call gave no reply.

    `attempts` are the Attempt values of everything that was sent (they may have been billed), `status` is the HTTP
    status where there was one, `retry_after` the seconds the endpoint asked to wait, `sent` whether the request may
    have reached a model, `partial` the text that had arrived, `usage` the Usage that a reply which was none had said.
    """

    kind = "failed"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        sent: bool = True,
        partial: str = "",
        **more: str | None,
    ) -> None:
        super().__init__(message, **more)
        self.status = status
        self.retry_after = retry_after
        self.sent = sent
        self.partial = partial
        self.attempts: tuple[object, ...] = ()
        self.usage: object = None

    @property
    def unreached(self) -> bool:
        """Whether nobody was reached: no connection could be made."""
        return False


class RefusedError(CallError):
    """The endpoint will not take this request, today or tomorrow (other 4xx: key, name, parameter)."""

    kind = "refused"


class InputTooLong(CallError):
    """The request does not fit the model's window."""

    kind = "input too long"


class RateLimited(CallError):
    """Too many requests or tokens (429)."""

    kind = "rate limited"
    retryable = True


class ServerError(CallError):
    """The endpoint failed or is overloaded (5xx, 408, 409, 425)."""

    kind = "server error"
    retryable = True


class ConnectionLost(CallError):
    """No connection, or it broke before the reply was whole."""

    kind = "connection lost"
    retryable = True

    @property
    def unreached(self) -> bool:
        """Whether no connection could be made at all."""
        return not self.sent


class CallTimeout(CallError):
    """No whole reply in time."""

    kind = "timeout"
    retryable = True


class MalformedReply(CallError):
    """What came back is no reply: not JSON, not the dialect, cut off."""

    kind = "malformed"
    retryable = True


class WebPage(MalformedReply):
    """A web page came back where a reply belongs: the URL is probably wrong, or a proxy stands in between."""


class Truncated(CallError):
    """The reply ended at its output cap (finish reason "length"); `partial` holds it. Never parsed, never repaired."""

    kind = "truncated"


class OutputError(CallError):
    """The reply does not fit the type that was asked for, nor did its repairs; `partial` holds the last."""

    kind = "output"


class ContentFiltered(CallError):
    """The model or its filter declined."""

    kind = "filtered"


class ReplayMiss(CallError):
    """Nothing like this request was recorded; the message shows the difference to the nearest."""

    kind = "not recorded"


class BudgetError(SufficeError):
    """The budget does not allow another attempt; what was answered is kept. `budget` is the one that refused, `wanted`
    the reservation that it refused."""

    def __init__(self, message: str, *, budget: object = None, wanted: object = None, **more: str | None) -> None:
        super().__init__(message, **more)
        self.budget, self.wanted = budget, wanted


class PolicyError(SufficeError):
    """The policy does not allow this provider to see the data; nothing was sent."""


class BundleError(SufficeError):
    """A bundle is missing, incomplete, newer, changed or tampered with."""


class StoreError(SufficeError):
    """The store cannot be read or written; what was recorded before is kept."""


class StoreFull(StoreError):
    """No space left on the store's disk."""

    retryable = True


class StoreBusy(StoreError):
    """Another live process holds what this one needs."""

    retryable = True


class StoreNewer(StoreError):
    """The store was written by a newer version of Suffice."""


class Stopped(BaseException):
    """The run cannot go on without a person's answer. Not an Exception: a program's `except` must not swallow it."""

    def __init__(self, question: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(question)
        self.question, self.choices = question, choices
