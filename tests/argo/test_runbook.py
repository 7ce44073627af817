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

from tests.argo.conftest import Production, commit_folder, replace_text

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
MIN_COMMANDS = 17
"""So many commands there are at least."""


def list_commands(text: str) -> Iterator[list[str]]:
    """The words of each command in a block of its own, without what is said of it."""
    for line in text.splitlines():
        if line.startswith("    lockgate "):
            yield shlex.split(line, comments=True)[1:]


@pytest.fixture
def two_champions(production: Production, new_metadata_service: Callable[[], str], tmp_path: Path) -> Production:
    """With two versions of two champions, and one that was begun."""
    conf = tmp_path / "own" / "conf"
    shutil.copytree(production.project.conf, conf)
    replace_text(conf / "config.yaml", "store: sqlite", "store: parquet")
    commit_folder(conf.parent)
    runbook_production = replace(production, project=replace(production.project, conf=conf))
    runbook_production.env["METAFLOW_DATASTORE_SYSROOT_S3"] += "/runbook"
    runbook_production.env["METAFLOW_SERVICE_URL"] = new_metadata_service()
    del runbook_production.env["LOCKGATE_SIGNING_KEY"]
    for overrides in (["model.trees=2", "model.max_depth=1"], ["model.trees=20"]):
        process = runbook_production.run("evaluate", *overrides)
        assert process.returncode == 0, process.stdout + process.stderr
        process = runbook_production.run("predict")
        assert process.returncode == 0, process.stderr
    process = runbook_production.project.python("-c", BEGIN, **runbook_production.env)
    assert process.returncode == 0, process.stderr
    assert runbook_production.run("deploy").returncode == 0
    return runbook_production


@pytest.mark.nightly
def test_every_command_does_what_it_is_there_for(two_champions: Production) -> None:
    run = str(json.loads(two_champions.run("champion", "--json").stdout)["run"])
    words = {"RUN": run, "KEY": "11", "run=EvaluateNewModel/argo-…": f"run={run}", "Predict/argo-…": "Predict/argo-1"}
    commands = [
        [words.get(word, word).replace("…", "tried") for word in command]
        for command in list_commands(RUNBOOK.read_text())
    ]
    assert len(commands) >= MIN_COMMANDS
    printed = {}
    for command in commands:
        if "--withdraw" in command:  # RUN is revoked by now, and the champion before it reigns
            command[1] = str(json.loads(two_champions.run("champion", "--json").stdout)["run"])
        process = two_champions.run(*command)
        assert process.returncode == 0, f"{command}: {process.stdout}{process.stderr}"
        printed[" ".join(command)] = process.stdout
    assert re.search(r"Promote/argo-\S+ was started", printed[f"trigger Promote run={run}"])
    assert {plural for _, plural, _ in two_champions.api.objects} == {"workflows"}
