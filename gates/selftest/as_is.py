"""Equal models drawn as they are, without swapping scores: what skew, order and shared effects do to the gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.looks import asks_for_gain
from lockgate.gates.policy.policy import Policy
from lockgate.gates.selftest import dependence
from lockgate.gates.selftest.drawn import ALPHA, Drawn, Sign
from lockgate.gates.selftest.packs import (
    Packs,
    choose_block_length,
    correlate_neighbours,
    draw_blocks,
    draw_weekdays,
)
from lockgate.gates.selftest.rates import Rate
from lockgate.gates.selftest.views import View, find_views
from lockgate.gates.stats.scored import Codes, Floats

DRAWS = 2000
"""How many holdouts are drawn in each way: of a rate of .25%, five are expected."""

MIN_DRAWS, MAX_ENTRIES = 200, 20_000_000
"""Fewer are drawn of many packs: so many packs at most over all draws, but never fewer draws than this."""

LEVEL = 0.04
"""A policy is called unfit by any of these signs with this probability at most where packs are independent; scores
that are swapped have the rest of 5%."""

WARNING_LEVELS = {"weekday": 0.03, "skew": 0.02}
"""The levels at which other signs are warnings; heavy symmetric tails show a skew about twice as often."""

SKEWED_TIMES = 4.0
"""A skew is a warning where equal models are promoted so many times as often as promised."""

MIN_PACKS, MIN_WEEKDAY_PACKS = 5, 28
"""With fewer packs nothing is tested; with fewer dates, nothing by weekday."""

_WEIGHTS = {"order": 1.0, "shared": 1.0}
"""Of the signs that make a policy unfit; others are warnings."""


def try_as_they_are(
    policy: Policy, evidence: Evidence, *, seeds: Sequence[Evidence], seed: int, draws: int = DRAWS
) -> tuple[tuple[Drawn, ...], tuple[Sign, ...]]:
    """What comes of equal models that are drawn as they are, and what shows that the policy counts on too much.

    Packs of rows (clusters, dates) are drawn with replacement, neighbours together, with their scores as they are. On
    such a holdout the true gain is that on the evidence, so equal models are those with a gain of no more than that.
    Gates that ask for a gain are judged by the policy's own interval, from the sums that packs carry: to the first
    order for metrics that are no means.

    Args:
        seeds: evidence on the same rows of other pairs of models, which share what the days do to the pair.
        draws: how many holdouts of each kind, less where there are many packs.
    """
    gates = _asking_gates(policy)
    metrics = tuple(dict.fromkeys(name for names in gates.values() for name in names))
    if not metrics:
        return (), ()
    rng = np.random.default_rng((seed, 2**32))
    try:
        views = find_views(policy, evidence, metrics, seeds=seeds, rng=rng)
    except UnjudgeableError:
        return (), ()
    signs = [sign for view in views for sign in find_signs(view, rng=rng)]
    drawn = tuple(result for view in views for result in draw_view(view, policy, gates, rng=rng, draws=draws))
    return drawn, weigh_signs(signs, drawn)


def weigh_signs(signs: Sequence[Sign], drawn: Sequence[Drawn]) -> tuple[Sign, ...]:
    """The signs, with those marked that are shown: significant, and with a rate above what is promised.

    Order and shared effects count where no interval of the policy allows for them and p is small enough among all of
    these (Holm, weighted), weekdays and skew at a level of their own. Drawn holdouts that keep a sign must promote more
    equal models than promised.
    """
    weighed = [sign for sign in signs if not sign.allowed and sign.kind in _WEIGHTS]
    rejected = dependence.reject_weighted(
        [sign.p for sign in weighed], [_WEIGHTS[sign.kind] for sign in weighed], LEVEL
    )
    shown = {id(sign) for sign, reject in zip(weighed, rejected, strict=True) if reject}
    above = {(result.noun, kind) for result in drawn if result.exceeds for kind in result.shows}

    def is_shown(sign: Sign) -> bool:
        if sign.kind == "skew":
            raised = any(result.exceeds_by(SKEWED_TIMES) for result in drawn if result.noun == sign.noun)
            return sign.p <= WARNING_LEVELS["skew"] and raised
        significant = sign.p <= WARNING_LEVELS[sign.kind] if sign.kind in WARNING_LEVELS else id(sign) in shown
        return significant and (sign.noun, sign.kind) in above

    return tuple(replace(sign, shown=is_shown(sign)) for sign in signs)


def find_signs(view: View, *, rng: np.random.Generator) -> Iterator[Sign]:
    """What the packs themselves show, each with its p-value."""
    gain, rows = view.first.gain, view.first.rows
    series = view.series[:, rows > 0]
    pairs = series.shape[0]
    if series.shape[1] < MIN_PACKS:
        return
    if view.units is not None and view.noun != "row":
        p = dependence.try_shared(*view.units, view.first.count)
        yield Sign(kind="shared", noun=view.noun, value=_share(view), p=p, pairs=1, allowed=False)
    if view.ordered:
        p = dependence.try_order(series, dependence.relate_neighbours, rng=rng)
        value = correlate_neighbours(gain, rows)
        yield Sign(kind="order", noun=view.noun, value=value, p=p, pairs=pairs, allowed=view.allowed)
    if view.weekday is not None and series.shape[1] >= MIN_WEEKDAY_PACKS:
        weekday = view.weekday[rows > 0]
        p = dependence.try_order(series, dependence.relate_weekdays(weekday), rng=rng)
        yield Sign(kind="weekday", noun=view.noun, value=_of_weekdays(series[0], weekday), p=p, pairs=pairs)
    p = dependence.try_skew(series[0], rng=rng)
    yield Sign(kind="skew", noun=view.noun, value=dependence.measure_skewness(series[0]), p=p, pairs=1)


def _share(view: View) -> float:
    """By how much the variance of the packs' sums is more than that of as many independent units."""
    influence, _, pack = view.units or (view.first.gain, view.first.rows, np.arange(view.first.count))
    sums = np.bincount(pack, weights=influence, minlength=view.first.count)
    square = float((influence**2).sum())
    return float((sums**2).sum()) / square if square > 0 else 1.0


