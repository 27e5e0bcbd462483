"""The `suffice` command: data on stdout, talk on stderr, errors in one message with the next step."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.arguments import held_to
from suffice.cli import (
    advising,
    daily,
    deciding,
    forgetting,
    looking,
    model_list,
    program_runs,
    serving,
    starting,
    using,
)
from suffice.cli.guest import goodbye
from suffice.cli.talk import data, hush, own, talk
from suffice.errors import SufficeError
from suffice.shown import one_line
from suffice.version import __version__

# The ancestor of all wrong uses; whether it is click's or typer's own copy of click depends on typer's version.
CLICK_ERROR: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="suffice",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those may hold sealed cases
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From test data to the easiest LLM solution shown to suffice.",
    epilog="Start with: suffice plan FILE --bar .9, then suffice climb FILE --bar .9",
)
COMMANDS: tuple[Any, ...] = (
    starting.init_command,
    deciding.plan_command,
    deciding.climb_command,
    daily.eval_command,
    daily.compare_command,
    advising.advise_command,
    using.apply_command,
    serving.mcp_command,
    deciding.gate_command,
    looking.runs_command,
    looking.show_command,
    looking.report_command,
    looking.view_command,
    program_runs.trace_command,
    program_runs.questions_command,
    program_runs.answer_command,
    deciding.unseal_command,
    forgetting.forget_command,
    model_list.models_command,
)
for command in COMMANDS:
    verb = command.__name__.removesuffix("_command")
    called = {name: f"--{name.replace('_', '-')}" for name in inspect.signature(command).parameters}
    app.command(verb)(held_to(command, called, f"suffice {verb} --help"))


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """From test data to the easiest LLM solution shown to suffice."""
    if version:
        data(__version__)
        raise typer.Exit()


def main() -> None:
    """Run the command line and exit: 0 done or PASS, 1 FAIL, 2 wrong use or an error, 3 UNPROVEN, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of few characters gets escapes for the others, not an error
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    code = _code(sys.argv[1:])
    goodbye()
    sys.exit(code)


def _code(arguments: list[str]) -> int:
    """Run one command. Not through `app()`: that makes exit 1, which means FAIL, of a closed pipe and of any fault."""
    try:
        entry: Any = typer.main.get_command(app)
        with entry.make_context("suffice", list(arguments)) as context:
            entry.invoke(context)
        return 0
    except typer.Exit as end:
        return end.exit_code
    except SufficeError as error:
        return _failed(error, error.hint or f"suffice {_verb(arguments)}--help")
    except CLICK_ERROR as error:
        return _misused(error, arguments)
    except (typer.Abort, KeyboardInterrupt):
        talk("interrupted: what was recorded is kept; the same command goes on from there")
        return 130
    except BrokenPipeError:  # `suffice apply ... | head`: the reader has enough
        out = own()[0]
        if out is not None:
            hush(out)
        return 0
    except SystemExit:  # in a task that a solution left behind; its text stays in: it may quote a sealed case
        talk(
            "error: a solution tried to end the program; what was recorded is kept\n"
            "hint: a solution returns or raises, it does not exit"
        )
        return 2
    except BaseException as error:  # noqa: B036 - Python's own exit 1 would mean FAIL
        return _fault(error)


def _failed(error: SufficeError, hint: str) -> int:
    at = f"{one_line(error.where)}: " if error.where else ""
    talk(f"error: {at}{error.message}\nhint: {hint}")
    return 2


def _misused(error: Any, arguments: list[str]) -> int:
    """What typer says of a wrong command line, in our form."""
    if not arguments:  # `suffice` alone
        error.show()
        return 2
    said, _, near = error.format_message().replace("'", "").partition(" Did you mean ")
    said = said.partition(" (Possible options: ")[0].rstrip(".")
    near = near or f"{', '.join(getattr(error, 'possibilities', None) or [])}?"
    hint = f"did you mean {near}" if near != "?" else f"suffice {_verb(arguments)}--help"
    talk(f"error: {said[:1].lower()}{said[1:]}\nhint: {hint}")
    return 2


def _fault(error: BaseException) -> int:
    """A mistake of ours. Its text stays in, unless asked for: it may quote a sealed case."""
    if os.environ.get("SUFFICE_TRACEBACK"):
        talk("".join(traceback.format_exception(error)).rstrip())
    last = traceback.extract_tb(error.__traceback__)[-1]
    talk(
        f"error: a fault of Suffice itself: {type(error).__name__} at {Path(last.filename).name}:{last.lineno} in "
        f"{last.name}; what was recorded is kept\n"
        "hint: please report it; SUFFICE_TRACEBACK=1 before the command shows all of it (it may quote sealed cases)"
    )
    return 2


def _verb(arguments: list[str]) -> str:
    """The command that was typed, with a space behind, where it is one."""
    known = {c.name for c in app.registered_commands}
    return next((f"{a} " for a in arguments if a in known), "")


if __name__ == "__main__":
    main()
