"""Clocks at the ends of the calendar: one line or an answer, and no promotion beyond the last moment that there is.

Tests of gates/durations.py, gates/lifecycle/commit.py and gates/lifecycle/admission.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lockgate import judge
from lockgate.gates.errors import AdmissionError, LockgateError, LogError
from lockgate.gates.lifecycle import actions, admission
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.lifecycle.reverify import reverify
from lockgate.gates.report.statement import build_statement
from tests.builders import (
    APPROVER,
    BETTER,
    FIRST_MODEL,
    LENIENT_POLICY,
    NOON,
    POLICY,
    as_signer,
    assert_one_line,
    clock_at,
    make_evidence,
    new_log,
    promote_model,
    run_of,
)

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
MOMENTS = [
    FIRST,
    FIRST.replace(tzinfo=timezone(timedelta(hours=14))),
    LAST,
    LAST.replace(tzinfo=timezone(-timedelta(hours=14))),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=["first", "first, east", "last", "last, west"])
def test_a_log_that_is_written_then(moment: datetime) -> None:
    log = new_log()
    decision = judge(POLICY, FIRST_MODEL, now=moment)
    assert decision.verdict == "PROMOTE"
    commit(POLICY, FIRST_MODEL, log, actor="ada", clock=lambda: moment)
    head = log.head()
    assert head is not None
    assert head.time == moment
    assert admission.admit(log, now=moment).champion.valid_until >= moment
    if moment.year > 1:
        with pytest.raises(AdmissionError, match="the last entry of the promotion log is dated 9999-12-31") as caught:
            admission.admit(log, now=NOON)
        assert_one_line(caught)
        with pytest.raises(LogError, match=r"before its predecessor.*set this machine's clock") as late:
            promote_model(log, "1")
        assert_one_line(late)


VERBS: dict[str, Any] = {
    "promote": lambda log, clock: (
        commit(
            LENIENT_POLICY,
            make_evidence(BETTER, model="2", champion_scores=BETTER, champion="1"),
            log,
            actor="a",
            clock=clock,
        ).entry
    ),
    "reverify": lambda log, clock: (
        reverify(LENIENT_POLICY, make_evidence(BETTER, model="1", rows="other"), log, actor="a", clock=clock).entry
    ),
    "revoke": lambda log, clock: actions.revoke(log, run_of("1"), reason="x", actor="a", clock=clock),
    "roll back": lambda log, clock: actions.rollback(log, to=run_of("0"), reason="x", actor="a", clock=clock),
    "retract": lambda log, clock: actions.retract(log, entry=1, reason="x", actor="a", clock=clock),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("moment", MOMENTS, ids=["first", "first, east", "last", "last, west"])
def test_a_verb_by_a_clock_that_is_far_off(verb: str, moment: datetime) -> None:
    """Behind the head it is refused; ahead of it the entry is written, and dated so."""
    log = new_log()
    promote_model(log, "0")
    promote_model(log, "1", minute=1, rows="others")
    if moment.year == 1:
        with pytest.raises(LockgateError, match=r"before its predecessor.*set this machine's clock") as caught:
            VERBS[verb](log, lambda: moment)
        assert_one_line(caught)
    elif verb == "roll back":
        with pytest.raises(LockgateError, match="expired at 2024-07-30") as caught:
            VERBS[verb](log, lambda: moment)
        assert_one_line(caught)
    else:
        entry = VERBS[verb](log, lambda: moment)
        assert entry.time == moment
        assert log.head() == entry


@pytest.mark.parametrize("until", MOMENTS[2:], ids=["last", "last, west"])
def test_a_waiver_for_ever(until: datetime) -> None:
    log = new_log()
    commit(POLICY, FIRST_MODEL, log, actor="a", clock=clock_at())
    held = make_evidence(FIRST_MODEL.challenger, model="1", champion_scores=FIRST_MODEL.challenger, champion="0")
    decision = commit(POLICY, held, log, actor="a", clock=clock_at(1)).decision
    assert decision.verdict != "PROMOTE"
    granted = actions.waive(
        as_signer(log, APPROVER), "log_loss", run=run_of("1"), reason="x", until=until, actor="a", clock=clock_at(2)
    )
    assert granted.state.waivers[-1].until == until
    entry = commit(POLICY, held, log, actor="a", clock=clock_at(3)).entry
    assert entry is not None
    assert entry.promotes
    statement = build_statement(
        entry.read_decision(),
        name="m",
        project="orders",
        on_record=True,
        policy_sha256="0" * 64,
        evidence_sha256="0" * 64,
        time=until,
    )
    assert statement["predicate"]["timeVerified"] == "9999-12-31T23:59:59Z"
