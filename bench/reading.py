"""Reading a table, against pyarrow's own reader with the same types: the ratio of the medians, in one run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.timing import print_ratio, time_alternately

ROWS = 10**6


def write_tables(folder: Path, rows: int = ROWS) -> None:
    """Write `rows.csv` and `rows.parquet`: an id, three floats, two integers, a date, two texts, a boolean, a label."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    draws, numbers = np.random.default_rng(0), np.arange(rows)
    table = pa.table(
        {
            "id": numbers,
            "day": [f"2024-{number % 12 + 1:02d}-{number % 28 + 1:02d}" for number in range(rows)],
            "carrier": draws.choice(["AA", "B6", "DL", "UA"], rows),
            "name": [f"name {number * 7919 % rows}" for number in range(rows)],
            "a": draws.normal(size=rows).round(6),
            "b": draws.normal(size=rows).round(3),
            "c": draws.normal(size=rows),
            "k": draws.integers(0, 1000, rows),
            "m": draws.integers(0, 10**9, rows),
            "flag": draws.random(rows) > 0.5,
            "y": draws.integers(0, 2, rows),
        }
    )
    pa.csv.write_csv(table, folder / "rows.csv")
    pa.parquet.write_table(table, folder / "rows.parquet", row_group_size=2**17)


def measure(times: int = 5) -> None:
    """Print one line for CSV with inferred types, with declared types, and for Parquet."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from lockgate.pipelines.data import Folder
    from lockgate.pipelines.data.table import read_table
    from lockgate.pipelines.settings.settings import compose

    given = ("data=table", "data.project=bench", "data.target=y", "data.path=rows.csv")
    settings = compose(given).settings.data
    texts = ("day", "carrier", "name")
    arrow = dict.fromkeys(texts, pa.string()) | dict.fromkeys("abc", pa.float64()) | {"flag": pa.bool_()}
    options = pa.csv.ConvertOptions(column_types=arrow | dict.fromkeys(("id", "k", "m", "y"), pa.int64()))
    quoted = pa.csv.ParseOptions(newlines_in_values=True)
    types = dict.fromkeys(texts, "text") | dict.fromkeys("abc", "decimal") | {"flag": "boolean"}
    types |= dict.fromkeys(("id", "k", "m", "y"), "integer")
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        folder, files = Path(scratch), Folder(Path(scratch))
        write_tables(folder)

        def read_arrow() -> object:
            return pa.csv.read_csv(folder / "rows.csv", parse_options=quoted, convert_options=options)

        for what, changes, goal in (
            ("declared", {"types": types}, "at most 1.6"),
            ("inferred", {}, "at most 2.5"),
        ):
            declared = settings.model_validate({**settings.model_dump(), **changes})
            seconds = time_alternately(
                lambda declared=declared: read_table(declared, files, None, lambda _: None),  # type: ignore[misc]
                read_arrow,
                times=times,
            )
            print_ratio(f"read 10^6 rows of CSV, types {what}", *seconds, against="pyarrow.csv", goal=goal)
        stored = settings.model_copy(update={"path": "rows.parquet"})
        seconds = time_alternately(
            lambda: read_table(stored, files, None, lambda _: None),
            lambda: pa.parquet.read_table(folder / "rows.parquet"),
            times=times,
        )
        print_ratio("read 10^6 rows of Parquet", *seconds, against="pyarrow.parquet", goal="at most 1.2")


if __name__ == "__main__":
    measure()
