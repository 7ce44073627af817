"""Several challengers at once: they err together as one does, and the greatest gain that is shown is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from lockgate import Evidence, Policy, Ruling, judge
from lockgate.gates.judge.several import choose_best, share_error_rate
from tests.gates.conftest import DECLARED, Make

GAIN = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}
POLICY = Policy.parse({**DECLARED, "checks": {"better": GAIN}})


@pytest.mark.parametrize(("among", "confidence"), [(1, 0.95), (2, 0.975), (5, 0.99), (16, 1 - 0.05 / 16)])
def test_the_error_rate_is_shared(among: int, confidence: float) -> None:
    assert share_error_rate(POLICY, among).confidence == pytest.approx(confidence, abs=1e-15)
    assert share_error_rate(POLICY, among).scheduled_alpha == pytest.approx(POLICY.scheduled_alpha / among)
    assert (share_error_rate(POLICY, among) is POLICY) == (among == 1)


def test_no_challenger_is_no_family() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        share_error_rate(POLICY, 0)
    assert choose_best({}, "binary") is None


def test_challengers_that_gain_nothing_pass_together_as_rarely_as_one() -> None:
    """Six that are as good as the champion, 120 times: one of them passes in 5 % of them, without sharing in more."""
    lots, passed, unshared = np.random.default_rng(5), 0, 0
    for _ in range(120):
        label = (lots.random(300) < 0.4).astype(float)
        middle = np.clip(0.4 + 0.2 * (label - 0.5) + lots.normal(0, 0.1, 300), 0.1, 0.9)
        promotions = []
        for _ in range(6):
            pair = middle + lots.uniform(0.01, 0.09, 300) * np.array([[1], [-1]])
            side = lots.integers(2, size=300)  # which of the two is the challenger's: chance alone
            evidence = Evidence.from_arrays(
                label=label, challenger=pair[side, range(300)], champion=pair[1 - side, range(300)]
            )
            promotions.append(
                [judge(policy, evidence).verdict is Ruling.PROMOTE for policy in (share_error_rate(POLICY, 6), POLICY)]
            )
        passed += any(alone for alone, _ in promotions)
        unshared += any(alone for _, alone in promotions)
    assert passed <= binom.ppf(0.999, 120, 0.05)
    assert unshared > binom.ppf(0.999, 120, 0.05)


def test_the_greatest_gain_that_is_shown_is_chosen(make: type[Make]) -> None:
    arrays = make.arrays()
    label, champion = arrays["label"], arrays["champion"]

    def judge_strength(strength: float, **changes: Any) -> Any:
        scores = np.clip(champion + strength * (label - champion), 0.001, 0.999)
        return make.judge({**GAIN, **changes}, make.evidence(challenger=scores))

    decisions = {
        "same": judge_strength(0.0),
        "good": judge_strength(0.2),
        "best": judge_strength(0.5),
        "worse": judge_strength(-0.3),
    }
    assert [str(decision.verdict) for decision in decisions.values()] == ["INCONCLUSIVE", "PROMOTE", "PROMOTE", "HOLD"]
    assert choose_best(decisions, "binary") == "best"
    assert choose_best({name: decisions[name] for name in ("worse", "same")}, "binary") == "same"
    assert choose_best({name: decisions[name] for name in ("worse",)}, "binary") == "worse"
    twins = {"first": decisions["good"], "second": decisions["good"]}
    assert choose_best(twins, "binary") == "first"
    risen = {name: judge_strength(strength, metric="auc") for name, strength in (("little", 0.1), ("much", 0.6))}
    assert choose_best(risen, "binary") == "much"  # a metric that rises
    assert choose_best({"sealed": decisions["good"].seal(), "open": decisions["good"]}, "binary") == "open"
