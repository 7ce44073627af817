"""keys, waive, revoke, rollback and retract, as a person types them.

Tests of pipelines/cli/log/keys.py
Tests of pipelines/promotion/actor.py
Tests of pipelines/promotion/log.py
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from lockgate.gates.log import Signer
from lockgate.gates.log.events import WaivedEvent
from tests.pipelines.cli.prompted import Project


@pytest.mark.parametrize("signed", [pytest.param(False, marks=pytest.mark.nightly), True])
def test_a_rollback_and_back_again_and_a_revocation(prompted: Callable[..., Project], *, signed: bool) -> None:
    project = prompted(signed=signed)
    assert "* EvaluateNewModel/2" in project.run("champion", "--all")
    output = project.run("rollback", "--reason", "missed the storm")
    assert "entry 4" in output
    assert "champion: EvaluateNewModel/1, promoted by entry 1" in output
    assert ("unsigned" in output) is not signed
    assert "champion: EvaluateNewModel/2" in project.run("rollback", "--to", "2", "--reason", "it was the feed")
    assert "champion: EvaluateNewModel/1" in project.run("revoke", "2", "--reason", "leaks")
    assert "never reigned" in project.run("rollback", "--to", "9", "--reason", "x", code=2)
    assert "revoked" in project.run("revoke", "2", "--reason", "again", code=2)
    assert "nothing may be served now" in project.run("revoke", "1", "--reason", "that too")
    assert "has no champion any more" in project.run("champion", code=2)
    document = json.loads(project.run("history", "--json", "--event", "revoked"))
    assert [(item["event"]["of"], item["event"]["successor"]) for item in document] == [
        ("EvaluateNewModel/2", 1),
        ("EvaluateNewModel/1", None),
    ]
    assert all((item["signature"] is not None) == signed for item in document)


def test_a_retraction_names_who_rested_on_it_and_what_to_run(prompted: Callable[..., Project]) -> None:
    project = prompted()
    digest = project.log.entry(1).read_decision().binding.holdout
    output = project.run("retract", "--data", digest[:12], "--reason", "shifted labels")
    assert "suspect: EvaluateNewModel/1, promoted by entry 1" in output
    assert "suspect: EvaluateNewModel/2, promoted by entry 2" in output  # it was judged against a suspect one
    assert "lockgate reverify" in output
    assert "may not be served: EvaluateNewModel/2 is suspect" in project.run("champion")
    assert "nothing to retract" in project.run("retract", "--reason", "x", code=2)
    assert "several things" in project.run("retract", "--reason", "x", "--metric", "auc", "--entry", "1", code=2)


def test_a_waiver_is_an_approvers(prompted: Callable[..., Project]) -> None:
    project = prompted(signed=True)
    words = ("waive", "log_loss", "--run", "3", "--until", "2d", "--reason", "a strike")
    assert "this key belongs to ci, who is not an approver; expected the key of ada" in project.run(*words, code=2)
    project.sign_as("mallory")
    assert "expected the key of ada" in project.run(*words, code=2)
    project.sign_as("ada")
    assert "nothing to waive" not in project.run(*words)
    (granted,) = project.log.state().waivers
    assert (granted.gate, granted.run, granted.approver) == ("log_loss", "EvaluateNewModel/3", "ada")
    assert "no gate 'auc'" in project.run("waive", "auc", "--run", "3", "--until", "2d", "--reason", "x", code=2)
    assert "would end at" in project.run(*words[:5], "2020-01-01", *words[6:], code=2)


def told_otherwise(project: Project, name: str) -> None:
    """Put another approver's name into the waiver that is the last entry, and have its own key sign that."""
    entry = project.log.entry(4)
    waiver = entry.event.waiver.model_copy(update={"approver": name})
    state = entry.state.model_copy(update={"waivers": (waiver,)})
    forged = entry.model_copy(update={"event": WaivedEvent(waiver=waiver), "state": state, "signature": None})
    signature = Signer.parse(project.keys["ada"][0], where="ada").sign(forged.payload())
    project.log.store.put(entry.where, forged.model_copy(update={"signature": signature}).to_bytes(), mode="overwrite")


