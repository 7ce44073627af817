"""A project whose log tells of three models, and `lockgate` as a person types it there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from obstore.store import LocalStore

from lockgate import Policy
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.log import Keyring, Log, Signer
from lockgate.gates.log.signing import generate_key
from tests.builders import BAD, BETTER, GATES, GOOD, make_evidence
from tests.configuration import CONF
from tests.project_line import drop_project_line

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
POLICY = Policy.parse(GATES | {"valid_for": "900d"})
FACTS = {"as_of": "2026-10", "project": "flights"}


class Project:
    """A project in which models 1 and 2 were promoted, one after the other, and model 3 was held."""

    def __init__(self, where: Path, *, signed: bool) -> None:
        self.where, self.env = where, dict[str, str]()
        conf = where / "conf"
        shutil.copytree(CONF, conf)
        self.keys = {name: generate_key() for name in ("ci", "ada", "mallory")}
        trusted = {"ada": {"role": "approver", "key": self.keys["ada"][1], "last_entry": None}}
        if signed:
            trusted["ci"] = {"role": "judge", "key": self.keys["ci"][1], "last_entry": None}
        platform = conf / "platform" / "local.yaml"
        text = yaml.safe_load(platform.read_text(encoding="utf-8"))
        text["keys"]["trusted"] = trusted
        platform.write_text(yaml.safe_dump(text), encoding="utf-8")
        env = {
            "LOCKGATE_CONF": str(conf),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(where),
            "METAFLOW_USER": "grace",
            "METAFLOW_DEFAULT_DATASTORE": "local",
            "METAFLOW_DEFAULT_METADATA": "local",
            "COLUMNS": "200",
        }
        self._prompt = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("prompt.py"))],
            cwd=where,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if signed:
            self.sign_as("ci")
        keyring = Keyring.from_listed(
            ((name, item["role"], item["key"], None) for name, item in trusted.items()), where="test"
        )  # type: ignore[misc]
        self.log = Log(
            LocalStore(where / ".metaflow" / "lockgate" / "flights", mkdir=True),
            project="flights",
            keyring=keyring,
            signer=Signer.parse(self.keys["ci"][0], where="ci") if signed else None,
        )
        for minute, item in enumerate(
            (
                make_evidence(GOOD, model="1", rows="1", **FACTS),
                make_evidence(BETTER, model="2", rows="2", champion_scores=GOOD, champion="1", **FACTS),
                make_evidence(BAD, model="3", rows="3", champion_scores=BETTER, champion="2", **FACTS),
            )
        ):
            position = NOON + timedelta(minutes=minute)
            commit(POLICY, item, self.log, actor="grace", clock=lambda position=position: position)

    def sign_as(self, name: str) -> None:
        file = self.where / f"{name}.key"
        if not file.exists():
            file.write_bytes(self.keys[name][0])
            file.chmod(0o600)
        self.env["LOCKGATE_SIGNING_KEY_FILE"] = str(file)

    def run(self, *words: str, code: int = 0) -> str:
        asking, answering = self._prompt.stdin, self._prompt.stdout
        assert asking is not None
        assert answering is not None
        asking.write(json.dumps({"env": self.env, "words": words}) + "\n")
        asking.flush()
        document = json.loads(answering.readline())
        assert document["code"] == code, document["said"]
        return drop_project_line(str(document["said"]))

    def leave(self) -> None:
        self._prompt.communicate()
