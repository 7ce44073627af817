"""What is left of a whole command by a power cut after its last line: the entry, and the run that it refers to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.gates.log.disk import Disk, trace


def test_the_run_that_an_entry_refers_to_is_kept_with_it(project: Any, tmp_path: Path) -> None:
    """Of all that was written only what was synced is there, and the whole log, its runs and models still hold."""
    command = [str(Path(sys.executable).with_name("lockgate")), "evaluate", "model.trees=8"]
    calls = trace(command, log=tmp_path / "strace", cwd=project.home, env=project.env())
    disk = Disk(project.home / ".metaflow")
    for call in calls:
        disk.play(call)
    tree = next(disk.list_states())
    (project.home / ".metaflow").rename(tmp_path / "as it was")
    for path, blob in tree.items():
        (project.home / path).parent.mkdir(parents=True, exist_ok=True)
        (project.home / path).write_bytes(blob)
    champion = project.run("champion", "--json")
    assert json.loads(champion.stdout)["seq"] == 1, champion.stderr
    verified = project.run("verify", "--deep", "--json")
    assert verified.returncode == 0, verified.stdout
    published = project.run("predict")
    assert published.returncode == 0, published.stderr
