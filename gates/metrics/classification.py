"""Metrics of a probability against a 0/1 label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.metrics.metric import Hits
from lockgate.gates.stats import ranking
from lockgate.gates.stats.scored import Floats, Linear, Scored, ratio

DECISION_CUTOFF = 0.5
"""A score at or above this is a positive decision, unless the metric's name gives another cutoff."""

BINS = 15
"""Equal-width bins of [0, 1] for the expected calibration error; the last one includes 1."""

ECE_IS_BIASED = (
    "its estimate favours the model that says less, and larger groups: compare log_loss or brier, or limit the "
    "challenger's own calibration"
)
"""Noise adds to the error of each bin: the more bins a model's scores reach, and the fewer the rows, the more."""

auc = ranking.auc
average_precision = ranking.average_precision


def log_loss(label: Floats, score: Floats) -> Floats:
    """Mean negative log likelihood in nats; scores are clipped to one float64 epsilon away from 0 and 1."""
    edge = np.finfo(np.float64).eps
    of_truth = np.clip(np.where(label == 1, score, 1.0 - score), edge, 1.0 - edge)
    loss: Floats = np.negative(np.log(of_truth, out=of_truth), out=of_truth)
    return loss


def brier(label: Floats, score: Floats) -> Floats:
    """Mean squared distance between probability and label."""
    return (score - label) ** 2


def decide(score: Floats) -> Floats | NDArray[np.intp] | NDArray[np.bool_]:
    """The decision of each row: `score >= 0.5`, or the class with the highest probability, the first if several tie."""
    return score >= DECISION_CUTOFF if score.ndim == 1 else score.argmax(axis=1)


def accuracy(label: Floats, score: Floats) -> Hits:
    """Share of rows whose decision, `score >= 0.5`, equals the label."""
    return Hits(((score >= DECISION_CUTOFF) == (label == 1)).astype(np.float64))


def ece(scored: Scored) -> Linear:
    """Expected calibration error over 15 equal-width bins: Σ over bins of |Σ w (label − score)| / Σ w.

    The influence treats each bin's sign as fixed; in a perfectly calibrated bin it counts as 0.
    Source: Naeini, Cooper and Hauskrecht, AAAI 2015.
    """
    cell = np.minimum((scored.score * BINS).astype(np.intp), BINS - 1)
    if scored.code is not None:
        cell += scored.code * BINS
    error = scored.label - scored.score
    mass = error if scored.weight is None else error * scored.weight
    sums = np.bincount(cell, weights=mass, minlength=BINS * scored.groups)
    value = ratio(np.abs(sums).reshape(-1, BINS).sum(axis=1), scored.mass)
    return Linear(value, np.sign(sums)[cell] * error - scored.spread(value))
