"""A flow compiles as any Metaflow flow does: by its file, without a command of lockgate and without a cluster.

Tests of pipelines/flows/on_platform.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hera.workflows.models import WorkflowTemplate

from tests.argo.conftest import EVENTS

PREDICT_FLOW = Path(__file__).parents[2] / "pipelines" / "predict.py"


@pytest.mark.nightly
def test_a_flow_compiles_as_any_metaflow_flow_does(project: Any, s3: Any) -> None:
    words = ["--no-pylint", "--quiet", "--production", "argo-workflows", "create", "--only-json"]
    process = project.python(str(PREDICT_FLOW), *words, **s3.env, **EVENTS, METAFLOW_USER="ada")
    assert process.returncode == 0, process.stdout + process.stderr
    document = json.loads(process.stdout[process.stdout.index("{") :])
    WorkflowTemplate.model_validate(document)
    assert {"start", "score", "publish", "end"} <= {template["name"] for template in document["spec"]["templates"]}
