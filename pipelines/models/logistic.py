"""Model `logistic`: logistic regression on scaled numbers and one indicator for every known category."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from lockgate.gates.errors import ModelError
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
    "numpy.dtype",
    "numpy.float64",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
}
"""What its bytes are made of, for both tasks: nothing else is loaded from them."""


_LARGEST_SCALED = 1e140
"""Scaling sums squares: those of a number like this one, of 10^25 rows, are still finite."""


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    C: float = Field(gt=0, le=1e6)
    max_iter: int = Field(ge=1, le=100_000)


def fit(frame: pd.DataFrame, labels: NDArray[np.float64], *, params: Params, task: Task, seed: int) -> FittedPipeline:
    """See `Model.fit`. Also raises ModelError when `max_iter` steps do not converge."""
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if task != "binary":
        raise ModelError(
            f"logistic does not serve task {task}",
            expected="binary",
            where="model.name",
            hint="choose model=hist_gb or xgb",
        )
    check_rows(frame, labels, task=task)
    text, numbers, nothing = raw.split_columns(frame)
    rows = raw.select_columns(frame, list(frame.columns), text, largest=_LARGEST_SCALED)
    # a fixed vocabulary has no entry for a missing value, so that it scores like one that was never seen
    indicators = OneHotEncoder(
        categories=[np.array(raw.list_vocabulary(rows[name]), dtype=object) for name in text], handle_unknown="ignore"
    )
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    pipeline = make_pipeline(
        ColumnTransformer([("text", indicators, text), ("numbers", scaled, numbers), ("nothing", "drop", nothing)]),
        LogisticRegression(C=params.C, max_iter=params.max_iter, random_state=seed),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            pipeline.fit(rows, labels)
        except ConvergenceWarning as err:
            raise ModelError(
                f"logistic did not converge in {params.max_iter} steps",
                where="model.max_iter",
                hint=f"try model.max_iter={params.max_iter * 10}",
            ) from err
    return FittedPipeline(pipeline)
