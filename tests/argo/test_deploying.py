"""`lockgate deploy`, `status`, `trigger` and `undeploy`, as they are typed, against a Kubernetes API."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.argo.conftest import CANARY, Production, committed
from tests.harness.argo.kubernetes_api import State

PREDICT = "lockgateorders.prod.predict"


def lines(done: Any, code: int = 2) -> list[str]:
    """What a command that refuses says: each problem is one line."""
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    told = done.stderr.splitlines()
    assert all(line.startswith("lockgate: ") for line in told), told
    return [line.removeprefix("lockgate: ") for line in told]


def secretless(api: State) -> None:
    assert CANARY not in json.dumps(list(api.objects.values()))


def sent(api: State) -> list[Any]:
    """The workflows that were started, without what the API adds."""
    made = [one for (_, plural, _), one in sorted(api.objects.items()) if plural == "workflows"]
    return [(one["kind"], one["metadata"]["generateName"], one["metadata"]["annotations"], one["spec"]) for one in made]


def start_by_metaflow(production: Production, template: str, **parameters: str) -> None:
    """Start a workflow as Metaflow's own `argo-workflows trigger` does, and forget it."""
    code = (
        "import json, sys; from metaflow.plugins.argo.argo_workflows import ArgoWorkflows;"
        "print(ArgoWorkflows.trigger(sys.argv[1], json.loads(sys.argv[2]))['metadata']['name'])"
    )
    done = production.project.python("-c", code, template, json.dumps(parameters), **production.env)
    assert done.returncode == 0, done.stderr


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
    secretless(api)

    api.touch("cronworkflows", PREDICT, schedules=["0 0 * * *"])  # somebody changes it by hand
    started = production.run("trigger", "predict", "window=2024-06")
    assert re.match(rf"Predict/argo-{PREDICT}-\w+ was started", started.stdout), started.stderr
    start_by_metaflow(production, PREDICT, window="2024-06")
    ours, theirs = sent(api)
    assert ours == theirs
    del api.objects["models", "workflows", api.names("workflows")[1]]
    written = len(api.writes())
    told = json.loads(production.run("status", "--json").stdout)
    assert told["drift"] == [{"object": f"CronWorkflow models/{PREDICT}", "action": "changed"}]
    assert {one["flow"]: one["starts"] for one in told["flows"]} == {
        "EvaluateNewModel": [],
        "Promote": ["when metaflow.lockgate_orders.prod.EvaluateNewModel.end"],
        "Predict": ["at 0 0 * * * UTC", "when mfns.lockgate_orders.prod.promoted"],
    }
    ((seen,),) = [one["runs"] for one in told["flows"] if one["flow"] == "Predict"]
    assert (seen["phase"], seen["name"]) == ("Pending", api.names("workflows")[0])
    assert {one["owner"] for one in told["flows"]} == {"ada"}

    again = production.run("deploy", "--without-champion", "--json")
    assert json.loads(again.stdout)["applied"] is True, again.stderr
    assert api.writes()[written:] == [f"PUT cronworkflows/{PREDICT}"]

    (line,) = lines(production.run("undeploy", METAFLOW_USER="bob"))
    assert "was deployed by ada, and not by bob" in line
    (line,) = lines(production.run("deploy", "--without-champion", METAFLOW_USER="bob"))
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
    api.keep(("models", "workflowtemplates", PREDICT), {"metadata": {"name": PREDICT}, "spec": {}})
    shown = production.run("deploy", "--branch", "Fix/the thing #7", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-2:] == ["5 created", "nothing was applied"]  # nothing is started by the clock
    assert api.writes() == []
    done = production.run("deploy", "--branch", "Fix/the thing #7")
    assert done.returncode == 0, done.stderr
    assert len(api.objects) == 6
    branch = {key: one for key, one in api.objects.items() if key[2] != PREDICT}
    text = json.dumps(list(branch.values()))
    assert "lockgate-judge" not in text
    assert "lockgate-store" not in text
    assert "lockgate-metadata" in text
    secretless(api)
    for (_, plural, name), one in branch.items():
        assert len(name) <= 52
        if plural == "workflowtemplates":
            told = one["metadata"]["annotations"]
            assert re.fullmatch(r"test\.fix_the_thing_7_[0-9a-f]{8}", told["metaflow/branch_name"])
            assert re.fullmatch(r"lockgate_orders_fix_the_thing_7_[0-9a-f]{8}", told["metaflow/project_name"])
    assert production.run("undeploy", "--branch", "Fix/the thing 7").stdout.endswith(": 0 deleted\n")  # another one
    gone = production.run("undeploy", "--branch", "Fix/the thing #7")
    assert gone.stdout.endswith(": 5 deleted\n"), gone.stderr
    assert api.names() == [PREDICT]


