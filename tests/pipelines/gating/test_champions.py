"""Nothing reigns, or another project's configuration is here: one line. With models: test_flows.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.gates.errors import AdmissionError, LogError, RunError, SettingsError, SigningError
from lockgate.gates.lifecycle.admission import TrustedHead
from lockgate.gates.log.entry import entry_path
from lockgate.pipelines.gating.task import GatedTask, close_task, open_task
from tests.pipelines.gating.conftest import write_project

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
