"""Whose waiver it is: the name that conf/platform gives the key, never one that somebody tells.

Tests of gates/log/signing.py (names of keys).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lockgate.gates.errors import LogError, SigningError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.commit import record_event
from lockgate.gates.log import Keyring, Log, Signer
from lockgate.gates.log.events import WaivedEvent
from lockgate.gates.verification import Findings, walk_log
from tests.builders import (
    APPROVER,
    FIRST_MODEL,
    HOPELESS,
    JUDGE,
    STRANGER,
    as_signer,
    assert_one_line,
    assert_refused,
    clock_at,
    commit_evidence,
    entry_path,
    make_keyring,
    make_signer,
    new_log,
    public_line_of,
)

BOB = make_signer("bob")
KEYS = make_keyring(ci=(JUDGE, "judge"), ada=(APPROVER, "approver"), bob=(BOB, "approver"))


@pytest.fixture
def log() -> Log:
    """Model 0 reigns; model 1 was held, for its log loss."""
    opening = new_log(keys=KEYS)
    commit_evidence(opening, FIRST_MODEL)
    commit_evidence(opening, HOPELESS)
    return opening


def waive(log: Log, key: Signer = BOB) -> Any:
    return actions.waive(
        as_signer(log, key), "log_loss", run="1", reason="known", until=clock_at(60)(), actor="ada", clock=clock_at(1)
    )


def forge(log: Log, name: str) -> None:
    """Put a waiver of bob's in the log, well formed and signed by him, in which another name is told."""
    aside = new_log(keys=log.keyring)
    for seq in (1, 2):
        aside.store.put(entry_path(seq), bytes(log.store.get(entry_path(seq)).bytes()))
    entry = waive(aside)
    waiver = entry.event.waiver.model_copy(update={"approver": name})
    state = entry.state.model_copy(update={"waivers": (waiver,)})
    forged = entry.model_copy(update={"event": WaivedEvent(waiver=waiver), "state": state, "signature": None})
    log.store.put(entry_path(3), forged.model_copy(update={"signature": BOB.sign(forged.payload())}).to_bytes())


def relist_key(*, former: dict[str, int], name: str = "robert", log: Log) -> Log:
    """The log, read where conf/platform calls bob's key otherwise by now."""
    keys: list[Any] = [("ci", "judge", public_line_of(JUDGE), None), (name, "approver", public_line_of(BOB), None)]
    return Log(
        log.store,
        project="orders",
        signer=JUDGE,
        keyring=Keyring.from_listed(keys, where="platform.keys.trusted", former={name: former}),
    )


READERS: dict[str, Callable[[Log], Any]] = {
    "head": Log.head,
    "entry": lambda log: log.entry(3),
    "entries": lambda log: list(log.entries()),
    "backwards": lambda log: list(log.backwards()),
    "judge": lambda log: commit_evidence(log, HOPELESS, minute=2),
}


@pytest.mark.parametrize(("key", "name"), [(APPROVER, "ada"), (BOB, "bob")])
def test_the_name_is_that_of_the_key(log: Log, key: Signer, name: str) -> None:
    assert waive(log, key).event.waiver.approver == name
    use = commit_evidence(log, HOPELESS, minute=2).decision.waivers[0]
    assert use.message.startswith(f"waiver of log_loss by {name} (entry 3) lifts its FAIL")


