"""A project whose metadata are behind a service: the way of a model from training to predictions, and its tags.

Tests of gates/runs/tagging.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

CONCURRENT = """
import os, sys
from metaflow import Run, namespace
from lockgate.gates import runs
run, count = sys.argv[1], int(sys.argv[2])
namespace(None)
children = []
for number in range(count):
    child = os.fork()
    if not child:
        done = runs.retag(run, project="orders", add={f"t{number}"}, seconds=60)
        os._exit(done.added != {f"t{number}"})
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(sum(code == 0 for code in codes), len({f"t{n}" for n in range(count)} & Run(run).user_tags))
"""


@pytest.mark.nightly
def test_from_training_to_predictions(service_project: Any) -> None:
    """The session's fixture has trained and promoted it."""
    if not service_project.history():
        assert service_project.place.run("judge", service_project.run).code == 0
    assert service_project.tags() == {"champion", "deployment_candidate"}
    checked = service_project.place.run("verify", "--json", "--deep")
    report = json.loads(checked.out)
    assert (checked.code, report["deviations"], report["promotions"], report["tagged"]) == (0, [], 1, 1), checked
    process = service_project.project.run("predict", "--json", **service_project.env)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["champion_run"] == service_project.run
    report = json.loads(service_project.project.run("verify", "--json", **service_project.env).stdout)
    assert (report["clean"], report["versions"]) == (True, 1)


def test_concurrent_tags_survive(service_project: Any) -> None:
    process = service_project.project.python("-c", CONCURRENT, service_project.run, "20", **service_project.env)
    assert (process.returncode, process.stdout.split()) == (0, ["20", "20"]), process
    service_project.retag(remove=[f"t{number}" for number in range(20)])


def test_concurrent_tags_survive_in_local_metadata_too(promoted: Any) -> None:
    (run,) = promoted.runs()
    process = promoted.python("-c", CONCURRENT, run, "20")
    assert (process.returncode, process.stdout.split()) == (0, ["20", "20"]), process


@pytest.mark.nightly
def test_verify_names_tags_that_were_forged_and_removes_them(service_project: Any) -> None:
    run = service_project.fresh()
    assert service_project.place.run("judge", run).code == 0
    service_project.retag(add=["held", "revoked", "production:token", "mine"], remove=["champion"])
    result = service_project.place.run("verify", "--json")
    (deviation,) = json.loads(result.out)["deviations"]
    assert (result.code, deviation["about"], deviation["where"]) == (2, "tags", run)
    for tag in ("champion", "held", "revoked", "production:token"):
        assert tag in deviation["said"]
    fixed = service_project.place.run("verify", "--fix-tags")
    assert fixed.code == 0, fixed
    assert f"put right: {run} +champion -held -production:token -revoked" in fixed.out
    assert service_project.tags() == {"champion", "deployment_candidate", "mine"}
    service_project.retag(remove=["mine"])
