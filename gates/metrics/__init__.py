"""Metrics by name: the one dict that policies, reports and docs take their names from."""

from __future__ import annotations

import math

from gates.metrics import classification, regression
from gates.metrics.metric import Linear, Metric, Task

_ALL = (
    Metric(
        name="auc", task="binary", higher_is_better=True, low=0.0, high=1.0, unit="probability", method="delong",
        linearise=classification.auc, needs=(0.0, 1.0),
    ),
    Metric(
        name="average_precision", task="binary", higher_is_better=True, low=0.0, high=1.0, unit="probability",
        method="smooth", linearise=classification.average_precision, needs=(1.0,),
    ),
    Metric(
        name="log_loss", task="binary", higher_is_better=False, low=0.0, high=math.inf, unit="nats", method="mean",
        linearise=classification.log_loss,
    ),
    Metric(
        name="brier", task="binary", higher_is_better=False, low=0.0, high=1.0, unit="squared probability",
        method="mean", linearise=classification.brier,
    ),
    Metric(
        name="accuracy", task="binary", higher_is_better=True, low=0.0, high=1.0, unit="share of rows",
        method="proportion", linearise=classification.accuracy,
    ),
    Metric(
        name="ece", task="binary", higher_is_better=False, low=0.0, high=1.0, unit="probability", method="smooth",
        linearise=classification.ece,
    ),
    Metric(
        name="rmse", task="regression", higher_is_better=False, low=0.0, high=math.inf, unit="the target's",
        method="smooth", linearise=regression.rmse,
    ),
    Metric(
        name="mae", task="regression", higher_is_better=False, low=0.0, high=math.inf, unit="the target's",
        method="mean", linearise=regression.mae,
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

__all__ = ["METRICS", "Linear", "Metric", "Task"]
