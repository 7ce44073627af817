"""What is planned for a repository as it stands: what is there stays, and is not taken for what it is not.

Tests of pipelines/starter/contents.py and pipelines/starter/policies.py
"""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from lockgate.gates.errors import LockgateError
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.settings.governance import read_project_file
from lockgate.pipelines.starter.contents import SCORES_FLOW, WORKFLOW
from lockgate.pipelines.starter.plan import StartPlan, plan_start
from lockgate.pipelines.starter.policies import Task, write_policy
from tests.builders import GATES
from tests.test_workflows import ACTIONS

ACTION = f"acme/lockgate@{'0' * 40}"
FLOW = """
from metaflow import FlowSpec, step

class ChurnFlow(FlowSpec):
    @step
    def start(self):
        fit()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a repository that has nothing yet."""
    monkeypatch.delenv("LOCKGATE_CONF")
    home = tmp_path / "Churn models"
    subprocess.run(["git", "init", "--quiet", home], check=True)
    return home


def plan(folder: Path, **options: Any) -> StartPlan:
    return plan_start(folder, **{"project": None, "task": None, "owner": None, "action": None, **options})


def refuse(folder: Path, line: str, **options: Any) -> None:
    with pytest.raises(LockgateError) as caught:
        plan(folder, **options)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", get_args(Task))
@pytest.mark.parametrize("trains", [True, False])
def test_every_first_policy_compares_and_asks_for_something_of_the_first_model(task: Task, *, trains: bool) -> None:
    policy = Policy.parse(yaml.safe_load(write_policy(task, trains=trains)))
    kinds = [check.kind for check in policy.checks.values()]
    assert kinds == ["threshold", "improvement", *["leakage"] * (trains and task != "score"), "data"]
    assert all(len(line) <= 120 for line in write_policy(task, trains=trains).splitlines())


def test_a_repository_that_has_nothing(home: Path) -> None:
    start_plan = plan(home, owner="@acme/platform", action=ACTION)
    assert list(start_plan.created) == ["lockgate.yaml", "policy.yaml", SCORES_FLOW, WORKFLOW]
    assert (start_plan.project, start_plan.task, start_plan.existing, start_plan.left_out, start_plan.flow) == (
        "churn-models",
        "binary",
        (),
        (),
        None,
    )
    (home / "lockgate.yaml").write_text(start_plan.created["lockgate.yaml"], encoding="utf-8")
    settings = read_project_file(home / "lockgate.yaml")
    assert (settings.project, settings.log_root, settings.policy) == ("churn-models", "datastore", "policy.yaml")
    assert 'PROJECT = "churn-models"' in start_plan.created[SCORES_FLOW]
    ast.parse(start_plan.created[SCORES_FLOW])
    assert start_plan.appended[".github/CODEOWNERS"].splitlines()[1:] == [
        "/lockgate.yaml   @acme/platform",
        "/policy.yaml     @acme/platform",
        "/scores_flow.py  @acme/platform",
        "/.github/        @acme/platform",
    ]


def test_a_flow_is_named_and_gets_no_other_one(home: Path) -> None:
    (home / "churn_flow.py").write_text(FLOW, encoding="utf-8")
    start_plan = plan(home / ".git", task="regression")  # from any folder of it
    assert start_plan.flow is not None
    assert (start_plan.root, start_plan.flow.name, SCORES_FLOW in start_plan.created) == (home, "ChurnFlow", False)
    assert ".venv/bin/python churn_flow.py run" in start_plan.created[WORKFLOW]
    assert 'judge "ChurnFlow/$(cat run.txt)"' in start_plan.created[WORKFLOW]
    assert "leakage" in start_plan.created["policy.yaml"]


def test_a_gated_flow_names_the_project(home: Path) -> None:
    gated = FLOW.replace("    @step", '    @gated(project="churn")\n    @step')
    (home / "churn_flow.py").write_text(gated, encoding="utf-8")
    assert plan(home).project == "churn"


@pytest.mark.parametrize("name", ["v1.jsonl", "v1.eval"])
def test_what_lies_there_says_which_task(home: Path, name: str) -> None:
    (home / "scores").mkdir()
    (home / "scores" / name).touch()
    assert plan(home).task == "score"
    assert plan(home, task="binary").task == "binary"


def test_actions_are_those_that_the_workflows_of_lockgate_use(home: Path) -> None:
    workflow = yaml.safe_load(plan(home, action=ACTION).created[WORKFLOW])
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert {step["uses"] for step in steps if "uses" in step} <= ACTIONS | {ACTION}
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():  # what has a secret runs what is merged, what may write runs nothing
        assert ("secrets." in str(job)) == (name == "judge") == ("environment" in job)
        assert ("pull-requests" in job["permissions"]) == (name == "advise")
        token = "github.token" in str(job) or name == "advise"
        assert (
            token
            == any("github.base_ref" in str(step.get("with")) for step in job["steps"])
            == (name in ("champion", "advise"))
        )
    assert "if: github.event_name == 'push'" in plan(home).created[WORKFLOW]
    assert not [step for step in workflow["jobs"]["advise"]["steps"] if "run" in step]


def test_without_an_action_pull_requests_start_nothing(home: Path) -> None:
    start_plan = plan(home)
    workflow = yaml.safe_load(start_plan.created[WORKFLOW])
    assert (list(workflow["jobs"]), list(workflow[True])) == (["judge"], ["push"])
    assert [sentence.split(":")[0] for sentence in start_plan.left_out] == ["jobs for pull requests", "CODEOWNERS"]


