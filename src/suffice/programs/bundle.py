"""A bundle: a solution saved as a folder of data that any program loads, with the claim that was shown of it.

`manifest.json` holds everything but the weights: versions, the solution and its members with their thresholds, the
claim, size and SHA-256 of each other file, and a hash of itself. So a broken copy and an edit by hand are found
out; it is no signature, because whoever can write the folder can write the hashes too. Where a member learned, a text
file holds a short hash of the folded inputs of each case that it was fitted on, so that no figure on them is believed.
A bundle with a function runs that function when it is called: load such a bundle only from people whose code you would
run.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast, overload

from typing_extensions import TypeForm

from suffice.arguments import AnyPath, validated
from suffice.errors import BundleError, SolutionError
from suffice.programs import constant, nearest, patterns, rules, words
from suffice.programs.folder import check_folder, write_folder
from suffice.programs.identity import function_identity, packages_of
from suffice.programs.imports import NotImportable, check_importable, imported
from suffice.programs.learned import read_marks, written_marks
from suffice.programs.manifest import (
    AGAIN,
    FORMAT,
    MANIFEST,
    Manifest,
    belongs,
    manifest_text,
    read_manifest,
    read_plain,
    sha256,
    typed,
)
from suffice.programs.npz import MAX_BYTES, pack, unpack
from suffice.programs.output import checked_output
from suffice.programs.route import Leg, route_of
from suffice.programs.rule_line import MAX_FILE
from suffice.programs.solution import Form, Solution, from_function
from suffice.programs.using import maybe_using
from suffice.shown import brief
from suffice.values import Abstain, Json, canonical, to_json
from suffice.version import __version__

T = TypeVar("T")

MAX_DEPTH: Final = 16  # routes within routes

ASKING: Final = ("step", "vote", "examples", "chain", "refine", "template")
"""The kinds that call a model."""

KINDS: Final[Mapping[str, Callable[[Form], Solution]]] = {
    "constant": constant.from_form,
    "words": words.from_form,
    "nearest": nearest.from_form,
    "rules": rules.from_form,
    "patterns": patterns.from_form,
    **dict.fromkeys(ASKING, lambda form: _asking(form)),
}


def save_bundle(solution: Solution, path: str | Path, *, claim: Mapping[str, Json] | None = None) -> Path:
    """Save `solution` as the folder `path` and return it. The same solution and claim give the same bytes.

    An older bundle there is replaced in one step, and kept where writing fails; a folder with anything else in it is
    left alone. Functions are saved by name, which the manifest's `notes` say. Raises SolutionError where a part has
    no form that can be loaded again, BundleError where the folder cannot be written.
    """
    target = Path(path).expanduser()
    parts = _Parts()
    tree = _node(solution, parts, 0)
    fitted = _fitted(solution, parts)
    body: dict[str, Json] = {
        "format": FORMAT,
        "suffice": __version__,
        "python": _python(),
        "name": solution.name,
        "claim": json.loads(canonical(to_json(claim))),
        "needs": dict(sorted(parts.needs.items())),
        "notes": sorted(parts.notes),
        "solution": tree,
        **fitted,
        "files": {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in sorted(parts.files.items())},
    }
    text = manifest_text(body, solution.name)
    write_folder(target, {**parts.files, MANIFEST: text}, last=MANIFEST, ours=belongs)
    return target


def check_place(path: str | Path) -> None:
    """Raise BundleError where a bundle cannot be saved, whatever is in it: over a file, or among other things."""
    check_folder(Path(path).expanduser(), last=MANIFEST, ours=belongs)


@overload
def load(path: str | Path, *, allow_changed: bool = False, model: str | None = None) -> Solution[Any]: ...
@overload
def load(
    path: str | Path, *, output: TypeForm[T], allow_changed: bool = False, model: str | None = None
) -> Solution[T | Abstain]: ...
@validated
def load(path: AnyPath, *, output: Any = None, allow_changed: bool = False, model: str | None = None) -> Solution[Any]:
    """The solution in the bundle folder `path`, ready to be called; its `claim` is what was shown of it.

    With `output` (any type that pydantic can check) every answer is brought to that type or refused with
    SolutionError, and labels that can never fit are refused now. A function must have the source that it was saved
    with; `allow_changed` takes it as it is, and then the claim is dropped. So does another `model` for its steps:
    what was shown was shown of the one that it was saved with. Nothing is written anywhere. Raises
    BundleError for a bundle that is missing, newer, damaged, tampered with, or not to be imported.
    """
    manifest = read_manifest(path)
    try:
        reading = _Reading(manifest, allow_changed, model)
        solution = replace(_solution(manifest.solution, reading, 0), name=manifest.name, learned=_learned(reading))
    except BundleError:
        if read_manifest(path).hash == manifest.hash:
            raise
        return cast(
            "Solution[Any]", load(path, output=output, allow_changed=allow_changed, model=model)
        )  # replaced meanwhile
    if output is not None:
        solution = checked_output(solution, output, reading.labels, str(manifest.path))
    return replace(solution, claim=None if reading.changed else manifest.claim)


@dataclass(slots=True)
class _Parts:
    """What a save gathers on its way through the members."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    needs: dict[str, str] = field(default_factory=dict[str, str])
    notes: set[str] = field(default_factory=set[str])


