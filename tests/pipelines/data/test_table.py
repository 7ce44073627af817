"""Somebody's own table: how its columns are read, and what is refused.

Tests of pipelines/data/columns.py
Tests of pipelines/data/files.py
Tests of pipelines/data/frames.py
Tests of pipelines/data/source.py
"""

# ruff: noqa: E501 - error lines are written out as users see them
from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import EVERY_ROW, load, split

ROWS = {"id": [1, 2, 3], "x": [1.5, None, 3.0], "c": ["a", None, "b"], "y": [0, 1, 1]}


def test_a_csv_of_the_users_own(tmp_path, declared) -> None:
    (tmp_path / "mine.csv").write_text("id,x,c,ok,y\n1,1.5,a,true,yes\n2,,,false,no\n3,3,b,,\n", encoding="utf-8")
    table = load(declared(key=["id"], positive="yes", slices=["c"]), root=tmp_path)
    assert table.row_ids.tolist() == ["1", "2", "3"]
    np.testing.assert_array_equal(table.labels, [1, 0, np.nan])
    assert {name: str(kind) for name, kind in table.frame.dtypes.items()} == {
        "x": "float64",
        "c": "str",
        "ok": "float64",
    }
    np.testing.assert_array_equal(table.frame["ok"], [1, 0, np.nan])
    assert table.slices["c"].tolist() == ["a", "(missing)", "b"]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.Series(["a", "b", None], dtype="category"), "str"),
        (pd.Series([1, 2, None], dtype="Int64"), "float64"),
        (pd.Series([True, False, None], dtype="boolean"), "float64"),
        (pd.Series([1, 2, 3], dtype="uint8"), "float64"),
        (pd.Series([2**64 - 1, 2, 3], dtype="uint64"), "float64"),
        (pd.Series([1, 2, 3], dtype="float16"), "float64"),
        (pd.Series([Decimal("1.50"), None, Decimal("-0.25")]), "float64"),
        (pd.Series([None, None, None], dtype=object), "float64"),
        (pd.Series([None, None, None], dtype="str"), "float64"),
    ],
)
def test_features_are_numbers_or_text(loaded, column, kind) -> None:
    assert str(loaded(ROWS | {"z": column}, features=["z"]).frame["z"].dtype) == kind


@pytest.mark.parametrize(
    ("values", "value"),
    [
        ([dt.date(2013, 1, 1)] * 3, "date"),
        (pd.to_datetime(["2013-01-01"] * 3), "timestamp"),
        ([dt.time(1)] * 3, "time"),
        ([b"x"] * 3, "binary"),
        ([[1], [2], [3]], "list<element: int64>"),
        ([{"a": 1}] * 3, "struct<a: int64>"),
        (pd.to_timedelta([1, 2, 3], unit="s"), "duration"),
    ],
)
def test_other_types_are_no_features(loaded, values, value) -> None:
    with pytest.raises(
        DataError, match=rf"column 'z' holds {value}.*; expected numbers, booleans or text @ data.features .*exclude"
    ):
        loaded(ROWS | {"z": values})
    loaded(ROWS | {"z": values}, exclude=["z"])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"target": "Y"}, "column 'Y' is not in mine.parquet; expected one of id, x, c, y @ data.target"),
        ({"time": "tme"}, "column 'tme' is not in mine.parquet; expected one of id, x, c, y @ data.time"),
        (
            {"key": ["idd"]},
            "column 'idd' is not in mine.parquet; expected one of id, x, c, y @ data.key (did you mean 'id'?)",
        ),
        (
            {"features": ["xx"]},
            "column 'xx' is not in mine.parquet; expected one of id, x, c, y @ data.features (did you mean 'x'?)",
        ),
        ({"exclude": ["q"]}, "column 'q' is not in mine.parquet; expected one of id, x, c, y @ data.exclude"),
        ({"slices": ["q"]}, "column 'q' is not in mine.parquet; expected one of id, x, c, y @ data.slices"),
        (
            {"target": "c"},
            "target 'c' holds text: a, b; expected 0, 1, true or false @ data.target (set data.positive=a, or the value that counts as 1)",
        ),
        (
            {"target": "id"},
            "target 'id' holds 2, 3; expected 0 or 1 @ data.target (set data.positive to the value that counts as 1, or data.task=regression)",
        ),
        ({"target": "c", "task": "regression"}, "column 'c' holds text, such as 'a'; expected numbers @ data.target"),
        ({"target": "c", "positive": "A"}, "no row of target 'c' is 'A'; expected one of a, b @ data.positive"),
        (
            {"key": ["y"]},
            "1 of 3 rows repeat a key, the first is '1'; expected rows that differ in y @ data.key (add columns to data.key; null numbers the rows)",
        ),
        ({"key": ["c"]}, "column 'c' is missing in 1 of 3 rows; expected a value in every row @ data.key"),
        ({"cluster": "c"}, "column 'c' is missing in 1 of 3 rows; expected a value in every row @ data.cluster"),
        (
            {"weight": "x"},
            "column 'x' is negative or missing in 1 rows; expected a weight of at least 0 in every row @ data.weight",
        ),
        ({"weight": "c"}, "column 'c' holds text, such as 'a'; expected numbers @ data.weight"),
        (
            {"time": "x"},
            "column 'x' holds numbers; expected a date such as 2013-10-05, or a timestamp such as 2013-10-05T12:30:00, in every row @ data.time",
        ),
        (
            {"source": "tabel"},
            "'tabel' is not a source of data; expected one of breast_cancer, table @ data.source (did you mean 'table'?)",
        ),
    ],
)
def test_one_line_for_each_mistake(loaded, change, line) -> None:
    with pytest.raises(DataError) as caught:
        loaded(ROWS, **change)
    assert str(caught.value) == line


