"""Policies beside the log: kept once, found by their digest, and only as they were kept."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from obstore.store import LocalStore, MemoryStore, S3Store

from lockgate import Policy
from lockgate.gates.errors import LogError
from lockgate.gates.log.policies import MAX_POLICY_BYTES, load_policy, policy_bytes, store_policy
from tests.builders import (
    FIRST_MODEL,
    GATES,
    HOPELESS,
    POLICY,
    SEALING_POLICY,
    assert_one_line,
    commit_evidence,
    new_log,
)


def make_rich_policy(make: Any) -> Policy:
    """A policy with a check of every kind, and words."""
    checks = {name: {**check, "description": "why, ünïcode", "owner": "risk"} for name, check in make.checks.items()}
    return make.policy(checks, schedule={"kind": "fixed", "looks": 7})


def test_a_kept_policy_is_the_policy_again(make: Any) -> None:
    store = MemoryStore()
    for policy in (POLICY, SEALING_POLICY, make_rich_policy(make)):
        digest = store_policy(store, policy)
        assert digest == hashlib.sha256(policy_bytes(policy)).hexdigest()
        assert load_policy(store, digest) == policy
        assert policy_bytes(load_policy(store, digest)) == policy_bytes(policy)
        assert bytes(store.get(f"policies/{digest}.json").bytes()) == policy_bytes(policy)


def test_it_is_kept_once_and_with_its_words() -> None:
    store = MemoryStore()
    assert store_policy(store, POLICY) == store_policy(store, POLICY)
    checks = {name: {**check, "owner": "risk"} for name, check in GATES["checks"].items()}
    reworded = Policy.parse(GATES | {"checks": checks})
    assert reworded.digest == POLICY.digest  # the same question
    assert store_policy(store, reworded) != store_policy(store, POLICY)  # in other words
    assert sum(len(page) for page in store.list()) == 2


def test_every_judgement_names_the_policy_that_it_was_made_by() -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS, policy=SEALING_POLICY)
    assert [load_policy(log.store, entry.judgement.policy_sha256) for entry in log.entries()] == [
        POLICY,
        SEALING_POLICY,
    ]
    assert [entry.judgement.valid_for for entry in log.entries()] == ["90d", "90d"]


@pytest.mark.parametrize("blob", [b"{}", b"x" * (MAX_POLICY_BYTES + 1)], ids=["other", "large"])
def test_where_something_else_lies_in_a_policys_place_nothing_is_promoted(blob: bytes) -> None:
    """Whoever may write to the bucket, and knows the policy, can put it there before."""
    log = new_log()
    log.store.put(f"policies/{hashlib.sha256(policy_bytes(POLICY)).hexdigest()}.json", blob)
    with pytest.raises(LogError, match="the log's copy of the policy is not the one that was used") as caught:
        commit_evidence(log, FIRST_MODEL)
    assert_one_line(caught)
    assert log.head() is None


def test_a_policy_that_is_gone_or_was_changed_is_said(tmp_path: Any) -> None:
    for store in (MemoryStore(), LocalStore(tmp_path)):
        digest = store_policy(store, POLICY)
        store.put(f"policies/{digest}.json", policy_bytes(SEALING_POLICY), mode="overwrite")
        with pytest.raises(LogError, match="the log's copy of the policy is not the one that was used") as caught:
            load_policy(store, digest)
        assert digest in assert_one_line(caught)
        store.delete(f"policies/{digest}.json")
        with pytest.raises(LogError, match="the log's copy of the policy is missing") as caught:
            load_policy(store, digest)
        assert f"policies/{digest}.json" in assert_one_line(caught)


def test_a_store_that_is_down_is_one_line() -> None:
    nobody = S3Store(
        "nobody",
        endpoint="http://127.0.0.1:9",
        access_key_id="a",
        secret_access_key="b",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    for call in (lambda: store_policy(nobody, POLICY), lambda: load_policy(nobody, "0" * 64)):
        with pytest.raises(LogError, match="cannot be reached") as caught:
            call()
        assert_one_line(caught)
