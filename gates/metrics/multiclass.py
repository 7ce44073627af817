"""Metrics of class probabilities (n, k) against the index of a class, 0 … k − 1.

The decision is the class with the highest probability, the first if several tie. Averages are over the classes that
occur in a group, as labels or as decisions. Like scikit-learn with `zero_division=nan`, they leave out classes whose
share is undefined: a class without decisions has no precision, but a recall and an F1 of 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.metrics import classification
from lockgate.gates.metrics.carriers import RAREST_CLASS
from lockgate.gates.metrics.metric import Hits, Metric
from lockgate.gates.stats import ranking
from lockgate.gates.stats.scored import Codes, Floats, Linear, Scored, ratio

MAX_TABLE_CELLS = 10_000_000
"""More groups × classes than this are refused: a table of counts has to fit into memory."""


def multiclass_accuracy(label: Floats, score: Floats) -> Hits:
    """Share of rows whose decision is the label."""
    return Hits((score.argmax(axis=1) == label).astype(np.float64))


def multiclass_log_loss(label: Floats, score: Floats) -> Floats:
    """Mean negative log likelihood in nats; probabilities are clipped to one float64 epsilon away from 0 and 1."""
    edge = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(_of_truth(label, score), edge, 1.0 - edge)))


def multiclass_brier(label: Floats, score: Floats) -> Floats:
    """Mean over rows of Σ over classes (p − y)², from 0 to 2: for two classes it is twice the binary score.

    Source: Brier, Monthly Weather Review 78 (1950); scikit-learn's `brier_score_loss` with its scale of k > 2.
    """
    square: Floats = np.einsum("ij,ij->i", score, score)
    return np.maximum(square - 2 * _of_truth(label, score) + 1, 0.0)


def _of_truth(label: Floats, score: Floats) -> Floats:
    return score[np.arange(label.size), label.astype(np.intp)]


def multiclass_ece(scored: Scored) -> Linear:
    """Expected calibration error of the highest probability as the chance that its class is right; 15 equal bins.

    Source: Guo et al., ICML 2017.
    """
    hit = multiclass_accuracy(scored.label, scored.score).hit
    return classification.ece(replace(scored, label=hit, score=scored.score.max(axis=1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Masses by group and class (S, k): `labels`, `decisions`, and `right` for labels that are the decision.

    truth, decision: the cell of each row's label and decision in the raveled tables (n,). hit: whether they agree.
    """

    right: Floats
    decisions: Floats
    labels: Floats
    truth: Codes
    decision: Codes
    hit: NDArray[np.bool_]

    @classmethod
    def of(cls, scored: Scored) -> Confusion:
        """The tables of scored rows. Raises UnjudgeableError for more than 10 million groups × classes."""
        classes = scored.score.shape[1]
        size = scored.groups * classes
        if size > MAX_TABLE_CELLS:
            raise UnjudgeableError(
                f"{scored.groups:,} groups × {classes:,} classes are too many to count",
                expected=f"at most {MAX_TABLE_CELLS:,} cells",
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
            decisions=table(decision, scored.weight),
            labels=table(truth, scored.weight),
            truth=truth,
            decision=decision,
            hit=hit,
        )

    def to_rows(self, of_right: Floats, of_decision: Floats, of_label: Floats) -> Floats:
        """What each row adds (n,), from what one more in each cell of the three tables adds (S, k)."""
        of_row = of_decision.ravel()[self.decision] + of_label.ravel()[self.truth]
        of_row += np.where(self.hit, of_right.ravel()[self.truth], 0.0)
        return of_row


def average_over_classes(scored: Scored, *, share: str, by_support: bool) -> Linear:
    """precision, recall or f1 of each class, one against the rest, averaged over classes.

    Without `by_support` (macro) every class counts the same, with it (weighted) as often as it is a label. Undefined if
    no class has the share. A class's share is r/d, r/l or 2r/(d + l) with r right decisions, d decisions and l labels;
    influence values are derivatives with respect to these masses.
    """
    table = Confusion.of(scored)
    right, decisions, labels = table.right, table.decisions, table.labels
    factor = 2.0 if share == "f1" else 1.0
    denominator = {"precision": decisions, "recall": labels, "f1": decisions + labels}[share]
    value = ratio(factor * right, denominator)
    defined = denominator > 0
    counted = np.where(defined, labels if by_support else 1.0, 0.0)
    total = counted.sum(axis=1)
    average = ratio(np.where(defined, value * counted, 0.0).sum(axis=1), total)
    per = counted * ratio(scored.mass, total)[:, None]
    inverse = np.divide(per, denominator, out=np.zeros_like(denominator), where=defined)
    slope = -np.where(defined, value, 0.0) * inverse
    none = np.zeros_like(denominator)
    of_label = none if share == "precision" else slope
    if by_support:
        of_class = np.where(defined, value - average[:, None], 0.0) * ratio(scored.mass, total)[:, None]
        of_label = of_label + of_class
    return Linear(average, table.to_rows(factor * inverse, none if share == "recall" else slope, of_label))


