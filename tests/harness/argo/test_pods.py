"""Templates are executed as Argo would: in order, with what is handed on, as often as allowed; pods share nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness.argo.cluster import Cluster
from tests.harness.argo.pods import WorkflowRun, execute, python_without_the_checkout
from tests.harness.argo.templating import CannotBeExecutedError

pytestmark = pytest.mark.nightly

TEXT = 'it\'s "quoted"; {{inputs}} \\ &'
CLIENT = """
import json, sys
from metaflow import Run, namespace
namespace(None)
run = Run(sys.argv[1])
start = run["start"].task
print(json.dumps({"successful": run.successful, "told": start["told"].data, "text": start["text"].data}))
"""

Task = dict[str, Any]


def arguments(**values: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "value": value} for name, value in values.items()]}


def task(name: str, *after: str, template: str = "", **more: Any) -> Task:
    depends = " && ".join(f"{predecessor}.Succeeded" for predecessor in after)
    return {"name": name, "template": template or name, "depends": depends, **more}


def pod(name: str, script: str, *outputs: str, **more: Any) -> dict[str, Any]:
    parameters = [{"name": output, "valueFrom": {"path": f"/mnt/out/{output}"}} for output in outputs]
    return {
        "name": name,
        "outputs": {"parameters": parameters},
        "container": {"command": ["bash", "-c", script], "args": None, **more.pop("container", {})},
        **more,
    }


def dag(name: str, *tasks: Task, **more: Any) -> dict[str, Any]:
    return {"name": name, "dag": {"failFast": True, "tasks": list(tasks)}, **more}


def template(*templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A WorkflowTemplate whose entry is the first of `templates`."""
    metadata = {"name": "parcels", "annotations": {"metaflow/flow_name": "Parcels"}}
    return {"metadata": metadata, "spec": {"entrypoint": templates[0]["name"], "templates": list(templates), **spec}}


Run = Callable[..., WorkflowRun]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python_without_the_checkout(tmp_path_factory.mktemp("python") / "python")


@pytest.fixture
def run(python: Path, tmp_path: Path) -> Run:
    def run_template(document: Mapping[str, Any], **more: Any) -> WorkflowRun:
        return execute(document, python=python, node={}, scratch=tmp_path, **more)

    return run_template


def printed_by_step(workflow: WorkflowRun) -> list[tuple[str, str]]:
    return [(pod.step, pod.out.strip()) for pod in workflow.pods]


def test_pods_run_in_order_and_hand_on_what_they_left(run: Run) -> None:
    first = pod("first", "printf 'a b' > /mnt/out/word", "word")
    word = arguments(word="<{{tasks.first.outputs.parameters.word}}>")
    second = pod("second", "echo '{{inputs.parameters.word}} of {{workflow.name}}'")
    workflow = run(template(dag("all", task("second", "first", arguments=word), task("first")), first, second))
    assert printed_by_step(workflow) == [("first", ""), ("second", f"<a b> of {workflow.name}")]
    assert (workflow.status, workflow.run) == ("Succeeded", f"Parcels/argo-{workflow.name}")


def test_a_foreach_fans_out_and_what_its_pods_left_is_joined(run: Run) -> None:
    """As Metaflow compiles it: a template of its own around the steps in the foreach."""
    splits = "{{tasks.start.outputs.parameters.splits}}"
    inner = dag(
        "each",
        task("weigh", arguments=arguments(of="{{inputs.parameters.of}}")),
        outputs={"parameters": [{"name": "kg", "valueFrom": {"parameter": "{{tasks.weigh.outputs.parameters.kg}}"}}]},
    )
    document = template(
        dag(
            "all",
            task("start"),
            task("each", "start", withParam=splits, arguments=arguments(of="{{item}}")),
            task("total", "each", arguments=arguments(kg="{{tasks.each.outputs.parameters.kg}}")),
        ),
        inner,
        pod("start", "echo '[0, 1, \"x\"]' > /mnt/out/splits", "splits"),
        pod("weigh", "echo 1{{inputs.parameters.of}} | tee /mnt/out/kg", "kg"),
        pod("total", "echo '{{inputs.parameters.kg}}'"),
    )
    workflow = run(document)
    assert sorted(printed_by_step(workflow)[1:-1]) == [("weigh", "10"), ("weigh", "11"), ("weigh", "1x")]
    assert json.loads(workflow.pods[-1].out) == ["10", "11", "1x"]


