"""Split a table into rows to train on and rows that are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.settings import parse_month

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lockgate.pipelines.data.frames import Table
    from lockgate.pipelines.data.settings import DataSettings, TrainSettings

    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows to train on and rows that are held out. All have an outcome, and no row is in both parts."""

    train: pd.DataFrame  # (n, the columns to train on)
    train_labels: NDArray[np.float64]  # (n,)
    train_row_ids: NDArray[np.object_]  # (n,) str
    train_without_outcome: int  # rows in the training window that were left out
    holdout: pd.DataFrame  # (m, all declared features: the champion may need other columns)
    labels: NDArray[np.float64]  # (m,), as are all that follow
    row_ids: NDArray[np.object_]
    times: NDArray[np.datetime64] | None
    clusters: NDArray[np.object_] | None
    weights: NDArray[np.float64] | None
    slices: Mapping[str, NDArray[np.object_]]
    holdout_without_outcome: int
    period: str | None  # the held-out month if it is one of several; otherwise None


def list_periods(table: Table, data: DataSettings, as_of: str) -> tuple[str, ...]:
    """The `as_of` of every split to make, oldest first: the held-out months of rolling origins, else `as_of` alone.

    Raises:
        DataError: `as_of` is not a month, a month has no row with an outcome, or there is none before the first.
    """
    import numpy as np

    if data.holdout.kind != "rolling" or table.times is None:
        return (as_of,)
    count, last = data.holdout.months, parse_month(as_of, where="as_of")
    periods = last - np.arange(count - 1, -1, -1)
    known = np.unique(table.times[~np.isnan(table.labels)].astype("datetime64[M]"))
    missing = [str(month) for month in periods if month not in known]
    if known.size and not (known < periods[0]).any():
        missing, purpose = [str(periods[0])], "to train on before"
    else:
        purpose = "to hold out in"
    if missing:
        most = (
            f"as_of from {known[0] + count} to {known[-1]}, or fewer months" if known.size > count else "fewer months"
        )
        raise DataError(
            f"no rows with an outcome {purpose} {missing[0]}, for {count} months up to {as_of}",
            expected=most,
            where="as_of, data.holdout.months",
        )
    return tuple(map(str, periods))


def split(table: Table, data: DataSettings, train: TrainSettings, as_of: str) -> Split:
    """Training and holdout rows. Rows without an outcome are in neither; they are counted.

    `as_of` is the held-out month (YYYY-MM), with rolling origins one of them (`list_periods`); it is not used if the
    holdout is a fraction of the rows.

    Raises:
        DataError: `as_of` is not a month, a part is empty, training has only one class, or a column is no feature.
    """
    import numpy as np

    for name in train.columns or ():
        if name not in table.frame.columns:
            raise DataError(
                f"column {name!r} is not declared as known at prediction time",
                expected=list_options(table.frame.columns),
                where="train.columns",
                hint=suggest_name(name, table.frame.columns),
            )
    learn, hold = _split_masks(table, data, train, as_of)
    has_outcome = ~np.isnan(table.labels)
    fit, judge = learn & has_outcome, hold & has_outcome
    _check_any(fit, "to train on", table, data, where="as_of" if train.months is None else "as_of, train.months")
    _check_any(judge, "to hold out", table, data, where="as_of")
    if data.task == "binary" and np.unique(table.labels[fit]).size < 2:
        raise DataError(
            f"all {int(fit.sum()):,} training rows have target {data.target!r} = {table.labels[fit][0]:g}",
            expected="rows of both classes",
            where="data.target",
        )
    return Split(
        train=table.frame.loc[fit, list(train.columns or table.frame.columns)].reset_index(drop=True),
        train_labels=table.labels[fit],
        train_row_ids=table.row_ids[fit],
        train_without_outcome=int((learn & ~has_outcome).sum()),
        holdout=table.frame[judge].reset_index(drop=True),
        labels=table.labels[judge],
        row_ids=table.row_ids[judge],
        times=None if table.times is None else table.times[judge],
        clusters=None if table.clusters is None else table.clusters[judge],
        weights=None if table.weights is None else table.weights[judge],
        slices={name: values[judge] for name, values in table.slices.items()},
        holdout_without_outcome=int((hold & ~has_outcome).sum()),
        period=as_of if data.holdout.kind == "rolling" else None,
    )


def _split_masks(table: Table, data: DataSettings, train: TrainSettings, as_of: str) -> tuple[Mask, Mask]:
    if data.holdout.kind == "fraction":
        if train.months is not None:
            raise DataError(
                f"train.months is {train.months}, but the holdout is a fraction of the rows, not a month",
                expected="null",
                where="train.months",
                hint="choose train=all",
            )
        hold = _hash_names(table.row_ids if table.clusters is None else table.clusters) < data.holdout.share
        return ~hold, hold
    if table.times is None:  # DataSettings refuses this for a month
        raise DataError("a holdout by month needs a time column", where="data.time")
    holdout_month, months = parse_month(as_of, where="as_of"), table.times.astype("datetime64[M]")
    learn = months < holdout_month
    return (
        learn if train.months is None else learn & (months >= holdout_month - train.months)
    ), months == holdout_month


def _hash_names(names: NDArray[np.object_]) -> NDArray[np.float64]:
    """A number in [0, 1) for each name, uniform and the same on every machine: 53 bits of the name's BLAKE2b digest."""
    import numpy as np

    digests = b"".join(hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in names)
    return (np.frombuffer(digests, dtype=">u8") >> np.uint64(11)) / 2.0**53


def _check_any(rows: Mask, purpose: str, table: Table, data: DataSettings, *, where: str) -> None:
    if rows.any():
        return
    if table.times is not None and data.holds_out_months:
        expected = f"{_describe_months(table.times)}, and rows before it"
        raise DataError(f"no rows with an outcome {purpose}", expected=expected, where=where)
    raise DataError(
        f"no rows with an outcome {purpose}: the table has {len(table.labels):,}",
        expected="enough rows, or clusters, for both parts",
        where="data.holdout.share",
    )


def _describe_months(times: NDArray[np.datetime64]) -> str:
    return f"a month from {times.min().astype('datetime64[M]')} to {times.max().astype('datetime64[M]')}"
