"""The whole log checked: every way in which it can be wrong is named, and none hides the others.

Tests of gates/verification/entries.py and findings.py, and of gates/verification/runs.py as far as published versions
go; tests/pipelines/cli/log/test_verify.py has runs and tags.

Tests of gates/verification/findings.py
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore, S3Store

from lockgate.gates.errors import LogError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.commit import record_event
from lockgate.gates.log import Log, LogEntry
from lockgate.gates.verification import Findings, LogWalk, check_revoked, check_versions, walk_log
from lockgate.pipelines.stores import Draft, PublishedVersion, Tally
from tests.builders import (
    APPROVER,
    HOPELESS,
    JUDGE,
    NOON,
    STRANGER,
    as_signer,
    clock_at,
    commit_evidence,
    entry_path,
    new_log,
    promote_model,
    run_of,
)

LENGTH = 5
Tamper = Callable[[Any], None]


def make_log() -> Log:
    """0 reigns, 1 fails, 2 reigns, 0 again, 1 is revoked."""
    log = new_log()
    promote_model(log, "0")
    commit_evidence(log, HOPELESS, minute=1)
    promote_model(log, "2", minute=2)
    actions.rollback(log, to=run_of("0"), reason="x", actor="ada", clock=clock_at(3))
    actions.revoke(log, run_of("1"), reason="x", actor="ada", clock=clock_at(4))
    return log


@pytest.fixture(scope="module")
def objects() -> dict[str, bytes]:
    """The objects of a log that nobody touched."""
    store = make_log().store
    names = [meta["path"] for page in obstore.list(store) for meta in page]
    return {name: bytes(store.get(name).bytes()) for name in names}


@pytest.fixture
def store(objects: dict[str, bytes]) -> MemoryStore:
    copy = MemoryStore()
    for name, blob in objects.items():
        copy.put(name, blob)
    return copy


def verify_log(store: Any, **options: Any) -> tuple[Findings, LogWalk]:
    findings = Findings()
    return findings, walk_log(new_log(store), findings, **options)


def list_problems(store: Any) -> dict[str, str]:
    """Place → what is wrong there; several problems of a place are joined."""
    problems: dict[str, str] = {}
    for deviation in verify_log(store)[0].deviations:
        problems[deviation.where] = "; ".join(filter(None, (problems.get(deviation.where, ""), deviation.said)))
    return problems


def read_entry(store: Any, seq: int) -> LogEntry:
    return LogEntry.from_bytes(bytes(store.get(entry_path(seq)).bytes()), where=entry_path(seq))


def rewrite_from(seq: int, **changes: Any) -> Tamper:
    """Entry `seq` changed by who has the judge's key, and all that follow it chained and signed again."""

    def tamper(store: Any) -> None:
        before = read_entry(store, seq - 1) if seq > 1 else None
        for number in range(seq, LENGTH + 1):
            update = (changes if number == seq else {}) | {"previous": before and before.digest}
            entry = read_entry(store, number).model_copy(update=update)
            entry = entry.model_copy(update={"signature": JUDGE.sign(entry.payload())})
            store.put(entry_path(number), entry.to_bytes())
            before = entry

    return tamper


def put_object(name: str, blob: bytes) -> Tamper:
    return lambda store: store.put(name, blob)


def list_policies(store: Any) -> list[str]:
    return [meta["path"] for page in obstore.list(store, prefix="policies") for meta in page]


def sign_by_a_stranger(store: Any) -> None:
    entry = read_entry(store, LENGTH)
    store.put(entry_path(LENGTH), entry.model_copy(update={"signature": STRANGER.sign(entry.payload())}).to_bytes())


def remove_signature(store: Any) -> None:
    store.put(entry_path(LENGTH), read_entry(store, LENGTH).model_copy(update={"signature": None}).to_bytes())


def add_spaces(store: Any) -> None:
    store.put(entry_path(2), json.dumps(json.loads(bytes(store.get(entry_path(2)).bytes())), indent=1).encode())


def repeat_entry(store: Any) -> None:
    store.put(entry_path(3), bytes(store.get(entry_path(2)).bytes()))


def change_state(store: Any) -> None:
    entry = read_entry(store, 2)
    rewrite_from(2, state=entry.state.model_copy(update={"champion": None}))(store)


def change_decision(store: Any) -> None:
    entry = read_entry(store, 2)
    assert entry.judgement is not None
    rewrite_from(2, event=entry.judgement.model_copy(update={"decision_sha256": "f" * 64}))(store)