def test_a_parameter_arrives_as_it_was_given(run: Run) -> None:
    decoded = pod("first", "echo {{=toBase64(workflow.parameters['the-text'])}} | base64 -d")
    document = template(decoded, arguments=arguments(**{"the-text": "plain"}))
    assert run(document).pods[0].out == "plain"
    text = f"{TEXT}\nand in lines, é"
    assert run(document, parameters={"the-text": text}).pods[0].out == text


def test_a_pod_that_fails_is_tried_again_and_knows_it(run: Run) -> None:
    again = pod("again", "echo {{retries}}; exit $((1 - {{retries}}))", retryStrategy={"limit": "3"})
    workflow = run(template(again))
    assert [(attempt.attempt, attempt.code, attempt.out) for attempt in workflow.pods] == [(0, 1, "0\n"), (1, 0, "1\n")]
    assert workflow.succeeded


def test_after_a_pod_that_fails_for_good_no_other_runs(run: Run) -> None:
    document = template(
        dag("all", task("first"), task("then", "first"), task("beside")),
        pod("first", "exit 7", retryStrategy={"limit": 1}),
        pod("then", "true"),
        pod("beside", "true"),
    )
    workflow = run(document)
    assert [(attempt.step, attempt.code) for attempt in workflow.pods] == [("first", 7), ("first", 7)]
    assert workflow.status == "Failed"


def test_in_a_foreach_pods_that_have_not_begun_do_not(run: Run) -> None:
    fans = task("each", withParam="[1, 2, 3, 4]", arguments=arguments(of="{{item}}"))
    document = template(dag("all", fans), pod("each", "exit {{inputs.parameters.of}}"))
    assert [attempt.code for attempt in run(document, at_once=1).pods] == [1]


def test_a_pod_that_does_not_leave_what_it_promised_has_failed(run: Run) -> None:
    (only,) = run(template(pod("first", "true", "word"))).pods
    assert (only.code, only.out) == (1, "\nit left no word")


def test_a_pod_that_does_not_end_is_killed_with_its_children(run: Run) -> None:
    (only,) = run(template(pod("first", "echo here; sleep 600 & wait")), seconds=5).pods
    assert (only.code, only.out) == (-9, "here\n\nkilled after 5 s")


@pytest.mark.parametrize(("code", "message"), [(0, None), (3, "Error (exit code 3)")], ids=["succeeded", "failed"])
def test_the_exit_handler_is_told(run: Run, code: int, message: str | None) -> None:
    steps = [[{"name": "tell", "template": "tell", "when": "{{workflow.status}} != Succeeded"}]]
    variable = {"env": [{"name": "FAILURES", "value": "{{workflow.failures}}"}]}
    tell = pod("tell", 'echo "$FAILURES"', container=variable)
    workflow = run(template(pod("first", f"exit {code}"), {"name": "exit", "steps": steps}, tell, onExit="exit"))
    assert workflow.succeeded is (code == 0)
    heard = [json.loads(json.loads(attempt.out)) for attempt in workflow.pods if attempt.step == "tell"]
    assert [[failure["message"] for failure in failures] for failures in heard] == ([[message]] if message else [])


def test_pods_share_nothing_and_get_what_they_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of other templates, and whatever the caller's environment holds, stay out."""
    monkeypatch.setenv("CALLERS", "own")
    look = "ls -A $PWD ~ $TMPDIR /mnt/out; touch here ~/home $TMPDIR/tmp /mnt/out/out; env"
    settings = {"env": [{"name": "FLOW", "value": "a"}], "envFrom": [{"secretRef": {"name": "judge"}}]}
    document = template(
        dag("all", task("first"), task("then", "first")), pod("first", look), pod("then", look, container=settings)
    )
    first, then = (
        attempt.out for attempt in run(document, secrets={"judge": {"KEY": "k"}, "store": {"PASSWORD": "p"}}).pods
    )
    variables = [{line.partition("=")[0] for line in out.splitlines() if "=" in line} for out in (first, then)]
    assert variables[1] - variables[0] == {"FLOW", "KEY"}
    assert not {"CALLERS", "PASSWORD"} & variables[1]
    assert not {"here", "home", "tmp", "out"} & set(then.splitlines())


