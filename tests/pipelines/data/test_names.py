"""A header that does not tell its columns apart is refused, whatever the file is."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import load


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            "x,paid,y,paid",
            "2 columns of mine.csv are called 'paid': columns 2, 4; expected distinct names @ mine.csv, line 1",
        ),
        ("y,y,y,z", "3 columns of mine.csv are called 'y': columns 1, 2, 3;"),
        ("a,b,a,b,y", "2 columns of mine.csv are called 'a': columns 1, 3; 2 names in all are repeated;"),
        ("y, y", "2 columns of mine.csv are called 'y', but for spaces around it: columns 1, 2;"),
        (",x,y", "1 column of mine.csv has no name: column 1 of 3; expected a name for every column in the header"),
        ("x,y, ,", "2 columns of mine.csv have no name: columns 3, 4 of 4;"),
        ("x,x.1,y", "1 column of mine.csv may be a copy: 'x.1', as a repeated header is renamed;"),
        ("y,a,y.1,a.2", "2 columns of mine.csv may be copies: 'y.1', 'a.2', as"),
    ],
)
def test_names_that_are_none_or_twice(tmp_path, declared, header, line) -> None:
    (tmp_path / "mine.csv").write_text(f"{header}\n{','.join('1' for _ in header.split(','))}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load(declared(), root=tmp_path)
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    "changes", [{"exclude": ["x", "x.1"]}, {"features": ["z"]}, {"types": {"x.1": "integer"}}, {"slices": ["x.1"]}]
)
def test_a_version_of_a_column_is_none_once_the_settings_name_it(tmp_path, declared, changes) -> None:
    (tmp_path / "mine.csv").write_text("x,x.1,z,y\n1,2,3,0\n2,3,4,1\n", encoding="utf-8")
    names = {*load(declared(**changes), root=tmp_path).frame}
    assert names == {"x", "x.1", "z"} - {*changes.get("exclude", [])} & names


def test_parquet_may_repeat_a_name_as_well(tmp_path, declared) -> None:
    columns = [pa.array([1, 2]), pa.array([0, 1]), pa.array([3, 4])]
    pq.write_table(pa.Table.from_arrays(columns, names=["x", "y", "x"]), tmp_path / "mine.parquet")
    with pytest.raises(DataError, match=r"2 columns of mine.parquet are called 'x': columns 1, 3; .* @ data.path"):
        load(declared(path="mine.parquet"), root=tmp_path)
