"""Every command of docs/runbook.md, as it is typed there, in its order, against what is deployed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.argo.conftest import Production, changed, committed

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
BEGIN = """
from datetime import UTC, datetime
import pyarrow as pa
from lockgate.pipelines import stores
from lockgate.pipelines.settings.settings import compose
draft = stores.Draft(
    source="Predict/argo-1", project="orders", window="2024-06", champion_run="r", model_sha256="m", log_seq=2,
    log_sha256="d", time=datetime.now(UTC), shards=2,
)
batch = pa.record_batch({"key": ["1"], "score": [0.5]})
rows = pa.RecordBatchReader.from_batches(batch.schema, [batch])
stores.open_store(compose().settings.store, home=None).stage(draft, 1, rows, stores.Tally(rows=1, buckets={0: 1}))
"""
LEAST = 17
"""So many commands there are at least."""


def typed(text: str) -> Iterator[list[str]]:
    """The words of each command in a block of its own, without what is said of it."""
    for line in text.splitlines():
        if line.startswith("    lockgate "):
            yield shlex.split(line, comments=True)[1:]


@pytest.fixture
def deployed(production: Production, new_metadata_service: Callable[[], str], tmp_path: Path) -> Production:
    """With two versions of two champions, and one that was begun."""
    conf = tmp_path / "own" / "conf"
    shutil.copytree(production.project.conf, conf)
    changed(conf / "config.yaml", "store: sqlite", "store: parquet")
    committed(conf.parent)
    made = replace(production, project=replace(production.project, conf=conf))
    made.env["METAFLOW_DATASTORE_SYSROOT_S3"] += "/runbook"
    made.env["METAFLOW_SERVICE_URL"] = new_metadata_service()
    del made.env["LOCKGATE_SIGNING_KEY"]
    for overrides in (["model.trees=2", "model.max_depth=1"], ["model.trees=20"]):
        done = made.run("evaluate", *overrides)
        assert done.returncode == 0, done.stdout + done.stderr
        done = made.run("predict")
        assert done.returncode == 0, done.stderr
    done = made.project.python("-c", BEGIN, **made.env)
    assert done.returncode == 0, done.stderr
    assert made.run("deploy").returncode == 0
    return made


@pytest.mark.nightly
def test_every_command_does_what_it_is_there_for(deployed: Production) -> None:
    run = str(json.loads(deployed.run("champion", "--json").stdout)["run"])
    words = {"RUN": run, "KEY": "11", "run=EvaluateNewModel/argo-…": f"run={run}", "Predict/argo-…": "Predict/argo-1"}
    commands = [[words.get(word, word).replace("…", "tried") for word in one] for one in typed(RUNBOOK.read_text())]
    assert len(commands) >= LEAST
    said = {}
    for command in commands:
        done = deployed.run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        said[" ".join(command)] = done.stdout
    assert re.search(r"Promote/argo-\S+ was started", said[f"trigger Promote run={run}"])
    assert {plural for _, plural, _ in deployed.api.objects} == {"workflows"}