def test_everything_that_stands_in_the_way_is_said_at_once(production: Production) -> None:
    """No git, nobody who deploys, no metadata service; each is one line, and nothing was asked of Kubernetes."""
    env = {"PATH": "/nowhere", "METAFLOW_USER": "", "METAFLOW_SERVICE_URL": "http://127.0.0.1:9"}
    told = lines(production.run("deploy", **env))
    assert len(told) == 4
    for said in ("there is no git", "nobody is named", "Metaflow cannot be reached", "no model may be served"):
        assert sum(said in line for line in told) == 1, told
    assert production.api.requests == []


def test_a_dirty_checkout(production: Production, checkout: Path, tmp_path: Path) -> None:
    dirty = tmp_path / "dirty"
    shutil.copytree(checkout, dirty)
    (dirty / "gates" / "extra.py").write_text("x = 1\n", encoding="utf-8")
    (line,) = lines(production.run("deploy", "--without-champion", PYTHONPATH=str(dirty)))
    assert line == f"files are in no commit: gates/extra.py @ {dirty} (commit them, or stash them)"
    shutil.rmtree(dirty / ".git")
    (line,) = lines(production.run("deploy", "--without-champion", PYTHONPATH=str(dirty)))
    assert line.startswith("this is no git checkout")


def test_a_configuration_that_is_in_no_commit(production: Production, tmp_path: Path) -> None:
    """One beside the checkout too, and one that git was told to ignore."""
    conf = tmp_path / "own" / "conf"
    shutil.copytree(production.project.conf, conf)
    (line,) = lines(production.run("deploy", "--without-champion", LOCKGATE_CONF=str(conf)))
    assert line == f"this is no git checkout; expected one, to know which commit is deployed @ {conf}"
    committed(conf.parent)
    (conf.parent / ".gitignore").write_text("quiet.yaml\n", encoding="utf-8")
    (conf / "platform" / "quiet.yaml").write_text("kind: argo\n", encoding="utf-8")
    (line,) = lines(production.run("deploy", "--without-champion", LOCKGATE_CONF=str(conf)))
    assert line.startswith("files are in no commit: conf/platform/quiet.yaml @")


@pytest.mark.parametrize(
    ("env", "fault", "said"),
    [
        ({}, 403, "listing workflowtemplates of models: Kubernetes answers 403, it is not allowed"),
        ({}, "dropped", "Kubernetes cannot be reached"),
        ({"KUBECONFIG": "/nowhere"}, None, "no Kubernetes is configured"),
    ],
    ids=["forbidden", "dropped", "none"],
)
def test_a_kubernetes_that_does_not_serve(
    production: Production, env: dict[str, str], fault: int | str | None, said: str
) -> None:
    if fault:
        production.api.fail("GET", "workflowtemplates", fault)
    (line,) = lines(production.run("deploy", "--without-champion", **env))
    assert said in line
    assert production.api.writes() == []


def test_a_flow_that_is_not_deployed_is_not_started(production: Production) -> None:
    (line,) = lines(production.run("trigger", "Promote"))
    assert line == "Promote is not deployed @ lockgate_orders.prod (`lockgate deploy` deploys it)"
    (line,) = lines(production.run("trigger", "Promote", "run"))
    assert line == "'run' is no parameter; expected NAME=VALUE"
