"""Metrics of class probabilities (n, k) against the index of a class, 0 … k − 1.

The decision is the class of the highest probability, the first of several. Averages over classes take the classes
that occur in a group, as labels or as decisions, and leave out those whose share is undefined, as scikit-learn with
`zero_division=nan`: a class that is never decided for has no precision, but a recall and an F1 of 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.metrics import classification
from lockgate.gates.metrics.metric import Hits, Metric
from lockgate.gates.stats import ranking
from lockgate.gates.stats.scored import Codes, Floats, Linear, Scored, ratio

MOST_CELLS = 10_000_000
"""Groups × classes that can be counted at once."""


def accuracy(label: Floats, score: Floats) -> Hits:
    """Share of rows whose decision is the label."""
    return Hits((score.argmax(axis=1) == label).astype(np.float64))


def log_loss(label: Floats, score: Floats) -> Floats:
    """Mean negative log likelihood in nats; probabilities are kept one float64 epsilon away from 0 and 1."""
    edge = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(_of_truth(label, score), edge, 1.0 - edge)))


def brier(label: Floats, score: Floats) -> Floats:
    """Mean over rows of Σ over classes (p − y)², from 0 to 2: for two classes it is twice the binary score.

    Source: Brier, Monthly Weather Review 78 (1950); scikit-learn's `brier_score_loss` with its scale of k > 2.
    """
    square: Floats = np.einsum("ij,ij->i", score, score)
    return np.maximum(square - 2 * _of_truth(label, score) + 1, 0.0)


def _of_truth(label: Floats, score: Floats) -> Floats:
    return score[np.arange(label.size), label.astype(np.intp)]


def ece(scored: Scored) -> Linear:
    """Expected calibration error of the highest probability as the chance that its class is right; 15 equal bins.

    Source: Guo et al., ICML 2017.
    """
    hit = accuracy(scored.label, scored.score).hit
    return classification.ece(replace(scored, label=hit, score=scored.score.max(axis=1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Masses of S groups' classes: `right` of those decided rightly, `taken` of decisions, `held` of labels (S, k).

    truth, decision: the cell of each row's label and decision in the raveled tables (n,). hit: whether they agree.
    """

    right: Floats
    taken: Floats
    held: Floats
    truth: Codes
    decision: Codes
    hit: NDArray[np.bool_]

    @classmethod
    def of(cls, scored: Scored) -> Confusion:
        """Raises UnjudgeableError where groups × classes are more than 10 million."""
        classes = scored.score.shape[1]
        size = scored.groups * classes
        if size > MOST_CELLS:
            raise UnjudgeableError(
                f"{scored.groups:,} groups × {classes:,} classes are too many to count",
                expected=f"at most {MOST_CELLS:,} cells",
            )
        truth, decision = scored.label.astype(np.intp), scored.score.argmax(axis=1)
        hit = truth == decision
        if scored.code is not None:
            truth, decision = (cell + scored.code.astype(np.intp) * classes for cell in (truth, decision))

        def table(cell: Codes, mass: Floats | None) -> Floats:
            return np.bincount(cell, weights=mass, minlength=size).astype(np.float64).reshape(-1, classes)

        right = hit.astype(np.float64) if scored.weight is None else hit * scored.weight
        return cls(
            right=table(truth, right),
            taken=table(decision, scored.weight),
            held=table(truth, scored.weight),
            truth=truth,
            decision=decision,
            hit=hit,
        )

    def to_rows(self, of_right: Floats, of_taken: Floats, of_held: Floats) -> Floats:
        """What each row adds, given what one more in each cell of the three tables does: (S, k) → (n,)."""
        of_row = of_taken.ravel()[self.decision] + of_held.ravel()[self.truth]
        of_row += np.where(self.hit, of_right.ravel()[self.truth], 0.0)
        return of_row


def averaged(scored: Scored, *, share: str, by_support: bool) -> Linear:
    """precision, recall or f1 of each class, one against the rest, averaged over classes.

    macro: every class counts the same; weighted: as often as it is a label. Undefined where no class has the share.
    A class's share is r/t, r/h or 2r/(t + h) with r right, t decisions, h labels of it; influences are derivatives
    in those masses.
    """
    table = Confusion.of(scored)
    right, taken, held = table.right, table.taken, table.held
    factor = 2.0 if share == "f1" else 1.0
    whole = {"precision": taken, "recall": held, "f1": taken + held}[share]
    value = ratio(factor * right, whole)
    there = whole > 0
    counted = np.where(there, held if by_support else 1.0, 0.0)
    total = counted.sum(axis=1)
    average = ratio(np.where(there, value * counted, 0.0).sum(axis=1), total)
    per = counted * ratio(scored.mass, total)[:, None]
    inverse = np.divide(per, whole, out=np.zeros_like(whole), where=there)
    slope = -np.where(there, value, 0.0) * inverse
    none = np.zeros_like(whole)
    of_held = none if share == "precision" else slope
    if by_support:
        of_class = np.where(there, value - average[:, None], 0.0) * ratio(scored.mass, total)[:, None]
        of_held = of_held + of_class
    return Linear(average, table.to_rows(factor * inverse, none if share == "recall" else slope, of_held))


_LEFT_OUT = """Classes whose share is undefined are left out, as scikit-learn with zero_division=nan: of precision
those that are never decided for, of recall those without rows, of F1 those without either."""


