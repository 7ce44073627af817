"""Instants, zones, and the periods that rows are in."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import SOURCES, Folder, load, next_period, plan_window, read_window
from lockgate.pipelines.data.times import Period, check_zone, number_periods, parse_period, read_times

PERIODS: dict[str, Any] = {"time": "when", "holdout": {"kind": "period"}, "key": ["id"], "features": ["x"]}


@pytest.mark.parametrize(
    ("as_of", "kind", "following"),
    [
        ("2013-10", "month", "2013-11"),
        ("2013-12", "month", "2014-01"),
        ("0001-01", "month", "0001-02"),
        ("2013-Q4", "quarter", "2014-Q1"),
        ("2024-02-28", "day", "2024-02-29"),
        ("2023-12-31", "day", "2024-01-01"),
        ("2020-W52", "week", "2020-W53"),
        ("2020-W53", "week", "2021-W01"),
        ("2013-10", "week", "2013-W45"),  # November begins on a Friday: the first whole week begins on the 4th
        ("2013-10", "quarter", "2014-Q1"),
        ("2013-09", "quarter", "2013-Q4"),
        ("2013-W40", "day", "2013-10-07"),
        ("2013-10-31", "month", "2013-11"),
    ],
)
def test_next_period(as_of: str, kind: Any, following: str) -> None:
    assert next_period(as_of, kind) == following


@pytest.mark.parametrize(
    "as_of",
    [2013, None, "2013-13", "2013-00", "2013-1", "2013", "13-10", "0000-01", "2013-10\n", "", "٢٠١٣-10", "2013-Q5"],
)
def test_what_is_no_period(as_of: Any) -> None:
    with pytest.raises(DataError) as caught:
        next_period(as_of, "month")
    shown = " ".join(repr(as_of).split())
    assert str(caught.value) == f"{shown} is not a month; expected YYYY-MM, such as 2013-10 @ as_of"


def test_a_period_of_another_kind_is_named_with_what_was_expected() -> None:
    with pytest.raises(DataError, match="'2013-10' is not a week; expected YYYY-Www, such as 2013-W40 @ window"):
        parse_period("2013-10", "week", where="window")


@pytest.mark.parametrize(("last", "kind"), [("9999-12", "month"), ("9999-Q4", "quarter"), ("9999-12-31", "day")])
def test_the_last_period_has_no_next(last: str, kind: Any) -> None:
    with pytest.raises(DataError, match=f"no {kind} follows {last}"):
        next_period(last, kind)


@pytest.mark.parametrize("kind", ["day", "week", "month", "quarter"])
def test_numbers_names_and_days_agree(kind: Any) -> None:
    """Every period's name is read back as the same, and it has its first day but not the day before."""
    for number in (*range(-40, 40), *range(600, 640)):
        period = Period(kind=kind, number=number)
        assert parse_period(str(period), kind, where="here") == period
        assert Period.of_day(period.first_day, kind) == period
        assert Period.of_day(period.first_day - dt.timedelta(days=1), kind) == period.shift(-1)
        if kind == "week":
            assert period.first_day.isoweekday() == 1


@pytest.mark.parametrize("name", ["Europe/Nowhere", "../etc/passwd", "", "America", "+02:00", "UTC\0"])
def test_what_is_no_zone(declared, name: str) -> None:
    with pytest.raises(ValidationError, match="is no time zone; expected a name as in Europe/Berlin, or UTC"):
        declared(zone=name)


@pytest.mark.parametrize("name", ["UTC", "Asia/Kolkata", "Pacific/Kiritimati", "America/St_Johns", "Etc/GMT+12"])
def test_zones(name: str) -> None:
    assert check_zone(name) == name


@pytest.mark.parametrize(
    ("zone", "period", "instants", "names"),
    [
        ("Asia/Tokyo", "month", ["2024-01-31T14:59:59Z", "2024-01-31T15:00:00Z"], ["2024-01", "2024-02"]),
        ("America/Los_Angeles", "month", ["2024-02-01T07:59:59Z", "2024-02-01T08:00:00Z"], ["2024-01", "2024-02"]),
        ("Asia/Kolkata", "day", ["2024-05-09T18:29:59Z", "2024-05-09T18:30:00Z"], ["2024-05-09", "2024-05-10"]),
        ("Asia/Kathmandu", "week", ["2024-05-12T18:14:59Z", "2024-05-12T18:15:00Z"], ["2024-W19", "2024-W20"]),
        ("Australia/Sydney", "quarter", ["2024-03-31T12:59:59Z", "2024-03-31T13:00:00Z"], ["2024-Q1", "2024-Q2"]),
        ("Pacific/Apia", "day", ["2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z"], ["2011-12-29", "2011-12-31"]),
        ("UTC", "month", ["2024-02-01T01:00:00+02:00", "2024-01-31T23:00:00-0200"], ["2024-01", "2024-02"]),
        ("UTC", "week", ["2021-01-03T23:59:59.999999999Z", "2021-01-04T00:00:00Z"], ["2020-W53", "2021-W01"]),
    ],
)
def test_periods_are_those_of_the_zone(declared, zone: str, period: Any, instants: list[str], names: list[str]) -> None:
    data = declared(**PERIODS, zone=zone, period=period)
    for column in (pd.Series(instants), pd.Series(pd.to_datetime(instants, format="ISO8601", utc=True))):
        numbers = number_periods(read_times(column, data, where="here"), data)
        assert [str(Period(kind=period, number=int(number))) for number in numbers] == names


