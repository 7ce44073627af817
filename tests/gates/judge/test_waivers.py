"""A waiver lifts one gate's block for one candidate until a time, and says so; the verdict stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lockgate import Policy
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Log
from lockgate.gates.records.state import Waiver
from tests.builders import (
    APPROVER,
    BAD,
    FIRST_MODEL,
    GATES,
    GOOD,
    HOPELESS,
    JUDGE,
    LABEL,
    NOON,
    POLICY,
    SEALING_POLICY,
    as_signer,
    assert_refused,
    clock_at,
    commit_evidence,
    make_evidence,
    make_keyring,
    new_log,
    run_of,
    sha_of,
)

DAY = timedelta(days=1)
UNTIL = NOON + 2 * DAY
RUN = run_of("1")


@pytest.fixture
def log() -> Log:
    """Model 0 reigns; model 1 was held, for its log loss."""
    log_opened = new_log()
    commit_evidence(log_opened, FIRST_MODEL)
    assert commit_evidence(log_opened, HOPELESS).decision.verdict == "HOLD"
    return log_opened


def waive(log: Log, gate: str = "log_loss", *, run: str = "1", until: datetime = UNTIL, minute: float = 1) -> Any:
    return actions.waive(
        as_signer(log, APPROVER),
        gate,
        run=run,
        reason="a known gap",
        until=until,
        actor="ann",
        clock=clock_at(minute),
    )


def test_the_waiver_says_what_for_whom_until_when_and_by_whom(log: Log) -> None:
    entry = waive(log)
    assert entry.event.waiver == Waiver(
        gate="log_loss",
        run=RUN,
        model=sha_of("1"),
        policy=POLICY.digest,
        reason="a known gap",
        until=UNTIL,
        approver="approver",
        key=APPROVER.fingerprint,
        seq=3,
    )
    assert log.state().waivers == (entry.event.waiver,)
    assert entry.signature.key == APPROVER.fingerprint


def test_judged_again_the_run_is_promoted_and_the_gate_still_fails(log: Log) -> None:
    spent = log.state().holdouts[HOPELESS.holdout].spent
    waive(log)
    committed_run = commit_evidence(log, HOPELESS, minute=2)
    assert (committed_run.decision.verdict, committed_run.was_recorded, committed_run.entry.seq) == (
        "PROMOTE",
        False,
        4,
    )
    gate = committed_run.decision.outcomes[1]
    assert (gate.name, gate.verdict, gate.waived) == ("log_loss", "FAIL", True)
    assert [outcome.waived for outcome in committed_run.decision.outcomes] == [False, True]
    assert committed_run.decision.reason == "all 1 blocking gates that apply pass (waived: log_loss)"
    (use,) = committed_run.decision.waivers
    assert (use.gate, use.entry, use.key, use.status) == ("log_loss", 3, APPROVER.fingerprint, "used")
    assert use.message == (
        "waiver of log_loss by approver (entry 3) lifts its FAIL until 2024-05-03T12:00+00:00: a known gap"
    )
    assert committed_run.entry.read_decision() == committed_run.decision
    state = log.state()
    assert (state.champion.run, state.champion.valid_until) == (RUN, UNTIL)
    holdout = state.holdouts[HOPELESS.holdout]
    assert holdout.retired
    assert (holdout.spent, list(holdout.looks.values())) == (spent, [2])  # the look was charged once


def test_the_promotion_is_valid_no_longer_than_the_policy_allows(log: Log) -> None:
    waive(log, until=NOON + 365 * DAY)
    commit_evidence(log, HOPELESS, minute=2)
    assert log.state().champion.valid_until == NOON + timedelta(days=90, minutes=2)


def test_the_same_run_judged_a_third_time_is_its_promotion(log: Log) -> None:
    waive(log)
    entry = commit_evidence(log, HOPELESS, minute=2).entry
    again = commit_evidence(log, HOPELESS, minute=3)
    assert (again.was_recorded, again.entry, again.decision.exit_code) == (True, entry, 0)


def test_of_two_waivers_of_one_gate_the_longer_counts(log: Log) -> None:
    waive(log, until=UNTIL)
    waive(log, until=UNTIL + DAY)
    waive(log, until=UNTIL - DAY)
    commit = commit_evidence(log, HOPELESS, minute=2)
    assert [use.status for use in commit.decision.waivers] == ["unused", "used", "unused"]
    assert "is not needed: entry 4 lifts the gate for longer" in commit.decision.waivers[0].message
    assert log.state().champion.valid_until == UNTIL + DAY


def two_gates() -> Policy:
    floor = {"kind": "threshold", "metric": "auc", "min": 0.99, "decide": "point"}
    return Policy.parse(GATES | {"checks": {**GATES["checks"], "high": floor}})


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_of_waivers_of_two_gates_the_shorter_ends_the_promotion(first: int, second: int) -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS, policy=two_gates())
    waive(log, "log_loss", until=NOON + first * DAY)
    assert commit_evidence(log, HOPELESS, policy=two_gates(), minute=2).decision.verdict == "HOLD"  # one is not enough
    waive(log, "high", until=NOON + second * DAY, minute=3)
    commit = commit_evidence(log, HOPELESS, policy=two_gates(), minute=4)
    assert commit.decision.verdict == "PROMOTE"
    assert log.state().champion.valid_until == NOON + DAY


@pytest.mark.parametrize(
    ("late_us", "verdict", "status"), [(-1, "PROMOTE", "used"), (0, "PROMOTE", "used"), (1, "HOLD", "expired")]
)
def test_a_waiver_counts_up_to_its_last_moment(log: Log, late_us: int, verdict: str, status: str) -> None:
    waive(log)
    moment = UNTIL + timedelta(microseconds=late_us)
    commit = commit_evidence(log, HOPELESS, minute=(moment - NOON) / timedelta(minutes=1))
    assert commit.decision.verdict == verdict
    assert [use.status for use in commit.decision.waivers] == [status]
    assert log.state().champion.run == (RUN if verdict == "PROMOTE" else run_of("0"))
    if status == "expired":
        assert commit.was_recorded
        assert (
            commit.decision.waivers[0].message
            == "waiver of log_loss by approver (entry 3) ran out at 2024-05-03T12:00+00:00"
        )


def test_a_lapse_touches_its_own_candidate_only(log: Log) -> None:
    other = make_evidence(BAD, model="2", champion_scores=GOOD, champion="0", rows="other")
    commit_evidence(log, other, minute=1)
    waive(log, until=NOON + DAY)
    waive(log, run="2", until=UNTIL)
    late = 60 * 36
    assert commit_evidence(log, HOPELESS, minute=late).decision.verdict == "HOLD"
    assert commit_evidence(log, other, minute=late).decision.verdict == "PROMOTE"
    assert log.state().champion.run == run_of("2")


@pytest.mark.parametrize(
    "challenger",
    [
        {"run": run_of("2"), "sha256": sha_of("1")},
        {"run": RUN, "sha256": sha_of("2")},
        {"run": run_of("2"), "sha256": sha_of("2")},
    ],
    ids=["another run", "another model", "both"],
)
def test_a_waiver_is_for_one_run_and_its_model_s_bytes(log: Log, challenger: dict[str, str]) -> None:
    waive(log)
    claim = make_evidence(BAD, model="2", champion_scores=GOOD, champion="0", rows="other")
    claim = claim.from_arrays(
        label=LABEL,
        challenger=BAD,
        champion=GOOD,
        row_id=[f"other {number}" for number in range(len(LABEL))],
        facts={"challenger": challenger, "champion": {"run": run_of("0"), "sha256": sha_of("0")}},
    )
    commit = commit_evidence(log, claim, minute=2)
    assert (commit.decision.verdict, commit.decision.waivers) == ("HOLD", ())


def test_a_waiver_is_for_the_policy_that_judged(log: Log) -> None:
    """A gate of the same name may ask for something else under another one."""
    waive(log)
    other = Policy.parse(
        GATES | {"checks": {**GATES["checks"], "log_loss": {**GATES["checks"]["log_loss"], "margin": 0.0}}}
    )
    commit = commit_evidence(log, HOPELESS, minute=2, policy=other)
    assert commit.decision.verdict == "HOLD"
    (use,) = commit.decision.waivers
    assert (use.status, use.message) == (
        "unmatched",
        "waiver of log_loss by approver (entry 3) was granted under another policy",
    )
    assert commit_evidence(log, HOPELESS, minute=3).decision.verdict == "PROMOTE"


def test_a_waiver_that_was_retracted_lifts_nothing(log: Log) -> None:
    waive(log)
    actions.retract(log, entry=3, reason="granted by mistake", actor="bob", clock=clock_at(1))
    assert log.state().waivers == ()
    assert commit_evidence(log, HOPELESS, minute=2).decision.verdict == "HOLD"


def test_what_there_is_nothing_to_waive_of_is_refused(log: Log) -> None:
    assert_refused(
        log, lambda: waive(log, "nowhere"), "no gate 'nowhere' judged the run; expected one of auc_floor, log_loss"
    )
    assert_refused(
        log, lambda: waive(log, "auc_floor"), "gate auc_floor says PASS: there is nothing to waive; expected FAIL or"
    )
    assert_refused(log, lambda: waive(log, run="7"), "run '7' was not judged")
    assert_refused(log, lambda: waive(log, until=clock_at(1)()), "the waiver would end at 2024-05-01T12:01")
    assert_refused(log, lambda: waive(log, until=NOON - DAY), "the waiver would end at 2024-04-30")
    assert_refused(log, lambda: waive(log, until=UNTIL.replace(tzinfo=None)), "has no time zone")
    actions.revoke(log, "1", reason="it leaks", actor="ada", clock=clock_at(1))
    assert_refused(log, lambda: waive(log), "EvaluateNewModel/1 was revoked by entry 3")


@pytest.mark.parametrize("signed", [True, False])
def test_who_judged_does_not_waive(*, signed: bool) -> None:
    keys = make_keyring() if signed else make_keyring(ann=(APPROVER, "approver"))
    log = new_log(key=JUDGE if signed else APPROVER, keys=keys)
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    own = Log(log.store, project="orders", keyring=keys, signer=log.signer)
    message = "the key that signed the judgement may not waive it; expected the key of an approver"
    assert_refused(
        log,
        lambda: actions.waive(own, "log_loss", run="1", reason="mine", until=UNTIL, actor="ann", clock=clock_at(1)),
        message,
    )
    keyless = as_signer(log, None)
    assert_refused(
        log,
        lambda: actions.waive(keyless, "log_loss", run="1", reason="none", until=UNTIL, actor="ann", clock=clock_at(1)),
        "a waiver needs its approver's key",
    )


def test_an_unsigned_log_wants_an_approver_who_is_listed() -> None:
    log = Log(new_log().store, project="orders")
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    assert_refused(log, lambda: waive(log), "the entry is signed by the unknown key")


def test_of_a_sealed_judgement_nobody_is_told_which_gates_there_are() -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL, policy=SEALING_POLICY)
    commit_evidence(log, HOPELESS, policy=SEALING_POLICY)
    waive(log, "nowhere")
    waive(log, "auc_floor")
    again = commit_evidence(log, HOPELESS, policy=SEALING_POLICY, minute=2)
    assert (again.was_recorded, again.decision.verdict, again.decision.waivers) == (True, "HOLD", ())
    waive(log, "log_loss", minute=2)
    commit = commit_evidence(log, HOPELESS, policy=SEALING_POLICY, minute=3)
    assert commit.entry.promotes
    assert (commit.entry.read_decision().waivers, commit.entry.read_decision().outcomes) == ((), ())
    assert log.state().champion.valid_until == UNTIL
