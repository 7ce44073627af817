"""Two versions of a `lockgate.yaml`, and of the policy that it holds or names → what changed in the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lockgate.gates.errors import SettingsError
from lockgate.gates.policy.archive import read_archived
from lockgate.gates.policy.diff import compare_policies
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import Changes, compare_records
from lockgate.gates.strictness.findings import WORST_FIRST
from lockgate.pipelines.pull_requests.versions import RepositoryVersion, locate_errors
from lockgate.pipelines.settings.governance import ProjectSettings, read_project_file, read_project_policy
from lockgate.pipelines.settings.scope import CONF_FOLDER, PROJECT_FILE

_POLICY = "policy"


def compare_project_files(before: RepositoryVersion, after: RepositoryVersion) -> Changes:
    """What changed between two versions, the worst first. All of it is the owners': an author has no file of his own.

    Raises:
        SettingsError, PolicyError: a version has conf/ instead, or cannot be read; the line names it.
    """
    for version in (before, after):
        if not version.has_project_file:
            raise SettingsError(
                f"one version has {PROJECT_FILE}, the other {CONF_FOLDER}/",
                expected="the same in both",
                where=version.name,
                hint="a person compares such versions: every rule stands in another place",
            )
    old = _read_version(before, partial(read_archived, where=_POLICY))
    new = _read_version(after, partial(Policy.parse, where=_POLICY))
    policy = compare_policies(old.policy, new.policy, where=_POLICY)
    settings = tuple(compare_records(old.settings, new.settings, ""))
    explained = {file for findings, file in ((settings, PROJECT_FILE), (policy, new.policy_file)) if findings}
    changed = [path for path in {*before.files, *after.files} if before.files.get(path) != after.files.get(path)]
    return Changes(
        before=before.name,
        after=after.name,
        authors=0,
        findings=tuple(sorted((*policy, *settings), key=lambda finding: WORST_FIRST.index(finding.direction))),
        reworded=sum(path not in explained for path in changed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProjectVersion:
    """What one version of `lockgate.yaml` says."""

    settings: ProjectSettings
    policy: Policy
    policy_file: str


def _read_version(version: RepositoryVersion, parse_policy: Callable[[Any], Policy]) -> _ProjectVersion:
    """The values in the files of a version, read as those of the working directory are."""
    with TemporaryDirectory(prefix="lockgate-") as folder:
        copy = Path(folder)
        _write_files(version.files, copy)
        with locate_errors(version, PROJECT_FILE, copy):
            settings = read_project_file(copy / PROJECT_FILE)
        policy_file = next((path for path in version.files if path != PROJECT_FILE), PROJECT_FILE)
        with locate_errors(version, policy_file, copy):
            policy = read_project_policy(copy / PROJECT_FILE, parse_policy=parse_policy)
    return _ProjectVersion(settings=settings, policy=policy, policy_file=policy_file)


def _write_files(files: Mapping[str, bytes], folder: Path) -> None:
    for path, content in files.items():  # paths that lead out of the folder are no files of a version
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
