"""Parquet and Arrow files, and folders as `datasets` and its hub lay them out, as tasks."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import suffice as sf
from suffice.errors import DataError, MissingExtra
from suffice.evals.read import read_file, read_folder

FEATURES = {
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    "tags": {"feature": {"names": ["x", "y"], "_type": "ClassLabel"}, "_type": "List"},
}


def table(n: int, first: int = 0, **more: Any) -> pa.Table:
    """A table as `datasets` makes it, with its features in the schema."""
    columns = {
        "text": [f"text number {i + first}" for i in range(n)],
        "label": [i % 2 for i in range(n)],
        "tags": [[0, 1] if i % 2 else [] for i in range(n)],
        **more,
    }
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})


def stream(found: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, found.schema) as writer:
        writer.write_table(found)


def saved(folder: Path, *parts: pa.Table) -> None:
    """A folder as `Dataset.save_to_disk` writes it."""
    names = [f"data-{i:05d}-of-{len(parts):05d}.arrow" for i in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        stream(part, folder / name)
    state = {"_data_files": [{"filename": n} for n in names], "_split": None, "_fingerprint": "0"}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES}), encoding="utf-8")


def test_a_parquet_file_is_a_task_whose_class_labels_are_names(tmp_path: Path) -> None:
    pq.write_table(table(60), tmp_path / "data.parquet")
    task = sf.Task.load(tmp_path / "data.parquet")
    assert task.labels == ("neg", "pos") and len(task) == 60 and task.columns.inputs == ("text",)
    found = read_file(tmp_path / "data.parquet")
    assert found.rows[11].source == "data.parquet:row 12"
    assert found.rows[11].values == {"text": "text number 11", "label": "pos", "tags": ["x", "y"]}


def test_what_pandas_writes_is_read_with_its_missing_values(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {"question": ["a", "b", "c"], "answer": pandas.Categorical(["x", "y", "x"]), "score": [1.0, None, 2.0]},
        index=["i", "j", "k"],
    )
    frame["when"] = pandas.Timestamp("2024-01-02 03:04:05.123456789")
    frame.to_parquet(tmp_path / "t.parquet")
    rows = [r.values for r in read_file(tmp_path / "t.parquet").rows]
    when = datetime.datetime(2024, 1, 2, 3, 4, 5, 123456).isoformat()
    assert rows[1] == {"question": "b", "answer": "y", "score": None, "when": when}


def test_a_value_without_a_json_form_is_a_bad_row_with_its_place(tmp_path: Path) -> None:
    lasting = [datetime.timedelta(1) if i == 1 else None for i in range(3)]
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": ["x", "y", "x"], "t": lasting}), tmp_path / "t.parquet")
    found = read_file(tmp_path / "t.parquet")
    assert [str(b) for b in found.bad] == [
        "t.parquet:row 2: column t holds a timedelta, which has no JSON form"
    ] and len(found.rows) == 2


def test_images_become_data_urls_and_bytes_are_left_out(tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    image = {"bytes": b"\x89PNG\r\n\x1a\nx", "path": None}
    found = pa.table({"image": [image], "label": [0], "blob": pa.array([b"\0"])})
    found = found.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(found, tmp_path / "t.parquet")
    assert read_file(tmp_path / "t.parquet").rows[0].values == {
        "image": "data:image/png;base64,iVBORw0KGgp4",
        "label": "cat",
    }


def test_a_saved_dataset_is_read_whatever_the_number_of_its_files(tmp_path: Path) -> None:
    saved(tmp_path / "one", table(30), table(30, 30))
    task = sf.Task.load(tmp_path / "one")
    assert len(task) == 60 and task.labels == ("neg", "pos")
    assert read_folder(tmp_path / "one").rows[30].source == "data-00001-of-00002.arrow:row 1"


def test_the_splits_of_a_saved_dataset_are_honoured(tmp_path: Path) -> None:
    for name, part in {"train": table(30), "validation": table(20, 100), "test": table(40, 200)}.items():
        saved(tmp_path / "all" / name, part)
    saved(tmp_path / "all" / "unsupervised", table(5, 900))
    splits = {"splits": ["train", "validation", "test", "unsupervised"]}
    (tmp_path / "all" / "dataset_dict.json").write_text(json.dumps(splits), encoding="utf-8")
    task = sf.Task.load(tmp_path / "all")
    assert task.sizes == {"train": 30, "dev": 20, "test": 40}
    assert task.dev[0].source == "validation/data-00000-of-00001.arrow:row 1"


@pytest.mark.parametrize("place", ["data/", ""])
def test_a_folder_of_the_hub_is_read_with_the_parts_of_a_split_together(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    names = ["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001-0123456789abcdef"]
    for i, name in enumerate(names):
        pq.write_table(table(20, 100 * i), tmp_path / place / f"{name}.parquet")
    (tmp_path / "README.md").write_text("# a card", encoding="utf-8")
    task = sf.Task.load(tmp_path)
    assert task.sizes["test"] == 20 and task.sizes["train"] + task.sizes["dev"] == 40
    assert task.train[0].source.startswith(f"{place}train-0000")


def test_folders_by_split_and_by_configuration_are_told_apart(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "en" / split).mkdir(parents=True)
        pq.write_table(table(20, 100 * len(split)), tmp_path / "en" / split / "0000.parquet")
    assert sf.Task.load(tmp_path / "en").sizes["test"] == 20
    (tmp_path / "de" / "data").mkdir(parents=True)
    with pytest.raises(DataError, match="found no train, dev or test file") as fault:
        sf.Task.load(tmp_path)
    assert fault.value.hint is not None and "load one of its folders" in fault.value.hint


def test_a_folder_cannot_name_files_outside_of_itself(tmp_path: Path) -> None:
    stream(table(4), tmp_path / "out.arrow")
    saved(tmp_path / "in", table(4))
    state = {"_data_files": [{"filename": "../out.arrow"}]}
    (tmp_path / "in" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(DataError, match="points outside of itself"):
        read_folder(tmp_path / "in")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.parquet", b"PAR1 and then nothing", "^t.parquet: is damaged or no such file"),
        ("t.arrow", b"no arrow at all", "^t.arrow: is damaged or no such file"),
        ("t.csv", b"PAR1 a,b\n", "^t.csv: is damaged or no such file"),
        ("t.parquet", b"", "^t.parquet: is damaged or no such file"),
    ],
)
def test_a_damaged_file_is_called_so(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_file(tmp_path / name)


def test_no_rows_is_an_empty_file(tmp_path: Path) -> None:
    pq.write_table(table(0).select(["text"]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="the file is empty"):
        read_file(tmp_path / "t.parquet")


def test_without_pyarrow_one_line_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(table(9), tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"need pyarrow\nhint: pip install 'suffice\[parquet\]'$"):
        sf.Task.load(tmp_path / "t.parquet")


def test_a_recording_may_be_a_parquet_file(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "label": "ab"[i % 2]} for i in range(60)]
    answers = [{"text": r["text"], "answer": "a"} for r in rows]
    pq.write_table(pa.Table.from_pylist(answers), tmp_path / "recorded.parquet")
    recorded = sf.rung.replay(tmp_path / "recorded.parquet")
    report = sf.run(sf.evaluate(sf.Task(rows), recorded, store=tmp_path))
    assert report.score == pytest.approx(sum(o.case.expected == "a" for o in report.outcomes) / report.n)
