"""Every kind of event: the bytes it is kept as, who may sign it, and what people read of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import rfc8785

from lockgate.gates.errors import LogError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.commit import record_event
from lockgate.gates.log import Log, LogEntry
from lockgate.gates.log.events import EVENT_TYPES, RetractedEvent, ReverifiedEvent
from lockgate.gates.records.state import Champion, State
from tests.gates.candidates import (
    APPROVER,
    BAD,
    FIRST_MODEL,
    GOOD,
    JUDGE,
    NOON,
    SEALING,
    blob,
    by,
    clock,
    committed,
    evidence,
    one_line,
    opened,
    path,
    promoted,
    recorded,
    run_of,
    sha_of,
)


def reverified(champion: Champion, decision: Any, *, until: Any) -> ReverifiedEvent:
    made = recorded(decision)
    return ReverifiedEvent(
        of=str(champion.run),
        promoted_by=champion.seq,
        evidence_run="EvaluateNewModel/9",
        decision=made.decision,
        decision_sha256=made.decision_sha256,
        policy_sha256=made.policy_sha256,
        valid_until=until,
    )


def _every() -> Log:
    """A log with an entry of every kind."""
    log = opened()
    says: dict[str, Any] = {"actor": "ada", "clock": clock(1)}
    first = committed(log, FIRST_MODEL)
    promoted(log, "1")
    actions.rollback(log, to=None, reason="it is slow", **says)
    committed(log, evidence(BAD, model="2", beside=GOOD, champion="0"), minute=1)
    actions.waive(
        by(log, APPROVER),
        "log_loss",
        run="2",
        reason="known",
        until=clock(60)(),
        actor="ann",
        clock=clock(1),
    )
    champion = log.state().champion
    record_event(log, lambda _, at: reverified(champion, first.decision, until=at.time + timedelta(days=9)), **says)
    actions.register(log, evidence(GOOD, model="7", rows="fresh"), note="next month", **says)
    actions.retract(by(log, APPROVER), metric="ece", reason="a wrong bin", **says)
    actions.revoke(by(log, APPROVER), "1", reason="it leaks", **says)
    return log


LOG = _every()
ENTRIES = list(LOG.entries())
KINDS = ["judged", "judged", "rolled_back", "judged", "waived", "reverified", "registered", "retracted", "revoked"]


def test_the_log_holds_every_kind() -> None:
    assert [entry.event.kind for entry in ENTRIES] == KINDS
    assert {type(entry.event) for entry in ENTRIES} == set(EVENT_TYPES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.event.kind)
def test_an_entry_is_canonical_bytes_and_those_are_the_entry(entry: LogEntry) -> None:
    held = blob(LOG, entry.seq)
    assert rfc8785.dumps(json.loads(held)) == held == entry.to_bytes()
    again = LogEntry.from_bytes(held, where=entry.where)
    assert again == entry
    assert again.to_bytes() == held
    assert entry.as_json() == json.loads(held)


@pytest.mark.parametrize(
    ("seq", "run", "verdict", "said"),
    [
        (1, run_of("0"), "PROMOTE", "all 1 blocking gates that apply pass (1 skipped)"),
        (3, run_of("0"), "ROLLED_BACK", "it is slow"),
        (4, run_of("2"), "HOLD", "failed: log_loss"),
        (5, run_of("2"), "WAIVED", "log_loss until 2024-05-01 13:00 by approver: known"),
        (
            6,
            run_of("0"),
            "REVERIFIED",
            "PROMOTE: all 1 blocking gates that apply pass (1 skipped); it may be served until 2024-05-10 12:01",
        ),
        (7, None, "REGISTERED", "holdout {}, 300 rows: next month"),
        (8, None, "RETRACTED", "metric ece: a wrong bin; no promotions rest on it"),
        (9, run_of("1"), "REVOKED", "it leaks"),
    ],
)
def test_what_people_read_of_it(seq: int, run: str | None, verdict: str, said: str) -> None:
    event = ENTRIES[seq - 1].event
    told = said.format(evidence(GOOD, model="7", rows="fresh").holdout[:12])
    assert (event.run, event.verdict, event.summary) == (run, verdict, told)


@pytest.mark.parametrize(
    ("suspects", "said"), [((), "no promotions rest"), ((3,), "1 promotion rests"), ((3, 4), "2 promotions rest")]
)
def test_how_many_promotions_rest_on_what_was_retracted_is_said(suspects: tuple[int, ...], said: str) -> None:
    event = RetractedEvent(what="entry", value="3", reason="late labels", suspects=suspects)
    assert event.summary == f"entry 3: late labels; {said} on it"


def test_only_an_approver_signs_a_waiver_and_only_a_judge_a_judgement() -> None:
    roles = {kind.model_fields["kind"].default: kind.signed_by for kind in EVENT_TYPES}
    assert roles == {
        "judged": ("judge",),
        "reverified": ("judge",),
        "registered": ("judge",),
        "waived": ("approver",),
        "revoked": ("judge", "approver"),
        "rolled_back": ("judge", "approver"),
        "retracted": ("judge", "approver"),
    }


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.event.kind)
def test_each_is_signed_by_a_role_that_may(entry: LogEntry) -> None:
    who = {JUDGE.fingerprint: "judge", APPROVER.fingerprint: "approver"}[entry.signature.key]
    assert who in entry.event.signed_by
    other = {"judge": APPROVER, "approver": JUDGE}[who]
    if len(entry.event.signed_by) == 1:
        forged = entry.model_copy(update={"signature": other.sign(entry.payload())})
        log = opened()
        log.store.put(path(entry.seq), forged.to_bytes())
        with pytest.raises(LogError, match="who may not sign this"):
            log.entry(entry.seq)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.event.kind)
@pytest.mark.parametrize("change", [{"stray": 1}, {"kind": "blessed"}, {"kind": None}])
def test_an_event_with_anything_else_in_it_is_none(entry: LogEntry, change: dict[str, Any]) -> None:
    held = json.loads(entry.to_bytes())
    with pytest.raises(LogError, match="not an entry of the promotion log") as caught:
        LogEntry.from_bytes(rfc8785.dumps(held | {"event": held["event"] | change}), where=entry.where)
    one_line(caught)


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one.judgement is None], ids=lambda entry: entry.event.kind)
def test_what_is_no_judgement_has_no_decision(entry: LogEntry) -> None:
    assert not entry.promotes
    with pytest.raises(LogError, match=f"entry {entry.seq} of the promotion log records no judgement") as caught:
        entry.read_decision()
    assert path(entry.seq) in one_line(caught)


def test_a_decision_is_read_as_it_was_made_and_sealed_where_it_was() -> None:
    assert ENTRIES[0].read_decision() == committed(opened(), FIRST_MODEL).decision.model_copy(
        update={"state": ENTRIES[0].state}
    )
    log = opened()
    done = committed(log, FIRST_MODEL, policy=SEALING)
    told = done.decision.seal()
    assert log.head().read_decision() == told
    assert log.head().judgement.decision_sha256 == told.sha256
    champion = log.state().champion
    sealed = reverified(champion, told, until=None)
    assert sealed.read_decision(State(), where="").sealed
    assert sealed.summary.endswith("it may be served until further notice")


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("", None),
        ("  \n ", None),
        ("x" * 2001, None),
        ("\ud800", None),
        ("x" * 2000, "x" * 2000),
        (" why \n", "why"),
        ("zu spät 🙈", "zu spät 🙈"),
    ],
    ids=["empty", "blank", "2001", "surrogate", "2000", "stripped", "unicode"],
)
@pytest.mark.parametrize("verb", ["revoke", "rollback", "waive", "retract"])
def test_a_reason_is_given_and_kept_whole(verb: str, reason: str, kept: str | None) -> None:
    log = by(opened(), JUDGE)
    committed(log, FIRST_MODEL)
    promoted(log, "1")
    committed(log, evidence(BAD, model="2", beside=GOOD, champion="1", rows="fresh"))
    says: dict[str, Any] = {"reason": reason, "actor": "ada", "clock": clock(1)}

    def done() -> LogEntry:
        if verb == "revoke":
            return actions.revoke(log, "1", **says)
        if verb == "rollback":
            return actions.rollback(log, to=None, **says)
        if verb == "retract":
            return actions.retract(log, entry=1, **says)
        until = NOON + timedelta(days=1)
        return actions.waive(by(log, APPROVER), "log_loss", run="2", until=until, **says)

    if kept is None:
        with pytest.raises(LogError, match="this cannot be recorded: reason: ") as caught:
            done()
        one_line(caught)
        assert log.head().seq == 3
    else:
        entry = done()
        held = entry.event.waiver.reason if verb == "waive" else entry.event.reason
        assert held == kept
        assert log.head() == entry


def test_an_actor_without_a_form_in_json_is_refused_in_one_line() -> None:
    log = opened()
    committed(log, FIRST_MODEL)
    with pytest.raises(LogError, match="this cannot be recorded: JSON cannot represent it") as caught:
        actions.revoke(log, "0", reason="it leaks", actor="\ud800", clock=clock(1))
    one_line(caught)
    with pytest.raises(LogError, match="this cannot be recorded: time"):
        actions.revoke(log, "0", reason="it leaks", actor="ada", clock=lambda: clock(1)().replace(tzinfo=None))
    assert log.head().seq == 1
    assert sha_of("0") not in log.state().revoked
