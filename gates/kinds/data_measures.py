"""The measures of the data gate: one function for each key, which compares the data with what the key asks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lockgate.gates.durations import MAX_CLOCK_SKEW, parse_duration, period_days
from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.facts import Counts, Distribution, check_features, parse_distribution, parse_time
from lockgate.gates.gate.age import DAY, format_duration, measure_age
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.limits import compare_with_limits
from lockgate.gates.records.numbers import format_number
from lockgate.gates.records.outcome import Verdict
from lockgate.gates.stats.scored import TOLERANCE

MAX_NAMED_COLUMNS = 5
"""At most so many columns are named in a message; the others are counted."""

NAME_SIMILARITY = 0.85
"""Names at least this similar (difflib, 0 … 1) are pointed out: they may be misspelt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Whether the data are as asked, the value measured, and both in words."""

    passed: bool
    observed: float
    message: str


def measure_rows(case: Case, minimum: int) -> Measurement:
    """Rows that count."""
    return Measurement(
        passed=case.rows.n >= minimum,
        observed=case.rows.n,
        message=f"{case.rows.n:,} rows of the holdout count; asked: {minimum:,}",
    )


def measure_clusters(case: Case, minimum: int) -> Measurement:
    """Clusters with rows that count, even if the policy ignores clusters."""
    cluster = case.evidence.cluster
    if cluster is None:
        raise UnjudgeableError("the evidence has no clusters", expected="a column `cluster`")
    count = np.count_nonzero(np.bincount(cluster.codes, weights=case.rows.weight))
    return Measurement(
        passed=bool(count >= minimum), observed=float(count), message=f"{count:,} clusters; asked: {minimum:,}"
    )


def measure_label_rate(case: Case, limits: Mapping[str, float]) -> Measurement:
    """Share of label 1, by weight, within `min` and `max`."""
    if case.evidence.task != "binary":
        raise UnjudgeableError(f"task {case.evidence.task} has no rate of label 1", expected="task binary")
    rate = float(np.average(case.rows.label, weights=case.rows.weight))
    minimum, maximum = limits.get("min"), limits.get("max")
    required = " and ".join(
        f"{sign} {limit:.12g}" for sign, limit in ((">=", minimum), ("<=", maximum)) if limit is not None
    )
    return Measurement(
        passed=compare_with_limits(rate, None, minimum=minimum, maximum=maximum, decide="point") is Verdict.PASS,
        observed=rate,
        message=f"label 1 has {format_number(rate)} of the holdout; asked: {required}",
    )


def measure_missing(case: Case, maximum: float) -> Measurement:
    """The largest share of missing values of any feature, in the holdout or in the training rows."""
    worst_of: dict[str, tuple[float, str]] = {}
    for name, distribution in _features(case).items():
        path = f"facts.features.{name[:80]}"
        if distribution.holdout is None:
            raise UnjudgeableError("the holdout is not counted", expected="counts of its rows", where=f"{path}.holdout")
        shares = (
            (_missing(distribution.holdout, path), "holdout"),
            (_missing(distribution.train, path), "training rows"),
        )
        worst_of[name] = max(shares, key=itemgetter(0))  # the holdout's where both are equal
    name = max(worst_of, key=lambda feature: worst_of[feature][0])
    share, where = worst_of[name]
    beyond = [feature for feature, (largest, _) in worst_of.items() if not largest <= maximum + TOLERANCE]
    message = (
        f"{name!r} misses {format_number(share)} of its values in the {where}, the most of {len(worst_of)} features"
    )
    return Measurement(
        passed=not beyond,
        observed=share,
        message=f"{message}; asked: at most {maximum:.12g}" + (f"; beyond it: {_list_names(beyond)}" if beyond else ""),
    )


def measure_required_columns(case: Case, names: Sequence[str]) -> Measurement:
    """Required columns that are no features."""
    features = {_normalise(name): name for name in _names(case)}
    absent = [name for name in names if _normalise(name) not in features]
    near = {name: match for name in absent if (match := _nearest(name, features))}
    hints = ", ".join(f"{match!r} is near {name!r}" for name, match in list(near.items())[:MAX_NAMED_COLUMNS])
    message = f"{len(absent)} of {len(names)} required columns are no features"
    return Measurement(
        passed=not absent,
        observed=len(absent),
        message=message + (f": {_list_names(absent)}" if absent else "") + (f" ({hints})" if hints else ""),
    )


def measure_banned_columns(case: Case, names: Sequence[str]) -> Measurement:
    """Features that are banned. Features with nearly the name of a banned one are pointed out."""
    ban = {_normalise(name): name for name in names}
    matches = [name for name in _names(case) if _normalise(name) in ban]
    near = {name: match for name in _names(case) if name not in matches and (match := _nearest(name, ban))}
    hints = ", ".join(f"{name!r} is near {match!r}" for name, match in list(near.items())[:MAX_NAMED_COLUMNS])
    message = f"{len(matches)} features are banned"
    return Measurement(
        passed=not matches,
        observed=len(matches),
        message=message
        + (f": {_list_names(matches)}" if matches else "")
        + (f" (not banned, but look: {hints})" if hints else ""),
    )


def measure_types(case: Case, declared: Mapping[str, str]) -> Measurement:
    """Declared columns that are no features, or features of another type."""
    features = _features(case)
    wrong = [
        f"{name!r} is " + (f"a {features[name].kind}" if name in features else "no feature")
        for name, kind in declared.items()
        if name not in features or features[name].kind != kind
    ]
    message = f"{len(wrong)} of {len(declared)} columns are not as declared"
    return Measurement(
        passed=not wrong,
        observed=len(wrong),
        message=f"{message}: {', '.join(wrong[:MAX_NAMED_COLUMNS])}" if wrong else message,
    )


def measure_newest_row(case: Case, within: str) -> Measurement:
    """Age of the newest row in days: by the evidence's `time`, else by the facts' `as_of`, else by `scored_at`."""
    if case.evidence.time is not None:
        # a local time without its zone may be up to a day ahead of UTC
        subject, then, ahead = "the newest row", _latest(case.evidence.time), DAY
    elif "as_of" in case.facts:
        subject, then, ahead = "the holdout's period", _period_end(case), timedelta()
    else:
        subject, then, ahead = "the scoring", parse_time(case.facts, "scored_at"), MAX_CLOCK_SKEW
    old = measure_age(then, case, subject=subject, ahead=ahead)
    return Measurement(
        passed=old <= parse_duration(within),
        observed=old / DAY,
        message=f"{subject} is {format_duration(old)} old; asked: within {within}",
    )


def _features(case: Case) -> dict[str, Distribution]:
    claims = check_features(case.facts.get("features"), path="facts.features")
    return {name: parse_distribution(claim, path=f"facts.features.{name[:80]}") for name, claim in claims.items()}


def _names(case: Case) -> list[str]:
    return list(check_features(case.facts.get("features"), path="facts.features"))


def _missing(counts: Counts, path: str) -> float:
    if not counts.rows:
        raise UnjudgeableError("no row is counted", expected="at least one", where=path)
    return counts.missing / counts.rows


def _normalise(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def _nearest(name: str, plain: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(_normalise(name), list(plain), cutoff=NAME_SIMILARITY)
    return plain[near[0]] if near else ""


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED_COLUMNS} more" if len(names) > MAX_NAMED_COLUMNS else ""
    return ", ".join(repr(name[:80]) for name in names[:MAX_NAMED_COLUMNS]) + more


def _latest(times: pa.Array) -> datetime:
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            newest: datetime | None = pc.max(times.cast(kind)).as_py()
        except pa.ArrowInvalid:
            continue
        if newest is not None:
            return newest.replace(tzinfo=UTC)  # a time with another zone was cast to UTC
    raise UnjudgeableError(
        "the column `time` holds what is no time", expected="ISO 8601, as in 2013-10-31 or 2013-10-31T12:00:00Z"
    )


def _period_end(case: Case) -> datetime:
    """The end of the period `as_of`, or now while it lasts."""
    said_of = case.facts["as_of"]
    days = period_days(said_of) if isinstance(said_of, str) else None
    if days is None:
        raise UnjudgeableError(
            f"got {repr(said_of)[:80]}",
            expected="a period, as in 2013-10, 2013-Q4, 2013-W40 or 2013-10-05",
            where="facts.as_of",
        )
    first, last = (datetime.combine(day, time(), tzinfo=UTC) for day in days)
    end = last + timedelta(hours=23, minutes=59, seconds=59)
    return max(first, min(end, case.now or end))
