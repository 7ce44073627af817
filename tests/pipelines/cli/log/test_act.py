"""keys, waive, revoke, rollback and retract, as a person types them."""

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


@pytest.mark.parametrize("signed", [False, True])
def test_a_rollback_and_back_again_and_a_revocation(prompted: Callable[..., Project], *, signed: bool) -> None:
    here = prompted(signed=signed)
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
        ("EvaluateNewModel/2", 1),
        ("EvaluateNewModel/1", None),
    ]
    assert all((one["signature"] is not None) == signed for one in told)


def test_a_retraction_names_who_rested_on_it_and_what_to_run(prompted: Callable[..., Project]) -> None:
    here = prompted()
    digest = here.log.entry(1).read_decision().binding.holdout
    said = here.run("retract", "--data", digest[:12], "--reason", "shifted labels")
    assert "suspect: EvaluateNewModel/1, promoted by entry 1" in said
    assert "suspect: EvaluateNewModel/2, promoted by entry 2" in said  # it was judged against a suspect one
    assert "lockgate reverify" in said
    assert "may not be served: EvaluateNewModel/2 is suspect" in here.run("champion")
    assert "nothing to retract" in here.run("retract", "--reason", "x", code=2)
    assert "several things" in here.run("retract", "--reason", "x", "--metric", "auc", "--entry", "1", code=2)


def test_a_waiver_is_an_approvers(prompted: Callable[..., Project]) -> None:
    here = prompted(signed=True)
    words = ("waive", "log_loss", "--run", "3", "--until", "2d", "--reason", "a strike")
    assert "this key belongs to ci, who is not an approver; expected the key of ada" in here.run(*words, code=2)
    here.sign_as("mallory")
    assert "expected the key of ada" in here.run(*words, code=2)
    here.sign_as("ada")
    assert "nothing to waive" not in here.run(*words)
    (granted,) = here.log.state().waivers
    assert (granted.gate, granted.run, granted.approver) == ("log_loss", "EvaluateNewModel/3", "ada")
    assert "no gate 'auc'" in here.run("waive", "auc", "--run", "3", "--until", "2d", "--reason", "x", code=2)
    assert "would end at" in here.run(*words[:5], "2020-01-01", *words[6:], code=2)


def told_otherwise(here: Project, name: str) -> None:
    """Put another approver's name into the waiver that is the last entry, and have its own key sign that."""
    entry = here.log.entry(4)
    waiver = entry.event.waiver.model_copy(update={"approver": name})
    state = entry.state.model_copy(update={"waivers": (waiver,)})
    forged = entry.model_copy(update={"event": WaivedEvent(waiver=waiver), "state": state, "signature": None})
    signature = Signer.parse(here.keys["ada"][0], where="ada").sign(forged.payload())
    here.log.store.put(entry.where, forged.model_copy(update={"signature": signature}).to_bytes(), mode="overwrite")


def trust(here: Project, **keys: Any) -> None:
    """Change the keys of conf/platform."""
    file = here.where / "conf" / "platform" / "local.yaml"
    platform = yaml.safe_load(file.read_text(encoding="utf-8"))
    trusted = platform["keys"]["trusted"] | keys
    platform["keys"]["trusted"] = {name: key for name, key in trusted.items() if key}
    file.write_text(yaml.safe_dump(platform), encoding="utf-8")


@pytest.mark.parametrize("signed", [False, True])
def test_a_waiver_under_another_name_is_shown_by_no_command(prompted: Callable[..., Project], *, signed: bool) -> None:
    here = prompted(signed=signed)
    here.sign_as("ada")
    here.run("waive", "log_loss", "--run", "3", "--until", "2d", "--reason", "a strike")
    told_otherwise(here, "grace")
    said = "the waiver of entry 4 names 'grace' as its approver, but its key belongs to ada; expected ada"
    for words in (("waivers",), ("history",), ("why", "3"), ("champion",), ("verify",)):
        assert said in " ".join(here.run(*words, code=2).split()), words


def test_a_key_that_is_renamed_says_how_it_was_called(prompted: Callable[..., Project]) -> None:
    here = prompted(signed=True)
    here.sign_as("ada")
    here.run("waive", "log_loss", "--run", "3", "--until", "2d", "--reason", "a strike")
    ada = {"role": "approver", "key": here.keys["ada"][1], "last_entry": None}
    trust(here, ada=None, lovelace=ada)
    said = "add the name to platform.keys.trusted.lovelace.formerly"
    assert said in here.run("waivers", code=2)
    trust(here, lovelace=ada | {"formerly": {"ada": 4}})
    (waiver,) = json.loads(here.run("waivers", "--json"))
    assert waiver["approver"] == "ada"
    assert "signed: lovelace" in " ".join(here.run("history").split())
    here.run("waive", "log_loss", "--run", "3", "--until", "3d", "--reason", "still")
    assert [one["approver"] for one in json.loads(here.run("waivers", "--json"))] == ["ada", "lovelace"]
    trust(here, lovelace=ada | {"formerly": {"ada": 0}})
    assert "platform.keys.trusted.lovelace.formerly.ada" in here.run("waivers", code=2)


def test_an_unlisted_key_writes_nothing(prompted: Callable[..., Project]) -> None:
    here = prompted(signed=True)
    here.sign_as("mallory")
    assert "unknown key" in here.run("rollback", "--reason", "mine now", code=2)
    file = here.where / "mallory.key"
    file.chmod(0o644)
    assert "others may read the private key (mode 0644)" in here.run("rollback", "--reason", "x", code=2)
    assert here.log.head().seq == 3


def test_keys_are_made_private_and_never_over_another(prompted: Callable[..., Project]) -> None:
    here = prompted(signed=True)
    said = here.run("keys", "new", "--out", "new.key", "--name", "bea", "--role", "approver")
    made = here.where / "new.key"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    listed = yaml.safe_load(said[said.index("keys:\n") : said.index("On this machine")])["keys"]["trusted"]["bea"]
    assert listed["role"] == "approver"
    assert Signer.parse(made.read_bytes(), where="new").fingerprint in said
    before = made.read_bytes()
    assert "the file exists already" in here.run("keys", "new", "--out", "new.key", code=2)
    assert made.read_bytes() == before
    shown = here.run("keys", "show")
    assert "entries must be signed" in shown
    assert "this process signs as ci, judge" in shown
    here.sign_as("mallory")
    assert "not listed" in here.run("keys", "show")