def _average_of(share: str, *, by_support: bool) -> Callable[[Scored], Linear]:
    def linearise(scored: Scored) -> Linear:
        return averaged(scored, share=share, by_support=by_support)

    says = {
        "precision": "Precision of each class, right/decisions",
        "recall": "Recall of each class, right/rows",
        "f1": "F1 of each class, 2·right/(decisions + rows)",
    }[share]
    weighing = "weighed by their rows" if by_support else "all alike"
    linearise.__doc__ = f"""{says}, averaged over classes, {weighing}.\n\n{_LEFT_OUT}"""
    return linearise


def balanced_accuracy(scored: Scored) -> Linear:
    """Mean over the classes that occur as labels of the share of their rows that is decided rightly."""
    return averaged(scored, share="recall", by_support=False)


def mcc(scored: Scored) -> Linear:
    """Gorodkin's R_K, the correlation of decision and label; 0 where either is one class only.

    (c·s − Σ t·p)/√((s² − Σ p²)(s² − Σ t²)) with s rows, c right, and t labels and p decisions of each class.
    Source: Gorodkin, Computational Biology and Chemistry 28 (2004); the 0 is scikit-learn's convention.
    """
    table = Confusion.of(scored)
    per = ratio(np.ones_like(scored.mass), scored.mass)[:, None]
    right, taken, held = (np.nan_to_num(part * per) for part in (table.right, table.taken, table.held))
    hits = right.sum(axis=1)
    of_taken, of_held = (1 - (part**2).sum(axis=1) for part in (taken, held))
    varied = (np.count_nonzero(taken, axis=1) > 1) & (np.count_nonzero(held, axis=1) > 1)
    root = np.sqrt(np.where(varied, of_taken * of_held, 0.0))
    scale = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    value = np.clip((hits - (taken * held).sum(axis=1)) * scale, -1, 1)
    from_taken, from_held = (
        np.divide(value, of, out=np.zeros_like(of), where=root > 0)[:, None] for of in (of_taken, of_held)
    )
    scale = scale[:, None]
    influence = table.to_rows(
        np.repeat(scale, right.shape[1], axis=1), from_taken * taken - scale * held, from_held * held - scale * taken
    )
    influence += scored.spread(hits * scale[:, 0] - from_taken[:, 0] - from_held[:, 0])
    return Linear(np.where(scored.mass > 0, value, np.nan), influence)


def auc_ovr(scored: Scored, *, by_support: bool) -> Linear:
    """Area under the ROC curve of each class against the rest, averaged over classes; ties count half.

    macro: every class counts the same; weighted: as often as it is a label. Undefined where a class does not occur.
    Source: Provost and Domingos, CeDER working paper IS-00-04 (2000); scikit-learn's `multi_class="ovr"`.
    """
    classes = scored.score.shape[1]
    value, influence = np.zeros(scored.groups), np.zeros(scored.label.size)
    areas = np.zeros((scored.groups, classes)) if by_support else None
    for one in range(classes):
        own = (scored.label == one).astype(np.float64)
        area = ranking.auc(replace(scored, label=own, score=np.ascontiguousarray(scored.score[:, one])))
        share = scored.mean(own) if by_support else np.full(scored.groups, 1 / classes)
        value += share * area.value
        influence += scored.spread(share) * area.influence
        if areas is not None:
            areas[:, one] = area.value
    if areas is not None:
        at = 0 if scored.code is None else scored.code.astype(np.intp) * classes
        influence += areas.ravel()[at + scored.label.astype(np.intp)] - scored.spread(value)
    return Linear(value, influence)


def rarest_class(scored: Scored) -> Floats:
    """Rows of the class that the fewest rows of a group have, among those that some have (S,)."""
    carried = None if scored.weight is None else (scored.weight > 0).astype(np.float64)
    held = Confusion.of(replace(scored, weight=carried)).held
    return np.asarray(np.where(held > 0, held, np.inf).min(axis=1))


def _metric(name: str, linearise: Callable[[Scored], Linear], *, unit: str, needs: str, low: float = 0.0) -> Metric:
    return Metric(
        name=name,
        task="multiclass",
        higher_is_better=name != "ece",
        low=low,
        high=1.0,
        unit=unit,
        method="smooth",
        linearise=linearise,
        needs=needs,
        trials=None if name.endswith("_weighted") or name == "ece" else rarest_class,
        symmetric=name == "ece",
    )


MULTICLASS: tuple[Metric, ...] = (
    Metric.of_hits(accuracy, name="accuracy", task="multiclass"),
    Metric.of_loss(log_loss, name="log_loss", task="multiclass", unit="nats"),
    Metric.of_loss(brier, name="brier", task="multiclass", unit="squared probability", high=2.0),
    *(
        _metric(
            f"{share}_{average}",
            _average_of(share, by_support=average == "weighted"),
            unit="mean of classes' shares",
            needs="decisions for a class that has rows" if share == "precision" else "at least one row",
        )
        for share in ("precision", "recall", "f1")
        for average in ("macro", "weighted")
    ),
    _metric("balanced_accuracy", balanced_accuracy, unit="mean of classes' shares", needs="at least one row"),
    _metric("mcc", mcc, unit="correlation", needs="at least one row", low=-1.0),
    _metric("auc_ovr_macro", partial(auc_ovr, by_support=False), unit="probability", needs="rows of every class"),
    _metric("auc_ovr_weighted", partial(auc_ovr, by_support=True), unit="probability", needs="rows of every class"),
    _metric("ece", ece, unit="probability", needs="at least one row"),
)
