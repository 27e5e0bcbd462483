"""A task end to end: loading, bad rows, nothing, options, task.toml, and what never shows."""

from __future__ import annotations

import dataclasses
import json
import pprint
import time
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest

from suffice.errors import DataError, SolutionError, SufficeError, UsageError
from suffice.evals import grade
from suffice.evals.options import TaskOptions
from suffice.evals.task import Task
from suffice.values import Score

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
Team = Literal["billing", "shipping", "returns"]
TEAMS = ("billing", "shipping", "returns")


def _data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs the data set ../shared/data/{name}, which is not here")
    return path


def _rows(n: int = 60, **more: Any) -> list[dict[str, Any]]:
    return [{"text": f"ticket number {i}", "team": TEAMS[i % 3], **more} for i in range(n)]


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    return _write(path, "".join(json.dumps(r) + "\n" for r in rows))


def _everything(task: Task) -> str:
    return "\n".join([repr(task), str(task), pprint.pformat(task), *task.notes, *task.split_notes, task.kind_reason])


def test_a_task_from_rows_and_the_same_from_a_file(tmp_path: Path) -> None:
    task = Task(_rows(), inputs=["text"], expected="team", output=Team, grader=grade.label(), bar=0.9)
    same = Task.load(_jsonl(tmp_path / "t.jsonl", _rows()), output=Team, bar=0.9)
    assert task.fingerprint == same.fingerprint
    assert (task.kind, task.labels, task.bar, task.cluster_name) == ("label", TEAMS, 0.9, None)
    assert len(task) == 60 == sum(task.sizes.values())
    assert task.dev[0].inputs.startswith("ticket number") and task.dev[0].expected in TEAMS
    assert same.dev[0].source.startswith("t.jsonl:")


def test_several_inputs_become_a_dict_and_an_object_stays_one() -> None:
    task = Task([{"subject": f"s{i}", "body": "b", "team": TEAMS[i % 2]} for i in range(9)])
    assert task.columns.inputs == ("subject", "body")
    assert all(set(c.inputs) == {"subject", "body"} for c in (*task.train, *task.dev))
    task = Task([{"inputs": {"a": i, "b": 2}, "expected": TEAMS[i % 2]} for i in range(9)])
    assert all(set(c.inputs) == {"a", "b"} for c in (*task.train, *task.dev))


def test_a_task_is_frozen_and_its_test_cases_print_nothing() -> None:
    task = Task([{"text": f"canary {i}", "label": f"canary{i}"} for i in range(40)], kind="text")
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.bar = 0.5  # type: ignore[misc]
    assert len(task.sealed()) == task.sizes["test"] > 0
    assert "canary" not in _everything(task) + repr(task.sealed()) + pprint.pformat(task.sealed())


def test_labels_that_only_sealed_cases_have_are_counted_not_shown() -> None:
    rows = [{"text": f"t{i}", "label": TEAMS[i % 2], "split": ("train", "dev")[i % 2]} for i in range(20)]
    rows += [{"text": f"u{i}", "label": "canary", "split": "test"} for i in range(10)]
    task = Task(rows)
    assert task.labels == ("billing", "shipping")
    assert "10 test cases expect a label that no train or dev case has" in task.notes
    assert "canary" not in _everything(task)


@pytest.mark.parametrize("output", [Literal["x", "y"], int])
def test_bad_rows_of_a_sealed_split_show_line_and_reason_but_no_value(tmp_path: Path, output: Any) -> None:
    _write(tmp_path / "train.csv", "text,label\nabc,open value\n")
    _write(tmp_path / "test.csv", "text,label\ncanary one,canary two\ncanary,canary,canary\n")
    with pytest.raises(DataError) as caught:
        Task.load(tmp_path, output=output)
    told = str(caught.value)
    assert "canary" not in told and "open value" in told
    assert "test.csv:2" in told and "test.csv:3" in told and "3 bad rows" in told
    assert "canary" not in repr(caught.value.__context__)


