"""Tags of runs in local metadata: they follow the log, and a tag alone promotes nothing.

tests/metadata has the same behind a metadata service.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("verb", ["judge", pytest.param("evaluate", marks=pytest.mark.nightly)])
def test_the_next_command_repairs_tags_that_a_killed_one_left_out(promoted: Any, verb: str) -> None:
    (run,) = promoted.runs()
    meta = promoted.home / ".metaflow" / run / "_meta" / "_self.json"
    document = json.loads(meta.read_text(encoding="utf-8"))
    meta.write_text(json.dumps(document | {"tags": ["mine", "revoked"]}), encoding="utf-8")
    before = promoted.history()
    completed = promoted.run(verb, run) if verb == "judge" else promoted.run(verb)
    assert completed.returncode == 0, completed.stderr
    assert "put right: +champion +deployment_candidate -revoked" in " ".join(completed.stdout.split())
    assert promoted.tags(run) == ["champion", "deployment_candidate", "mine"]
    assert promoted.history() == before


@pytest.mark.nightly
def test_a_tag_is_no_promotion(promoted: Any, tmp_path: Path) -> None:
    """Tags of every kind on a run that was never promoted do not make Predict use it."""
    forged = ("--tag", "deployment_candidate", "--tag", "champion", "--tag", "production:token")
    completed = promoted.run("evaluate", "model=baseline", *forged, METAFLOW_USER="mallory", METAFLOW_RUN_TAGS="[]")
    assert completed.returncode == 1, completed.stderr
    first, pretender = promoted.runs()
    assert "deployment_candidate" in promoted.tags(pretender)
    completed = promoted.run("predict", f"--upstream-run-id={pretender}")
    assert completed.returncode == 2
    assert "was never promoted" in completed.stderr.splitlines()[-1]
    assert json.loads(promoted.run("champion", "--json").stdout)["run"] == first
    completed = promoted.run("verify", "--fix-tags")
    assert completed.returncode == 0, completed.stdout
    assert f"put right: {pretender} -deployment_candidate -production:token" in completed.stdout
    assert promoted.tags(pretender) == ["held"]