def test_the_remote_says_which_branch_is_protected(home: Path) -> None:
    for branch, written in (("trunk", "trunk"), ("${{ github.actor }}", "main")):
        target = home / ".git/refs/remotes/origin/HEAD"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"ref: refs/remotes/origin/{branch}\n", encoding="utf-8")
        assert yaml.safe_load(plan(home).created[WORKFLOW])[True]["push"]["branches"] == [written]


def test_outside_of_git_there_is_nothing_of_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_CONF")
    start_plan = plan(tmp_path, project="churn", owner="@acme/platform")
    assert list(start_plan.created) == ["lockgate.yaml", "policy.yaml", SCORES_FLOW]
    assert (start_plan.root, start_plan.appended) == (tmp_path, {})
    assert start_plan.left_out == ("the workflow and CODEOWNERS: this folder is in no Git repository",)


def test_a_project_that_is_a_folder_of_a_repository_keeps_to_it(home: Path) -> None:
    (home / "models/churn").mkdir(parents=True)
    (home / "models/lockgate.yaml").write_text(plan(home).created["lockgate.yaml"], encoding="utf-8")
    start_plan = plan(home / "models/churn", owner="@acme/platform")
    assert (start_plan.root, list(start_plan.created)) == (home / "models", ["policy.yaml", SCORES_FLOW])
    assert start_plan.left_out == (f"the workflow and CODEOWNERS: models is a folder of the repository {home}",)


def test_what_is_there_stays_and_what_is_missing_follows_it(home: Path) -> None:
    settings = {"project": "mine", "log_root": "s3://b/p", "keys": {"required": False, "private": "any", "trusted": {}}}
    (home / "lockgate.yaml").write_text(yaml.safe_dump({**settings, "policy": "rules.yaml"}), encoding="utf-8")
    start_plan = plan(home)
    assert (start_plan.project, start_plan.existing) == ("mine", ("lockgate.yaml",))
    assert list(start_plan.created) == ["rules.yaml", SCORES_FLOW, WORKFLOW]
    (home / "lockgate.yaml").write_text(yaml.safe_dump({**settings, "policy": GATES}), encoding="utf-8")
    start_plan = plan(home, action=ACTION)
    assert list(start_plan.created) == [SCORES_FLOW, WORKFLOW]
    assert "the policy stands in lockgate.yaml" in start_plan.left_out[0]
    refuse(home, "lockgate.yaml is of project 'mine'; expected --project mine", project="other")


@pytest.mark.parametrize("file", [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"])
def test_lines_of_owners_are_added_once(home: Path, file: str) -> None:
    (home / file).parent.mkdir(exist_ok=True)
    (home / file).write_text("# ours\n* @acme/all\n/policy.yaml @acme/risk", encoding="utf-8")
    start_plan = plan(home, owner="me@acme.example")
    assert start_plan.appended[file].startswith("# ours\n* @acme/all\n/policy.yaml @acme/risk\n\n# what decides")
    assert start_plan.appended[file].count("/policy.yaml") == 1
    (home / file).write_text(start_plan.appended[file], encoding="utf-8")
    assert plan(home, owner="@somebody").appended == {}
    assert not any("CODEOWNERS" in sentence for sentence in plan(home).left_out)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"project": "Churn!"}, "'Churn!' cannot name a project; expected --project with a-z"),
        ({"owner": "acme/platform"}, "'acme/platform' is no owner; expected @USER"),
        ({"owner": "@a @b"}, "'@a @b' is no owner"),
        ({"action": "acme/lockgate@v1"}, "'acme/lockgate@v1' is no action; expected OWNER/lockgate@ and the 40 digits"),
        ({"action": ACTION + "\n      - run: x"}, "'acme/lockgate@0000"),
    ],
)
def test_an_option_that_is_not_acceptable(home: Path, options: dict[str, str], line: str) -> None:
    refuse(home, line, **options)


def test_what_is_not_what_it_would_be_taken_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "policy.yaml").write_text("allow: [admin]\n", encoding="utf-8")
    refuse(home, "policy.yaml is no policy of lockgate: ", project="churn")
    (home / "policy.yaml").unlink()
    (home / "policy.yaml").mkdir()
    refuse(home, "cannot read: Is a directory")
    (home / "policy.yaml").rmdir()
    (home / SCORES_FLOW).mkdir()
    refuse(home, f"{SCORES_FLOW} is not a file; expected a file, or nothing")
    (home / SCORES_FLOW).rmdir()
    (home / "CODEOWNERS").write_bytes(b"\xff")
    refuse(home, "cannot read: it is not UTF-8")
    (home / "CODEOWNERS").unlink()
    (home / ".github").symlink_to(home.parent)
    refuse(home, ".github/CODEOWNERS leads out of the repository")
    (home / ".github").unlink()
    (home / "lockgate.yaml").write_text("project: churn\n", encoding="utf-8")
    refuse(home, "nothing given; expected a value @ log_root | ", project="churn")
    (home / "lockgate.yaml").unlink()
    (home / "conf/gate").mkdir(parents=True)
    (home / "conf/config.yaml").touch()
    refuse(home, "conf/ governs this project")
    monkeypatch.setenv("LOCKGATE_CONF", "/elsewhere")
    refuse(home, "LOCKGATE_CONF is set, and is taken instead of lockgate.yaml; expected it to be unset")


def test_a_name_that_a_shell_would_read_is_left_to_its_owner(home: Path) -> None:
    (home / "a; b.py").write_text(FLOW, encoding="utf-8")
    start_plan = plan(home)
    assert WORKFLOW not in start_plan.created
    assert start_plan.left_out[0] == "the workflow: the name 'a; b.py' has to be quoted, which is left to you"
    assert json.dumps(start_plan.created).count("a; b") == 0