def test_local_times_are_of_the_zone(declared) -> None:
    """Dates and timestamps without an offset are what the clocks of the zone show."""
    data = declared(**PERIODS, zone="America/New_York")
    for values in (["2024-01-31", "2024-02-01"], [dt.date(2024, 1, 31), dt.date(2024, 2, 1)]):
        times = read_times(pd.Series(values), data, where="here")
        assert [str(time) for time in times] == ["2024-01-31T05:00:00.000000", "2024-02-01T05:00:00.000000"]
        assert number_periods(times, data).tolist() == [648, 649]


def test_the_hours_that_a_change_of_clocks_repeats_or_skips(declared) -> None:
    data = declared(**PERIODS, zone="America/New_York")

    def instants(*texts: str) -> list[str]:
        return [str(time)[5:16] for time in read_times(pd.Series(texts), data, where="here")]

    repeated = instants("2024-11-03T01:30:00-04:00", "2024-11-03T01:30:00-05:00")
    assert repeated == ["11-03T05:30", "11-03T06:30"]  # two instants, in their order
    assert instants("2024-11-03T01:30", "2024-11-03T02:00") == ["11-03T05:30", "11-03T07:00"]  # the first of the two
    assert instants("2024-03-10T02:30", "2024-03-10T03:00") == ["03-10T07:30", "03-10T07:00"]  # 03:30, 03:00
    data = declared(**PERIODS, zone="Australia/Lord_Howe")  # by half an hour
    assert instants("2024-04-07T01:45", "2024-10-06T02:15") == ["04-06T14:45", "10-05T15:45"]


def test_nanoseconds_stay(declared, tmp_path: Path) -> None:
    data = declared(**PERIODS, path="mine.parquet")
    texts = ["2024-01-31T23:59:59.999999999", "2024-02-01T00:00:00.000000001"]
    when = pd.to_datetime(texts).as_unit("ns")
    pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0], "y": [0, 1], "when": when}).to_parquet(tmp_path / "mine.parquet")
    times = load(data, root=tmp_path).times
    assert [str(time) for time in times] == texts
    assert number_periods(times, data).tolist() == [648, 649]
    assert [str(time) for time in read_times(pd.Series(texts), data, where="here")] == texts


def test_a_column_is_of_instants_or_of_local_times(declared) -> None:
    with pytest.raises(DataError) as caught:
        read_times(pd.Series(["2024-01-01T00:00Z", "2024-01-02"], name="when"), declared(**PERIODS), where="data.time")
    assert str(caught.value) == (
        "column 'when' mixes times with an offset, as '2024-01-01T00:00Z', and without, as '2024-01-02';"
        " expected an offset or Z in every row, or in none @ data.time"
    )


HOURS = pd.date_range("2024-01-30T00:30", "2024-02-02T23:30", freq="2h")


@pytest.mark.parametrize(
    ("zone", "stored"),
    [
        ("America/New_York", "instants"),
        ("Asia/Kolkata", "instants"),
        ("Pacific/Kiritimati", "other zone"),
        ("America/St_Johns", "other zone"),
        ("UTC", "local"),
        ("Asia/Tokyo", "local"),
        ("America/Los_Angeles", "text"),
        ("Europe/Berlin", "text"),
        ("Australia/Adelaide", "nanoseconds"),
    ],
)
def test_no_row_of_a_window_is_pruned_away(declared, tmp_path: Path, zone: str, stored: str) -> None:
    """Row groups are left out by their statistics, but never one with a row of the window by the clocks of the zone."""
    aware = HOURS.tz_localize(zone)
    when = {
        "instants": aware.as_unit("us"),
        "other zone": aware.tz_convert("Australia/Eucla").as_unit("ms"),
        "local": HOURS.as_unit("us"),
        "text": aware.map(lambda time: time.isoformat()),
        "nanoseconds": aware.as_unit("ns"),
    }[stored]
    frame = pd.DataFrame({"id": range(len(HOURS)), "x": 0.5, "y": 0, "when": when})
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "mine.parquet", row_group_size=4)
    for period, window in (("month", "2024-01"), ("day", "2024-02-01"), ("week", "2024-W05"), ("quarter", "2024-Q1")):
        data = declared(**PERIODS, path="mine.parquet", zone=zone, period=period)
        plan = plan_window(data, window, root=tmp_path, batch_rows=1000)
        batches = read_window(data, window, plan.pieces, root=tmp_path, batch_rows=1000)
        predicted = [row for rows in batches for row in rows.row_ids.to_pylist()]
        inside = {"month": HOURS.month == 1, "day": HOURS.strftime("%F") == window}.get(period, HOURS.year == 2024)
        assert predicted == [str(row) for row in np.flatnonzero(inside)]
        assert plan.rows == len(predicted)
        read_pieces = SOURCES["table"].pieces(data, Folder(tmp_path), parse_period(window, period, where="here"))
        # of twelve row groups; the bounds of text are not trusted
        assert (len(read_pieces) < 8) == (stored != "text" and period in ("month", "day"))
