"""What earlier versions wrote is read, upgraded as declared, and verified: policies, a signed log, exports.

Tests of gates/log/unreadable.py. The files in archive/ are as the commits wrote them that are named in them (the log
and the exports: 1aa71e2), and are never written again. What a new version changes is added beside them.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from obstore.store import LocalStore
from pydantic import BaseModel

from lockgate import Evidence, Policy
from lockgate.gates.errors import LogError, PolicyError
from lockgate.gates.judge.engine import ENGINE
from lockgate.gates.kinds import KINDS
from lockgate.gates.log import Keyring, Log, LogEntry
from lockgate.gates.log.entry import entry_path
from lockgate.gates.log.policies import parse_policy, policy_bytes
from lockgate.gates.policy.archive import read_archived
from lockgate.gates.policy.upgrades import SHAPE_KEY, current_shape
from lockgate.gates.verification import Findings, walk_log
from lockgate.gates.verification.export import Context
from lockgate.gates.verification.reproduction import reproduce

ARCHIVE = Path(__file__).parent / "archive"
POLICIES = sorted((ARCHIVE / "policies").glob("*.json"))
ENTRIES = sorted((ARCHIVE / "log" / "log").glob("*.json"))
EXPORTS = sorted((ARCHIVE / "exports").iterdir())
ADVICE = "declare it in UPGRADES (gates/policy/upgrades.py), with the value that means what policies without it meant"


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_every_policy_is_read_and_has_the_digest_that_decisions_of_its_time_name(file: Path) -> None:
    record = json.loads(file.read_text(encoding="utf-8"))
    try:
        policy = read_archived(record["document"])
    except PolicyError as err:
        pytest.fail(f"a key of policies is new: {ADVICE}: {err}")
    assert policy.digest == record["digest"], f"a key of policies is new: {ADVICE}"
    kept = policy_bytes(policy)
    assert parse_policy(kept, where="kept") == policy
    assert json.loads(kept).get(SHAPE_KEY, 1) == current_shape()
    assert Policy.parse(json.loads(policy.model_dump_json(exclude_unset=True))).digest == record["digest"]


def test_the_archive_has_a_gate_of_every_kind() -> None:
    """A kind that was added since is archived with a policy that holds it, in a file beside every_kind.json."""
    archived = {
        check["kind"]
        for file in POLICIES
        for check in json.loads(file.read_text(encoding="utf-8"))["document"]["checks"].values()
    }
    assert set(KINDS) <= archived


def open_archived_log() -> Log:
    keys = json.loads((ARCHIVE / "keys.json").read_text(encoding="utf-8"))
    listed = [(name, name, line, None) for name, line in keys.items()]
    keyring = Keyring.from_listed(listed, where="keys.json")
    return Log(LocalStore(ARCHIVE / "log"), project="orders", keyring=keyring)


def test_every_entry_is_read_byte_for_byte_and_the_whole_log_verified() -> None:
    log, findings = open_archived_log(), Findings()
    walk = walk_log(log, findings)
    assert findings.deviations == []
    assert (findings.entries, walk.whole) == (len(ENTRIES), True)
    for seq, file in enumerate(ENTRIES, start=1):
        assert log.entry(seq).to_bytes() == file.read_bytes()
    kinds = {log.entry(seq).event.kind for seq in range(1, len(ENTRIES) + 1)}
    assert kinds == {"judged", "waived", "registered", "rolled_back", "reverified", "retracted", "revoked"}
    assert log.head() is not None


@pytest.mark.parametrize("folder", EXPORTS, ids=lambda folder: f"entry {folder.name}")
def test_every_export_is_judged_again_on_the_same_inputs(folder: Path) -> None:
    """The engine that judged them finds the same bytes; a later one may come to other verdicts, which are remarks."""
    blob = (folder / "policy.json").read_bytes()
    reproduction = reproduce(
        Evidence.read(folder / "evidence.arrow"),
        parse_policy(blob, where="policy.json"),
        Context.from_bytes((folder / "context.json").read_bytes(), where="context.json"),
        decision=(folder / "decision.json").read_bytes(),
        policy_file=blob,
    )
    assert reproduction.differences == ()
    assert reproduction.recorded_engine == "0.1.0"
    assert reproduction.same_engine == (ENGINE == "0.1.0")
    assert reproduction.remarks == ()  # a change of engine that changes one of these verdicts says here which, and why


MODELS = {
    "LogEntry": "log.entry",
    "Signature": "log.signing",
    "Decision": "records.decision",
    "Binding": "records.decision",
    "Look": "records.decision",
    "WaiverUse": "records.decision",
    "Outcome": "records.outcome",
    "State": "records.state",
    "Champion": "records.state",
    "Waiver": "records.state",
    "Holdout": "records.state",
    "Context": "verification.export",
    "WitnessRecord": "verification.export",
}
FIELDS: dict[str, list[str]] = json.loads((ARCHIVE / "fields.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_was_added_since_is_left_out_where_it_says_nothing(name: str) -> None:
    """Otherwise the bytes of entries that are in logs, and with them digests and signatures, would be others."""
    module = importlib.import_module(f"lockgate.gates.{MODELS.get(name, 'log.events')}")
    model: type[BaseModel] = getattr(module, name)
    assert set(FIELDS[name]) <= set(model.model_fields), "no field is ever taken away or renamed"
    for added in model.model_fields.keys() - FIELDS[name]:
        field = model.model_fields[added]
        assert not field.is_required(), f"{name}.{added} needs a default, for records that do not have it"
        leaves_out = field.exclude_if is not None and field.exclude_if(field.default)
        assert leaves_out, (
            f"{name}.{added} needs ADDED_LATER (gates/records/added.py), so that old records stay as they are"
        )


def newer(change: Any) -> bytes:
    """An archived entry with something that this version does not know."""
    document = json.loads(ENTRIES[0].read_bytes())
    change(document)
    return rfc8785.dumps(document)


NEWER = {
    "a field of the entry": (lambda entry: entry.update(shard=1), "does not know the field shard"),
    "a field of the state": (lambda entry: entry["state"].update(shadow=1), "does not know the field state.shadow"),
    "an event": (lambda entry: entry["event"].update(kind="paused"), "does not know the kind of event"),
    "a format": (lambda entry: entry.update(format=3), "it has format 3, and this version reads 2"),
    "a format with other fields": (lambda entry: entry.update(format=3, log_id=1), "it has format 3"),
    "a field of an outcome": (
        lambda entry: entry["event"]["decision"]["outcomes"][0].update(informative=0.5),
        "does not know the field outcomes.0.informative",
    ),
    "a verdict": (
        lambda entry: entry["event"]["decision"]["outcomes"][0].update(verdict="DEFER"),
        "does not know the value of outcomes.0.verdict",
    ),
}


@pytest.mark.parametrize("name", NEWER)
def test_what_a_newer_version_wrote_is_refused_in_a_line_that_says_so(name: str) -> None:
    change, problem = NEWER[name]
    with pytest.raises(LogError) as caught:
        LogEntry.from_bytes(newer(change), where=entry_path(1)).read_decision()
    line = str(caught.value)
    assert problem in line
    assert "lockgate 0.1.0 can read" in line
    assert "a newer lockgate wrote it: install that version" in line
    assert line.isprintable()


def test_what_no_version_wrote_is_not_put_down_to_a_newer_one() -> None:
    with pytest.raises(LogError, match="somebody wrote this object by hand") as caught:
        LogEntry.from_bytes(newer(lambda entry: entry.update(shard=1, seq="x")), where=entry_path(1))
    assert "newer" not in str(caught.value)
