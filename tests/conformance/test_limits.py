"""Values below, at and above a limit, for every kind that has one: a limit that is met is met, to 1e-12.

The limit is put where the kind's own bound lies, so that the triple is one of the whole path from rows to verdict. Of
kinds that are not in `LIMITS`, the limits are the numbers of their example that declare which way is stricter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence, Outcome, Verdict
from lockgate.gates import strictness
from lockgate.gates.kinds import KINDS
from lockgate.gates.strictness import declared_rules
from tests.gates.conftest import Make

NEAR, BEYOND = 1e-13, 1e-9
TWO_SITES = {"slices": {"site": np.array(["north", "south"])[np.arange(600) % 2]}}


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How one kind's limit is set, and what it is compared with.

    check: the gate with its limit at a number. seen: the number that decides. up: whether the limit is stricter
    where it is larger.
    """

    check: Callable[[Any, float], Mapping[str, Any]]
    seen: Callable[[Outcome], float]
    up: bool
    loose: float
    arrays: Mapping[str, Any] | None = None


def example_with(kind: str, key: str, **others: Any) -> Callable[[Any, float], Mapping[str, Any]]:
    """The kind's example, with the limit under `key`."""
    return lambda make, limit: make.check(kind, **others, **{key: limit})


SCORES_DRIFT = {"kind": "drift", "of": "scores", "measure": "js", "against": "champion"}

LIMITS = {
    ("threshold", "min, bound"): Limit(
        check=example_with("threshold", "min", metric="accuracy"), seen=lambda outcome: outcome.low, up=True, loose=0.5
    ),
    ("threshold", "min, point"): Limit(
        check=example_with("threshold", "min", metric="accuracy", decide="point"),
        seen=lambda outcome: outcome.observed,
        up=True,
        loose=0.5,
    ),
    ("threshold", "max, bound"): Limit(
        check=example_with("threshold", "max", min=0.001, metric="log_loss"),
        seen=lambda outcome: outcome.high,
        up=False,
        loose=0.9,
    ),
    ("threshold", "max, point"): Limit(
        check=example_with("threshold", "max", min=0.001, metric="log_loss", decide="point"),
        seen=lambda outcome: outcome.observed,
        up=False,
        loose=0.9,
    ),
    ("improvement", "a gain"): Limit(
        check=example_with("improvement", "margin", metric="log_loss"),
        seen=lambda outcome: -outcome.high,
        up=True,
        loose=1e-6,
    ),
    ("improvement", "a gain in a share"): Limit(
        check=example_with("improvement", "margin", metric="accuracy"),
        seen=lambda outcome: outcome.low,
        up=True,
        loose=1e-6,
    ),
    ("slices", "non_inferior"): Limit(
        check=example_with("slices", "margin", metric="log_loss"),
        seen=lambda outcome: min(-part.high for part in outcome.parts),
        up=True,
        loose=1e-6,
    ),
    ("periods", "every"): Limit(
        check=example_with("periods", "margin", metric="log_loss"),
        seen=lambda outcome: min(-part.high for part in outcome.parts),
        up=True,
        loose=1e-6,
    ),
    ("periods", "mean"): Limit(
        check=example_with("periods", "margin", metric="log_loss", require="mean"),
        seen=lambda outcome: -outcome.high,
        up=True,
        loose=1e-6,
    ),
    ("fairness", "bound"): Limit(
        check=example_with("fairness", "max"), seen=lambda outcome: outcome.high, up=False, loose=0.9, arrays=TWO_SITES
    ),
    ("fairness", "point"): Limit(
        check=example_with("fairness", "max", decide="point"),
        seen=lambda outcome: outcome.observed,
        up=False,
        loose=0.9,
    ),
    ("calibration", "bound"): Limit(
        check=example_with("calibration", "max"),
        seen=lambda outcome: max(-outcome.low, outcome.high),
        up=False,
        loose=0.9,
    ),
    ("calibration", "point"): Limit(
        check=example_with("calibration", "max", decide="point"),
        seen=lambda outcome: abs(outcome.observed),
        up=False,
        loose=0.9,
    ),
    ("condition", "a share"): Limit(
        check=lambda make, limit: {"kind": "condition", "condition": f"n > {limit!r} +/- 0.5"},
        seen=lambda outcome: outcome.low,
        up=True,
        loose=0.5,
    ),
    ("condition", "a gain"): Limit(
        check=lambda make, limit: {"kind": "condition", "condition": f"n - o > {limit:.17f} +/- 0.5"},
        seen=lambda outcome: outcome.low,
        up=True,
        loose=1e-6,
    ),
    ("condition", "changed decisions"): Limit(
        check=lambda make, limit: {"kind": "condition", "condition": f"d < {limit!r} +/- 0.5"},
        seen=lambda outcome: outcome.high,
        up=False,
        loose=0.9,
    ),
    ("any_of", "of one"): Limit(
        check=lambda make, limit: make.check(
            "any_of", checks={"one": make.check("threshold", metric="accuracy", min=limit)}
        ),
        seen=lambda outcome: outcome.low,
        up=True,
        loose=0.5,
    ),
    ("drift", "point"): Limit(
        check=lambda make, limit: {**SCORES_DRIFT, "decide": "point", "max": limit},
        seen=lambda outcome: outcome.observed,
        up=False,
        loose=0.99,
    ),
    ("drift", "bound"): Limit(
        check=lambda make, limit: {**SCORES_DRIFT, "decide": "bound", "max": limit},
        seen=lambda outcome: outcome.high,
        up=False,
        loose=0.99,
    ),
    ("data", "label_rate"): Limit(
        check=lambda make, limit: {"kind": "data", "label_rate": {"min": limit}},
        seen=lambda outcome: outcome.observed,
        up=True,
        loose=0.01,
    ),
}
"""Limits that are set, or met, in a way of their own."""

