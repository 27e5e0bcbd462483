"""Bundles: what is saved is what is loaded, and nothing else is."""

from __future__ import annotations

import asyncio
import enum
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from program_samples import Write, make_words
from pydantic import BaseModel

import suffice as sf
from suffice.errors import BundleError, SolutionError, UsageError
from suffice.programs.bundle import load, save_bundle
from suffice.programs.constant import constant_solution
from suffice.programs.manifest import bundle_hash, manifest_text, read_manifest
from suffice.programs.npz import pack, unpack
from suffice.programs.route import route
from suffice.programs.solution import Form, Solution, from_function

TEXTS = ["the invoice is wrong", "where is my parcel", "hello", "", "INVOICE parcel"]
CLAIM = {"verdict": "PASS", "sentence": "it suffices", "bound": 0.9}


def ask(solution: Solution, *inputs: Any) -> list[Any]:
    async def every() -> list[Any]:
        return [await solution.reply(i) for i in inputs]

    return asyncio.run(every())


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The bundle with its manifest changed and hashed anew, as somebody who means harm would."""
    body = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    body.pop("hash")
    change(body)
    (folder / "manifest.json").write_bytes(manifest_text(body, "x"))
    return folder


def words_node(body: dict[str, Any]) -> dict[str, Any]:
    return body["solution"]["members"][0]["solution"]


@pytest.fixture
def bundle(tmp_path: Path, words: Solution) -> Path:
    person = route(words, constant_solution("other"), thresholds=[0.9, None])
    return save_bundle(person, tmp_path / "triage.suffice", claim=CLAIM)


# What is saved is what is loaded


def test_a_route_answers_the_same_after_saving_and_loading(bundle: Path, words: Solution) -> None:
    route_before = route(words, constant_solution("other"), thresholds=[0.9, None])
    loaded = sf.load(bundle)
    assert ask(loaded, *TEXTS) == ask(route_before, *TEXTS)
    assert [a.by for a in ask(loaded, *TEXTS)] == ["words", "words", "constant", "constant", "constant"]
    assert loaded.identity == route_before.identity  # so recorded answers are found again
    assert loaded.batch is not None and loaded.batch(TEXTS) == ask(loaded, *TEXTS)
    assert (loaded.free, loaded.name) == (True, "words > constant")


def test_a_lone_words_model_and_a_lone_constant_come_back(tmp_path: Path, words: Solution) -> None:
    assert ask(load(save_bundle(words, tmp_path / "w")), *TEXTS) == ask(words, *TEXTS)
    for value in (None, "a", 3, {"total": 1.5}, sf.ABSTAIN):
        (answer,) = ask(load(save_bundle(constant_solution(value), tmp_path / "c")), "x")
        assert answer.value is value or answer.value == value


def test_names_routes_within_routes_and_unusual_labels_survive(tmp_path: Path) -> None:
    strange = make_words(labels=("größe \u202e 📦", "half \ud83d"))
    outer = route(route(strange, thresholds=[0.99], name="inner"), constant_solution(None), name="outer")
    loaded = load(save_bundle(outer, tmp_path / "b"))
    assert (loaded.name, loaded.members[0].solution.name) == ("outer", "inner")
    assert ask(loaded, *TEXTS) == ask(outer, *TEXTS)


def test_the_claim_is_on_the_loaded_solution_and_in_the_manifest(bundle: Path) -> None:
    assert load(bundle).claim == CLAIM
    manifest = read_manifest(bundle)
    assert manifest.claim == CLAIM
    assert manifest.needs == {"numpy": np.__version__}
    assert (manifest.suffice, manifest.python) == (sf.__version__, "{}.{}".format(*sys.version_info))


def test_the_same_decision_saved_twice_has_the_same_bytes(tmp_path: Path) -> None:
    first = save_bundle(make_words(), tmp_path / "first", claim=CLAIM)
    time.sleep(2.1)  # zip knows times to two seconds
    second = save_bundle(make_words(), tmp_path / "second", claim=dict(reversed(CLAIM.items())))
    assert bundle_hash(first) == bundle_hash(second)
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {p.name: p.read_bytes() for p in second.iterdir()}
    assert bundle_hash(save_bundle(make_words(4.5), tmp_path / "third", claim=CLAIM)) != bundle_hash(first)
    assert bundle_hash(save_bundle(make_words(), tmp_path / "fourth")) != bundle_hash(first)


def test_a_saved_bundle_can_be_saved_again(bundle: Path, tmp_path: Path) -> None:
    again = save_bundle(load(bundle), tmp_path / "again", claim=load(bundle).claim)
    assert bundle_hash(again) == bundle_hash(bundle)


def test_a_claim_may_hold_numpy_numbers_but_no_nan(tmp_path: Path) -> None:
    saved = save_bundle(constant_solution(1), tmp_path / "b", claim={"bound": np.float64(0.5), "n": np.int64(3)})
    assert read_manifest(saved).claim == {"bound": 0.5, "n": 3}
    with pytest.raises(SolutionError, match="JSON"):
        save_bundle(constant_solution(1), tmp_path / "nan", claim={"bound": float("nan")})
    assert not (tmp_path / "nan").exists()


# Functions are saved by name


TRIAGE = """
    import re
    BILLING = re.compile("invoice|refund")

    def team(text):
        return "billing" if BILLING.search(text) else None

    async def triage(text: str) -> str | None:
        return team(text)
