"""The rows that are predicted come in pieces and batches, and are the rows of the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import S3Store

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import DataSettings, Objects, Table, WindowRows, newest_window, plan_window, read_window

BY_MONTH: dict[str, Any] = {"time": "when", "holdout": {"kind": "period"}}
ROWS = {
    "when": [f"2013-{month:02d}-15" for month in (1, 1, 2, 2, 2, 3, 3)],
    "x": [1, 2, None, 4, 5, 6, 7],
    "c": ["a", None, "b", "a", "b", "c", "d"],
    "y": [0, 1, 0, None, 1, 0, 1],
}


def rows_of(data: DataSettings, root: Any, period: str, *, batch_rows: int = 100) -> list[WindowRows]:
    plan = plan_window(data, period, root=root, batch_rows=batch_rows)
    result = list(read_window(data, period, plan.pieces, root=root, batch_rows=batch_rows))
    assert sum(len(item.row_ids) for item in result) == plan.rows
    return result


def ids(result: list[WindowRows]) -> list[str]:
    return [row for row_id in result for row in row_id.row_ids.to_pylist()]


@pytest.fixture
def write_table(tmp_path: Path) -> Path:
    """ROWS as a CSV, and as Parquet with row groups of two rows."""
    frame = pd.DataFrame(ROWS)
    frame.to_csv(tmp_path / "mine.csv", index=False)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "mine.parquet", row_group_size=2)
    return tmp_path


def test_a_month_of_flights_in_batches_is_what_the_whole_table_has(
    flights: Table, flights_settings: DataSettings, root: Path
) -> None:
    plan = plan_window(flights_settings, "2013-11", root=root, batch_rows=5000)
    assert (len(plan.pieces), plan.rows) == (2, 27_268)  # of twelve row groups
    result = list(read_window(flights_settings, "2013-11", plan.pieces, root=root, batch_rows=5000))
    assert max(len(item.row_ids) for item in result) == 5000
    november = flights.times.astype("datetime64[M]") == np.datetime64("2013-11")
    assert ids(result) == flights.row_ids[november].tolist()
    expected = flights.frame[november].reset_index(drop=True)
    contents = pd.concat([item.frame.astype(dict(expected.dtypes)) for item in result], ignore_index=True)
    pd.testing.assert_frame_equal(contents, expected)


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_rows_without_outcome_and_pieces_of_another_month(
    write_table: Path, declared, name: str, batch_rows: int
) -> None:
    result = rows_of(declared(path=name, **BY_MONTH), write_table, "2013-02", batch_rows=batch_rows)
    assert ids(result) == ["2", "3", "4"]  # numbered as in the whole table
    assert [value for item in result for value in item.frame["c"]] == ["b", "a", "b"]
    assert max(map(len, (item.row_ids for item in result))) <= batch_rows


def test_the_target_may_be_missing(write_table: Path, declared) -> None:
    pq.write_table(pq.read_table(write_table / "mine.parquet").drop_columns(["y"]), write_table / "new.parquet")
    assert ids(rows_of(declared(path="new.parquet", **BY_MONTH), write_table, "2013-03")) == ["5", "6"]


def test_a_table_without_time_is_predicted_whole(conf, root: Path) -> None:
    settings = DataSettings.model_validate(conf("data/breast_cancer"))
    assert ids(rows_of(settings, root, "all")) == [str(number) for number in range(569)]


def test_parquet_with_a_stored_index_is_read_whole(tmp_path: Path, declared) -> None:
    pd.DataFrame(ROWS).rename_axis("id").to_parquet(tmp_path / "mine.parquet")
    settings = declared(path="mine.parquet", key=["id"], exclude=[], **BY_MONTH)
    assert ids(rows_of(settings, tmp_path, "2013-01")) == ["0", "1"]


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_an_object_store_is_read_as_a_disk(write_table: Path, declared, s3, name: str) -> None:
    store = S3Store(**s3.store, prefix="tables")
    store.put(name, (write_table / name).read_bytes())
    files = Objects(store, name="s3://tables")
    assert ids(rows_of(declared(path=name, **BY_MONTH), files, "2013-02")) == ["2", "3", "4"]
    with pytest.raises(DataError) as caught:
        rows_of(declared(path=f"x{name}", **BY_MONTH), files, "2013-02")
    assert str(caught.value).startswith(f"x{name} does not exist; expected one of {name} in s3://tables @ data.path")


@pytest.mark.parametrize(
    ("changes", "period", "message"),
    [
        ({}, "2014-01", "no rows in 2014-01; expected a month from 2013-01 to 2013-03 @ window"),
        ({}, "2013-13", "'2013-13' is not a window; expected a month, YYYY-MM, such as 2013-10 @ window"),
        ({"key": ["c"]}, "2013-01", "column 'c' is missing in 1 of 2 rows; expected a value in every row @ data.key"),
        (
            {"key": ["when"]},
            "2013-02",
            "1 of 2 rows repeat a key, the first is '2013-02-15'; expected rows that differ",
        ),
        ({"features": ["xx"]}, "2013-01", "column 'xx' is not in mine.parquet; expected one of when, x, c, y @ data"),
    ],
)
def test_one_line_for_each_mistake(write_table: Path, declared, changes, period: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        rows_of(declared(path="mine.parquet", **BY_MONTH, **changes), write_table, period)
    assert str(caught.value).startswith(message)


SCORE: dict[str, Any] = {"path": "mine.csv", "score": {"path": "new.parquet"}, "features": ["x", "c"]}


def test_rows_to_predict_in_a_table_of_their_own(write_table: Path, declared) -> None:
    """It has no target. Without a column of time all its rows are predicted, else a period of it."""
    new = pd.DataFrame(ROWS).drop(columns="y").iloc[[5, 2, 6]].assign(when=["2013-04-01", "2013-04-02", "2013-05-01"])
    new.to_parquet(write_table / "new.parquet", index=False)
    assert ids(rows_of(declared(**SCORE), write_table, "all")) == ["0", "1", "2"]
    by_month = declared(**SCORE, **BY_MONTH)
    (april,) = rows_of(by_month, write_table, "2013-04")
    assert april.frame["c"].tolist() == ["c", "b"]
    assert newest_window(by_month, root=write_table, batch_rows=2) == "2013-05"
    assert newest_window(declared(**SCORE), root=write_table, batch_rows=2) == "all"


@pytest.mark.parametrize(
    ("changes", "window", "message"),
    [
        ({}, "banana", "'banana' is not a window; expected all, as the table has no column of time @ window"),
        ({}, "2013-04", "'2013-04' is not a window; expected all, as the table has no column of time @ window"),
        (BY_MONTH, "all", "'all' is not a window; expected a month, YYYY-MM, such as 2013-10 @ window"),
        (BY_MONTH, "2013-01", "no rows in 2013-01; expected a month from 2013-04 to 2013-04 @ window"),
        (
            BY_MONTH | {"period": "week"},
            "2013-04",
            "'2013-04' is not a window; expected a week, YYYY-Www, such as 2013-W40 @ window",
        ),
        ({"features": ["x", "cc"]}, "all", "column 'cc' is not in new.parquet; expected one of"),
        ({"key": ["id"]}, "all", "column 'id' is not in new.parquet; expected one of"),
        ({"time": "at"}, "2013-04", "column 'at' is not in new.parquet; expected one of"),
        ({"score": {"path": "ne.parquet"}}, "all", "ne.parquet does not exist; expected one of mine.csv, mine.parquet"),
    ],
)
def test_one_line_for_each_mistake_about_rows_to_predict(
    write_table: Path, declared, changes, window: str, message: str
) -> None:
    pd.DataFrame({"when": ["2013-04-01"], "x": [1.0], "c": ["a"]}).to_parquet(write_table / "new.parquet")
    with pytest.raises(DataError) as caught:
        rows_of(declared(**(SCORE | changes)), write_table, window)
    assert str(caught.value).startswith(message)
    if "does not exist" in message:
        assert "@ data.score.path" in str(caught.value)
