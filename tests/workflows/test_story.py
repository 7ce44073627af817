"""What the pull requests of one repository come to, from the first model to predictions of the second."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.workflows.conftest import MODEL, Desk, Models
from tests.workflows.hub import Run


def decided(run: Run, job: str) -> str:
    assert run.conclusion == "success", run.said[-4000:]
    return run.jobs[job].outputs["verdict"]


def test_from_a_pull_request_to_predictions(models: Models, desk: Callable[[str], Desk]) -> None:
    github = models.github

    # The first model, when there is none to compare it with
    first = github.pushed("main", {"README.md": "Orders\n"}, author="ada")
    assert decided(first["promote"], "promote") == "PROMOTE"
    assert "champion" in first["promote"].artifacts.held

    # A better one
    pull, runs = github.opened(
        "deeper", {MODEL: models.file(MODEL, {"trees: 1 ": "trees: 60", "max_depth: 1": "max_depth: 4"})}, author="ada",
        title="Deeper trees",
    )  # fmt: skip
    assert decided(runs["evaluate"], "review") == "PROMOTE"
    assert runs["ci"].conclusion == "success"
    (comment,) = github.api.bodies(pull=pull.number)
    assert "🟢 lockgate: PROMOTE" in comment
    assert "champion" in comment
    assert runs["evaluate"].jobs["review"].summary in comment

    # merged, promoted, tagged
    assert github.enqueued(pull)["ci"].conclusion == "success"
    after = github.merged(pull)["promote"]
    assert decided(after, "promote") == "PROMOTE"
    operator = desk("operator")
    champion = json.loads(operator.lockgate("champion", "--json"))
    assert champion["run"] == after.jobs["promote"].outputs["run"]
    assert "deployment_candidate" in operator.tags(champion["run"])

    # and its predictions are read
    operator.lockgate("predict")
    (version,) = json.loads(operator.lockgate("predictions", "versions", "--json"))
    assert version["champion_run"] == champion["run"]
