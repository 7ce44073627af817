"""What a model is to the rest of lockgate: two Protocols, and the check that every model makes before it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from lockgate.gates.errors import ModelError
from lockgate.gates.evidence.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


# for every Params: frozen, no unknown keys, no conversions, no NaN
PARAMS_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Fitted(Protocol):
    """A fitted model: raw columns in, scores out."""

    @property
    def format(self) -> str:
        """The name under which `FORMATS` lists how to read the bytes back."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that `score` needs, in the order of training."""

    def score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Scores (n,), row-aligned: probability of 1 for task binary, the prediction for regression.

        A missing value scores like a value that never occurred in training. Columns may be in any order, and further
        columns are ignored. No rows give no scores.

        Raises:
            ModelError: a column is missing, or holds text where training had numbers.
        """

    def to_bytes(self) -> bytes:
        """The whole model, preprocessing included; no pickle."""


class Model(Protocol):
    """A file of this package. Its key in `MODELS` is its `name` in conf/model/."""

    @property
    def Params(self) -> type[BaseModel]:  # noqa: N802 - it is a class
        """Its hyperparameters: all required, all with bounds."""

    @property
    def FORMAT(self) -> str:  # noqa: N802 - it is a constant
        """The name under which `FORMATS` lists how to read back what `fit` makes."""

    def fit(self, frame: pd.DataFrame, labels: NDArray[np.float64], *, params: Any, task: Task, seed: int) -> Fitted:
        """Fit the model. The same arguments give the same scores.

        frame: (n, k) float64 columns, or text (str, NaN where missing). labels: float64 (n,), 0 or 1 for task binary.
        params: a `Params` of this model.

        Raises:
            ModelError: the model does not support the task, or nothing can be learned from the data.
        """


def check_rows(frame: pd.DataFrame, labels: NDArray[np.float64], *, task: Task) -> None:
    """Raise ModelError if nothing can be learned from these rows.

    That is: no row, no column, or no value; lengths that differ; a label that is missing or infinite; for task binary,
    a label that is neither 0 nor 1, or only one class.
    """
    import numpy as np

    rows, width = frame.shape
    if not rows or not width:
        raise ModelError(f"nothing to learn from: {rows} rows of {width} columns", expected="at least one of each")
    if frame.isna().all(axis=None):
        raise ModelError(f"nothing to learn from: no value in {rows} rows of {width} columns", expected="at least one")
    if labels.shape != (rows,):
        raise ModelError(f"{rows} rows but labels of shape {labels.shape}", expected=f"({rows},)")
    if not np.isfinite(labels).all():
        raise ModelError(f"{int((~np.isfinite(labels)).sum())} labels are missing or infinite", expected="none")
    if task == "binary" and (classes := np.unique(labels)).tolist() != [0.0, 1.0]:
        listed = ", ".join(f"{value:g}" for value in classes[:5])
        raise ModelError(f"labels are {listed}", expected="0 and 1, both of them, for task binary")