def test_a_missing_slice_is_no_slice_of_that_name(loaded) -> None:
    line = (
        "column 'c' holds the text '(missing)', and is missing in 1 of 3 rows, which is called so; "
        "expected another text for one of the two @ data.slices"
    )
    with pytest.raises(DataError) as caught:
        loaded(ROWS | {"c": ["a", None, "(missing)"]}, slices=["c"])
    assert str(caught.value) == line
    assert loaded(ROWS | {"c": ["a", "", "(missing)"]}, slices=["c"]).slices["c"].tolist() == ["a", "", "(missing)"]
    assert loaded(ROWS | {"c": ["None", "nan", None]}, slices=["c"]).slices["c"].tolist() == [
        "None",
        "nan",
        "(missing)",
    ]


def test_nothing_left_to_learn_from(loaded) -> None:
    with pytest.raises(DataError, match=r"no column is left to learn from"):
        loaded({"y": [0, 1]})


def test_infinite_numbers_are_refused(loaded) -> None:
    with pytest.raises(
        DataError, match=r"column 'x' is infinite in 1 rows; expected finite numbers or nothing @ data.features"
    ):
        loaded(ROWS | {"x": [1.0, np.inf, 2.0]})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, r"none.csv does not exist; expected one of mine.csv in .* @ data.path"),
        ("mine.csb", None, r"mine.csb is not a table; expected a file \(.csv, .csv.gz, .*\), or a folder of Parquet"),
        ("../x/none.csv", None, r"does not exist; expected a file at"),
        ("empty.csv", b"", r"empty.csv is empty; expected a line with the names of the columns"),
        ("head.csv", b"x,y\n", r"head.csv has no rows; expected at least one @ data"),
        ("bad.parquet", b"PAR1 no", r"bad.parquet cannot be read as Parquet"),
        (None, None, r"source table has no path"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, declared, name, content, message) -> None:
    (tmp_path / "mine.csv").write_text("x,y\n1,0\n", encoding="utf-8")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(declared(path=name), root=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_misspelt_file_is_guessed(tmp_path, declared) -> None:
    (tmp_path / "flights.csv").write_text("x,y\n1,0\n", encoding="utf-8")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"did you mean 'flights.csv'"):
        load(declared(path="flihgts.csv"), root=tmp_path)
    with pytest.raises(DataError, match=r"folder.csv is a folder"):
        load(declared(path="folder.csv"), root=tmp_path)