"""


def test_a_function_is_imported_by_its_name_and_the_bundle_says_so(user_module: Write, tmp_path: Path) -> None:
    saved = save_bundle(from_function(user_module(TRIAGE).triage), tmp_path / "b", claim=CLAIM)
    assert any("mine:triage" in note for note in read_manifest(saved).notes)
    loaded = load(saved)
    assert [a.value for a in ask(loaded, "an invoice", "hello")] == ["billing", None]
    assert (loaded.claim, loaded.name) == (CLAIM, "triage")


@pytest.mark.parametrize(
    "change",
    [("invoice|refund", "invoice"), ("return team(text)", "return team(text.lower())"), ('"billing" if', '"bill" if')],
)
def test_a_changed_function_is_refused_unless_allowed_and_then_the_claim_is_gone(
    user_module: Write, tmp_path: Path, change: tuple[str, str]
) -> None:
    saved = save_bundle(from_function(user_module(TRIAGE).triage), tmp_path / "b", claim=CLAIM)
    changed = user_module(TRIAGE.replace(*change)).triage
    with pytest.raises(BundleError, match="mine:triage is not the function that was saved") as caught:
        load(saved)
    assert "allow_changed" in (caught.value.hint or "")
    loaded = load(saved, allow_changed=True)
    assert loaded.claim is None
    assert loaded.identity == from_function(changed).identity


def test_a_changed_comment_is_no_change(user_module: Write, tmp_path: Path) -> None:
    saved = save_bundle(from_function(user_module(TRIAGE).triage), tmp_path / "b", claim=CLAIM)
    user_module(TRIAGE.replace("def team", "# a comment\n    def team").replace("import re", "import re  # why"))
    assert load(saved, allow_changed=True).claim == CLAIM


def test_another_python_or_package_version_is_named(user_module: Write, tmp_path: Path) -> None:
    source = "import numpy as np\n\ndef mean(text):\n    return float(np.mean([len(text)]))\n"
    saved = save_bundle(from_function(user_module(source).mean), tmp_path / "b")
    assert read_manifest(saved).needs == {"numpy": np.__version__}

    def older(body: dict[str, Any]) -> None:
        body.update(python="3.9", needs={"numpy": "1.0"})
        body["solution"]["data"]["source"] = "0" * 32

    with pytest.raises(BundleError, match=r"numpy 1\.0 then, .* now; Python 3\.9 then"):
        load(rewritten(saved, older))


def test_a_function_that_is_gone_or_cannot_be_imported_is_named(
    user_module: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = save_bundle(from_function(user_module(TRIAGE).triage), tmp_path / "b")
    for source, reason in (
        ("x = 1", "has no triage"),
        ("triage = 3", "not a function"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("import no_such_module_at_all", "no module no_such_module_at_all"),
    ):
        with pytest.raises(BundleError, match=reason):
            try:
                user_module(source)
            except BaseException:  # the import fails for the test, too
                pass
            load(saved)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if str(tmp_path) not in p])
    sys.modules.pop("mine", None)
    with pytest.raises(BundleError, match="no module mine") as caught:
        load(saved)
    assert "PYTHONPATH" in (caught.value.hint or "")


def test_a_module_that_keeps_a_cache_of_its_own_can_be_saved_after_it_ran(user_module: Write, tmp_path: Path) -> None:
    source = "CACHE = {}\ndef f(text):\n    return CACHE.setdefault(text, len(text))\n"
    before = from_function(user_module(source).f)
    assert ask(before, "abc")[0].value == 3
    saved = save_bundle(before, tmp_path / "b")
    assert any("fresh process" in note for note in read_manifest(saved).notes)
    user_module(source)  # as a fresh process would
    assert ask(load(saved), "abc")[0].value == 3


def test_what_has_no_name_is_refused_with_what_to_do(user_module: Write, tmp_path: Path) -> None:
    mine = user_module(
        """
        import functools
        def outer():
            def inner(text): return text
            return inner
        class Rules:
            def answer(self, text): return text
            @classmethod
            def always(cls, text): return "a"
        @functools.cache
        def kept(text): return "a"
        def again(text): return "a"
        first, again = again, lambda text: "b"
        part = functools.partial(kept)
        """
    )
    for function in (lambda t: t, mine.outer(), mine.Rules().answer, mine.Rules(), mine.part, mine.first):
        with pytest.raises(SolutionError) as caught:
            save_bundle(from_function(function), tmp_path / "b")
        assert caught.value.hint
    for function in (mine.Rules.always, mine.kept):
        assert ask(load(save_bundle(from_function(function), tmp_path / "b")), "x")[0].value == "a"
    with pytest.raises(SolutionError, match="recorded is a recording: .* and no others"):
        save_bundle(Solution("recorded", from_function(mine.kept).ask, "0" * 32, replays=True), tmp_path / "c")
    with pytest.raises(SolutionError, match="recorded cannot be saved"):
        save_bundle(Solution("recorded", from_function(mine.kept).ask, "0" * 32), tmp_path / "c")
    with pytest.raises(SolutionError, match="<lambda>"):
        save_bundle(route(mine.kept, lambda t: t), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_function_of_the_running_script_is_refused_with_the_way_out(tmp_path: Path) -> None:
    script = tmp_path / "decide.py"
    script.write_text(
        textwrap.dedent(
            """
            from suffice.errors import SolutionError
            from suffice.programs.bundle import save_bundle
            from suffice.programs.solution import from_function
            def triage(text): return text
            try:
                save_bundle(from_function(triage), "b")
            except SolutionError as error:
                print(error)
            """
        )
    )
    said = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "decide.py" in said and "move it into a module of its own" in said
    piped = subprocess.run([sys.executable, "-"], input=script.read_text(), capture_output=True, text=True, check=True)
    assert "prompt" in piped.stdout


def test_a_hostile_bundle_cannot_name_a_function_that_is_not_the_users(user_module: Write, tmp_path: Path) -> None:
    saved = save_bundle(from_function(user_module("    import os\n" + TRIAGE).triage), tmp_path / "b")
    with pytest.raises(SolutionError, match="Python's own"):
        save_bundle(from_function(os.system), tmp_path / "c")
    for path in ("os:system", "posix:system", "builtins:eval", "mine:os.system", "mine:triage.__globals__", "mine",
                 "..mine:triage", "mine:triage()", "mine:__builtins__"):  # fmt: skip

        def point(body: dict[str, Any], path: str = path) -> None:
            body["solution"]["data"] = {"import": path, "source": "0" * 32}

        with pytest.raises(BundleError, match="cannot be loaded"):
            load(rewritten(saved, point), allow_changed=True)


# Types


class Team(enum.Enum):
    BILLING = "billing"
    SHIPPING = "shipping"
    OTHER = "other"


class Order(BaseModel):
    number: int


def test_answers_are_brought_to_the_declared_type(bundle: Path, tmp_path: Path) -> None:
    typed = load(bundle, output=Team)
    assert [a.value for a in ask(typed, *TEXTS[:3])] == [Team.BILLING, Team.SHIPPING, Team.OTHER]
    assert typed.batch is not None and typed.batch(TEXTS)[0].value is Team.BILLING
    order = load(save_bundle(constant_solution({"number": "7"}), tmp_path / "o"), output=Order | None)
    assert ask(order, "x")[0].value == Order(number=7)
    handed_on = load(save_bundle(constant_solution(sf.ABSTAIN), tmp_path / "a"), output=Team)
    assert ask(handed_on, "x")[0].value is sf.ABSTAIN


def test_labels_that_the_type_does_not_know_are_refused_when_loading(bundle: Path) -> None:
    with pytest.raises(BundleError, match="'other'"):
        load(bundle, output=Literal["billing", "shipping"])
    with pytest.raises(UsageError, match="not a type"):
        load(bundle, output="no type at all")


def test_an_answer_that_does_not_fit_is_refused_when_given(user_module: Write, tmp_path: Path) -> None:
    saved = save_bundle(from_function(user_module(TRIAGE).triage), tmp_path / "b")
    loaded = load(saved, output=Literal["billing"])
    assert ask(loaded, "an invoice")[0].value == "billing"
    with pytest.raises(SolutionError, match="does not fit output="):
        ask(loaded, "hello")


# Where it is loaded


def test_loading_writes_nothing_and_needs_neither_training_nor_store(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    program = """
import os, sys
def watch(event, given):
    writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event in ("os.mkdir", "os.rename", "os.remove", "sqlite3.connect", "socket.connect"):
        raise SystemExit(f"{event} {given}")
