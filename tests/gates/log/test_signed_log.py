"""What a signed log refuses: other keys, other roles, and everything that somebody could swap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import rfc8785

from lockgate.gates.errors import LogError, SigningError
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Keyring, Log, Signer
from tests.gates.candidates import (
    APPROVER,
    FIRST_MODEL,
    HOPELESS,
    JUDGE,
    SEALING,
    STRANGER,
    blob,
    by,
    clock,
    committed,
    evidence,
    keyring,
    one_line,
    opened,
    path,
    promoted,
    scored,
    signer,
)


def test_a_signed_log_is_read_by_who_knows_its_keys() -> None:
    log = opened()
    committed(log, FIRST_MODEL)
    assert log.head().signature.key == JUDGE.fingerprint
    assert by(log, None).head() == log.head()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "there is no private key to sign the entry with; expected the key of a judge"),
        (STRANGER, "signed by the unknown key"),
        (APPROVER, "signed by approver, who may not sign this"),
    ],
)
def test_nobody_else_s_key_judges(key: Signer | None, said: str) -> None:
    log = opened(key=key)
    with pytest.raises(SigningError, match=said) as caught:
        committed(log, FIRST_MODEL)
    one_line(caught)
    assert [*log.store.list()] == []  # not even the policy


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (keyring(judge=(STRANGER, "judge")), "signed by the unknown key SHA256:"),
        (keyring(judge=(STRANGER, "judge"), ann=(JUDGE, "approver")), "signed by ann, who may not sign this"),
        (keyring(old=(JUDGE, "judge", 1), new=(STRANGER, "judge")), "signed by old, who may not sign this"),
    ],
    ids=["unknown", "another role", "retired"],
)
def test_an_entry_of_another_key_is_refused_where_it_is_read(keys: Keyring, said: str) -> None:
    log = opened()
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS)
    with pytest.raises(LogError, match=said) as caught:
        opened(log.store, keys=keys).head()
    assert path(2) in one_line(caught)


@pytest.mark.parametrize(("last", "accepted"), [(1, False), (2, True), (3, True), (None, True)])
def test_a_retired_key_counts_up_to_its_last_entry(last: int | None, *, accepted: bool) -> None:
    log = opened()
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS)
    old = (JUDGE, "judge") if last is None else (JUDGE, "judge", last)
    found = opened(log.store, keys=keyring(old=old, new=(STRANGER, "judge")))
    if accepted:
        assert found.head().seq == 2
    else:
        with pytest.raises(LogError, match="who may not sign this"):
            found.head()
    # and it writes nothing behind it
    if last is not None:
        third = evidence(scored(0.1, seed=9), model="2", beside=FIRST_MODEL.challenger, champion="0")
        allowed = last >= 3
        if accepted and allowed:
            assert committed(found, third, minute=1).entry.seq == 3
        elif accepted:
            with pytest.raises(SigningError, match="old, who may not sign this"):
                committed(found, third, minute=1)
            assert committed(by(found, STRANGER), third, minute=1).entry.seq == 3  # its successor does


def test_an_unsigned_entry_in_a_signed_log_is_refused() -> None:
    log = opened()
    committed(Log(log.store, project="orders"), FIRST_MODEL)
    with pytest.raises(LogError, match="the entry is not signed; expected a signature of judge") as caught:
        log.head()
    assert path(1) in one_line(caught)
    with pytest.raises(LogError, match="not signed"):
        committed(log, HOPELESS)


def test_without_a_judge_s_key_a_log_is_unsigned_and_says_nothing_about_signatures() -> None:
    log = Log(opened().store, project="orders", keyring=keyring(ann=(APPROVER, "approver")))
    committed(log, FIRST_MODEL)
    assert log.head().signature is None
    assert not log.keyring.signed
    committed(by(log, STRANGER), HOPELESS)  # who has a key signs all the same
    assert log.head().signature.key == STRANGER.fingerprint


# --- what somebody could swap ----------------------------------------------------------------------------------------


def _whole() -> Log:
    log = opened()
    committed(log, FIRST_MODEL)
    promoted(log, "1", as_of="2013-10", code={"commit": "c" * 40, "clean": True})
    return log


WHOLE = _whole()


def leaves(held: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in JSON, of empty lists and objects too."""
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    if not inner:
        yield at
    for key, value in inner:
        yield from leaves(value, (*at, key))


