"""The standard error of a difference of quantiles, by a Poisson bootstrap over clusters in bounded memory.

In each resample, every unit (a cluster, or a row where there are no clusters) counts a Poisson number of times with
mean 1, the same for both models. Two shortcuts bound the memory. Units beyond 512 share a number, at random with regard
to their values. Of each model's distribution only the stretch around the quantile is followed, in 128 steps. A thousand
resamples of any number of rows are then one product of two small matrices per model and group.

The standard deviation over resamples is used with Student's t. In simulations its one-sided 95% bounds held in
94.5–98.7% of the cases (normal and t3 errors, clusters, q = .5 and .9, 100 to 2,000 rows), those of the percentile
interval in 95.8–99.2%, those of the basic interval in 92.0–94.2%.

Sources: Hanley and MacGibbon, Computer Methods and Programs in Biomedicine 83 (2006); Chamandy, Muralidharan,
Najmi and Naidu, Estimating uncertainty for massive data streams (2012).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.quantiles import SortedValues
from lockgate.gates.stats.scored import Codes, Floats

RESAMPLES = 1000
"""So many estimate a standard error to within 1/√2000, 2.2%."""

MAX_DRAWS = 512
"""Numbers drawn per resample. So many estimate a standard error to within 1/√1024, 3.1%."""

MAX_STEPS = 128
STRETCH_ERRORS = 8.0
"""How far the stretch that is followed reaches on either side of q, in standard errors of the share."""

SEED = 2013


def draw_poisson_counts(units: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.float32]:
    """Poisson numbers of mean 1, float32 (resamples, units); the same for the same seed on every machine."""
    uniform = np.random.PCG64(seed).random_raw(resamples * units) / 2.0**64
    reached = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(16)])
    return np.searchsorted(reached, uniform).astype(np.float32).reshape(resamples, units)


def quantile_difference_errors(
    first: SortedValues,
    second: SortedValues,
    q: float,
    *,
    units: Units,
    weight: Floats | None,
    code: Codes | None,
    seed: int = SEED,
) -> Floats:
    """Standard deviations over resamples of quantile(left) − quantile(right), one for each group (S,).

    Args:
        first, second: two values of the same rows, such as both models' errors.
        units: of those rows. weight, code: what the units were made with.

    Returns:
        float64 (S,); NaN in a group of fewer than two units.
    """
    block = _number_blocks(units, code, rows=units.size.size if units.of_row is None else units.of_row.size)
    counts = draw_poisson_counts(int(block.max(initial=0)) + 1, seed=seed)
    errors = np.full(first.count.size, np.nan)
    for group in np.flatnonzero((first.count > 1) & (units.weighted_units > 1)).tolist():
        first_quantiles, second_quantiles = (
            _resample_quantile(values, group, q, block=block, weight=weight, counts=counts)
            for values in (first, second)
        )
        errors[group] = np.nanstd(first_quantiles - second_quantiles, ddof=1)
    return errors


def _number_blocks(units: Units, code: Codes | None, *, rows: int) -> Codes:
    """The number that each row's unit draws (n,): units of a group are numbered in order, and start again at 512."""
    unit = np.arange(rows) if units.of_row is None else units.of_row
    group = np.zeros(rows, dtype=np.intp) if code is None else code
    order = np.lexsort((unit, group))
    new_group = np.diff(group[order], prepend=-1) != 0
    new_unit = new_group | (np.diff(unit[order], prepend=-1) != 0)
    number = np.cumsum(new_unit) - 1
    first = np.maximum.accumulate(np.where(new_group, number, 0))
    block = np.empty(rows, dtype=np.intp)
    block[order] = (number - first) % MAX_DRAWS
    return block


def _resample_quantile(
    sample: SortedValues, group: int, q: float, *, block: Codes, weight: Floats | None, counts: NDArray[np.float32]
) -> Floats:
    """The quantile of one group in every resample (B,); NaN where no row was drawn."""
    part = slice(sample.starts[group], sample.starts[group] + sample.count[group])
    rows, share_upto, values = sample.rows[part], sample.share_upto[part], sample.values[part]
    own = block[rows]
    mass = np.ones(rows.size) if weight is None else weight[rows] / weight[rows].max()
    width = int(own.max()) + 1
    size = np.bincount(own, weights=mass, minlength=width)
    middle = int(np.searchsorted(share_upto, q))
    below = np.bincount(own[: middle + 1], weights=mass[: middle + 1], minlength=width)
    share_error = np.sqrt(np.sum((below - q * size) ** 2)) / size.sum()
    first, last = np.searchsorted(share_upto, [q - STRETCH_ERRORS * share_error, q + STRETCH_ERRORS * share_error])
    last = min(int(last), rows.size - 1)
    places = np.unique(np.linspace(first, last, min(MAX_STEPS, last - int(first) + 1)).astype(np.intp))
    cell = own * (places.size + 1) + np.searchsorted(places, np.arange(rows.size))
    table = np.bincount(cell, weights=mass, minlength=width * (places.size + 1)).reshape(width, -1)
    drawn = counts[:, :width]
    total = drawn @ size.astype(np.float32)  # exact enough for steps of an eighth of a standard error
    reached = drawn @ np.cumsum(table[:, :-1], axis=1).astype(np.float32)
    step = np.minimum(np.count_nonzero(reached < np.float32(q) * total[:, None], axis=1), places.size - 1)
    return np.where(total > 0, values[places[step]], np.nan)
