"""How many labels a bound that holds for every distribution asks for: the estimator that ease.ml/ci released.

`lockgate plan` shows it beside its own number. bench/label_bounds.py compares it with other such bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def hoeffding_rows(coefficients: Sequence[float], *, tolerance: float, error: float, steps: int) -> int:
    """Labels for one condition on shares, such as `n - o > .02 +/- .01`: max c² r² ln(r H/δ)/(2ε²) over its variables.

    Args:
        coefficients: c, of the condition's r variables. `n - o > .02 +/- .01` has (1, 1): only the size counts.
        tolerance: ε, split evenly over the variables.
        error: δ, 1 − reliability.
        steps: H looks at the same rows, whose results developers do not see.

    Source: Renggli et al., *Continuous Integration of Machine Learning Models with ease.ml/ci*, MLSys 2019, and its
    released code. Its tool rounds a whole number of labels up to the next; this does not.
    """
    r = len(coefficients)
    largest = max(abs(c) for c in coefficients)
    return math.ceil(largest**2 * r**2 * math.log(r * steps / error) / (2 * tolerance**2))
