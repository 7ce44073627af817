"""Which rows of a growing table are fresh: those that the runs before did not have.

What the runs before recorded is only a choice of rows. The promotion log recognises a holdout by its row ids, so a row
that is called fresh and was judged before leads to a holdout that is known, and to no promotion.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate.gates.durations import period_days
from lockgate.gates.errors import DataError
from lockgate.pipelines.data.settings import FreshHoldout
from lockgate.pipelines.data.times import Period, number_periods, to_local

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lockgate.pipelines.data.frames import Table
    from lockgate.pipelines.data.settings import DataSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRows:
    """The rows that are fresh no longer, as far as runs said which rows they had."""

    hashes: NDArray[np.uint64]  # of the ids of rows that are known one by one, in any order
    largest: tuple[float | str, ...] = ()  # what each run recorded (`Freshness.largest`): rows up to it are used

    def to_plain(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"hashes": base64.b64encode(self.hashes.astype("<u8").tobytes()).decode(), "largest": [*self.largest]}

    @classmethod
    def parse(cls, plain: Any) -> UsedRows:
        """What `to_plain` wrote. Raises DataError for anything else."""
        import numpy as np

        try:
            hashes = np.frombuffer(base64.b64decode(plain["hashes"], validate=True), dtype="<u8").astype(np.uint64)
            largest = tuple(value if isinstance(value, str) else float(value) for value in plain["largest"])
        except (TypeError, ValueError, KeyError) as err:
            raise DataError("the rows that earlier runs had cannot be read", where="facts of the bundle") from err
        return cls(hashes=hashes, largest=largest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What a run records about its fresh rows, so that later runs know which rows it had."""

    by: str | None  # the column that says which rows are fresh; None where their ids do
    largest: float | str | None  # of this column in the run's rows: a number, an instant, or the name of a period
    rows: int  # fresh rows with an outcome, held out or not

    def to_fact(self) -> dict[str, Any]:
        """The fact `fresh` of the run."""
        return {"by": self.by, "largest": self.largest, "rows": self.rows}


def name_freshness(data: DataSettings) -> str | None:
    """The column that says which rows are fresh: `holdout.by`, else `time`; None where row ids do."""
    declared = data.holdout.by if isinstance(data.holdout, FreshHoldout) else None
    return declared or data.time


def read_largest(fact: object, data: DataSettings) -> float | str | None:
    """What the fact `fresh` of an earlier run says of the column that is declared now; None if it says nothing."""
    if not isinstance(fact, Mapping) or fact.get("by") is None or fact["by"] != name_freshness(data):
        return None
    largest, is_declared = fact.get("largest"), data.holdout_column is not None
    if isinstance(largest, str):
        return largest if bool(period_days(largest)) != is_declared else None
    is_number = isinstance(largest, int | float) and not isinstance(largest, bool)
    return float(largest) if is_number and is_declared else None  # type: ignore[arg-type] # a number, as was just asked


def find_fresh_rows(table: Table, data: DataSettings, used: UsedRows | None) -> NDArray[np.bool_]:
    """Which rows are fresh: bool (n,). All are if nothing was used. Raises EvidenceError for ids that have no hash."""
    import numpy as np

    from lockgate.gates.evidence.row_ids import hash_row_ids

    fresh = np.ones(len(table.labels), dtype=bool)
    if used is None:
        return fresh
    if used.hashes.size:
        fresh &= ~np.isin(np.asarray(hash_row_ids(table.row_ids)), np.asarray(used.hashes))
    for largest in used.largest:
        fresh &= _is_beyond(table, data, largest)
    return fresh


def measure_freshness(table: Table, data: DataSettings, *, rows: NDArray[np.bool_], fresh: int) -> Freshness:
    """What a run with these rows (bool (n,), at least one) records; `fresh` of them are fresh."""
    by = name_freshness(data)
    largest: float | str | None = None
    if table.marks is not None:
        newest = table.marks[rows].max()
        largest = f"{newest}Z" if table.marks.dtype.kind == "M" else float(newest)
    elif table.times is not None:
        largest = str(Period(kind=data.period, number=int(number_periods(table.times[rows], data).max())))
    return Freshness(by=by, largest=largest, rows=fresh)


def _is_beyond(table: Table, data: DataSettings, largest: float | str) -> NDArray[np.bool_]:
    """Which rows come after what a run recorded: bool (n,). None does if the column holds something else by now."""
    import numpy as np

    if table.marks is not None:
        is_time = table.marks.dtype.kind == "M"
        if is_time != isinstance(largest, str):
            return np.zeros(len(table.labels), dtype=bool)
        limit = np.datetime64(str(largest).removesuffix("Z")) if is_time else np.float64(largest)
        return np.asarray(np.greater(table.marks, limit))
    days = period_days(str(largest))
    if table.times is None or days is None:
        return np.zeros(len(table.labels), dtype=bool)
    return np.asarray(to_local(table.times, data.zone).astype("datetime64[D]") > np.datetime64(days[1]))
