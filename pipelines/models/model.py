"""What a model is to the rest of lockgate: two Protocols, and the checks that every model makes before it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from lockgate.gates.errors import ModelError
from lockgate.gates.evidence.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


# of every Params: frozen, no unknown key, no conversion, no NaN
PARAMS_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Fitted(Protocol):
    """A model that has learned: raw columns in, scores out."""

    @property
    def format(self) -> str:
        """The name under which `FORMATS` lists how to read the bytes back."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that `score` needs, in the order of training."""

    def score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Scores (n,), row-aligned: probability of 1 for task binary, the prediction for regression.

        Missing values and values never seen in training are scored alike. Columns may come in any order, and there
        may be more of them. No row gives no score.

        Raises:
            ModelError: a column is not there, or holds text where numbers were learned.
        """

    def to_bytes(self) -> bytes:
        """The whole model, preprocessing included; no pickle."""


class Model(Protocol):
    """One file of this package. Its name in `MODELS` is its `name` in conf/model/."""

    @property
    def Params(self) -> type[BaseModel]:  # noqa: N802 - it is a class
        """Its hyperparameters, all required, each within bounds."""

    @property
    def FORMAT(self) -> str:  # noqa: N802 - it is a constant
        """The name under which `FORMATS` lists how to read back what it makes."""

    def fit(self, frame: pd.DataFrame, labels: NDArray[np.float64], *, params: Any, task: Task, seed: int) -> Fitted:
        """The fitted model; the same arguments give the same scores.

        frame: (n, k) float64 columns, or text (str, NaN where missing). labels: float64 (n,), 0 or 1 for task binary.
        params: a `Params` of this model.

        Raises:
            ModelError: a task that it does not serve, or data that nothing can be learned from.
        """


def check_rows(frame: pd.DataFrame, labels: NDArray[np.float64], *, task: Task) -> None:
    """Nothing, if something can be learned from these rows.

    Raises:
        ModelError: no row, no column, no value, lengths that differ, a label that is missing or infinite or,
            for task binary, neither 0 nor 1, or one class only.
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
    if task == "binary" and (found := np.unique(labels)).tolist() != [0.0, 1.0]:
        listed = ", ".join(f"{value:g}" for value in found[:5])
        raise ModelError(f"labels are {listed}", expected="0 and 1, both of them, for task binary")
