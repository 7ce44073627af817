"""A revoked model's predictions: they stay until others replace them, or until somebody says withdraw.

Tests of pipelines/scoring/withdrawal.py
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from lockgate.pipelines.stores import Draft, Tally
from lockgate.pipelines.stores.sqlite import SqliteStore
from tests.pipelines.cli.prompted import Project


def publish(project: Project, *runs: int) -> SqliteStore:
    """A version for each of these runs, in this order, as Predict publishes it."""
    store = SqliteStore(project.where / "predictions.db")
    for number, run in enumerate(runs):
        entry = project.log.entry(run)
        draft = Draft(
            source=f"Predict/{number}",
            project="flights",
            window=f"2026-1{number}",
            champion_run=f"EvaluateNewModel/{run}",
            model_sha256=entry.read_decision().binding.model,
            log_seq=2,
            log_sha256=project.log.entry(2).digest,
            time=datetime(2026, 11, 1, tzinfo=UTC),
            shards=1,
        )
        batch = pa.record_batch({"key": ["k"], "score": [run / 10]})
        store.stage(draft, 0, pa.RecordBatchReader.from_batches(batch.schema, [batch]), Tally(rows=1, buckets={0: 1}))
        store.commit(draft)
    return store


def marks(store: SqliteStore) -> dict[int, str]:
    return {flight.version: "*" * flight.current + "w" * flight.withdrawn for flight in store.versions("flights")}


REVOKE_2, REVOKE_1 = (("revoke", run, "--reason", "leaks") for run in ("2", "1"))


@pytest.mark.nightly
def test_a_revocation_says_what_is_served_and_withdraws_nothing(prompted: Callable[..., Project]) -> None:
    project = prompted()
    store = publish(project, 1, 2)
    output = project.run(*REVOKE_2)
    assert (
        "version 2 is served although its model was revoked: it stays until `lockgate predict` has published" in output
    )
    assert "or until `lockgate predictions withdraw`" in output
    assert "next: `lockgate predict` publishes the champion's predictions" in output
    assert "nothing may be served now" in project.run(*REVOKE_1)
    assert marks(store) == {2: "*", 1: ""}
    assert "what is published stays until another model's predictions replace it, or until `lockgate" in project.run(
        "champion", code=2
    )
    assert "0.200000" in project.run("predictions", "get", "k")


def test_withdrawn_later(prompted: Callable[..., Project]) -> None:
    project = prompted()
    store = publish(project, 1, 2)
    assert "nothing to withdraw" in project.run("predictions", "withdraw")
    project.run(*REVOKE_2)
    output = project.run("predictions", "withdraw")
    assert "withdrew version 2: the model was revoked" in output
    assert "version 1 is served: predictions of 2026-10 with the model of EvaluateNewModel/1" in output
    assert marks(store) == {2: "w", 1: "*"}
    assert "nothing to withdraw" in project.run("predictions", "withdraw")
    project.run(*REVOKE_1)
    document = json.loads(project.run("predictions", "withdraw", "--json"))
    assert document == {"withdrawn": [1], "current": None}
    assert "no version is current" in project.run("predictions", "get", "k", code=2)


def test_revoked_and_withdrawn_at_once(prompted: Callable[..., Project]) -> None:
    project = prompted()
    store = publish(project, 2)
    output = project.run(*REVOKE_2, "--withdraw")
    assert "entry 4 of the promotion log" in output
    assert "withdrew version 1: the model was revoked" in output
    assert "applications read no predictions until `lockgate predict` publishes some" in output
    assert marks(store) == {1: "w"}


@pytest.mark.nightly
def test_a_revocation_stands_where_the_store_cannot_be_used(prompted: Callable[..., Project]) -> None:
    project = prompted()
    (project.where / "predictions.db").write_bytes(b"no database, and long enough to be looked at" * 99)
    output = project.run(*REVOKE_2)
    assert "it is unknown what applications read: the prediction store cannot be used" in output
    assert "predictions of a revoked model stay" in output
    output = project.run(*REVOKE_1, "--withdraw", code=2)
    assert "entry 5 is recorded; once this is fixed, `lockgate predictions withdraw` withdraws what is served" in output
    assert project.log.head().seq == 5


@pytest.mark.nightly
def test_a_rollback_goes_to_no_version_of_a_revoked_model(prompted: Callable[..., Project]) -> None:
    project = prompted()
    store = publish(project, 1, 2, 1, 2)
    project.run(*REVOKE_1)
    assert "the model of version 3 was revoked; expected one of 2, 4" in project.run(
        "predictions", "rollback", "--to", "3", code=2
    )
    assert "version 2 is current again" in project.run("predictions", "rollback")
    assert marks(store) == {4: "", 3: "", 2: "*", 1: ""}
    log = project.where / ".metaflow" / "lockgate" / "flights" / "log"
    shutil.rmtree(log)
    assert "which models were revoked is unknown" in project.run("predictions", "rollback", "--to", "4", code=2)
    assert "which models were revoked is unknown" in project.run("predictions", "withdraw", code=2)
    assert marks(store) == {4: "", 3: "", 2: "*", 1: ""}


@pytest.mark.nightly
def test_verify_names_what_is_served_of_a_revoked_model(prompted: Callable[..., Project]) -> None:
    project = prompted()
    publish(project, 2, 1, 2)
    project.run(*REVOKE_2)
    output = project.run("verify", code=2)  # these runs are made up
    assert (
        "pending: version 3 is served although its model was revoked by entry 4: it stays until `lockgate predict`"
        in output
    )
    assert "pending: version 1 is not served, and its model was revoked by entry 4" in output
    project.run("predictions", "withdraw")
    assert json.loads(project.run("verify", "--json", code=2))["pending"] == []
