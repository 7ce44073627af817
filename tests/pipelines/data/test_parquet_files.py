"""A table of Parquet is one file or a folder, whose folders may say a column's value, on a disk or in a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import MemoryStore

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import Objects, load, plan_window, read_window


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Orders by day and shop, three rows a file, in row groups of two, beside what writers leave there."""
    for day in ("2024-01-31", "2024-02-01"):
        for shop in ("07", "12"):
            part = tmp_path / "orders" / f"day={day}" / f"shop%20no={shop}"
            part.mkdir(parents=True)
            first = 100 * int(day[5:7]) + int(shop)
            table = pa.table({"id": [first, first + 1, first + 2], "x": [0.5, None, 1.5], "y": [0, 1, 0]})
            pq.write_table(table, part / "part-0.parquet", row_group_size=2)
            (part / ".part-0.parquet.crc").write_bytes(b"crc")
    (tmp_path / "orders" / "_SUCCESS").write_bytes(b"")
    (tmp_path / "orders" / "_temporary").mkdir()
    (tmp_path / "orders" / "_temporary" / "half.parquet").write_bytes(b"PAR1")
    return tmp_path


def stored(folder: Path) -> Objects:
    """The same files in an object store."""
    store = MemoryStore()
    for file in folder.rglob("*"):
        if file.is_file():
            store.put(file.relative_to(folder).as_posix(), file.read_bytes())
    return Objects(store, name="memory://tables")


BY_DAY: dict[str, Any] = {"path": "orders", "key": ["day", "id"], "time": "day", "holdout": {"kind": "period"}}


@pytest.mark.parametrize("place", ["disk", "store"])
@pytest.mark.parametrize("path", ["orders", "orders/"])
def test_a_folder_is_read_as_one_table_with_the_columns_of_its_folders(folder, declared, place, path) -> None:
    root = folder if place == "disk" else stored(folder)
    data = declared(**{**BY_DAY, "path": path}, slices=["shop no"])
    table = load(data, root=root)
    assert len(table.labels) == 12
    assert table.row_ids[:4].tolist() == ["2024-01-31/107", "2024-01-31/108", "2024-01-31/109", "2024-01-31/112"]
    assert {*table.slices["shop no"]} == {"07", "12"}
    assert table.types == {"x": "decimal", "shop no": "text"}  # 07 is no number, so 12 is none
    plan = plan_window(data, "2024-02", root=root, batch_rows=10)
    assert (plan.rows, {piece.file for piece in plan.pieces}) == (
        6,
        {f"orders/day=2024-02-01/shop%20no={shop}/part-0.parquet" for shop in ("07", "12")},
    )
    windows = list(read_window(data, "2024-02", plan.pieces, root=root, batch_rows=10))
    assert [row for window in windows for row in window.row_ids.to_pylist()] == table.row_ids[6:].tolist()
    frame = pd.concat([window.frame.astype({"shop no": "str"}) for window in windows], ignore_index=True)
    pd.testing.assert_frame_equal(frame, table.frame[6:].reset_index(drop=True))


def test_rows_without_a_key_are_numbered_through_all_files(folder, declared) -> None:
    data = declared(path="orders", features=["x"])
    plan = plan_window(data, "all", root=folder, batch_rows=1)
    windows = list(read_window(data, "all", plan.pieces, root=folder, batch_rows=1))
    assert [row for window in windows for row in window.row_ids.to_pylist()] == [str(row) for row in range(12)]


def test_the_value_of_a_folder_has_the_declared_type(folder, declared) -> None:
    table = load(declared(path="orders", key=["id", "day"], types={"shop no": "integer", "day": "date"}), root=folder)
    assert table.types == {"x": "decimal", "shop no": "integer"}
    assert {*table.frame["shop no"]} == {7.0, 12.0}
    with pytest.raises(
        DataError, match=r"column 'day' of orders holds 12 cells that are no integer: '2024-01-31' in row"
    ):
        load(declared(path="orders", types={"day": "integer"}), root=folder)


