"""What the users of other gates ask for in those projects' issues, and get here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate import Evidence, Ruling, State, Verdict, judge
from lockgate.gates.errors import EvidenceError
from lockgate.gates.records.numbers import format_fitting


@pytest.mark.parametrize("kind", ["threshold", "improvement", "fairness", "disagreement", "calibration"])
def test_a_message_says_the_number_that_it_saw_and_the_one_that_was_asked(make: Any, kind: str) -> None:
    """tfx#2376."""
    outcome = make.judge(make.check(kind), make.evidence()).outcomes[0]
    assert format_fitting([abs(outcome.observed)], (outcome.low, outcome.high))[0] in outcome.message
    assert "asked: " in outcome.message


def test_who_reigned_is_kept(make: Any) -> None:
    """mlflow#2169."""
    state = State()
    for seed in range(3):
        evidence = make.evidence(challenger=make.arrays()["challenger"] * (1 - seed / 1e4))
        state = make.judge(make.checks["threshold"], evidence, state).state
    assert [champion.seq for champion in (state.champion, *state.predecessors)] == [3, 2, 1]


def test_inconclusive_does_not_promote(make: Any) -> None:
    """argo-rollouts#3850."""
    decision = make.judge(make.checks["improvement"], make.evidence(9))
    assert (decision.verdict, decision.exit_code, decision.state.champion) == (Ruling.INCONCLUSIVE, 3, None)


def test_no_data_does_not_pass(make: Any) -> None:
    """argo-rollouts#1905."""
    none = Evidence.from_arrays(label=[], challenger=[], champion=[], slices={"site": []})
    assert make.judge(make.checks["threshold"], none).exit_code == 2


def test_a_gate_may_only_inform(make: Any) -> None:
    """argo-rollouts#303."""
    checks = {"told": make.check("threshold", min=0.999, severity="warn"), "floor": make.checks["threshold"]}
    decision = judge(make.policy(checks), make.evidence())
    assert ([outcome.verdict for outcome in decision.outcomes], decision.exit_code) == (["FAIL", "PASS"], 0)


@pytest.mark.parametrize(
    ("auc", "loss", "all_of", "any_of"),
    [
        (0.6, 0.0, "PROMOTE", "PROMOTE"),
        (0.999, 0.0, "HOLD", "PROMOTE"),
        (0.999, 0.9, "HOLD", "HOLD"),
    ],
)
def test_any_and_all_across_metrics(make: Any, auc: float, loss: float, all_of: str, any_of: str) -> None:
    """argo-rollouts#4501."""
    checks = {"auc": make.check("threshold", min=auc), "loss": make.check("improvement", margin=loss)}
    together, either = {**checks}, {"either": {"kind": "any_of", "checks": checks}}
    assert judge(make.policy(together), make.evidence()).verdict == all_of
    assert judge(make.policy(either), make.evidence()).verdict == any_of


def test_a_minimum_for_each_slice_and_a_band_for_noise(make: Any) -> None:
    """nanorag#58: a slice that looks a little worse is no proof of harm; one that is a lot worse, is."""
    arrays, site = make.arrays(), np.arange(600) % 3
    for shift, expected in ((0.01, Verdict.PASS), (0.4, Verdict.FAIL)):
        spoiled = np.where(site == 1, np.clip(arrays["challenger"] + shift, 0, 1), arrays["challenger"])
        check = make.check("slices", metric="brier", margin=-0.005, require="no_proven_harm")
        outcome = make.judge(check, make.evidence(challenger=spoiled, champion=arrays["challenger"])).outcomes[0]
        south = next(part for part in outcome.parts if part.name == "south")
        assert (outcome.verdict, south.verdict) == (expected, expected)
        assert south.observed > 0


def test_both_models_on_the_same_rows(make: Any) -> None:
    """vertex-ai-samples#71: one array a model, one row each, and no champion's score may be missing."""
    arrays = make.arrays()
    with pytest.raises(EvidenceError, match="one value for every row"):
        make.evidence(champion=arrays["champion"][:-1])
    champion = arrays["champion"].copy()
    champion[3] = np.nan
    assert make.judge(make.checks["improvement"], make.evidence(champion=champion)).verdict == Ruling.ERROR


def test_a_floor_and_a_gain_together(make: Any) -> None:
    """FastVideo#1533: better than before, and good enough at all."""
    checks = {"gain": make.checks["improvement"], "floor": make.check("threshold", min=0.999)}
    decision = judge(make.policy(checks), make.evidence())
    assert (decision.verdict, decision.reason) == (Ruling.HOLD, "failed: floor")


def test_a_verdict_and_a_malfunction_have_codes_of_their_own(make: Any) -> None:
    """gcx#1129."""
    scores = make.arrays()["challenger"]
    spoiled = scores.copy()
    spoiled[0] = np.nan
    codes = [
        make.judge(make.checks["improvement"], evidence).exit_code
        for evidence in (
            make.evidence(),
            make.evidence(challenger=1 - scores, champion=scores),
            make.evidence(challenger=spoiled),
            make.evidence(champion=scores),
        )
    ]
    assert codes == [0, 1, 2, 3]