def test_a_log_that_nobody_touched_is_clean(store: Any) -> None:
    findings, walk = verify_log(store, digests={1, 3, 9})
    assert (findings.clean, findings.entries, findings.notes) == (True, LENGTH, [])
    assert walk.whole
    assert walk.head == read_entry(store, LENGTH)
    assert walk.digests == {seq: read_entry(store, seq).digest for seq in (1, 3)}
    assert [(promotion.seq, promotion.run) for promotion in walk.promotions] == [(1, run_of("0")), (3, run_of("2"))]


def test_an_empty_log_is_clean() -> None:
    findings, walk = verify_log(MemoryStore())
    assert (findings.clean, findings.entries, walk.head) == (True, 0, None)


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (
            lambda store: store.delete(entry_path(3)),
            {entry_path(3): "entry 3 is missing: the log goes on with entry 4"},
        ),
        (lambda store: store.delete([entry_path(1), entry_path(2)]), {entry_path(1): "entries 1 to 2 are missing"}),
        (add_spaces, {entry_path(2): "not in canonical form", entry_path(3): "the chain is broken"}),
        (put_object(entry_path(2), b"{"), {entry_path(2): "not an entry", entry_path(3): "the chain is broken"}),
        (put_object(entry_path(5), b"\xff" * 99), {entry_path(5): "not an entry"}),
        (repeat_entry, {entry_path(3): "it says that it is number 2", entry_path(4): "the chain is broken"}),
        (put_object("log/readme.txt", b""), {"log/readme.txt": "this is not an entry"}),
        (put_object("log/6.json", b""), {"log/6.json": "this is not an entry"}),
        (put_object("log/00000000.json", b""), {"log/00000000.json": "this is not an entry"}),
        (put_object("log/old/00000001.json", b""), {"log/old/00000001.json": "this is not an entry"}),
        (
            put_object("log/99999999.json", b"{"),
            {entry_path(6): "entries 6 to 99999998 are", entry_path(99999999): "not an entry"},
        ),
        (
            put_object("head.json", b'{"seq": 6}'),
            {"head.json": "names entry 6, and the log ends at 5: was its tail deleted?"},
        ),
        (lambda store: store.delete(entry_path(5)), {"head.json": "was its tail deleted?"}),
        (put_object("head.json", b"nonsense"), {"head.json": "the hint names no entry"}),
        (remove_signature, {entry_path(5): "the entry is not signed"}),
        (sign_by_a_stranger, {entry_path(5): "signed by the unknown key"}),
        (rewrite_from(2, project="other"), {entry_path(2): "it is of project 'other'; expected 'orders'"}),
        (rewrite_from(4, log_id="other"), {entry_path(4): "it is of the log other; expected"}),
        (rewrite_from(4, time=NOON + timedelta(seconds=90)), {entry_path(4): "before entry 3"}),
        (change_state, {entry_path(2): "nothing else to change", entry_path(3): "nothing else to change"}),
        (change_decision, {entry_path(2): "its decision has the SHA-256"}),
    ],
)
def test_what_is_wrong_is_named_where_it_is(store: Any, tamper: Tamper, expected: dict[str, str]) -> None:
    tamper(store)
    problems = list_problems(store)
    assert problems.keys() == expected.keys(), problems
    for where, phrase in expected.items():
        assert phrase in problems[where]


def test_a_policy_that_is_gone_or_changed_is_named_at_each_entry_that_rests_on_it(store: Any) -> None:
    names = list_policies(store)
    for name in names:
        store.put(name, bytes(store.get(name).bytes()) + b" ")
    assert {
        where: "not the one that was used" in problem for where, problem in list_problems(store).items()
    } == dict.fromkeys([entry_path(1), entry_path(2), entry_path(3)], True)
    store.delete(names)
    assert all("the log's copy of the policy is missing" in problem for problem in list_problems(store).values())
    assert {deviation.about for deviation in verify_log(store)[0].deviations} == {"policy"}


def test_a_policy_other_than_the_one_that_the_decision_binds(store: Any) -> None:
    digests = {name.removeprefix("policies/").removesuffix(".json") for name in list_policies(store)}
    entry = read_entry(store, 2)
    assert entry.judgement is not None
    (other,) = digests - {entry.judgement.policy_sha256}
    rewrite_from(2, event=entry.judgement.model_copy(update={"policy_sha256": other}))(store)
    (problem,) = list_problems(store).values()
    assert "which the decision binds" in problem


def test_everything_that_is_wrong_is_named_at_once(store: Any) -> None:
    for tamper in (add_spaces, sign_by_a_stranger, put_object("log/x", b""), put_object("head.json", b'{"seq": 7}')):
        tamper(store)
    store.delete(list_policies(store))
    findings, walk = verify_log(store)
    assert {deviation.where for deviation in findings.deviations} == {
        "log/x",
        "head.json",
        entry_path(1),
        entry_path(2),
        entry_path(3),
        entry_path(5),
    }
    assert not walk.whole
    assert findings.notes == ["the state of entry 3 was not compared with the one before it, which cannot be read"]


