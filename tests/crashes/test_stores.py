"""What a killed write leaves in a store: on S3 nothing or the object, on a disk perhaps a temporary file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import LocalStore, S3Store

from lockgate.gates.log import Log
from lockgate.gates.log.crash_points import Step

WRITER = """
import sys
from obstore.store import LocalStore
from lockgate.gates.log.objects import LogObjects
LogObjects(LocalStore(sys.argv[1])).create(int(sys.argv[2]), bytes(32 * 1024**2))
"""


@pytest.mark.nightly
def test_on_s3_an_entry_is_there_or_not(place_on_s3: Any, s3: Any, tmp_path: Path) -> None:
    project_on_s3 = place_on_s3.project
    training = project_on_s3.run("evaluate", "--advisory", "model.trees=8", **s3.env)
    assert training.returncode == 0, training.stderr
    unjudged = project_on_s3.copy(tmp_path / "kept")
    (run,) = project_on_s3.runs()
    store = S3Store(**s3.store, prefix="metaflow/lockgate/orders")
    for step in (Step.PROBE_CREATED, Step.ENTRY_SIGNED, Step.ENTRY_CREATED, Step.HINTED):
        project = place_on_s3.lay(unjudged, judged=False)
        for objects in obstore.list(store):
            store.delete([meta["path"] for meta in objects])
        killed = place_on_s3.run("judge", run, die_at=list(Step).index(step))
        assert (killed.code, killed.steps[-1]) == (-9, step.name)
        committed = step in (Step.ENTRY_CREATED, Step.HINTED)
        champion = place_on_s3.run("champion", "--json")
        assert (json.loads(champion.out)["run"] if committed else champion.code) == (run if committed else 2)
        again = place_on_s3.run("judge", run)
        assert again.code == 0, again.err
        assert ("recorded before as entry 1" in again.out) == ("put right" in again.out) == committed
        (entry,) = Log(store, project="orders").entries()
        assert entry.event.run == run
        assert "deployment_candidate" in project.tags(run)


def killed_while_writing(folder: Path, seq: int) -> None:
    """Leave behind what a writer of entry `seq` leaves that is killed before the file has its name."""
    while True:
        with subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(seq)]) as writer:
            while writer.poll() is None and not list(folder.glob(f"log/{seq:08d}.json#*")):
                pass
            writer.send_signal(signal.SIGKILL)
        if not (folder / f"log/{seq:08d}.json").exists():  # else it was too fast
            return
        (folder / f"log/{seq:08d}.json").unlink()


def test_temporary_files_of_killed_writers_do_not_matter(place: Any, trained_pair: Any) -> None:
    project = place.lay(trained_pair)
    first, second = project.runs()
    folder = project.home / ".metaflow" / "lockgate" / "orders"
    killed_while_writing(folder, 2)
    temporary_files = [path.name for path in folder.glob("log/*") if "#" in path.name]
    assert temporary_files
    for name in ("log/00000003.json#1", "head.json#1", "policies/0.json#1", "probe/0#1"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"{")
    assert json.loads(place.run("champion", "--json").out)["run"] == first
    result = place.run("judge", second)
    assert (result.code, "entry 2 of the promotion log" in result.out) == (0, True), result
    assert json.loads(place.run("champion", "--json").out)["run"] == second
    entries = list(Log(LocalStore(folder), project="orders").entries())
    assert [entry.event.run for entry in entries] == [first, second]
    assert json.loads(place.run("history", "--json").out)[-1] == entries[-1].as_json()
    assert {path.name for path in folder.glob("log/*")} >= set(temporary_files)
