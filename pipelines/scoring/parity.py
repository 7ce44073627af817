"""The model's bytes, loaded by a process that did not train it, on some rows: the fact `parity`."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import LockgateError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARITY_ROWS = 256


def measure_parity(answer: Future[tuple[str, NDArray[np.float64]]], scores: NDArray[np.float64]) -> dict[str, Any]:
    """The fact `parity`: how far the answer is from these scores (k,), or `problem` if there is no answer.

    answer: what `Confinement.score` returns for the same k rows.
    """
    import numpy as np

    try:
        python, again = answer.result()
    except LockgateError as err:
        return {"problem": str(err)}
    max_difference = float(np.abs(again - scores).max(initial=0.0))
    if not np.isfinite(max_difference):
        return {"problem": "scores are not finite"}
    return {"rows": int(scores.size), "max_difference": max_difference, "python": python}
