"""A project whose metadata are behind a service: the way of a model from training to predictions, and its tags."""

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
def test_from_training_to_predictions(served: Any) -> None:
    """The session's fixture has trained and promoted it."""
    if not served.history():
        assert served.place.run("judge", served.run).code == 0
    assert served.tags() == {"champion", "deployment_candidate"}
    checked = served.place.run("verify", "--json", "--deep")
    told = json.loads(checked.out)
    assert (checked.code, told["deviations"], told["promotions"], told["tagged"]) == (0, [], 1, 1), checked
    done = served.project.run("predict", "--json", **served.env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["champion_run"] == served.run
    told = json.loads(served.project.run("verify", "--json", **served.env).stdout)
    assert (told["clean"], told["versions"]) == (True, 1)


def test_concurrent_tags_survive(served: Any) -> None:
    done = served.project.python("-c", CONCURRENT, served.run, "20", **served.env)
    assert (done.returncode, done.stdout.split()) == (0, ["20", "20"]), done
    served.retag(remove=[f"t{number}" for number in range(20)])


def test_concurrent_tags_survive_in_local_metadata_too(promoted: Any) -> None:
    (run,) = promoted.runs()
    done = promoted.python("-c", CONCURRENT, run, "20")
    assert (done.returncode, done.stdout.split()) == (0, ["20", "20"]), done


def test_verify_names_tags_that_were_forged_and_removes_them(served: Any) -> None:
    run = served.fresh()
    assert served.place.run("judge", run).code == 0
    served.retag(add=["held", "revoked", "production:token", "mine"], remove=["champion"])
    done = served.place.run("verify", "--json")
    (deviation,) = json.loads(done.out)["deviations"]
    assert (done.code, deviation["about"], deviation["where"]) == (2, "tags", run)
    for tag in ("champion", "held", "revoked", "production:token"):
        assert tag in deviation["said"]
    fixed = served.place.run("verify", "--fix-tags")
    assert fixed.code == 0, fixed
    assert f"put right: {run} +champion -held -production:token -revoked" in fixed.out
    assert served.tags() == {"champion", "deployment_candidate", "mine"}
    served.retag(remove=["mine"])
