"""Whether `selftest` says so where a policy counts on independence that is not there, and is silent where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np

from bench.simulations import draws
from bench.simulations.table import Cell, MeasuredRate, ResultTable
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.policy.policy import Policy
from lockgate.gates.selftest.as_is import DRAWS, draw_view, find_signs, weigh_signs
from lockgate.gates.selftest.views import find_views
from lockgate.gates.stats.scored import Floats

METRIC, LOOKS = "mae", 20
GATES = {"gain": (METRIC,)}
SEEDS = 3
"""Pairs of other seeds, where a situation has these: half of the variance of their days is the pair's."""

MAX_DRAWN = 60
"""In so many replications the rates of drawn holdouts are measured, whatever the signs."""

Holdout = tuple[Evidence, list[Evidence]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A holdout to draw, a policy to try on it, and what is asked of the selftest there."""

    name: str
    truth: str  # the true rate at a look, in multiples of what is promised
    draw: Callable[[np.random.Generator], Holdout]
    policy: Policy
    at_least: float | None = None
    at_most: float | None = None


def make_policy(**keys: Any) -> Policy:
    """The keys of the shipped policy, with twenty looks and one gate that asks for any gain."""
    return Policy.parse(
        {
            "if_no_champion": "absolute_only",
            "confidence": 0.95,
            "clusters": "if_present",
            "min_clusters": 10,
            "min_class_rows": 20,
            "serial_dependence": "if_ordered",
            "schedule": {"kind": "fixed", "looks": LOOKS},
            "disclose": "promotion_only",
            "valid_for": "90d",
            "checks": {"gain": {"kind": "improvement", "metric": METRIC, "margin": 0.0}},
            **keys,
        }
    )


SHIPPED, NO_ORDER, NO_CLUSTERS = (
    make_policy(),
    make_policy(serial_dependence="ignore"),
    make_policy(clusters="ignore"),
)


def name_dates(number: np.ndarray) -> list[str]:
    return [(date(2024, 1, 1) + timedelta(days=int(day))).isoformat() for day in number]


def compare(gains: Floats, cluster: list[str] | None, time: list[str] | None, weight: Floats | None = None) -> Evidence:
    return Evidence.from_arrays(
        task="regression",
        label=np.zeros(gains.size),
        challenger=1000 - gains,
        champion=np.full(gains.size, 1000.0),
        cluster=cluster,
        time=time,
        weight=weight,
    )


def draw_days(
    rng: np.random.Generator,
    *,
    days: int,
    effects: Callable[..., Floats],
    sizes: Callable[..., Floats] | None = None,
    seeds: int = 0,
    dated: bool = True,
) -> Holdout:
    """Clusters of one weighted row each, dates in order or not; pairs of other seeds share half of the variance."""
    pair = effects(rng, 1, days)
    others = (pair + effects(rng, seeds, days)) / np.sqrt(2) if seeds else []
    weight = None if sizes is None else sizes(rng, 1, days)[0]
    names = name_dates(np.arange(days)) if dated else [f"{number:05d}" for number in range(days)]
    make = partial(compare, cluster=names, time=names if dated else None, weight=weight)
    return make(pair[0]), [make(gains) for gains in others]


def draw_rows(rng: np.random.Generator, *, clusters: int, shared: float, column: str, each: int = 20) -> Holdout:
    """Rows of dates that share a part of their variance; the column of clusters is the date, too fine, or absent."""
    number = np.repeat(np.arange(clusters), each)
    gains = np.sqrt(shared) * rng.normal(size=clusters)[number] + np.sqrt(1 - shared) * rng.normal(size=number.size)
    dates = name_dates(number)
    fine = [f"{customer:05d}" for customer in rng.integers(0, 5 * clusters, number.size)]
    columns = {"date": dates, "customer": fine, "none": None}
    return compare(gains, columns[column], None if column == "date" else dates), []


def _ordered(days: int, rho: float, *, seeds: int, at_least: float | None) -> Situation:
    beside = f", beside {SEEDS} pairs of other seeds" if seeds else ""
    effects = partial(draws.autoregressive, rho=rho)
    return Situation(
        name=f"{days} days in order, ρ = {rho:g}, `serial_dependence: ignore`{beside}",
        truth="8 ×",
        draw=partial(draw_days, days=days, effects=effects, seeds=seeds),
        policy=NO_ORDER,
        at_least=at_least,
    )


def _quiet(name: str, policy: Policy, draw: Callable[[np.random.Generator], Holdout]) -> Situation:
    return Situation(name=name, truth="at most 1 ×", draw=draw, policy=policy, at_most=0.05)


def _clustered(clusters: int, shared: float, *, at_least: float | None) -> Situation:
    return Situation(
        name=f"rows in {clusters} clusters that share {shared:.1%} of the variance, `clusters: ignore`",
        truth="8 ×",
        draw=partial(draw_rows, clusters=clusters, shared=shared, column="date"),
        policy=NO_CLUSTERS,
        at_least=at_least,
    )


def _skewed(name: str, truth: str, clusters: int, effects: Callable[..., Floats]) -> Situation:
    draw = partial(draw_days, days=clusters, effects=effects, dated=False)
    return Situation(name=f"{name}, {clusters} clusters without order, shipped", truth=truth, draw=draw, policy=SHIPPED)


def _unseen(name: str, truth: str, draw: Callable[[np.random.Generator], Holdout]) -> Situation:
    return Situation(name=name, truth=truth, draw=draw, policy=SHIPPED)


SITUATIONS: tuple[Situation, ...] = (
    *(
        _ordered(days, rho, seeds=seeds, at_least=0.9 if (seeds and days > 30) or days > 90 else None)
        for days, rho in ((30, 0.41), (60, 0.34), (90, 0.335), (120, 0.33))
        for seeds in (0, SEEDS)
    ),
    _clustered(30, 0.046, at_least=None),
    _clustered(60, 0.046, at_least=0.9),
    _unseen(
        "days share 5% of the variance, no cluster, shipped",
        "9 ×",
        partial(draw_rows, clusters=30, shared=0.05, column="none"),
    ),
    _unseen(
        "days share 5% of the variance, customers as clusters, shipped",
        "9 ×",
        partial(draw_rows, clusters=30, shared=0.05, column="customer"),
    ),
    _unseen("weekdays shared, 31 days, shipped", "8 ×", partial(draw_days, days=31, effects=draws.weekdays)),
    _unseen("weekdays shared, 61 days, shipped", "30 ×", partial(draw_days, days=61, effects=draws.weekdays)),
    *(_skewed("exponential bad days", "1 ×", clusters, draws.exponential_days) for clusters in (12, 20, 30)),
    *(
        _skewed("one cluster in twelve disastrous", truth, clusters, draws.disastrous_cluster)
        for clusters, truth in ((25, "30 ×"), (40, "12 ×"))
    ),
    _quiet(
        "days in order, 30, ρ = .4, shipped",
        SHIPPED,
        partial(draw_days, days=30, effects=partial(draws.autoregressive, rho=0.4)),
    ),
    *(
        _quiet(f"independent, {kind}, 30 days, {words}", policy, partial(draw_days, days=30, effects=effects, **more))
        for words, policy in (("shipped", SHIPPED), ("`serial_dependence: ignore`", NO_ORDER))
        for kind, effects, more in (
            ("normal", draws.normal_days, {}),
            ("heavy tails", draws.heavy_days, {}),
            ("sizes lognormal(1)", draws.normal_days, {"sizes": draws.lognormal_sizes}),
        )
    ),
    _quiet(
        f"independent, normal, 30 days, `serial_dependence: ignore`, beside {SEEDS} pairs",
        NO_ORDER,
        partial(draw_days, days=30, effects=draws.normal_days, seeds=SEEDS),
    ),
    _quiet(
        "independent rows in 30 clusters, `clusters: ignore`",
        NO_CLUSTERS,
        partial(draw_rows, clusters=30, shared=0.0, column="date"),
    ),
    _quiet(
        "independent rows of 30 dates, customers as clusters, shipped",
        SHIPPED,
        partial(draw_rows, clusters=30, shared=0.0, column="customer"),
    ),
)


def selftests(*, runs: int, seed: int = 22, which: tuple[Situation, ...] = SITUATIONS) -> ResultTable:
    """How often the selftest calls a policy unfit, or warns, by what is true."""
    return ResultTable(
        title="What a selftest sees",
        description=(
            f"Equal models, one gate that asks for any gain, {LOOKS} looks: .25% are promised at a look. How often "
            "`lockgate selftest` calls the policy unfit for what it sees in the holdout itself, at its default size "
            "(asked where the policy holds: at most .05), and how often it warns of a skew, or of weekdays, which may "
            "be harmless. Then the mean rate at a look on holdouts drawn as they are, in multiples of what is "
            "promised, by the policy's interval and by a plain t of independent units. The true rate was measured on "
            "new holdouts. Thirty days do not show a lag-1 correlation of .4 more often than this, however it is "
            "looked for: pairs of other seeds, or more days, do."
        ),
        head=("", "truly", "unfit", "warns", "drawn", "by a plain t"),
        rows=tuple(measure_situation(situation, runs=runs, seed=seed) for situation in which),
        seed=seed,
    )


def measure_situation(situation: Situation, *, runs: int, seed: int) -> tuple[Cell, ...]:
    """One line of the table."""
    rates: list[float] = []
    plain: list[float] = []
    unfit, warned = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for run in range(runs):
        pair, seeds = situation.draw(np.random.default_rng([seed, run]))
        rng = np.random.default_rng([seed, run, 1])
        views = find_views(situation.policy, pair, [METRIC], seeds=seeds, rng=rng)
        signs = [sign for view in views for sign in find_signs(view, rng=rng)]
        drawn = []
        if run < MAX_DRAWN or any(sign.p <= 0.05 for sign in signs):
            drawn = [each for view in views for each in draw_view(view, situation.policy, GATES, rng=rng, draws=DRAWS)]
        if run < MAX_DRAWN:
            rates.append(drawn[0].at_look.share * LOOKS / 0.05)
            plain.append(drawn[0].plain_at_look.share * LOOKS / 0.05)
        shown = [sign for sign in weigh_signs(signs, drawn) if sign.shown]
        unfit[run] = any(not sign.warns for sign in shown)
        warned[run] = any(sign.warns for sign in shown)
    return (
        situation.name,
        situation.truth,
        MeasuredRate.of(unfit, at_least=situation.at_least, at_most=situation.at_most),
        MeasuredRate.of(warned),
        f"{np.mean(rates):.1f} ×",
        f"{np.mean(plain):.1f} ×",
    )
