"""A signed project in which two models were promoted and predictions are published, for everybody to attack.

Nothing is trained that is not trained for other tests already, but for one small model. Attackers come to a copy.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from obstore.store import LocalStore

from lockgate.gates.log import Log, LogEntry, Signer
from lockgate.gates.log.entry import entry_path
from tests.builders import APPROVER, JUDGE, make_keyring, public_line_of
from tests.forked import started
from tests.project_line import split_project_line

COMMANDS = Path(__file__).with_name("commands.py")
KEYS = {"judge": JUDGE, "approver": APPROVER}


@dataclass(frozen=True, slots=True)
class MeasuredResult:
    """How a command ended."""

    code: int
    out: str
    err: str
    grown_mb: int


@dataclass(frozen=True, slots=True)
class Scene:
    """The project, and what one needs to attack it. Entries 1 and 2 promoted `former` and `champion`."""

    project: Any
    ask: Callable[[dict[str, Any]], Any]

    def do(self, *words: str, **env: str) -> MeasuredResult:
        """`lockgate WORDS`, or what else commands.py knows."""
        answer = self.ask({"words": words, "env": env})
        return MeasuredResult(
            answer["code"], answer["out"], split_project_line(answer["err"])[1], grown_mb=int(answer["notes"] or 0)
        )

    def judge(self, *words: str) -> MeasuredResult:
        """With the judge's key."""
        return self.do("judge", *words, LOCKGATE_SIGNING_KEY=private(JUDGE))

    def serve(self, *upstream: str) -> MeasuredResult:
        """What Predict does, without a flow."""
        return self.do("serve", *upstream)

    @property
    def metaflow_folder(self) -> Path:
        return self.project.home / ".metaflow"

    @property
    def folder(self) -> Path:
        """Where the log and what is beside it lie."""
        return self.metaflow_folder / "lockgate" / "orders"

    @property
    def former(self) -> str:
        return self.project.runs()[0]

    @property
    def champion(self) -> str:
        return self.project.runs()[1]

    def log(self, key: Signer | None = JUDGE) -> Log:
        """The log as whoever holds this key writes it."""
        return Log(LocalStore(self.folder), project="orders", keyring=make_keyring(), signer=key)

    def entry(self, seq: int) -> LogEntry:
        return LogEntry.from_bytes((self.folder / entry_path(seq)).read_bytes(), where=entry_path(seq))

    def put_entry(self, seq: int, blob: bytes) -> None:
        """Write, or write over, an entry, as whoever may write to the bucket can; and the hint that leads there."""
        (self.folder / entry_path(seq)).write_bytes(blob)
        (self.folder / "head.json").write_text(json.dumps({"seq": seq}), encoding="utf-8")

    def put_artifact(self, run: str, name: str, stored: bytes) -> None:
        """Point an artifact of a run at other bytes, as whoever may write to the datastore can."""
        key = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
        data = self.metaflow_folder / run.partition("/")[0] / "data" / key[:2]
        data.mkdir(exist_ok=True)
        (data / key).write_bytes(stored)
        (data / f"{key}_meta").write_text(json.dumps({"cas_raw": False, "cas_version": 1}), encoding="utf-8")
        (index,) = (self.metaflow_folder / run / "end").glob("[0-9]*/0.data.json")
        pointers = json.loads(index.read_text(encoding="utf-8"))
        pointers["objects"][name] = key
        index.write_text(json.dumps(pointers), encoding="utf-8")

    def untag(self, run: str) -> None:
        """Take a run's tags away."""
        file = self.metaflow_folder / run / "_meta" / "_self.json"
        run_info = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(run_info | {"tags": []}), encoding="utf-8")

    def artifact(self, run: str, name: str) -> Any:
        """What a run stored. Unpickled: these runs are our own."""
        (index,) = (self.metaflow_folder / run / "end").glob("[0-9]*/0.data.json")
        key = json.loads(index.read_text(encoding="utf-8"))["objects"][name]
        return pickle.loads(
            gzip.decompress((self.metaflow_folder / run.partition("/")[0] / "data" / key[:2] / key).read_bytes())
        )

    def deviations(self) -> dict[str, str]:
        """Where → what `lockgate verify` finds there."""
        result = self.do("verify", "--json")
        deviations: dict[str, str] = {
            deviation["where"]: deviation["said"] for deviation in json.loads(result.out)["deviations"]
        }
        assert result.code == (2 if deviations else 0)
        return deviations

    def list_published(self) -> list[tuple[Any, ...]]:
        """Everything that is published, which version is current, and which are withdrawn."""
        with sqlite3.connect(self.project.home / "predictions.db") as db:
            rows = db.execute(
                "SELECT v.version, v.source, v.model_sha256, v.log_seq, v.log_sha256, v.time, p.key, p.score,"
                " v.withdrawn, v.id IN (SELECT id FROM current)"
                " FROM versions v JOIN predictions p USING (id) WHERE v.version IS NOT NULL ORDER BY v.version, p.key"
            ).fetchall()
        db.close()
        return rows

    def marks(self) -> dict[int, str]:
        """What the versions are: withdrawn, current, or neither."""
        return {
            version: "withdrawn" if withdrawn else "current" if current else ""
            for version, *_, withdrawn, current in self.list_published()
        }

    def refusal_line(self, *upstream: str, real: bool = False) -> str:
        """The one line with which Predict refuses; what is published stays as it is, to the last row. `real`: the
        command."""
        before = self.list_published()
        assert before
        if real:
            process = self.project.run("predict", *(f"--upstream-run-id={run}" for run in upstream))
            assert (process.returncode, process.stdout) == (2, ""), process
            last = process.stderr.splitlines()[-1]
        else:
            served = self.serve(*upstream)
            assert (served.code, served.out) == (2, ""), served
            (last,) = served.err.splitlines()
        assert last.startswith("lockgate: ")
        assert self.list_published() == before
        return last

    def serves(self, run: str, *upstream: str) -> None:
        """Predict publishes a new version, with the model of `run`."""
        result = self.serve(*upstream)
        assert result.code == 0, result
        with sqlite3.connect(self.project.home / "predictions.db") as db:
            (champion_run,) = db.execute(
                "SELECT champion_run FROM versions WHERE version = ?", (int(result.out),)
            ).fetchone()
        db.close()
        assert champion_run == run


