"""One writer of files: the whole file or none, and nothing left behind.

Tests of pipelines/cli/shared/extras.py
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lockgate.gates.errors import LockgateError
from lockgate.pipelines.cli.shared.extras import name_extra
from lockgate.pipelines.cli.shared.files import write_file


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    write_file(tmp_path / "decision.json", b"old")
    write_file(tmp_path / "decision.json", b"new")
    assert (tmp_path / "decision.json").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["decision.json"]


def test_a_private_file_is_its_owners_and_replaces_none(tmp_path: Path) -> None:
    write_file(tmp_path / "key", b"secret", mode=0o600, overwrite=False)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(LockgateError, match="the file exists already; expected a new name @ "):
        write_file(tmp_path / "key", b"another", mode=0o600, overwrite=False)
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("file/below", "cannot write: Not a directory"),
        ("nowhere/file", "cannot write: No such file or directory"),
        ("folder", "cannot write: Is a directory"),
        ("a\0b", "cannot write: this is not a valid file name"),
        ("x" * 300, "cannot write: File name too long"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LockgateError, match=line):
        write_file(tmp_path / name, b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_module_that_is_not_installed_names_its_extra() -> None:
    missing = name_extra(ModuleNotFoundError("No module named 'xgboost.core'", name="xgboost.core"))
    assert str(missing) == "xgboost is not installed; expected the extra `pipeline` (pip install 'lockgate[pipeline]')"
    assert name_extra(ModuleNotFoundError("No module named 'mine'", name="mine")) is None
