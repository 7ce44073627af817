"""How predictions would have to be shifted and stretched to fit the labels."""

from __future__ import annotations

import numpy as np
import scipy

from lockgate.gates.stats.scored import Floats, Linear, Scored

MAX_NEWTON_STEPS = 50
"""A fit without convergence by then is undefined: none exists if the scores separate the labels."""


def logistic_intercept(scored: Scored) -> Linear:
    """Calibration in the large: the a of P(label) = expit(a + logit(score)).

    0 means calibrated, more than 0 that scores are too low. Binary rows in one group. NaN if all labels are equal.
    Scores are clipped to one float64 epsilon away from 0 and 1. Source: Cox, Biometrika 45 (1958); Van Calster et al.,
    BMC Medicine 17 (2019).
    """
    offset = _logit(scored.score)
    return _fit(np.ones((1, offset.size)), offset, scored, coefficient=0)


def logistic_slope(scored: Scored) -> Linear:
    """Calibration slope: the b of P(label) = expit(a + b·logit(score)).

    1 means calibrated, less than 1 that scores are too extreme. Otherwise as `logistic_intercept`; NaN also if all
    scores are equal, or separate the labels.
    """
    return _fit(np.stack([np.ones(scored.label.size), _logit(scored.score)]), np.zeros(1), scored, coefficient=1)


def linear_intercept(scored: Scored) -> Linear:
    """Mean label − mean prediction, in the label's unit."""
    gap = scored.label - scored.score
    value = scored.mean(gap)
    return Linear(value, gap - scored.spread(value))


def linear_slope(scored: Scored) -> Linear:
    """Slope of the least-squares line of the label on the prediction; NaN if all predictions are equal."""
    x = scored.score - scored.spread(scored.mean(scored.score))
    y = scored.label - scored.spread(scored.mean(scored.label))
    spread = scored.mean(x * x)
    inverse = np.divide(1.0, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    slope = scored.mean(x * y) * inverse
    return Linear(slope, x * (y - scored.spread(slope) * x) * scored.spread(inverse))


def _logit(score: Floats) -> Floats:
    edge = np.finfo(np.float64).eps
    return np.asarray(scipy.special.logit(np.clip(score, edge, 1 - edge)))


def _fit(design: Floats, offset: Floats, scored: Scored, *, coefficient: int) -> Linear:
    """One coefficient of a logistic regression on `design` (k, n), by Newton's method, with its influence values."""
    weight = np.ones(scored.label.size) if scored.weight is None else scored.weight
    mass = float(weight.sum())
    beta = np.zeros(len(design)) if len(design) == 1 else np.array([0.0, 1.0])
    undefined = Linear(np.array([np.nan]), np.zeros(scored.label.size))
    for _ in range(MAX_NEWTON_STEPS):
        fitted = scipy.special.expit(beta @ design + offset)
        residual = scored.label - fitted
        slope = design @ (residual * weight) / mass
        curve = (design * (weight * fitted * (1 - fitted))) @ design.T / mass
        if not np.isfinite(curve).all() or np.linalg.cond(curve) > 1e12:
            return undefined
        inverse = np.linalg.inv(curve)
        step = inverse @ slope
        beta = beta + step
        if np.abs(step).max() <= 1e-10 * max(1.0, float(np.abs(beta).max())):
            return Linear(beta[coefficient : coefficient + 1], (inverse @ design)[coefficient] * residual)
    return undefined
