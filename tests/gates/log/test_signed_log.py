"""What a signed log refuses: other keys, other roles, and everything that somebody could swap.

Tests of gates/log/signing.py and gates/log/log.py (signatures).
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from typing import Any

import pytest
import rfc8785

from lockgate.gates.errors import LogError, SigningError
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Keyring, Log, Signer
from tests.builders import (
    APPROVER,
    FIRST_MODEL,
    HOPELESS,
    JUDGE,
    SEALING_POLICY,
    STRANGER,
    as_signer,
    assert_one_line,
    clock_at,
    commit_evidence,
    draw_scores,
    entry_bytes,
    entry_path,
    make_evidence,
    make_keyring,
    make_signer,
    new_log,
    promote_model,
)


def test_a_signed_log_is_read_by_who_knows_its_keys() -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    assert log.head().signature.key == JUDGE.fingerprint
    assert as_signer(log, None).head() == log.head()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "there is no private key to sign the entry with; expected the key of a judge"),
        (STRANGER, "signed by the unknown key"),
        (APPROVER, "signed by approver, who may not sign this"),
    ],
)
def test_nobody_else_s_key_judges(key: Signer | None, message: str) -> None:
    log = new_log(key=key)
    with pytest.raises(SigningError, match=message) as caught:
        commit_evidence(log, FIRST_MODEL)
    assert_one_line(caught)
    assert [*log.store.list()] == []  # not even the policy


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (make_keyring(judge=(STRANGER, "judge")), "signed by the unknown key SHA256:"),
        (make_keyring(judge=(STRANGER, "judge"), ann=(JUDGE, "approver")), "signed by ann, who may not sign this"),
        (make_keyring(old=(JUDGE, "judge", 1), new=(STRANGER, "judge")), "signed by old, who may not sign this"),
    ],
    ids=["unknown", "another role", "retired"],
)
def test_an_entry_of_another_key_is_refused_where_it_is_read(keys: Keyring, message: str) -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    with pytest.raises(LogError, match=message) as caught:
        new_log(log.store, keys=keys).head()
    assert entry_path(2) in assert_one_line(caught)


@pytest.mark.parametrize(("last", "accepted"), [(1, False), (2, True), (3, True), (None, True)])
def test_a_retired_key_counts_up_to_its_last_entry(last: int | None, *, accepted: bool) -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    old = (JUDGE, "judge") if last is None else (JUDGE, "judge", last)
    later = new_log(log.store, keys=make_keyring(old=old, new=(STRANGER, "judge")))
    if accepted:
        assert later.head().seq == 2
    else:
        with pytest.raises(LogError, match="who may not sign this"):
            later.head()
    # and it writes nothing behind it
    if last is not None:
        third = make_evidence(draw_scores(0.1, seed=9), model="2", champion_scores=FIRST_MODEL.challenger, champion="0")
        allowed = last >= 3
        if accepted and allowed:
            assert commit_evidence(later, third, minute=1).entry.seq == 3
        elif accepted:
            with pytest.raises(SigningError, match="old, who may not sign this"):
                commit_evidence(later, third, minute=1)
            assert commit_evidence(as_signer(later, STRANGER), third, minute=1).entry.seq == 3  # its successor does


def test_an_unsigned_entry_in_a_signed_log_is_refused() -> None:
    log = new_log()
    commit_evidence(Log(log.store, project="orders"), FIRST_MODEL)
    with pytest.raises(LogError, match="the entry is not signed; expected a signature of judge") as caught:
        log.head()
    assert entry_path(1) in assert_one_line(caught)
    with pytest.raises(LogError, match="not signed"):
        commit_evidence(log, HOPELESS)


def test_without_a_judge_s_key_a_log_is_unsigned_and_says_nothing_about_signatures() -> None:
    log = Log(new_log().store, project="orders", keyring=make_keyring(ann=(APPROVER, "approver")))
    commit_evidence(log, FIRST_MODEL)
    assert log.head().signature is None
    assert not log.keyring.requires_signatures
    commit_evidence(as_signer(log, STRANGER), HOPELESS)  # who has a key signs all the same
    assert log.head().signature.key == STRANGER.fingerprint


# --- what somebody could swap ----------------------------------------------------------------------------------------


def _make_promoting_log() -> Log:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    promote_model(log, "1", as_of="2013-10", code={"commit": "c" * 40, "clean": True})
    return log


LOG = _make_promoting_log()


def list_leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in JSON, of empty lists and objects too."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not children:
        yield path
    for key, child in children:
        yield from list_leaves(child, (*path, key))


def swap_value(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return ("b" if value[:1] == "a" else "a") + value[1:]
    return {"a": 1} if isinstance(value, dict) else [1]


def test_an_entry_in_which_any_value_was_swapped_is_refused() -> None:
    """Every leaf of the entry in turn, hundreds of them: the signature covers each."""
    entry = json.loads(entry_bytes(LOG, 2))
    for path in list_leaves(entry):
        forged = json.loads(entry_bytes(LOG, 2))
        part = forged
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = swap_value(part[path[-1]])
        log = new_log()
        for seq, blob in ((1, entry_bytes(LOG, 1)), (2, rfc8785.dumps(forged))):
            log.store.put(entry_path(seq), blob)
        for item in (log.head, lambda log=log: log.entry(2)):
            with pytest.raises(LogError) as caught:
                pytest.fail(f"{path} was swapped, and {item()} was read")
            assert entry_path(2) in assert_one_line(caught)


def test_every_field_of_the_binding_is_among_those() -> None:
    leaves = list_leaves(json.loads(entry_bytes(LOG, 2)))
    binding = {path[3] for path in leaves if path[:3] == ("event", "decision", "binding")}
    assert binding == {
        "run",
        "model",
        "holdout",
        "scores",
        "champion_scores",
        "champion_run",
        "champion_model",
        "train",
        "policy",
        "engine",
        "commit",
        "clean",
    }


def test_the_signature_of_one_entry_does_not_fit_another() -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    second = json.loads(entry_bytes(log, 2)) | {"signature": json.loads(entry_bytes(log, 1))["signature"]}
    log.store.put(entry_path(2), rfc8785.dumps(second), mode="overwrite")
    with pytest.raises(LogError, match="the signature of judge does not match the entry"):
        log.head()


@pytest.mark.parametrize("signature", ["", "AAAA", "!", "A" * 88])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    fields = json.loads(entry_bytes(log, 1))
    fields["signature"]["ed25519"] = signature
    log.store.put(entry_path(1), rfc8785.dumps(fields), mode="overwrite")
    with pytest.raises(LogError, match="does not match the entry"):
        log.head()


def test_a_signature_has_one_spelling() -> None:
    """The last character before `==` has four bits that decoders ignore: each spelling would be another entry."""
    log = new_log()
    head = commit_evidence(log, FIRST_MODEL).entry
    fields = json.loads(entry_bytes(log, 1))
    for last in string.ascii_letters + string.digits + "+/":
        spelling = f"{fields['signature']['ed25519'][:85]}{last}=="
        changed = {**fields, "signature": {**fields["signature"], "ed25519": spelling}}
        log.store.put(entry_path(1), rfc8785.dumps(changed), mode="overwrite")
        if changed == fields:
            assert log.head() == head
        else:
            with pytest.raises(LogError, match="the signature of judge does not match the entry"):
                log.head()


# --- two keys for a waiver -------------------------------------------------------------------------------------------


def _waive(log: Log) -> Any:
    return actions.waive(log, "log_loss", run="1", reason="known", until=clock_at(60)(), actor="ann", clock=clock_at(2))


@pytest.mark.parametrize("key", [JUDGE, STRANGER, None])
def test_only_an_approver_waives(key: Signer | None) -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    with pytest.raises((SigningError, LogError)) as caught:
        _waive(as_signer(log, key))
    assert_one_line(caught)
    assert log.head().seq == 2


def test_a_waiver_that_names_another_key_than_its_signature_s_is_refused() -> None:
    keys = make_keyring(judge=(JUDGE, "judge"), ann=(APPROVER, "approver"), bob=(make_signer("bob"), "approver"))
    log = new_log(keys=keys)
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    _waive(as_signer(log, APPROVER))
    entry = log.head()
    forged = entry.model_copy(update={"signature": make_signer("bob").sign(entry.payload())})
    log.store.put(entry_path(3), forged.to_bytes(), mode="overwrite")
    with pytest.raises(LogError, match="the waiver names a key other than the one that signed it"):
        log.head()


@pytest.mark.parametrize("sealed", [False, True])
def test_the_key_that_signed_a_waiver_does_not_sign_the_judgement_that_uses_it(*, sealed: bool) -> None:
    """Though somebody gave it the other role meanwhile."""
    policy = {"policy": SEALING_POLICY} if sealed else {}
    log = new_log()
    commit_evidence(log, FIRST_MODEL, **policy)
    commit_evidence(log, HOPELESS, **policy)
    _waive(as_signer(log, APPROVER))
    other = make_keyring(judge=(JUDGE, "judge", 2), now=(APPROVER, "judge"), then=(STRANGER, "approver"))
    rekeyed = Log(log.store, project="orders", keyring=other, signer=APPROVER)
    with pytest.raises(LogError, match="signed by now, who may not sign this"):
        commit_evidence(rekeyed, HOPELESS, minute=3, **policy)  # the waiver's own entry is no longer its own to sign
    entry = commit_evidence(log, HOPELESS, minute=3, **policy).entry
    assert entry.promotes
    forged = entry.model_copy(update={"signature": APPROVER.sign(entry.payload())})
    log.store.put(entry_path(4), forged.to_bytes(), mode="overwrite")
    # An unsigned log has no roles, and the rule all the same:
    loose = Log(log.store, project="orders", keyring=make_keyring(ann=(APPROVER, "approver")))
    with pytest.raises(LogError, match="the key that signed the judgement also signed a waiver that it uses"):
        loose.head()
