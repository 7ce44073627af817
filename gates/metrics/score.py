"""Metrics of scores that say themselves how good a row is, as evaluations of language models and agents give them.

Task `score` has no label: a score is a number, and higher is better. Rows of one `query` are tries of one sample.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.metrics.metric import Family, Hits, Metric
from lockgate.gates.metrics.ranking import average_queries
from lockgate.gates.stats.lists import Lists
from lockgate.gates.stats.scored import Floats, Linear, Scored

MAX_TRIES = 1_000
"""The most tries that `pass_hat` may ask for."""


def mean_score(label: Floats, score: Floats, *, highest: float) -> Floats:  # noqa: ARG001 (there is no label)
    """Mean score over rows. With a number, scores lie between 0 and that number, and so do the bounds of one model.

    Without it nothing is known of the scale; bounds are symmetric and may pass its ends. Undefined if a score lies
    outside of a declared scale.
    """
    if highest:
        _check_scale(score, highest=highest, name=f"mean_score@{highest:.12g}")
    return score


def pass_rate(label: Floats, score: Floats, *, threshold: float) -> Hits:  # noqa: ARG001 (there is no label)
    """Share of rows with a score at or above the number."""
    return Hits((score >= threshold).astype(np.float64))


def pass_hat(scored: Scored, *, tries: int) -> Linear:
    """Mean over samples of the probability that so many independent tries of a sample all pass, written pass^k.

    A try passes with a score of 1, of scores between 0 and 1. Of a sample with c passes in n tries the estimate is
    C(c, k)/C(n, k), which is unbiased; a sample with fewer than k tries has none, and the metric is then undefined.
    Rows without a `query` are samples with one try each.
    Source: Yao, Shinn, Razavi and Narasimhan, τ-bench, arXiv 2406.12045 (2024).
    """
    _check_scale(scored.score, highest=1.0, name=f"pass_hat@{tries}")
    if scored.query is None:
        scored = replace(scored, query=np.arange(scored.label.size))
    samples = Lists.of(scored)
    passes = np.bincount(samples.of_row, weights=scored.score >= 1.0, minlength=samples.size.size)
    likelihood = np.ones(samples.size.size)
    for drawn in range(min(tries, int(samples.size.max(initial=0)))):
        remaining = np.maximum(samples.size - drawn, 1)
        likelihood *= np.maximum(passes - drawn, 0.0) / remaining
    likelihood[(samples.size < tries) & (samples.weight > 0)] = np.nan
    return average_queries(likelihood, samples, scored)


def _check_scale(score: Floats, *, highest: float, name: str) -> None:
    outside = np.count_nonzero((score < 0) | (score > highest))
    if outside:
        raise UnjudgeableError(
            f"{name}: {outside:,} scores lie outside 0 … {highest:.12g}",
            expected="scores on that scale",
            hint="mean_score takes any number, and pass_rate@… any threshold",
        )


def _mean_score(highest: float) -> Metric:
    return Metric.of_mean(
        partial(mean_score, highest=highest),
        name=f"mean_score@{highest:.12g}" if highest else "mean_score",
        task="score",
        unit="the score's",
        low=0.0 if highest else -math.inf,
        high=highest or math.inf,
        higher_is_better=True,
    )


def _pass_rate(threshold: float) -> Metric:
    return Metric.of_hits(partial(pass_rate, threshold=threshold), name=f"pass_rate@{threshold:.12g}", task="score")


def _pass_hat(number: float) -> Metric:
    tries = int(number)
    return Metric(
        name=f"pass_hat@{tries}",
        task="score",
        higher_is_better=True,
        low=0.0,
        high=1.0,
        unit="mean over samples",
        method="smooth",
        linearise=partial(pass_hat, tries=tries),
        needs=f"at least {tries} tries of every sample" if tries > 1 else "at least one try of every sample",
    )


SCORE: tuple[Family, ...] = (
    Family(
        name="mean_score",
        task="score",
        parameter="the highest score there can be, where the lowest is 0",
        default=0.0,
        low=0.001,
        high=1_000_000,
        whole=False,
        make=_mean_score,
    ),
    Family(
        name="pass_rate",
        task="score",
        parameter="the lowest score that passes",
        default=None,
        low=0.0,
        high=1_000_000,
        whole=False,
        make=_pass_rate,
    ),
    Family(
        name="pass_hat",
        task="score",
        parameter="how many tries must all pass",
        default=None,
        low=1,
        high=MAX_TRIES,
        whole=True,
        make=_pass_hat,
    ),
)