def _node(solution: Solution, parts: _Parts, depth: int) -> Json:
    """A solution as JSON, its weights put into `parts`."""
    form = solution.form
    if depth >= MAX_DEPTH:
        raise SolutionError(f"routes within routes go more than {MAX_DEPTH} deep", hint="make one route of them")
    if form is None and solution.replays:
        raise SolutionError(
            f"{solution.name} is a recording: it answers the cases that were recorded and no others",
            hint="what recorded it can be climbed, saved and shipped: a function, or a step",
        )
    if form is None and not solution.members:
        raise SolutionError(
            f"{solution.name} cannot be saved: it is a lambda, a partial, or was made inside a function",
            hint="put what it does into a function of its own at the top level of a module",
        )
    node: dict[str, Json] = {"kind": "route" if form is None else form.kind, "name": solution.name}
    if node["kind"] == "route":
        legs = cast("tuple[Leg, ...]", solution.members)
        node["members"] = [
            {"threshold": _saved_threshold(leg), "solution": _node(leg.solution, parts, depth + 1)} for leg in legs
        ]
        return node
    assert form is not None
    node["data"] = form.data
    if form.kind in ("function", "workflow"):
        _note_function(form, parts)
    if form.data.get("model") is not None:
        parts.needs[form.data["model"]] = _needed(form)
    if form.arrays:
        data = pack(form.arrays)
        node["arrays"] = name = f"weights-{sha256(data)[:16]}.npz"
        parts.files[name] = data
        parts.needs["numpy"] = importlib.metadata.version("numpy")
    if form.text is not None:
        data = form.text.encode("utf-8", "surrogatepass")
        node["text"] = name = f"{form.kind}-{sha256(data)[:16]}.txt"
        parts.files[name] = data
    return node


def _needed(form: Form) -> str:
    """What a machine needs to call the model of this form: "OPENAI_API_KEY", "no key", "its recording"."""
    from suffice.models.places.address import address  # heavy, and most bundles call no model

    name: str = form.data["model"]
    if name.startswith("recorded:"):
        return "its recording"
    return " or ".join(address(name, **form.data["reached"]).endpoint.key_env) or "no key"


def _note_function(form: Form, parts: _Parts) -> None:
    path = form.data["import"]
    if not check_importable(path, form.data["source"]):
        parts.notes.add(
            f"{path} or what its module holds changed since it was tried: see that a fresh process loads it"
        )
    parts.needs.update(packages_of(imported(path)))
    parts.notes.add(f"{path} is saved by its name: where the bundle is loaded, its module must be there, unchanged")


def _fitted(solution: Solution, parts: _Parts) -> dict[str, Json]:
    """The entry that names the file of the cases which `solution` was fitted on; none where it learned from none."""
    if not solution.learned:
        return {}
    data = written_marks(solution.learned)
    name = f"fitted-{sha256(data)[:16]}.txt"
    parts.files[name] = data
    return {"fitted": name}


def _saved_threshold(leg: Leg) -> float | None:
    if leg.threshold is None:
        return None
    if not 0.0 <= leg.threshold <= 1.0:
        said = f"the threshold of {leg.solution.name} is {brief(leg.threshold)}"
        raise SolutionError(f"{said}, not a confidence in [0, 1]")
    return float(leg.threshold)


@dataclass(slots=True)
class _Reading:
    """What a load finds on its way through the members."""

    manifest: Manifest
    allow_changed: bool
    model: str | None = None
    changed: bool = False
    labels: list[Json] = field(default_factory=list[Json])  # answers that may be given, as far as they are known

    def fault(self, message: str, hint: str = AGAIN) -> BundleError:
        """The error for something that does not fit in this bundle."""
        return BundleError(message, hint=hint, where=str(self.manifest.path))


def _solution(node: Json, reading: _Reading, depth: int) -> Solution:
    """The solution that a node of the manifest describes."""
    try:
        kind, name = typed(node, "kind", str), typed(node, "name", str)
        if kind == "route":
            if depth >= MAX_DEPTH:
                raise ValueError(f"routes within routes go more than {MAX_DEPTH} deep")
            return route_of([_leg(m, reading, depth) for m in typed(node, "members", list)], name)
        form = Form(kind, typed(node, "data", dict), _arrays(node, reading), *_text(node, reading))
        if kind == "function":
            return from_function(_function(form, reading), name)
        if kind not in KINDS and kind != "workflow":
            raise reading.fault(
                f"it holds a solution of the kind {brief(kind)}, which this version of Suffice does not know",
                hint=f"install suffice {reading.manifest.suffice} or newer",
            )
        if form.data.get("model") is not None and reading.model is not None:
            reading.changed |= reading.model != form.data["model"] or bool(form.data["reached"])
            form = replace(form, data={**form.data, "model": reading.model, "reached": {}})
        made = _workflow(form, reading) if kind == "workflow" else KINDS[kind](form)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, SolutionError) as error:
        raise reading.fault(f"its solution cannot be read ({type(error).__name__}: {error})"[:300]) from error
    reading.labels += {"words": form.data.get("labels", []), "constant": [form.data.get("value")]}.get(kind, [])
    return replace(made, name=name)