def trust(project: Project, **keys: Any) -> None:
    """Change the keys of conf/platform."""
    file = project.where / "conf" / "platform" / "local.yaml"
    platform = yaml.safe_load(file.read_text(encoding="utf-8"))
    trusted = platform["keys"]["trusted"] | keys
    platform["keys"]["trusted"] = {name: key for name, key in trusted.items() if key}
    file.write_text(yaml.safe_dump(platform), encoding="utf-8")


@pytest.mark.parametrize("signed", [pytest.param(False, marks=pytest.mark.nightly), True])
def test_a_waiver_under_another_name_is_shown_by_no_command(prompted: Callable[..., Project], *, signed: bool) -> None:
    project = prompted(signed=signed)
    project.sign_as("ada")
    project.run("waive", "log_loss", "--run", "3", "--until", "2d", "--reason", "a strike")
    told_otherwise(project, "grace")
    message = "the waiver of entry 4 names 'grace' as its approver, but its key belongs to ada; expected ada"
    for words in (("waivers",), ("history",), ("why", "3"), ("champion",), ("verify",)):
        assert message in " ".join(project.run(*words, code=2).split()), words


@pytest.mark.nightly
def test_a_key_that_is_renamed_says_how_it_was_called(prompted: Callable[..., Project]) -> None:
    project = prompted(signed=True)
    project.sign_as("ada")
    project.run("waive", "log_loss", "--run", "3", "--until", "2d", "--reason", "a strike")
    ada = {"role": "approver", "key": project.keys["ada"][1], "last_entry": None}
    trust(project, ada=None, lovelace=ada)
    message = "add the name to platform.keys.trusted.lovelace.formerly"
    assert message in project.run("waivers", code=2)
    trust(project, lovelace=ada | {"formerly": {"ada": 4}})
    (waiver,) = json.loads(project.run("waivers", "--json"))
    assert waiver["approver"] == "ada"
    assert "signed: lovelace" in " ".join(project.run("history").split())
    project.run("waive", "log_loss", "--run", "3", "--until", "3d", "--reason", "still")
    assert [waiver["approver"] for waiver in json.loads(project.run("waivers", "--json"))] == ["ada", "lovelace"]
    trust(project, lovelace=ada | {"formerly": {"ada": 0}})
    assert "platform.keys.trusted.lovelace.formerly.ada" in project.run("waivers", code=2)


def test_an_unlisted_key_writes_nothing(prompted: Callable[..., Project]) -> None:
    project = prompted(signed=True)
    project.sign_as("mallory")
    assert "unknown key" in project.run("rollback", "--reason", "mine now", code=2)
    file = project.where / "mallory.key"
    file.chmod(0o644)
    assert "others may read the private key (mode 0644)" in project.run("rollback", "--reason", "x", code=2)
    assert project.log.head().seq == 3


def test_keys_are_made_private_and_never_over_another(prompted: Callable[..., Project]) -> None:
    project = prompted(signed=True)
    output = project.run("keys", "new", "--out", "new.key", "--name", "bea", "--role", "approver")
    created = project.where / "new.key"
    assert stat.S_IMODE(created.stat().st_mode) == 0o600
    listed = yaml.safe_load(output[output.index("keys:\n") : output.index("On this machine")])["keys"]["trusted"]["bea"]
    assert listed["role"] == "approver"
    assert Signer.parse(created.read_bytes(), where="new").fingerprint in output
    before = created.read_bytes()
    assert "the file exists already" in project.run("keys", "new", "--out", "new.key", code=2)
    assert created.read_bytes() == before
    displayed = project.run("keys", "show")
    assert "entries must be signed" in displayed
    assert "this process signs as ci, judge" in displayed
    project.sign_as("mallory")
    assert "not listed" in project.run("keys", "show")
