"""Of every store: publishers that are killed at random moments, or that all come at once, and readers meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lockgate.pipelines.stores import Store
from tests.pipelines.stores.places import PLACES, Place, held, publish, stage

ROOT = Path(__file__).parents[3]
KILLS = 50
SLOW = {"dynamodb", "parquet", "parquet on S3", "redis"}  # fifty of them take a quarter of a minute, or minutes
FIFTY = [pytest.param(name, marks=[pytest.mark.nightly] if name in SLOW else []) for name in PLACES]


@pytest.mark.parametrize("place", FIFTY, indirect=True)
@pytest.mark.parametrize("revoking", [pytest.param((), id="kept"), pytest.param(("revoking",), id="revoked")])
def test_fifty_kills_and_readers_see_whole_versions_only(place: Place, revoking: tuple[str, ...]) -> None:
    """The version before, or the one after: also where that withdraws all before it, so that nothing else is left."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.stores.kills", str(KILLS), *revoking],
        cwd=ROOT,
        input=place.to_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["killed"] == KILLS
    assert 0 < told["committed"] < KILLS  # some before it was published, some after
    assert min(told["reads"]) > 20  # of each reader
    store = place.open()
    assert [one.withdrawn for one in store.versions("orders")][:3] == [False, bool(revoking), bool(revoking)]
    for one in store.versions("orders"):
        number = int(one.draft.source.partition("/")[2])
        assert set(held(store, version=one.version).values()) == {number / 1000}
        assert len(held(store, version=one.version)) == one.rows == told["rows"]


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_many_stage_and_commit_the_same_at_once(place: Place, draft: Any) -> None:
    eight = draft(shards=8)

    def work(number: int) -> int:
        store = place.open()
        for shard in range(8):
            stage(store, eight, (shard + number) % 8, {f"k{(shard + number) % 8}": 0.5})
        return store.commit(eight).version

    with ThreadPoolExecutor(4) as workers:
        assert set(workers.map(work, range(4))) == {1}
    assert held(place.open()) == {f"k{shard}": 0.5 for shard in range(8)}


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_many_publish_at_once_and_each_has_its_number(place: Place, store: Store, draft: Any) -> None:
    def work(number: int) -> int:
        return publish(place.open(), draft(number), {"k": number / 10}).version

    with ThreadPoolExecutor(4) as workers:
        numbers = list(workers.map(work, range(6)))
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    (current,) = (one for one in store.versions("orders") if one.current)
    assert current.version == 6
    assert held(store) == {"k": numbers.index(6) / 10}
