"""What `lockgate init` would write into a repository, as it stands: all of it is decided before anything is written."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lockgate.gates.documents import read_document
from lockgate.gates.errors import PolicyError, SettingsError
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.settings.governance import (
    find_project_file,
    read_project_file,
    read_project_policy,
)
from lockgate.pipelines.settings.scope import PROJECT_FILE
from lockgate.pipelines.starter import contents
from lockgate.pipelines.starter.flows import FoundFlow, find_flows
from lockgate.pipelines.starter.policies import Task, write_policy

POLICY_FILE = "policy.yaml"
OWNER_FILES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, in its order: it reads the first that there is."""

MAX_OWNERS_BYTES = 3 * 1024**2  # GitHub ignores a larger file
_PROJECT = re.compile(r"[a-z0-9_-]{1,64}")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,200}")
_OWNER = re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]{0,38}(/[A-Za-z0-9._-]{1,100})?|[^\s@#]{1,64}@[A-Za-z0-9.-]{1,253}")
_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}@[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlan:
    """What is to be written and said."""

    root: Path
    project: str
    task: Task
    created: Mapping[str, str] = field(default_factory=dict)  # path from the root → the text of a file that is new
    appended: Mapping[str, str] = field(default_factory=dict)  # → the whole text of one that gets further lines
    existing: tuple[str, ...] = ()  # files that are there already
    left_out: tuple[str, ...] = ()  # a sentence for each
    flow: FoundFlow | None = None  # the repository's own that is, or has to be, gated
    other_flows: tuple[FoundFlow, ...] = ()


def plan_start(
    folder: Path, *, project: str | None, task: Task | None, owner: str | None, action: str | None
) -> StartPlan:
    """What to write for the repository that `folder` is in, or for `folder` itself outside of one.

    Raises:
        SettingsError: an option is not acceptable, the folder is governed in another way, or a file that is there
            cannot be what it would be taken for.
        PolicyError: the policy that a `lockgate.yaml` names is none.
    """
    _check_options(owner, action)
    repository, file = _find_repository(folder), find_project_file(folder)
    root = file.parent if file else repository or folder
    if (root / "conf/gate").is_dir() and (root / "conf/config.yaml").is_file():
        raise SettingsError("conf/ governs this project", expected=f"a repository without one, for {PROJECT_FILE}")
    own = [flow for flow in find_flows(root) if flow.file != contents.SCORES_FLOW]
    flow = own[0] if own else None
    chosen_task = task or ("score" if flow is None and _has_evaluations(root) else "binary")
    named, policy_path = _read_existing(root)
    chosen = named or project or (flow and flow.project) or _name_project(root)
    if project not in (None, chosen):
        raise SettingsError(f"{PROJECT_FILE} is of project {chosen!r}", expected=f"--project {chosen}, or none")
    if not _PROJECT.fullmatch(chosen):
        raise SettingsError(f"{chosen[:80]!r} cannot name a project", expected="--project with a-z, 0-9, _ and -")

    wanted = {PROJECT_FILE: contents.write_project_file(chosen)}
    if policy_path is not None:
        wanted[policy_path] = write_policy(chosen_task, trains=flow is not None)
    if flow is None:
        wanted[contents.SCORES_FLOW] = contents.write_scores_flow(chosen, chosen_task)
    judged_flow = (
        contents.FlowFile(flow.file, flow.name) if flow else contents.FlowFile(contents.SCORES_FLOW, "ScoresFlow")
    )
    left_out: list[str] = []
    appended: dict[str, str] = {}
    if repository is None:
        left_out.append("the workflow and CODEOWNERS: this folder is in no Git repository")
    elif root != repository:
        left_out.append(f"the workflow and CODEOWNERS: {root.name} is a folder of the repository {repository}")
    else:
        if _PLAIN_PATH.fullmatch(judged_flow.file):
            wanted[contents.WORKFLOW] = contents.write_workflow(
                judged_flow, branch=_find_branch(root), policy=policy_path, action=action
            )
            left_out += [] if (root / contents.WORKFLOW).exists() else _explain_missing_advice(action, policy_path)
        else:
            left_out.append(f"the workflow: the name {judged_flow.file[:80]!r} has to be quoted, which is left to you")
        appended, missing = _plan_owners(root, owner, [path for path in wanted if path != contents.WORKFLOW])
        left_out += missing
    for path in (*wanted, *appended):
        _check_place(root, path)
    exists = {path: (root / path).exists() for path in wanted}
    return StartPlan(
        root=root,
        project=chosen,
        task=chosen_task,
        created={path: text for path, text in wanted.items() if not exists[path]},
        appended=appended,
        existing=tuple(path for path in wanted if exists[path]),
        left_out=tuple(left_out),
        flow=flow,
        other_flows=tuple(own[1:]),
    )


def _check_options(owner: str | None, action: str | None) -> None:
    if os.environ.get("LOCKGATE_CONF"):
        raise SettingsError(f"LOCKGATE_CONF is set, and is taken instead of {PROJECT_FILE}", expected="it to be unset")
    if owner is not None and not _OWNER.fullmatch(owner):
        raise SettingsError(
            f"{owner[:80]!r} is no owner", expected="@USER, @ORGANISATION/TEAM or an address", where="--owner"
        )
    if action is not None and not _ACTION.fullmatch(action):
        raise SettingsError(
            f"{action[:120]!r} is no action", expected="OWNER/lockgate@ and the 40 digits of a commit", where="--action"
        )


def _find_repository(folder: Path) -> Path | None:
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def _has_evaluations(root: Path) -> bool:
    """Whether what lies there looks like results of evaluations: one row of JSON for each try, or logs of Inspect."""
    return any(file.suffix in (".jsonl", ".eval") for file in (root / "scores").glob("*"))


def _read_existing(root: Path) -> tuple[str | None, str | None]:
    """The project of a `lockgate.yaml` that is there, and its policy's file; None for one that stands in it."""
    file = root / PROJECT_FILE
    if not file.exists():
        if (root / POLICY_FILE).exists():
            _check_policy(root / POLICY_FILE)
        return None, POLICY_FILE
    settings = read_project_file(file)
    if not isinstance(settings.policy, str):
        return settings.project, None
    if (root / settings.policy).exists() or not _PLAIN_PATH.fullmatch(settings.policy):
        read_project_policy(file)
    return settings.project, settings.policy


def _check_policy(file: Path) -> None:
    """Refuse a file of another tool's that has the name."""
    try:
        Policy.parse(read_document(file))
    except PolicyError as err:
        raise SettingsError(
            f"{POLICY_FILE} is no policy of lockgate: {err.problems[0]}",
            expected="one, or the name to be free",
            where=str(file),
            hint=f"write {PROJECT_FILE} first, whose `policy` names another file",
        ) from err


def _name_project(root: Path) -> str:
    """The folder's name, as far as it can name a project."""
    return re.sub(r"[^a-z0-9_-]+", "-", root.resolve().name.lower()).strip("-")[:64]


def _find_branch(root: Path) -> str:
    """The default branch of the remote, as Git has it here; `main` where it has none."""
    command = ["git", "-C", str(root), "symbolic-ref", "--short", "refs/remotes/origin/HEAD"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "main"
    branch = completed.stdout.strip().removeprefix("origin/")
    return branch if _PLAIN_PATH.fullmatch(branch) else "main"


def _explain_missing_advice(action: str | None, policy_path: str | None) -> list[str]:
    if action is None:
        return ["jobs for pull requests: name the action by its commit, --action OWNER/lockgate@COMMIT"]
    if policy_path is None:
        return [f"jobs for pull requests: the action takes a file, and the policy stands in {PROJECT_FILE}"]
    return []


def _plan_owners(root: Path, owner: str | None, paths: list[str]) -> tuple[dict[str, str], list[str]]:
    """The file of owners with the lines that it lacks, and what is left out."""
    file = next((name for name in OWNER_FILES if (root / name).exists()), OWNER_FILES[0])
    _check_place(root, file)
    text = _read_owners(root / file)
    owned = {line.split()[0] for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")}
    lacking = [path for path in (*(f"/{path}" for path in paths), "/.github/") if path not in owned]
    if not lacking:
        return {}, []
    if owner is None:
        return {}, ["CODEOWNERS: say who must approve a change of these files, --owner @ORGANISATION/TEAM"]
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    head = f"{gap}# what decides which model is promoted\n"
    return {file: text + head + contents.write_owner_lines(lacking, owner)}, []


def _read_owners(file: Path) -> str:
    try:
        if not file.exists():
            return ""
        if file.stat().st_size > MAX_OWNERS_BYTES:
            raise SettingsError(
                "the file is too large", expected=f"at most {MAX_OWNERS_BYTES:,} bytes", where=str(file)
            )
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        problem = getattr(err, "strerror", None) or "it is not UTF-8"
        raise SettingsError(f"cannot read: {problem}", where=str(file)) from err


def _check_place(root: Path, path: str) -> None:
    """Raise SettingsError where a path is no file's, or leads out of the repository."""
    place = root / path
    if not place.resolve().is_relative_to(root.resolve()):
        raise SettingsError(f"{path} leads out of the repository", expected="a file in it", where=str(place))
    if place.exists() and not place.is_file():
        raise SettingsError(f"{path} is not a file", expected="a file, or nothing", where=str(place))