def private(key: Signer) -> str:
    """As LOCKGATE_SIGNING_KEY takes it."""
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@pytest.fixture(scope="session")
def signed_conf(tmp_path_factory: pytest.TempPathFactory, orders_conf: Path) -> Path:
    """The conf of the orders, with a judge's and an approver's key."""
    conf = tmp_path_factory.mktemp("signed") / "conf"
    shutil.copytree(orders_conf, conf)
    platform = conf / "platform" / "local.yaml"
    settings = yaml.safe_load(platform.read_text(encoding="utf-8"))
    settings["keys"]["trusted"] = {
        name: {"role": name, "key": public_line_of(key), "last_entry": None} for name, key in KEYS.items()
    }
    platform.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return conf


@pytest.fixture(scope="session")
def prompt(tmp_path_factory: pytest.TempPathFactory, signed_conf: Path, project_at: Any) -> Iterator[Scene]:
    """An empty directory in which commands run at once."""
    project = project_at(home=tmp_path_factory.mktemp("scene"), conf=signed_conf)
    with started(COMMANDS, cwd=project.home, env=project.env()) as ask:
        yield Scene(project, ask)


@pytest.fixture(scope="session")
def lay(prompt: Scene) -> Callable[[Any], Scene]:
    """Lays a copy of a project where commands run."""

    def laid(project: Any) -> Scene:
        home = prompt.project.home
        for entry in home.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        project.copy(home)
        return prompt

    return laid


@pytest.fixture(scope="session")
def signed_project(tmp_path_factory: pytest.TempPathFactory, promoted_project: Any, lay: Callable[[Any], Scene]) -> Any:
    """The project as it was before any attack."""
    copy = promoted_project.copy(tmp_path_factory.mktemp("kept"))
    process = copy.run("evaluate", "--advisory", "model.trees=40")
    assert process.returncode == 0, process.stderr
    shutil.rmtree(copy.home / ".metaflow" / "lockgate")
    scene = lay(copy)
    for run in (scene.former, scene.champion):
        judged = scene.judge(run)
        assert judged.code == 0, judged
        assert scene.serve().code == 0
    return scene.project.copy(tmp_path_factory.mktemp("signed_project"))


@pytest.fixture
def scene(signed_project: Any, lay: Callable[[Any], Scene]) -> Scene:
    """The signed project, to be attacked: version 2 of its predictions was published under entry 2."""
    return lay(signed_project)
