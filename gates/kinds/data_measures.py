"""What the data gate looks at, one function a measure: each says what was found, and whether it is as asked."""

from __future__ import annotations

import difflib
import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lockgate.gates.durations import MAX_CLOCK_SKEW, is_month, parse_duration
from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.facts import Counts, Distribution, check_features, parse_distribution, parse_time
from lockgate.gates.gate.age import DAY, age, said
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.limits import against, show
from lockgate.gates.records.outcome import Verdict
from lockgate.gates.stats.scored import TOLERANCE

SHOWN = 5
"""So many columns are named in a message."""

NEAR = 0.85
"""Names that are as alike as this are pointed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Whether a measure is as asked, its value, and both in words."""

    met: bool
    observed: float
    message: str


def rows(case: Case, least: int) -> Found:
    """Rows that count."""
    return Found(
        met=case.rows.n >= least,
        observed=case.rows.n,
        message=f"{case.rows.n:,} rows of the holdout count; asked: {least:,}",
    )


def clusters(case: Case, least: int) -> Found:
    """Clusters with rows that count, also where the policy ignores them otherwise."""
    held = case.evidence.cluster
    if held is None:
        raise UnjudgeableError("the evidence has no clusters", expected="a column `cluster`")
    count = np.count_nonzero(np.bincount(held.codes, weights=case.rows.weight))
    return Found(met=bool(count >= least), observed=float(count), message=f"{count:,} clusters; asked: {least:,}")


def label_rate(case: Case, limits: Mapping[str, float]) -> Found:
    """Share of label 1, by weight, within `min` and `max`."""
    if case.evidence.task != "binary":
        raise UnjudgeableError(f"task {case.evidence.task} has no rate of label 1", expected="task binary")
    rate = float(np.average(case.rows.label, weights=case.rows.weight))
    least, most = limits.get("min"), limits.get("max")
    asked = " and ".join(f"{sign} {limit:.12g}" for sign, limit in ((">=", least), ("<=", most)) if limit is not None)
    return Found(
        met=against(rate, None, least=least, most=most, decide="point") is Verdict.PASS,
        observed=rate,
        message=f"label 1 has {show(rate)} of the holdout; asked: {asked}",
    )


def missing(case: Case, most: float) -> Found:
    """The largest share of missing values that a feature has, in the holdout or in the training rows."""
    found: dict[str, tuple[float, str]] = {}
    for name, held in _features(case).items():
        path = f"facts.features.{name[:80]}"
        if held.holdout is None:
            raise UnjudgeableError("the holdout is not counted", expected="counts of its rows", where=f"{path}.holdout")
        shares = (_missing(held.holdout, path), "holdout"), (_missing(held.train, path), "training rows")
        found[name] = max(shares, key=itemgetter(0))  # of equal ones the holdout's
    name = max(found, key=lambda one: found[one][0])
    share, where = found[name]
    beyond = [one for one, (held_share, _) in found.items() if not held_share <= most + TOLERANCE]
    message = f"{name!r} misses {show(share)} of its values in the {where}, the most of {len(found)} features"
    return Found(
        met=not beyond,
        observed=share,
        message=f"{message}; asked: at most {most:.12g}" + (f"; beyond it: {_named(beyond)}" if beyond else ""),
    )


def required(case: Case, names: Sequence[str]) -> Found:
    """Features that are not there."""
    there = {_plain(name): name for name in _names(case)}
    absent = [name for name in names if _plain(name) not in there]
    near = {name: match for name in absent if (match := _near(name, there))}
    hints = ", ".join(f"{match!r} is near {name!r}" for name, match in list(near.items())[:SHOWN])
    message = f"{len(absent)} of {len(names)} required columns are no features"
    return Found(
        met=not absent,
        observed=len(absent),
        message=message + (f": {_named(absent)}" if absent else "") + (f" ({hints})" if hints else ""),
    )


def banned(case: Case, names: Sequence[str]) -> Found:
    """Features that should not be there. Those with nearly the name of one are pointed out."""
    ban = {_plain(name): name for name in names}
    met = [name for name in _names(case) if _plain(name) in ban]
    near = {name: match for name in _names(case) if name not in met and (match := _near(name, ban))}
    hints = ", ".join(f"{name!r} is near {match!r}" for name, match in list(near.items())[:SHOWN])
    message = f"{len(met)} features are banned"
    return Found(
        met=not met,
        observed=len(met),
        message=message + (f": {_named(met)}" if met else "") + (f" (not banned, but look: {hints})" if hints else ""),
    )


def types(case: Case, declared: Mapping[str, str]) -> Found:
    """Features that are absent, or of another type."""
    there = _features(case)
    wrong = [
        f"{name!r} is " + (f"a {there[name].kind}" if name in there else "no feature")
        for name, kind in declared.items()
        if name not in there or there[name].kind != kind
    ]
    message = f"{len(wrong)} of {len(declared)} columns are not as declared"
    return Found(
        met=not wrong, observed=len(wrong), message=f"{message}: {', '.join(wrong[:SHOWN])}" if wrong else message
    )


def newest(case: Case, within: str) -> Found:
    """Age of the newest row in days: by the evidence's `time`, else by the facts' `as_of`, else by `scored_at`."""
    if case.evidence.time is not None:
        what, then, ahead = "the newest row", _latest(case.evidence.time), DAY  # a local time may be a day ahead of UTC
    elif "as_of" in case.facts:
        what, then, ahead = "the holdout's month", _month_end(case), timedelta()
    else:
        what, then, ahead = "the scoring", parse_time(case.facts, "scored_at"), MAX_CLOCK_SKEW
    old = age(then, case, what=what, ahead=ahead)
    return Found(
        met=old <= parse_duration(within),
        observed=old / DAY,
        message=f"{what} is {said(old)} old; asked: within {within}",
    )


def _features(case: Case) -> dict[str, Distribution]:
    told = check_features(case.facts.get("features"), path="facts.features")
    return {name: parse_distribution(one, path=f"facts.features.{name[:80]}") for name, one in told.items()}


def _names(case: Case) -> list[str]:
    return list(check_features(case.facts.get("features"), path="facts.features"))


def _missing(counts: Counts, path: str) -> float:
    if not counts.rows:
        raise UnjudgeableError("no row is counted", expected="at least one", where=path)
    return counts.missing / counts.rows


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def _near(name: str, plain: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(_plain(name), list(plain), cutoff=NEAR)
    return plain[near[0]] if near else ""


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(repr(name[:80]) for name in names[:SHOWN]) + more


def _latest(times: pa.Array) -> datetime:
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            found: datetime | None = pc.max(times.cast(kind)).as_py()
        except pa.ArrowInvalid:
            continue
        if found is not None:
            return found.replace(tzinfo=UTC)  # of another zone it is cast to UTC
    raise UnjudgeableError(
        "the column `time` holds what is no time", expected="ISO 8601, as in 2013-10-31 or 2013-10-31T12:00:00Z"
    )


def _month_end(case: Case) -> datetime:
    """The end of the month `as_of`; of a month that is under way, now."""
    said_of = case.facts["as_of"]
    if not isinstance(said_of, str) or not is_month(said_of):
        raise UnjudgeableError(f"got {repr(said_of)[:80]}", expected="a month, as in 2013-10", where="facts.as_of")
    year, month = int(said_of[:4]), int(said_of[5:])
    first = datetime(year, month, 1, tzinfo=UTC)
    last = datetime(year, month, monthrange(year, month)[1], 23, 59, 59, tzinfo=UTC)
    return max(first, min(last, case.now or last))
