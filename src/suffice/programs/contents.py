"""What a bundle is, told from its manifest alone: nothing of it is imported, and no weight is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from suffice.programs.learned import read_marks
from suffice.programs.manifest import Manifest, read_manifest, read_plain
from suffice.programs.npz import MAX_BYTES
from suffice.shown import counted, one_line, shown
from suffice.values import Json

MOST: Final = 400  # characters of an instruction; as JSON there are all
Member = tuple[int, str, str, float | None, str]
"""How deep in the route, its name, its kind, its threshold, and the model or function that it asks ("": none)."""


def contents_json(path: str | Path) -> dict[str, Json]:
    """What a bundle is, as JSON. Raises BundleError where it is none, or damaged."""
    manifest = read_manifest(path)
    return {
        "bundle": manifest.name,
        "hash": manifest.hash,
        "suffice": manifest.suffice,
        "python": manifest.python,
        "claim": None if manifest.claim is None else dict(manifest.claim),
        "members": [
            {"depth": depth, "name": name, "kind": kind, "threshold": threshold, "asks": asks or None}
            for depth, name, kind, threshold, asks in _members(cast("dict[str, Any]", manifest.solution), 0, None)
        ],
        "prompts": list(_prompts(cast("dict[str, Any]", manifest.solution))),
        "fitted_on": _fitted(manifest),
        "needs": dict(manifest.needs),
        "notes": list(manifest.notes),
        "bytes": sum(size for _, size in manifest.files.values()),
    }


def contents_lines(path: str | Path) -> list[str]:
    """The same in plain text: claim, members with thresholds and models, prompts, what it was fitted on, versions."""
    told: dict[str, Any] = contents_json(path)
    claim: dict[str, Any] | None = told["claim"]
    said = "none: what it was saved from showed nothing" if claim is None else _claimed(claim)
    fitted = told["fitted_on"]
    rows = [
        ("bundle", f"{one_line(told['bundle'])} ({told['hash'][:16]}, {told['bytes']:,} bytes beside the manifest)"),
        ("claim", said),
        *(("member", line) for line in map(_line, told["members"])),
        *(("prompt", _prompt_line(prompt)) for prompt in told["prompts"]),
        ("fitted on", counted(fitted, "case") if fitted else "no case that is known"),
        ("saved by", f"suffice {told['suffice']} with Python {told['python']}"),
        *(("needs", f"{one_line(name)} {one_line(what)}") for name, what in told["needs"].items()),
        *(("note", one_line(note)) for note in told["notes"]),
    ]
    return [f"{label:<10} {text}" for label, text in rows]


def _claimed(claim: dict[str, Any]) -> str:
    of = f" (task {one_line(str(claim['task']))})" if claim.get("task") else ""
    return f"{one_line(str(claim.get('verdict') or 'shown'))}: {one_line(str(claim.get('sentence') or ''))}{of}"


def _line(member: dict[str, Any]) -> str:
    name, kind = one_line(member["name"]), one_line(member["kind"])
    of = "" if name == kind else f", {kind}"
    asks = f", asks {one_line(member['asks'])}" if member["asks"] else ""
    at = member["threshold"]
    when = "" if kind == "route" and at is None else f": answers from confidence {at:.3g} up" if at is not None else ""
    return f"{'  ' * member['depth']}{name}{of}{asks}{when}"


def _members(node: dict[str, Any], depth: int, threshold: float | None) -> Iterator[Member]:
    """The solution and what is in it, in the order in which they are asked."""
    data: dict[str, Any] = node.get("data") or {}
    asks = data.get("model") or data.get("import") or ""
    yield depth, str(node["name"]), str(node["kind"]), threshold, str(asks)
    legs: list[dict[str, Any]] = node.get("members") or []
    for leg in legs:
        yield from _members(leg["solution"], depth + 1, leg["threshold"])


def _prompts(node: dict[str, Any]) -> Iterator[dict[str, Json]]:
    """What the members that ask a model tell it, and how many examples stand in their prompts."""
    data: dict[str, Any] = node.get("data") or {}
    if isinstance(data.get("instruction"), str):
        examples: list[Json] = data.get("examples") or []
        yield {"member": str(node["name"]), "instruction": data["instruction"], "examples": len(examples)}
    legs: list[dict[str, Any]] = node.get("members") or []
    for leg in legs:
        yield from _prompts(leg["solution"])


def _prompt_line(prompt: dict[str, Any]) -> str:
    of = f", {counted(prompt['examples'], 'example')}" if prompt["examples"] else ""
    return f"of {one_line(prompt['member'])}{of}: {shown(prompt['instruction'], MOST)}"


def _fitted(manifest: Manifest) -> int:
    """How many cases its members were fitted on, as far as they are named."""
    if manifest.fitted is None:
        return 0
    return len(read_marks(read_plain(manifest.path / manifest.fitted, MAX_BYTES)))
