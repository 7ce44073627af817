"""Forged tags, in each of the ways in which a run gets one. Predict follows none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

FLOW = """
from metaflow import FlowSpec, step

class EvaluateNewModel(FlowSpec):
    @step
    def start(self):
        self.model = b"mallory's"
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    EvaluateNewModel()
"""
ADD = "from metaflow import Run, namespace; namespace(None); Run({run!r}).add_tags({tags!r})"
UNKNOWN = (
    "it is of an unknown project (its facts cannot be read: the run has no such artifact),"
    " so its tags are left as they are"
)
SYSTEM = "from metaflow import Run, namespace; namespace(None); print(*Run({run!r}).system_tags)"


@pytest.fixture(scope="module")
def stranger_project(tmp_path_factory: pytest.TempPathFactory, signed_project: Any) -> Any:
    """The signed project, and in it a later run of a stranger's flow of the same name, tagged as it started."""
    project = signed_project.copy(tmp_path_factory.mktemp("pretended"))
    (project.home / "flow.py").write_text(FLOW, encoding="utf-8")
    process = project.python(
        "flow.py",
        "--no-pylint",
        "run",
        "--tag",
        "deployment_candidate",
        METAFLOW_USER="champion",
    )
    assert process.returncode == 0, process.stderr
    process = project.python("flow.py", "--no-pylint", "run", METAFLOW_RUN_TAGS="champion", METAFLOW_USER="mallory")
    assert process.returncode == 0, process.stderr
    return project


@pytest.fixture
def scene(stranger_project: Any, lay: Callable[[Any], Any]) -> Any:
    return lay(stranger_project)


def not_followed(scene: Any, run: str) -> str:
    """Predict goes on with the champion, and refuses the run by name; `verify` names what it finds of its tags."""
    scene.serves(scene.champion)
    assert "was never promoted, or is revoked" in scene.refusal_line(run)
    return scene.deviations()[run]


def test_add_tag(scene: Any) -> None:
    run = scene.former  # which did reign, and was as good
    assert scene.do("python", ADD.format(run=run, tags=["champion"])).code == 0
    assert "champion" in scene.project.tags(run)
    scene.serves(scene.champion)
    assert scene.deviations()[run] == "has champion, which it should not have according to the log"


def test_the_option_tag_of_a_run(scene: Any) -> None:
    run = scene.project.runs()[2]
    assert "deployment_candidate" in scene.project.tags(run)
    assert (
        not_followed(scene, run)
        == f"has deployment_candidate, which it should not have according to the log; {UNKNOWN}"
    )


def test_tags_from_the_environment(scene: Any) -> None:
    run = scene.project.runs()[3]
    assert "champion" in scene.project.tags(run)
    assert not_followed(scene, run) == f"has champion, which it should not have according to the log; {UNKNOWN}"


def test_the_user_and_the_namespace_that_a_run_claims(scene: Any) -> None:
    """A user of any name, and tags that Metaflow itself sets for what is in production."""
    run = scene.project.runs()[2]
    assert "user:champion" in scene.do("python", SYSTEM.format(run=run)).out
    tags = ["production:lockgate-0", "project:lockgate", "project_branch:prod"]
    assert scene.do("python", ADD.format(run=run, tags=tags)).code == 0
    problem = not_followed(scene, run)
    assert "production:lockgate-0, project:lockgate, project_branch:prod" in problem
