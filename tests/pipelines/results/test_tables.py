"""CSV, Parquet and JSON lines: what is read, and each way in which a file is refused.

Tests of pipelines/results/results.py
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lockgate.gates.errors import EvidenceError
from lockgate.pipelines.results import READERS, Selection

ROWS: list[dict[str, Any]] = [
    {"id": "007", "epoch": 1, "score": 0.5, "topic": "NA", "answer": 'a, "b"\nc'},
    {"id": "007", "epoch": 2, "score": 1.0, "topic": "NA", "answer": ""},
    {"id": "8", "epoch": 1, "score": 0.0, "topic": "é", "answer": "x"},
]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    def cell(value: Any) -> str:
        return '"' + str(value).replace('"', '""') + '"'

    lines = [",".join(rows[0]), *(",".join(map(cell, row.values())) for row in rows)]
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n\r\n", encoding="utf-8")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "jsonl": write_jsonl,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_table_says_the_same(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"results.{kind}"
    WRITERS[kind](file, ROWS)
    results = READERS[kind](file, Selection(slices=("topic",)))
    assert [(row.sample, row.epoch, row.score) for row in results.rows] == [
        ("007", "1", 0.5),
        ("007", "2", 1.0),
        ("8", "1", 0.0),
    ]
    assert [row.names for row in results.rows] == [{"topic": "NA"}, {"topic": "NA"}, {"topic": "é"}]
    assert (results.score, results.cluster, results.unread) == ("score", None, ("answer",))


@pytest.mark.parametrize("kind", WRITERS)
def test_columns_that_are_there_are_taken_and_others_by_name(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"results.{kind}"
    row = {"key": 1, "id": "x", "label": 1, "weight": 2.5, "cluster": "c", "group": "g", "score": 0.25, "judge": True}
    WRITERS[kind](file, [row])
    (result,) = READERS[kind](file, Selection()).rows
    assert result.numbers == {"label": 1.0, "weight": 2.5}
    assert (result.sample, result.names, result.score) == ("x", {"cluster": "c"}, 0.25)
    results = READERS[kind](file, Selection(id="key", cluster="group", score="judge", labelled=False))
    (result,) = results.rows
    assert result.numbers == {"weight": 2.5}
    assert (result.sample, result.names, result.score) == ("1", {"group": "g"}, 1.0)
    assert results.unread == ("id", "label", "cluster", "score")


@pytest.mark.parametrize(("kind", "nothing"), [("csv", ""), ("parquet", None), ("jsonl", None), ("jsonl", math.nan)])
def test_a_score_that_is_not_there_is_missing(tmp_path: Path, kind: str, nothing: Any) -> None:
    file = tmp_path / f"results.{kind}"
    WRITERS[kind](file, [{"id": "a", "score": 0.5}, {"id": "b", "score": nothing}])
    assert [math.isnan(row.score) for row in READERS[kind](file, Selection()).rows] == [False, True]


LONG = "x" * 600
REFUSED: dict[str, tuple[str, bytes, Selection, str]] = {
    "no file": ("csv", b"", Selection(), "cannot read: No such file"),
    "empty": ("csv", b"\n", Selection(), "there is no column 'id'; expected a file that has a column"),
    "header alone": ("csv", b"id,score\n", Selection(), "there are no results; expected at least one"),
    "another separator": ("csv", b"id;score\na;1\n", Selection(), "no column 'id'; expected --id with one of id;score"),
    "a column in other letters": (
        "csv",
        b"ID,score\na,1\n",
        Selection(score="scor"),
        "expected --id with one of ID, sc",
    ),
    "a typo": ("csv", b"id,score\na,1\n", Selection(score="scor"), "(did you mean 'score'?)"),
    "a slice that is not there": (
        "csv",
        b"id,score\na,1\n",
        Selection(slices=("s",)),
        "expected --slice with one of id",
    ),
    "a column twice": ("csv", b"id,score,id\na,1,b\n", Selection(), "column 'id' occurs twice"),
    "cut off": ("csv", b"id,x,score\na,b,1\nb,c", Selection(), "line 3 has 2 cells; the header has 3"),
    "an open quote": ("csv", b'id,score\n"a,1\n', Selection(), "line 2 is not CSV: unexpected end of data"),
    "latin-1": ("csv", b"id,score\n\xe9,1\n", Selection(), "line 2 is not UTF-8"),
    "a word": ("csv", b"id,score\na,good\n", Selection(), "'score' is 'good'; expected a number for every row @ "),
    "infinity": ("jsonl", b'{"id": 1, "score": Infinity}', Selection(), "'score' is inf; expected a number"),
    "a text label": ("csv", b"id,label,score\na,B,1\n", Selection(), "'label' is 'B'; expected a number for every row"),
    "no id": ("jsonl", b'{"id": null, "score": 1}', Selection(), "'id' is missing; expected a value for every row @ "),
    "an empty id": ("csv", b"id,score\n,1\n", Selection(), "'id' is missing"),
    "an id with a point": (
        "jsonl",
        b'{"id": 1.0, "score": 1}',
        Selection(),
        "the id is 1.0; expected a text or a whole",
    ),
    "a long id": ("csv", f"id,score\n{LONG},1\n".encode(), Selection(), "'id' has 600 bytes: xxx"),
    "half a surrogate": ("jsonl", b'{"id": "\\ud800", "score": 1}', Selection(), "'id' is not UTF-8"),
    "a list": ("jsonl", b'{"id": "a", "cluster": [1], "score": 1}', Selection(), "'cluster' is [1]; expected a text"),
    "a list as score": ("jsonl", b'{"id": "a", "score": [1]}', Selection(), "'score' is [1]; expected a number"),
    "a gap in a slice": (
        "jsonl",
        b'{"id":"a","s":1,"score":1}\n{"id":"b","score":1}',
        Selection(slices=("s",)),
        "line 2",
    ),
    "cut off JSON": ("jsonl", b'{"id": "a", "score": 1}\n{"id": "b", "sc', Selection(), "line 2 is not JSON; expected"),
    "a key twice": ("jsonl", b'{"id": "a", "id": "b", "score": 1}', Selection(), "line 1 is not JSON; expected"),
    "no object": ("jsonl", b"[1]", Selection(), "line 1 is no object"),
    "deep": ("jsonl", b"[" * 100_000, Selection(), "line 1 is not JSON"),
    "no Parquet": ("parquet", b"id,score\n", Selection(), "the file is not Parquet, or is cut off"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    kind, blob, selection, problem = REFUSED[name]
    file = tmp_path / "results"
    if blob:
        file.write_bytes(blob)
    with pytest.raises(EvidenceError) as refused:
        READERS[kind](file, selection)
    assert problem in str(refused.value)
    assert str(file) in refused.value.where
    assert "\n" not in str(refused.value)


def test_parquet_that_is_cut_off_or_damaged_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.parquet"
    write_parquet(file, ROWS)
    whole = file.read_bytes()
    for damaged in (whole[:-20], whole[:4] + b"\0" * 40 + whole[44:]):
        file.write_bytes(damaged)
        with pytest.raises(EvidenceError, match="the file is not Parquet, or is cut off"):
            READERS["parquet"](file, Selection())


def test_a_small_parquet_file_that_claims_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "results.parquet"
    rows = 3_000_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 10, pa.int8()), ["x" * 10_000])
    pq.write_table(pa.table({"id": pa.nulls(rows, pa.string()), "score": pa.nulls(rows, pa.float32())}), file)
    assert file.stat().st_size < 20_000
    with pytest.raises(EvidenceError, match=r"there are 3,000,000 results; expected at most 2,000,000"):
        READERS["parquet"](file, Selection())
    pq.write_table(pa.table({"id": same, "score": [1.0] * 10}), file)
    with pytest.raises(EvidenceError, match=r"column 'id' has a text of 10,000 bytes; expected at most 512"):
        READERS["parquet"](file, Selection())


def test_a_long_answer_is_no_problem_and_an_endless_line_is(tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.write_bytes(b"id,score,answer\na,1," + b"x" * 300_000 + b"\n")
    assert len(READERS["csv"](file, Selection()).rows) == 1
    file.write_bytes(b'{"id": "a", "score": 1, "answer": "' + b"x" * 17 * 1024**2)
    with pytest.raises(EvidenceError, match=r"line 1 is too long; expected at most 16,777,216 bytes"):
        READERS["jsonl"](file, Selection())