def test_a_drawn_sealed_case_that_does_not_fit_is_not_shown() -> None:
    rows = [{"text": f"t{i}", "label": f"canary{i}"} for i in range(40)]
    good = Task([{**r, "label": "x"} for r in rows], kind="label")
    sealed = {c.source for c in good.sealed()}
    with pytest.raises(DataError):
        Task(rows, output=Team)
    ok = [{"text": "ok", "label": "billing"}]
    bad = Task([*rows, *ok], output=Team, skip_bad=True).skipped
    shown = {b.source for b in bad if "canary" in b.reason}
    assert shown == {c.source for c in (*good.train, *good.dev)} and not shown & sealed


def test_all_bad_rows_are_refused_at_once_and_skipped_on_request(tmp_path: Path) -> None:
    lines = [json.dumps(r) for r in _rows(20)]
    for i in range(0, 15):
        lines.insert(i * 2, '{"text": "no team"}' if i % 2 else "{broken")
    path = _write(tmp_path / "t.jsonl", "\n".join(lines))
    with pytest.raises(DataError) as caught:
        Task.load(path)
    told = str(caught.value)
    assert "15 bad rows of 35, nothing was run; 7 cases are unlabelled" in told
    assert told.count("t.jsonl:") == 10 and "and 5 more" in told and "--skip-bad" in told
    task = Task.load(path, skip_bad=True)
    assert (len(task), len(task.skipped)) == (20, 15) and "skipped: 15 bad rows" in repr(task)


def test_a_blank_is_unlabelled_unless_nothing_is_an_answer(tmp_path: Path) -> None:
    text = "text,team\n" + "".join(f"t{i},{TEAMS[i % 3] if i % 5 else ' '}\n" for i in range(30))
    path = _write(tmp_path / "t.csv", text)
    with pytest.raises(DataError, match=r"6 cases are unlabelled(.|\n)*nothing = true"):
        Task.load(path)
    task = Task.load(path, nothing=True)
    assert len(task) == 30 and None not in task.labels
    assert sum(c.expected is None for c in (*task.train, *task.dev, *task.sealed())) == 6
    assert len(Task.load(path, skip_bad=True)) == 24


def test_only_null_means_nothing_in_json() -> None:
    rows = [*_rows(10), {"text": "a", "team": None}, {"text": "b", "team": "none"}]
    task = Task(rows, nothing=True)
    assert sum(c.expected is None for c in (*task.train, *task.dev, *task.sealed())) == 1
    for row in ({"text": "c", "team": ""}, {"text": "c"}):
        with pytest.raises(DataError, match="1 case is unlabelled"):
            Task([*rows, row], nothing=True)


def test_all_blank_is_said_specially_even_with_skip_bad() -> None:
    for skip in (False, True):
        with pytest.raises(DataError, match="no case at all has an expected value"):
            Task([{"text": "a", "label": ""}, {"text": "b", "label": None}], skip_bad=skip)


def test_an_optional_output_means_nothing_and_contradictions_are_refused() -> None:
    rows = [*_rows(9), {"text": "x", "team": None}]
    assert Task(rows, output=Team | None).nothing is True
    with pytest.raises(UsageError, match="drop one of the two"):
        Task(rows, output=Team | None, nothing=False)
    with pytest.raises(DataError, match="unlabelled"):
        Task(rows, output=Team)


def test_expected_values_take_the_declared_types(tmp_path: Path) -> None:
    class Receipt(pydantic.BaseModel):
        company: str
        total: float

    path = _write(
        tmp_path / "t.csv",
        "text,expected\n" + "".join(f'r{i},"{{""company"": ""c"", ""total"": ""{i}""}}"\n' for i in range(12)),
    )
    task = Task.load(path, output=Receipt)
    assert task.kind == "fields" and isinstance((*task.train, *task.dev)[0].expected["total"], float)
    path = _write(tmp_path / "n.csv", "text,expected\n" + "".join(f'n{i},"1,{i:03d}.5"\n' for i in range(30)))
    task = Task.load(path)
    assert task.kind == "number" and (*task.train, *task.dev)[0].expected > 1000


