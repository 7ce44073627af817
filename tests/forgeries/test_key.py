"""Code of a model that looks for what signs: the judge's key, and the tokens of the job that trains."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import JUDGE
from tests.configuration import ROOT
from tests.forgeries.conftest import private

SPY = """
import json as _json, os as _os, pathlib as _pathlib, sys as _sys
with _pathlib.Path({file!r}).open("a") as _notes:
    _notes.write(_json.dumps([" ".join(map(str, _sys.orig_argv)), dict(_os.environ)]) + "\\n")
"""
SECRET_VARIABLES = {
    "LOCKGATE_SIGNING_KEY",
    "LOCKGATE_SIGNING_KEY_FILE",
    "GITHUB_TOKEN",
    "GITHUB_ENV",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "PGPASSWORD",
    "SLACK_WEBHOOK",
}
DECLARED = {"SOURCE_PASSWORD": None, "SPEED": "fast"}
KEPT_VARIABLES = {"AWS_ACCESS_KEY_ID", "METAFLOW_DEFAULT_METADATA", "OMP_NUM_THREADS", "SOURCE_PASSWORD", "TZ"}


@pytest.mark.nightly
def test_the_environment_of_the_process_that_trains(tmp_path: Path, signed_conf: Path, project_at: Any) -> None:
    """The model that spies is not even the one that is trained."""
    code, notes = tmp_path / "code", tmp_path / "notes.jsonl"
    for folder in ("gates", "pipelines", "lockgate"):
        shutil.copytree(ROOT / folder, code / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    conf = Path(shutil.copytree(signed_conf, tmp_path / "conf"))
    file = conf / "platform" / "local.yaml"
    platform = yaml.safe_load(file.read_text(encoding="utf-8")) | {"environment": DECLARED}
    file.write_text(yaml.safe_dump(platform), encoding="utf-8")
    (tmp_path / "home").mkdir()
    with (code / "pipelines/models/baseline.py").open("a", encoding="utf-8") as model:
        model.write(SPY.format(file=str(notes)))
    project = project_at(home=tmp_path / "home", conf=conf)
    secrets = dict.fromkeys(SECRET_VARIABLES, "s3cr3t-c4n4ry") | {"LOCKGATE_SIGNING_KEY": private(JUDGE)}
    variables = dict.fromkeys(KEPT_VARIABLES, "1") | {"METAFLOW_DEFAULT_METADATA": "local", "TZ": "UTC"}
    process = project.run(
        "evaluate", "model=logistic", PYTHONPATH=str(code), PYTHONSAFEPATH="1", **secrets, **variables
    )
    assert process.returncode in {0, 1, 3}, process.stderr
    assert project.history()[0]["signature"] is not None  # whoever judges has the key

    processes = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    training = [environment for words, environment in processes if "bin/lockgate" not in words]
    started = " ".join(words for words, _ in processes)
    assert all(part in started for part in ("evaluate.py", "lockgate.pipelines.scoring.confined_server"))
    assert [SECRET_VARIABLES & set(environment) for environment in training] == [set()] * len(training)
    assert all("PRIVATE KEY" not in str(environment) for environment in training)
    for words, environment in processes:
        if "bin/lockgate" not in words:  # what only scores a model gets no credential at all
            kept = {"OMP_NUM_THREADS", "TZ"} if "confined" in words else KEPT_VARIABLES
            assert kept == KEPT_VARIABLES & set(environment)
    assert any(environment.get("SPEED") == "fast" for environment in training)
