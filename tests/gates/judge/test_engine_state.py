"""What the log bars from being judged, and what it waives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lockgate import Evidence, Policy, Ruling, State, judge
from lockgate.gates.errors import StaleError
from lockgate.gates.records.state import Champion, Waiver
from tests.gates.judge.test_engine import SAYS

MODEL, REIGNS = {"run": "flow/9", "sha256": "c" * 64}, {"run": "flow/1", "sha256": "a" * 64}
REIGNING = State(seq=4, champion=Champion(sha256="a" * 64, run="flow/1", seq=2))


def test_what_was_revoked_or_retracted_is_not_judged_again(make) -> None:
    evidence = make.evidence(facts=make.facts(challenger=MODEL))
    model, rows = "c" * 64, evidence.holdout
    for state, message in (
        (State(seq=7, revoked={model: 5}), "this model was revoked by entry 5; train another"),
        (State(seq=7, retracted={rows: 6}), "the holdout rows were retracted by entry 6; use others"),
        (State(seq=7, retracted={evidence.train_digest: 7}), "the training rows were retracted by entry 7; use others"),
        (
            State(seq=7, revoked={model: 5}, retracted={rows: 6}),
            "this model was revoked by entry 5; train another; the holdout rows were retracted by entry 6; use others",
        ),
    ):
        decision = judge(make.policy(), evidence, state)
        assert (decision.verdict, decision.outcomes[0].message) == (Ruling.ERROR, message)
    others = State(seq=7, revoked={"e" * 64: 5}, retracted={"e" * 64: 6})
    assert judge(make.policy(), evidence, others).verdict == Ruling.PROMOTE
    unnamed = make.evidence(facts={**make.facts(), "train_row_hashes": None})
    assert judge(make.policy(), unnamed, others).verdict == Ruling.PROMOTE


def test_beside_whom_the_challenger_was_scored_is_said(make) -> None:
    again = r"evaluate again: {} then scored {}"
    both, alone = again.format("both are", "on the same rows"), again.format("it is", "alone")
    unnamed = State(seq=4, champion=Champion(sha256="a" * 64, seq=2))
    for fact, state, message in (
        ({"sha256": "b" * 64, "run": "flow/0"}, REIGNING, f"beside 'flow/0', but 'flow/1' reigns now ({both})"),
        ({"sha256": "b" * 64}, unnamed, f"beside 'None', but '{'a' * 64}' reigns now ({both})"),
        (None, REIGNING, f"before there was a champion, but 'flow/1' reigns now ({both})"),
        (
            {"sha256": "b" * 64, "run": "flow/0"},
            State(seq=4, revoked={"b" * 64: 3}),
            f"beside 'flow/0', which entry 3 revoked; no model reigns now ({alone})",
        ),
        (
            {"sha256": "a" * 64, "run": "flow/1"},
            State(seq=4, predecessors=(REIGNING.champion,)),
            f"beside 'flow/1', but no model reigns now ({alone})",
        ),
    ):
        with pytest.raises(StaleError) as caught:
            judge(make.policy(), make.evidence(facts=make.facts(champion=fact)), state)
        assert str(caught.value) == f"STALE: the challenger was scored {message}"
    revoked = State(seq=4, revoked={"b" * 64: 3}, predecessors=(Champion(sha256=None, seq=1), REIGNING.champion))
    for fact in (None, {"sha256": 5}, {"sha256": "e" * 64}, "b" * 64):
        judge(make.policy(), make.evidence(facts=make.facts(champion=fact)), revoked)


NOW = datetime(2026, 1, 2, tzinfo=UTC)


def waiver(policy: Policy, gate: str, days: int, **changes) -> Waiver:
    fields = {"run": "flow/9", "model": "c" * 64, "reason": "known", "approver": "ann", "key": "k", "seq": 3, **changes}
    return Waiver(gate=gate, policy=policy.digest, until=NOW + timedelta(days=days), **fields)


def test_a_waiver_lifts_a_gate_and_shortens_the_promotion(make) -> None:
    policy = make.policy({"good": SAYS["PASS"], "bad": SAYS["FAIL"]}, valid_for="30d")
    evidence = make.evidence(facts=make.facts(challenger=MODEL))
    for days, valid in ((10, 10), (50, 30)):
        decision = judge(policy, evidence, State(seq=4, waivers=(waiver(policy, "bad", days),)), now=NOW)
        assert decision.verdict is Ruling.PROMOTE
        assert decision.reason == "all 1 blocking gates that apply pass (waived: bad)"
        assert [outcome.waived for outcome in decision.outcomes] == [False, True]
        assert [use.status for use in decision.waivers] == ["used"]
        assert decision.state.champion.valid_until == NOW + timedelta(days=valid)
    for granted, now in (
        (waiver(policy, "bad", 10, run="flow/8"), NOW),
        (waiver(policy, "bad", -1), NOW),
        (waiver(policy, "bad", 10), None),
        (waiver(make.policy(), "bad", 10), NOW),
    ):
        assert judge(policy, evidence, State(seq=4, waivers=(granted,)), now=now).verdict == Ruling.HOLD


def test_what_was_waived_and_skipped_is_said(make) -> None:
    checks = {"good": SAYS["PASS"], "small": SAYS["SKIP"], "bad": SAYS["FAIL"], "worse": SAYS["FAIL"]}
    evidence = make.evidence(facts=make.facts(challenger=MODEL))
    policy, fewer = make.policy(checks), make.policy({"small": SAYS["SKIP"], "bad": SAYS["FAIL"]})
    state = State(seq=4, waivers=(waiver(policy, "bad", 10), waiver(policy, "worse", 5)))
    decision = judge(policy, evidence, state, now=NOW)
    assert (decision.verdict, decision.reason) == (
        Ruling.PROMOTE,
        "all 1 blocking gates that apply pass (1 skipped; waived: bad, worse)",
    )
    assert decision.state.champion.valid_until == NOW + timedelta(days=5)
    nothing = judge(fewer, evidence, State(seq=4, waivers=(waiver(fewer, "bad", 10),)), now=NOW)
    assert (nothing.verdict, nothing.reason) == (
        Ruling.ERROR,
        "every blocking gate was skipped or waived: nothing was shown",
    )
    assert nothing.state.champion is None


def test_rows_that_are_known_under_a_retracted_name_are_not_judged(make) -> None:
    """The same rows but for a few: the ledger recognises them, whatever their own digest is."""
    policy = make.policy({"gain": make.checks["improvement"]}, schedule={"kind": "fixed", "looks": 20})
    whole = {**make.arrays(), "row_id": np.arange(600) * 7 + 1000}
    fewer = {**{name: value[:550] for name, value in whole.items() if name not in ("slices", "facts")}, "facts": {}}
    looked = judge(policy, Evidence.from_arrays(**{**whole, "facts": {}}), State(salt="s")).state
    (digest,) = looked.holdouts
    evidence = Evidence.from_arrays(**fewer)
    assert evidence.holdout != digest
    state = looked.model_copy(update={"champion": None, "retracted": {digest: 9}})
    outcome = judge(policy, evidence, state).outcomes[0]
    assert outcome.message == "the holdout rows were retracted by entry 9; use others"
    assert judge(policy, evidence, looked).outcomes[0].message != outcome.message


def test_scores_that_were_retracted_are_not_judged(make) -> None:
    policy = make.policy({"good": SAYS["PASS"]})
    evidence = make.evidence(facts=make.facts(challenger=MODEL))
    scores = judge(policy, evidence, State(seq=4)).binding.scores
    decision = judge(policy, evidence, State(seq=4, retracted={scores: 3}))
    assert (decision.verdict, decision.outcomes[0].message) == (
        Ruling.ERROR,
        "the scores were retracted by entry 3; use others",
    )
