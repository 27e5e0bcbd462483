"""The `suffice` command: data on stdout, talk on stderr, errors in one message with the next step."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from suffice.cli import daily, deciding, looking, using
from suffice.errors import SufficeError
from suffice.version import __version__

# The ancestor of all wrong uses; whether it is click's or typer's own copy of click depends on typer's version.
CLICK_ERROR: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="suffice",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those may hold sealed cases
    rich_markup_mode=None,
    help="From test data to the easiest LLM solution shown to suffice.",
    epilog="Start with: suffice plan FILE --bar .9, then suffice climb FILE --bar .9",
)
for command in (
    daily.eval_command,
    daily.compare_command,
    deciding.plan_command,
    deciding.climb_command,
    deciding.gate_command,
    deciding.unseal_command,
    using.apply_command,
    looking.runs_command,
    looking.show_command,
    looking.report_command,
):
    app.command(command.__name__.removesuffix("_command"))(command)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """From test data to the easiest LLM solution shown to suffice."""
    if version:
        print(__version__)
        raise typer.Exit()


def main() -> None:
    """Run the command line and exit: 0 done or PASS, 1 FAIL, 2 wrong use, 3 UNPROVEN, 130 interrupted."""
    sys.exit(_code())


def _code() -> int:
    try:
        result: Any = app(standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except SufficeError as error:
        _say(f"error: {error}")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except CLICK_ERROR as error:
        error.show()
        return 2
    except BrokenPipeError:  # `suffice ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def _interrupted() -> int:
    _say("interrupted: what was recorded is kept; the same command goes on from there")
    return 130


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
