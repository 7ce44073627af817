"""From arrays to a decision, against sorting the scores and against scikit-learn's values, and how it grows."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn import metrics

from bench.timing import print_ratio, time_alternately
from lockgate import Evidence, Policy, judge

SLICES = 200
COMPARED_RESAMPLES = 1000
_SLICED = ("auc", "log_loss", "accuracy", "brier")
_SLICED_KEYS = {"require": "no_proven_harm", "min_rows": 200, "small_slice": "skip"}
_KEYS = """
if_no_champion: absolute_only
confidence: 0.95
clusters: if_present
min_clusters: 10
min_class_rows: 2
serial_dependence: if_ordered
schedule: {kind: fixed, looks: 20}
disclose: all
valid_for: 90d
"""
_CHECKS = """
  floor:      {kind: threshold, metric: auc, min: 0.60, decide: bound}
  auc:        {kind: improvement, metric: auc, margin: -0.01}
  log_loss:   {kind: improvement, metric: log_loss, margin: 0.001}
  accuracy:   {kind: improvement, metric: accuracy, margin: -0.01}
  brier:      {kind: improvement, metric: brier, margin: -0.01}
  calibrated: {kind: calibration, measure: ece, max: 0.10, decide: bound}
"""
POLICY_TEXT = f"{_KEYS.lstrip()}checks:{_CHECKS}"
"""The policy of six gates, as a file has it."""


def make_policy(*columns: str) -> Policy:
    """A policy on auc, log loss, accuracy, Brier and ece, and on the first four in every slice of each column."""
    declared = {**yaml.safe_load(_KEYS), "checks": yaml.safe_load(_CHECKS)}
    for column in columns:
        for metric in _SLICED:
            declared["checks"][f"{column}_{metric}"] = {
                "kind": "slices",
                "by": column,
                "metric": metric,
                "margin": -0.02,
                **_SLICED_KEYS,
            }
    return Policy.parse(declared)


def make_slices_policy(*, sliced: bool) -> Policy:
    """A policy that compares the models in auc, log loss, accuracy and Brier: in each of 200 slices, or on all rows."""
    checks = {
        metric: {"kind": "slices", "by": "one", "metric": metric, "margin": -0.02, **_SLICED_KEYS}
        if sliced
        else {"kind": "improvement", "metric": metric, "margin": -0.01}
        for metric in _SLICED
    }
    return Policy.parse({**yaml.safe_load(_KEYS), "checks": checks})


def make_pair_policy() -> Policy:
    """A policy of two gates: the models' auc and log loss, on all rows."""
    checks = {metric: {"kind": "improvement", "metric": metric, "margin": -0.01} for metric in _SLICED[:2]}
    return Policy.parse({**yaml.safe_load(_KEYS), "checks": checks})


def draw_evidence(n: int, *, clusters: int | None) -> Evidence:
    """n rows, 22% positive, two models that see the truth through noise, two slice columns of 200 values."""
    rng = np.random.default_rng(0)
    risk = rng.normal(size=n)
    return Evidence.from_arrays(
        label=(rng.random(n) < 1 / (1 + np.exp(1.6 - risk))).astype(np.float64),
        challenger=1 / (1 + np.exp(1.6 - risk - 0.2 * rng.normal(size=n))),
        champion=1 / (1 + np.exp(1.6 - risk - 0.4 * rng.normal(size=n))),
        row_id=np.arange(n),
        cluster=None if clusters is None else rng.integers(0, clusters, n),
        slices={"one": rng.integers(0, SLICES, n), "two": rng.integers(0, SLICES, n)},
    )


def sort_scores(evidence: Evidence) -> None:
    """G, the least work there is: sort both score vectors once, and gather scores and labels in that order."""
    for score in _scores(evidence):
        order = np.argsort(score)
        score[order], evidence.label[order]