@pytest.mark.parametrize(
    "document",
    [
        template(pod("first", "echo {{workflow.nmae}}")),
        template(pod("first", "echo {{retries}}")),
        template(pod("first", "echo {{=sprig.int('1')}}")),
        template(pod("first", "true", container={"envFrom": [{"secretRef": {"name": "none"}}]})),
        template(pod("first", "true", container={"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {}}}]})),
        template({"name": "http", "http": {"url": "http://127.0.0.1"}}),
        template(pod("first", "true"), hooks={"exit": {"template": "first"}}),
        template(pod("first", "true"), arguments={"parameters": [{"name": "needed"}]}),
        template(dag("all", {**task("first"), "depends": "second.Failed"}), pod("first", "true")),
        template(dag("all", task("first", "second")), pod("first", "true")),
        template(dag("all", task("first", withSequence={"count": "2"})), pod("first", "true")),
        template(dag("all", task("first", when="1 < 2")), pod("first", "true")),
    ],
    ids=[
        "tag",
        "retries",
        "expression",
        "secret",
        "variable",
        "http",
        "hooks",
        "needed",
        "depends",
        "cycle",
        "fan",
        "when",
    ],
)
def test_what_is_not_known_is_refused(run: Run, document: Any) -> None:
    with pytest.raises(CannotBeExecutedError):
        run(document)


def test_a_parameter_that_the_template_lacks_is_refused(run: Run) -> None:
    with pytest.raises(CannotBeExecutedError):
        run(template(pod("first", "true")), parameters={"text": "a"})


@pytest.fixture(scope="module")
def parcels(cluster: Cluster) -> tuple[WorkflowRun, dict[str, Any]]:
    """A flow of Metaflow's, and what its client says of the run."""
    flow = [sys.executable, str(Path(__file__).with_name("parcels.py")), "--no-pylint", "--quiet"]
    document = json.loads(cluster.call([*flow, "argo-workflows", "create", "--only-json"]).stdout)
    workflow = cluster.execute(document, text=TEXT)
    assert workflow.succeeded, workflow.out
    return workflow, json.loads(cluster.call([sys.executable, "-c", CLIENT, workflow.run]).stdout)


def test_a_flow_of_metaflow_is_tried_again_and_succeeds(parcels: Any) -> None:
    workflow, client_view = parcels
    assert [(attempt.step, attempt.attempt, attempt.code) for attempt in workflow.pods] == [
        ("start", 0, 1),
        ("start", 1, 0),
        ("end", 0, 0),
    ]
    assert (client_view["successful"], client_view["told"]["attempt"]) == (True, 1)


def test_its_code_is_that_of_the_code_package(parcels: Any, cluster: Cluster) -> None:
    place = parcels[1]["told"]
    assert Path(place["code"]).is_relative_to(place["here"])
    assert Path(place["here"]).is_relative_to(cluster.scratch)


def test_its_environment_is_that_of_the_template(parcels: Any) -> None:
    place, text = parcels[1]["told"], parcels[1]["text"]
    assert text == TEXT
    assert place["home"] == []
    assert {"ARGO_WORKFLOW_NAME", "AWS_ACCESS_KEY_ID"} <= set(place["variables"])
    assert not {"LOCKGATE_CONF", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"} & set(place["variables"])


@pytest.mark.parametrize("name", ["gates", "pipelines"])
def test_without_the_code_package_there_is_no_project(python: Path, tmp_path: Path, name: str) -> None:
    command = [python / "python", "-c", f"import pandas, {name}"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"No module named '{name}'" in process.stderr
