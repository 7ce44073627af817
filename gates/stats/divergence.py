"""How far apart two distributions over the same cells are: PSI, KS and JS, with bounds that hold near zero too.

All three are 0 for equal shares p and q and computed from the cells alone:

- PSI = Σ (p − q) ln(p/q), the symmetric Kullback–Leibler divergence, in nats. A share below 0.0001 counts as 0.0001
  (`FLOOR`): an empty cell would
  make it infinite. Evidently fills empty cells with the same share.
- KS = the largest distance between the two cumulative shares at the edges of the cells, 0 … 1. Cells are ordered.
- JS = the Jensen–Shannon distance in base 2, 0 … 1: the root of the divergence, as
  `scipy.spatial.distance.jensenshannon(p, q, base=2)`.

Near equality N·PSI with 1/N = 1/n + 1/m is χ² with B − 1 degrees of freedom (Yurdakul & Naranjo, Statistical properties
of the population stability index, Journal of Risk Model Validation 14(4), 2020), noncentral where shares differ a
little; so is 8·ln 2·N·JS². For rows that are paired, weighted or clustered the χ² is scaled as Rao & Scott (Annals of
Statistics 12, 1984) and Satterthwaite do. Far from equality the delta method is right, and near it too narrow. The
bounds are the wider ones of the two. A lower bound is computed with sparse cells merged: that never raises a
divergence, whereas cells of a few rows raise its estimate.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import scipy

from lockgate.gates.stats.cell_shares import Pair
from lockgate.gates.stats.scored import Floats

Measure = Literal["psi", "ks", "js"]

FLOOR = 1e-4
"""The smallest share that a cell counts with in PSI."""

SPARSE = 5
"""Cells that fewer rows than this are expected in, in the smaller sample, are merged for a lower bound (Cochran)."""

_LARGEST = 1e5
"""Beyond this a root of a noncentral χ² is normal to four digits, and its inverse slow to find."""


def divergence(measure: Measure, pair: Pair) -> float:
    """PSI, KS or JS of the two distributions; 0 where they are equal."""
    return _MEASURES[measure](pair.reference, pair.compared)


def bounds(measure: Measure, pair: Pair, *, level: float) -> tuple[float, float]:
    """Bounds of the true divergence, each at one-sided `level`.

    No upper bound is below the divergence that was seen, though that is too large on average where shares are nearly
    equal; nor below the one that a share of 1 − (1 − level)^(1/n) in a cell which no row of the smaller sample fell in
    would make: few rows show little, however alike they are.
    """
    unseen = -math.expm1(math.log1p(-level) / min(pair.rows))
    least = _MEASURES[measure](np.array([1.0, 0.0]), np.array([1.0 - unseen, unseen]))
    if measure == "ks":
        low, high = _ks_bounds(pair, level)
    elif measure == "js":
        low, high = math.sqrt(_low("js", merged(pair), level)), math.sqrt(_high("js", pair, level))
    else:
        low, high = _low("psi", merged(pair), level), _high("psi", pair, level)
    most = math.inf if measure == "psi" else 1.0
    return low, min(max(high, least, divergence(measure, pair)), most)


def merged(pair: Pair) -> Pair:
    """The pair with all sparse cells made one, and that one not sparse either.

    What a cell is expected to hold counts, were both samples of one distribution: a cell that one of them left
    empty is what a divergence is about.
    """
    n, m = pair.rows
    held = (n * pair.reference + m * pair.compared) / (n + m) * min(n, m)
    order = np.argsort(held, kind="stable")
    enough = np.cumsum(held[order]) >= SPARSE
    together = int(np.argmax(enough)) + 1 if enough.any() else held.size
    count = max(together, int(np.count_nonzero(held < SPARSE)))
    if count <= 1:
        return pair
    code = np.empty(held.size, dtype=np.intp)
    code[order[:count]] = 0
    code[order[count:]] = np.arange(1, held.size - count + 1)
    return pair.grouped(code)


def _psi(p: Floats, q: Floats) -> float:
    p, q = np.maximum(p, FLOOR), np.maximum(q, FLOOR)
    return float(np.sum((p - q) * np.log(p / q)))


def _ks(p: Floats, q: Floats) -> float:
    return float(np.abs(np.cumsum(p - q)[:-1]).max(initial=0.0))


def _js(p: Floats, q: Floats) -> float:
    return math.sqrt(_js_divergence(p, q))


def _js_divergence(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2
    found = float(np.sum(scipy.special.rel_entr(p, middle) + scipy.special.rel_entr(q, middle))) / (2 * math.log(2))
    return min(max(found, 0.0), 1.0)


_MEASURES = {"psi": _psi, "ks": _ks, "js": _js}
_DIVERGENCES = {"psi": _psi, "js": _js_divergence}
_CURVATURE = {"psi": 1.0, "js": 1 / (8 * math.log(2))}
"""A divergence of nearly equal shares is this times Σ (p − q)²/p."""


def _slopes(measure: str, p: Floats, q: Floats) -> Floats:
    """Derivatives by the shares (2B,): those of p, then those of q."""
    if measure == "psi":
        p, q = np.maximum(p, FLOOR), np.maximum(q, FLOOR)
        return np.concatenate([np.log(p / q) + 1 - q / p, np.log(q / p) + 1 - p / q])
    middle = (p + q) / 2
    logs = [np.log2(np.divide(one, middle, out=np.ones_like(one), where=one > 0)) for one in (p, q)]
    return np.concatenate(logs) / 2


def _low(measure: str, pair: Pair, level: float) -> float:
    delta, (value, scale, df) = _delta(measure, pair, -level), _null(measure, pair)
    return max(min(delta, scale * _noncentrality(value, scale, df, level)), 0.0)


def _high(measure: str, pair: Pair, level: float) -> float:
    delta, (value, scale, df) = _delta(measure, pair, level), _null(measure, pair)
    return max(delta, scale * _noncentrality(value, scale, df, 1 - level), 0.0)


def _delta(measure: str, pair: Pair, level: float) -> float:
    """One bound by the delta method, less the bias; the lower one for a negative level."""
    value, scale, df = _null(measure, pair)
    slopes = _slopes(measure, pair.reference, pair.compared)
    error = math.sqrt(max(float(slopes @ pair.covariance @ slopes), 0.0))
    quantile = float(
        scipy.special.ndtri(abs(level)) if math.isinf(pair.df) else scipy.special.stdtrit(pair.df, abs(level))
    )
    return value - scale * df + math.copysign(quantile * error, level)


def _null(measure: str, pair: Pair) -> tuple[float, float, float]:
    """The divergence, and scale and degrees of freedom of the χ² that it is a multiple of where shares are equal."""
    value = _DIVERGENCES[measure](pair.reference, pair.compared)
    n, m = pair.rows
    pooled = (n * pair.reference + m * pair.compared) / (n + m)
    weight = np.divide(_CURVATURE[measure], pooled, out=np.zeros_like(pooled), where=pooled > 0)
    spread = weight[:, None] * pair.difference
    once, twice = float(np.trace(spread)), float(np.sum(spread * spread.T))
    return (value, twice / once, once**2 / twice) if once > 0 and twice > 0 else (value, 0.0, 0.0)


def _noncentrality(value: float, scale: float, df: float, share: float) -> float:
    """The noncentrality under which a share of χ² lies below value/scale; 0 where it does so for none."""
    if scale == 0 or scipy.special.gammainc(df / 2, value / scale / 2) <= share:
        return 0.0
    at = value / scale
    if at > _LARGEST:
        return float((math.sqrt(at - df) - scipy.special.ndtri(share)) ** 2)
    return float(scipy.special.chndtrinc(at, df, share))


def _ks_bounds(pair: Pair, level: float) -> tuple[float, float]:
    """Normal bounds at every edge: the largest upper one needs no correction, the largest lower one Bonferroni's."""
    apart = np.abs(np.cumsum(pair.reference - pair.compared)[:-1])
    if not apart.size:
        return 0.0, 0.0
    within = np.cumsum(np.cumsum(pair.difference, axis=0), axis=1)
    error = np.sqrt(np.maximum(np.diag(within)[:-1], 0.0))
    tails = [1 - level, (1 - level) / (2 * max(int(np.count_nonzero(error)), 1))]
    upper, lower = -(scipy.special.ndtri(tails) if math.isinf(pair.df) else scipy.special.stdtrit(pair.df, tails))
    return max(float(np.max(apart - lower * error)), 0.0), float(np.max(apart + upper * error))