def test_a_folder_without_a_value_gives_a_missing_one(folder, declared) -> None:
    (folder / "orders/day=2024-02-01").rename(folder / "orders/day=__HIVE_DEFAULT_PARTITION__")
    assert [*load(declared(path="orders", slices=["day"]), root=folder).slices["day"]].count("(missing)") == 6


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            pa.table({"id": ["a"], "x": [1.0], "y": [0]}),
            "column 'id' holds int64 in .*, and string in .*new.parquet; expe",
        ),
        (
            pa.table({"id": [1], "x": [True], "y": [0]}),
            "column 'x' holds double in .*, and bool in .*new.parquet; expecte",
        ),
        (
            pa.table({"id": [1], "y": [0]}),
            "column 'x' is not in .*new.parquet; expected the columns of .*part-0.parquet",
        ),
    ],
)
def test_files_that_do_not_fit_together_are_named(folder, declared, table, message) -> None:
    pq.write_table(table, folder / "orders/day=2024-02-01/shop%20no=12/new.parquet")
    with pytest.raises(DataError, match=message):
        load(declared(path="orders"), root=folder)


def test_numbers_of_several_widths_and_columns_without_a_value_fit_together(folder, declared) -> None:
    table = pa.table({"x": pa.nulls(2), "y": pa.array([0, 1], pa.int8()), "id": pa.array([2**40, 5], pa.uint64())})
    pq.write_table(table, folder / "orders/day=2024-02-01/shop%20no=12/new.parquet")
    assert load(declared(path="orders", key=["day", "id"]), root=folder).row_ids[0] == "2024-01-31/107"
    assert len(load(declared(path="orders"), root=folder).labels) == 14


def test_a_damaged_file_and_an_empty_folder_are_one_line(folder, declared) -> None:
    file = folder / "orders/day=2024-02-01/shop%20no=12/part-0.parquet"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"part-0.parquet cannot be read as Parquet: ") as caught:
        load(declared(path="orders"), root=folder)
    assert "\n" not in str(caught.value)
    (folder / "orders/_temporary/half.parquet").unlink()
    (folder / "orders/_temporary/half.txt").write_bytes(b"")
    with pytest.raises(DataError, match="orders/_temporary is a folder without a Parquet file"):
        load(declared(path="orders/_temporary"), root=folder)
    pq.write_table(pa.table({"x": [1]}), folder / "orders/stray.parquet")
    with pytest.raises(
        DataError, match=r"is divided by no column, but orders/day=.* by day, shop no; expected the same"
    ):
        load(declared(path="orders"), root=folder)


def test_a_file_that_is_gone_between_planning_and_reading_is_told(folder, declared) -> None:
    data = declared(path="orders", key=["id", "day"])
    plan = plan_window(data, "all", root=folder, batch_rows=10)
    (folder / "orders/day=2024-01-31/shop%20no=07/part-0.parquet").unlink()
    with pytest.raises(DataError, match=r"shop%20no=07/part-0.parquet is gone"):
        list(read_window(data, "all", plan.pieces, root=folder, batch_rows=10))


def test_an_index_that_pandas_keeps_in_the_footer_is_a_column(tmp_path, declared) -> None:
    rows = pd.DataFrame({"x": np.arange(5.0), "y": [0, 1, 0, 1, 0]}, index=pd.RangeIndex(10, 20, 2, name="id"))
    rows.to_parquet(tmp_path / "mine.parquet", row_group_size=2)
    data = declared(path="mine.parquet", key=["id"])
    expected = ["10", "12", "14", "16", "18"]
    assert load(data, root=tmp_path).row_ids.tolist() == expected
    plan = plan_window(data, "all", root=tmp_path, batch_rows=1)
    windows = list(read_window(data, "all", plan.pieces, root=tmp_path, batch_rows=1))
    assert [row for window in windows for row in window.row_ids.to_pylist()] == expected
