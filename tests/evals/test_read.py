"""Files to rows: formats, encodings, first lines, and every way a file can be broken."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import DataError, UsageError
from suffice.evals.json_rows import line_rows
from suffice.evals.python_rows import table_of
from suffice.evals.read import missing, read_file, read_folder, spelled
from suffice.evals.stream import scan


def _file(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_separator_is_found_and_a_row_is_known_by_its_first_line(tmp_path: Path, mark: str) -> None:
    path = _file(tmp_path, "t.csv", f'text{mark}label\n"one, two; three\nfour\nfive"{mark}x\n\nd{mark}y\n')
    table = read_file(path)
    assert [r.source for r in table.rows] == ["t.csv:2", "t.csv:6"]
    assert table.rows[0].values == {"text": "one, two; three\nfour\nfive", "label": "x"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_usual_encodings_are_known_by_their_marks(tmp_path: Path, encoding: str) -> None:
    path = _file(tmp_path, "t.csv", "text,label\nzürich 🚲\u2028x,a\n".encode(encoding))
    assert read_file(path).rows[0].values == {"text": "zürich 🚲\u2028x", "label": "a"}


def test_an_undeclared_encoding_is_refused_with_offset_line_and_flag(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", "text,label\nok,a\nqué,b\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"t\.csv:3: byte e9 at offset 18 is not UTF-8\nhint: .*--encoding cp1252"):
        read_file(path)
    assert read_file(path, encoding="cp1252").rows[1].values["text"] == "qué"
    with pytest.raises(UsageError, match="unknown encoding klingon"):
        read_file(path, encoding="klingon")


def test_utf16_without_a_mark_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--encoding utf-16-le"):
        read_file(_file(tmp_path, "t.csv", "text,label\na,b\n".encode("utf-16-le")))
    with pytest.raises(DataError, match="--encoding utf-16-be"):
        read_file(_file(tmp_path, "t.csv", "text,label\na,b\n".encode("utf-16-be")))


def test_every_bad_csv_row_is_listed_and_the_others_are_kept(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", 'text,label\na,b,c\nd\ng,h\n"i" j,k\nl\0,m\n"n\no",p\n')
    table = read_file(path)
    assert [r.values["label"] for r in table.rows] == ["h", "p"]
    assert [b.source for b in table.bad] == ["t.csv:2", "t.csv:3", "t.csv:5", "t.csv:6"]
    assert "3 fields where the header has 2" in table.bad[0].reason
    assert "NUL" in table.bad[3].reason


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "is empty"),
        (" \n \n", "is empty"),
        ("text,text,label\na,b,c\n", "names a column twice: text"),
        ('text,label\na,b\n"c,d\ne,f\n', r"t.csv:3: a quotation mark opened here is never closed"),
    ],
)
def test_a_file_broken_as_a_whole_is_refused(tmp_path: Path, data: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_file(_file(tmp_path, "t.csv", data))


def test_fields_of_ten_million_characters_are_read(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", 'text,label\n"' + "x" * 10_000_000 + '",a\n')
    assert len(read_file(path).rows[0].values["text"]) == 10_000_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"input": "a",', "not valid JSON"),
        ("[1]", "is a list"),
        ('"x"', "is a bare value"),
        ("null", "is null"),
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"a": -Infinity}', "-Infinity is not"),
        ('{"a": 1e999}', "too large"),
        ('{"a": ' + "9" * 5000 + "}", "too large"),
        ('{"a": 1, "a": 2}', "one key twice"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": ' + "[" * 80 + "]" * 80 + "}", "nested more than 64"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested more than 64"),
        ("{" + ",".join(f'"k{i}": 1' for i in range(3000)) + "}", "3,000 keys"),
        ('{"a": 1} {"a": 2}', "something follows"),
    ],
)
def test_json_that_cannot_be_used_is_refused_with_its_line(line: str, reason: str) -> None:
    rows = list(line_rows('{"ok": 1}\n\n' + line + '\n{"ok": 2}'))
    assert [n for n, _ in rows] == [1, 3, 4]
    assert isinstance(rows[1][1], str) and reason in rows[1][1]
    assert rows[2][1] == {"ok": 2}


def test_a_json_array_gives_the_first_line_of_each_object(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.json", '[\n {"a":\n   1},\n\n {"a": 2}, 7,\n {"a": NaN}]')
    table = read_file(path)
    assert [(r.source, r.values["a"]) for r in table.rows] == [("t.json[0]", 1), ("t.json[1]", 2)]
    assert [b.source for b in table.bad] == ["t.json[2]", "t.json[3]"]
    apart = read_file(_file(tmp_path, "u.json", '[\n {"a":\n   1},\n\n {"a": 2}]'))
    assert [r.source for r in apart.rows] == ["u.json:2", "u.json:5"]


def test_an_object_around_one_list_and_lines_in_a_json_file_are_read(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.json", '{"canary": {"x": [1]}, "examples": [\n{"a": 1},\n{"a": 2}\n]}')
    assert [r.source for r in read_file(path).rows] == ["t.json:2", "t.json:3"]
    assert len(read_file(_file(tmp_path, "u.json", '{"a": 1}\n{"a": 2}\n')).rows) == 2


@pytest.mark.parametrize("data", ['[{"a": 1},\n {"a": 2', '[{"a": 1}\n{"a": 2}]', "[", "[{]"])
def test_a_broken_array_is_refused_as_a_whole(tmp_path: Path, data: str) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_file(_file(tmp_path, "t.json", data))


ARRAY = '[{"a": 1},\n {"a": 2}]\n'


@pytest.mark.parametrize(("name", "after"), [("t.json", "garbage"), ("t.json", '[{"a": 3}]'), ("t.jsonl", '{"a": 3}')])
def test_what_follows_an_array_is_never_passed_over(tmp_path: Path, name: str, after: str) -> None:
    with pytest.raises(DataError, match=rf"^{name}:4: the array has ended before this, so what follows cannot be read"):
        read_file(_file(tmp_path, name, ARRAY + "\n" + after))
    with pytest.raises(DataError, match=rf"^{name}:2: the array has ended"):
        read_file(_file(tmp_path, name, ARRAY.strip() + after))
    assert len(read_file(_file(tmp_path, name, f"\n{ARRAY}\n \n")).rows) == 2


def test_lists_on_lines_of_their_own_are_bad_rows_each_with_its_line(tmp_path: Path) -> None:
    table = read_file(_file(tmp_path, "t.jsonl", '["q", "a"]\n["r", "b"]\r\n\n{"q": "s"}\n'))
    assert [str(b).partition(",")[0] for b in table.bad] == ["t.jsonl:1: is a list", "t.jsonl:2: is a list"]
    assert [(r.source, r.values) for r in table.rows] == [("t.jsonl:4", {"q": "s"})]
    array = read_file(_file(tmp_path, "u.jsonl", '[{"a": 1}]\n{"a": 2}\n'))
    assert [b.source for b in array.bad] == ["u.jsonl:1"] and [r.source for r in array.rows] == ["u.jsonl:2"]
    assert len(read_file(_file(tmp_path, "v.jsonl", '[{"a": 1}, {"a": 2}]\n')).rows) == 2


@pytest.mark.parametrize("data", ["null", "3", '"text"', " true\n"])
def test_json_that_is_no_list_of_rows_is_called_so(tmp_path: Path, data: str) -> None:
    with pytest.raises(DataError, match="^t.json: not a list of rows\nhint: "):
        read_file(_file(tmp_path, "t.json", data))


@pytest.mark.parametrize(
    "data",
    [b"PK\x03\x04\x14\0\x06\0rest", bytes(range(256)) * 9, bytes(100)],
    ids=["xlsx", "any bytes", "zeros"],
)
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.xlsx"])
def test_what_is_no_text_is_not_taken_for_an_encoding(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(DataError, match=rf"^{name}: is not a text file\nhint: export it as CSV or JSONL$"):
        read_file(_file(tmp_path, name, data))


def test_the_name_of_a_file_cannot_drive_a_terminal(tmp_path: Path) -> None:
    try:
        path = _file(tmp_path, "a\n\x1b[31mb.csv", "text,label\na,b\n")
    except (OSError, ValueError):
        pytest.skip("this system has no such names")
    assert read_file(path).rows[0].source == "a\\n\\x1b[31mb.csv:2"


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    _file(tmp_path, "tickets.csv", "a,b\n1,2\n")
    assert missing(tmp_path / "ticket.csv").hint == "did you mean tickets.csv?"
    assert "no such folder" in str(missing(tmp_path / "no" / "ticket.csv"))


def test_a_folder_with_split_files_is_read_by_their_usual_spellings(tmp_path: Path) -> None:
    for name in ("Training.csv", "validation.jsonl", "held-out.csv", "notes.json"):
        _file(tmp_path, name, '{"text": "a"}\n' if name.endswith("l") else "text,label\na,b\n")
    assert [r.split for r in read_folder(tmp_path).rows] == ["train", "dev", "test"]


def test_two_files_for_one_split_or_none_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no cases file"):
        read_folder(tmp_path)
    _file(tmp_path, "dev.csv", "a,b\n1,2\n")
    _file(tmp_path, "validation.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match="both the dev split"):
        read_folder(tmp_path)


def test_a_folder_cannot_reach_outside_of_itself(tmp_path: Path) -> None:
    outside = _file(tmp_path, "secret.csv", "text,label\ns,t\n")
    folder = tmp_path / "task"
    folder.mkdir()
    for name in ("../secret.csv", str(outside)):
        with pytest.raises(DataError, match="outside of itself"):
            read_folder(folder, cases=name)
    os.symlink(outside, folder / "cases.csv")
    with pytest.raises(DataError, match="outside of itself"):
        read_folder(folder)


def test_the_header_of_a_sealed_file_is_not_repeated(tmp_path: Path) -> None:
    _file(tmp_path, "test.csv", "my canary text,my canary text\n1,2\n")
    with pytest.raises(DataError) as caught:
        read_folder(tmp_path)
    assert "canary" not in str(caught.value)


def test_python_rows_become_json_or_are_refused_by_type() -> None:
    table = table_of([{"a": (1, 2), 3: None}, {"a": b"x"}, 7, {"a": float("nan")}])
    assert table.rows[0].values == {"a": [1, 2], "3": None}
    assert ["bytes" in b.reason or "int" in b.reason or "NaN" in b.reason for b in table.bad] == [True] * 3
    for wrong in ("x", {"a": 1}, 7):
        with pytest.raises(UsageError, match="list of dicts or a DataFrame"):
            table_of(wrong)


def test_a_dataframe_gives_rows_whose_missing_values_are_none() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["a", "b"], "label": ["x", None], "n": [1, 2]})
    frame["when"] = pandas.to_datetime(["2024-01-02", None])
    frame["whole"] = pandas.array([1, None], dtype="Int64")
    rows = table_of(frame).rows
    assert rows[0].values == {"text": "a", "label": "x", "n": 1, "when": "2024-01-02T00:00:00", "whole": 1}
    assert rows[1].values == {"text": "b", "label": None, "n": 2, "when": None, "whole": None}
    with pytest.raises(DataError, match="column twice: a"):
        table_of(pandas.DataFrame([[1, 2]], columns=["a", "a"]))


def test_usual_spellings_of_splits_are_known() -> None:
    assert [spelled(w) for w in (" Validation", "DEV", "held-out", "Training", "eval", "")] == [
        "dev", "dev", "test", "train", None, None,
    ]  # fmt: skip


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)


@given(st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=8))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([("text", "label"), *rows])
    path = _file(tmp_path_factory.mktemp("csv"), "t.csv", out.getvalue())
    read = [(r.values["text"], r.values["label"]) for r in read_file(path).rows]
    assert read == [r for r in rows if r[0].strip() or r[1].strip()]


@given(st.text(max_size=60))
def test_any_line_is_a_row_or_a_reason(text: str) -> None:
    for line, row in line_rows(text):
        assert line >= 1
        assert isinstance(row, str | dict)
        if isinstance(row, dict):
            assert json.loads(json.dumps(row)) == row


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("t.csv", "t.parquet"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(DataError, match="not a regular file|no such file"):
            read_file(tmp_path / name)
    with pytest.raises(DataError, match="this is not a regular file"):
        scan(tmp_path / "t.csv")


def test_a_pipe_that_a_shell_hands_over_is_read(tmp_path: Path) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as file:
        file.write("text,label\na,b\n")
    try:
        assert [row.values for row in read_file(Path(f"/dev/fd/{read}")).rows] == [{"text": "a", "label": "b"}]
    finally:
        os.close(read)


def test_a_link_to_nothing_says_where_it_points_to(tmp_path: Path) -> None:
    link = tmp_path / "t.csv"
    link.symlink_to("moved.csv")
    for reading in (read_file, scan):
        with pytest.raises(DataError, match="is a link to moved.csv, which is not there"):
            reading(link)
