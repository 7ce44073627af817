"""A plan is applied object by object, at the version that was seen, whatever goes wrong in the midst."""

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
def production(production_conf: Path) -> Iterator[DeployTarget]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOCKGATE_CONF", str(production_conf))
        yield load_target()


@pytest.fixture(scope="session")
def wanted(bundle: Path) -> CompiledObjects:
    documents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(bundle.iterdir())]
    return CompiledObjects(
        objects={
            ObjectKey(namespace="models", name=one["metadata"]["name"], plural=PLURALS[one["kind"]]): one
            for one in documents
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
def plan(cluster: Cluster, production: DeployTarget, wanted: CompiledObjects) -> Callable[[], DeployPlan]:
    return lambda: plan_changes(find_deployed(cluster, production), wanted)


@pytest.fixture
def done(plan: Callable[[], DeployPlan], cluster: Cluster) -> list[str]:
    """Everything is deployed; what was said meanwhile."""
    said: list[str] = []
    apply_plan(plan(), cluster, STAMP, report=said.append)
    return said


def quiet(_: str) -> None: ...


def test_templates_come_before_what_starts_them(done: list[str], api: State, wanted: CompiledObjects) -> None:
    assert [write.split()[1].split("/")[0] for write in api.writes()] == [KINDS[0]] * 3 + [KINDS[1]] + [KINDS[2]] * 2
    assert len(done) == len(wanted.objects) == len(api.objects) == 6
    assert all(line.startswith("created ") for line in done)
    for key, document in wanted.objects.items():
        held = api.objects[key.namespace, key.plural, key.name]
        assert comparable_form(key, held) == comparable_form(key, document)
        assert held["metadata"]["annotations"]["lockgate/commit"] == "c" * 40


def test_a_second_time_there_is_nothing_to_do(
    done: list[str], plan: Callable[[], DeployPlan], cluster: Cluster, api: State
) -> None:
    before = list(api.writes())
    again = plan()
    assert not again.needed_changes
    assert again.count(Action.UNCHANGED) == 6
    apply_plan(again, cluster, STAMP, report=quiet)
    assert api.writes() == before


def test_a_change_by_hand_is_shown_and_undone(
    done: list[str], plan: Callable[[], DeployPlan], cluster: Cluster, api: State
) -> None:
    api.touch("cronworkflows", "lockgateorders.prod.predict", schedules=["0 0 * * *"])
    made = plan()
    (change,) = made.needed_changes
    lines = list(describe_plan(made))
    assert "changed    CronWorkflow models/lockgateorders.prod.predict" in lines
    assert "    -  - 0 0 * * *" in lines
    assert "    +  - 17 5 * * *" in lines
    assert lines[-1] == "1 changed, 5 unchanged"
    apply_plan(made, cluster, STAMP, report=quiet)
    assert api.writes()[-1] == "PUT cronworkflows/lockgateorders.prod.predict"
    assert change.action is Action.CHANGED
    assert not plan().needed_changes


def test_other_people_s_labels_of_no_matter_are_no_change(
    done: list[str], plan: Callable[[], DeployPlan], api: State
) -> None:
    for held in api.objects.values():
        held["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = "lockgate:x"
        held["status"] = {"conditions": []}
    assert not plan().needed_changes


@pytest.mark.parametrize("what", [500, 403, 409, 422, "dropped", *LOST])
@pytest.mark.parametrize("plural", KINDS)
def test_a_create_that_fails_is_named_and_the_next_run_finishes(
    plan: Callable[[], DeployPlan], cluster: Cluster, api: State, plural: str, what: int | str
) -> None:
    api.fail("POST", plural, what)
    failing(plan, cluster, api, what, wrote=f"{plural}")


@pytest.mark.parametrize("what", [500, 403, 409, "dropped", *LOST])
@pytest.mark.parametrize("plural", KINDS)
def test_an_update_that_fails_is_named_and_the_next_run_finishes(
    done: list[str], plan: Callable[[], DeployPlan], cluster: Cluster, api: State, plural: str, what: int | str
) -> None:
    for namespace, kind, name in list(api.objects):
        assert namespace == "models"
        api.touch(kind, name, somebody="else")
    api.fail("PUT", plural, what)
    failing(plan, cluster, api, what, wrote=plural)


@pytest.mark.parametrize("what", [500, 403, "dropped", *LOST])
@pytest.mark.parametrize("plural", KINDS)
def test_a_delete_that_fails_is_named_and_the_next_run_finishes(
    done: list[str], cluster: Cluster, production: DeployTarget, api: State, plural: str, what: int | str
) -> None:
    api.fail("DELETE", plural, what)
    failing(lambda: plan_removal(find_deployed(cluster, production)), cluster, api, what, wrote=plural)
    assert not api.objects


def failing(plan: Callable[[], DeployPlan], cluster: Cluster, api: State, what: int | str, *, wrote: str) -> None:
    """Apply with a fault, and then without."""
    made = plan()
    at = next(index for index, change in enumerate(made.needed_changes) if change.key.plural == wrote)
    said: list[str] = []
    if what in LOST:
        apply_plan(made, cluster, STAMP, report=said.append)
    else:
        with pytest.raises(DeployError) as raised:
            apply_plan(made, cluster, STAMP, report=said.append)
        line = str(raised.value)
        applied, _, left = line.partition("; applied: ")[2].partition("; not applied: ")
        assert "\n" not in line
        assert applied == (", ".join(str(change.key) for change in made.needed_changes[:at]) or "nothing")
        assert all(str(change.key) in left for change in made.needed_changes[at:])
        assert "run it again" in left
        assert len(said) == at
        if isinstance(what, int):
            assert f"Kubernetes answers {what}" in line
        apply_plan(plan(), cluster, STAMP, report=said.append)
    assert len(said) == len(made.needed_changes)
    assert not plan().needed_changes


def test_what_somebody_else_deployed_meanwhile_is_not_replaced(
    done: list[str], plan: Callable[[], DeployPlan], cluster: Cluster, api: State
) -> None:
    api.touch("workflowtemplates", "lockgateorders.prod.predict", parallelism=1)
    made = plan()
    api.touch("workflowtemplates", "lockgateorders.prod.predict", parallelism=2)
    with pytest.raises(DeployError, match="answers 409, somebody else changed it meanwhile"):
        apply_plan(made, cluster, STAMP, report=quiet)
    assert api.objects["models", "workflowtemplates", "lockgateorders.prod.predict"]["spec"]["parallelism"] == 2
    apply_plan(plan(), cluster, STAMP, report=quiet)
    assert not plan().needed_changes


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (403, "it is not allowed"),
        (401, "does not know who asks"),
        (500, "answers 500"),
        (410, "changed while it was read"),
        ("slow", "an answer within 0.3 s"),
        ("lost", "cannot be reached"),
    ],
    ids=str,
)
@pytest.mark.parametrize("plural", KINDS)
def test_a_read_that_fails_is_one_line(
    cluster: Cluster, production: DeployTarget, api: State, plural: str, what: int | str, said: str
) -> None:
    api.fail("GET", plural, what)
    with pytest.raises(DeployError, match=said) as raised:
        find_deployed(cluster, production)
    assert "\n" not in str(raised.value)


def test_a_list_in_pages_is_read_whole(done: list[str], cluster: Cluster, production: DeployTarget, api: State) -> None:
    for number in range(450):
        api.keep(("models", "workflowtemplates", f"a{number}"), {"metadata": {"name": f"a{number}"}, "spec": {}})
    assert len(find_deployed(cluster, production)) == 6


def test_what_is_no_longer_wanted_is_deleted(
    done: list[str], cluster: Cluster, production: DeployTarget, wanted: CompiledObjects, api: State
) -> None:
    """A flow that is not in this checkout any more: its trigger goes before its template."""
    old = canonical_form(*next((key, one) for key, one in wanted.objects.items() if key.name.endswith("prod.promote")))
    old["metadata"] = {**old["metadata"], "name": "lockgateorders.prod.retired"}
    old["metadata"]["annotations"] = {
        **old["metadata"]["annotations"],
        "metaflow/sensor_name": "lockgateorders-prod-retired",
    }
    sensor = {"metadata": {"name": "lockgateorders-prod-retired"}, "spec": {}}
    api.keep(("models", "workflowtemplates", "lockgateorders.prod.retired"), old)
    api.keep(("models", "sensors", "lockgateorders-prod-retired"), sensor)
    made = plan_changes(find_deployed(cluster, production), wanted)
    assert [(change.action, change.key.plural) for change in made.needed_changes] == [
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
    done: list[str], cluster: Cluster, production: DeployTarget, *, user: str, token: str, may: bool
) -> None:
    there = find_deployed(cluster, production)
    held = next(one for key, one in there.items() if key.plural == "workflowtemplates")
    given = token.replace("right", held["metadata"]["annotations"]["metaflow/production_token"])
    if may:
        check_may_delete(there, user=user, token=given)
        return
    with pytest.raises(DeployError, match="was deployed by ada, and not by bob"):
        check_may_delete(there, user=user, token=given)


def test_a_run_is_started_and_seen(done: list[str], cluster: Cluster, production: DeployTarget, api: State) -> None:
    run = start_flow(cluster, production, "Predict", {"window": "2024-06"}, user="ada")
    name = ("models", "workflows", run.name)
    assert api.objects[name]["spec"] == {
        "workflowTemplateRef": {"name": "lockgateorders.prod.predict"},
        "arguments": {"parameters": [{"name": "window", "value": '"2024-06"'}]},
    }
    api.objects[name]["status"] = {"phase": "Failed", "startedAt": "2026-01-01T00:00:01Z"}
    (seen,) = list_last_runs(cluster, production.template_names(), count=3)["Predict"]
    assert (seen.pathspec, seen.phase, seen.finished) == (f"Predict/argo-{run.name}", "Failed", None)


@pytest.mark.parametrize("what", [500, 403, "dropped"], ids=str)
def test_a_run_that_cannot_be_started_is_one_line(
    done: list[str], cluster: Cluster, production: DeployTarget, api: State, what: int | str
) -> None:
    api.fail("POST", "workflows", what)
    with pytest.raises(DeployError, match="starting a workflow: Kubernetes"):
        start_flow(cluster, production, "Predict", {}, user="ada")


def test_only_what_is_deployed_is_started_with_what_it_takes(
    cluster: Cluster, production: DeployTarget, plan: Callable[[], DeployPlan]
) -> None:
    with pytest.raises(DeployError, match="Predict is not deployed"):
        start_flow(cluster, production, "Predict", {}, user="ada")
    apply_plan(plan(), cluster, STAMP, report=quiet)
    with pytest.raises(DeployError, match="has no parameter 'month'; expected one of upstream-run-id, window"):
        start_flow(cluster, production, "Predict", {"month": "2024-06"}, user="ada")


@pytest.mark.parametrize("name", ["Predict", "predict", "evaluate", "EVALUATENEWMODEL"])
def test_a_flow_by_any_of_its_names(name: str) -> None:
    assert find_flow(name) in ("Predict", "EvaluateNewModel")


def test_no_other_flow_is_known() -> None:
    with pytest.raises(DeployError, match="there is no flow 'rm'; expected one of EvaluateNewModel, Promote, Predict"):
        find_flow("rm")
