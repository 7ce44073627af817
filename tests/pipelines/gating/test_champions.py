"""Nothing reigns, or another project's configuration is here: one line. With models: test_flows.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

import lockgate
from lockgate import Evidence
from lockgate.gates.errors import AdmissionError, LockgateError, LogError, RunError, SettingsError, SigningError
from lockgate.gates.lifecycle.admission import TrustedHead, admit
from lockgate.gates.log import Log
from lockgate.gates.log.entry import entry_path
from lockgate.pipelines.gating.task import GatedTask, close_task, open_task
from lockgate.pipelines.promotion.bundle import build_bundle, build_bundle_without_champion
from lockgate.pipelines.promotion.tar import pack_tar
from tests.builders import (
    GOOD,
    JUDGE,
    LABEL,
    NOON,
    STRANGER,
    commit_evidence,
    make_evidence,
    make_keyring,
    public_line_of,
)
from tests.pipelines.gating.conftest import write_project

WEIGHTS = b"\x80weights"
ASK: list[Callable[[str], Any]] = [lockgate.champion, lockgate.admit]


def test_no_model_reigns(own_project: Path) -> None:
    assert lockgate.champion("churn") is None
    with pytest.raises(AdmissionError, match="no model has been promoted yet"):
        lockgate.admit("churn")


def test_a_log_that_was_longer_before_admits_nothing(own_project: Path) -> None:
    with pytest.raises(AdmissionError, match="the promotion log ends at entry 0, but entry 3 was seen before"):
        lockgate.admit("churn", trusted_head=TrustedHead(seq=3, digest="0" * 64))


@pytest.mark.parametrize("ask", ASK)
def test_the_configuration_of_another_project(own_project: Path, ask: Callable[[str], Any]) -> None:
    with pytest.raises(SettingsError, match=r"is of project 'churn'; expected project 'orders'$"):
        ask("orders")


@pytest.mark.parametrize("ask", ASK)
def test_a_log_that_must_be_signed_but_has_no_key(own_project: Path, ask: Callable[[str], Any]) -> None:
    write_project(own_project, keys={"required": True, "private": "any", "trusted": {}})
    with pytest.raises(SigningError, match="requires a signed promotion log, but lists no judge's key"):
        ask("churn")


@pytest.mark.parametrize("ask", ASK)
def test_a_log_that_is_garbage(own_project: Path, ask: Callable[[str], Any]) -> None:
    (own_project / "logs/churn/log").mkdir(parents=True)
    (own_project / "logs/churn" / entry_path(1)).write_text("{", encoding="utf-8")
    with pytest.raises(LogError):
        ask("churn")


def write_bundle(home: Path, *, project: str = "orders") -> Path:
    """What `lockgate bundle` writes of a signed log in which model `b"\\x80weights"` reigns."""
    log = Log(MemoryStore(), project=project, keyring=make_keyring(), signer=JUDGE)
    challenger = {"run": "ChurnFlow/6", "sha256": hashlib.sha256(WEIGHTS).hexdigest(), "format": "weights"}
    evidence = Evidence.from_arrays(label=LABEL, challenger=GOOD, facts={"challenger": challenger, "champion": None})
    commit_evidence(log, evidence)
    (file := home / "champion.tar").write_bytes(
        pack_tar(build_bundle(log, admit(log, now=NOON), model=WEIGHTS, features=None))
    )
    return file


def test_a_job_that_cannot_reach_the_log_compares_with_what_was_published(
    own_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = {"judge": {"role": "judge", "key": public_line_of(JUDGE), "last_entry": None}}
    keys = {"required": True, "private": "any", "trusted": trusted}
    write_project(own_project, project="orders", keys=keys)
    monkeypatch.setenv("LOCKGATE_BUNDLE", str(write_bundle(own_project)))
    reigning = lockgate.champion("orders")
    assert reigning is not None
    with pytest.raises(AdmissionError, match="no model has been promoted yet"):  # what serves asks the log alone
        lockgate.admit("orders")
    assert (reigning.run, reigning.model, reigning.format) == ("ChurnFlow/6", WEIGHTS, "weights")
    assert reigning.sha256 == hashlib.sha256(WEIGHTS).hexdigest()

    write_bundle(own_project, project="parcels")
    with pytest.raises(LockgateError, match="the bundle belongs to project 'parcels'; expected project 'orders'"):
        lockgate.champion("orders")
    trusted["judge"]["key"] = public_line_of(STRANGER)
    write_project(own_project, project="orders", keys=keys)
    write_bundle(own_project)
    with pytest.raises(LogError, match="key"):
        lockgate.champion("orders")
    (own_project / "champion.tar").unlink()
    with pytest.raises(LockgateError, match="cannot read the bundle: No such file or directory"):
        lockgate.champion("orders")


def test_a_published_log_without_a_champion(own_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(own_project, project="orders")
    log = Log(MemoryStore(), project="orders", keyring=None, signer=None)
    commit_evidence(log, make_evidence(1 - GOOD, model="1"))
    (own_project / "champion.tar").write_bytes(pack_tar(build_bundle_without_champion(log, 1)))
    monkeypatch.setenv("LOCKGATE_BUNDLE", "champion.tar")
    assert lockgate.champion("orders") is None


def test_a_step_that_is_gated_for_another_project(own_project: Path) -> None:
    open_task(GatedTask(project="orders", run="Flow/7", step="score", folder=own_project, in_foreach=False))
    with pytest.raises(SettingsError, match="this step is gated for project 'orders'; expected 'churn' @ Flow/7 step"):
        lockgate.champion("churn")
    close_task()


@pytest.mark.parametrize("ask", ASK)
def test_a_process_that_would_look_for_runs_elsewhere(
    own_project: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], Any]
) -> None:
    (own_project / "service" / ".metaflow").mkdir(parents=True)
    monkeypatch.chdir(own_project / "service")
    with pytest.raises(RunError, match=r"outside of the project's datastore; expected .*/\.metaflow @ .*/service/"):
        ask("churn")


def test_the_caller_keeps_the_namespace_of_metaflow(own_project: Path) -> None:
    from metaflow import get_namespace, namespace

    namespace("user:ada")
    lockgate.champion("churn")
    with pytest.raises(AdmissionError):
        lockgate.admit("churn")
    assert get_namespace() == "user:ada"
