"""`lockgate manifests`: everything that production consists of, as files; the same bytes for the same thing.

Tests of pipelines/cli/production/manifests.py
Tests of pipelines/deployment/normal.py
Tests of pipelines/deployment/package.py
Tests of pipelines/deployment/recorder.py
Tests of pipelines/deployment/recording.py
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import obstore
import pytest
import yaml
from hera.workflows.models import CronWorkflow, WorkflowTemplate
from obstore.store import S3Store

from tests.argo.conftest import CANARY, IMAGE
from tests.configuration import ROOT

FILES = [
    "cronworkflow-lockgateorders.prod.predict.yaml",
    "sensor-lockgateorders-prod-predict.yaml",
    "sensor-lockgateorders-prod-promote.yaml",
    "workflowtemplate-lockgateorders.prod.evaluatenewmodel.yaml",
    "workflowtemplate-lockgateorders.prod.predict.yaml",
    "workflowtemplate-lockgateorders.prod.promote.yaml",
]
PREDICT_FILE = "workflowtemplate-lockgateorders.prod.predict.yaml"


@pytest.fixture(scope="module")
def documents(bundle: Path) -> dict[str, dict[str, Any]]:
    return {file.name: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(bundle.iterdir())}


def variables(template: Mapping[str, Any], step: str) -> dict[str, str]:
    step_template = next(template for template in template["spec"]["templates"] if template["name"] == step)
    return {variable["name"]: variable.get("value", "") for variable in step_template["container"]["env"]}


def test_every_object_is_a_file(bundle: Path, documents: dict[str, dict[str, Any]]) -> None:
    assert list(documents) == FILES
    assert (bundle.parent / "said").read_text(encoding="utf-8").splitlines() == [f"bundle/{name}" for name in FILES]
    for name, document in documents.items():
        assert name == f"{document['kind'].lower()}-{document['metadata']['name']}.yaml"
        assert document["metadata"]["namespace"] == "models"
        assert document["apiVersion"] == "argoproj.io/v1alpha1"


def test_argo_s_own_schema_takes_them(documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        if document["kind"] == "WorkflowTemplate":
            WorkflowTemplate.model_validate(document)
        if document["kind"] == "CronWorkflow":
            CronWorkflow.model_validate(document)


def test_the_schedule_and_the_events_are_in_them(documents: dict[str, dict[str, Any]]) -> None:
    cron = documents["cronworkflow-lockgateorders.prod.predict.yaml"]["spec"]
    assert (cron["schedules"], cron["timezone"], cron["suspend"]) == (["17 5 * * *"], "UTC", False)
    assert cron["workflowSpec"] == {"workflowTemplateRef": {"name": "lockgateorders.prod.predict"}}
    promote = json.dumps(documents["sensor-lockgateorders-prod-promote.yaml"])
    assert "metaflow.lockgate_orders.prod.EvaluateNewModel.end" in promote
    assert "mfns.lockgate_orders.prod.promoted" in json.dumps(documents["sensor-lockgateorders-prod-predict.yaml"])


def test_pods_are_as_the_platform_says(documents: dict[str, dict[str, Any]]) -> None:
    template = documents[PREDICT_FILE]
    publish = next(step for step in template["spec"]["templates"] if step["name"] == "publish")["container"]
    assert publish["image"] == IMAGE
    assert publish["resources"]["requests"]["memory"].startswith("8192")
    assert {source["secretRef"]["name"] for source in publish["envFrom"]} == {"lockgate-metadata", "lockgate-store"}
    parameters = {
        parameter["name"]: parameter.get("value") for parameter in template["spec"]["arguments"]["parameters"]
    }
    assert {"window", "upstream-run-id"} <= set(parameters)
    assert "EvaluateNewModel" not in json.dumps(parameters["upstream-run-id"])  # no champion is deployed


def test_only_promote_gets_the_judge_s_key(bundle: Path) -> None:
    with_key = [file.name for file in bundle.iterdir() if "lockgate-judge" in file.read_text(encoding="utf-8")]
    assert with_key == ["workflowtemplate-lockgateorders.prod.promote.yaml"]


def package(template: Mapping[str, Any], env: Mapping[str, str]) -> tarfile.TarFile:
    """The code package that a template's pods download."""
    settings = variables(template, "start")
    bucket, _, path = settings["METAFLOW_CODE_URL"].removeprefix("s3://").partition("/")
    assert path.endswith(settings["METAFLOW_CODE_SHA"])
    store = S3Store(
        bucket,
        endpoint=env["METAFLOW_S3_ENDPOINT_URL"],
        access_key_id="testing",
        secret_access_key="testing",
        region="us-east-1",
        client_options={"allow_http": True},
    )
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(bytes(obstore.get(store, path).bytes()))))


