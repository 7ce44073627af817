"""The mean of a gain over periods, with an error that holds for periods to come as well as for those seen."""

from __future__ import annotations

import numpy as np

from lockgate.gates.stats.scored import Floats


def mean_over_periods(
    value: Floats, variance: Floats, *, shared: Floats | float = 0.0
) -> tuple[Floats, Floats, Floats]:
    """The unweighted mean of K estimates, its standard error, and its degrees of freedom, each (…).

    A period's estimate is the mean of interest, plus what is peculiar to the period (variance τ², between periods),
    plus sampling error (variance v_k, within the period; c between two periods that share clusters). So the variance
    of the mean is (τ² + v̄ + (K − 1) c̄)/K, with averages v̄ and c̄. The sample variance s² of the estimates has the
    expectation τ² + v̄ − c̄, hence τ² is estimated by max(0, s² − v̄ + c̄). Without shared clusters the squared error is
    max(s², v̄)/K: never smaller than what rows alone leave in doubt, as if periods did not differ.

    Args:
        value, variance: float64 (…, K), K >= 2. NaN in one makes all three results NaN.
        shared: the average covariance c̄ of two periods' estimates (…); below 0 it counts as 0.

    Returns:
        (mean, error, degrees of freedom): float64 (…); the degrees of freedom are K − 1.

    Source: Student's t with K − 1 degrees of freedom and s²/K is valid for independent normal estimates of unequal
    variances at one-sided levels up to .0416 (Bakirov and Székely 2005; Ibragimov and Müller, Journal of Business
    & Economic Statistics 28, 2010), and at .05 for K <= 14. It is the random-effects interval of Hartung and Knapp
    (Statistics in Medicine 20, 2001) and of Sidik and Jonkman (2002) with equal weights, and v̄ is the floor of its
    modified form, a factor of at least 1 (Röver, Knapp and Friede, BMC Medical Research Methodology 15, 2015).
    """
    periods = value.shape[-1]
    mean, between = value.mean(axis=-1), value.var(axis=-1, ddof=1)
    within, common = variance.mean(axis=-1), np.maximum(shared, 0.0)
    tau2 = np.maximum(between - within + common, 0.0)
    error = np.sqrt((tau2 + within + (periods - 1) * common) / periods)
    error = np.where(np.isnan(mean), np.nan, error)
    return mean, error, np.where(np.isnan(error), np.nan, periods - 1.0)


def mean_covariance(covariance: Floats) -> float:
    """The average of the covariances of two different periods, from all of them (K, K), K >= 2."""
    periods = len(covariance)
    return float((covariance.sum() - np.trace(covariance)) / (periods * (periods - 1)))
