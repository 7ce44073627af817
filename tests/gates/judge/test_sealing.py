"""`disclose: promotion_only`: what an outsider learns, and what the log can be held to."""

from __future__ import annotations

import hashlib
import itertools
import json
import re

import numpy as np
import pytest
import rfc8785

from lockgate import Decision, Evidence, Policy, State, judge
from lockgate.gates.judge.engine import ENGINE
from lockgate.gates.judge.sealing import compute_commitment
from lockgate.gates.records.state import Champion

POINT = {"kind": "threshold", "metric": "accuracy", "decide": "point"}
GAIN = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}
SAYS = {
    "PROMOTE": {"secret_floor": {**POINT, "min": 0.01}},
    "HOLD": {"secret_floor": {**POINT, "min": 0.999}},
    "INCONCLUSIVE": {"secret_gain": GAIN},
    "ERROR": {
        "secret_slices": {
            "kind": "slices",
            "by": "nowhere",
            "metric": "log_loss",
            "margin": 0.0,
            "require": "non_inferior",
            "min_rows": 1,
            "small_slice": "skip",
        }
    },
}
DECLARED = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "ignore",
    "min_clusters": 10,
    "min_class_rows": 2,
    "serial_dependence": "if_ordered",
    "schedule": {"kind": "open"},
    "disclose": "promotion_only",
    "valid_for": "90d",
}
SCHEDULES = ({"kind": "fixed", "looks": 7}, {"kind": "single"}, {"kind": "open"})
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def judge_sealed(make, says: str, *, schedule=SCHEDULES[0], state: State | None = None) -> Decision:
    arrays = make.arrays()
    challenger = arrays["champion"] if says != "PROMOTE" else arrays["challenger"]
    policy = make.policy(SAYS[says], schedule=schedule, disclose="promotion_only")
    return judge(policy, make.evidence(challenger=challenger), state)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("says", SAYS)
def test_nothing_sealed_depends_on_how_a_challenger_failed(make, says: str, schedule) -> None:
    decision = judge_sealed(make, says, schedule=schedule)
    assert decision.verdict == says
    assert decision.outcomes != ()
    sealed = decision.seal()
    assert sealed.exit_code == (0 if says == "PROMOTE" else 1)
    text = sealed.to_json()
    assert not any(word in text for word in ("secret", "observed", "INCONCLUSIVE", "ERROR", "accuracy", "log_loss"))
    assert set(NUMBER.findall(text)) <= {"0.95", "0.05", ENGINE.rpartition(".")[0]}  # confidence, alpha, version
    assert sealed.seal() == sealed
    # two that fail in different ways differ in what the outsider brought, and in the commitment
    blank = {"binding": None, "commitment": None, "look": {**sealed.look.model_dump(), "key": None}, "guarantee": None}
    document = {**json.loads(text), **blank}
    hold = {**json.loads(judge_sealed(make, "HOLD", schedule=schedule).seal().to_json()), **blank}
    assert (document == hold) == (says != "PROMOTE")


def test_the_look_and_the_ledger_are_sealed(make) -> None:
    state = judge_sealed(make, "INCONCLUSIVE").state
    assert state.holdouts != {}
    sealed = judge_sealed(make, "INCONCLUSIVE", state=state).seal()
    assert sealed.state.holdouts == {}
    assert (sealed.look.number, sealed.look.repeated, sealed.look.holdouts) == (None, False, ())
    assert sealed.look.message == sealed.reason == "the policy discloses promotions only"


def test_the_model_that_reigns_is_said_to_reign(make) -> None:
    state = State(seq=1, champion=Champion(sha256="a" * 64, seq=1))
    policy = make.policy(SAYS["HOLD"], disclose="promotion_only")
    sealed = judge(policy, make.evidence(facts=make.facts(challenger={"sha256": "a" * 64})), state).seal()
    assert (sealed.already_champion, sealed.exit_code, sealed.reason) == (
        True,
        0,
        "the policy discloses promotions only",
    )


def test_where_everything_is_disclosed_nothing_is_committed_to(make) -> None:
    assert judge(make.policy(), make.evidence()).commitment is None


@pytest.mark.parametrize("says", SAYS)
def test_who_holds_the_evidence_can_hold_the_log_to_its_outcomes(make, says: str) -> None:
    decision, again = judge_sealed(make, says), judge_sealed(make, says)
    assert decision.seal().commitment == again.commitment
    arrays = make.arrays()
    evidence = make.evidence(challenger=arrays["challenger"] if says == "PROMOTE" else arrays["champion"])
    assert compute_commitment(evidence, again.binding, again.verdict, again.outcomes) == again.commitment
    assert compute_commitment(evidence, again.binding, again.verdict, again.outcomes[:0]) != again.commitment


FEW = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1], dtype=float)


def few(label: np.ndarray, scores: np.ndarray) -> tuple[Evidence, Decision]:
    """Twelve rows, judged by nothing but their accuracy."""
    evidence = Evidence.from_arrays(label=label, challenger=scores, row_id=np.arange(12) + 5)
    checks = {"floor": {**POINT, "min": 0.9}}
    return evidence, judge(Policy.parse({**DECLARED, "checks": checks}), evidence)


def test_a_plain_digest_would_have_told_the_outcome() -> None:
    """Every accuracy is soon tried against a digest of the outcomes, but the labels are the key."""
    scores = np.full(12, 0.9)
    evidence, truth = few(FEW, scores)

    def digest(decision: Decision) -> str:
        return hashlib.sha256(
            rfc8785.dumps([outcome.model_dump(mode="json") for outcome in decision.outcomes])
        ).hexdigest()

    supposed = [few((np.arange(12) < right).astype(float), scores) for right in range(13)]
    assert [digest(decision) for _, decision in supposed].index(digest(truth)) == 7 == FEW.sum()
    tried = [
        compute_commitment(guess, truth.binding, decision.verdict, decision.outcomes) for guess, decision in supposed
    ]
    assert truth.commitment not in tried
    assert truth.commitment == compute_commitment(
        evidence, truth.binding, supposed[7][1].verdict, supposed[7][1].outcomes
    )


def test_equal_outcomes_have_other_commitments() -> None:
    """Else two challengers that differ in a row each would tell whether these rows have the same label."""
    decisions = [few(FEW, np.where(np.arange(12) == row, 0.1, 0.9))[1] for row in (1, 2)]
    assert decisions[0].outcomes == decisions[1].outcomes
    assert decisions[0].commitment != decisions[1].commitment


def test_the_commitment_of_every_verdict_differs(make) -> None:
    commitments = [judge_sealed(make, says).commitment for says in SAYS]
    assert all(a != b for a, b in itertools.combinations(commitments, 2))
    assert all(re.fullmatch("[0-9a-f]{64}", commitment or "") for commitment in commitments)