@pytest.mark.parametrize("suspects", [(), (1,), (1, 2, 3)])
def test_a_retraction_that_names_others_than_those_that_rest_on_it(store: Any, suspects: tuple[int, ...]) -> None:
    """Whoever may retract may leave out whom he likes: of the promotions by entries 1 and 3, 3 was over 1's model."""
    log = as_signer(new_log(store), APPROVER)
    actions.retract(log, entry=1, reason="honest", actor="ada", clock=clock_at(5))
    assert list_problems(store) == {}
    event = log.entry(6).event.model_copy(update={"suspects": suspects, "barred": ("b" * 64,)})
    record_event(log, lambda *_: event, actor="eve", clock=clock_at(6))
    problems = list_problems(store)
    assert list(problems) == [entry_path(7)]
    assert "as suspect; expected entries 1, 3" in problems[entry_path(7)]
    assert "it bars rows or scores other than those that were wrong" in problems[entry_path(7)]


def test_a_hint_that_is_behind_is_nothing(store: Any) -> None:
    store.put("head.json", b'{"seq": 2}')
    assert list_problems(store) == {}
    store.delete("head.json")
    assert list_problems(store) == {}


def test_entries_are_read_several_at_a_time_and_no_more_than_a_few_ahead(store: Any) -> None:
    """Of a log that is slow to answer; the readers wait for one another, which one alone could not."""
    together = threading.Barrier(4, timeout=600)

    class Slow:
        list = staticmethod(store.list)

        def get(self, name: str) -> Any:
            if name in [entry_path(seq) for seq in range(1, 5)]:
                together.wait()
            return store.get(name)

    assert verify_log(Slow())[0].clean


def test_a_store_that_is_down_is_one_error_not_a_thousand_deviations(s3: Any) -> None:
    with pytest.raises(LogError, match="cannot be reached"):
        verify_log(S3Store(**s3.store | {"endpoint": "http://127.0.0.1:9"}, retry_config={"max_retries": 0}))


def make_version(number: int, seq: int, digest: str, *, model: str = "m", **marks: bool) -> PublishedVersion:
    draft = Draft(
        project="orders",
        source="s",
        window="w",
        champion_run="r",
        model_sha256=model,
        log_seq=seq,
        log_sha256=digest,
        time=NOON,
        shards=1,
    )
    marks = {"current": False, "withdrawn": False, **marks}
    return PublishedVersion(version=number, tally=Tally(rows=1, buckets={0: 1}), draft=draft, **marks)


def test_versions_of_predictions_name_entries_that_exist(store: Any) -> None:
    findings, walk = verify_log(store, digests={1, 2, 9})
    versions = [make_version(1, 1, walk.digests[1]), make_version(2, 2, "0" * 64), make_version(3, 9, "0" * 64)]
    check_versions(versions, walk.digests, findings, last=LENGTH)
    problems = {deviation.where: deviation.said for deviation in findings.deviations}
    assert problems.keys() == {"version 2", "version 3"}
    assert "entry 2 is not the one that it was published under" in problems["version 2"]
    assert "the log ends at 5: was its tail deleted?" in problems["version 3"]
    assert findings.versions == 3


def test_versions_of_revoked_models_are_named_until_they_are_withdrawn(store: Any) -> None:
    findings, walk = verify_log(store)
    assert walk.head is not None
    (model,) = walk.head.state.revoked
    check_revoked(
        [
            make_version(4, 5, "5" * 64, model=model),
            make_version(3, 3, "3" * 64, model=model, current=True),
            make_version(2, 2, "2" * 64),
            make_version(1, 1, "1" * 64, model=model, withdrawn=True),
        ],
        walk,
        findings,
    )
    stays = "it stays until `lockgate predict` replaces it, or until `lockgate predictions withdraw`"
    assert findings.pending == [
        "version 4 is not served, and its model was revoked by entry 5: the next publication withdraws it",
        f"version 3 is served although its model was revoked by entry 5: {stays}",
    ]
    assert [(deviation.where, deviation.said) for deviation in findings.deviations] == [
        ("version 4", "it was published under entry 5, and its model was revoked by entry 5"),
    ]


def test_a_revoked_model_without_a_successor_waits_for_another_promotion() -> None:
    log, findings = new_log(), Findings()
    promote_model(log, "0")
    actions.revoke(log, run_of("0"), reason="x", actor="ada", clock=clock_at(1))
    walk = walk_log(log, findings)
    (model,) = log.state().revoked
    check_revoked([make_version(1, 1, "1" * 64, model=model, current=True)], walk, findings)
    (pending,) = findings.pending
    assert "it stays until another model is promoted and `lockgate predict` replaces it, or until" in pending
    assert findings.clean
