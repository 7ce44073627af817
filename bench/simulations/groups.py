"""Many slices at once, gaps between groups, and alternatives of which one has to pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from bench.simulations.table import MeasuredRate, ResultTable
from lockgate import Evidence, Outcome, Policy, Verdict, judge
from lockgate.gates.stats.proportions import holm, mcnemar_p, tango, tango_statistic
from lockgate.gates.stats.scored import Floats

ALPHA, BETA, SLICES, DISAGREE = 0.05, 0.1, 200, 0.05


def no_proven_harm(*, runs: int, seed: int = 7) -> ResultTable:
    """How often equal models are blocked because one of 200 slices looks harmed."""
    lines = []
    for n in (200, 1_000, 5_000):
        for margin in (0.0, -0.02):
            rng = np.random.default_rng([seed, n])
            won, lost = _counts(rng, n, gain=margin, size=(runs, SLICES))
            p = _harm(won, lost, n, margin)
            corrected = np.array([holm(of_run).min() for of_run in p])
            lines.append(
                (
                    f"{n:,} rows a slice, every slice truly at margin {margin:g}",
                    MeasuredRate.of(p.min(axis=1) <= ALPHA),
                    MeasuredRate.of(corrected <= ALPHA, at_most=ALPHA),
                )
            )
    return ResultTable(
        title="200 slices: no proven harm",
        description=(
            "`slices` with `require: no_proven_harm` on accuracy, d = 5%. The probability that some slice is called "
            "harmed though none is, without a correction and with Holm's (asked: at most .05)."
        ),
        head=("", "uncorrected", "with Holm"),
        rows=tuple(lines),
        seed=seed,
    )


def _harm(won: Floats, lost: Floats, n: int, margin: float) -> Floats:
    """The p-value of harm as the engine computes it: exact at margin 0, else Tango's."""
    if margin == 0:
        return mcnemar_p(lost, won)
    rows = np.full_like(won, n)
    return np.asarray(special.ndtr(-tango_statistic(lost, won, rows, difference=np.full_like(won, -margin))))


