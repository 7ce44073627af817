"""Source `table`: a CSV or Parquet file of the user's own, declared in YAML alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gates.errors import DataError
from pipelines.data.wording import meant, options

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.data.settings import DataSettings

SUFFIXES = (".csv", ".csv.gz", ".parquet")


def read(data: DataSettings, root: Path) -> pd.DataFrame:
    """Every column of the file at `data.path`, relative to `root`. Column names are as in the file.

    Raises:
        DataError: no path, no such file, another kind of file, or one that cannot be read as what it says it is.
    """
    if data.path is None:
        raise DataError("source table has no path", expected=f"a file ({', '.join(SUFFIXES)})", where="data.path")
    file = root / data.path
    if not data.path.lower().endswith(SUFFIXES):
        raise DataError(f"{data.path} is no table", expected=f"a file ({', '.join(SUFFIXES)})", where="data.path")
    if not file.is_file():
        raise _missing(data.path, file)
    return _parquet(data.path, file) if data.path.lower().endswith(".parquet") else _csv(data.path, file)


def _missing(path: str, file: Path) -> DataError:
    if file.is_dir():
        return DataError(f"{path} is a folder", expected="a file", where="data.path")
    there = sorted(p.name for p in file.parent.glob("*") if p.name.endswith(SUFFIXES)) if file.parent.is_dir() else []
    expected = options(there) + f" in {file.parent}" if there else f"a file at {file}"
    return DataError(f"{path} does not exist", expected=expected, where="data.path", hint=meant(file.name, there))


def _parquet(path: str, file: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame: pd.DataFrame = pq.read_table(file).to_pandas()
    except (pa.ArrowException, OSError) as err:
        raise DataError(f"{path} cannot be read as Parquet: {err}", where="data.path") from err
    return (
        frame.reset_index() if any(frame.index.names) else frame.reset_index(drop=True)
    )  # a stored index may be the key


def _csv(path: str, file: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(file, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError, EOFError) as err:
        raise DataError(
            f"{path} cannot be read as CSV: {err}", expected="UTF-8, one header line", where="data.path"
        ) from err
