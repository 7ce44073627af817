"""`lockgate bundle`, and `lockgate evaluate --bundle` where there is neither log nor datastore of production."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory, promoted_project: Any) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "champion.tar"
    completed = promoted_project.run("bundle", "--out", str(out))
    assert (completed.returncode, completed.stderr) == (0, "")
    (run,) = promoted_project.runs()
    assert completed.stdout.startswith(f"{out}: {run}, promoted by entry 1, as of entry 1 of the promotion log\n")
    return out


def test_a_folder_holds_the_same_files(promoted_project: Any, tarball: Path, tmp_path: Path) -> None:
    from lockgate.pipelines.promotion.tar import pack_tar

    completed = promoted_project.run("bundle", "--out", str(tmp_path / "folder"), "--json")
    assert completed.returncode == 0, completed.stderr
    assert json.loads(completed.stdout)["entry"] == 1
    files = {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    assert pack_tar(files) == tarball.read_bytes()


@pytest.mark.nightly
def test_a_challenger_is_scored_beside_it_and_the_verdict_is_advice(
    project: Any, tarball: Path, promoted_project: Any
) -> None:
    words = ["evaluate", "model=baseline", "--bundle", str(tarball), "--json", "--statement", "s.json"]
    completed = project.run(*words)
    assert completed.returncode == 1, completed.stderr
    document = json.loads(completed.stdout)
    (run,) = promoted_project.runs()
    assert (document["entry"], document["decision"]["verdict"]) == (None, "HOLD")
    assert document["decision"]["binding"]["champion_run"] == run
    assert document["decision"]["binding"]["champion_scores"] is not None
    assert "the champion comes from a bundle (entry 1, " in document["note"]
    assert f"scored beside the champion of {run}" in completed.stderr
    assert not list((project.home / ".metaflow").glob("lockgate/*/log/*")), "no log is made"
    statement = json.loads((project.home / "s.json").read_text(encoding="utf-8"))["predicate"]
    assert (statement["verificationResult"], statement["resourceUri"]) == ("FAILED", "lockgate:orders/advice")


def test_a_bundle_that_does_not_hold_is_refused_before_anything_is_trained(project: Any, tarball: Path) -> None:
    blob = bytearray(tarball.read_bytes())
    position = blob.index(b"ubj") if b"ubj" in blob else len(blob) // 2
    blob[position] ^= 1
    (project.home / "other.tar").write_bytes(blob)
    for path, message in (("other.tar", "bundle"), ("nowhere.tar", "cannot read the bundle: No such file")):
        completed = project.run("evaluate", "--bundle", path)
        assert (completed.returncode, completed.stdout) == (2, "")
        (line,) = completed.stderr.splitlines()
        assert message in line
    assert project.runs() == []


def test_nothing_is_proposed_beside_a_bundle_that_does_not_hold(project: Any) -> None:
    completed = project.run("propose", "--bundle", "nowhere.tar", "--out", "proposal")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert (
        completed.stderr
        == "lockgate: the bundle does not exist; expected what `lockgate bundle` writes @ nowhere.tar\n"
    )
    assert not (project.home / "proposal").exists()
    (project.home / "none.tar").write_bytes(b"no tar")
    completed = project.run("propose", "--bundle", "none.tar", "--out", "proposal")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert re.fullmatch("default: not evaluated: .* @ none.tar\n", completed.stdout)
    assert [path.name for path in (project.home / "proposal").iterdir()] == ["proposal.json"]
    assert project.runs() == []


def test_without_a_champion_there_is_nothing_to_bundle(project: Any) -> None:
    completed = project.run("bundle", "--out", "b.tar")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "no model has been promoted yet" in completed.stderr
    assert not (project.home / "b.tar").exists()