@pytest.mark.parametrize("values", ["2013", "20130105", "1372636800", "7.5"])
def test_numbers_of_a_text_file_are_no_times(tmp_path, declared, values) -> None:
    (tmp_path / "mine.csv").write_text(f"when,x,y\n{values},1,0\n{values},2,1\n,3,0\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"column 'when' holds numbers; expected a date such as 2013-10-05"):
        load(declared(time="when", features=["x"]), root=tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["2013-01-01", "x", "y"], "column 'when' is not a time: 'x'"),
        (["2013-01-01", None, "2013-01-02"], "column 'when' is missing in 1 rows"),
        (["2013-01-01T00:00+01:00", "2013-02-31T00:00+02:00", "2013-01-01T00Z"], "column 'when' is not a time"),
        ([dt.time(1)] * 3, r"column 'when' is not a time: datetime.time\(1, 0\)"),
        ([None] * 3, "column 'when' holds no value at all"),
    ],
)
def test_times_that_are_none(loaded, values, message) -> None:
    with pytest.raises(DataError, match=f"{message}.*; expected a date such as 2013-10-05.* @ data.time"):
        loaded(ROWS | {"when": values}, time="when")


def test_keys_are_joined_without_collisions(loaded) -> None:
    table = loaded({"a": ["x/y", "x", "p%"], "b": ["z", "y/z", "q"], "n": [1, 2, 3], "y": [0, 1, 1]}, key=["a", "b"])
    assert table.row_ids.tolist() == ["x%2Fy/z", "x/y%2Fz", "p%25/q"]
    assert list(table.frame) == ["n"]  # a key is no feature unless listed
    assert list(loaded(ROWS, key=["id"], features=["id", "x"]).frame) == ["id", "x"]
    assert loaded(ROWS | {"id": [1.0, 2.0, 3.0]}, key=["id"]).row_ids.tolist() == ["1", "2", "3"]


def test_large_integers_beside_missing_ones_stay_apart(tmp_path, declared, loaded) -> None:
    """A float, which pandas makes of them, has 53 bits."""
    accounts = [2**60 + number for number in range(3)]
    names = [*map(str, accounts), "(missing)"]
    columns = {"x": [1, 2, 3, 4], "y": [0, 1, 0, 1]}
    table = loaded({**columns, "account": pd.array([*accounts, None], dtype="Int64")}, slices=["account"])
    assert table.slices["account"].tolist() == names
    rows = "".join(f"{account},{account % 7},{account % 2}\n" for account in accounts)
    (tmp_path / "mine.csv").write_text(f"account,x,y\n{rows},1,1\n", encoding="utf-8")
    for types in (None, {"account": "integer"}):
        slices = load(declared(slices=["account"], types=types), root=tmp_path).slices
        assert slices["account"].tolist() == names


def test_a_key_that_pandas_stored_as_index(tmp_path, declared) -> None:
    pd.DataFrame(ROWS).set_index("id").to_parquet(tmp_path / "mine.parquet")
    assert load(declared(path="mine.parquet", key=["id"]), root=tmp_path).row_ids.tolist() == ["1", "2", "3"]
    pd.DataFrame(ROWS, index=[7, 5, 6]).to_parquet(tmp_path / "mine.parquet")
    assert list(load(declared(path="mine.parquet", key=["id"]), root=tmp_path).frame) == ["x", "c"]


def test_regression_keeps_numbers(loaded) -> None:
    np.testing.assert_array_equal(loaded(ROWS, target="x", task="regression").labels, [1.5, np.nan, 3.0])


def test_weights_reach_the_holdout(loaded, declared) -> None:
    many = {"x": range(200), "w": np.arange(200.0), "y": [0, 1] * 100}
    table = loaded(many, weight="w")
    parts = split(table, declared(weight="w"), EVERY_ROW, "unread")
    assert parts.weights is not None
    np.testing.assert_array_equal(parts.weights, parts.holdout["x"])
    assert list(parts.train) == ["x"]
