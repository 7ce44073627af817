"""Model `baseline`: the mean of the labels for every row. Any other model has to beat it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from lockgate.gates.evidence.task import Task
from lockgate.pipelines.models import raw, skops_pipeline
from lockgate.pipelines.models.model import PARAMS_CONFIG, check_rows
from lockgate.pipelines.models.skops_pipeline import FittedPipeline

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

FORMAT = skops_pipeline.FORMAT
TYPES = skops_pipeline.PIPELINE_TYPES | {
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
}
"""What its bytes are made of, for both tasks: nothing else is loaded from them."""


class Params(BaseModel):
    model_config = PARAMS_CONFIG


def fit(  # a mean has neither hyperparameters nor chance
    frame: pd.DataFrame,
    labels: NDArray[np.float64],
    *,
    params: Params,  # noqa: ARG001
    task: Task,
    seed: int,  # noqa: ARG001
) -> FittedPipeline:
    """See `Model.fit`. The columns are recorded, so that rows without one of them are refused as by other models."""
    from sklearn.compose import ColumnTransformer
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import make_pipeline

    check_rows(frame, labels, task=task)
    text, numbers, nothing = raw.split_columns(frame)
    mean = DummyClassifier(strategy="prior") if task == "binary" else DummyRegressor(strategy="mean")
    unread = ColumnTransformer([("text", "drop", text), ("numbers", "drop", numbers), ("nothing", "drop", nothing)])
    pipeline = make_pipeline(unread, mean)
    return FittedPipeline(pipeline.fit(raw.select_columns(frame, list(frame.columns), text), labels))
