"""One local datastore for a project: where it is, and what is said in a process that has another.

The Metaflow of these tests has no folder of its own and looks in the working directory and above it, as that of a flow
which somebody starts by hand. `share_datastore` is for commands: tests/pipelines/cli/shared/test_project.py.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from lockgate.gates import runs
from lockgate.gates.errors import LogError, RunError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a folder `flows`, which is the working directory."""
    with warnings.catch_warnings():  # of Metaflow's own
        warnings.simplefilter("ignore")
        import metaflow  # noqa: F401
    (tmp_path / "flows").mkdir()
    monkeypatch.chdir(tmp_path / "flows")
    return tmp_path


def test_it_is_the_nearest_one_or_will_be_in_the_root(root: Path) -> None:
    assert runs.find_local_home(root) == root
    (root / ".metaflow").mkdir()
    assert runs.find_local_home(root / "flows") == root


def test_asking_where_it_is_does_not_make_it(root: Path) -> None:
    assert runs.datastore() == ("local", str(root / "flows" / ".metaflow"))
    assert runs.describe_address("churn") == str(root / "flows" / ".metaflow" / "lockgate" / "churn")
    assert runs.describe_address("churn", root="file:///logs/") == "/logs/churn"
    assert runs.describe_address("churn", root="s3://bucket/logs") == "s3://bucket/logs/churn"
    assert list(runs.open_log_store("churn", writing=False).list()) == []
    assert [path.name for path in root.rglob("*")] == ["flows"]


def test_what_cannot_be_read_is_not_taken_for_a_log_that_nobody_has_written(root: Path) -> None:
    (root / "logs").symlink_to(root / "a disk that is not there")
    with pytest.raises(LogError, match=r"the file store cannot be opened: .*/logs is not a folder"):
        runs.open_log_store("churn", root=f"file://{root}/logs", writing=False)


def test_a_folder_that_depends_on_the_working_directory_is_refused(root: Path) -> None:
    with pytest.raises(LogError, match="a relative folder is another one elsewhere; expected file:///… @ file://logs"):
        runs.open_log_store("churn", root="file://logs")


def test_a_process_that_keeps_runs_elsewhere_is_told_where_to_start(root: Path) -> None:
    with pytest.raises(RunError) as caught:
        runs.require_shared_datastore(root)
    assert str(caught.value) == (
        f"Metaflow keeps the runs of this process outside of the project's datastore; expected {root}/.metaflow"
        f" @ {root}/flows/.metaflow (start it in {root}, or anywhere in the project with"
        f" METAFLOW_DATASTORE_SYSROOT_LOCAL={root})"
    )
    (root / ".metaflow").mkdir()
    runs.require_shared_datastore(root)


def test_a_run_that_is_not_there_is_looked_for_in_a_named_place(root: Path) -> None:
    (root / "flows" / ".metaflow").mkdir()
    with pytest.raises(runs.NoSuchRunError) as caught:
        runs.load_facts("ChurnFlow/7")
    assert str(caught.value) == (
        f"there is no such run; expected a run in {root}/flows/.metaflow @ ChurnFlow/7"
        " (`lockgate history` lists the runs that were judged)"
    )
