"""Which rows carry a metric: the positives of recall, the rarer label of an AUC, the rarest class of a macro average.

A metric is as certain as these rows are many, whatever the number of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.stats.scored import Scored

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Carriers:
    """find: the rows that carry a metric, bool (n,).

    `alone`: whether clusters count by these rows alone. A log loss is carried by all rows, but most by those of the
    rarer label. `by_score`: whether they depend on the scores, so that for two models they are those of either.
    """

    find: Callable[[Scored], Mask]
    alone: bool = True
    by_score: bool = False


def rarer_label(scored: Scored) -> Mask:
    """The rows of the label, 0 or 1, that has less weight in their group; label 1 where both have as much."""
    positive: Mask = scored.label == 1
    is_rarer = 2 * scored.total(positive.astype(np.float64)) <= scored.mass
    return np.equal(positive, is_rarer if scored.code is None else is_rarer[scored.code])


def rarest_class(scored: Scored) -> Mask:
    """The rows of the class that has least weight in their group, of those that occur there; the first of several."""
    classes = scored.score.shape[1]
    label = scored.label.astype(np.intp)
    cell = label if scored.code is None else label + scored.code * classes
    mass = np.bincount(cell, weights=scored.weight, minlength=classes * scored.groups).reshape(-1, classes)
    rarest = np.where(mass > 0, mass, np.inf).argmin(axis=1)
    mask: Mask = label == (rarest if scored.code is None else rarest[scored.code])
    return mask


def decided_positive(scored: Scored, *, cutoff: float) -> Mask:
    """The rows that are decided positive."""
    mask: Mask = scored.score >= cutoff
    return mask


def either_positive(scored: Scored, *, cutoff: float) -> Mask:
    """The rows that have label 1 or are decided positive."""
    mask: Mask = (scored.label == 1) | (scored.score >= cutoff)
    return mask


RARER_LABEL = Carriers(rarer_label)
RARER_LABEL_MOSTLY = Carriers(rarer_label, alone=False)
RAREST_CLASS = Carriers(rarest_class)
