"""Two versions of a lockgate.yaml and its policy are compared rule by rule, as two versions of conf/ are."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.gates.strictness import Changes
from lockgate.pipelines.pull_requests.changes import compare_folders, compare_versions
from lockgate.pipelines.pull_requests.versions import load_version
from tests.builders import GATES

SETTINGS: Mapping[str, Any] = {
    "project": "churn",
    "log_root": "datastore",
    "keys": {"required": False, "private": "any", "trusted": {}},
    "policy": "rules/policy.yaml",
}
WEAKER_GATES = {**GATES, "confidence": 0.9}


def write_version(root: Path, gates: Mapping[str, Any] = GATES, **changes: Any) -> Path:
    (root / "rules").mkdir(parents=True, exist_ok=True)
    (root / "rules" / "policy.yaml").write_text(yaml.safe_dump(dict(gates)), encoding="utf-8")
    (root / "lockgate.yaml").write_text(yaml.safe_dump({**SETTINGS, **changes}), encoding="utf-8")
    return root


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_version(tmp_path / "base")


def list_findings(changes: Changes) -> list[tuple[str, str]]:
    return [(str(finding.direction), finding.where) for finding in changes.findings]


def test_equal_versions_have_no_changes(base: Path, tmp_path: Path) -> None:
    changes = compare_folders(base, write_version(tmp_path / "head"))
    assert (changes.findings, changes.reworded, changes.exit_code) == ((), 0, 0)


def test_a_weaker_gate_is_weaker_and_a_tighter_one_is_not(base: Path, tmp_path: Path) -> None:
    weaker = compare_folders(base, write_version(tmp_path / "head", WEAKER_GATES))
    assert (list_findings(weaker), weaker.exit_code) == ([("weaker", "policy.confidence")], 1)
    tighter = compare_folders(tmp_path / "head", base)
    assert (list_findings(tighter), tighter.exit_code) == ([("tighter", "policy.confidence")], 0)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"project": "orders"}, "project"),
        ({"log_root": "s3://bucket/other"}, "log_root"),
        ({"keys": {"required": False, "private": "environment", "trusted": {}}}, "keys.private"),
    ],
)
def test_what_else_the_file_says_is_compared(base: Path, tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    head = write_version(tmp_path / "head", **changes)
    there, back = compare_folders(base, head), compare_folders(head, base)
    assert [finding.where for finding in (*there.findings, *back.findings)] == [where, where]
    assert 1 in (there.exit_code, back.exit_code)


def test_a_key_that_may_sign_is_weaker(base: Path, tmp_path: Path) -> None:
    from lockgate.gates.log.signing import generate_key

    trusted = {"ada": {"role": "judge", "key": generate_key()[1], "last_entry": None}}
    head = write_version(tmp_path / "head", keys={"required": False, "private": "any", "trusted": trusted})
    assert list_findings(compare_folders(base, head)) == [("weaker", "keys.trusted.ada")]


def test_a_policy_that_only_moves_into_the_file_changes_nothing(base: Path, tmp_path: Path) -> None:
    changes = compare_folders(base, write_version(tmp_path / "head", policy=dict(GATES)))
    assert (changes.findings, changes.reworded, changes.exit_code) == ((), 2, 0)  # the file, and the one it named


def test_the_authors_code_is_no_rule(base: Path, tmp_path: Path) -> None:
    head = write_version(tmp_path / "head")
    for folder in (base, head):
        (folder / "pipelines").mkdir()
    (head / "pipelines" / "flow.py").symlink_to("/etc/passwd")
    (head / "conf").mkdir()
    (head / "conf" / "config.yaml").write_text("theirs: true\n", encoding="utf-8")
    assert compare_folders(base, head).findings == ()


def test_revisions_are_read_where_the_project_is_in_the_repository(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    project = write_version(tmp_path / "churn")
    git("add", ".")
    git("commit", "-qm", "base")
    write_version(project, WEAKER_GATES)
    git("commit", "-qam", "head")
    versions = [load_version(revision, repository=project) for revision in ("HEAD~1", "HEAD")]
    assert list_findings(compare_versions(*versions)) == [("weaker", "policy.confidence")]
    with pytest.raises(SettingsError, match=r"no configuration; expected a directory conf/, or lockgate.yaml @ HEAD"):
        load_version("HEAD", repository=tmp_path)


@pytest.mark.parametrize(
    ("changes", "gates", "line"),
    [
        ({"project": "Churn!"}, GATES, "head: lockgate.yaml"),
        ({}, {**GATES, "checks": {}}, "head: rules/policy.yaml"),
        ({"policy": "../base/rules/policy.yaml"}, GATES, "head: ../base/rules/policy.yaml"),
        ({"policy": "gone.yaml"}, GATES, "there is no such file; expected a regular file @ head: gone.yaml"),
    ],
)
def test_a_version_that_cannot_be_read_is_named(
    base: Path, tmp_path: Path, changes: dict[str, Any], gates: dict[str, Any], line: str
) -> None:
    with pytest.raises(LockgateError) as caught:
        compare_folders(base, write_version(tmp_path / "head", gates, **changes))
    assert line in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_policy_behind_a_link_is_not_followed(base: Path, tmp_path: Path) -> None:
    head = write_version(tmp_path / "head")
    (head / "rules" / "policy.yaml").unlink()
    (head / "rules" / "policy.yaml").symlink_to(base / "rules" / "policy.yaml")
    with pytest.raises(SettingsError, match=r"expected a regular file @ head: rules/policy.yaml"):
        compare_folders(base, head)


def test_versions_with_different_configurations_are_for_a_person(base: Path, tmp_path: Path) -> None:
    from tests.pipelines.settings.test_scope import add_conf

    head = tmp_path / "head"
    head.mkdir()
    add_conf(head)
    for pair in ((base, head), (head, base)):
        with pytest.raises(
            SettingsError, match=r"one version has lockgate.yaml, the other conf/; expected the same in"
        ):
            compare_folders(*pair)
    write_version(head)
    with pytest.raises(SettingsError, match=r"both say what is promoted; expected one of them.* @ head"):
        compare_folders(base, head)