def swapped(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return ("b" if value[:1] == "a" else "a") + value[1:]
    return {"a": 1} if isinstance(value, dict) else [1]


@pytest.mark.parametrize("at", [*leaves(json.loads(blob(WHOLE, 2)))], ids=lambda at: ".".join(map(str, at)))
def test_an_entry_in_which_anything_was_swapped_is_refused(at: tuple[Any, ...]) -> None:
    held = json.loads(blob(WHOLE, 2))
    inner = held
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = swapped(inner[at[-1]])
    log = opened()
    for seq, data in ((1, blob(WHOLE, 1)), (2, rfc8785.dumps(held))):
        log.store.put(path(seq), data)
    for read in (log.head, lambda: log.entry(2)):
        with pytest.raises(LogError) as caught:
            read()
        assert path(2) in one_line(caught)


def test_every_field_of_the_binding_is_among_those() -> None:
    bound = {at[3] for at in leaves(json.loads(blob(WHOLE, 2))) if at[:3] == ("event", "decision", "binding")}
    assert bound == {
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
    log = opened()
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS)
    second = json.loads(blob(log, 2)) | {"signature": json.loads(blob(log, 1))["signature"]}
    log.store.put(path(2), rfc8785.dumps(second), mode="overwrite")
    with pytest.raises(LogError, match="the signature of judge does not match the entry"):
        log.head()


@pytest.mark.parametrize("made", ["", "AAAA", "!", "A" * 88])
def test_a_signature_that_is_none_is_refused(made: str) -> None:
    log = opened()
    committed(log, FIRST_MODEL)
    held = json.loads(blob(log, 1))
    held["signature"]["ed25519"] = made
    log.store.put(path(1), rfc8785.dumps(held), mode="overwrite")
    with pytest.raises(LogError, match="does not match the entry"):
        log.head()


# --- two keys for a waiver -------------------------------------------------------------------------------------------


def _waive(log: Log) -> Any:
    return actions.waive(log, "log_loss", run="1", reason="known", until=clock(60)(), actor="ann", clock=clock(2))


@pytest.mark.parametrize("key", [JUDGE, STRANGER, None])
def test_only_an_approver_waives(key: Signer | None) -> None:
    log = opened()
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS)
    with pytest.raises((SigningError, LogError)) as caught:
        _waive(by(log, key))
    one_line(caught)
    assert log.head().seq == 2


def test_a_waiver_that_names_another_key_than_its_signature_s_is_refused() -> None:
    keys = keyring(judge=(JUDGE, "judge"), ann=(APPROVER, "approver"), bob=(signer("bob"), "approver"))
    log = opened(keys=keys)
    committed(log, FIRST_MODEL)
    committed(log, HOPELESS)
    _waive(by(log, APPROVER))
    held = log.head()
    forged = held.model_copy(update={"signature": signer("bob").sign(held.payload())})
    log.store.put(path(3), forged.to_bytes(), mode="overwrite")
    with pytest.raises(LogError, match="the waiver names a key other than the one that signed it"):
        log.head()


@pytest.mark.parametrize("sealed", [False, True])
def test_the_key_that_signed_a_waiver_does_not_sign_the_judgement_that_uses_it(*, sealed: bool) -> None:
    """Though somebody gave it the other role meanwhile."""
    policy = {"policy": SEALING} if sealed else {}
    log = opened()
    committed(log, FIRST_MODEL, **policy)
    committed(log, HOPELESS, **policy)
    _waive(by(log, APPROVER))
    other = keyring(judge=(JUDGE, "judge", 2), now=(APPROVER, "judge"), then=(STRANGER, "approver"))
    found = Log(log.store, project="orders", keyring=other, signer=APPROVER)
    with pytest.raises(LogError, match="signed by now, who may not sign this"):
        committed(found, HOPELESS, minute=3, **policy)  # the waiver's own entry is no longer its own to sign
    entry = committed(log, HOPELESS, minute=3, **policy).entry
    assert entry.promotes
    forged = entry.model_copy(update={"signature": APPROVER.sign(entry.payload())})
    log.store.put(path(4), forged.to_bytes(), mode="overwrite")
    # An unsigned log has no roles, and the rule all the same:
    loose = Log(log.store, project="orders", keyring=keyring(ann=(APPROVER, "approver")))
    with pytest.raises(LogError, match="the key that signed the judgement also signed a waiver that it uses"):
        loose.head()