def _of_weekdays(series: Floats, weekday: Codes) -> float:
    """The share of the variance between packs that weekdays explain, corrected for chance."""
    centred = series - series.mean()
    total = float((centred**2).sum())
    count = np.bincount(weekday, minlength=7)
    days = int((count > 0).sum())
    if total == 0 or series.size <= days:
        return 0.0
    between = float((np.bincount(weekday, weights=centred, minlength=7)[count > 0] ** 2 / count[count > 0]).sum())
    residual = (total - between) / (series.size - days)
    return max(0.0, (between - (days - 1) * residual) / total)


def draw_view(
    view: View, policy: Policy, gates: Mapping[str, tuple[str, ...]], *, rng: np.random.Generator, draws: int
) -> Iterator[Drawn]:
    """Rates of equal models that pass every gate that asks for a gain, on holdouts drawn as they are."""
    count = view.first.count
    few = int(min(draws, max(MIN_DRAWS, MAX_ENTRIES // count)))
    length = 1
    if view.ordered:
        length = max(choose_block_length(view.first.gain, view.first.rows), min(view.together, count // 4))

    minimum = policy.min_clusters if view.noun in ("cluster", "query") else 2
    look = policy.scheduled_alpha

    def judge(packs: Packs, picks: Codes) -> tuple[Floats, Floats]:
        return packs.p_gain(picks, ordered=view.allowed, min_clusters=minimum)

    def measure(picks: Codes, *, length: int, shows: tuple[str, ...]) -> Drawn:
        p, plain = _combine_gates({name: judge(packs, picks) for name, packs in view.packs.items()}, gates)
        shares = np.array_split(picks, len(view.others)) if view.others else []
        others = np.concatenate([judge(*pair)[0] for pair in zip(view.others, shares, strict=True)] or [np.zeros(0)])
        return Drawn(
            noun=view.noun,
            length=length,
            shows=shows,
            promised=look,
            at_look=_count_passes(p, look),
            at_5=_count_passes(p, ALPHA),
            plain_at_look=_count_passes(plain, look),
            plain_at_5=_count_passes(plain, ALPHA),
            others_at_look=_count_passes(others, look) if others.size else None,
            others_at_5=_count_passes(others, ALPHA) if others.size else None,
        )

    shows = ("order", "shared") if view.ordered else ("shared",)
    yield measure(draw_blocks(rng, count, length=length, draws=few), length=length, shows=shows)
    if view.weekday is not None and count >= MIN_WEEKDAY_PACKS:
        yield measure(draw_weekdays(rng, view.weekday, draws=few), length=0, shows=("weekday",))


def _count_passes(p: Floats, level: float) -> Rate:
    return Rate(count=int(np.count_nonzero(p <= level)), total=p.size)


def _combine_gates(
    judged: Mapping[str, tuple[Floats, Floats]], gates: Mapping[str, tuple[str, ...]]
) -> tuple[Floats, Floats]:
    """The largest p over all gates, each the smallest of its metrics times their number (D,); and as of a plain t."""
    by_gate = []
    for names in gates.values():
        defined = [np.stack(judged[name]) for name in names if name in judged]
        if defined:
            by_gate.append(np.minimum(np.min(defined, axis=0) * len(defined), 1.0))
    p, plain = np.max(by_gate, axis=0)
    return p, plain


def find_undrawn_gates(policy: Policy) -> tuple[str, ...]:
    """Blocking gates that ask for a gain in parts of the rows, such as periods: what is drawn has no such parts."""
    asking = {
        name: check for name, check in policy.checks.items() if check.severity == "block" and asks_for_gain(check)
    }
    return tuple(name for name, check in asking.items() if check.metrics_of_all_rows != check.compared_metrics)


def _asking_gates(policy: Policy) -> dict[str, tuple[str, ...]]:
    """The metrics of each blocking gate that asks for a gain over all rows."""
    return {
        name: check.metrics_of_all_rows
        for name, check in policy.checks.items()
        if check.severity == "block" and asks_for_gain(check) and check.metrics_of_all_rows
    }
