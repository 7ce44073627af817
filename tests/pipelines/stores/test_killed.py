"""Every store: publishers that are killed at random moments or all publish at once, while others read.

Tests of pipelines/stores/ledger.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lockgate.pipelines.stores import Store
from tests.pipelines.stores.places import PLACES, Place, publish, read_all, stage

ROOT = Path(__file__).parents[3]
KILLS = [pytest.param(4, id="four"), pytest.param(50, id="fifty", marks=[pytest.mark.nightly])]  # fifty take a minute


def in_every_run(*slow: str) -> list[Any]:
    """The places as parameters: all in every run, except these, which are left to the night."""
    return [pytest.param(name, marks=[pytest.mark.nightly] if name in slow else []) for name in PLACES]


@pytest.mark.parametrize("place", in_every_run("dynamodb", "parquet on S3"), indirect=True)
@pytest.mark.parametrize("revoking", [pytest.param((), id="kept"), pytest.param(("revoking",), id="revoked")])
@pytest.mark.parametrize("kills", KILLS)
def test_readers_see_whole_versions_while_publishers_are_killed(
    place: Place, revoking: tuple[str, ...], kills: int
) -> None:
    """The version before, or the next one, even if that withdraws all earlier versions and leaves nothing else."""
    completed = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.stores.kills", str(kills), *revoking],
        cwd=ROOT,
        input=place.to_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    summary = json.loads(completed.stdout)
    assert summary["wrong"] == []
    assert summary["killed"] == kills
    assert min(summary["reads"]) > 0  # of each reader
    if kills == 50:  # of four, all may have been killed on the same side
        assert 0 < summary["committed"] < kills  # some were killed before their commit, some after
        assert min(summary["reads"]) > 20
    store = place.open()
    assert [version.withdrawn for version in store.versions("orders")][:3] == [False, bool(revoking), bool(revoking)]
    for version in store.versions("orders"):
        number = int(version.draft.source.partition("/")[2])
        assert set(read_all(store, version=version.version).values()) == {number / 1000}
        assert len(read_all(store, version=version.version)) == version.rows == summary["rows"]


@pytest.mark.parametrize("place", in_every_run("parquet on S3"), indirect=True)
def test_many_stage_and_commit_the_same_at_once(place: Place, draft: Any) -> None:
    eight = draft(shards=8)

    def work(number: int) -> int:
        store = place.open()
        for shard in range(8):
            stage(store, eight, (shard + number) % 8, {f"k{(shard + number) % 8}": 0.5})
        return store.commit(eight).version

    with ThreadPoolExecutor(4) as workers:
        assert set(workers.map(work, range(4))) == {1}
    assert read_all(place.open()) == {f"k{shard}": 0.5 for shard in range(8)}


@pytest.mark.parametrize("place", in_every_run("parquet on S3"), indirect=True)
def test_many_publish_at_once_and_each_has_its_number(place: Place, store: Store, draft: Any) -> None:
    def work(number: int) -> int:
        return publish(place.open(), draft(number), {"k": number / 10}).version

    with ThreadPoolExecutor(4) as workers:
        numbers = list(workers.map(work, range(6)))
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    (current,) = (version for version in store.versions("orders") if version.current)
    assert current.version == 6
    assert read_all(store) == {"k": numbers.index(6) / 10}