def _asking(form: Form) -> Solution:
    """One of the kinds that call a model: that is heavy to import, and most bundles call none."""
    from suffice.programs.example_solution import load_examples
    from suffice.programs.reasoned import load_chain
    from suffice.programs.refined import load_refine
    from suffice.programs.step_solution import load_step
    from suffice.programs.template import load_template
    from suffice.programs.vote import load_vote

    loaders = {"step": load_step, "vote": load_vote, "examples": load_examples, "chain": load_chain}
    return {**loaders, "refine": load_refine, "template": load_template}[form.kind](form)


def _leg(member: Json, reading: _Reading, depth: int) -> Leg:
    threshold = member["threshold"]
    sound = isinstance(threshold, float | int) and not isinstance(threshold, bool) and 0.0 <= threshold <= 1.0
    if threshold is not None and not sound:
        raise ValueError("a threshold is a number in [0, 1] or null")
    return Leg(_solution(member["solution"], reading, depth + 1), threshold)


def _arrays(node: Json, reading: _Reading) -> Mapping[str, Any]:
    if "arrays" not in node:
        return {}
    name = typed(node, "arrays", str)
    return unpack(_file(name, reading), str(reading.manifest.path / name))


def _text(node: Json, reading: _Reading) -> tuple[str | None, str | None]:
    """The text of a node that a person may edit, and where it stands. Raises BundleError where it was edited and
    that was not allowed."""
    if "text" not in node:
        return None, None
    name = typed(node, "text", str)
    if name not in reading.manifest.files:
        raise ValueError(f"no file {brief(name)} is listed")
    file = reading.manifest.path / name
    data = read_plain(file, MAX_FILE)
    if sha256(data) != reading.manifest.files[name][0]:
        kind = name.partition("-")[0]
        if not reading.allow_changed:
            raise BundleError(
                f"{name} is not the file that was saved: it was edited, or it is damaged",
                hint=f"suffice climb TASK {kind}:{file} decides on what it says now; load(..., allow_changed=True) "
                "takes it as it is and drops the claim",
                where=str(file),
            )
        reading.changed = True
    try:
        return data.decode("utf-8"), str(file)
    except UnicodeDecodeError:
        raise BundleError("is not UTF-8 text", hint="save it as UTF-8", where=str(file)) from None


def _learned(reading: _Reading) -> frozenset[str]:
    """The cases that the members were fitted on; none in a bundle that was saved before they were noted."""
    name = reading.manifest.fitted
    try:
        return frozenset() if name is None else read_marks(_file(name, reading))
    except ValueError as error:
        raise reading.fault(str(error)) from None


def _file(name: str, reading: _Reading) -> bytes:
    """A file of the bundle, as it was saved. Raises ValueError where none is listed, BundleError where it changed."""
    if name not in reading.manifest.files:
        raise ValueError(f"no file {brief(name)} is listed")
    saved, size = reading.manifest.files[name]
    file = reading.manifest.path / name
    data = read_plain(file, MAX_BYTES)
    if len(data) != size or sha256(data) != saved:
        raise BundleError(
            f"{name} is not the file that was saved: its content was changed", hint=AGAIN, where=str(file)
        )
    return data


def _workflow(form: Form, reading: _Reading) -> Solution:
    """A workflow by its name, asking the model that it was saved with wherever a step of it says none."""
    from suffice.models.model import Model

    model, options = form.data["model"], form.data.get("options", {})
    with maybe_using(None if model is None else Model(model, **form.data["reached"], **options)):
        return from_function(_function(form, reading))


def _function(form: Form, reading: _Reading) -> Callable[..., Any]:
    """The function that is saved by its name. Raises BundleError where it is another one now, and that may not be."""
    path, saved = typed(form.data, "import", str), typed(form.data, "source", str)
    try:
        function = imported(path)
    except NotImportable as error:
        hint = f"run where {path.partition(':')[0]} can be imported: its folder on PYTHONPATH, or its package installed"
        raise reading.fault(f"the function {path[:100]} cannot be loaded: {error}", hint) from error
    now = function_identity(function)
    if now != saved:
        if not reading.allow_changed:
            raise reading.fault(
                f"{path} is not the function that was saved: its source, what it uses, or a version changed "
                f"(saved as {saved[:12]}, now {now[:12]}{_versions(function, reading.manifest)})",
                hint="put back what changed, or decide again; load(..., allow_changed=True) takes it as it is and "
                "drops the claim",
            )
        reading.changed = True
    return function


def _versions(function: Callable[..., Any], manifest: Manifest) -> str:
    """The versions that differ between then and now: "; Python 3.11 then, 3.12 now"."""
    then, now = {**manifest.needs, "Python": manifest.python}, {**packages_of(function), "Python": _python()}
    return "".join(f"; {p} {v} then, {now.get(p, 'not used')} now" for p, v in then.items() if now.get(p, v) != v)


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