def test_one_class_is_refused_unless_it_is_meant() -> None:
    rows = [{"text": f"t{i}", "label": "same"} for i in range(10)]
    with pytest.raises(DataError, match="any constant is always right"):
        Task(rows)
    assert len(Task(rows, kind="label")) == 10


def test_ids_are_the_columns_own_or_hashes_with_numbers_for_repeats(tmp_path: Path) -> None:
    task = Task([{"id": i, "text": f"t{i}", "label": TEAMS[i % 2]} for i in range(8)])
    assert {c.id for c in (*task.train, *task.dev, *task.sealed())} == {str(i) for i in range(8)}
    with pytest.raises(DataError, match=r"rows\[2\]: has the same id as rows\[0\]"):
        Task([{"id": i % 2, "text": f"t{i}", "label": TEAMS[i % 2]} for i in range(4)])
    ids = [c.id for c in Task([{"text": "same", "label": TEAMS[i % 2]} for i in range(3)], kind="text").train]
    ids += [
        c.id for t in [Task([{"text": "same", "label": TEAMS[i % 2]} for i in range(3)])] for c in (*t.dev, *t.sealed())
    ]
    assert len({i.split("#")[0] for i in ids}) == 1 and len(set(ids)) == 3
    for name in ("train", "test"):
        _write(
            tmp_path / f"{name}.csv", "id,text,label\n" + "".join(f"{i},{name}{i},{TEAMS[i % 2]}\n" for i in range(9))
        )
    assert {c.id for c in Task.load(tmp_path).sealed()} == {f"test:{i}" for i in range(9)}


def test_a_cluster_column_keeps_a_customer_on_one_side_and_gives_the_word() -> None:
    rows = [{"text": f"t{i}", "label": TEAMS[i % 3], "customer_id": f"C{i % 20}"} for i in range(100)]
    task = Task(rows)
    assert task.cluster_name == "customer" and "one cluster per customer" in repr(task)
    looked = {c.cluster for c in (*task.train, *task.dev)}
    assert not looked & {c.cluster for c in task.sealed()}
    assert Task(rows, cluster="none").cluster_name is None
    with pytest.raises(DataError, match="same customer_id"):
        Task([{**r, "customer_id": 1} for r in rows], cluster="customer_id")
    assert any("not taken as the cluster" in n for n in Task([{**r, "customer_id": 1} for r in rows]).notes)


def test_a_split_column_is_honoured_and_a_subset_column_is_not_one() -> None:
    words = ("training", "Validation", "TEST")
    task = Task([{"text": f"t{i}", "label": TEAMS[i % 2], "Split": words[i % 3]} for i in range(30)])
    assert task.sizes == {"train": 10, "dev": 10, "test": 10} and task.given == {"train", "dev", "test"}
    task = Task([{"text": f"t{i}", "label": TEAMS[i % 2], "subset": "algebra"} for i in range(30)])
    assert task.given == frozenset() and "subset" in task.columns.ignored
    with pytest.raises(DataError, match="none of train, dev"):
        Task([{"text": "a", "label": "b", "split": "canary"}])


def test_another_shape_is_the_same_task_split_anew() -> None:
    task = Task(_rows(400))
    other = task.with_shape("10/30/60")
    assert task.with_shape("30/20/50") is task and other.shape == "10/30/60"
    assert {c.id for c in task.sealed()} < {c.id for c in other.sealed()}
    assert task.fingerprint != other.fingerprint and len(other) == 400


