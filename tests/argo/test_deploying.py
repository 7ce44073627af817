"""`lockgate deploy`, `status`, `trigger` and `undeploy`, as they are typed, against a Kubernetes API.

Tests of pipelines/cli/production/deploy.py
Tests of pipelines/cli/production/status.py
Tests of pipelines/cli/production/trigger.py
Tests of pipelines/cli/production/undeploy.py
Tests of pipelines/deployment/checkout.py
Tests of pipelines/deployment/preflight.py
Tests of pipelines/deployment/running.py
Tests of pipelines/deployment/status.py
Tests of pipelines/deployment/target.py
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.argo.conftest import CANARY, Production, commit_folder
from tests.harness.argo.kubernetes_api import State

PREDICT_TEMPLATE = "lockgateorders.prod.predict"


def problem_lines(process: Any, code: int = 2) -> list[str]:
    """What a command that refuses says: each problem is one line."""
    assert (process.returncode, process.stdout) == (code, ""), process.stdout + process.stderr
    problems = process.stderr.splitlines()
    assert all(line.startswith("lockgate: ") for line in problems), problems
    return [line.removeprefix("lockgate: ") for line in problems]


def check_no_secret(api: State) -> None:
    assert CANARY not in json.dumps(list(api.objects.values()))


def started_workflows(api: State) -> list[Any]:
    """The workflows that were started, without what the API adds."""
    workflows = [document for (_, plural, _), document in sorted(api.objects.items()) if plural == "workflows"]
    return [
        (workflow["kind"], workflow["metadata"]["generateName"], workflow["metadata"]["annotations"], workflow["spec"])
        for workflow in workflows
    ]


def start_by_metaflow(production: Production, template: str, **parameters: str) -> None:
    """Start a workflow as Metaflow's own `argo-workflows trigger` does, and forget it."""
    code = (
        "import json, sys; from metaflow.plugins.argo.argo_workflows import ArgoWorkflows;"
        "print(ArgoWorkflows.trigger(sys.argv[1], json.loads(sys.argv[2]))['metadata']['name'])"
    )
    process = production.project.python("-c", code, template, json.dumps(parameters), **production.env)
    assert process.returncode == 0, process.stderr


@pytest.mark.nightly
def test_production_from_the_first_deployment_to_the_last(production: Production) -> None:
    api = production.api
    production.env["METAFLOW_DATASTORE_SYSROOT_S3"] += "/with-a-champion"  # others are without one
    promoted = production.run("evaluate", "model.trees=8", LOCKGATE_SIGNING_KEY="", METAFLOW_SERVICE_AUTH_KEY="")
    assert promoted.returncode == 0, promoted.stderr
    first = production.run("deploy")
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-2] == "6 created"
    assert re.fullmatch("lockgate_orders.prod is deployed from commit [0-9a-f]{12}", first.stdout.splitlines()[-1])
    assert len(first.stderr.splitlines()) == len(api.objects) == 6
    check_no_secret(api)

    api.touch("cronworkflows", PREDICT_TEMPLATE, schedules=["0 0 * * *"])  # somebody changes it by hand
    started = production.run("trigger", "predict", "window=2024-06")
    assert re.match(rf"Predict/argo-{PREDICT_TEMPLATE}-\w+ was started", started.stdout), started.stderr
    start_by_metaflow(production, PREDICT_TEMPLATE, window="2024-06")
    ours, theirs = started_workflows(api)
    assert ours == theirs
    del api.objects["models", "workflows", api.names("workflows")[1]]
    written = len(api.writes())
    status = json.loads(production.run("status", "--json").stdout)
    assert status["drift"] == [{"object": f"CronWorkflow models/{PREDICT_TEMPLATE}", "action": "changed"}]
    assert {flow["flow"]: flow["starts"] for flow in status["flows"]} == {
        "EvaluateNewModel": [],
        "Promote": ["when metaflow.lockgate_orders.prod.EvaluateNewModel.end"],
        "Predict": ["at 0 0 * * * UTC", "when mfns.lockgate_orders.prod.promoted"],
    }
    ((last_run,),) = [flow["runs"] for flow in status["flows"] if flow["flow"] == "Predict"]
    assert (last_run["phase"], last_run["name"]) == ("Pending", api.names("workflows")[0])
    assert {flow["owner"] for flow in status["flows"]} == {"ada"}

    again = production.run("deploy", "--without-champion", "--json")
    assert json.loads(again.stdout)["applied"] is True, again.stderr
    assert api.writes()[written:] == [f"PUT cronworkflows/{PREDICT_TEMPLATE}"]

    (line,) = problem_lines(production.run("undeploy", METAFLOW_USER="bob"))
    assert "was deployed by ada, not by bob" in line
    (line,) = problem_lines(production.run("deploy", "--without-champion", METAFLOW_USER="bob"))
    assert "was deployed by somebody else" in line
    assert len(api.objects) == 7

    gone = production.run("undeploy")
    assert gone.stdout == "lockgate_orders.prod: 6 deleted\n", gone.stderr
    assert len(gone.stderr.splitlines()) == 6
    assert {plural for _, plural, _ in api.objects} == {"workflows"}  # what runs goes on
    assert production.run("undeploy").stdout == "lockgate_orders.prod: 0 deleted\n"


