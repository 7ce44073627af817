"""Ways to make scores worse by a known amount."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.random import Generator

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.stats.scored import Codes, Floats

_LEAST = 1e-12


def shuffle_scores(scores: Floats, rng: Generator, *, share: float, among: Codes | None = None) -> Floats:
    """Scores in which a random share of the rows have exchanged theirs: their ranking is lost, not their distribution.

    scores: (n,) or (n, k). among: row numbers to draw from; None for all.
    """
    rows = np.arange(len(scores)) if among is None else among
    chosen = rng.permutation(rows)[: round(share * rows.size)]
    worse = scores.copy()
    worse[chosen] = scores[np.roll(chosen, 1)]
    return worse


def lower_scores(
    evidence: Evidence, scores: Floats, rng: Generator, *, share: float, among: Codes | None = None
) -> Floats:
    """Scores that are worse on a random share of the rows.

    Where a score says itself how good a row is, chosen rows get the lowest score that either model has: an exchange
    would leave the mean as it is. For other tasks, as `shuffle_scores`.
    """
    if evidence.task != "score":
        return shuffle_scores(scores, rng, share=share, among=among)
    rows = np.arange(len(scores)) if among is None else among
    lowered = scores.copy()
    lowered[rng.permutation(rows)[: round(share * rows.size)]] = _lowest_score(evidence)
    return lowered


def shift_scores(evidence: Evidence, *, by: float) -> Floats:
    """The challenger's scores, all moved away from the labels' mean, so that they are worse calibrated.

    Binary: by `by` on the logit scale. Multiclass: the same for the first class against all others. Regression: by
    `by` standard deviations of the label.
    """
    scores, label = evidence.challenger, evidence.label
    if evidence.task == "regression":
        off: Floats = scores + np.copysign(by * label.std(), scores.mean() - label.mean())
        return off
    if evidence.task == "binary":
        away = np.copysign(by, scores.mean() - label.mean())
        turned: Floats = scipy.special.expit(scipy.special.logit(np.clip(scores, _LEAST, 1 - _LEAST)) + away)
        return turned
    away = np.copysign(by, scores[:, 0].mean() - (label == 0).mean())
    moved = scores.copy()
    moved[:, 0] *= np.exp(away)
    moved /= moved.sum(axis=1, keepdims=True)
    return moved


def constant_scores(evidence: Evidence) -> Floats:
    """The same score for every row, the labels' mean or the classes' shares: the best guess that ignores the rows.

    For task score, which has no labels, the lowest score that either model has.
    """
    label = evidence.label
    if evidence.task == "score":
        return np.full(label.size, _lowest_score(evidence))
    if evidence.task == "multiclass":
        k = evidence.challenger.shape[1]
        shares = np.bincount(label.astype(np.intp), minlength=k) / label.size
        return np.tile(shares, (label.size, 1))
    return np.full(label.size, label.mean())


def _lowest_score(evidence: Evidence) -> float:
    champion = evidence.challenger if evidence.champion is None else evidence.champion
    return float(min(evidence.challenger.min(), champion.min()))
