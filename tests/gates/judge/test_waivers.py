"""A waiver lifts one gate's block for one candidate until a time, and says so; the verdict stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lockgate import Policy
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Log
from lockgate.gates.records.state import Waiver
from tests.gates.candidates import (
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
    SEALING,
    by,
    clock,
    committed,
    evidence,
    keyring,
    opened,
    refused,
    run_of,
    sha_of,
)

DAY = timedelta(days=1)
UNTIL = NOON + 2 * DAY
RUN = run_of("1")


@pytest.fixture
def log() -> Log:
    """Model 0 reigns; model 1 was held, for its log loss."""
    made = opened()
    committed(made, FIRST_MODEL)
    assert committed(made, HOPELESS).decision.verdict == "HOLD"
    return made


def waive(log: Log, gate: str = "log_loss", *, run: str = "1", until: datetime = UNTIL, minute: float = 1) -> Any:
    return actions.waive(
        by(log, APPROVER),
        gate,
        run=run,
        reason="a known gap",
        until=until,
        actor="ann",
        clock=clock(minute),
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
    done = committed(log, HOPELESS, minute=2)
    assert (done.decision.verdict, done.was_recorded, done.entry.seq) == ("PROMOTE", False, 4)
    gate = done.decision.outcomes[1]
    assert (gate.name, gate.verdict, gate.waived) == ("log_loss", "FAIL", True)
    assert [outcome.waived for outcome in done.decision.outcomes] == [False, True]
    assert done.decision.reason == "all 1 blocking gates that apply pass (waived: log_loss)"
    (use,) = done.decision.waivers
    assert (use.gate, use.entry, use.key, use.status) == ("log_loss", 3, APPROVER.fingerprint, "used")
    assert use.message == (
        "waiver of log_loss by approver (entry 3) lifts its FAIL until 2024-05-03T12:00+00:00: a known gap"
    )
    assert done.entry.read_decision() == done.decision
    state = log.state()
    assert (state.champion.run, state.champion.valid_until) == (RUN, UNTIL)
    held = state.holdouts[HOPELESS.holdout]
    assert held.retired
    assert (held.spent, list(held.looks.values())) == (spent, [2])  # the look was charged once


def test_the_promotion_is_valid_no_longer_than_the_policy_allows(log: Log) -> None:
    waive(log, until=NOON + 365 * DAY)
    committed(log, HOPELESS, minute=2)
    assert log.state().champion.valid_until == NOON + timedelta(days=90, minutes=2)


def test_the_same_run_judged_a_third_time_is_its_promotion(log: Log) -> None:
    waive(log)
    entry = committed(log, HOPELESS, minute=2).entry
    again = committed(log, HOPELESS, minute=3)
    assert (again.was_recorded, again.entry, again.decision.exit_code) == (True, entry, 0)


def test_of_two_waivers_of_one_gate_the_longer_counts(log: Log) -> None:
    waive(log, until=UNTIL)
    waive(log, until=UNTIL + DAY)
    waive(log, until=UNTIL - DAY)
    done = committed(log, HOPELESS, minute=2)
    assert [use.status for use in done.decision.waivers] == ["unused", "used", "unused"]
    assert "is not needed: entry 4 lifts the gate for longer" in done.decision.waivers[0].message
    assert log.state().champion.valid_until == UNTIL + DAY


def two_gates() -> Policy:
    floor = {"kind": "threshold", "metric": "auc", "min": 0.99, "decide": "point"}
    return Policy.parse(GATES | {"checks": {**GATES["checks"], "high": floor}})


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_of_waivers_of_two_gates_the_shorter_ends_the_promotion(first: int, second: int) -> None:
    log = opened()
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS, policy=two_gates())
    waive(log, "log_loss", until=NOON + first * DAY)
    assert committed(log, HOPELESS, policy=two_gates(), minute=2).decision.verdict == "HOLD"  # one is not enough
    waive(log, "high", until=NOON + second * DAY, minute=3)
    done = committed(log, HOPELESS, policy=two_gates(), minute=4)
    assert done.decision.verdict == "PROMOTE"
    assert log.state().champion.valid_until == NOON + DAY


@pytest.mark.parametrize(
    ("late_us", "verdict", "status"), [(-1, "PROMOTE", "used"), (0, "PROMOTE", "used"), (1, "HOLD", "expired")]
)
def test_a_waiver_counts_up_to_its_last_moment(log: Log, late_us: int, verdict: str, status: str) -> None:
    waive(log)
    at = UNTIL + timedelta(microseconds=late_us)
    done = committed(log, HOPELESS, minute=(at - NOON) / timedelta(minutes=1))
    assert done.decision.verdict == verdict
    assert [use.status for use in done.decision.waivers] == [status]
    assert log.state().champion.run == (RUN if verdict == "PROMOTE" else run_of("0"))
    if status == "expired":
        assert done.was_recorded
        assert (
            done.decision.waivers[0].message
            == "waiver of log_loss by approver (entry 3) ran out at 2024-05-03T12:00+00:00"
        )


def test_a_lapse_touches_its_own_candidate_only(log: Log) -> None:
    other = evidence(BAD, model="2", beside=GOOD, champion="0", rows="other")
    committed(log, other, minute=1)
    waive(log, until=NOON + DAY)
    waive(log, run="2", until=UNTIL)
    late = 60 * 36
    assert committed(log, HOPELESS, minute=late).decision.verdict == "HOLD"
    assert committed(log, other, minute=late).decision.verdict == "PROMOTE"
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
    held = evidence(BAD, model="2", beside=GOOD, champion="0", rows="other")
    held = held.from_arrays(
        label=LABEL,
        challenger=BAD,
        champion=GOOD,
        row_id=[f"other {at}" for at in range(len(LABEL))],
        facts={"challenger": challenger, "champion": {"run": run_of("0"), "sha256": sha_of("0")}},
    )
    done = committed(log, held, minute=2)
    assert (done.decision.verdict, done.decision.waivers) == ("HOLD", ())


def test_a_waiver_is_for_the_policy_that_judged(log: Log) -> None:
    """A gate of the same name may ask for something else under another one."""
    waive(log)
    other = Policy.parse(
        GATES | {"checks": {**GATES["checks"], "log_loss": {**GATES["checks"]["log_loss"], "margin": 0.0}}}
    )
    done = committed(log, HOPELESS, minute=2, policy=other)
    assert done.decision.verdict == "HOLD"
    (use,) = done.decision.waivers
    assert (use.status, use.message) == (
        "unmatched",
        "waiver of log_loss by approver (entry 3) was granted under another policy",
    )
    assert committed(log, HOPELESS, minute=3).decision.verdict == "PROMOTE"


def test_a_waiver_that_was_retracted_lifts_nothing(log: Log) -> None:
    waive(log)
    actions.retract(log, entry=3, reason="granted by mistake", actor="bob", clock=clock(1))
    assert log.state().waivers == ()
    assert committed(log, HOPELESS, minute=2).decision.verdict == "HOLD"


def test_what_there_is_nothing_to_waive_of_is_refused(log: Log) -> None:
    refused(log, lambda: waive(log, "nowhere"), "no gate 'nowhere' judged the run; expected one of auc_floor, log_loss")
    refused(
        log, lambda: waive(log, "auc_floor"), "gate auc_floor says PASS: there is nothing to waive; expected FAIL or"
    )
    refused(log, lambda: waive(log, run="7"), "run '7' was not judged")
    refused(log, lambda: waive(log, until=clock(1)()), "the waiver would end at 2024-05-01T12:01")
    refused(log, lambda: waive(log, until=NOON - DAY), "the waiver would end at 2024-04-30")
    refused(log, lambda: waive(log, until=UNTIL.replace(tzinfo=None)), "has no time zone")
    actions.revoke(log, "1", reason="it leaks", actor="ada", clock=clock(1))
    refused(log, lambda: waive(log), "EvaluateNewModel/1 was revoked by entry 3")


@pytest.mark.parametrize("signed", [True, False])
def test_who_judged_does_not_waive(*, signed: bool) -> None:
    keys = keyring() if signed else keyring(ann=(APPROVER, "approver"))
    log = opened(key=JUDGE if signed else APPROVER, keys=keys)
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS)
    own = Log(log.store, project="orders", keyring=keys, signer=log.signer)
    said = "the key that signed the judgement may not waive it; expected the key of an approver"
    refused(
        log,
        lambda: actions.waive(own, "log_loss", run="1", reason="mine", until=UNTIL, actor="ann", clock=clock(1)),
        said,
    )
    keyless = by(log, None)
    refused(
        log,
        lambda: actions.waive(keyless, "log_loss", run="1", reason="none", until=UNTIL, actor="ann", clock=clock(1)),
        "a waiver needs its approver's key",
    )


def test_an_unsigned_log_wants_an_approver_who_is_listed() -> None:
    log = Log(opened().store, project="orders")
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS)
    refused(log, lambda: waive(log), "the entry is signed by the unknown key")


def test_of_a_sealed_judgement_nobody_is_told_which_gates_there_are() -> None:
    log = opened()
    committed(log, FIRST_MODEL, policy=SEALING)
    committed(log, HOPELESS, policy=SEALING)
    waive(log, "nowhere")
    waive(log, "auc_floor")
    again = committed(log, HOPELESS, policy=SEALING, minute=2)
    assert (again.was_recorded, again.decision.verdict, again.decision.waivers) == (True, "HOLD", ())
    waive(log, "log_loss", minute=2)
    done = committed(log, HOPELESS, policy=SEALING, minute=3)
    assert done.entry.promotes
    assert (done.entry.read_decision().waivers, done.entry.read_decision().outcomes) == ((), ())
    assert log.state().champion.valid_until == UNTIL
