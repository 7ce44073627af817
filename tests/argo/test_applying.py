"""A plan is applied object by object, at the version that was seen, whatever goes wrong in the midst.

Tests of pipelines/deployment/applying.py
Tests of pipelines/deployment/cluster.py
Tests of pipelines/deployment/objects.py
Tests of pipelines/deployment/plan.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiClient, Configuration, CustomObjectsApi
from kubernetes.config import load_kube_config

from lockgate.gates.errors import DeployError
from lockgate.pipelines.deployment.applying import DeployStamp, apply_plan
from lockgate.pipelines.deployment.cluster import Cluster, find_deployed
from lockgate.pipelines.deployment.normal import canonical_form, comparable_form
from lockgate.pipelines.deployment.objects import PLURALS, ObjectKey
from lockgate.pipelines.deployment.plan import Action, DeployPlan, describe_plan, plan_changes, plan_removal
from lockgate.pipelines.deployment.preflight import check_may_delete
from lockgate.pipelines.deployment.recording import CompiledObjects
from lockgate.pipelines.deployment.running import find_flow, list_last_runs, start_flow
from lockgate.pipelines.deployment.target import DeployTarget, load_target
from tests.harness.argo.kubernetes_api import SLOW_ANSWER_S, State

# Metaflow looks into every installed module, and this one of PyYAML says that it has moved
pytestmark = pytest.mark.filterwarnings("ignore:The _yaml extension module is now located")

STAMP = DeployStamp(commit="c" * 40, time="2026-01-01T00:00:00+00:00")
KINDS = list(PLURALS.values())
LOST = ["lost", "slow"]  # the write happens, its answer does not come


@pytest.fixture(scope="module")
def target(production_conf: Path) -> Iterator[DeployTarget]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOCKGATE_CONF", str(production_conf))
        yield load_target()


@pytest.fixture(scope="session")
def compiled_objects(bundle: Path) -> CompiledObjects:
    documents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(bundle.iterdir())]
    return CompiledObjects(
        objects={
            ObjectKey(namespace="models", name=document["metadata"]["name"], plural=PLURALS[document["kind"]]): document
            for document in documents
        }
    )


@pytest.fixture
def cluster(api: State, tmp_path: Path) -> Iterator[Cluster]:
    configuration = Configuration(retries=False)
    load_kube_config(config_file=str(api.kubeconfig(tmp_path)), client_configuration=configuration)
    with ApiClient(configuration) as client:
        yield Cluster(
            namespace="models", sensor_namespace="models", api=CustomObjectsApi(client), seconds=SLOW_ANSWER_S / 3
        )


@pytest.fixture
def plan(cluster: Cluster, target: DeployTarget, compiled_objects: CompiledObjects) -> Callable[[], DeployPlan]:
    return lambda: plan_changes(find_deployed(cluster, target), compiled_objects)


@pytest.fixture
def deploy_messages(plan: Callable[[], DeployPlan], cluster: Cluster) -> list[str]:
    """Everything is deployed; what was said meanwhile."""
    messages: list[str] = []
    apply_plan(plan(), cluster, STAMP, report=messages.append)
    return messages


def quiet(_: str) -> None: ...


def test_templates_come_before_what_starts_them(
    deploy_messages: list[str], api: State, compiled_objects: CompiledObjects
) -> None:
    assert [write.split()[1].split("/")[0] for write in api.writes()] == [KINDS[0]] * 3 + [KINDS[1]] + [KINDS[2]] * 2
    assert len(deploy_messages) == len(compiled_objects.objects) == len(api.objects) == 6
    assert all(line.startswith("created ") for line in deploy_messages)
    for key, document in compiled_objects.objects.items():
        document_there = api.objects[key.namespace, key.plural, key.name]
        assert comparable_form(key, document_there) == comparable_form(key, document)
        assert document_there["metadata"]["annotations"]["lockgate/commit"] == "c" * 40


def test_a_second_time_there_is_nothing_to_do(
    deploy_messages: list[str], plan: Callable[[], DeployPlan], cluster: Cluster, api: State
) -> None:
    before = list(api.writes())
    again = plan()
    assert not again.needed_changes
    assert again.count(Action.UNCHANGED) == 6
    apply_plan(again, cluster, STAMP, report=quiet)
    assert api.writes() == before


def test_a_change_by_hand_is_shown_and_undone(
    deploy_messages: list[str], plan: Callable[[], DeployPlan], cluster: Cluster, api: State
) -> None:
    api.touch("cronworkflows", "lockgateorders.prod.predict", schedules=["0 0 * * *"])
    change_plan = plan()
    (change,) = change_plan.needed_changes
    lines = list(describe_plan(change_plan))
    assert "changed    CronWorkflow models/lockgateorders.prod.predict" in lines
    assert "    -  - 0 0 * * *" in lines
    assert "    +  - 17 5 * * *" in lines
    assert lines[-1] == "1 changed, 5 unchanged"
    apply_plan(change_plan, cluster, STAMP, report=quiet)
    assert api.writes()[-1] == "PUT cronworkflows/lockgateorders.prod.predict"
    assert change.action is Action.CHANGED
    assert not plan().needed_changes


def test_other_people_s_labels_of_no_matter_are_no_change(
    deploy_messages: list[str], plan: Callable[[], DeployPlan], api: State
) -> None:
    for document in api.objects.values():
        document["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = "lockgate:x"
        document["status"] = {"conditions": []}
    assert not plan().needed_changes


@pytest.mark.parametrize("failure", [500, 403, 409, 422, "dropped", *LOST])
@pytest.mark.parametrize("plural", KINDS)
def test_a_create_that_fails_is_named_and_the_next_run_finishes(
    plan: Callable[[], DeployPlan], cluster: Cluster, api: State, plural: str, failure: int | str
) -> None:
    api.fail("POST", plural, failure)
    failing(plan, cluster, api, failure, wrote=f"{plural}")


@pytest.mark.parametrize("failure", [500, 403, 409, "dropped", *LOST])
@pytest.mark.parametrize("plural", KINDS)
def test_an_update_that_fails_is_named_and_the_next_run_finishes(
    deploy_messages: list[str],
    plan: Callable[[], DeployPlan],
    cluster: Cluster,
    api: State,
    plural: str,
    failure: int | str,
) -> None:
    for namespace, kind, name in list(api.objects):
        assert namespace == "models"
        api.touch(kind, name, somebody="else")
    api.fail("PUT", plural, failure)
    failing(plan, cluster, api, failure, wrote=plural)


@pytest.mark.parametrize("failure", [500, 403, "dropped", *LOST])
@pytest.mark.parametrize("plural", KINDS)
def test_a_delete_that_fails_is_named_and_the_next_run_finishes(
    deploy_messages: list[str], cluster: Cluster, target: DeployTarget, api: State, plural: str, failure: int | str
) -> None:
    api.fail("DELETE", plural, failure)
    failing(lambda: plan_removal(find_deployed(cluster, target)), cluster, api, failure, wrote=plural)
    assert not api.objects


def failing(plan: Callable[[], DeployPlan], cluster: Cluster, api: State, failure: int | str, *, wrote: str) -> None:
    """Apply with a fault, and then without."""
    change_plan = plan()
    index = next(index for index, change in enumerate(change_plan.needed_changes) if change.key.plural == wrote)
    messages: list[str] = []
    if failure in LOST:
        apply_plan(change_plan, cluster, STAMP, report=messages.append)
    else:
        with pytest.raises(DeployError) as raised:
            apply_plan(change_plan, cluster, STAMP, report=messages.append)
        line = str(raised.value)
        applied, _, not_applied = line.partition("; applied: ")[2].partition("; not applied: ")
        assert "\n" not in line
        assert applied == (", ".join(str(change.key) for change in change_plan.needed_changes[:index]) or "nothing")
        assert all(str(change.key) in not_applied for change in change_plan.needed_changes[index:])
        assert "run it again" in not_applied
        assert len(messages) == index
        if isinstance(failure, int):
            assert f"Kubernetes answers {failure}" in line
        apply_plan(plan(), cluster, STAMP, report=messages.append)
    assert len(messages) == len(change_plan.needed_changes)
    assert not plan().needed_changes


def test_what_somebody_else_deployed_meanwhile_is_not_replaced(
    deploy_messages: list[str], plan: Callable[[], DeployPlan], cluster: Cluster, api: State
) -> None:
    api.touch("workflowtemplates", "lockgateorders.prod.predict", parallelism=1)
    stale_plan = plan()
    api.touch("workflowtemplates", "lockgateorders.prod.predict", parallelism=2)
    with pytest.raises(DeployError, match="answers 409, somebody else changed it meanwhile"):
        apply_plan(stale_plan, cluster, STAMP, report=quiet)
    assert api.objects["models", "workflowtemplates", "lockgateorders.prod.predict"]["spec"]["parallelism"] == 2
    apply_plan(plan(), cluster, STAMP, report=quiet)
    assert not plan().needed_changes


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (403, "this is not allowed"),
        (401, "the credentials are not accepted"),
        (500, "answers 500"),
        (410, "changed while it was read"),
        ("slow", "an answer within 3 s"),
        ("lost", "cannot be reached"),
    ],
    ids=str,
)
@pytest.mark.parametrize("plural", KINDS)
def test_a_read_that_fails_is_one_line(
    cluster: Cluster, target: DeployTarget, api: State, plural: str, failure: int | str, message: str
) -> None:
    api.fail("GET", plural, failure)
    with pytest.raises(DeployError, match=message) as raised:
        find_deployed(cluster, target)
    assert "\n" not in str(raised.value)


def test_a_list_in_pages_is_read_whole(
    deploy_messages: list[str], cluster: Cluster, target: DeployTarget, api: State
) -> None:
    for number in range(450):
        api.keep(("models", "workflowtemplates", f"a{number}"), {"metadata": {"name": f"a{number}"}, "spec": {}})
    assert len(find_deployed(cluster, target)) == 6


def test_what_is_no_longer_wanted_is_deleted(
    deploy_messages: list[str], cluster: Cluster, target: DeployTarget, compiled_objects: CompiledObjects, api: State
) -> None:
    """A flow that is not in this checkout any more: its trigger goes before its template."""
    old = canonical_form(
        *next(
            (key, document) for key, document in compiled_objects.objects.items() if key.name.endswith("prod.promote")
        )
    )
    old["metadata"] = {**old["metadata"], "name": "lockgateorders.prod.retired"}
    old["metadata"]["annotations"] = {
        **old["metadata"]["annotations"],
        "metaflow/sensor_name": "lockgateorders-prod-retired",
    }
    sensor = {"metadata": {"name": "lockgateorders-prod-retired"}, "spec": {}}
    api.keep(("models", "workflowtemplates", "lockgateorders.prod.retired"), old)
    api.keep(("models", "sensors", "lockgateorders-prod-retired"), sensor)
    change_plan = plan_changes(find_deployed(cluster, target), compiled_objects)
    assert [(change.action, change.key.plural) for change in change_plan.needed_changes] == [
        (Action.DELETED, "sensors"),
        (Action.DELETED, "workflowtemplates"),
    ]


@pytest.mark.parametrize(
    ("user", "token", "may"),
    [
        ("ada", "", True),
        ("bob", "", False),
        ("bob", "right", True),
        ("bob", "production:right", True),
        ("bob", "no", False),
    ],
)
def test_who_may_delete(
    deploy_messages: list[str], cluster: Cluster, target: DeployTarget, *, user: str, token: str, may: bool
) -> None:
    deployed = find_deployed(cluster, target)
    template = next(document for key, document in deployed.items() if key.plural == "workflowtemplates")
    given_token = token.replace("right", template["metadata"]["annotations"]["metaflow/production_token"])
    if may:
        check_may_delete(deployed, user=user, token=given_token)
        return
    with pytest.raises(DeployError, match="was deployed by ada, not by bob"):
        check_may_delete(deployed, user=user, token=given_token)


def test_a_run_is_started_and_seen(
    deploy_messages: list[str], cluster: Cluster, target: DeployTarget, api: State
) -> None:
    run = start_flow(cluster, target, "Predict", {"window": "2024-06"}, user="ada")
    name = ("models", "workflows", run.name)
    assert api.objects[name]["spec"] == {
        "workflowTemplateRef": {"name": "lockgateorders.prod.predict"},
        "arguments": {"parameters": [{"name": "window", "value": '"2024-06"'}]},
    }
    api.objects[name]["status"] = {"phase": "Failed", "startedAt": "2026-01-01T00:00:01Z"}
    (last_run,) = list_last_runs(cluster, target.template_names(), count=3)["Predict"]
    assert (last_run.pathspec, last_run.phase, last_run.finished) == (f"Predict/argo-{run.name}", "Failed", None)


@pytest.mark.parametrize("failure", [500, 403, "dropped"], ids=str)
def test_a_run_that_cannot_be_started_is_one_line(
    deploy_messages: list[str], cluster: Cluster, target: DeployTarget, api: State, failure: int | str
) -> None:
    api.fail("POST", "workflows", failure)
    with pytest.raises(DeployError, match="starting a workflow: Kubernetes"):
        start_flow(cluster, target, "Predict", {}, user="ada")


def test_only_what_is_deployed_is_started_with_what_it_takes(
    cluster: Cluster, target: DeployTarget, plan: Callable[[], DeployPlan]
) -> None:
    with pytest.raises(DeployError, match="Predict is not deployed"):
        start_flow(cluster, target, "Predict", {}, user="ada")
    apply_plan(plan(), cluster, STAMP, report=quiet)
    with pytest.raises(DeployError, match="has no parameter 'month'; expected one of upstream-run-id, window"):
        start_flow(cluster, target, "Predict", {"month": "2024-06"}, user="ada")


@pytest.mark.parametrize("name", ["Predict", "predict", "evaluate", "EVALUATENEWMODEL"])
def test_a_flow_by_any_of_its_names(name: str) -> None:
    assert find_flow(name) in ("Predict", "EvaluateNewModel")


def test_no_other_flow_is_known() -> None:
    with pytest.raises(DeployError, match="unknown flow 'rm'; expected one of EvaluateNewModel, Promote, Predict"):
        find_flow("rm")
