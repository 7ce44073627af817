"""`lockgate explain` says what a policy may declare, without an installation or a configuration."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS

ROOT = Path(__file__).parents[4]


def explain(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lockgate")), "explain", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_list_of_everything() -> None:
    completed = explain()
    assert (completed.returncode, completed.stderr) == (0, "")
    first = [line.split()[0] for line in completed.stdout.splitlines() if line.strip()]
    assert [word for word in first if word in KINDS] == list(KINDS)
    for task, metrics in METRICS.items():
        part = completed.stdout.partition(f"Metrics of task {task}")[2].partition("Metrics of task")[0]
        results = [re.split(r"[\[@]", line.split()[0])[0] for line in part.splitlines() if line.strip()]
        assert results == list(metrics)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind(kind: str) -> None:
    completed = explain(kind)
    assert (completed.returncode, completed.stderr) == (0, "")
    message = " ".join(completed.stdout.split())
    assert f"kind: {kind}" in message
    for key in KINDS[kind].model_fields:
        assert re.search(rf"^{key} +\S", completed.stdout, flags=re.MULTILINE)
    assert "\x1b" not in completed.stdout


def test_a_metric() -> None:
    completed = explain("average_precision")
    assert (completed.returncode, completed.stderr) == (0, "")
    rows = dict(re.findall(r"^(\w+) {2,}(.*?) *$", completed.stdout, flags=re.MULTILINE))
    assert rows["task"] == "binary"
    assert (rows["better"], rows["range"], rows["unit"]) == ("higher is better", "0 … 1", "probability")
    assert rows["needs"] == "rows with label 1"
    assert "Student's t" in rows["interval"]
    assert "Average precision Σ (R_k − R_{k−1}) P_k" in completed.stdout
    assert explain("recall@0.3").stdout == explain("recall").stdout


def test_a_metric_of_several_tasks_is_said_for_each() -> None:
    (name, tasks), *_ = sorted(
        (
            (name, [task for task, value in METRICS.items() if name in value])
            for value in METRICS.values()
            for name in value
        ),
        key=lambda result: -len(result[1]),
    )
    assert re.findall(r"^task +(\w+)", explain(name).stdout, flags=re.MULTILINE) == tasks


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["treshold"], r"no kind of gate or metric is called 'treshold'; .* \(did you mean 'threshold'\?\)"),
        (["acurracy"], r"no kind of gate or metric is called 'acurracy'; .* \(did you mean 'accuracy'\?\)"),
        (["auc@3"], r"auc takes no number; expected auc"),
        (["zzz\nzzz"], r"no kind of gate or metric is called 'zzz\\nzzz'; expected one of threshold, [a-z_, 0-9]*"),
        (["auc", "--schema"], r"both a name and --schema are given; expected one of them"),
    ],
)
def test_what_is_not_there(words: list[str], line: str) -> None:
    completed = explain(*words)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert re.fullmatch(f"lockgate: {line}\n", completed.stderr)


def test_the_schema_accepts_every_policy_that_ships() -> None:
    completed = explain("--schema")
    assert (completed.returncode, completed.stderr) == (0, "")
    schema = json.loads(completed.stdout)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    policies = sorted((ROOT / "conf/gate").glob("*.yaml"))
    assert policies
    for path in policies:
        mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert list(validator.iter_errors(mapping)) == [], path.name
        assert not validator.is_valid({**mapping, "stray": 1})
        assert not validator.is_valid({**mapping, "checks": {"a": {"kind": "nothing"}}})


def test_it_starts_quickly() -> None:
    """What it imports must not grow: no model library, no flows, no tables."""
    code = (
        "import sys\nfrom lockgate.pipelines.cli.main import app\nsys.argv = ['lockgate', 'explain', 'auc']\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'hydra', 'metaflow', 'obstore', 'pandas', 'sklearn', 'xgboost'} & set(sys.modules)))"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.splitlines()[-1] == "[]"
