"""The standard error of a difference of quantiles, by a Poisson bootstrap over clusters in bounded memory.

Every unit (a cluster, or a row where there are none) counts as often as a Poisson number of mean 1 says, the same
for both models. What is not needed is not resampled: units beyond 512 share a number, at random with regard to
their values, and of each model's distribution only the stretch around the quantile is followed, in 128 steps.
A thousand resamples of any number of rows are then one product of two small matrices per model and group.

The standard deviation of what they give is used with Student's t: in simulations its one-sided 95% bounds held in
94.5–98.7% (normal and t3 errors, clusters, q = .5 and .9, 100 to 2,000 rows), the percentile interval's in 95.8–99.2%,
the basic interval's in 92.0–94.2%.

Sources: Hanley and MacGibbon, Computer Methods and Programs in Biomedicine 83 (2006); Chamandy, Muralidharan,
Najmi and Naidu, Estimating uncertainty for massive data streams (2012).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.quantiles import Sorted
from lockgate.gates.stats.scored import Codes, Floats

RESAMPLES = 1000
"""They know a standard error to 1/√2000, 2.2%."""

BLOCKS = 512
"""Numbers drawn for one resample; as many know a standard error to 1/√1024, 3.1%."""

STEPS = 128
SPAN = 8.0
"""The stretch followed: this many standard errors of the share, on either side of q."""

SEED = 2013


def poisson_counts(units: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.float32]:
    """Poisson numbers of mean 1, float32 (resamples, units); the same for the same seed on every machine."""
    uniform = np.random.PCG64(seed).random_raw(resamples * units) / 2.0**64
    reached = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(16)])
    return np.searchsorted(reached, uniform).astype(np.float32).reshape(resamples, units)


def quantile_difference_errors(
    left: Sorted, right: Sorted, q: float, *, units: Units, weight: Floats | None, code: Codes | None, seed: int = SEED
) -> Floats:
    """Standard deviations over resamples of quantile(left) − quantile(right), one for each group (S,).

    Args:
        left, right: two values of the same rows, such as both models' errors.
        units: of those rows; weight, code: as they were made with.

    Returns:
        float64 (S,); NaN in a group of fewer than two units.
    """
    block = _blocks(units, code, rows=units.size.size if units.of_row is None else units.of_row.size)
    counts = poisson_counts(int(block.max(initial=0)) + 1, seed=seed)
    errors = np.full(left.count.size, np.nan)
    for group in np.flatnonzero((left.count > 1) & (units.carried > 1)).tolist():
        one, other = (_resampled(held, group, q, block=block, weight=weight, counts=counts) for held in (left, right))
        errors[group] = np.nanstd(one - other, ddof=1)
    return errors


def _blocks(units: Units, code: Codes | None, *, rows: int) -> Codes:
    """The number that each row's unit draws (n,): units of a group are numbered in order, and start again at 512."""
    unit = np.arange(rows) if units.of_row is None else units.of_row
    group = np.zeros(rows, dtype=np.intp) if code is None else code
    order = np.lexsort((unit, group))
    new_group = np.diff(group[order], prepend=-1) != 0
    new_unit = new_group | (np.diff(unit[order], prepend=-1) != 0)
    number = np.cumsum(new_unit) - 1
    first = np.maximum.accumulate(np.where(new_group, number, 0))
    block = np.empty(rows, dtype=np.intp)
    block[order] = (number - first) % BLOCKS
    return block


def _resampled(
    held: Sorted, group: int, q: float, *, block: Codes, weight: Floats | None, counts: NDArray[np.float32]
) -> Floats:
    """The quantile of one group in every resample (B,); NaN where no row was drawn."""
    part = slice(held.starts[group], held.starts[group] + held.count[group])
    rows, upto, values = held.rows[part], held.upto[part], held.values[part]
    own = block[rows]
    mass = np.ones(rows.size) if weight is None else weight[rows] / weight[rows].max()
    width = int(own.max()) + 1
    size = np.bincount(own, weights=mass, minlength=width)
    middle = int(np.searchsorted(upto, q))
    below = np.bincount(own[: middle + 1], weights=mass[: middle + 1], minlength=width)
    share_error = np.sqrt(np.sum((below - q * size) ** 2)) / size.sum()
    first, last = np.searchsorted(upto, [q - SPAN * share_error, q + SPAN * share_error])
    last = min(int(last), rows.size - 1)
    places = np.unique(np.linspace(first, last, min(STEPS, last - int(first) + 1)).astype(np.intp))
    cell = own * (places.size + 1) + np.searchsorted(places, np.arange(rows.size))
    table = np.bincount(cell, weights=mass, minlength=width * (places.size + 1)).reshape(width, -1)
    drawn = counts[:, :width]
    total = drawn @ size.astype(np.float32)  # exact enough for steps of an eighth of a standard error
    reached = drawn @ np.cumsum(table[:, :-1], axis=1).astype(np.float32)
    step = np.minimum(np.count_nonzero(reached < np.float32(q) * total[:, None], axis=1), places.size - 1)
    return np.where(total > 0, values[places[step]], np.nan)