sys.addaudithook(watch)
import suffice as sf
triage = sf.load(sys.argv[1])
async def main():
    print(await triage("where is my parcel"), await triage("hello"))
import asyncio
asyncio.run(main())
heavy = ("sklearn", "scipy", "pandas", "pydantic", "sqlite3", "typer", "rich", "suffice.ladder", "suffice.evals",
         "suffice.store", "suffice.stats", "suffice.cli")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, bundle], cwd=home, env={"HOME": str(home)}, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("shipping other\n[]\n", "")


# Tampering, hostile and broken bundles


def test_any_changed_byte_is_found(bundle: Path) -> None:
    draw = random.Random(1)
    for path in sorted(bundle.iterdir()):
        sound = path.read_bytes()
        for at in [0, len(sound) - 2, *(draw.randrange(len(sound)) for _ in range(40))]:
            broken = bytearray(sound)
            broken[at] ^= 1 << draw.randrange(7)
            path.write_bytes(broken)
            try:
                assert load(bundle).claim == CLAIM  # only white space of the manifest may differ
                assert (
                    not sound[at : at + 1].strip()
                    or path.name == "manifest.json"
                    and bytes(broken).split() == sound.split()
                )
            except BundleError as error:
                assert error.hint
        for broken in (sound[: len(sound) // 2], b"", sound + b"x"):
            path.write_bytes(broken)
            with pytest.raises(BundleError):
                load(bundle)
        path.write_bytes(sound)
    assert load(bundle).claim == CLAIM


def test_a_threshold_changed_by_hand_is_found(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("0.9", "0.5"), encoding="utf-8")
    with pytest.raises(BundleError, match="changed by hand"):
        load(bundle)


def test_missing_parts_are_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle here"):
        load(tmp_path / "nothing")
    with pytest.raises(BundleError, match="is a file"):
        load(bundle / "manifest.json")
    with pytest.raises(BundleError, match="missing") as caught:
        next(bundle.glob("*.npz")).unlink()
        load(bundle)
    assert "weights-" in (caught.value.where or "")
    (bundle / "manifest.json").unlink()
    with pytest.raises(BundleError, match="missing"):
        load(bundle)


def test_a_newer_bundle_says_what_to_install(bundle: Path) -> None:
    with pytest.raises(BundleError, match="format 2") as caught:
        load(rewritten(bundle, lambda body: body.update(format=2, solution="something else entirely")))
    assert "upgrade" in (caught.value.hint or "")


def test_a_kind_of_solution_from_elsewhere_is_named(bundle: Path) -> None:
    with pytest.raises(BundleError, match="'agent'"):
        load(rewritten(bundle, lambda body: words_node(body).update(kind="agent")))


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a path upwards": lambda b: words_node(b).update(arrays="../secret.npz"),
    "an absolute path": lambda b: words_node(b).update(arrays="/etc/passwd"),
    "a path upwards, listed": lambda b: (
        b["files"].update({"../secret.npz": {"sha256": "0", "bytes": 1}}),
        words_node(b).update(arrays="../secret.npz"),
    ),
    "a list for a file": lambda b: words_node(b).update(arrays=["a"]),
    "no arrays": lambda b: words_node(b).pop("arrays"),
    "a threshold above 1": lambda b: b["solution"]["members"][0].update(threshold=1.5),
    "a true threshold": lambda b: b["solution"]["members"][0].update(threshold=True),
    "a text for a threshold": lambda b: b["solution"]["members"][0].update(threshold="0.5"),
    "no threshold": lambda b: b["solution"]["members"][0].pop("threshold"),
    "no members": lambda b: b["solution"].update(members=[]),
    "a member that is none": lambda b: b["solution"].update(members=[1, None, "x"]),
    "members that are none": lambda b: b["solution"].update(members={"a": 1}),
    "a number for a solution": lambda b: b.update(solution=3),
    "a number for a claim": lambda b: b.update(claim=3),
    "no claim": lambda b: b.pop("claim"),
    "a list of files": lambda b: b.update(files=[1]),
    "a file without a size": lambda b: b["files"].update({next(iter(b["files"])): {"sha256": "0" * 64}}),
    "a number for a name": lambda b: b.update(name=3),
    "a format that is none": lambda b: b.update(format="1"),
    "labels that are none": lambda b: words_node(b)["data"].update(labels=3),
    "too few labels": lambda b: words_node(b)["data"].update(labels=["a"]),
    "no temperature": lambda b: words_node(b)["data"].pop("temperature"),
    "temperature 0": lambda b: words_node(b)["data"].update(temperature=0),
    "data that is none": lambda b: words_node(b).update(data=[1]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_manifest_is_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.npz").write_bytes(b"secret")
    with pytest.raises(BundleError) as caught:
        load(rewritten(bundle, HOSTILE[name]))
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{", "3", '{"format": 1}', "NaN", '"' + "x" * 1000, "[" * 100_000, "\0"])
def test_a_manifest_that_is_none_is_refused(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="manifest"):
        load(bundle)


def test_not_a_number_as_threshold_is_refused(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("0.9", "NaN"), encoding="utf-8")
    with pytest.raises(BundleError, match="NaN is not a number"):
        load(bundle)


def test_routes_nested_without_end_are_refused(bundle: Path) -> None:
    def nest(body: dict[str, Any]) -> None:
        for _ in range(40):
            body["solution"] = {
                "kind": "route",
                "name": "r",
                "members": [{"threshold": 0.5, "solution": body["solution"]}],
            }

    with pytest.raises(BundleError, match="deep"):
        load(rewritten(bundle, nest))
    deep = constant_solution(1)
    for _ in range(40):
        deep = route(deep, thresholds=[0.5])
    with pytest.raises(SolutionError, match="deep"):
        save_bundle(deep, bundle)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_and_pipes_in_a_bundle_are_refused_but_a_link_to_a_bundle_is_fine(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(bundle)
    assert load(tmp_path / "current").claim == CLAIM
    for name in (next(bundle.glob("*.npz")).name, "manifest.json"):
        shutil.move(bundle / name, tmp_path / name)
        (bundle / name).symlink_to(tmp_path / name)
        with pytest.raises(BundleError, match="a link or a device"):
            load(bundle)
        (bundle / name).unlink()
        os.mkfifo(bundle / name)
        with pytest.raises(BundleError, match="a link or a device"):
            load(bundle)
        (bundle / name).unlink()
        shutil.move(tmp_path / name, bundle / name)


def npz(**entries: bytes) -> bytes:
    import io
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(array: Any, **settings: Any) -> bytes:
    import io

    file = io.BytesIO()
    np.save(file, array, **settings)
    return file.getvalue()


def test_arrays_come_back_as_they_were() -> None:
    draw = np.random.default_rng(1)
    arrays = {
        "a": draw.normal(size=(3, 4)).astype(np.float32),
        "fortran": np.asfortranarray(draw.normal(size=(3, 4))),
        "none": np.zeros((0, 5)),
        "b": np.array([True, False]),
        "u": np.frombuffer("größe".encode(), dtype=np.uint8),
    }
    back = unpack(pack(arrays), "here")
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype and np.array_equal(back[name], array)


def test_arrays_that_lie_or_are_no_numbers_are_refused_without_taking_memory() -> None:
    small = npy(np.zeros(4))
    huge = small.replace(b"(4,)", b"(10000000000000,)").replace(b"(4,), }             ", b"(4,), }")
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros(1_000_000)))
    for data in (
        npz(a=npy(np.array([{"a": 1}], dtype=object), allow_pickle=True)),
        npz(a=npy(np.array(["text"]))),
        npz(a=huge),
        npz(a=small[:-8]),
        npz(a=small + b"x"),
        npz(a=b"not an array"),
        npz(**{f"a{i}": small for i in range(100)}),
        packed.getvalue(),
        b"PK\x03\x04 nothing",
        b"",
    ):
        with pytest.raises(BundleError, match="not a file of weights"):
            unpack(data, "here")
    with pytest.raises(SolutionError, match="not numbers"):
        pack({"a": np.array([object()])})


# Saving over what is there


def test_an_older_bundle_is_replaced_whole(bundle: Path) -> None:
    save_bundle(constant_solution("b"), bundle)
    assert [p.name for p in bundle.iterdir()] == ["manifest.json"]
    save_bundle(make_words(), bundle)
    assert len(list(bundle.iterdir())) == 2
    assert ask(load(bundle), "parcel")[0].value == "shipping"


def test_a_broken_bundle_can_be_replaced(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("{")
    assert ask(load(save_bundle(constant_solution("b"), bundle)), "x")[0].value == "b"


def test_what_is_not_a_bundle_is_left_alone(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    (bundle / "notes.txt").write_text("mine")
    for target in ("file", "folder", bundle.name, "file/below"):
        with pytest.raises(BundleError) as caught:
            save_bundle(constant_solution(1), tmp_path / target)
        assert caught.value.hint
    assert (tmp_path / "file").read_text() == (tmp_path / "folder/thesis.txt").read_text() == "mine"
    assert load(bundle).claim == CLAIM
    (tmp_path / "empty").mkdir()
    assert ask(load(save_bundle(constant_solution(1), tmp_path / "empty")), "x")[0].value == 1
    assert load(save_bundle(constant_solution(1), tmp_path / "new" / "folders" / "b")).name == "constant"


FULL = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from program_samples import make_words
from suffice.errors import BundleError
from suffice.programs.bundle import save_bundle
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
for target in (sys.argv[1], sys.argv[1] + "-new"):
    try:
        save_bundle(make_words(9.0), target)
    except BundleError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file size there")
def test_a_disk_that_refuses_keeps_the_old_bundle_and_leaves_nothing_behind(bundle: Path) -> None:
    before = bundle_hash(bundle)
    run = [sys.executable, "-c", FULL, str(bundle), str(Path(__file__).parent)]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert said.count("cannot be written") == 2 and "what was there before is kept" in said
    assert bundle_hash(bundle) == before and load(bundle).claim == CLAIM
    assert len(list(bundle.iterdir())) == 2
    assert [p.name for p in bundle.parent.iterdir()] == [bundle.name]


SAVER = """
import sys
sys.path.insert(0, sys.argv[2])
from program_samples import make_words
from suffice.programs.bundle import save_bundle
print("ready", flush=True)
for turn in range(1_000_000):
    save_bundle(make_words(1.0 + turn % 7), sys.argv[1], claim={"turn": turn})
"""


def test_kills_in_the_middle_of_saving_leave_a_whole_bundle(bundle: Path) -> None:
    draw = random.Random(3)
    for _ in range(5):
        run = [sys.executable, "-c", SAVER, str(bundle), str(Path(__file__).parent)]
        with subprocess.Popen(run, stdout=subprocess.PIPE) as saver:
            assert saver.stdout is not None and saver.stdout.readline()
            time.sleep(draw.random() * 0.1)
            saver.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        assert load(bundle).claim is not None
    save_bundle(make_words(), bundle)
    assert len(list(bundle.iterdir())) == 2  # what the kills left is gone


def test_a_reader_beside_a_writer_always_finds_a_whole_bundle(bundle: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            save_bundle(make_words(1.0 + turn), bundle, claim={"turn": turn})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until, seen = time.monotonic() + 1.0, set[int]()
        while time.monotonic() < until:
            claim = load(bundle).claim
            assert claim is not None
            seen.add(claim.get("turn", 0))
    finally:
        stop.set()
        writer.join()
    assert len(seen) > 3


def test_a_form_that_no_version_knows_yet_is_saved_and_refused_when_loading(tmp_path: Path) -> None:
    later = Solution("later", constant_solution(1).ask, "0" * 32, form=Form("later", {"a": 1}))
    with pytest.raises(BundleError, match="'later'"):
        load(save_bundle(later, tmp_path / "b"))
