from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lockgate.pipelines.data import EVERY_ROW, DataSettings, Table, TrainSettings, split


@pytest.fixture(scope="module")
def make_flights(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_flights", root / "data" / "make_flights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "year": 2013,
            "month": [10, 10, 10, 1],
            "day": [5, 5, 5, 2],
            "carrier": "UA",
            "flight": [3, 2, 1, 9],
            "origin": "EWR",
            "dest": "ORD",
            "distance": 719,
            "hour": 6,
            "minute": 30,
            "arr_delay": [15.0, 15.5, None, -3.0],
            "dep_delay": 0.0,
            "air_time": 100.0,
        }
    )


def test_columns_keep_what_is_known_at_scheduling_time(make_flights: ModuleType, raw: pd.DataFrame) -> None:
    table = make_flights.select_columns(raw)
    assert table.schema == make_flights.SCHEMA
    assert not {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} & set(table.column_names)
    assert table["flight"].to_pylist() == [9, 1, 2, 3]  # sorted by date, carrier, flight
    assert table["late"].to_pylist() == [False, None, True, False]  # 15 minutes are not late
    assert table["weekday"].to_pylist() == ["Wed", "Sat", "Sat", "Sat"]


def test_columns_refuse_a_key_that_repeats(make_flights: ModuleType, raw: pd.DataFrame) -> None:
    with pytest.raises(SystemExit, match="1 rows repeat it"):
        make_flights.select_columns(raw.assign(flight=[1, 2, 2, 3]))


def test_the_file_is_what_the_script_and_the_readme_say(make_flights: ModuleType, root: Path) -> None:
    table = pq.read_table(root / "data" / "flights.parquet")
    assert table.schema == make_flights.SCHEMA
    assert (table.num_rows, table["late"].null_count) == (336_776, 9_430)
    readme = (root / "data" / "README.md").read_text(encoding="utf-8")
    assert "336,776" in readme
    assert "9,430" in readme
    assert all(f"`{name}`" in readme for name in table.column_names)
    assert (root / "data" / "flights.parquet").stat().st_size < 3e6


def test_flights_load(flights: Table) -> None:
    assert len(flights.row_ids) == 336_776 == len(set(flights.row_ids))
    assert "2013-10-05/UA/1545/EWR" not in flights.row_ids[:10]
    assert flights.row_ids[0] == "2013-01-01/9E/3286/JFK"
    assert int(np.isnan(flights.labels).sum()) == 9_430
    assert flights.clusters is not None
    assert len(set(flights.clusters)) == 365
    assert set(flights.slices) == {"carrier", "origin"}
    assert [str(kind) for kind in flights.frame.dtypes[["carrier", "hour"]]] == ["str", "float64"]


def test_october_is_held_out(flights: Table, flights_settings: DataSettings) -> None:
    parts = split(flights, flights_settings, EVERY_ROW, "2013-10")
    assert (len(parts.train), parts.train_without_outcome) == (244_737, 7_747)
    assert (len(parts.holdout), parts.holdout_without_outcome) == (28_618, 271)
    assert not set(parts.train_row_ids) & set(parts.row_ids)
    assert parts.times is not None
    assert {str(day)[:7] for day in parts.times} == {"2013-10"}
    assert round(parts.labels.mean(), 3) == 0.168


def test_a_recent_window_is_three_months(flights: Table, flights_settings: DataSettings, conf) -> None:
    recent = TrainSettings.model_validate(conf("train/recent"))
    parts = split(flights, flights_settings, recent, "2013-11")
    assert {row[:7] for row in parts.train_row_ids} == {"2013-08", "2013-09", "2013-10"}


def test_a_month_beyond_the_table(flights: Table, flights_settings: DataSettings) -> None:
    with pytest.raises(
        Exception, match="no rows with an outcome to hold out; expected a month from 2013-01 to 2013-12"
    ):
        split(flights, flights_settings, EVERY_ROW, "2014-01")
    with pytest.raises(Exception, match="no rows with an outcome to train on"):
        split(flights, flights_settings, EVERY_ROW, "2013-01")
