"""What goes wrong between lockgate and a store of predictions over HTTP: one line, and a version whole.

Tests of pipelines/stores/parquet.py, pipelines/stores/objects.py
Tests of pipelines/stores/dynamodb.py, pipelines/stores/dynamodb_table.py
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import STORES, Draft, Store
from tests.pipelines.stores.places import AWS, publish, read_all
from tests.proxy import Fault, Proxy, proxied

PATIENCE = 2.0
"""Seconds that a request has here."""

FAULTS: tuple[Fault, ...] = ("refused", "lost", "cut", "slow", "garbage", "500", "503")
NIGHTLY = pytest.mark.nightly


def in_every_run(*quick: Fault, among: tuple[Fault, ...] = FAULTS) -> list[Any]:
    """The faults as parameters: these in every run, the others at night."""
    return [pytest.param(fault, marks=[] if fault in quick else [NIGHTLY]) for fault in among]


OLD, NEW = {f"k{index}": 0.25 for index in range(40)}, {f"k{index}": 0.75 for index in range(40)}
KINDS = ("parquet", "dynamodb")


class Place:
    """A store in which `OLD` is published, reached through the proxy and behind it."""

    def __init__(self, kind: str, proxy: Proxy, bucket: str, draft: Callable[..., Draft]) -> None:
        self.kind, name = kind, uuid4().hex
        store_params: dict[str, Any] = {"root": f"s3://{bucket}", "folder": name}
        if kind == "dynamodb":
            store_params = {"table": name, "region": None, "create": True}
        kind_, upstream = STORES[kind], proxy.server.upstream
        host = upstream if "://" in upstream else f"http://{upstream}"

        def open_at(endpoint: str, seconds: float) -> Store:
            params = kind_.Params.model_validate(store_params | {"endpoint": endpoint, "seconds": seconds})
            return kind_.open_store(params, None)

        self.behind, self.through = open_at(host, 30.0), open_at(proxy.url, PATIENCE)
        publish(self.behind, draft(1), OLD)
        self.behind.get("orders", "k1", version=None)
        self.through.versions("orders")  # opens it


@pytest.fixture(scope="module")
def proxy(s3_server: str) -> Iterator[Proxy]:
    """Before the server of S3 and DynamoDB."""
    with proxied(s3_server) as proxy_:
        yield proxy_


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest,
    proxy: Proxy,
    bucket: str,
    draft: Callable[..., Draft],
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    return Place(request.param, proxy, bucket, draft)


@pytest.fixture(scope="module")
def bucket(new_bucket: Callable[[], Any]) -> str:
    with warnings.catch_warnings(action="ignore"):  # not ours, and errors in tests
        import_module("metaflow.metaflow_config")
    return str(new_bucket().bucket)


def answer_or_error(request: Callable[[], Any]) -> Any:
    """What is answer_or_error, or the one line. Who waits for a request without an end waits until pytest ends it."""
    try:
        return request()
    except StoreError as err:
        assert len(str(err).splitlines()) == 1  # noqa: PT017 (either is right)
        return str(err)


@pytest.mark.parametrize("fault", in_every_run("lost"))
def test_publishing_of_which_one_request_goes_wrong(
    place: Place, proxy: Proxy, draft: Callable[..., Draft], fault: Fault
) -> None:
    """Whichever: it is tried again, or said; what readers see is the old version or the new one."""
    with proxy.plan(None) as plan:
        publish(place.through, draft(2), NEW)
    number = 2
    for first in range(1, len(plan.seen) + 1, 12):
        number += 1
        rows = dict.fromkeys(NEW, number / 100)
        with proxy.plan(fault, first=first, times=1):
            answer = answer_or_error(lambda number=number, rows=rows: publish(place.through, draft(number), rows))
        rows_seen = read_all(place.behind)
        if isinstance(answer, str):
            assert set(rows_seen.values()) in ({number / 100}, {(number - 1) / 100 if number > 3 else 0.75})
        else:
            assert rows_seen == rows
        assert publish(place.behind, draft(number), rows).version == number
        assert read_all(place.behind) == rows


@pytest.mark.parametrize("fault", in_every_run("refused", among=("refused", "slow", "cut", "garbage", "500")))
def test_a_store_that_is_down_is_one_line_and_nothing_is_published(
    place: Place, proxy: Proxy, draft: Callable[..., Draft], fault: Fault
) -> None:
    requests: dict[str, Callable[[], Any]] = {
        "get": lambda: place.through.get("orders", "k1", version=None),
        "read": lambda: read_all(place.through),
        "publish": lambda: publish(place.through, draft(2), NEW),
        "rollback": lambda: place.through.rollback("orders", to=None),
    }
    with proxy.plan(fault):
        for name, ask in requests.items():
            answer = answer_or_error(ask)
            assert isinstance(answer, str), name
    assert read_all(place.behind) == OLD
    assert [version.version for version in place.behind.versions("orders")] == [1]


DENIED: dict[str, Fault] = {"parquet": "403", "dynamodb": "denied"}
THROTTLED: dict[str, Fault] = {"parquet": "503", "dynamodb": "throttled"}


def test_who_may_not_is_told_so_in_one_line(place: Place, proxy: Proxy, draft: Callable[..., Draft]) -> None:
    """To read, to publish, or to publish the last of it only."""
    with proxy.plan(DENIED[place.kind]):
        assert "denied" in answer_or_error(lambda: read_all(place.through)).lower()
    with proxy.plan(None) as plan:
        publish(place.through, draft(2), OLD)
    for first in (1, len(plan.seen) // 2):
        with proxy.plan(DENIED[place.kind], first=first):
            assert "denied" in answer_or_error(lambda: publish(place.through, draft(3), NEW)).lower()
        assert read_all(place.behind) == OLD


def test_who_asks_too_much_asks_again(place: Place, proxy: Proxy, draft: Callable[..., Draft]) -> None:
    with proxy.plan(THROTTLED[place.kind], first=3, times=1) as plan:
        publish(place.through, draft(2), NEW)
    assert len(plan.seen) > 3
    assert read_all(place.behind) == NEW


@pytest.mark.parametrize("fault", in_every_run("cut"))
def test_reading_of_which_one_request_goes_wrong(place: Place, proxy: Proxy, fault: Fault) -> None:
    """All rows come, or the one line; never some of them."""
    with proxy.plan(None) as plan:
        read_all(place.through)
    for first in range(1, len(plan.seen) + 1, 2):
        with proxy.plan(fault, first=first, times=1):
            answer = answer_or_error(lambda: read_all(place.through))
        assert isinstance(answer, str) or answer == OLD


def test_a_table_that_is_not_there_is_one_line(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    params = {"table": f"t{os.getpid()}", "region": None, "endpoint": s3_server, "create": False, "seconds": 5.0}
    store = STORES["dynamodb"].open_store(STORES["dynamodb"].Params.model_validate(params), None)
    with pytest.raises(StoreError, match="create: true"):
        store.get("orders", "k1", version=None)
