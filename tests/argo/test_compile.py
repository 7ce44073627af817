"""A flow compiles as any Metaflow flow does: by its file, without a command of lockgate and without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hera.workflows.models import WorkflowTemplate

from tests.argo.conftest import EVENTS

PREDICT = Path(__file__).parents[2] / "pipelines" / "predict.py"


def test_a_flow_compiles_as_any_metaflow_flow_does(project: Any, s3: Any) -> None:
    words = ["--no-pylint", "--quiet", "--production", "argo-workflows", "create", "--only-json"]
    done = project.python(str(PREDICT), *words, **s3.env, **EVENTS, METAFLOW_USER="ada")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout[done.stdout.index("{") :])
    WorkflowTemplate.model_validate(document)
    assert {"start", "score", "publish", "end"} <= {one["name"] for one in document["spec"]["templates"]}