@pytest.mark.parametrize("read_log", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("name", ["ada", "carol", ""])
def test_a_waiver_under_another_name_is_refused_wherever_it_is_read(
    log: Log, read_log: Callable[[Log], Any], name: str
) -> None:
    forge(log, name)
    with pytest.raises(
        LogError, match=f"the waiver of entry 3 names '{name}' as its approver, but its key belongs to bob"
    ):
        read_log(log)


def test_verify_names_it(log: Log) -> None:
    forge(log, "ada")
    findings = Findings()
    walk_log(log, findings)
    (deviation,) = findings.deviations
    assert (deviation.about, deviation.where) == ("log", entry_path(3))
    assert "names 'ada' as its approver, but its key belongs to bob; expected bob" in deviation.said


def test_a_state_that_carries_a_waiver_under_another_name_is_refused_too(log: Log) -> None:
    """Long after the waiver itself, which a judge does not read again; a judge's key signed it unseen."""
    waive(log)
    entry = commit_evidence(log, HOPELESS, minute=2).entry
    assert entry is not None
    (waiver,) = entry.state.waivers
    waivers = (waiver.model_copy(update={"approver": "ada"}),)
    forged = entry.model_copy(update={"state": entry.state.model_copy(update={"waivers": waivers}), "signature": None})
    forged = forged.model_copy(update={"signature": JUDGE.sign(forged.payload())})
    log.store.put(entry_path(4), forged.to_bytes(), mode="overwrite")
    with pytest.raises(LogError, match="the waiver of entry 3 names 'ada' as its approver") as caught:
        log.entry(4)
    assert entry_path(4) in assert_one_line(caught)


def test_nobody_records_a_waiver_under_another_name(log: Log) -> None:
    entry = waive(new_log(log.store, keys=KEYS))
    waiver = entry.event.waiver.model_copy(update={"approver": "ada", "seq": 4})
    with pytest.raises(SigningError, match="the waiver of entry 4 names 'ada'") as caught:
        record_event(as_signer(log, BOB), lambda *_: WaivedEvent(waiver=waiver), actor="bob", clock=clock_at(2))
    assert_one_line(caught)
    assert log.head() == entry


@pytest.mark.parametrize(("last", "readable"), [(2, False), (3, True), (4, True)])
def test_a_key_that_was_renamed_keeps_the_waivers_of_its_former_name(log: Log, last: int, *, readable: bool) -> None:
    entry = waive(log)
    renamed = relist_key(former={"bob": last}, log=log)
    if readable:
        assert renamed.head() == entry
        assert commit_evidence(renamed, HOPELESS, minute=2).decision.verdict == "PROMOTE"
        assert [entry.event.kind for entry in renamed.entries()] == ["judged", "judged", "waived", "judged"]
    else:
        with pytest.raises(LogError, match="its key belongs to robert") as caught:
            renamed.head()
        assert "platform.keys.trusted.robert.formerly" in assert_one_line(caught)


def test_after_it_was_renamed_it_waives_under_its_new_name_only(log: Log) -> None:
    waive(log)
    renamed = relist_key(former={"bob": 3}, log=log)
    assert waive(renamed).event.waiver.approver == "robert"
    waiver = renamed.head().event.waiver.model_copy(update={"approver": "bob", "seq": 5})
    with pytest.raises(SigningError, match="the waiver of entry 5 names 'bob'"):
        record_event(as_signer(renamed, BOB), lambda *_: WaivedEvent(waiver=waiver), actor="bob", clock=clock_at(2))


def test_a_key_that_was_replaced_leaves_its_name_to_its_successor(log: Log) -> None:
    """bob's old key and his new one; the waivers of both are his."""
    waive(log)
    keys: list[Any] = [
        ("ci", "judge", public_line_of(JUDGE), None),
        ("bob-2024", "approver", public_line_of(BOB), 3),
        ("bob", "approver", public_line_of(STRANGER), None),
    ]
    ring = Keyring.from_listed(keys, where="platform.keys.trusted", former={"bob-2024": {"bob": 3}})
    replaced = Log(log.store, project="orders", keyring=ring, signer=JUDGE)
    assert waive(replaced, STRANGER).event.waiver.approver == "bob"
    assert [entry.event.waiver.approver for entry in replaced.entries() if entry.event.kind == "waived"] == [
        "bob",
        "bob",
    ]


def test_a_waiver_of_a_key_that_is_listed_no_more_lifts_nothing(log: Log) -> None:
    """Its entry lies further back than a judge reads."""
    waive(log)
    for minute, reason in ((2, "slow"), (3, "still slow")):
        actions.retract(log, metric="ece", reason=reason, actor="ada", clock=clock_at(minute))
    without = new_log(log.store, keys=make_keyring(ci=(JUDGE, "judge"), ada=(APPROVER, "approver")))
    message = "uses the waiver of entry 3, whose key is not that of an approver"
    assert_refused(without, lambda: commit_evidence(without, HOPELESS, minute=4), message)
    assert commit_evidence(log, HOPELESS, minute=4).decision.verdict == "PROMOTE"


# --- an unsigned log -------------------------------------------------------------------------------------------------


@pytest.fixture
def unsigned_log() -> Log:
    """The same, without a judge's key."""
    opening = new_log(key=None, keys=make_keyring(ada=(APPROVER, "approver"), bob=(BOB, "approver")))
    commit_evidence(opening, FIRST_MODEL)
    commit_evidence(opening, HOPELESS)
    return opening


def test_an_unsigned_log_derives_the_name_too(unsigned_log: Log) -> None:
    assert waive(unsigned_log).event.waiver.approver == "bob"
    assert commit_evidence(unsigned_log, HOPELESS, minute=2).decision.verdict == "PROMOTE"


def test_an_unsigned_log_refuses_another_name_too(unsigned_log: Log) -> None:
    forge(unsigned_log, "ada")
    with pytest.raises(LogError, match="names 'ada' as its approver, but its key belongs to bob"):
        unsigned_log.head()


def test_a_false_signature_in_the_name_of_a_listed_key_is_refused_in_an_unsigned_log(unsigned_log: Log) -> None:
    """`history` and `why` would show it as ada's."""
    entry = actions.revoke(unsigned_log, "0", reason="mine", actor="mallory", clock=clock_at(1))
    signature = STRANGER.sign(entry.payload()).model_copy(update={"key": APPROVER.fingerprint})
    forged = entry.model_copy(update={"signature": signature})
    unsigned_log.store.put(entry_path(3), forged.to_bytes(), mode="overwrite")
    with pytest.raises(LogError, match="the signature of ada does not match the entry"):
        unsigned_log.head()
    unsigned_log.store.put(entry_path(3), entry.to_bytes(), mode="overwrite")
    assert unsigned_log.head() == entry


def test_who_has_another_key_signs_an_unsigned_log_all_the_same(unsigned_log: Log) -> None:
    """An approver's key in the environment, say, that is no judge's."""
    for key in (APPROVER, STRANGER):
        actions.retract(
            as_signer(unsigned_log, key), metric="ece", reason=key.fingerprint, actor="ada", clock=clock_at(1)
        )
    assert [entry.signature and entry.signature.key for entry in unsigned_log.entries()][2:] == [
        APPROVER.fingerprint,
        STRANGER.fingerprint,
    ]
