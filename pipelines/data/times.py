"""Times of rows as instants, and periods of them (day, week, month, quarter) in the declared zone.

A column of times holds instants (timestamps with a zone, text with an offset or Z) or local times of `data.zone`
(timestamps without a zone, dates, text without an offset). Everything behind works with instants in UTC, so that the
two hours that a change of clocks repeats stay apart, and asks for periods in the declared zone.

Where the clocks change, a local time counts with the offset from before the change (PEP 495, as in Python): one that
they showed twice is the first of the two, and 02:30 in a skipped hour is 03:30.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from lockgate.gates.durations import period_days, period_kind
from lockgate.gates.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lockgate.pipelines.data.settings import DataSettings

PeriodKind = Literal["day", "week", "month", "quarter"]

EXAMPLES: dict[str, str] = {
    "day": "YYYY-MM-DD, such as 2013-10-05",
    "week": "YYYY-Www, such as 2013-W40",
    "month": "YYYY-MM, such as 2013-10",
    "quarter": "YYYY-Qn, such as 2013-Q4",
}
"""How each kind of period is written."""

LATEST = "latest"
"""The `as_of` that means the newest complete period with outcomes."""

_EPOCH = date(1970, 1, 1)
_MONDAY_OFFSET = 3  # 1970-01-01 was a Thursday
_OFFSET = re.compile(r"[T ]\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$", re.DOTALL)
_NUMBER_TYPES = ("integer", "floating", "mixed-integer-float", "boolean")  # as pandas names them
_TIME = "a date such as 2013-10-05, or a timestamp such as 2013-10-05T12:30:00, in every row"


def check_zone(name: str) -> str:
    """The name, if the time zone database knows it. Raises ValueError otherwise."""
    try:
        load_zone(name)
    except (KeyError, ValueError, OSError) as err:  # the database is a tree of files
        raise ValueError(f"{name[:40]!r} is no time zone; expected a name as in Europe/Berlin, or UTC") from err
    return name


def load_zone(name: str) -> Any:
    """The zone as pandas takes it. UTC needs no database of time zones."""
    return UTC if name == "UTC" else ZoneInfo(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A day, week (from Monday), month or quarter, by its number: 0 is the one that has 1970-01-01."""

    kind: PeriodKind
    number: int

    @property
    def first_day(self) -> date:
        """Raises OverflowError outside of the years 0001 to 9999."""
        if self.kind in ("day", "week"):
            scale, offset = (1, 0) if self.kind == "day" else (7, _MONDAY_OFFSET)
            return _EPOCH + timedelta(days=scale * self.number - offset)
        months = self.number * (1 if self.kind == "month" else 3)
        if not 1 <= 1970 + months // 12 <= 9999:
            raise OverflowError("outside of the years 0001 to 9999")
        return date(1970 + months // 12, months % 12 + 1, 1)

    def __str__(self) -> str:
        try:
            first = self.first_day
        except OverflowError:
            return f"a {self.kind} outside of the years 0001 to 9999"
        if self.kind == "day":
            return first.isoformat()
        if self.kind == "week":
            year, week, _ = first.isocalendar()
            return f"{year:04d}-W{week:02d}"
        return first.isoformat()[:7] if self.kind == "month" else f"{first.year:04d}-Q{(first.month + 2) // 3}"

    def shift(self, count: int) -> Period:
        """The period `count` later; earlier if it is negative."""
        return Period(kind=self.kind, number=self.number + count)

    @classmethod
    def of_day(cls, day: date, kind: PeriodKind) -> Period:
        """The period of this kind that has the day."""
        days, months = (day - _EPOCH).days, 12 * (day.year - 1970) + day.month - 1
        numbers = {"day": days, "week": (days + _MONDAY_OFFSET) // 7, "month": months, "quarter": months // 3}
        return cls(kind=kind, number=numbers[kind])


def parse_period(name: str, kind: PeriodKind, *, where: str) -> Period:
    """The period of this kind that the user named. `where` is what the user wrote it in.

    Raises:
        DataError: anything but the name of such a period in the years 0001 to 9999.
    """
    if not isinstance(name, str) or period_kind(name) != kind:
        raise DataError(f"{name!r} is not a {kind}", expected=EXAMPLES[kind], where=where)
    days = period_days(name)
    assert days is not None  # for the type checker
    return Period.of_day(days[0], kind)


def next_period(as_of: str, kind: PeriodKind) -> str:
    """The period after `as_of`: 2013-12 gives 2014-01; after a period of another kind, the first that begins later.

    Raises DataError if `as_of` is no period, or the last one.
    """
    days = period_days(as_of) if isinstance(as_of, str) else None
    if days is None:
        raise DataError(f"{as_of!r} is not a {kind}", expected=EXAMPLES[kind], where="as_of")
    try:
        day_after = days[1] + timedelta(days=1)
        following = Period.of_day(day_after, kind)
        if following.first_day != day_after:
            following = following.shift(1)
            _ = following.first_day
    except OverflowError as err:
        raise DataError(
            f"no {kind} follows {as_of}", expected="a period before the end of 9999", where="as_of"
        ) from err
    return str(following)


def read_times(column: pd.Series, data: DataSettings, *, where: str) -> NDArray[np.datetime64]:
    """The instants of a column in UTC: datetime64 (n,), in ns where the source has ns, else in us.

    Raises:
        DataError: a value is missing or no time, or some texts have an offset and others none.
    """
    import numpy as np
    import pandas as pd

    if content := _name_other_content(column):
        raise DataError(f"column {column.name!r} holds {content}", expected=_TIME, where=where)
    if absent := int(column.isna().sum()):
        raise DataError(f"column {column.name!r} is missing in {absent:,} rows", expected=_TIME, where=where)
    codes, distinct = pd.factorize(column)
    values = pd.Series(distinct)
    if not pd.api.types.is_datetime64_any_dtype(values):
        values = _parse_times(values.astype(object), name=str(column.name), where=where)
    instants = to_instants(values, data.zone)
    return np.asarray(instants[codes])


def _name_other_content(column: pd.Series) -> str:
    """`numbers`, or `no value at all`, where a column holds that instead of times or texts; otherwise empty."""
    import pandas as pd

    if column.isna().all():
        return "no value at all"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return ""
    return "numbers" if pd.api.types.infer_dtype(column, skipna=True) in _NUMBER_TYPES else ""


def to_instants(values: pd.Series, zone: str) -> NDArray[np.datetime64]:
    """Timestamps with a zone, or local times of `zone`, as instants in UTC: datetime64[us] or [ns] (n,).

    The order of local times is the order of their instants, but for times that the clocks skipped.
    """
    import numpy as np

    values = values if values.dt.unit in ("us", "ns") else values.dt.as_unit("us")
    if values.dt.tz is not None:
        return np.asarray(values.dt.tz_convert(None).to_numpy())
    clock, first_of_two = load_zone(zone), np.ones(len(values), dtype=bool)
    localized = values.dt.tz_localize(clock, ambiguous=first_of_two, nonexistent="NaT")
    instants: NDArray[np.datetime64] = localized.dt.tz_convert(None).to_numpy().copy()
    for skipped in np.flatnonzero(np.isnat(instants)):
        local = values.iloc[skipped]
        instants[skipped] = (local - clock.utcoffset(local.floor("us").to_pydatetime())).to_numpy()
    return instants


def _parse_times(values: pd.Series, *, name: str, where: str) -> pd.Series:
    """Texts, dates and Python's datetimes as timestamps: all with a zone, or all without."""
    import pandas as pd

    is_instant = values.map(_has_offset)
    if is_instant.any() and not is_instant.all():
        instant, local = values[is_instant].iloc[0], values[~is_instant].iloc[0]
        raise DataError(
            f"column {name!r} mixes times with an offset, as {str(instant)!r}, and without, as {str(local)!r}",
            expected="an offset or Z in every row, or in none",
            where=where,
        )
    parsed = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=bool(is_instant.all()))
    if parsed.isna().any():
        wrong = values[parsed.isna()].iloc[0]
        raise DataError(f"column {name!r} is not a time: {wrong!r}", expected=_TIME, where=where)
    return parsed


def _has_offset(value: object) -> bool:
    if isinstance(value, str):
        return _OFFSET.search(value.strip()) is not None
    return isinstance(value, datetime) and value.tzinfo is not None


def to_local(instants: NDArray[np.datetime64], zone: str) -> NDArray[np.datetime64]:
    """What the clocks of the zone show at these instants: datetime64 (n,)."""
    import pandas as pd

    if zone == "UTC":
        return instants
    local: NDArray[np.datetime64] = (
        pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(load_zone(zone)).tz_localize(None).to_numpy()
    )
    return local


def number_periods(instants: NDArray[np.datetime64], data: DataSettings) -> NDArray[np.int64]:
    """The number (`Period.number`) of the declared kind of period that each instant is in: int64 (n,)."""
    import numpy as np

    local = to_local(instants, data.zone)
    unit = "M" if data.period in ("month", "quarter") else "D"
    numbers: NDArray[np.int64] = local.astype(f"datetime64[{unit}]").astype(np.int64)
    if data.period == "week":
        return (numbers + _MONDAY_OFFSET) // 7
    return numbers // 3 if data.period == "quarter" else numbers


def parse_instant(text: str, data: DataSettings, *, where: str) -> np.datetime64:
    """The instant that a date or timestamp of the settings names. Raises DataError if it is none."""
    import pandas as pd

    parsed = _parse_times(pd.Series([text], dtype=object), name=where, where=where)
    instant: np.datetime64 = to_instants(parsed, data.zone)[0]
    return instant


def may_hold_period(statistics: Any, period: Period, data: DataSettings) -> bool:
    """Whether a part of a Parquet column with these statistics can have a time in the period; True if unknown.

    Only numbers are trusted: the bounds of text may be cut off, and text with offsets is not in the order of time.
    """
    import pandas as pd

    if statistics is None or not statistics.has_min_max or statistics.physical_type not in ("INT32", "INT64"):
        return True
    try:
        bounds = pd.Series([pd.Timestamp(statistics.min), pd.Timestamp(statistics.max)])
        low, high = number_periods(to_instants(bounds, data.zone), data)
    except (TypeError, ValueError, AttributeError, OverflowError):  # no times
        return True
    return bool(low <= period.number <= high)