def test_the_fingerprint_follows_cases_and_grader_not_the_bar() -> None:
    one = Task(_rows(), bar=0.9).fingerprint
    assert one == Task(_rows(), bar=0.8, tolerance=0.1).fingerprint
    assert one != Task(_rows(61)).fingerprint
    assert one != Task(_rows(), grader=grade.exact()).fingerprint
    assert one != Task(_rows(), seed=1).fingerprint
    changed = _rows()
    changed[3]["team"] = "billing" if changed[3]["team"] != "billing" else "returns"
    assert one != Task(changed).fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bar": 90}, r"bar is a share between 0 and 1, not 90\nhint: --bar \.9"),
        ({"bar": 0}, "bar is"),
        ({"tolerance": 1}, "tolerance is"),
        ({"coverage": "most"}, 'coverage is .* or "max"'),
        ({"tolerence": 0.1}, "no task option tolerence\nhint: did you mean tolerance"),
        ({"kind": "lable"}, "unknown kind lable"),
        ({"shape": "1/2/97"}, "shape is"),
        ({"grader": "lable"}, "did you mean label"),
        ({"grader": 3}, "grader is a int"),
        ({"grader_settings": {"a": 1}}, "grader by name"),
        ({"output": 3}, "not a type"),
        ({"seed": "x"}, "seed is"),
    ],
)
def test_wrong_options_are_refused_with_the_way_out(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Task(_rows(), **options)


def test_a_grader_sets_the_kind_it_needs_and_a_function_may_be_one() -> None:
    rows = [{"question": f"q{i}", "answer": f"so it is {i}.\n#### {i}"} for i in range(30)]
    task = Task(rows, grader=grade.number(find="last"))
    assert task.kind == "number" and task.dev[0].expected == int(str(task.dev[0].inputs)[1:])
    task = Task(rows, grader=lambda output, case: 0.5)
    assert task.grader("x", task.dev[0]).value == 0.5


def test_a_broken_pattern_among_expected_values_is_refused_before_anything_runs() -> None:
    with pytest.raises(DataError, match="not a regular expression"):
        Task([{"text": "a", "expected": "("}, {"text": "b", "expected": "x"}], grader=grade.regex())


def test_a_task_folder_says_its_options_and_the_call_overrides_them(tmp_path: Path) -> None:
    _jsonl(tmp_path / "cases.jsonl", _rows())
    _write(tmp_path / "task.toml", 'name = "triage"\ninput = "text"\nexpected = "team"\nbar = 0.9\nnothing = true\n'
           'grader = "text"\n[grader_settings]\nignore_case = false\n')  # fmt: skip
    for path in (tmp_path, tmp_path / "task.toml"):
        task = Task.load(path, bar=0.8)
        assert (task.name, task.bar, task.nothing, task.grader.settings["ignore_case"]) == ("triage", 0.8, True, False)
    assert Task.load(tmp_path, grader="label").grader.name == "label"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("\n\ntolerence = 0.1\n", r"task.toml:3: unknown key tolerence\nhint: did you mean tolerance"),
        ("\nbar = 2\n", r"task.toml:2: bar is"),
        ("bar = \n", "not valid TOML.*line 1"),
        ("trust = true\n", "trust may not stand in a task.toml"),
        ("skip_bad = true\n", "--skip-bad"),
        ('output = "Team"\n', "labels ="),
        ('cases = "../out.jsonl"\n', "outside of itself"),
        ("cases = 3\n", "cases must be"),
        ("grader = 3\n", "grader must be a name"),
        ('grader = "../grade.py:score"\n', "outside of itself"),
        ('input = "text"\ninputs = "text"\n', "both input and inputs"),
    ],
)
def test_a_wrong_or_hostile_task_toml_is_refused(tmp_path: Path, toml: str, message: str) -> None:
    _jsonl(tmp_path / "out.jsonl", _rows())
    _write(tmp_path / "grade.py", "raise SystemExit('this must not run')")
    folder = tmp_path / "task"
    _jsonl(folder / "cases.jsonl", _rows())
    _write(folder / "task.toml", toml)
    with pytest.raises(DataError, match=message):
        Task.load(folder, trust=True)


