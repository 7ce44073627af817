"""Batch scoring from the file to scores, against the bare model on a matrix that is in memory already."""

from __future__ import annotations

import numpy as np

from bench.timing import print_ratio, time_alternately
from lockgate.pipelines import data
from lockgate.pipelines.data.settings import FractionHoldout
from lockgate.pipelines.models import xgb
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import compose


def measure() -> None:
    """Time the scoring of all 336,776 flights, in batches of the size declared in conf/platform."""
    settings = compose(("model=xgb",)).settings
    table = settings.data.model_copy(update={"time": None, "holdout": FractionHoldout(kind="fraction", share=0.3)})
    whole = data.load(settings.data, root=ROOT)
    labelled = ~np.isnan(whole.labels)
    params = settings.model.params
    model = xgb.fit(whole.frame[labelled], whole.labels[labelled], params=params, task="binary", seed=0)
    batch_rows = settings.platform.batch_rows

    def ours() -> float:
        plan = data.plan_window(table, "all", root=ROOT, batch_rows=batch_rows)
        batches = data.read_window(table, "all", plan.pieces, root=ROOT, batch_rows=batch_rows)
        return float(sum(model.score(batch.frame).sum() for batch in batches))

    matrix = model.layout.matrix(whole.frame)

    def bare() -> float:
        return float(model.booster.inplace_predict(matrix, validate_features=False).astype(np.float64).sum())

    def from_frames() -> float:
        return float(model.score(whole.frame).sum())

    np.testing.assert_allclose(ours(), bare(), rtol=1e-9)
    against, goal = "the bare model on a matrix", "at most 1.11"
    print_ratio(
        "score 336,776 flights, file to scores", *time_alternately(ours, bare, times=5), against=against, goal=goal
    )
    print_ratio(
        "score 336,776 flights, frame to scores",
        *time_alternately(from_frames, bare, times=5),
        against=against,
        goal=goal,
    )


if __name__ == "__main__":
    measure()
