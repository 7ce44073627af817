"""`lockgate export`, and `lockgate judge` of what it wrote, in a place that has neither log nor datastore nor conf/.

Tests of pipelines/cli/shared/files.py
"""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from obstore.store import MemoryStore

from lockgate import Evidence, Policy
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.log import Keyring, Log, Signer
from lockgate.gates.log.policies import policy_bytes
from lockgate.gates.log.signing import fingerprint, public_line
from lockgate.gates.verification import export

FILES = ["context.json", "decision.json", "evidence.arrow", "policy.json"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, promoted_project: Any) -> Path:
    """What `export` wrote of the first promotion. For reading only."""
    out = tmp_path_factory.mktemp("exported") / "out"
    (run,) = promoted_project.runs()
    completed = promoted_project.run("export", run.rpartition("/")[2], "--out", str(out))
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.splitlines()[0].startswith(f"entry 1, PROMOTE of {run}, decision sha256 ")
    return out


@pytest.fixture
def folder(tmp_path: Path, exported: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@pytest.fixture
def away(tmp_path: Path, project_at: Any) -> Any:
    return project_at(home=tmp_path, conf=tmp_path / "nowhere")


def test_the_folder_holds_the_decision_and_all_that_it_was_made_of(exported: Path, promoted_project: Any) -> None:
    assert sorted(path.name for path in exported.iterdir()) == FILES
    (entry,) = promoted_project.history()
    context = json.loads((exported / "context.json").read_bytes())
    assert json.loads(context["entry"]) == entry
    assert hashlib.sha256((exported / "policy.json").read_bytes()).hexdigest() == entry["event"]["policy_sha256"]
    decision = (exported / "decision.json").read_text(encoding="utf-8")
    assert hashlib.sha256(decision.removesuffix("\n").encode()).hexdigest() == entry["event"]["decision_sha256"]
    assert [path.name for path in exported.parent.iterdir()] == ["out"], "no draft is left"


def test_it_is_reproduced_bit_for_bit_elsewhere(away: Any, folder: Path) -> None:
    completed = away.run("judge", "--evidence", "copy", "--decision", "again.json", "--statement", "s.json")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "reproduced: entry 1 of log " in completed.stdout
    assert "the entry is not signed; nothing was logged" in completed.stdout
    assert (away.home / "again.json").read_bytes() == (folder / "decision.json").read_bytes()
    assert not (away.home / ".metaflow").exists()
    document = json.loads((away.home / "s.json").read_text(encoding="utf-8"))
    assert document["predicate"] == json.loads((away.home / "s.predicate.json").read_text(encoding="utf-8"))
    assert document["predicate"]["resourceUri"] == "lockgate:orders/advice"
    (evidence,) = document["predicate"]["inputAttestations"]
    assert evidence["digest"]["sha256"] == hashlib.sha256((folder / "evidence.arrow").read_bytes()).hexdigest()


@pytest.mark.nightly
def test_it_is_reproduced_from_three_files_too(away: Any, folder: Path) -> None:
    words = [
        f"--{name}=copy/{file}"
        for name, file in zip(("context", "evidence", "policy"), (FILES[0], *FILES[2:]), strict=True)
    ]
    completed = away.run("judge", *words, "--json")
    assert completed.returncode == 0, completed.stderr
    document = json.loads(completed.stdout)
    assert document["note"].startswith("reproduced: ")
    assert document["decision"] == json.loads((folder / "decision.json").read_bytes())


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("decision.json", b"PROMOTE", b"HOLD", "not reproduced: decision.json: it is not the decision"),
        ("policy.json", b'"max":0.3', b'"max":0.4', "not reproduced: policy.json: SHA-256 "),
        ("context.json", b'"project":"orders"', b'"project":"others"', "the context's project is not what its entries"),
        ("evidence.arrow", b"ARROW1", b"arrow1", "evidence"),
    ],
)
def test_what_was_changed_is_named_and_exits_with_2(
    away: Any, folder: Path, file: str, old: bytes, new: bytes, message: str
) -> None:
    blob = (folder / file).read_bytes()
    assert old in blob
    (folder / file).write_bytes(blob.replace(old, new, 1))
    completed = away.run("judge", "--evidence", "copy")
    assert (completed.returncode, completed.stdout) == (2, "")
    (line,) = completed.stderr.splitlines()
    assert message in line
    assert "bug" not in line


def test_a_missing_file_and_a_key_that_did_not_sign_are_one_line(away: Any, folder: Path) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
    completed = away.run("judge", "--evidence", "copy", "--key", key)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "the entry is not signed; expected a signature of --key (SHA256:" in completed.stderr
    (folder / "context.json").unlink()
    completed = away.run("judge", "--evidence", "copy")
    assert completed.stderr == "lockgate: cannot read: No such file or directory @ copy/context.json\n"


@pytest.mark.nightly
def test_a_sealed_and_signed_decision_shows_its_key_and_its_commitment_and_no_number(away: Any, tmp_path: Path) -> None:
    label = np.tile([0.0, 1.0], 60)
    evidence = Evidence.from_arrays(
        label=label,
        challenger=0.3 + label / 3,
        facts={"challenger": {"run": "EvaluateNewModel/1", "sha256": "1" * 64}, "champion": None},
    )
    sealed = {
        "if_no_champion": "absolute_only",
        "confidence": 0.95,
        "clusters": "ignore",
        "min_clusters": 10,
        "min_class_rows": 2,
        "serial_dependence": "if_ordered",
        "schedule": {"kind": "open"},
        "disclose": "promotion_only",
        "valid_for": "90d",
        "checks": {"hidden": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"}},
    }
    private = Ed25519PrivateKey.generate()
    public = public_line(private.public_key())
    log = Log(
        MemoryStore(),
        project="orders",
        keyring=Keyring.from_listed([("ci", "judge", public, None)], where="keys"),
        signer=Signer(private, fingerprint(private.public_key())),
    )
    policy = Policy.parse(sealed)
    entry = commit(policy, evidence, log, actor="ada", clock=lambda: datetime(2024, 5, 1, tzinfo=UTC)).entry
    (tmp_path / "signed").mkdir()
    for name, blob in export.export_entry(entry, None, evidence, policy_bytes(policy)).items():
        (tmp_path / "signed" / name).write_bytes(blob)
    completed = away.run("judge", "--evidence", "signed", "--key", public)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert f"its commitment holds; signed by {fingerprint(private.public_key())}" in " ".join(completed.stdout.split())
    assert "hidden" not in completed.stdout
    assert "auc" not in completed.stdout


def test_nothing_is_written_where_something_is_or_nothing_was_judged(promoted_project: Any, tmp_path: Path) -> None:
    (run,) = promoted_project.runs()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x", encoding="utf-8")
    for words, message in [
        ([run, "--out", str(tmp_path / "full")], "the folder is not empty"),
        ([run, "--out", str(tmp_path / "full" / "mine")], "it exists and is not a folder"),
        ([run, "--out", str(tmp_path / "no" / "folder")], "does not exist; expected an existing folder"),
        (["EvaluateNewModel/1", "--out", str(tmp_path / "new")], "has no judgement in the log"),
    ]:
        completed = promoted_project.run("export", *words)
        assert (completed.returncode, completed.stdout) == (2, "")
        (line,) = completed.stderr.splitlines()
        assert message in line
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]
