"""What a metric is: a value, a direction, a range, and influence values that any interval can be built on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Task = Literal["binary", "regression"]


@dataclass(frozen=True, slots=True)
class Linear:
    """A metric's value on some rows and how each row moves it.

    value ≈ truth + weighted mean of `influence`, which is float64 (n,) with weighted mean 0.
    """

    value: float
    influence: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric by name.

    `linearise(label, score, weight)` takes float64 (n,) arrays (weight may be None), n >= 1, already
    checked to be finite and in range. `needs` names the label values without which it is undefined.
    """

    name: str
    task: Task
    higher_is_better: bool
    low: float
    high: float
    unit: str
    method: Literal["mean", "proportion", "delong", "smooth"]
    linearise: Callable[[Floats, Floats, Floats | None], Linear]
    needs: tuple[float, ...] = ()

    def gain(self, difference: float) -> float:
        """A difference challenger − champion, turned so that positive is better."""
        return difference if self.higher_is_better else -difference


def mean_of(loss: Floats, weight: Floats | None) -> Linear:
    """The weighted mean of a per-row loss, with its influence values."""
    value = float(loss.mean() if weight is None else np.average(loss, weights=weight))
    return Linear(value, loss - value)
