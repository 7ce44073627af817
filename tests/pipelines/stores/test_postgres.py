"""The store in PostgreSQL: who else can read it, and what goes wrong with a server, a role or a network."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store, postgres
from tests.pipelines.stores.places import PLACES, Place, publish, read_all, stage
from tests.pipelines.stores.postgres_server import PASSWORD

ROWS = {"k1": 0.1, "k2": 1 / 3}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Place:
    return PLACES["postgres"](request, tmp_path)


@pytest.fixture
def owner(postgres_server: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_server, autocommit=True) as db:
        yield db


@pytest.fixture
def reader(owner: psycopg.Connection[Any], place: Place, store: Store, draft: Any) -> Iterator[psycopg.Connection[Any]]:
    """Somebody who may read what `store` has published."""
    publish(store, draft(), ROWS)
    schema = place.params["namespace"]
    owner.execute(f"CREATE ROLE asked LOGIN PASSWORD '{PASSWORD}'")
    owner.execute(f"GRANT USAGE ON SCHEMA {schema} TO asked; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO asked")
    yield owner
    owner.execute("DROP OWNED BY asked; DROP ROLE asked")


def open_place(place: Place, **changes: Any) -> Store:
    return postgres.PostgresStore(postgres.Params.model_validate(dict(place.params) | changes))


def expect_refusal(ask: Callable[[], Any]) -> str:
    with pytest.raises(StoreError) as caught:
        ask()
    (line,) = str(caught.value).splitlines()
    assert line.startswith("the prediction store cannot be used: ")
    assert PASSWORD not in line
    return line


def test_any_postgres_client_reads_the_current_predictions(
    owner: psycopg.Connection[Any], place: Place, store: Store, draft: Any
) -> None:
    publish(store, draft(1), ROWS)
    publish(store, draft(2), {"k1": 0.7})
    stage(store, draft(3), 0, {"k1": 0.9})
    view = f'SELECT score, version, "window" FROM {place.params["namespace"]}.current_predictions'
    statement = f"{view} WHERE project = 'orders' AND key = 'k1'"
    assert owner.execute(statement).fetchall() == [(0.7, 2, "2024-06")]
    store.rollback("orders", to=None)
    assert owner.execute(statement).fetchall() == [(0.1, 1, "2024-06")]
    owner.execute("SET enable_seqscan = off")
    plan = " ".join(line for (line,) in owner.execute(f"EXPLAIN {statement}"))
    assert "Seq Scan on predictions" not in plan
    store.withdraw("orders", ["0" * 64])
    assert owner.execute(statement).fetchall() == []


def test_what_is_deleted_leaves_no_row(owner: psycopg.Connection[Any], place: Place, store: Store, draft: Any) -> None:
    for number in range(1, 5):
        publish(store, draft(number), {"": 0.5, **ROWS})
    stage(store, draft(9, shards=2), 0, ROWS)
    store.prune("orders", keep=2)
    store.discard("orders", "Predict/9")
    (rows,) = owner.execute(f"SELECT count(*) FROM {place.params['namespace']}.predictions").fetchone() or ()
    assert rows == 6


def test_whoever_may_only_read_reads_and_is_refused_the_rest(
    reader: psycopg.Connection[Any], place: Place, draft: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_place(place, dsn=place.params["dsn"].replace("owner", "asked"))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert read_all(store) == ROWS
    assert "permission denied" in expect_refusal(lambda: publish(store, draft(2), ROWS))
    assert "permission denied" in expect_refusal(lambda: store.rollback("orders", to=1))
    monkeypatch.setenv("PGPASSWORD", f"{PASSWORD}!")
    assert 'password authentication failed for user "asked"' in expect_refusal(lambda: store.versions("orders"))
    monkeypatch.delenv("PGPASSWORD")
    assert "no password supplied" in expect_refusal(lambda: store.versions("orders"))


def test_the_view_is_enough_for_who_reads_without_lockgate(
    owner: psycopg.Connection[Any], place: Place, store: Store, draft: Any
) -> None:
    publish(store, draft(), ROWS)
    schema = place.params["namespace"]
    owner.execute(f"CREATE ROLE reader; GRANT USAGE ON SCHEMA {schema} TO reader")
    owner.execute(f"GRANT SELECT ON {schema}.current_predictions TO reader; SET ROLE reader")
    assert len(owner.execute(f"SELECT key FROM {schema}.current_predictions").fetchall()) == len(ROWS)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(f"SELECT key FROM {schema}.predictions")
    owner.execute("RESET ROLE; DROP OWNED BY reader; DROP ROLE reader")


def test_a_standby_is_read_and_not_written(place: Place, store: Store, draft: Any) -> None:
    publish(store, draft(), ROWS)
    standby = open_place(place, dsn=f"{place.params['dsn']} options='-c default_transaction_read_only=on'")
    assert read_all(standby) == ROWS
    assert standby.versions("orders") == store.versions("orders")
    assert "read-only transaction" in expect_refusal(lambda: publish(standby, draft(2), ROWS))


def test_a_server_that_is_not_there_or_does_not_answer_is_one_line(place: Place) -> None:
    assert "No such file" in expect_refusal(lambda: open_place(place, dsn="host=/nowhere").versions("orders"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} user=owner dbname=postgres"
        assert "timeout expired" in expect_refusal(
            lambda: open_place(place, dsn=dsn, connect_seconds=2).versions("orders")
        )


def test_a_statement_that_takes_too_long_is_one_line(
    owner: psycopg.Connection[Any], place: Place, store: Store, draft: Any
) -> None:
    publish(store, draft(), ROWS)
    hasty = open_place(place, statement_seconds=2)
    with owner.transaction():
        owner.execute(f"LOCK TABLE {place.params['namespace']}.versions")
        for ask in (lambda: hasty.versions("orders"), lambda: publish(hasty, draft(2), ROWS)):
            assert "statement timeout" in expect_refusal(ask)
    assert read_all(hasty) == ROWS


def test_a_connection_that_is_cut_off_is_one_line(
    owner: psycopg.Connection[Any], place: Place, store: Store, draft: Any
) -> None:
    publish(store, draft(), {f"k{index}": 0.5 for index in range(120_000)})
    batches = store.read_rows("orders", keys=None, version=None).batches
    next(batches)
    owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> ''"
    )
    assert "terminating connection" in expect_refusal(lambda: list(batches))


@pytest.mark.parametrize(
    "dsn", [f"password='{PASSWORD}'", f"postgresql://owner:{PASSWORD}@localhost/postgres", PASSWORD]
)
def test_a_password_in_the_configuration_is_refused_and_not_told(place: Place, dsn: str) -> None:
    with pytest.raises(ValidationError) as caught:
        open_place(place, dsn=dsn)
    (mistake,) = caught.value.errors()
    assert "; expected " in mistake["msg"]
    assert PASSWORD not in mistake["msg"]
