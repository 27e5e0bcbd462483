"""The verb that says which models can be called from here: `models`."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from suffice.cli.talk import data, data_json, talk


def models_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Models to look at, as openai:gpt-5-mini (default: all)."),
    ] = None,
    reach: Annotated[
        bool, typer.Option("--reach", help="Ask every address whether it answers (no key, no data).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """List which models are configured, priced and reachable.

    Keys are looked for in the environment and never shown.
    """
    from suffice.models.places.listing import about, listed
    from suffice.programs.bridge import run
    from suffice.programs.using import model_configured

    default = model_configured()
    wanted = list(names or ([default] if default else []))
    rows: list[dict[str, Any]] = run(about(wanted, reach)) if wanted else []
    rows += [] if names else run(listed(reach))
    for row in rows:
        if as_json:
            data_json(row)
        else:
            data(_line(row))
    if not names:
        where = "SUFFICE_MODEL" if os.environ.get("SUFFICE_MODEL") else "suffice.toml"
        talk(
            f"steps call {default} ({where})"
            if default
            else "no model is configured: export SUFFICE_MODEL=PROVIDER:NAME"
        )


def _line(row: dict[str, Any]) -> str:
    parts = [row["key"], row["price"], row["allowed"], row["reachable"]]
    return f"{row['model']:<34} " + "; ".join(p for p in parts if p)
