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
from tests.builders import (
    APPROVER,
    BAD,
    FIRST_MODEL,
    GOOD,
    JUDGE,
    NOON,
    SEALING_POLICY,
    as_signer,
    assert_one_line,
    clock_at,
    commit_evidence,
    entry_bytes,
    entry_path,
    judged_event,
    make_evidence,
    new_log,
    promote_model,
    run_of,
    sha_of,
)


def reverified_event(champion: Champion, decision: Any, *, until: Any) -> ReverifiedEvent:
    event = judged_event(decision)
    return ReverifiedEvent(
        of=str(champion.run),
        promoted_by=champion.seq,
        evidence_run="EvaluateNewModel/9",
        decision=event.decision,
        decision_sha256=event.decision_sha256,
        policy_sha256=event.policy_sha256,
        valid_until=until,
    )


def _make_log() -> Log:
    """A log with an entry of every kind."""
    log = new_log()
    says: dict[str, Any] = {"actor": "ada", "clock": clock_at(1)}
    first = commit_evidence(log, FIRST_MODEL)
    promote_model(log, "1")
    actions.rollback(log, to=None, reason="it is slow", **says)
    commit_evidence(log, make_evidence(BAD, model="2", champion_scores=GOOD, champion="0"), minute=1)
    actions.waive(
        as_signer(log, APPROVER),
        "log_loss",
        run="2",
        reason="known",
        until=clock_at(60)(),
        actor="ann",
        clock=clock_at(1),
    )
    champion = log.state().champion
    record_event(
        log, lambda _, moment: reverified_event(champion, first.decision, until=moment.time + timedelta(days=9)), **says
    )
    actions.register(log, make_evidence(GOOD, model="7", rows="fresh"), note="next month", **says)
    actions.retract(as_signer(log, APPROVER), metric="ece", reason="a wrong bin", **says)
    actions.revoke(as_signer(log, APPROVER), "1", reason="it leaks", **says)
    return log


LOG = _make_log()
ENTRIES = list(LOG.entries())
KINDS = ["judged", "judged", "rolled_back", "judged", "waived", "reverified", "registered", "retracted", "revoked"]


def test_the_log_holds_every_kind() -> None:
    assert [entry.event.kind for entry in ENTRIES] == KINDS
    assert {type(entry.event) for entry in ENTRIES} == set(EVENT_TYPES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.event.kind)
def test_an_entry_is_canonical_bytes_and_those_are_the_entry(entry: LogEntry) -> None:
    stored = entry_bytes(LOG, entry.seq)
    assert rfc8785.dumps(json.loads(stored)) == stored == entry.to_bytes()
    parsed = LogEntry.from_bytes(stored, where=entry.where)
    assert parsed == entry
    assert parsed.to_bytes() == stored
    assert entry.as_json() == json.loads(stored)


@pytest.mark.parametrize(
    ("seq", "run", "verdict", "template"),
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
def test_what_people_read_of_it(seq: int, run: str | None, verdict: str, template: str) -> None:
    event = ENTRIES[seq - 1].event
    summary = template.format(make_evidence(GOOD, model="7", rows="fresh").holdout[:12])
    assert (event.run, event.verdict, event.summary) == (run, verdict, summary)


@pytest.mark.parametrize(
    ("suspects", "phrase"), [((), "no promotions rest"), ((3,), "1 promotion rests"), ((3, 4), "2 promotions rest")]
)
def test_how_many_promotions_rest_on_what_was_retracted_is_said(suspects: tuple[int, ...], phrase: str) -> None:
    event = RetractedEvent(what="entry", value="3", reason="late labels", suspects=suspects)
    assert event.summary == f"entry 3: late labels; {phrase} on it"


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
        log = new_log()
        log.store.put(entry_path(entry.seq), forged.to_bytes())
        with pytest.raises(LogError, match="who may not sign this"):
            log.entry(entry.seq)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.event.kind)
@pytest.mark.parametrize("change", [{"stray": 1}, {"kind": "blessed"}, {"kind": None}])
def test_an_event_with_anything_else_in_it_is_none(entry: LogEntry, change: dict[str, Any]) -> None:
    fields = json.loads(entry.to_bytes())
    with pytest.raises(LogError, match="not an entry of the promotion log") as caught:
        LogEntry.from_bytes(rfc8785.dumps(fields | {"event": fields["event"] | change}), where=entry.where)
    assert_one_line(caught)


NO_JUDGEMENTS = [entry for entry in ENTRIES if entry.judgement is None]


@pytest.mark.parametrize("entry", NO_JUDGEMENTS, ids=lambda entry: entry.event.kind)
def test_what_is_no_judgement_has_no_decision(entry: LogEntry) -> None:
    assert not entry.promotes
    with pytest.raises(LogError, match=f"entry {entry.seq} of the promotion log records no judgement") as caught:
        entry.read_decision()
    assert entry_path(entry.seq) in assert_one_line(caught)


def test_a_decision_is_read_as_it_was_made_and_sealed_where_it_was() -> None:
    assert ENTRIES[0].read_decision() == commit_evidence(new_log(), FIRST_MODEL).decision.model_copy(
        update={"state": ENTRIES[0].state}
    )
    log = new_log()
    result = commit_evidence(log, FIRST_MODEL, policy=SEALING_POLICY)
    disclosed = result.decision.seal()
    assert log.head().read_decision() == disclosed
    assert log.head().judgement.decision_sha256 == disclosed.sha256
    champion = log.state().champion
    event = reverified_event(champion, disclosed, until=None)
    assert event.read_decision(State(), where="").sealed
    assert event.summary.endswith("it may be served until further notice")


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "stored"),
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
def test_a_reason_is_given_and_kept_whole(verb: str, reason: str, stored: str | None) -> None:
    log = as_signer(new_log(), JUDGE)
    commit_evidence(log, FIRST_MODEL)
    promote_model(log, "1")
    commit_evidence(log, make_evidence(BAD, model="2", champion_scores=GOOD, champion="1", rows="fresh"))
    says: dict[str, Any] = {"reason": reason, "actor": "ada", "clock": clock_at(1)}

    def act() -> LogEntry:
        if verb == "revoke":
            return actions.revoke(log, "1", **says)
        if verb == "rollback":
            return actions.rollback(log, to=None, **says)
        if verb == "retract":
            return actions.retract(log, entry=1, **says)
        until = NOON + timedelta(days=1)
        return actions.waive(as_signer(log, APPROVER), "log_loss", run="2", until=until, **says)

    if stored is None:
        with pytest.raises(LogError, match="this cannot be recorded: reason: ") as caught:
            act()
        assert_one_line(caught)
        assert log.head().seq == 3
    else:
        entry = act()
        recorded = entry.event.waiver.reason if verb == "waive" else entry.event.reason
        assert recorded == stored
        assert log.head() == entry


def test_an_actor_without_a_form_in_json_is_refused_in_one_line() -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    with pytest.raises(LogError, match="this cannot be recorded: JSON cannot represent it") as caught:
        actions.revoke(log, "0", reason="it leaks", actor="\ud800", clock=clock_at(1))
    assert_one_line(caught)
    with pytest.raises(LogError, match="this cannot be recorded: time"):
        actions.revoke(log, "0", reason="it leaks", actor="ada", clock=lambda: clock_at(1)().replace(tzinfo=None))
    assert log.head().seq == 1
    assert sha_of("0") not in log.state().revoked
