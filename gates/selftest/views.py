"""Ways to look at a holdout as packs of rows that may depend on each other, whatever the policy makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.order import order_in_time
from lockgate.gates.gate.case import Case
from lockgate.gates.judge.engine import build_case
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.state import State
from lockgate.gates.selftest.packs import Packs, Parts
from lockgate.gates.stats.scored import Codes, Floats

MAX_ROW_PACKS = 2000
"""Independent rows are drawn in so many random packs at most: each has its share of the rows' skew."""

MIN_DATES = 10
"""Fewer dates than this are not looked at as packs."""

MAX_DATES = 20_000

DATE_CHARS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A holdout as packs.

    packs: what they carry of each metric, by its name, on the same packs.
    others: the same in the first metric, of pairs of other seeds; empty where there are several metrics.
    series: gains of each pack in the first metric, by the root of its rows: of the pair, then of the other pairs
        (K, P).
    units: of the pair, influence sums, weights and packs of the units that the policy counts (U,); None where these
        are the packs.
    ordered: whether packs follow each other in time. allowed: whether the policy's intervals allow for that.
    weekday: of each pack (P,), 0 for Monday; None where packs are not dates.
    together: how many packs a date has, 1 where packs are not finer than dates.
    """

    noun: str  # what a pack is: cluster, query, date, row
    packs: Mapping[str, Packs]
    others: tuple[Packs, ...]
    series: Floats
    units: tuple[Floats, Floats, Codes] | None
    ordered: bool
    allowed: bool
    weekday: Codes | None
    together: int = 1

    @property
    def first(self) -> Packs:
        """What packs carry of the first metric."""
        return next(iter(self.packs.values()))


def find_views(
    policy: Policy, evidence: Evidence, metrics: Sequence[str], *, seeds: Sequence[Evidence], rng: np.random.Generator
) -> list[View]:
    """The holdout by its clusters (or queries), by its dates where these cross the clusters, or by its rows.

    Args:
        metrics: names, at least one. Those that are undefined on the evidence, or not comparable, are left out.
        seeds: evidence on the same rows, of pairs that are to share what the pair's packs show.
    """
    case = build_case(policy, evidence, State(), None, spent="")
    gains = _gains(case, metrics)
    if not gains:
        return []
    name = next(iter(gains))
    others = [
        influence
        for other in _different_pairs(seeds, evidence.n)
        for influence in _gains(build_case(policy, other, State(), None, spent=""), [name]).values()
    ]
    views = []
    together, dates = evidence.cluster or evidence.query, _read_dates(evidence.time)
    ordered = False
    if together is not None:
        code, ordered = order_in_time(together.codes, evidence.time)
        noun = "cluster" if evidence.cluster is not None else "query"
        views.append(_view(noun, code, case, gains, others, ordered=ordered, dates=dates))
    if dates is not None and not ordered:
        views.append(_view("date", dates[0], case, gains, others, ordered=True, dates=dates))
    if not views:
        code = np.arange(evidence.n)
        if evidence.n > MAX_ROW_PACKS:
            code = rng.permutation(evidence.n) % MAX_ROW_PACKS
        views.append(_view("row", code, case, gains, others, ordered=False, dates=None))
    return views


def _gains(case: Case, metrics: Sequence[str]) -> dict[str, Floats]:
    """Weighted influence values of each row on the gain (n,), by metric."""
    gains = {}
    for name in metrics:
        metric = find_metric(name, case.evidence.task)
        if metric.incomparable:
            continue
        difference = case.split().paired_difference(metric)
        if np.isfinite(difference.value[0]):
            influence = metric.gain(difference.influence)
            gains[name] = influence if case.rows.weight is None else influence * case.rows.weight
    return gains


def _different_pairs(seeds: Sequence[Evidence], rows: int) -> list[Evidence]:
    """Each pair of models once, where they are on as many rows."""
    pairs: dict[frozenset[bytes], Evidence] = {}
    for evidence in seeds:
        if evidence.n == rows and evidence.champion is not None:
            key = frozenset((evidence.challenger.tobytes(), evidence.champion.tobytes()))
            if len(key) > 1:
                pairs.setdefault(key, evidence)
    return list(pairs.values())


def _view(
    noun: str,
    code: Codes,
    case: Case,
    gains: Mapping[str, Floats],
    others: Sequence[Floats],
    *,
    ordered: bool,
    dates: tuple[Codes, Codes] | None,
) -> View:
    _, code = np.unique(code, return_inverse=True)
    code = code.astype(np.intp)
    count = int(code.max()) + 1
    counted, exact = case.rows.cluster, noun in ("cluster", "query") and case.rows.cluster is not None
    weight = np.ones(code.size) if case.rows.weight is None else case.rows.weight
    unit = None if exact else np.arange(code.size) if counted is None else _cells(counted, code)

    def make(gain: Floats, name: str) -> Packs:
        return _make_packs(gain, weight, find_metric(name, case.evidence.task), case, code, unit, count)

    packs = {name: make(gain, name) for name, gain in gains.items()}
    first = next(iter(packs))
    of_others = [make(gain, first) for gain in others]
    rows = packs[first].rows
    root = np.sqrt(np.where(rows > 0, rows, 1.0))
    weekday = None
    together = 1
    if dates is not None and ordered:
        weekday, together = _weekdays(code, count, *dates)
    return View(
        noun=noun,
        packs=packs,
        others=tuple(of_others) if len(packs) == 1 else (),
        series=np.stack([each.gain / root for each in (packs[first], *of_others)]),
        units=None if unit is None else _sum_units(gains[first], weight, code, unit),
        ordered=ordered,
        allowed=exact and case.rows.ordered,
        weekday=weekday,
        together=together,
    )


def _cells(counted: Codes, code: Codes) -> Codes:
    """The cells of what the policy counts within packs (n,)."""
    _, cell = np.unique(counted * (int(code.max()) + 1) + code, return_inverse=True)
    cells: Codes = cell.astype(np.intp)
    return cells


def _sum_units(gain: Floats, weight: Floats, code: Codes, unit: Codes) -> tuple[Floats, Floats, Codes]:
    pack = np.empty(int(unit.max()) + 1, dtype=np.intp)
    pack[unit] = code
    return _sums(unit, gain, pack.size), _sums(unit, weight, pack.size), pack


def _sums(code: Codes, values: Floats, count: int) -> Floats:
    return np.bincount(code, weights=values, minlength=count).astype(np.float64, copy=False)


def _make_packs(
    gain: Floats, weight: Floats, metric: Metric, case: Case, code: Codes, unit: Codes | None, count: int
) -> Packs:
    split = GroupedRows(rows=replace(case.rows, cluster=code, ordered=False))
    carrying = split.carrying_units(metric, paired=True)
    parts = None
    if unit is not None:
        sums, mass, pack = _sum_units(gain, weight, code, unit)
        parts = Parts.of(sums, mass, pack, count, of_rows=case.rows.cluster is None)
    return Packs(gain=_sums(code, gain, count), size=carrying.size, rows=carrying.rows, parts=parts)


def _weekdays(code: Codes, count: int, day: Codes, weekdays: Codes) -> tuple[Codes | None, int]:
    """The weekday of each pack where packs are dates, and how many packs a date has."""
    first, last = np.full(count, weekdays.size), np.full(count, -1)
    np.minimum.at(first, code, day)
    np.maximum.at(last, code, day)
    if np.any(first != last):
        return None, 1
    distinct = np.unique(first).size
    return (weekdays[first], 1) if distinct == count else (None, -(-count // distinct))


def _read_dates(time: pa.Array | None) -> tuple[Codes, Codes] | None:
    """The date of each row, numbered in time (n,), and the weekday of each date; None where times are no ISO dates."""
    if time is None or len(time) == 0:
        return None
    encoded = pc.utf8_slice_codeunits(time, 0, DATE_CHARS).dictionary_encode()
    if not MIN_DATES <= len(encoded.dictionary) <= MAX_DATES:
        return None
    try:
        days = np.array([date.fromisoformat(text).toordinal() for text in encoded.dictionary.to_pylist()])
    except ValueError:
        return None
    distinct, code = np.unique(days[encoded.indices.to_numpy()], return_inverse=True)
    return code.astype(np.intp), ((distinct - 1) % 7).astype(np.intp)