NINES = "9" * 5000


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("\nbar = \n", "task.toml:2: is not valid TOML"),
        ("a = 1\na = 2\n", "task.toml:2: is not valid TOML"),
        ('name = "\n', "task.toml:1: is not valid TOML"),
        (b'seed = 1\n\nname = "\xe9"\n', "task.toml:3: byte 18 is not UTF-8\nhint: save it as UTF-8"),
        ("seed = 1\n".encode("utf-16"), "task.toml:1: byte 0 is not UTF-8"),
        ("seed = 1\n".encode("utf-16-le"), "task.toml:1: holds a null character"),
        (b"\xef\xbb\xbf\xef\xbb\xbfseed = 1\n", "task.toml:1: is not valid TOML"),
        (f"bar = 0.9\nseed = {NINES}\n", "task.toml:2: holds an integer of more than 64 bits"),
        (f"seed = 0x{'f' * 5000}\n", "task.toml:1: seed holds an integer of more than 64 bits"),
        (f'labels = [0x{"f" * 5000}, "a"]\n', "task.toml:1: labels holds an integer"),
        (f"seed = 1\nlabels = {'[' * 5000}{']' * 5000}\n", "task.toml:2: is nested too deeply"),
        (f"grader_settings.{'.'.join(['a'] * 3000)} = 1\n", "task.toml:1: grader_settings is nested too deeply"),
        ('labels = [1979-05-27, "b"]\n', "task.toml:1: labels holds a date or time; write it as a text"),
        ("labels = [{at = 07:32:00}]\n", "task.toml:1: labels holds a date or time"),
        ('encoding = "utf-8\\u0000"\n', "task.toml:1: encoding holds a null character"),
        ('\ngrader = "\\u0000.py:f"\n', "task.toml:2: grader holds a null character"),
        (f'cases = "{"a" * 5000}.csv"\n', "task.toml:1: cases must be the name of a file"),
    ],
)
def test_a_task_toml_that_cannot_be_held_is_refused_with_its_line(
    tmp_path: Path, toml: str | bytes, message: str
) -> None:
    _jsonl(tmp_path / "cases.jsonl", _rows())
    (tmp_path / "task.toml").write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    with pytest.raises(DataError) as caught:
        Task.load(tmp_path)
    assert str(caught.value).startswith(message)


def test_a_task_toml_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    _jsonl(tmp_path / "cases.jsonl", _rows())
    (tmp_path / "task.toml").write_bytes(b'\xef\xbb\xbfname = "triage"\n')
    assert Task.load(tmp_path).name == "triage"


def test_python_graders_of_a_folder_need_trust(tmp_path: Path) -> None:
    _jsonl(tmp_path / "cases.jsonl", _rows())
    _write(tmp_path / "task.toml", 'grader = "grade.py:score"\n')
    _write(
        tmp_path / "grade.py",
        f"open({str(tmp_path / 'ran')!r}, 'w').close()\ndef score(output, expected):\n    return output == expected\n",
    )
    with pytest.raises(UsageError, match=r"the function score of .*grade\.py\nhint: .*--trust"):
        Task.load(tmp_path)
    assert not (tmp_path / "ran").exists()
    task = Task.load(tmp_path, trust=True)
    assert task.grader("x", task.dev[0]) == Score(0.0, "grade.py:score says wrong")
    for broken in ("import sys; sys.exit(1)", "def scores(): pass", "def score(:", "import no_such_module"):
        _write(tmp_path / "grade.py", broken)
        with pytest.raises(SolutionError, match=r"grade\.py"):
            Task.load(tmp_path, trust=True)


@pytest.mark.parametrize("name", ["no.csv", "no/no.csv", "", "a\0b", "x" * 5000])
def test_a_path_that_is_none_gives_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SufficeError):
        Task.load(name)


def test_terminal_escapes_and_tags_in_names_stay_harmless() -> None:
    rows = [{"text": f"<script>{i}", "\x1b[31mteam": TEAMS[i % 2], "label": f"<b>\x1b[3{i % 2}m"} for i in range(20)]
    assert "\x1b" not in repr(Task(rows))


