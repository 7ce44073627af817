"""A hundred challengers on one holdout: which rules promote those without a gain, and miss those with one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.simulations.table import MeasuredRate, ResultTable
from lockgate import Evidence, Policy, Ruling, State, judge
from lockgate.gates.stats.proportions import mcnemar_p
from lockgate.gates.stats.scored import Floats

ROWS, LOOKS, CHAMPION, DISAGREE = 10_000, 100, 0.9, 0.05
ALPHA = 0.05
GAINS = (0.005, 0.01, 0.02)

Rule = Callable[[Floats, Floats, Floats], NDArray[Any]]
"""Rows that only the challenger, only the champion, and both get right → whether the challenger is promoted."""


def _difference(won: Floats, lost: Floats, margin: float) -> Floats:
    return np.asarray((won - lost) / ROWS >= margin - 1e-12)


def _interval_above_zero(won: Floats, lost: Floats) -> Floats:
    error = np.sqrt(np.maximum(won + lost - (won - lost) ** 2 / ROWS, 0.0))
    return np.asarray(won - lost > special.ndtri(0.975) * error)


def _ease_ml_ci(won: Floats, lost: Floats) -> Floats:
    """n − o > 0 with Hoeffding's tolerance for two variables and 100 looks."""
    tolerance = 2 * math.sqrt(math.log(2 * LOOKS / ALPHA) / (2 * ROWS))
    return np.asarray((won - lost) / ROWS > tolerance)


RULES: dict[str, Rule] = {
    "metric >= champion": lambda won, lost, _: _difference(won, lost, 0.0),
    "absolute floor at the champion's level": lambda won, _, both: np.asarray((won + both) / ROWS >= CHAMPION - 1e-12),
    "difference >= half a point": lambda won, lost, _: _difference(won, lost, 0.005),
    "tolerance: difference >= minus half a point": lambda won, lost, _: _difference(won, lost, -0.005),
    "paired 95% interval above 0, each time": lambda won, lost, _: _interval_above_zero(won, lost),
    "exact McNemar at .05, each time": lambda won, lost, _: mcnemar_p(won, lost) <= ALPHA,
    "ease.ml/ci's bound, n - o > 0": lambda won, lost, _: _ease_ml_ci(won, lost),
    "**lockgate: exact McNemar at .05/100**": lambda won, lost, _: mcnemar_p(won, lost) <= ALPHA / LOOKS,
}


def _counts(rng: np.random.Generator, right: Floats, accuracy: Floats | float, gain: float) -> tuple[Floats, Floats]:
    """Rows won from and lost to a champion that is right on `right` rows of the holdout."""
    won = rng.binomial((ROWS - right).astype(np.int64), (DISAGREE + gain) / 2 / (1 - accuracy))
    lost = rng.binomial(right.astype(np.int64), (DISAGREE - gain) / 2 / accuracy)
    return won.astype(np.float64), lost.astype(np.float64)


def rules(*, runs: int, seed: int = 4) -> ResultTable:
    """What rules do with a hundred challengers without a gain, one with a gain, and a hundred with a loss."""
    rng = np.random.default_rng(seed)
    right = np.repeat(rng.binomial(ROWS, CHAMPION, runs), LOOKS).astype(np.float64)
    won, lost = _counts(rng, right, CHAMPION, 0.0)
    first = rng.binomial(ROWS, CHAMPION, runs).astype(np.float64)
    better = {gain: (*_counts(rng, first, CHAMPION, gain),) for gain in GAINS}
    lines = []
    for name, rule in RULES.items():
        ours = name.startswith("**")
        any_false = rule(won, lost, right - lost).reshape(runs, LOOKS).any(axis=1)
        promotions = {gain: rule(*better[gain], first - better[gain][1]) for gain in GAINS}
        promoted, accuracy = _drift(rule, runs=runs, seed=seed)
        lines.append(
            (
                name,
                MeasuredRate.of(any_false, at_most=ALPHA if ours else None),
                MeasuredRate.of(promotions[0.005]),
                MeasuredRate.of(promotions[0.01], at_least=0.85 if ours else None),
                MeasuredRate.of(promotions[0.02]),
                f"{promoted:.1f}",
                f"{accuracy:.3f}".removeprefix("0"),
            )
        )
    return ResultTable(
        title="A hundred looks at one holdout",
        description=(
            f"{LOOKS} challengers are compared with a champion of accuracy .90 on the same {ROWS:,} rows; each gets "
            "5% of them right or wrong where the champion does not. The probability that any of a hundred without a "
            "gain is promoted (asked: at most .05), the probability that one with a true gain of half a point, one "
            "(asked: at least .85) or two is; and, of a hundred that are each truly half a point worse than the one "
            "that reigns, how many are promoted, and what accuracy is left."
        ),
        head=(
            "rule",
            "any false promotion",
            "+0.5 points",
            "+1 point",
            "+2 points",
            "worse ones promoted",
            "accuracy then",
        ),
        rows=tuple(lines),
        seed=seed,
    )


