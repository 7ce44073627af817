"""The store that is one SQLite file: where it lies, and what is wrong with a file.

Tests of pipelines/stores/sqlite.py, pipelines/stores/settings.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import STORES, Store, open_store
from lockgate.pipelines.stores.settings import StoreSettings
from tests.pipelines.stores.places import publish

ROWS = {f"k{index}": 0.5 for index in range(500)}


def open_file(path: str, home: Path) -> Store:
    return open_store(StoreSettings(kind="sqlite", keep=10, max_drift=None, path=path), home=home)


def expect_refusal(ask: Callable[[], Any]) -> str:
    with pytest.raises(StoreError) as caught:
        ask()
    (line,) = str(caught.value).splitlines()
    return line


def test_an_unknown_kind_says_what_there_is(tmp_path: Path) -> None:
    unknown = StoreSettings(kind="abacus", keep=10, max_drift=None)
    message = expect_refusal(lambda: open_store(unknown, home=tmp_path))
    assert message == f"unknown store 'abacus'; expected one of {', '.join(STORES)} @ store.kind"


def test_a_relative_path_starts_at_home_and_an_absolute_one_does_not(tmp_path: Path, draft: Any) -> None:
    for path, where in (("mine.db", tmp_path / "mine.db"), (str(tmp_path / "abs.db"), tmp_path / "abs.db")):
        publish(open_file(path, tmp_path), draft(), ROWS)
        assert where.is_file()


@pytest.mark.parametrize(
    "damage",
    [lambda blob: b"x" * 5000, lambda blob: blob[:1000] + b"\xff" * 6000, lambda _: b""],
    ids=["x", "cut", "0"],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, draft: Any, damage: Callable[[bytes], bytes]) -> None:
    store, path = open_file("mine.db", tmp_path), tmp_path / "mine.db"
    publish(store, draft(), ROWS)
    path.write_bytes(damage(path.read_bytes()))
    for ask in (lambda: store.versions("orders"), lambda: store.get("orders", "k0", version=None)):
        assert str(path) in expect_refusal(ask)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, draft: Any) -> None:
    (tmp_path / "file").touch()
    for where in (tmp_path / "file" / "predictions", tmp_path / "no such folder" / "predictions", tmp_path):
        assert str(where) in expect_refusal(lambda where=where: publish(open_file(str(where), tmp_path), draft(), ROWS))
