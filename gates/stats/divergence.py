"""How far apart two distributions over the same cells are: PSI, KS and JS, with bounds that also hold near zero.

All three are 0 for equal shares p and q, and are computed from the cells alone:

- PSI = Σ (p − q) ln(p/q), the symmetric Kullback–Leibler divergence, in nats. A share below 0.0001 counts as 0.0001
  (`MIN_SHARE`), since an empty cell would make it infinite. Evidently fills empty cells with the same share.
- KS = the largest distance between the two cumulative shares at the edges of the cells, 0 … 1. Cells are ordered.
- JS = the Jensen–Shannon distance in base 2, 0 … 1: the root of the divergence, as in
  `scipy.spatial.distance.jensenshannon(p, q, base=2)`.

Near equality N·PSI with 1/N = 1/n + 1/m is χ² with B − 1 degrees of freedom (Yurdakul & Naranjo, Statistical properties
of the population stability index, Journal of Risk Model Validation 14(4), 2020), noncentral where shares differ a
little; so is 8·ln 2·N·JS². For rows that are paired, weighted or clustered, the χ² is scaled as in Rao & Scott (Annals
of Statistics 12, 1984) and Satterthwaite. The delta method is right far from equality and too narrow near it, so the
bounds are the wider of the two. A lower bound is computed with sparse cells merged: merging never raises a divergence,
whereas cells with few rows raise its estimate.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import scipy

from lockgate.gates.stats.cell_shares import SharePair
from lockgate.gates.stats.scored import Floats

Measure = Literal["psi", "ks", "js"]

MIN_SHARE = 1e-4
"""In PSI, a cell counts with at least this share."""

MIN_EXPECTED_ROWS = 5
"""For a lower bound, cells where fewer rows are expected in the smaller sample are merged (Cochran's rule)."""

_MAX_CHI_SQUARE = 1e5
"""Beyond this the root of a noncentral χ² is normal to four digits, and its inverse is slow to compute."""


def divergence(measure: Measure, pair: SharePair) -> float:
    """PSI, KS or JS of the two distributions; 0 if they are equal."""
    return _MEASURES[measure](pair.reference, pair.compared)


def divergence_bounds(measure: Measure, pair: SharePair, *, level: float) -> tuple[float, float]:
    """Bounds of the true divergence, each at one-sided `level`.

    The upper bound is at least the observed divergence, although that is too large on average if the shares are nearly
    equal. It is also at least the divergence that one more cell would cause, with the share 1 − (1 − level)^(1/n) which
    the n rows of the smaller sample can miss: few rows show little, however alike the samples are.
    """
    unseen = -math.expm1(math.log1p(-level) / min(pair.rows))
    unseen_divergence = _MEASURES[measure](np.array([1.0, 0.0]), np.array([1.0 - unseen, unseen]))
    if measure == "ks":
        low, high = _ks_bounds(pair, level)
    elif measure == "js":
        low, high = math.sqrt(_low("js", merge_sparse_cells(pair), level)), math.sqrt(_high("js", pair, level))
    else:
        low, high = _low("psi", merge_sparse_cells(pair), level), _high("psi", pair, level)
    maximum = math.inf if measure == "psi" else 1.0
    return low, min(max(high, unseen_divergence, divergence(measure, pair)), maximum)


def merge_sparse_cells(pair: SharePair) -> SharePair:
    """The pair with all sparse cells merged into one that is not sparse either.

    A cell is sparse by the rows expected in it if both samples had one distribution, not by the rows in it: a cell that
    is empty in one sample only is just what a divergence measures.
    """
    n, m = pair.rows
    expected = (n * pair.reference + m * pair.compared) / (n + m) * min(n, m)
    order = np.argsort(expected, kind="stable")
    enough = np.cumsum(expected[order]) >= MIN_EXPECTED_ROWS
    needed = int(np.argmax(enough)) + 1 if enough.any() else expected.size
    count = max(needed, int(np.count_nonzero(expected < MIN_EXPECTED_ROWS)))
    if count <= 1:
        return pair
    code = np.empty(expected.size, dtype=np.intp)
    code[order[:count]] = 0
    code[order[count:]] = np.arange(1, expected.size - count + 1)
    return pair.regroup(code)


def _psi(p: Floats, q: Floats) -> float:
    p, q = np.maximum(p, MIN_SHARE), np.maximum(q, MIN_SHARE)
    return float(np.sum((p - q) * np.log(p / q)))


def _ks(p: Floats, q: Floats) -> float:
    return float(np.abs(np.cumsum(p - q)[:-1]).max(initial=0.0))


def _js(p: Floats, q: Floats) -> float:
    return math.sqrt(_js_divergence(p, q))


def _js_divergence(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2
    nats = float(np.sum(scipy.special.rel_entr(p, middle) + scipy.special.rel_entr(q, middle))) / (2 * math.log(2))
    return min(max(nats, 0.0), 1.0)


_MEASURES = {"psi": _psi, "ks": _ks, "js": _js}
_DIVERGENCES = {"psi": _psi, "js": _js_divergence}
_CURVATURE = {"psi": 1.0, "js": 1 / (8 * math.log(2))}
"""For nearly equal shares, a divergence is this times Σ (p − q)²/p."""


def _slopes(measure: str, p: Floats, q: Floats) -> Floats:
    """Derivatives with respect to the shares (2B,): those of p, then those of q."""
    if measure == "psi":
        p, q = np.maximum(p, MIN_SHARE), np.maximum(q, MIN_SHARE)
        return np.concatenate([np.log(p / q) + 1 - q / p, np.log(q / p) + 1 - p / q])
    middle = (p + q) / 2
    logs = [np.log2(np.divide(shares, middle, out=np.ones_like(shares), where=shares > 0)) for shares in (p, q)]
    return np.concatenate(logs) / 2


def _low(measure: str, pair: SharePair, level: float) -> float:
    delta, (value, scale, df) = _delta(measure, pair, -level), _null(measure, pair)
    return max(min(delta, scale * _noncentrality(value, scale, df, level)), 0.0)


def _high(measure: str, pair: SharePair, level: float) -> float:
    delta, (value, scale, df) = _delta(measure, pair, level), _null(measure, pair)
    return max(delta, scale * _noncentrality(value, scale, df, 1 - level), 0.0)


def _delta(measure: str, pair: SharePair, level: float) -> float:
    """One bound by the delta method, corrected for bias; the lower one for a negative level."""
    value, scale, df = _null(measure, pair)
    slopes = _slopes(measure, pair.reference, pair.compared)
    error = math.sqrt(max(float(slopes @ pair.covariance @ slopes), 0.0))
    quantile = float(
        scipy.special.ndtri(abs(level)) if math.isinf(pair.df) else scipy.special.stdtrit(pair.df, abs(level))
    )
    return value - scale * df + math.copysign(quantile * error, level)


def _null(measure: str, pair: SharePair) -> tuple[float, float, float]:
    """The divergence, and the scale and degrees of freedom of the χ² that it follows if the shares are equal."""
    value = _DIVERGENCES[measure](pair.reference, pair.compared)
    n, m = pair.rows
    pooled = (n * pair.reference + m * pair.compared) / (n + m)
    weight = np.divide(_CURVATURE[measure], pooled, out=np.zeros_like(pooled), where=pooled > 0)
    spread = weight[:, None] * pair.difference
    trace, trace_of_square = float(np.trace(spread)), float(np.sum(spread * spread.T))
    return (
        (value, trace_of_square / trace, trace**2 / trace_of_square)
        if trace > 0 and trace_of_square > 0
        else (value, 0.0, 0.0)
    )


def _noncentrality(value: float, scale: float, df: float, share: float) -> float:
    """The noncentrality for which this share of the χ² lies below value/scale; 0 if there is none."""
    if scale == 0 or scipy.special.gammainc(df / 2, value / scale / 2) <= share:
        return 0.0
    chi_square = value / scale
    if chi_square > _MAX_CHI_SQUARE:
        return float((math.sqrt(chi_square - df) - scipy.special.ndtri(share)) ** 2)
    return float(scipy.special.chndtrinc(chi_square, df, share))


def _ks_bounds(pair: SharePair, level: float) -> tuple[float, float]:
    """Normal bounds at every edge. The largest upper one needs no correction, the largest lower one Bonferroni's."""
    distance = np.abs(np.cumsum(pair.reference - pair.compared)[:-1])
    if not distance.size:
        return 0.0, 0.0
    within = np.cumsum(np.cumsum(pair.difference, axis=0), axis=1)
    error = np.sqrt(np.maximum(np.diag(within)[:-1], 0.0))
    tails = [1 - level, (1 - level) / (2 * max(int(np.count_nonzero(error)), 1))]
    upper, lower = -(scipy.special.ndtri(tails) if math.isinf(pair.df) else scipy.special.stdtrit(pair.df, tails))
    return max(float(np.max(distance - lower * error)), 0.0), float(np.max(distance + upper * error))