def _drift(rule: Rule, *, runs: int, seed: int) -> tuple[float, float]:
    """Of a hundred challengers, each half a point worse than the champion: how many win, and the final accuracy."""
    rng = np.random.default_rng([seed, 1])
    right = rng.binomial(ROWS, CHAMPION, runs).astype(np.float64)
    accuracy, promoted = np.full(runs, CHAMPION), np.zeros(runs)
    for _ in range(LOOKS):
        won, lost = _counts(rng, right, accuracy, -0.005)
        passed = rule(won, lost, right - lost)
        right, accuracy = np.where(passed, right + won - lost, right), np.where(passed, accuracy - 0.005, accuracy)
        promoted += passed
    return float(promoted.mean()), float(accuracy.mean())


def engine(*, runs: int, seed: int = 5) -> ResultTable:
    """The same through `judge` at a smaller size: whole decisions, with the ledger between them."""
    lines = []
    for gain in (0.0, 0.04):
        promoted = np.array([_season(np.random.default_rng([seed, int(gain * 100), run]), gain) for run in range(runs)])
        first, any_of_twenty = promoted.T
        nominal = {"at_most": ALPHA} if gain == 0 else {}
        lines.append((f"a true gain of {gain:.0%}", MeasuredRate.of(first), MeasuredRate.of(any_of_twenty, **nominal)))
    return ResultTable(
        title="Twenty looks through the whole engine",
        description=(
            "`judge` with `schedule: {kind: fixed, looks: 20}` and `improvement` of accuracy at margin 0; 20 "
            "challengers in turn on one holdout of 1,000 rows, d = 10%, the state passed on from one to the next. "
            "Asked: any promotion without a gain, at most .05."
        ),
        head=("challengers", "the first is promoted", "any of twenty is"),
        rows=tuple(lines),
        seed=seed,
    )


ENGINE_POLICY = Policy.parse(
    {
        "if_no_champion": "absolute_only",
        "confidence": 0.95,
        "clusters": "if_present",
        "min_clusters": 10,
        "min_class_rows": 2,
        "serial_dependence": "if_ordered",
        "schedule": {"kind": "fixed", "looks": 20},
        "disclose": "all",
        "valid_for": "90d",
        "checks": {"gain": {"kind": "improvement", "metric": "accuracy", "margin": 0.0}},
    }
)


def _season(rng: np.random.Generator, gain: float) -> tuple[bool, bool]:
    """Whether the first of twenty challengers is promoted, and whether any is."""
    n, d = 1000, 0.1
    right, state = rng.random(n) < CHAMPION, State()
    verdicts = []
    for _ in range(20):
        share = np.where(right, (d - gain) / 2 / CHAMPION, (d + gain) / 2 / (1 - CHAMPION))
        better = right ^ (rng.random(n) < share)
        decision = judge(
            ENGINE_POLICY, Evidence.from_arrays(label=np.ones(n), challenger=better, champion=right), state
        )
        verdicts.append(decision.verdict is Ruling.PROMOTE)
        state = decision.state
    return verdicts[0], any(verdicts)


def probing(*, runs: int, seed: int = 6) -> ResultTable:
    """What 99 answers are worth to somebody who tunes to them instead of improving the model."""
    probes, disputed = 99, 1_000
    passed = np.array([_probe_and_tune(np.random.default_rng([seed, run]), probes, disputed) for run in range(runs)])
    lines = []
    for name, column in zip(ANSWERS, passed.T, strict=True):
        nominal = {"at_most": 2 * ALPHA / LOOKS} if name.startswith("**") else {}
        lines.append((name, MeasuredRate.of(column, **nominal)))
    return ResultTable(
        title="Answers that were tuned on",
        description=(
            f"Somebody changes the champion's answer on a random half of {disputed:,} rows where it is right half of "
            f"the time, {probes} times, and then on the rows whose changes went with the better scores: no gain on "
            "new rows. The probability that this one passes .05/100, where none of the probes did and so retired the "
            "holdout. No schedule of looks helps where scores are shown; one bit an answer tells next to nothing "
            "(asked: at most .001)."
        ),
        head=("what each answer shows", "the tuned challenger passes"),
        rows=tuple(lines),
        seed=seed,
    )


ANSWERS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "the score": lambda won, lost: won - lost,
    "the score, rounded to 0.1 point": lambda won, lost: np.round((won - lost) / ROWS, 3),
    "the score, rounded to 1 point": lambda won, lost: np.round((won - lost) / ROWS, 2),
    "**promoted or not, at .05/100**": lambda won, lost: (mcnemar_p(won, lost) <= ALPHA / LOOKS).astype(np.float64),
}


def _probe_and_tune(rng: np.random.Generator, probes: int, disputed: int) -> list[bool]:
    """Whether the tuned challenger passes, for each kind of answer."""
    worth = rng.choice([-1.0, 1.0], disputed)  # of changing a row's answer
    changed = (rng.random((probes, disputed)) < 0.5).astype(np.float64)
    blind = rng.random(disputed) < 0.5
    gained, moved = changed @ worth, changed.sum(axis=1)
    won, lost = (moved + gained) / 2, (moved - gained) / 2
    if np.any(mcnemar_p(won, lost) <= ALPHA / LOOKS):
        return [False] * len(ANSWERS)
    passed = []
    for answer in ANSWERS.values():
        answers = answer(won, lost)
        pull = (answers - answers.mean()) @ (changed - 0.5)
        last = pull > 0 if np.any(pull) else blind
        final = np.array([np.count_nonzero(worth[last] == sign) for sign in (1.0, -1.0)], dtype=np.float64)
        passed.append(bool(mcnemar_p(final[:1], final[1:])[0] <= ALPHA / LOOKS))
    return passed