@pytest.mark.slow
def test_a_file_of_100_000_rows_loads_in_seconds(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "t.csv",
        "text,team\n" + "".join(f"ticket number {i} about a parcel,{TEAMS[i % 3]}\n" for i in range(100_000)),
    )
    start = time.process_time()
    task = Task.load(path)
    assert len(task) == 100_000
    assert time.process_time() - start < 10  # about 2.5 s on a slow core


def test_banking77_keeps_its_test_split_and_reports_its_leaks() -> None:
    task = Task.load(_data("banking77"))
    assert (task.kind, len(task.labels), task.sizes["test"]) == ("label", 77, 3080)
    assert task.sizes["train"] + task.sizes["dev"] == 10_003 and task.given == {"train", "test"}
    assert sum("leakage" in note for note in task.split_notes) == 2


def test_gsm8k_is_text_by_itself_and_numbers_with_the_grader() -> None:
    assert Task.load(_data("gsm8k/test.jsonl")).kind == "text"
    task = Task.load(_data("gsm8k/test.jsonl"), grader=grade.number(find="last"))
    assert task.kind == "number" and all(isinstance(c.expected, int | float) for c in task.dev)


def test_sroie_is_fields_and_every_expected_value_is_right_by_its_own_grader() -> None:
    task = Task.load(_data("sroie/receipts.jsonl"))
    assert task.kind == "fields"
    assert all(task.grader(c.expected, c).value == 1 for c in task.dev)


def test_every_bbh_task_loads_with_a_sensible_kind() -> None:
    kinds = {p.stem: Task.load(p) for p in sorted(_data("bbh/tasks").glob("*.json"))}
    wanted = {"date_understanding": "choice", "boolean_expressions": "label", "word_sorting": "text"}
    assert {name: kinds[name].kind for name in wanted} == wanted
    assert all(t.grader(c.expected, c).value == 1 for t in kinds.values() for c in t.dev)


def test_spellings_of_one_label_become_the_usual_one_and_are_counted():
    rows = [
        {"text": f"mail {i}", "label": "Outage " if i == 3 else "outage" if i == 7 else "Outage"} for i in range(40)
    ]
    rows += [{"text": f"other {i}", "label": "Sales"} for i in range(40)]
    task = Task(rows)
    assert {c.expected for c in (*task.train, *task.dev, *task.sealed())} == {"Outage", "Sales"}
    assert any(note.startswith("2 labels spelled in another case or spacing") for note in task.notes)


WRONG_TYPES = {
    "name": "true",
    "input": "true",
    "inputs": "3",
    "expected": "[]",
    "id": "{}",
    "cluster": "3",
    "per_cluster": "true",
    "split_column": "true",
    "choices": "3",
    "kind": "true",
    "labels": '"a"',
    "nothing": '"no"',
    "grader": "true",
    "grader_settings": '"x"',
    "bar": '"0.9"',
    "tolerance": "true",
    "coverage": "true",
    "seed": '"1"',
    "shape": "3",
    "ladder": '"words"',
    "encoding": "true",
    "cases": "true",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [*WRONG_TYPES.items(), *((k, "true") for k in ("bar", "seed")), *((k, '"0.1"') for k in ("tolerance", "coverage"))],
)
def test_a_value_of_a_wrong_type_in_a_task_toml_is_refused_with_its_line(tmp_path: Path, key: str, value: str) -> None:
    _write(tmp_path / "cases.csv", "text,label\na,b\n")
    _write(tmp_path / "task.toml", f"\n\n{key} = {value}\n")
    with pytest.raises(DataError, match=rf"^task\.toml:3: {key}s? ") as caught:
        Task.load(tmp_path)
    assert caught.value.hint


def test_every_key_of_a_task_toml_has_its_refusal() -> None:
    kept_out = {"output", "trust", "skip_bad"}
    assert set(TaskOptions.__annotations__) - kept_out == set(WRONG_TYPES) - {"input", "cases"}
