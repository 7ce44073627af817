"""Model `hist_gb`: scikit-learn's histogram gradient boosting, with its native support for categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from lockgate.gates.evidence.task import Task
from lockgate.pipelines.models import raw, skops_pipeline
from lockgate.pipelines.models.model import PARAMS_CONFIG, check_rows
from lockgate.pipelines.models.skops_pipeline import FittedPipeline, limit_to_one_thread

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

FORMAT = skops_pipeline.FORMAT
TYPES = skops_pipeline.PIPELINE_TYPES | {
    "builtins.int",
    "functools.partial",
    "numpy.float64",
    "numpy.random._generator.Generator",
    "numpy.uint64",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.utils.validation.check_array",
}
"""What its bytes are made of, for both tasks: nothing else is loaded from them."""


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    max_iter: int = Field(ge=1, le=10_000)
    max_depth: int = Field(ge=1, le=20)
    max_leaf_nodes: int = Field(ge=2, le=4096)
    learning_rate: float = Field(gt=0, le=1)
    min_samples_leaf: int = Field(ge=1, le=1_000_000)
    l2_regularization: float = Field(ge=0, le=1e6)
    max_categories: int = Field(ge=2, le=254)  # of a text column; the rarest are merged into one


def fit(frame: pd.DataFrame, labels: NDArray[np.float64], *, params: Params, task: Task, seed: int) -> FittedPipeline:
    """See `Model.fit`."""
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    check_rows(frame, labels, task=task)
    text, numbers, nothing = raw.split_columns(frame)
    rows = raw.select_columns(frame, list(frame.columns), text)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=params.max_categories
    )
    boosting = HistGradientBoostingClassifier if task == "binary" else HistGradientBoostingRegressor
    pipeline = make_pipeline(
        ColumnTransformer([("text", codes, text), ("numbers", "passthrough", numbers), ("nothing", "drop", nothing)]),
        boosting(
            **params.model_dump(exclude={"max_categories"}),
            categorical_features=list(range(len(text))),  # the transformer puts the text columns first
            early_stopping=False,
            random_state=seed,
        ),
    )
    with limit_to_one_thread():
        return FittedPipeline(pipeline.fit(rows, labels))