@pytest.mark.nightly
def test_a_branch_is_beside_production_and_goes_with_one_command(production: Production) -> None:
    api = production.api
    api.keep(("models", "workflowtemplates", PREDICT_TEMPLATE), {"metadata": {"name": PREDICT_TEMPLATE}, "spec": {}})
    dry_run = production.run("deploy", "--branch", "Fix/the thing #7", "--dry-run")
    assert dry_run.returncode == 0, dry_run.stderr
    assert dry_run.stdout.splitlines()[-2:] == ["5 created", "nothing was applied"]  # nothing is started by the clock
    assert api.writes() == []
    process = production.run("deploy", "--branch", "Fix/the thing #7")
    assert process.returncode == 0, process.stderr
    assert len(api.objects) == 6
    branch = {key: document for key, document in api.objects.items() if key[2] != PREDICT_TEMPLATE}
    text = json.dumps(list(branch.values()))
    assert "lockgate-judge" not in text
    assert "lockgate-store" not in text
    assert "lockgate-metadata" in text
    check_no_secret(api)
    for (_, plural, name), document in branch.items():
        assert len(name) <= 52
        if plural == "workflowtemplates":
            annotations = document["metadata"]["annotations"]
            assert re.fullmatch(r"test\.fix_the_thing_7_[0-9a-f]{8}", annotations["metaflow/branch_name"])
            assert re.fullmatch(r"lockgate_orders_fix_the_thing_7_[0-9a-f]{8}", annotations["metaflow/project_name"])
    assert production.run("undeploy", "--branch", "Fix/the thing 7").stdout.endswith(": 0 deleted\n")  # another one
    gone = production.run("undeploy", "--branch", "Fix/the thing #7")
    assert gone.stdout.endswith(": 5 deleted\n"), gone.stderr
    assert api.names() == [PREDICT_TEMPLATE]


def test_everything_that_stands_in_the_way_is_said_at_once(production: Production) -> None:
    """No git, nobody who deploys, no metadata service; each is one line, and nothing was asked of Kubernetes."""
    env = {"PATH": "/nowhere", "METAFLOW_USER": "", "METAFLOW_SERVICE_URL": "http://127.0.0.1:9"}
    env["LOCKGATE_METADATA_SECONDS"] = "1"
    problems = problem_lines(production.run("deploy", **env))
    assert len(problems) == 4
    for problem in ("git is not installed", "no user is set", "Metaflow cannot be reached", "no model may be served"):
        assert sum(problem in line for line in problems) == 1, problems
    assert production.api.requests == []


def test_a_dirty_checkout(production: Production, checkout: Path, tmp_path: Path) -> None:
    dirty = tmp_path / "dirty"
    shutil.copytree(checkout, dirty, symlinks=True)
    (dirty / "gates" / "extra.py").write_text("x = 1\n", encoding="utf-8")
    (line,) = problem_lines(production.run("deploy", "--without-champion", PYTHONPATH=str(dirty)))
    assert line == f"uncommitted files: gates/extra.py @ {dirty} (commit them, or stash them)"
    shutil.rmtree(dirty / ".git")
    (line,) = problem_lines(production.run("deploy", "--without-champion", PYTHONPATH=str(dirty)))
    assert line.startswith("this is not a git checkout")


def test_a_configuration_that_is_in_no_commit(production: Production, tmp_path: Path) -> None:
    """One beside the checkout too, and one that git was told to ignore."""
    conf = tmp_path / "own" / "conf"
    shutil.copytree(production.project.conf, conf)
    (line,) = problem_lines(production.run("deploy", "--without-champion", LOCKGATE_CONF=str(conf)))
    assert line == f"this is not a git checkout; expected one, to know which commit is deployed @ {conf}"
    commit_folder(conf.parent)
    (conf.parent / ".gitignore").write_text("quiet.yaml\n", encoding="utf-8")
    (conf / "platform" / "quiet.yaml").write_text("kind: argo\n", encoding="utf-8")
    (line,) = problem_lines(production.run("deploy", "--without-champion", LOCKGATE_CONF=str(conf)))
    assert line.startswith("uncommitted files: conf/platform/quiet.yaml @")


@pytest.mark.parametrize(
    ("env", "fault", "message"),
    [
        ({}, 403, "listing workflowtemplates of models: Kubernetes answers 403, this is not allowed"),
        ({}, "dropped", "Kubernetes cannot be reached"),
        ({"KUBECONFIG": "/nowhere"}, None, "Kubernetes is not configured"),
    ],
    ids=["forbidden", "dropped", "none"],
)
def test_a_kubernetes_that_does_not_serve(
    production: Production, env: dict[str, str], fault: int | str | None, message: str
) -> None:
    if fault:
        production.api.fail("GET", "workflowtemplates", fault)
    (line,) = problem_lines(production.run("deploy", "--without-champion", **env))
    assert message in line
    assert production.api.writes() == []


def test_a_flow_that_is_not_deployed_is_not_started(production: Production) -> None:
    (line,) = problem_lines(production.run("trigger", "Promote"))
    assert line == "Promote is not deployed @ lockgate_orders.prod (`lockgate deploy` deploys it)"
    (line,) = problem_lines(production.run("trigger", "Promote", "run"))
    assert line == "'run' is not a parameter; expected NAME=VALUE"
