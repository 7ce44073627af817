"""One file governs a repository whose flows are its own; it is found as Git finds a repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.settings import governance
from lockgate.pipelines.settings.settings import compose
from tests.builders import GATES

SETTINGS = {
    "project": "churn",
    "log_root": "s3://bucket/logs/",
    "keys": {"required": False, "private": "any", "trusted": {}},
    "policy": "rules/policy.json",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, which is the working directory."""
    monkeypatch.delenv("LOCKGATE_CONF")
    home = tmp_path / "home"
    (home / "rules").mkdir(parents=True)
    (home / ".git").mkdir()
    (home / "rules" / "policy.json").write_text(json.dumps(GATES), encoding="utf-8")
    monkeypatch.chdir(home)
    return home


def write_settings(home: Path, **changes: object) -> None:
    (home / "lockgate.yaml").write_text(yaml.safe_dump({**SETTINGS, **changes}), encoding="utf-8")


def test_the_file_says_where_the_log_is_and_which_policy_judges(home: Path) -> None:
    write_settings(home)
    settings, policy = governance.load_policed_governance()
    assert settings == governance.load_governance()
    assert (settings.project, settings.log_root, settings.servable) == ("churn", "s3://bucket/logs", "elsewhere")
    assert policy == Policy.parse(GATES)


def test_the_policy_may_stand_in_the_file(home: Path) -> None:
    write_settings(home, policy=GATES)
    assert governance.load_policed_governance()[1] == Policy.parse(GATES)


def test_the_file_is_found_above_the_working_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(home)
    (home / "flows" / "churn").mkdir(parents=True)
    monkeypatch.chdir(home / "flows" / "churn")
    assert governance.load_policed_governance()[0].project == "churn"


def test_a_file_above_the_repository_is_not_of_the_repository(home: Path) -> None:
    write_settings(home.parent)
    assert governance.find_project_file(home) is None
    assert governance.find_project_file(home.parent) == home.parent / "lockgate.yaml"


def test_a_conf_that_the_environment_names_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.configuration import CONF

    write_settings(home)
    monkeypatch.setenv("LOCKGATE_CONF", str(CONF))
    composed = compose()
    assert governance.load_policed_governance() == (composed.settings, composed.policy)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"project": "Churn!"}, "project"),
        ({"log_root": "/tmp/log"}, "expected datastore, or an address such as s3://bucket/prefix"),
        ({"log_root": "file://logs"}, "expected an absolute path, as in file:///logs"),
        ({"keys": {"required": False}}, "keys.private"),
        ({"threshold": 0.9}, "threshold"),
        ({"policy": 7}, "policy"),
        ({"policy": "../policy.json"}, "policy: '../policy.json' leads out of the project"),
        ({"policy": "gone.yaml"}, "cannot read: No such file or directory"),
        ({"policy": {**GATES, "checks": {}}}, "checks"),
    ],
)
def test_a_mistake_is_one_line(home: Path, changes: dict[str, object], line: str) -> None:
    write_settings(home, **changes)
    with pytest.raises(LockgateError) as caught:
        governance.load_policed_governance()
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_policy_behind_a_link_out_of_the_project_is_refused(home: Path) -> None:
    (home.parent / "theirs.json").write_text(json.dumps(GATES), encoding="utf-8")
    (home / "policy.json").symlink_to(home.parent / "theirs.json")
    write_settings(home, policy="policy.json")
    with pytest.raises(SettingsError, match="leads out of the project"):
        governance.load_policed_governance()


def test_an_empty_file_is_refused(home: Path) -> None:
    (home / "lockgate.yaml").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="the file is not a mapping; expected project, log_root, keys and policy"):
        governance.load_governance()
