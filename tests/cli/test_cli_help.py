"""Every command's help is short, complete and true."""

from __future__ import annotations

import re

import pytest
from cli_samples import Command

from suffice.cli.app import app

COMMANDS = [str(command.name) for command in app.registered_commands]


def test_the_first_page_names_every_command_without_cutting_a_word(suffice: Command) -> None:
    text = suffice("--help").out
    assert "..." not in text.partition("Commands:")[2].partition("Start with")[0]
    for command in COMMANDS:
        assert re.search(rf"^  {command}  +\w.*\.$", text, re.MULTILINE), command
    assert len(text.splitlines()) <= 30


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_units_and_defaults_within_a_screen(suffice: Command, command: str) -> None:
    text = suffice(command, "--help", COLUMNS="90").out
    assert len(text.splitlines()) <= 50
    for line in text.partition("Options:")[2].splitlines():
        option = re.match(r"  (?:-\w, )?(--[\w-]+)(?: <[^>]*>)?", line)
        assert option is None or len(line) > option.end(), f"{option[0]} says nothing"
    if "--timeout" in text:
        assert re.search(r"--timeout.*seconds.*default: 120", text, re.IGNORECASE | re.DOTALL)
        assert re.search(r"--concurrency.*default: 8", text, re.DOTALL)
