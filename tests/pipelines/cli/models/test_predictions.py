"""`lockgate predictions`: what is left half done is shown, and deleted on request."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lockgate.pipelines.stores import Draft, Tally
from lockgate.pipelines.stores.sqlite import SqliteStore


def test_what_was_begun_is_shown_and_discarded(project: Any) -> None:
    draft = Draft(
        source="Predict/7",
        project="orders",
        window="2024-06",
        champion_run="r",
        model_sha256="m",
        log_seq=1,
        log_sha256="d",
        time=datetime(2024, 6, 1, tzinfo=UTC),
        shards=2,
    )
    batch = pa.record_batch({"key": ["1"], "score": [0.5]})
    store = SqliteStore(project.home / "predictions.db")
    store.stage(draft, 1, pa.RecordBatchReader.from_batches(batch.schema, [batch]), Tally(rows=1, buckets={0: 1}))
    output = project.run("predictions", "drafts")
    assert output.stdout.splitlines() == ["Predict/7  2024-06-01 00:00  2024-06  1 of 2 shards staged"]
    assert json.loads(project.run("predictions", "drafts", "--json").stdout)[0]["staged"] == [1]
    wrong = project.run("predictions", "discard", "Predict/8")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'Predict/8' has no unfinished version; expected one of Predict/7" in wrong.stderr
    completed = project.run("predictions", "discard", "Predict/7")
    assert (completed.returncode, "its staged rows are deleted" in completed.stdout) == (0, True)
    assert project.run("predictions", "drafts").stdout == "there are no unfinished versions\n"