def test_the_code_package_is_in_the_datastore(
    documents: dict[str, dict[str, Any]], surroundings: dict[str, str]
) -> None:
    with package(documents[PREDICT_FILE], surroundings) as code:
        names = code.getnames()
        assert names == sorted(names)
        assert {
            "predict.py",
            ".mf_code/lockgate/gates/judge/engine.py",
            ".mf_code/lockgate/pipelines/scoring/predict.py",
            ".mf_install",
        } <= set(names)
        assert {(member.uid, member.gid, member.uname, member.mtime) for member in code.getmembers()} == {(0, 0, "", 0)}
        info = code.extractfile(".mf_meta/INFO")
        assert info is not None
        assert not set(json.load(info)) & {"username", "repo_url", "commit_sha", "branch_name"}


def test_no_secret_is_in_a_manifest_a_package_or_what_was_said(
    bundle: Path, documents: dict[str, dict[str, Any]], surroundings: dict[str, str]
) -> None:
    assert CANARY in "".join(surroundings.values())
    for file in [*bundle.iterdir(), bundle.parent / "said"]:
        assert CANARY not in file.read_text(encoding="utf-8"), file
    for document in documents.values():
        if document["kind"] == "WorkflowTemplate":
            with package(document, surroundings) as code:
                for member in code.getmembers():
                    file = code.extractfile(member)
                    assert file is None or CANARY.encode() not in file.read(), member.name


@pytest.mark.nightly
def test_another_checkout_of_the_same_gives_the_same_bytes(
    bundle: Path, tmp_path: Path, project_at: Any, production_conf: Path, surroundings: dict[str, str]
) -> None:
    """Elsewhere, without git, with other modes, written in another order, over a bundle that is there."""
    for folder in ("pipelines", "gates", "lockgate"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for file in sorted((tmp_path / "gates").rglob("*.py"), reverse=True):
        text = file.read_bytes()
        file.unlink()
        file.write_bytes(text)
        file.chmod(0o600)
    project = project_at(home=tmp_path, conf=production_conf)
    shutil.copytree(bundle, tmp_path / "again")
    (tmp_path / "again" / FILES[0]).write_text("what was there before", encoding="utf-8")
    environment = {**surroundings, "PYTHONPATH": str(tmp_path), "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    process = project.python("-m", "lockgate.pipelines.cli.main", "manifests", "--out", "again", **environment)
    assert process.returncode == 0, process.stderr
    assert [file.name for file in sorted((tmp_path / "again").iterdir())] == FILES
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (bundle / name).read_bytes()


def test_a_folder_with_anything_else_is_left_alone(
    tmp_path: Path, project_at: Any, production_conf: Path, surroundings: dict[str, str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.yaml").write_text("mine", encoding="utf-8")
    process = project_at(home=tmp_path, conf=production_conf).run("manifests", "--out", "mine", **surroundings)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == "lockgate: the folder is not empty; expected a new or an empty folder @ mine\n"


def test_a_laptop_is_told_everything_that_is_missing(project: Any, production_conf: Path) -> None:
    conf = project.home / "conf"
    shutil.copytree(production_conf, conf)
    platform = conf / "platform" / "argo.yaml"
    text = platform.read_text(encoding="utf-8").replace(IMAGE, "null").replace("private: environment", "private: any")
    platform.write_text(text, encoding="utf-8")
    process = project.run("manifests", "--out", "bundle", LOCKGATE_CONF=str(conf))
    assert (process.returncode, process.stdout) == (2, "")
    lines = process.stderr.splitlines()
    assert all(line.startswith("lockgate: ") for line in lines)
    for problem in (
        "no image is given",
        "private keys",
        "datastore is this machine",
        "log would be on this machine",
        "metadata are on this machine",
        "events are not configured",
    ):
        assert sum(problem in line for line in lines) == 1, problem
    assert len(lines) == 6
    assert not (project.home / "bundle").exists()


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"METAFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"}, r"the s3 datastore does not answer: .* @ s3://"),
        ({"METAFLOW_KUBERNETES_LABELS": "a=b c"}, r"\w+ does not compile: .*label"),
    ],
    ids=["datastore", "label"],
)
def test_what_stops_a_flow_from_compiling_is_one_line(
    tmp_path: Path,
    project_at: Any,
    production_conf: Path,
    surroundings: dict[str, str],
    wrong: dict[str, str],
    message: str,
) -> None:
    environment = {**surroundings, "LOCKGATE_STORE_SECONDS": "1", **wrong}
    process = project_at(home=tmp_path, conf=production_conf).run("manifests", "--out", "bundle", **environment)
    assert (process.returncode, process.stdout) == (2, "")
    (line,) = process.stderr.splitlines()
    assert re.search(f"^lockgate: {message}", line), line
    assert not (tmp_path / "bundle").exists()
