"""Whoever lacks a right is told in one line which, and changes nothing: a role of PostgreSQL, a user of Redis.

Tests of pipelines/stores/postgres.py and pipelines/stores/redis_server.py (rights).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis as driver

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store
from tests.pipelines.stores.places import PLACES, Place, publish, read_all

PASSWORD = "no-secret-it-is-only-for-tests"
ROWS = {"k1": 0.1, "k2": 1 / 3}
READING = ("+hget", "+hmget", "+get")
"""What SECURITY.md tells applications to be given."""


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Any, draft: Any) -> Place:
    place = PLACES["postgres"](request, tmp_path)
    publish(place.open(), draft(), ROWS)
    return place


@pytest.fixture
def role(postgres: Place) -> Iterator[str]:
    """A role of PostgreSQL without any right."""
    name = f"r{postgres.params['namespace'][:12]}"
    with psycopg.connect(postgres.params["dsn"], autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN")
        yield name
        owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def open_as(place: Place, **params: Any) -> Store:
    return Place(kind=place.kind, home=place.home, params={**place.params, **params}).open()


def expect_refusal(action: Any) -> str:
    with pytest.raises(StoreError) as caught:
        action()
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("grants", "problem"),
    [
        ((), "permission denied for schema"),
        (("USAGE ON SCHEMA {0}",), "permission denied for table"),
        (("USAGE ON SCHEMA {0}", "SELECT ON ALL TABLES IN SCHEMA {0}"), "permission denied for table"),
    ],
    ids=["none", "of the schema", "to read"],
)
def test_a_role_that_may_not_publish_is_told_what_it_lacks(
    postgres: Place, role: str, draft: Any, grants: tuple[str, ...], problem: str
) -> None:
    schema = postgres.params["namespace"]
    with psycopg.connect(postgres.params["dsn"], autocommit=True) as owner:
        for grant in grants:
            owner.execute(f"GRANT {grant.format(schema)} TO {role}")
    store = open_as(postgres, dsn=postgres.params["dsn"].replace("user=owner", f"user={role}"))
    for action in (
        lambda: publish(store, draft(2), {"k1": 0.9}),
        lambda: store.rollback("orders", to=1),
        lambda: store.withdraw("orders", ["0" * 64]),
    ):
        line = expect_refusal(action)
        assert problem in line
        assert "to publish, a role needs USAGE on the schema and SELECT, INSERT, UPDATE, DELETE on its tables" in line
    assert read_all(postgres.open()) == ROWS


def test_a_role_that_may_not_make_the_schema_is_told_so(postgres: Place, role: str, draft: Any) -> None:
    dsn = postgres.params["dsn"].replace("user=owner", f"user={role}")
    store = open_as(postgres, dsn=dsn, namespace=f"{postgres.params['namespace'][:20]}_new")
    line = expect_refusal(lambda: publish(store, draft(), ROWS))
    assert "permission denied for database" in line
    assert "the first publication makes the schema, which needs CREATE on the database" in line


@pytest.mark.parametrize(
    ("rights", "lacks"),
    [
        (("~{0}:*", *READING), "has no permissions to run the 'client|setname' command"),
        (("~other:*", "+@all"), "has no permissions to access one of the keys used as arguments"),
        (("~{0}:*", "+@all", "-eval"), "has no permissions to run the 'eval' command"),
        (("~{0}:*", "+@all", "-info"), "has no permissions to run the 'info' command"),
        (("~{0}:*", "+@all", "-hset"), "has no permissions to run the 'hset' command"),
    ],
    ids=["reads", "other keys", "no scripts", "no info", "no writes"],
)
def test_a_user_of_redis_that_may_not_publish_is_told_what_it_lacks(
    request: pytest.FixtureRequest,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    draft: Any,
    rights: tuple[str, ...],
    lacks: str,
) -> None:
    place = PLACES["redis"](request, tmp_path)
    publish(place.open(), draft(), ROWS)
    user = f"u{place.params['namespace'][:12]}"
    with driver.Redis.from_url(place.params["url"]) as owner:
        words = [right.format(place.params["namespace"]) for right in rights]
        owner.execute_command("ACL", "SETUSER", user, "on", f">{PASSWORD}", *words)
        try:
            monkeypatch.setenv("REDISCLI_AUTH", PASSWORD)
            store = open_as(place, url=place.params["url"].replace("unix://", f"unix://{user}@"))
            line = expect_refusal(lambda: publish(store, draft(2), {"k1": 0.9}))
            assert lacks in line
            assert PASSWORD not in line
            monkeypatch.delenv("REDISCLI_AUTH")
            assert read_all(place.open()) == ROWS
        finally:
            owner.execute_command("ACL", "DELUSER", user)


def test_the_rights_that_applications_are_given_are_enough_to_read(
    request: pytest.FixtureRequest, tmp_path: Any, draft: Any
) -> None:
    place = PLACES["redis"](request, tmp_path)
    publish(place.open(), draft(), ROWS)
    name = place.params["namespace"]
    user, address = f"u{name[:12]}", place.params["url"]
    with driver.Redis.from_url(address) as owner:
        owner.execute_command("ACL", "SETUSER", user, "on", f">{PASSWORD}", f"~{name}:*", *READING)
        try:
            with driver.Redis.from_url(address, username=user, password=PASSWORD) as db:
                assert [float(score) for score in db.hmget(f"{name}:{{orders}}:current", ["k1", "k2"])] == [0.1, 1 / 3]
                with pytest.raises(driver.exceptions.NoPermissionError, match="'hset'"):
                    db.hset(f"{name}:{{orders}}:current", "k1", "0.9")
        finally:
            owner.execute_command("ACL", "DELUSER", user)
