from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lockgate.pipelines.stores import Draft, Store
from tests.pipelines.stores.places import HERE, PLACES, Place
from tests.pipelines.stores.postgres_server import postgres_server
from tests.pipelines.stores.redis_server import redis_server

__all__ = ["postgres_server", "redis_server"]  # fixtures


@pytest.fixture(params=HERE)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty store of each kind."""
    place = PLACES[request.param](request, tmp_path)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


@pytest.fixture
def draft() -> Callable[..., Draft]:
    """Makes a draft of one shard; its source says which one it is."""

    def make(number: int = 1, **changes: Any) -> Draft:
        fields = {
            "source": f"Predict/{number}",
            "project": "orders",
            "window": "2024-06",
            "champion_run": "EvaluateNewModel/1",
            "model_sha256": "0" * 64,
            "log_seq": 4,
            "log_sha256": "1" * 64,
            "time": datetime(2024, 6, 1, 12, tzinfo=UTC),
            "shards": 1,
        }
        return Draft(**{**fields, **changes})

    return make
