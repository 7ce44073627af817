"""Metaflow as it is installed, and a metadata service that cannot be reached. tests/metadata has one that fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.errors import RunError
from lockgate.gates.runs.metadata import check_installation


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (("metaflow", "ob-metaflow"), "both metaflow and ob-metaflow"),
        (("ob-metaflow",), ""),
        (("metaflow",), ""),
        ((), "Metaflow is not installed"),
    ],
)
def test_one_metaflow_and_one_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: tuple[str, ...], message: str
) -> None:
    """Where these distributions are found, and no others."""
    for name in installed:
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    if not message:
        check_installation()
    else:
        with pytest.raises(RunError, match=message) as caught:
            check_installation()
        assert "\n" not in str(caught.value)


def test_a_metadata_service_that_is_down_is_one_line(project: Any) -> None:
    env = {"METAFLOW_DEFAULT_METADATA": "service", "METAFLOW_SERVICE_URL": "http://127.0.0.1:9"}
    completed = project.run("judge", "EvaluateNewModel/1", LOCKGATE_METADATA_SECONDS="0.5", **env)
    assert completed.returncode == 2
    (line,) = completed.stderr.splitlines()
    assert line.startswith("lockgate: Metaflow cannot be reached: ")
    assert "expected an answer within 0.5 s" in line


@pytest.mark.parametrize("seconds", ["soon", "0", "nan"])
def test_a_length_of_time_that_is_none_is_one_line(promoted_project: Any, seconds: str) -> None:
    completed = promoted_project.run("judge", "EvaluateNewModel/1", LOCKGATE_METADATA_SECONDS=seconds)
    assert completed.returncode == 2
    (line,) = completed.stderr.splitlines()
    assert (
        line == f"lockgate: {seconds!r} is not a length of time; expected seconds, as in 20 @ LOCKGATE_METADATA_SECONDS"
    )
