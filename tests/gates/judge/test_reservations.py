"""What is not PROMOTE although every gate that was asked passes: nothing was compared, or the scores are a claim."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate import Decision, State, Verdict, judge
from lockgate.gates.kinds import KINDS
from lockgate.gates.records.state import Champion

WHY = "no promotion log was asked whether a model reigns"
CLAIM = "nobody but their author can load the model"
FLOOR = {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}
BESIDE = {"drift": {"against": "champion"}}
COMPARISONS = ("improvement", "slices", "periods", "disagreement", "condition", "drift")


def judge_gate(make: Any, *, check: Any, champion: Any = None, severity: str = "block", **options: Any) -> Decision:
    """Of a floor that is met, and of one more gate."""
    policy = make.policy({"floor": FLOOR, "gate": {**check, "severity": severity}}, **options.pop("policy", {}))
    evidence = make.evidence(**({"champion": None} if champion is None else {}))
    return judge(policy, evidence, options.pop("state", None), **options)


def check(make: Any, kind: str) -> Any:
    return make.check(kind, **BESIDE.get(kind, {}))


@pytest.mark.parametrize("severity", ["block", "warn"])
@pytest.mark.parametrize("kind", COMPARISONS)
def test_a_comparison_that_was_not_made_shows_nothing(make: Any, kind: str, severity: str) -> None:
    decision = judge_gate(make, check=check(make, kind), severity=severity, uncompared=WHY)
    floor, gate = decision.outcomes
    assert (floor.verdict, gate.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert WHY in gate.message
    assert (decision.verdict, decision.exit_code) == ("INCONCLUSIVE", 3)
    assert "gate" in decision.reason
    assert decision.state.champion is None


@pytest.mark.parametrize("kind", COMPARISONS)
def test_where_there_never_was_a_champion_it_is_skipped_by_declaration(make: Any, kind: str) -> None:
    decision = judge_gate(make, check=check(make, kind))
    assert [outcome.verdict for outcome in decision.outcomes] == [Verdict.PASS, Verdict.SKIP]
    assert decision.verdict == "PROMOTE"


@pytest.mark.parametrize("kind", KINDS)
def test_what_compares_nothing_or_has_a_champion_beside_it_is_judged_as_ever(make: Any, kind: str) -> None:
    options = {"check": make.check(kind), "champion": "there"}
    assert judge_gate(make, **options, uncompared=WHY) == judge_gate(make, **options)
    if kind not in COMPARISONS or kind == "drift":  # whose example is against training
        assert judge_gate(make, check=make.check(kind), uncompared=WHY) == judge_gate(make, check=make.check(kind))


def test_a_gate_that_fails_is_said_before_what_was_not_compared(make: Any) -> None:
    policy = make.policy({"floor": {**FLOOR, "min": 0.999}, "gain": make.check("improvement")})
    decision = judge(policy, make.evidence(champion=None), uncompared=WHY)
    assert (decision.verdict, decision.reason) == ("HOLD", "failed: floor")


def test_one_of_several_checks_may_pass_without_the_comparison(make: Any) -> None:
    either = {"kind": "any_of", "checks": {"gain": make.check("improvement"), "good": FLOOR}}
    assert judge_gate(make, check=either, uncompared=WHY).verdict == "PROMOTE"
    either["checks"]["good"] = {**FLOOR, "min": 0.999}
    decision = judge_gate(make, check=either, uncompared=WHY)
    assert (decision.verdict, WHY in decision.outcomes[1].message) == ("INCONCLUSIVE", True)


def test_a_policy_that_holds_without_a_champion_holds_where_that_is_not_known(make: Any) -> None:
    decision = judge_gate(make, check=make.check("leakage"), uncompared=WHY, policy={"if_no_champion": "hold"})
    assert (decision.verdict, WHY in decision.reason) == ("HOLD", True)


def test_a_claim_promotes_nothing_and_is_no_champion(make: Any) -> None:
    options = {"check": make.check("improvement"), "champion": "there"}
    decision = judge_gate(make, **options, claimed=CLAIM)
    assert (decision.verdict, decision.exit_code) == ("INCONCLUSIVE", 3)
    assert decision.reason == f"claim: advice only; {CLAIM}"
    assert decision.state.champion is None
    assert decision.outcomes == judge_gate(make, **options).outcomes
    same = make.evidence(facts=make.facts(challenger={"run": "flow/1", "sha256": "a" * 64}))
    reigning = State(seq=1, champion=Champion(sha256="a" * 64, run="flow/1", seq=1))
    decision = judge(make.policy({"floor": FLOOR}), same, reigning, claimed=CLAIM)
    assert (decision.already_champion, decision.exit_code) == (False, 3)


@pytest.mark.parametrize("verdict", ["HOLD", "ERROR"])
def test_a_claim_that_does_not_pass_stays_what_it_is(make: Any, verdict: str) -> None:
    worse = {"HOLD": {**FLOOR, "min": 0.999}, "ERROR": {**make.check("slices"), "by": "nowhere"}}[verdict]
    options = {"check": worse, "champion": "there"}
    assert judge_gate(make, **options, claimed=CLAIM) == judge_gate(make, **options)
    assert judge_gate(make, **options).verdict == verdict


@pytest.mark.parametrize(
    ("state", "is_known"),
    [
        (State(), True),
        (State(seq=3), True),
        (State(seq=1, champion=Champion(sha256="a" * 64, seq=1)), False),
        (State(seq=2, revoked={"a" * 64: 2}), False),
        (State(seq=4, predecessors=(Champion(sha256="a" * 64, seq=1),)), False),
    ],
)
def test_what_a_state_shows_of_former_champions(state: State, *, is_known: bool) -> None:
    assert state.never_promoted == is_known
