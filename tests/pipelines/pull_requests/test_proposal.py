"""A proposal, as a hostile job might write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.errors import LockgateError
from lockgate.pipelines.pull_requests import proposal
from lockgate.pipelines.pull_requests.candidates import MAX_CANDIDATES

ONE = {"name": "a", "overrides": ["model=xgb"], "run": "EvaluateNewModel/1", "error": ""}


def told(**changes: Any) -> bytes:
    return json.dumps({"format": 1, "candidates": [ONE | changes]}).encode()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    created = proposal.Proposal.model_validate_json(told())
    (tmp_path / "proposal.json").write_bytes(created.to_bytes())
    assert proposal.read_proposal(tmp_path) == created


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 9000,
        b'{"format": 1, "candidates": []}',
        b'{"format": 2, "candidates": []}',
        told(name="../a"),
        told(name="a\n"),
        told(name="A"),
        told(name="a" * 33),
        told(name=1),
        told(run=7),
        told(overrides="model=xgb"),
        told(overrides=["x" * 2001]),
        told(overrides=["x"] * 65),
        told(error="x" * 2001),
        told(more=1),
        json.dumps({"format": 1, "candidates": [ONE] * (MAX_CANDIDATES + 1)}).encode(),
        json.dumps({"format": 1, "candidates": [ONE, ONE]}).encode(),
        b"x" * (proposal.MAX_PROPOSAL_BYTES + 1),
        told()[:-1] + b', "format": 1}',
    ],
    ids=range(22),
)
def test_anything_else_is_one_line(tmp_path: Path, blob: bytes) -> None:
    (tmp_path / "proposal.json").write_bytes(blob)
    with pytest.raises(LockgateError) as err:
        proposal.read_proposal(tmp_path)
    assert len(str(err.value).splitlines()) == 1
    assert len(str(err.value)) < 600


def test_no_link_is_followed_and_no_folder_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(told())
    folder = tmp_path / "proposal"
    folder.mkdir()
    (folder / "proposal.json").symlink_to(secret)
    (folder / "a.model").mkdir()
    (tmp_path / "other").symlink_to(folder)
    for item in (
        lambda: proposal.read_proposal(folder),
        lambda: proposal.read_proposal(tmp_path / "other"),
        lambda: proposal.read_model(folder, "a"),
        lambda: proposal.read_evidence(folder, "a"),
    ):
        with pytest.raises(LockgateError, match="there is no file"):
            item()
