"""The store that is one SQLite file: where it lies, and who else can read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gates.errors import StoreError
from pipelines.settings import StoreSettings
from pipelines.stores import Batch, open_store

Make = Callable[..., Batch]


def test_an_unknown_kind_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"unknown store 'redis'; expected one of sqlite @ store.kind"):
        open_store(StoreSettings(kind="redis", path="x"), home=tmp_path)


def test_a_relative_path_starts_at_home_and_an_absolute_one_does_not(tmp_path: Path, batch: Make) -> None:
    for path, where in (("mine.db", tmp_path / "mine.db"), (str(tmp_path / "abs.db"), tmp_path / "abs.db")):
        open_store(StoreSettings(kind="sqlite", path=path), home=tmp_path).publish(batch())
        assert where.is_file()


def test_any_client_can_read_the_current_predictions(tmp_path: Path, batch: Make) -> None:
    store = open_store(StoreSettings(kind="sqlite", path="mine.db"), home=tmp_path)
    store.publish(batch("Predict/1", score=0.1))
    store.publish(batch("Predict/2", score=0.2))
    with closing(sqlite3.connect(tmp_path / "mine.db")) as db:
        asked = "SELECT score FROM current_predictions WHERE project = ? AND key = ?"
        assert db.execute(asked, ("orders", "k0")).fetchall() == [(0.2,)]
