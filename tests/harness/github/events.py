"""What GitHub tells a run of the event that started it: the context `github`, the payload, and a job's environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.github.api import REPOSITORY

OWNER, NAME = REPOSITORY.split("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that starts workflows."""

    name: str
    sha: str  # what is checked out by default, and whose workflow files run
    ref: str
    actor: str
    payload: dict[str, Any]
    base_ref: str = ""
    head_ref: str = ""
    fork: bool = False  # a pull request from one
    inputs: dict[str, Any] = field(default_factory=dict)
    only: str | None = None  # the one workflow, a file's stem, that was started by hand

    @property
    def branch(self) -> str:
        """Whose runs this one is listed among."""
        return self.head_ref or self.ref.removeprefix("refs/heads/")

    def starts(self, stem: str, on: Mapping[str, Any]) -> bool:
        """Whether a workflow with these triggers runs. Of filters, `branches` alone, and of plain names."""
        if self.name not in on or (self.only is not None and self.only != stem):
            return False
        filters = on[self.name]
        if not isinstance(filters, dict) or self.name == "workflow_dispatch":
            return True
        assert filters.keys() <= {"branches", "types"}, filters
        types = filters.get("types", ["opened", "synchronize", "reopened", "checks_requested"])
        branch = self.base_ref or self.branch
        return branch in filters.get("branches", [branch]) and self.payload.get("action", types[0]) in types


def _repository(full_name: str) -> dict[str, Any]:
    owner, name = full_name.split("/")
    return {"full_name": full_name, "name": name, "owner": {"login": owner}}


HERE = {"repository": _repository(REPOSITORY)}


def pull_request(
    action: str, *, number: int, title: str, author: str, fork: bool, branch: str, head: str, base: str, merge: str
) -> Event:
    repo = _repository(f"{author}/{NAME}" if fork else REPOSITORY)
    document = {
        "number": number,
        "title": title,
        "user": {"login": author},
        "draft": False,
        "body": title,
        "labels": [],
        "head": {"sha": head, "ref": branch, "label": f"{author}:{branch}", "repo": repo | {"fork": fork}},
        "base": {"sha": base, "ref": "main", "repo": HERE["repository"]},
        "merge_commit_sha": merge,
    }
    return Event(
        name="pull_request",
        sha=merge,
        ref=f"refs/pull/{number}/merge",
        actor=author,
        base_ref="main",
        head_ref=branch,
        fork=fork,
        payload={"action": action, "number": number, "pull_request": document, **HERE},
    )


def merge_group(*, number: int, head: str, base: str, ref: str) -> Event:
    group = {"head_sha": head, "head_ref": ref, "base_sha": base, "base_ref": "refs/heads/main"}
    return Event(
        name="merge_group",
        sha=head,
        ref=ref,
        actor="maintainer",
        payload={"action": "checks_requested", "merge_group": group, **HERE},
    )


def push(branch: str, *, before: str, after: str, actor: str) -> Event:
    return Event(
        name="push",
        sha=after,
        ref=f"refs/heads/{branch}",
        actor=actor,
        payload={"ref": f"refs/heads/{branch}", "before": before, "after": after, **HERE},
    )


def schedule(sha: str) -> Event:
    return Event(name="schedule", sha=sha, ref="refs/heads/main", actor="maintainer", payload={**HERE})


def workflow_dispatch(stem: str, *, branch: str, sha: str, actor: str, inputs: dict[str, Any]) -> Event:
    ref = f"refs/heads/{branch}"
    return Event(
        name="workflow_dispatch",
        sha=sha,
        ref=ref,
        actor=actor,
        inputs=inputs,
        only=stem,
        payload={"inputs": inputs, "ref": ref, **HERE},
    )


def context(event: Event, *, workflow: str, stem: str, run_id: int, token: str, api_url: str) -> dict[str, Any]:
    """The context `github`."""
    return {
        "event_name": event.name,
        "event": event.payload,
        "sha": event.sha,
        "ref": event.ref,
        "token": token,
        "ref_name": event.ref.split("/", 2)[2],
        "ref_type": "branch",
        "base_ref": event.base_ref,
        "head_ref": event.head_ref,
        "actor": event.actor,
        "triggering_actor": event.actor,
        "repository": REPOSITORY,
        "repository_owner": OWNER,
        "workflow": workflow,
        "run_id": str(run_id),
        "run_number": str(run_id),
        "workflow_ref": f"{REPOSITORY}/.github/workflows/{stem}.yml@{event.ref}",
        "workflow_sha": event.sha,
        "run_attempt": "1",
        "api_url": api_url,
        "server_url": "https://github.example",
    }


def environment(github: Mapping[str, Any], *, job: str, folder: Path, workspace: Path) -> dict[str, str]:
    """What every step of a job finds in its environment."""
    event = folder / "event.json"
    event.write_text(json.dumps(github["event"]), encoding="utf-8")
    for name in ("home", "temp", "tools"):
        (folder / name).mkdir()
    variables = {
        f"GITHUB_{name.upper()}": str(value) for name, value in github.items() if name not in ("event", "token")
    }
    return variables | {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_JOB": job,
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_EVENT_PATH": str(event),
        "HOME": str(folder / "home"),
        "RUNNER_TEMP": str(folder / "temp"),
        "RUNNER_TOOL_CACHE": str(folder / "tools"),
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": "X64",
        "LANG": "C.UTF-8",
        "USER": "runner",
    }