_LEFT_OUT = """Classes whose share is undefined are left out, as in scikit-learn with zero_division=nan: for precision
those without decisions, for recall those without rows, for F1 those without either."""


def _average_of(share: str, *, by_support: bool) -> Callable[[Scored], Linear]:
    def linearise(scored: Scored) -> Linear:
        return average_over_classes(scored, share=share, by_support=by_support)

    formula = {
        "precision": "Precision of each class, right/decisions",
        "recall": "Recall of each class, right/rows",
        "f1": "F1 of each class, 2·right/(decisions + rows)",
    }[share]
    weighting = "weighted by their rows" if by_support else "with equal weights"
    linearise.__doc__ = f"""{formula}, averaged over classes, {weighting}.\n\n{_LEFT_OUT}"""
    return linearise


def multiclass_balanced_accuracy(scored: Scored) -> Linear:
    """Mean recall over the classes that occur as labels."""
    return average_over_classes(scored, share="recall", by_support=False)


def multiclass_mcc(scored: Scored) -> Linear:
    """Gorodkin's R_K, the correlation of decision and label; 0 if either has one class only.

    (c·s − Σ t·p)/√((s² − Σ p²)(s² − Σ t²)) with s rows, c right, and t labels and p decisions of each class.
    Source: Gorodkin, Computational Biology and Chemistry 28 (2004); the 0 is scikit-learn's convention.
    """
    table = Confusion.of(scored)
    per = ratio(np.ones_like(scored.mass), scored.mass)[:, None]
    right, decisions, labels = (np.nan_to_num(part * per) for part in (table.right, table.decisions, table.labels))
    hits = right.sum(axis=1)
    of_decisions, of_labels = (1 - (part**2).sum(axis=1) for part in (decisions, labels))
    varied = (np.count_nonzero(decisions, axis=1) > 1) & (np.count_nonzero(labels, axis=1) > 1)
    root = np.sqrt(np.where(varied, of_decisions * of_labels, 0.0))
    scale = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    value = np.clip((hits - (decisions * labels).sum(axis=1)) * scale, -1, 1)
    from_decisions, from_labels = (
        np.divide(value, margin, out=np.zeros_like(margin), where=root > 0)[:, None]
        for margin in (of_decisions, of_labels)
    )
    scale = scale[:, None]
    influence = table.to_rows(
        np.repeat(scale, right.shape[1], axis=1),
        from_decisions * decisions - scale * labels,
        from_labels * labels - scale * decisions,
    )
    influence += scored.spread(hits * scale[:, 0] - from_decisions[:, 0] - from_labels[:, 0])
    return Linear(np.where(scored.mass > 0, value, np.nan), influence)


def auc_ovr(scored: Scored, *, by_support: bool) -> Linear:
    """Area under the ROC curve of each class against the rest, averaged over classes; ties count half.

    Without `by_support` (macro) every class counts the same, with it (weighted) as often as it is a label. Undefined if
    a class does not occur.
    Source: Provost and Domingos, CeDER working paper IS-00-04 (2000); scikit-learn's `multi_class="ovr"`.
    """
    classes = scored.score.shape[1]
    value, influence = np.zeros(scored.groups), np.zeros(scored.label.size)
    areas = np.zeros((scored.groups, classes)) if by_support else None
    for each in range(classes):
        own = (scored.label == each).astype(np.float64)
        area = ranking.auc(replace(scored, label=own, score=np.ascontiguousarray(scored.score[:, each])))
        share = scored.mean(own) if by_support else np.full(scored.groups, 1 / classes)
        value += share * area.value
        influence += scored.spread(share) * area.influence
        if areas is not None:
            areas[:, each] = area.value
    if areas is not None:
        offset = 0 if scored.code is None else scored.code.astype(np.intp) * classes
        influence += areas.ravel()[offset + scored.label.astype(np.intp)] - scored.spread(value)
    return Linear(value, influence)


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
        carriers=None if name.endswith("_weighted") or name == "ece" else RAREST_CLASS,
        symmetric=name == "ece",
        incomparable=classification.ECE_IS_BIASED if name == "ece" else "",
    )


MULTICLASS: tuple[Metric, ...] = (
    Metric.of_hits(multiclass_accuracy, name="accuracy", task="multiclass"),
    Metric.of_loss(multiclass_log_loss, name="log_loss", task="multiclass", unit="nats"),
    Metric.of_loss(multiclass_brier, name="brier", task="multiclass", unit="squared probability", high=2.0),
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
    _metric(
        "balanced_accuracy", multiclass_balanced_accuracy, unit="mean of classes' shares", needs="at least one row"
    ),
    _metric("mcc", multiclass_mcc, unit="correlation", needs="at least one row", low=-1.0),
    _metric("auc_ovr_macro", partial(auc_ovr, by_support=False), unit="probability", needs="rows of every class"),
    _metric("auc_ovr_weighted", partial(auc_ovr, by_support=True), unit="probability", needs="rows of every class"),
    _metric("ece", multiclass_ece, unit="probability", needs="at least one row"),
)
