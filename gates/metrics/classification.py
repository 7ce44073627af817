"""Metrics of a probability against a 0/1 label."""

from __future__ import annotations

import numpy as np

from gates.metrics.metric import Floats, Linear, mean_of
from gates.stats import ranking

CUTOFF = 0.5
"""A score at or above this is a positive decision."""

BINS = 15
"""Equal-width bins of [0, 1] for the expected calibration error; the last one includes 1."""


def auc(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Area under the ROC curve; a tie counts half."""
    return Linear(*ranking.auc(label, score, weight))


def average_precision(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Average precision, the step-wise area under precision and recall; tied scores are one threshold."""
    return Linear(*ranking.average_precision(label, score, weight))


def log_loss(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Mean negative log likelihood in nats; scores are kept one float64 epsilon away from 0 and 1."""
    edge = np.finfo(np.float64).eps
    of_truth = np.clip(np.where(label == 1, score, 1.0 - score), edge, 1.0 - edge)
    return mean_of(-np.log(of_truth), weight)


def brier(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Mean squared distance between probability and label."""
    return mean_of((score - label) ** 2, weight)


def hits(label: Floats, score: Floats) -> Floats:
    """1 where the decision `score >= CUTOFF` equals the label, else 0."""
    right: Floats = ((score >= CUTOFF) == (label == 1)).astype(np.float64)
    return right


def accuracy(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Share of rows whose decision is right."""
    return mean_of(hits(label, score), weight)


def ece(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Expected calibration error: Σ over bins of |Σ w (label − score)| / Σ w.

    The influence holds each bin's sign fixed; where a bin is perfectly calibrated it counts as 0.
    Source: Naeini, Cooper and Hauskrecht, AAAI 2015.
    """
    bin_of = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    error = label - score
    mass = error if weight is None else error * weight
    sums = np.bincount(bin_of, weights=mass, minlength=BINS)
    total = float(label.size if weight is None else weight.sum())
    value = float(np.abs(sums).sum()) / total
    return Linear(value, np.sign(sums)[bin_of] * error - value)
