"""Every error that Suffice raises, grouped by what the caller can do about it.

SufficeError                 what happened, to which case or call, what was kept, and the next step (`hint`)
├── UsageError               change the command or the call
│   ├── SealedError          the sealed test cases may not be looked at this way
│   ├── BarError             these cases cannot show this bar
│   └── MissingExtra         an optional part is not installed
├── DataError                mend the data: it names file and line
├── SolutionError            mend the solution: it cannot be loaded, called or saved
├── BundleError              the saved bundle is missing, newer, changed or tampered with
└── StoreError               the store (.suffice/) cannot be read or written
    ├── StoreFull            no space left: free some and run the same command again
    ├── StoreBusy            another process holds it: wait, or stop that one
    └── StoreNewer           written by a newer version of Suffice
"""

from __future__ import annotations


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