def name_simd() -> str:
    """The widest vector instructions that NumPy found: its sort, and with it G, is several times as fast with them."""
    from numpy._core import _multiarray_umath as umath

    usable = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    return usable[-1] if usable else "none beyond the baseline"


def compute_points(evidence: Evidence, *, codes: NDArray[np.intp] | None) -> None:
    """scikit-learn's values of the same metrics, for all rows and for each slice, without intervals."""
    label = evidence.label
    for score in _scores(evidence):
        for own in [slice(None)] if codes is None else [slice(None), *(codes == code for code in range(SLICES))]:
            metrics.roc_auc_score(label[own], score[own])
            metrics.log_loss(label[own], score[own])
            metrics.accuracy_score(label[own], score[own] >= 0.5)
            metrics.brier_score_loss(label[own], score[own])


def _scores(evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if evidence.champion is None:
        raise ValueError("the bench compares two models")
    return evidence.challenger, evidence.champion


def measure() -> None:
    """Time whole judgements of 30,000 and 1,000,000 rows, their memory, and the growth up to 10,000,000 rows."""
    print(f"vector instructions: {name_simd()}")  # noqa: T201
    for n, clusters in ((30_000, 31), (1_000_000, None), (1_000_000, 31), (1_000_000, 50_000)):
        evidence = draw_evidence(n, clusters=clusters)
        name = f"judge, {n:,} rows, 200 slices, {f'{clusters:,} clusters' if clusters else 'no clusters'}"
        runs = [partial(judge, make_policy(*columns), evidence) for columns in (("one",), ("one", "two"))]
        ours, further, floor = time_alternately(*runs, partial(sort_scores, evidence), times=5)
        print_ratio(name, ours, floor, against="two sorts, four gathers", goal="none")
        print_ratio("  each further column of 200 slices", further - ours, floor, against="the same", goal="none")
        if n == 1_000_000:
            compared = [make_pair_policy(), make_slices_policy(sliced=False), make_slices_policy(sliced=True)]
            times = time_alternately(*(partial(judge, policy, evidence) for policy in compared), times=5)
            for part, seconds, goal in zip(
                ("two gates", "four gates", "four gates in 200 slices"),
                times,
                ("at most 2", "none", "at most 4"),
                strict=True,
            ):
                print_ratio(f"  {part}", seconds, floor, against="the same", goal=goal)
        tracemalloc.start()
        judge(make_policy("one"), evidence)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"{'  memory beyond the evidence':<58} {peak / (16 * n):6.2f} × its two score vectors (goal: at most 8)")  # noqa: T201
        if clusters == 31:
            _against_scikit_learn(evidence, runs[0])
    _growth()


def _against_scikit_learn(evidence: Evidence, ours: Callable[[], object]) -> None:
    codes = evidence.slices["one"].codes
    seconds = time_alternately(
        ours, partial(compute_points, evidence, codes=codes), partial(compute_points, evidence, codes=None), times=1
    )
    print_ratio("  scikit-learn's points, sliced", seconds[1], seconds[0], against="this judgement", goal="at least 15")
    booted = COMPARED_RESAMPLES * seconds[1]
    print_ratio(
        f"  {COMPARED_RESAMPLES:,} resamples of them, by extension",
        booted,
        seconds[0],
        against="this judgement",
        goal="1,000",
    )


def _growth() -> None:
    """Print seconds per n log n at 10^5, 10^6 and 10^7 rows, as a ratio to the first."""
    unit = 0.0
    for n in (100_000, 1_000_000, 10_000_000):
        evidence = draw_evidence(n, clusters=365)
        run = partial(judge, make_policy("one"), evidence)
        run()
        started = time.perf_counter()
        run()
        per = (time.perf_counter() - started) / (n * math.log2(n))
        unit = unit or per
        print(f"{f'  seconds per n log n, {n:,} rows':<58} {per / unit:6.2f} × that of 100,000 rows (goal: flat)")  # noqa: T201