NO_LIMIT = {
    "leakage": "one row is too many",
    "provenance": "what is claimed holds, or does not",
    "parity": "no tolerance: 0 asks for the same bits",
}


def limits_of(kind: str) -> Iterator[tuple[tuple[str, str], Limit]]:
    """A limit for each number of the kind's example with a rule `higher` or `lower`, by the bound and by the point."""
    example = Make.checks.get(kind, {})
    for key, rule in declared_rules(KINDS[kind]).items():
        if not (isinstance(rule, strictness.Limit) and isinstance(example.get(key), float)):
            continue
        up = rule.stricter == "higher"
        for decide in ("bound", "point") if "decide" in example else ("point",):
            others = {"decide": decide} if "decide" in example else {}
            name = "observed" if decide == "point" else "low" if up else "high"
            check = example_with(kind, key, **others)
            yield (kind, f"{key}, {decide}"), Limit(check=check, seen=attrgetter(name), up=up, loose=example[key])


TABLED = {kind for kind, _ in LIMITS}
ALL_LIMITS = LIMITS | dict(
    limit for kind in KINDS if kind not in TABLED and kind not in NO_LIMIT for limit in limits_of(kind)
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_limits_or_says_why_not(kind: str) -> None:
    assert (kind in NO_LIMIT) != any(kind == limited for limited, _ in ALL_LIMITS), (
        f"no number of {kind}'s example declares `higher` or `lower`: say in tests/conformance/test_limits.py "
        "how its limit is set (LIMITS), or why it has none (NO_LIMIT)"
    )


@pytest.mark.parametrize("key", ALL_LIMITS, ids=", ".join)
def test_below_at_and_above(make: Any, key: tuple[str, str]) -> None:
    limit = ALL_LIMITS[key]
    evidence = make.evidence(**(limit.arrays or {}))

    def outcome(position: float) -> Outcome:
        return make.judge(limit.check(make, position), evidence).outcomes[0]

    loose = outcome(limit.loose)
    assert loose.verdict == Verdict.PASS, loose.message
    position, stricter = limit.seen(loose), 1.0 if limit.up else -1.0
    for offset, matches in ((-BEYOND, True), (-NEAR, True), (0.0, True), (NEAR, True), (BEYOND, False)):
        result = outcome(position + stricter * offset)
        assert (result.verdict == Verdict.PASS) is matches, (offset, result.message)
        assert result.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)


def pairs(challenger: float, champion: float, **options: Any) -> Evidence:
    """A hundred rows on which each model is off by the same, so that there is no error to estimate."""
    return Evidence.from_arrays(
        label=np.zeros(100),
        challenger=challenger + np.tile([0.01, 0.01, -0.01, -0.01], 25),
        champion=np.full(100, champion),
        task="regression",
        slices={"site": ["a", "b"] * 50},
        **options,
    )


@pytest.mark.parametrize(("challenger", "champion"), [(0.2, 0.3), (0.9, 0.95), (0.95, 0.9), (0.3, 0.2)])
@pytest.mark.parametrize("kind", ["improvement", "slices"])
def test_the_bound_itself_is_met_of_decimals_that_are_no_doubles(
    make: Any, kind: str, challenger: float, champion: float
) -> None:
    check = make.check(kind, metric="mae", **({"require": "non_inferior"} if kind == "slices" else {}))
    evidence = pairs(challenger, champion)
    (outcome,) = make.judge({**check, "margin": -1.0}, evidence).outcomes
    bound = -max(part.high for part in outcome.parts or (outcome,))
    assert bound == pytest.approx(champion - challenger, abs=0.01)
    for offset, verdict in ((0.0, "PASS"), (-1e-9, "PASS"), (1e-9, "INCONCLUSIVE")):
        assert make.judge({**check, "margin": bound + offset}, evidence).outcomes[0].verdict == verdict


@pytest.mark.parametrize(("challenger", "verdict"), [(0.4, "PASS"), (0.5, "INCONCLUSIVE"), (0.6, "FAIL")])
@pytest.mark.parametrize("kind", ["improvement", "slices"])
def test_a_margin_of_0_is_strict(make: Any, kind: str, challenger: float, verdict: str) -> None:
    check = make.check(kind, metric="mae", margin=0.0)
    assert make.judge(check, pairs(challenger, 0.5)).outcomes[0].verdict == verdict


@pytest.mark.parametrize("champion", [0.0, 1e-300, 5.0])
def test_a_champion_of_0_has_no_ratio(make: Any, champion: float) -> None:
    """Margins are added: losing .1 to a champion without any error is losing .1."""
    check = make.check("improvement", metric="mae", margin=-0.1)
    kept_values, lost = (make.judge(check, pairs(champion + off, champion)).outcomes[0] for off in (0.09, 0.2))
    assert (kept_values.verdict, lost.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert lost.observed == pytest.approx(0.2)
