"""keys, waive, revoke, rollback, retract, why, history, holdouts and champion, as a person types them."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from obstore.store import LocalStore

from gates import Evidence, Policy
from gates.log import Keyring, Log, Signer
from gates.log.signing import generated
from gates.promotion import commit
from tests.conftest import ROOT

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
ROWS = 300
LABEL = (np.random.default_rng(0).random(ROWS) < 0.4).astype(float)
POLICY = Policy.parse(
    {
        "if_no_champion": "absolute_only",
        "confidence": 0.95,
        "clusters": "if_present",
        "min_clusters": 10,
        "schedule": {"kind": "fixed", "looks": 20},
        "disclose": "all",
        "valid_for": "900d",
        "checks": {
            "auc_floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"},
            "log_loss": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
        },
    }
)


def scores(strength: float, seed: int) -> Any:
    noise = np.random.default_rng(seed).normal(0, 0.1, ROWS)
    return np.clip(0.4 + strength * (LABEL - 0.5) + noise, 0.01, 0.99)


def evidence(model: str, mine: Any, *, beside: Any = None, champion: str | None = None) -> Evidence:
    reigning = {"run": f"EvaluateNewModel/{champion}", "sha256": champion * 64} if champion else None
    return Evidence.from_arrays(
        row_id=[f"{model}-{row}" for row in range(ROWS)], label=LABEL, challenger=mine, champion=beside,
        facts={
            "challenger": {"run": f"EvaluateNewModel/{model}", "sha256": model * 64}, "champion": reigning,
            "as_of": "2026-10", "project": "flights",
        },
    )  # fmt: skip


class Project:
    """A project in which models 1 and 2 were promoted, one after the other, and model 3 was held."""

    def __init__(self, where: Path, *, signed: bool) -> None:
        self.where, self.env = where, dict[str, str]()
        conf = where / "conf"
        shutil.copytree(ROOT / "conf", conf)
        self.keys = {name: generated() for name in ("ci", "ada", "mallory")}
        trusted = {"ada": {"role": "approver", "key": self.keys["ada"][1], "last_entry": None}}
        if signed:
            trusted["ci"] = {"role": "judge", "key": self.keys["ci"][1], "last_entry": None}
        platform = conf / "platform" / "local.yaml"
        held = yaml.safe_load(platform.read_text(encoding="utf-8"))
        held["keys"]["trusted"] = trusted
        platform.write_text(yaml.safe_dump(held), encoding="utf-8")
        env = {
            "LOCKGATE_CONF": str(conf), "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(where), "METAFLOW_USER": "grace",
            "METAFLOW_DEFAULT_DATASTORE": "local", "METAFLOW_DEFAULT_METADATA": "local", "COLUMNS": "200",
        }  # fmt: skip
        self._prompt = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("prompt.py"))], cwd=where, env={**os.environ, **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if signed:
            self.sign_as("ci")
        keyring = Keyring.of(((name, one["role"], one["key"], None) for name, one in trusted.items()), where="test")  # type: ignore[misc]
        self.log = Log(
            LocalStore(where / ".metaflow" / "lockgate" / "flights", mkdir=True), project="flights", keyring=keyring,
            signer=Signer.parse(self.keys["ci"][0], where="ci") if signed else None,
        )  # fmt: skip
        good, better = scores(0.3, 1), scores(0.6, 2)
        for minute, one in enumerate(
            (
                evidence("1", good),
                evidence("2", better, beside=good, champion="1"),
                evidence("3", scores(0.1, 3), beside=better, champion="2"),
            )
        ):
            at = NOON + timedelta(minutes=minute)
            commit(POLICY, one, self.log, actor="grace", clock=lambda at=at: at)

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
        done = json.loads(answering.readline())
        assert done["code"] == code, done["said"]
        return str(done["said"])

    def leave(self) -> None:
        self._prompt.communicate()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    made: list[Project] = []

    def make(*, signed: bool = False) -> Project:
        made.append(Project(tmp_path, signed=signed))
        return made[-1]

    yield make
    for one in made:
        one.leave()


@pytest.mark.parametrize("signed", [False, True])
def test_a_rollback_and_back_again_and_a_revocation(project: Callable[..., Project], *, signed: bool) -> None:
    here = project(signed=signed)
    assert "* EvaluateNewModel/2" in here.run("champion", "--all")
    said = here.run("rollback", "--reason", "missed the storm")
    assert "entry 4" in said
    assert "champion: EvaluateNewModel/1, promoted by entry 1" in said
    assert ("unsigned" in said) is not signed
    assert "champion: EvaluateNewModel/2" in here.run("rollback", "--to", "2", "--reason", "it was the feed")
    assert "champion: EvaluateNewModel/1" in here.run("revoke", "2", "--reason", "leaks")
    assert "never reigned" in here.run("rollback", "--to", "9", "--reason", "x", code=2)
    assert "revoked" in here.run("revoke", "2", "--reason", "again", code=2)
    assert "nothing may be served now" in here.run("revoke", "1", "--reason", "that too")
    assert "has no champion any more" in here.run("champion", code=2)
    told = json.loads(here.run("history", "--json", "--event", "revoked"))
    assert [(one["event"]["of"], one["event"]["successor"]) for one in told] == [
        ("EvaluateNewModel/2", 1), ("EvaluateNewModel/1", None),
    ]  # fmt: skip
    assert all((one["signature"] is not None) == signed for one in told)


def test_history_is_filtered(project: Callable[..., Project]) -> None:
    here = project()

    def seqs(*words: str) -> list[int]:
        return [one["seq"] for one in json.loads(here.run("history", "--json", *words))]

    assert seqs() == [1, 2, 3]
    assert seqs("--run", "2") == [2]
    assert seqs("--verdict", "promote") == [1, 2]
    assert seqs("--by", "ada") == []
    assert seqs("--since", "2026-11-01T12:01") == [2, 3]
    assert seqs("--until", "2026-10-31") == []
    assert seqs("--last", "1") == [3]
    assert "no entry fits" in here.run("history", "--by", "ada")
    assert "unknown event" in here.run("history", "--event", "sung", code=2)
    assert "is no time" in here.run("history", "--since", "soon", code=2)


def test_why_says_who_was_live_and_what_became_of_a_run(project: Callable[..., Project]) -> None:
    here = project()
    assert "no model reigned" in here.run("why", "--on", "2026-10-31")
    assert "EvaluateNewModel/1 reigned" in here.run("why", "--on", "2026-11-01T12:00:30")
    said = here.run("why", "--on", "2026-11-01")
    assert "EvaluateNewModel/2 reigned" in said
    assert "auc_floor" in said
    assert "2" * 64 in said
    assert "does not reign: entry 3 says HOLD" in here.run("why", "3")
    here.run("retract", "--entry", "1", "--reason", "made by hand")
    said = here.run("why", "EvaluateNewModel/2")
    assert "RETRACTED" in said
    assert "the log says nothing" in here.run("why", "7", code=2)
    assert "nothing to explain" in here.run("why", code=2)


def test_a_retraction_names_who_rested_on_it_and_what_to_run(project: Callable[..., Project]) -> None:
    here = project()
    digest = here.log.entry(1).decided().binding.holdout
    said = here.run("retract", "--data", digest[:12], "--reason", "shifted labels")
    assert "suspect: EvaluateNewModel/1, promoted by entry 1" in said
    assert "suspect: EvaluateNewModel/2, promoted by entry 2" in said  # it was judged against a suspect one
    assert "lockgate reverify" in said
    assert "may not be served: EvaluateNewModel/2 is suspect" in here.run("champion")
    assert "nothing to retract" in here.run("retract", "--reason", "x", code=2)
    assert "several things" in here.run("retract", "--reason", "x", "--metric", "auc", "--entry", "1", code=2)


def test_a_waiver_is_an_approvers(project: Callable[..., Project]) -> None:
    here = project(signed=True)
    words = ("waive", "log_loss", "--run", "3", "--until", "2d", "--reason", "a strike")
    assert "ci's, who is no approver; expected the key of ada" in here.run(*words, code=2)
    here.sign_as("mallory")
    assert "expected the key of ada" in here.run(*words, code=2)
    here.sign_as("ada")
    assert "nothing to waive" not in here.run(*words)
    (granted,) = here.log.state().waivers
    assert (granted.gate, granted.run, granted.approver) == ("log_loss", "EvaluateNewModel/3", "ada")
    assert "no gate 'auc'" in here.run("waive", "auc", "--run", "3", "--until", "2d", "--reason", "x", code=2)
    assert "would end at" in here.run(*words[:5], "2020-01-01", *words[6:], code=2)


def test_an_unlisted_key_writes_nothing(project: Callable[..., Project]) -> None:
    here = project(signed=True)
    here.sign_as("mallory")
    assert "unknown key" in here.run("rollback", "--reason", "mine now", code=2)
    file = here.where / "mallory.key"
    file.chmod(0o644)
    assert "others may read the private key (mode 0644)" in here.run("rollback", "--reason", "x", code=2)
    assert here.log.head().seq == 3


def test_keys_are_made_private_and_never_over_another(project: Callable[..., Project]) -> None:
    here = project(signed=True)
    said = here.run("keys", "new", "--out", "new.key", "--name", "bea", "--role", "approver")
    made = here.where / "new.key"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    listed = yaml.safe_load(said[said.index("keys:\n") : said.index("On this machine")])["keys"]["trusted"]["bea"]
    assert listed["role"] == "approver"
    assert Signer.parse(made.read_bytes(), where="new").fingerprint in said
    before = made.read_bytes()
    assert "there is a file already" in here.run("keys", "new", "--out", "new.key", code=2)
    assert made.read_bytes() == before
    shown = here.run("keys", "show")
    assert "entries must be signed" in shown
    assert "this process signs as ci, judge" in shown
    here.sign_as("mallory")
    assert "not listed" in here.run("keys", "show")


def test_the_ledger_of_holdouts_is_shown(project: Callable[..., Project]) -> None:
    here = project()
    told = json.loads(here.run("holdouts", "--json"))
    assert [(one["rows"], one["looks"], one["retired"]) for one in told.values()] == [
        (ROWS, 1, False), (ROWS, 1, True),
    ]  # fmt: skip
    assert "retired" in here.run("holdouts")
