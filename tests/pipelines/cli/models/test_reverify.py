"""`lockgate reverify` from start to end: what it records, what it ends, and what it refuses before anything runs.

Tests of pipelines/scoring/rescore_champion.py
Tests of pipelines/reverify.py
"""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def strict_conf(tmp_path_factory: pytest.TempPathFactory, orders_conf: Path) -> Path:
    """The same, but with a floor that no model of these orders meets."""
    conf = tmp_path_factory.mktemp("strict") / "conf"
    shutil.copytree(orders_conf, conf)
    gate = conf / "gate" / "default.yaml"
    gate.write_text(gate.read_text(encoding="utf-8").replace("min: 0.60", "min: 0.99"), encoding="utf-8")
    return conf


@pytest.fixture(scope="module")
def reverified(tmp_path_factory: pytest.TempPathFactory, promoted_project: Any) -> tuple[Any, Any]:
    """A project whose champion was reverified, and what the command said."""
    created = promoted_project.copy(tmp_path_factory.mktemp("reverified"))
    return created, created.run("reverify", "--json", "--decision", "decision.json")


def test_the_champion_is_judged_alone_on_the_month_after_its_own(reverified: Any) -> None:
    project, completed = reverified
    assert completed.returncode == 0, completed.stderr
    document = json.loads(completed.stdout)
    assert document["decision"] == json.loads((project.home / "decision.json").read_text(encoding="utf-8"))
    assert document["decision"]["verdict"] == "PROMOTE"
    skipped = {outcome["name"] for outcome in document["decision"]["outcomes"] if outcome["verdict"] == "SKIP"}
    assert skipped == {"log_loss", "auc_kept", "carriers"}
    (run,) = project.runs()
    (scoring,) = project.runs("Reverify")
    first, second = project.history()
    assert (document["entry"], second["seq"]) == (2, 2)
    event = second["event"]
    assert (event["kind"], event["of"], event["evidence_run"], event["promoted_by"]) == ("reverified", run, scoring, 1)
    assert event["decision"]["binding"]["train"] == first["event"]["decision"]["binding"]["train"]
    assert event["decision"]["binding"]["model"] == first["state"]["champion"]["sha256"]
    assert event["decision"]["binding"]["holdout"] != first["event"]["decision"]["binding"]["holdout"]
    assert (project.home / ".metaflow/lockgate/orders/policies" / f"{event['policy_sha256']}.json").exists()
    assert "666 rows of 2024-06" in completed.stderr
    assert f"{run} may be served until" in document["note"]


def test_promote_renews_the_promotion_and_takes_no_look(reverified: Any) -> None:
    project, _ = reverified
    first, second = project.history()
    now, until = (datetime.fromisoformat(text) for text in (second["time"], second["state"]["champion"]["valid_until"]))
    assert until == now + timedelta(days=90)
    assert second["state"]["holdouts"] == first["state"]["holdouts"]
    assert second["state"]["champion"]["seq"] == 1


@pytest.mark.nightly
def test_it_can_be_exported_and_judged_again(reverified: Any, project_at: Any, tmp_path: Path) -> None:
    project, _ = reverified
    (scoring,) = project.runs("Reverify")
    out = tmp_path / "out"
    completed = project.run("export", scoring, "--out", str(out))
    assert (completed.returncode, completed.stderr) == (0, "")
    away = project_at(home=tmp_path, conf=tmp_path / "nowhere").run("judge", "--evidence", str(out))
    assert away.returncode == 0, away.stderr
    assert "reproduced: entry 2 of log " in away.stdout


@pytest.mark.nightly
def test_hold_ends_the_promotion_at_once(promoted: Any, project_at: Any, strict_conf: Path) -> None:
    from obstore.store import LocalStore

    from lockgate.gates.errors import AdmissionError
    from lockgate.gates.lifecycle.admission import admit
    from lockgate.gates.log import Log

    completed = project_at(home=promoted.home, conf=strict_conf).run("reverify", "as_of=2024-06")
    assert completed.returncode == 1, completed.stderr
    (run,) = promoted.runs()
    assert "HOLD  failed: auc_floor" in completed.stdout
    assert f"the promotion of {run} expired" in completed.stdout
    assert "`lockgate rollback` or a new `lockgate evaluate` is next" in " ".join(completed.stdout.split())
    log = Log(LocalStore(promoted.home / ".metaflow" / "lockgate" / "orders"), project="orders")
    with pytest.raises(AdmissionError, match="expired"):
        admit(log, now=log.head().time + timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["as_of=2024-05"], "the champion was judged on 2024-05: 2024-05 shows nothing new"),
        (["model=baseline"], "'model=baseline' cannot be overridden: the champion is judged by what conf/ says"),
        (["gate.checks.auc_floor.min=0.1"], "'gate.checks.auc_floor.min=0.1' cannot be overridden"),
        (["as_of=2024-13"], "expected a month"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_runs(
    promoted_project: Any, words: list[str], message: str
) -> None:
    completed = promoted_project.run("reverify", *words)
    assert (completed.returncode, completed.stdout) == (2, "")
    (line,) = completed.stderr.splitlines()
    assert message in line
    assert promoted_project.runs("Reverify") == []


def test_without_a_champion_there_is_nothing_to_reverify(project: Any) -> None:
    completed = project.run("reverify")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert completed.stderr == "lockgate: no model reigns (`make evaluate model=xgb` trains and judges one)\n"