def non_inferior(*, runs: int, seed: int = 8) -> ResultTable:
    """How often equal models pass if each of 200 slices has to be shown non-inferior."""
    z = special.ndtri(1 - ALPHA) + special.ndtri(1 - BETA / SLICES)
    lines = []
    for margin in (0.02, 0.01):
        planned = math.ceil(z**2 * DISAGREE / margin**2)
        for n in (planned // 4, planned // 2, planned):
            rng = np.random.default_rng([seed, n])
            won, lost = _counts(rng, n, gain=0.0, size=(runs, SLICES))
            low, _ = tango(won.ravel(), lost.ravel(), np.full(won.size, float(n)), level=1 - ALPHA)
            passed = (low >= -margin).reshape(won.shape).all(axis=1)
            won, lost = _counts(rng, n, gain=0.0, size=(runs, SLICES))
            won[:, 0], lost[:, 0] = _counts(rng, n, gain=-margin, size=(runs,))
            low, _ = tango(won[:, 0], lost[:, 0], np.full(runs, float(n)), level=1 - ALPHA)
            as_planned = {"at_least": 1 - BETA} if n == planned else {}
            lines.append(
                (
                    f"{n:,} rows a slice, margin {margin:.0%}",
                    MeasuredRate.of(passed, **as_planned),
                    MeasuredRate.of(low >= -margin, at_most=ALPHA),
                )
            )
    return ResultTable(
        title="200 slices: every one non-inferior",
        description=(
            "`slices` with `require: non_inferior` on accuracy, d = 5%, equal models: an intersection–union test that "
            "needs no correction, and rows. (z_α + z_{β/200})² d/m² of them a slice, the last line of each margin, "
            "are planned for 90% (asked: at least .90). The last column: a slice that truly loses the margin is shown "
            "not to (asked: at most .05)."
        ),
        head=("", "all slices pass", "a harmed slice passes"),
        rows=tuple(lines),
        seed=seed,
    )


def _counts(rng: np.random.Generator, n: int, *, gain: float, size: tuple[int, ...]) -> tuple[Floats, Floats]:
    drawn = rng.multinomial(n, [(DISAGREE + gain) / 2, (DISAGREE - gain) / 2, 1 - DISAGREE], size=size)
    return drawn[..., 0].astype(np.float64), drawn[..., 1].astype(np.float64)


def fairness(*, runs: int, seed: int = 9) -> ResultTable:
    """Gaps exactly at the limit, and smaller ones, through the engine."""
    check = {
        "kind": "fairness",
        "by": "group",
        "metric": "accuracy",
        "max": 0.05,
        "decide": "bound",
        "min_rows": 50,
        "small_slice": "inconclusive",
    }
    lines = []
    for shares in ((0.9, 0.85), (0.9, 0.85, 0.85, 0.85), (0.9, 0.9, 0.85, 0.85), (0.9,) * 4):
        for each in (0, 20):
            parts = _verdicts(check, shares, rows=800, each=each, runs=runs, seed=seed)
            listed_shares = ", ".join(f"{share:g}".removeprefix("0") for share in shares)
            lines.append(
                (
                    f"shares {listed_shares}, clusters of {each}" if each else f"shares {listed_shares}",
                    MeasuredRate.of(parts == Verdict.PASS, at_most=ALPHA if min(shares) < max(shares) else None),
                    MeasuredRate.of(parts == Verdict.FAIL, at_most=ALPHA),
                )
            )
    return ResultTable(
        title="Gaps between groups",
        description=(
            "`fairness` with `max: 0.05, decide: bound` on accuracy, 800 rows a group, also in clusters that lie in "
            "all groups, their rows with a latent correlation of .3. Where the largest true gap is exactly at the "
            "limit, PASS and FAIL "
            "are each an error (asked: at most .05); where there is no gap, FAIL is."
        ),
        head=("groups", "PASS", "FAIL"),
        rows=tuple(lines),
        seed=seed,
    )


def _verdicts(
    check: Mapping[str, Any], shares: tuple[float, ...], *, rows: int, each: int, runs: int, seed: int
) -> np.ndarray[Any, Any]:
    """Verdicts of a gate on runs where the challenger is right on these shares of the groups' rows."""
    policy = _policy({"gate": check})
    group = np.repeat(np.arange(len(shares)), rows)
    limit = special.ndtri(np.repeat(shares, rows))
    verdicts = []
    for run in range(runs):
        rng = np.random.default_rng([seed, len(shares), each, run])
        columns: dict[str, Any] = {}
        draw = rng.normal(size=group.size)
        if each:
            cluster = np.arange(group.size) % (rows // each)  # a cluster has rows in every group
            draw = np.sqrt(0.7) * draw + np.sqrt(0.3) * rng.normal(size=rows // each)[cluster]
            columns["cluster"] = cluster
        right = draw < limit
        evidence = Evidence.from_arrays(label=np.ones(group.size), challenger=right, slices={"group": group}, **columns)
        verdicts.append(judge(policy, evidence).outcomes[0].verdict)
    return np.array(verdicts)


def any_of(*, runs: int, seed: int = 10) -> ResultTable:
    """Several checks of which none, or one, is truly met, through the engine."""
    floor = {"kind": "threshold", "metric": "accuracy", "min": 0.9, "decide": "bound"}
    non_inferiority = {"kind": "improvement", "metric": "accuracy", "margin": -0.02}
    gained = {"kind": "improvement", "metric": "accuracy", "margin": 0.0}
    lines = []
    for names, checks, accuracy, gain in (
        ("a floor or non-inferiority, both exactly missed", {"floor": floor, "kept": non_inferiority}, 0.9, -0.02),
        ("a floor or a gain, neither true", {"floor": floor, "gained": gained}, 0.9, 0.0),
        ("a floor exactly met, or a gain that is not there", {"floor": floor, "gained": gained}, 0.9, -0.02),
    ):
        outcomes = _run_any_of(checks, accuracy, gain, runs=runs, seed=seed)
        verdicts = np.array([outcome.verdict for outcome in outcomes[0]])
        alone = np.array([[outcome.verdict is Verdict.PASS for outcome in of_run] for of_run in outcomes[1]])
        lines.append(
            (
                names,
                MeasuredRate.of(alone.any(axis=1)),
                MeasuredRate.of(verdicts == Verdict.PASS, at_most=ALPHA),
                MeasuredRate.of(verdicts == Verdict.FAIL, at_most=ALPHA),
            )
        )
    return ResultTable(
        title="Any of several checks",
        description=(
            "`any_of` on 1,000 rows, each check at the limit of being true. The probability that some check passes "
            "at the full level, and that the gate does, which shares the level among them (asked: at most .05); and "
            "that it is FAIL, which asks every check to be shown to be false (asked: at most .05)."
        ),
        head=("checks", "some passes alone", "PASS", "FAIL"),
        rows=tuple(lines),
        seed=seed,
    )


def _run_any_of(
    checks: Mapping[str, Mapping[str, Any]], accuracy: float, gain: float, *, runs: int, seed: int
) -> tuple[list[Outcome], list[tuple[Outcome, ...]]]:
    """For every run, the outcome of `any_of` and those of its checks as gates of their own."""
    together, alone = _policy({"gate": {"kind": "any_of", "checks": checks}}), _policy(checks)
    n, d = 1000, 0.1
    outcomes: tuple[list[Outcome], list[tuple[Outcome, ...]]] = ([], [])
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        ours = rng.random(n) < accuracy
        theirs = ours ^ (rng.random(n) < np.where(ours, (d + gain) / 2 / accuracy, (d - gain) / 2 / (1 - accuracy)))
        evidence = Evidence.from_arrays(label=np.ones(n), challenger=ours, champion=theirs)
        outcomes[0].append(judge(together, evidence).outcomes[0])
        outcomes[1].append(judge(alone, evidence).outcomes)
    return outcomes


def _policy(checks: Mapping[str, Any]) -> Policy:
    return Policy.parse(
        {
            "if_no_champion": "absolute_only",
            "confidence": 1 - ALPHA,
            "clusters": "if_present",
            "min_clusters": 10,
            "min_class_rows": 2,
            "serial_dependence": "if_ordered",
            "schedule": {"kind": "open"},
            "disclose": "all",
            "valid_for": "90d",
            "checks": dict(checks),
        }
    )
