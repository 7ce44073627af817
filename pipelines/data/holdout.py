"""Split a table into rows to train on and rows that are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError, TooFewRowsError
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.fresh import find_fresh_rows, measure_freshness
from lockgate.pipelines.data.settings import ColumnHoldout, CutoffHoldout, FractionHoldout, FreshHoldout, RollingHoldout
from lockgate.pipelines.data.times import LATEST, Period, number_periods, parse_instant, parse_period

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lockgate.pipelines.data.frames import Table
    from lockgate.pipelines.data.fresh import Freshness, UsedRows
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
    as_of: str | None  # the held-out period; None where rows are chosen otherwise
    period: str | None  # the held-out period if it is one of several; otherwise None
    freshness: Freshness | None  # None unless fresh rows are held out


def resolve_as_of(table: Table, data: DataSettings, as_of: str) -> str:
    """`as_of` or, for `latest`, the newest complete period: one with an outcome, after which another has a row.

    It is not used, and returned as it is, where no periods are held out. Raises DataError if no period is complete.
    """
    import numpy as np

    if as_of != LATEST or not data.holds_out_periods or table.times is None:
        return as_of
    numbers = number_periods(table.times, data)
    complete = numbers[~np.isnan(table.labels) & (numbers < numbers.max())]
    if not complete.size:
        raise DataError(
            f"no {data.period} with an outcome is complete: the last row is of {_describe_periods(numbers, data)[1]}",
            expected=f"a row of a later {data.period}",
            where="as_of",
            hint=f"as_of={_describe_periods(numbers, data)[1]} takes that {data.period} as it is",
        )
    return str(Period(kind=data.period, number=int(complete.max())))


def list_periods(table: Table, data: DataSettings, as_of: str) -> tuple[str, ...]:
    """The `as_of` of every split to make, oldest first: the held-out periods of rolling origins, else only the last.

    `latest` is resolved (`resolve_as_of`).

    Raises:
        DataError: `as_of` is not a period, a period has no row with an outcome, or there is none before the first.
    """
    import numpy as np

    as_of = resolve_as_of(table, data, as_of)
    if not isinstance(data.holdout, RollingHoldout) or table.times is None:
        return (as_of,)
    count, last = data.holdout.periods, parse_period(as_of, data.period, where="as_of")
    periods = [last.shift(back) for back in range(1 - count, 1)]
    known = np.unique(number_periods(table.times[~np.isnan(table.labels)], data))
    missing = [period for period in periods if period.number not in known]
    if known.size and not (known < periods[0].number).any():
        missing, purpose = [periods[0]], "to train on before"
    else:
        purpose = "to hold out in"
    if missing:
        fewer = f"fewer {data.period}s"
        first, newest = (Period(kind=data.period, number=int(number)) for number in (known[0] + count, known[-1]))
        expected = f"as_of from {first} to {newest}, or {fewer}" if known.size > count else fewer
        raise DataError(
            f"no rows with an outcome {purpose} {missing[0]}, for {count} {data.period}s up to {as_of}",
            expected=expected,
            where="as_of, data.holdout.periods",
        )
    return tuple(map(str, periods))


def _explain_role(name: str, data: DataSettings) -> str | None:
    """What to do to learn from a column that names rows; None for any other."""
    if data.features is not None or name not in (*(data.key or ()), data.cluster):
        return None
    role = "cluster" if name == data.cluster else "key"
    return f"it is no feature, as it is in data.{role}; to learn from it too, list it in data.features"


def split(table: Table, data: DataSettings, train: TrainSettings, as_of: str, *, used: UsedRows | None = None) -> Split:
    """Training and holdout rows. Rows without an outcome are in neither; they are counted.

    `as_of` is the held-out period, with rolling origins one of them (`list_periods`); it is not used where rows are
    chosen otherwise. `used` says which rows are fresh no longer, for a holdout of fresh rows.

    Raises:
        DataError: `as_of` is not a period, a part is empty, training has only one class, or a column is no feature.
        TooFewRowsError: no fresh row has an outcome.
    """
    import numpy as np

    for name in train.columns or ():
        if name not in table.frame.columns:
            raise DataError(
                f"column {name!r} is not declared as known at prediction time",
                expected=list_options(table.frame.columns),
                where="train.columns",
                hint=_explain_role(name, data) or suggest_name(name, table.frame.columns),
            )
    learn, hold, fresh = _split_masks(table, data, train, as_of, used)
    has_outcome = ~np.isnan(table.labels)
    fit, judge = learn & has_outcome, hold & has_outcome
    _check_any(fit, "to train on", table, data, where="as_of" if train.periods is None else "as_of, train.periods")
    if fresh is not None and not judge.any():
        raise TooFewRowsError(
            f"no fresh row with an outcome is there to hold out: of {int(has_outcome.sum()):,} rows with an outcome,"
            f" {int((fresh & has_outcome).sum()):,} are fresh",
            expected="rows that the champion's run did not have",
            where="data.holdout",
            hint="nothing was trained; evaluate again when the table has grown",
        )
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
        as_of=as_of if data.holds_out_periods else None,
        period=as_of if data.holdout.kind == "rolling" else None,
        freshness=None
        if fresh is None
        else measure_freshness(table, data, rows=fit | judge, fresh=int((fresh & has_outcome).sum())),
    )


def _split_masks(
    table: Table, data: DataSettings, train: TrainSettings, as_of: str, used: UsedRows | None
) -> tuple[Mask, Mask, Mask | None]:
    """Which rows train, which are held out, and which are fresh (None unless these are held out)."""
    if data.holds_out_periods and table.times is not None:
        period, numbers = parse_period(as_of, data.period, where="as_of"), number_periods(table.times, data)
        learn = numbers < period.number
        if train.periods is not None:
            learn &= numbers >= period.number - train.periods
        return learn, numbers == period.number, None
    if train.periods is not None:
        raise DataError(
            f"train.periods is {train.periods}, but the holdout is no period: it is of kind {data.holdout.kind}",
            expected="null",
            where="train.periods",
            hint="choose train=all",
        )
    fresh = find_fresh_rows(table, data, used) if isinstance(data.holdout, FreshHoldout) else None
    hold = _hold_out(table, data)
    hold = hold if fresh is None else hold & fresh
    return ~hold, hold, fresh


def _hold_out(table: Table, data: DataSettings) -> Mask:
    """Which rows are held out where that is no matter of periods; of fresh rows, these are the share."""
    import numpy as np

    if isinstance(data.holdout, FractionHoldout | FreshHoldout):
        return _hash_names(table.row_ids if table.clusters is None else table.clusters) < data.holdout.share
    if isinstance(data.holdout, CutoffHoldout) and table.times is not None:
        return np.asarray(table.times >= parse_instant(data.holdout.start, data, where="data.holdout.from"))
    if isinstance(data.holdout, ColumnHoldout) and table.marks is not None:
        mark = data.holdout.holdout
        words = [str(mark).lower(), str(mark), str(mark).upper()] if isinstance(mark, bool) else [str(mark)]
        return np.isin(table.marks, np.array(words, dtype=object))
    raise DataError(f"a holdout of kind {data.holdout.kind} needs a column of time", where="data.time")


def _hash_names(names: NDArray[np.object_]) -> NDArray[np.float64]:
    """A number in [0, 1) for each name, uniform and the same on every machine: 53 bits of the name's BLAKE2b digest."""
    import numpy as np

    digests = b"".join(hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in names)
    return (np.frombuffer(digests, dtype=">u8") >> np.uint64(11)) / 2.0**53


def _check_any(rows: Mask, purpose: str, table: Table, data: DataSettings, *, where: str) -> None:
    if rows.any():
        return
    if table.times is not None and data.holds_out_periods:
        first, last = _describe_periods(number_periods(table.times, data), data)
        expected = f"a {data.period} from {first} to {last}, and rows before it"
        raise DataError(f"no rows with an outcome {purpose}", expected=expected, where=where)
    expected, key = {
        "cutoff": ("rows on both sides of it", "data.holdout.from"),
        "column": (f"rows that say {getattr(data.holdout, 'holdout', '')!r}, and others", "data.holdout"),
    }.get(data.holdout.kind, ("enough rows, or clusters, for both parts", "data.holdout.share"))
    raise DataError(
        f"no rows with an outcome {purpose}: the table has {len(table.labels):,}", expected=expected, where=key
    )


def _describe_periods(numbers: NDArray[np.int64], data: DataSettings) -> tuple[str, str]:
    """The names of the first and the last of these periods."""
    first, last = (Period(kind=data.period, number=int(number)) for number in (numbers.min(), numbers.max()))
    return str(first), str(last)
