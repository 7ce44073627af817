"""Another challenger is promoted while this one trains."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOG = Path(".metaflow/lockgate/orders/log")


@pytest.mark.nightly
def test_a_challenger_that_was_overtaken_is_scored_again_beside_the_new_champion(project: Any, tmp_path: Path) -> None:
    other = project.run("evaluate", "--advisory")
    assert other.returncode == 0, other.stderr
    (rival,) = project.runs()
    elsewhere = project.copy(tmp_path / "elsewhere")
    assert elsewhere.run("judge", rival, METAFLOW_DATASTORE_SYSROOT_LOCAL=str(elsewhere.home)).returncode == 0

    command = [str(Path(sys.executable).with_name("lockgate")), "evaluate", "model=baseline"]
    results = []
    with subprocess.Popen(
        command, cwd=project.home, env=project.env(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        for line in child.stderr:
            results.append(line)
            if "fitted" in line and len(project.history()) == 0:  # it has read the empty log, and has not judged yet
                (project.home / LOG).mkdir(parents=True, exist_ok=True)
                shutil.copy(elsewhere.home / LOG / "00000001.json", project.home / LOG)
        child.stdout.read()
    assert child.returncode == 1, results
    assert "STALE" in "".join(results)
    assert "evaluating again" in "".join(results)
    first, second = project.history()
    item, two = first["event"]["decision"], second["event"]["decision"]
    assert (item["verdict"], item["binding"]["run"]) == ("PROMOTE", rival)
    assert (two["verdict"], two["binding"]["champion_run"]) == ("HOLD", rival)
    assert len(project.runs()) == 3
