"""The project of a folder is that of the nearest configuration, and everything relative starts at its root."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import pytest

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.settings import scope
from tests.configuration import CONF


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with folders `flows/churn`; the working directory is the inner one."""
    monkeypatch.delenv("LOCKGATE_CONF")
    home = tmp_path / "home"
    (home / "flows" / "churn").mkdir(parents=True)
    (home / ".git").mkdir()
    monkeypatch.chdir(home / "flows" / "churn")
    return home


def add_conf(folder: Path) -> Path:
    return Path(shutil.copytree(CONF, folder / "conf"))


def add_file(folder: Path) -> Path:
    file = folder / "lockgate.yaml"
    file.write_text("project: churn\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("add", [add_conf, add_file])
def test_either_configuration_is_found_from_any_folder_of_the_repository(home: Path, add: object) -> None:
    configuration = add(home)  # type: ignore[operator]
    assert scope.require_scope() == scope.Scope(root=home, configuration=configuration)
    assert scope.find_scope(home) == scope.require_scope()
    assert scope.find_root() == home


def test_the_nearest_configuration_wins(home: Path) -> None:
    add_conf(home)
    inner = add_file(home / "flows")
    assert scope.require_scope().configuration == inner


@pytest.mark.parametrize("add", [add_conf, add_file])
def test_what_is_above_the_repository_is_not_of_it(home: Path, add: object) -> None:
    add(home.parent)  # type: ignore[operator]
    assert scope.find_scope() is None
    with pytest.raises(
        SettingsError, match=r"no configuration; expected lockgate.yaml or conf/ here, or above .*churn"
    ):
        scope.require_scope()


@pytest.mark.parametrize("lacking", ["config.yaml", "gate"])
def test_a_conf_that_somebody_elses_program_composes_is_none_of_ours(home: Path, lacking: str) -> None:
    conf = add_conf(home)
    path = conf / lacking
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    file = add_file(home)
    assert scope.require_scope().configuration == file


def test_two_configurations_in_one_folder_are_refused_unless_one_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = add_conf(home)
    add_file(home)
    line = rf"lockgate.yaml and conf/ both say what is promoted; expected one of them.* @ {home} \(remove one"
    with pytest.raises(SettingsError, match=line):
        scope.require_scope()
    monkeypatch.setenv("LOCKGATE_CONF", str(conf))
    assert scope.require_scope() == scope.Scope(root=home, configuration=conf)


def test_what_needs_conf_says_what_for(home: Path) -> None:
    file = add_file(home)
    with pytest.raises(SettingsError) as caught:
        scope.find_conf(need="a prediction store")
    assert str(caught.value).startswith(
        f"this command needs a prediction store; expected a project with conf/ @ {file} (docs/own-flow.md"
    )


def test_files_of_stores_are_in_the_root_or_where_metaflow_was_told_to_keep_runs(home: Path) -> None:
    """The tests' own Metaflow looks for `.metaflow` from the working directory upwards."""
    with warnings.catch_warnings():  # of Metaflow's own
        warnings.simplefilter("ignore")
        import metaflow  # noqa: F401
    add_conf(home)
    (home / ".metaflow").mkdir()
    assert scope.find_home() == home
    (home / "flows" / ".metaflow").mkdir()
    assert scope.find_home() == home / "flows"


@pytest.mark.parametrize("add", [add_conf, add_file])
def test_a_configuration_of_another_user_above_the_folder_is_not_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch, add: object
) -> None:
    configuration = add(home)  # type: ignore[operator]
    if os.geteuid() == 0:
        os.chown(configuration, 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(SettingsError, match=r"belongs to another user.*if you trust it, run the command in"):
        scope.require_scope()
    monkeypatch.chdir(home)
    assert scope.require_scope().root == home
