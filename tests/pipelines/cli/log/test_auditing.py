"""why, history, holdouts, waivers and champion --all, as an auditor types them.

Tests of pipelines/cli/log/champion.py
Tests of pipelines/cli/log/history.py
Tests of pipelines/cli/log/holdouts.py
Tests of pipelines/cli/log/waivers.py
Tests of pipelines/cli/log/why.py
Tests of pipelines/cli/shared/dates.py
Tests of pipelines/cli/shared/log.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lockgate.gates.lifecycle.commit import commit
from tests.builders import BAD, BETTER, GOOD, ROWS, make_evidence
from tests.pipelines.cli.prompted import FACTS, POLICY, Project


def test_history_is_filtered(prompted: Callable[..., Project]) -> None:
    project = prompted()

    def seqs(*words: str) -> list[int]:
        return [word["seq"] for word in json.loads(project.run("history", "--json", *words))]

    assert seqs() == [1, 2, 3]
    assert seqs("--run", "2") == [2]
    assert seqs("--verdict", "promote") == [1, 2]
    assert seqs("--by", "ada") == []
    assert seqs("--since", "2026-11-01T12:01") == [2, 3]
    assert seqs("--until", "2026-10-31") == []
    assert seqs("--last", "1") == [3]
    assert "no entry matches" in project.run("history", "--by", "ada")
    assert "unknown event" in project.run("history", "--event", "sung", code=2)
    assert "is not a time" in project.run("history", "--since", "soon", code=2)


def test_why_says_who_was_live_and_what_became_of_a_run(prompted: Callable[..., Project]) -> None:
    project = prompted()
    assert "no model reigned" in project.run("why", "--on", "2026-10-31")
    assert "EvaluateNewModel/1 reigned" in project.run("why", "--on", "2026-11-01T12:00:30")
    output = project.run("why", "--on", "2026-11-01")
    assert "EvaluateNewModel/2 reigned" in output
    assert "auc_floor" in output
    assert "2" * 64 in output
    assert "does not reign: entry 3 says HOLD" in project.run("why", "3")
    project.run("retract", "--entry", "1", "--reason", "made by hand")
    output = project.run("why", "EvaluateNewModel/2")
    assert "RETRACTED" in output
    assert "the log has no entry about run" in project.run("why", "7", code=2)
    assert "nothing to explain" in project.run("why", code=2)


def test_the_ledger_of_holdouts_is_shown(prompted: Callable[..., Project]) -> None:
    project = prompted()
    document = json.loads(project.run("holdouts", "--json"))
    assert [(value["rows"], value["looks"], value["retired"]) for value in document.values()] == [
        (ROWS, 1, False),
        (ROWS, 1, True),
    ]
    assert "retired" in project.run("holdouts")


@pytest.mark.nightly
def test_why_follows_a_champion_through_rollbacks(prompted: Callable[..., Project]) -> None:
    project = prompted()
    project.run("rollback", "--reason", "missed the storm")
    output = project.run("why", "--on", f"{datetime.now(UTC):%Y-%m-%d}")
    assert "EvaluateNewModel/1 reigned" in output
    assert "promoted by entry 1, again since entry 4" in output
    assert "missed the storm" in output
    assert "EvaluateNewModel/2 reigned before, and may reign again" in project.run("why", "2")
    project.run("retract", "--entry", "2", "--reason", "made by hand")
    assert "EvaluateNewModel/2 reigned before, and may not reign again: EvaluateNewModel/2 is suspect" in project.run(
        "why", "2"
    )
    project.run("revoke", "2", "--reason", "leaks")
    assert "EvaluateNewModel/2 does not reign: entry 6 says REVOKED" in project.run("why", "2")
    assert "is in the future" in project.run("why", "--on", "2099-01-01", code=2)


@pytest.mark.nightly
def test_who_was_revoked_is_among_all_champions(prompted: Callable[..., Project]) -> None:
    project = prompted()
    for run in ("1", "2"):
        project.run("revoke", run, "--reason", "leaks")
    output = project.run("champion", "--all")
    assert "no model reigns" in output
    assert "EvaluateNewModel/2, revoked by entry 5: leaks" in output
    document = json.loads(project.run("champion", "--all", "--json"))
    assert not any(item["reigns"] for item in document)
    assert "--all` says why" in project.run("champion", code=2)


def test_rows_of_a_file_are_registered_before_anything_is_judged_on_them(prompted: Callable[..., Project]) -> None:
    project = prompted()
    file = project.where / "rows.arrow"
    make_evidence(GOOD, model="4", rows="november", project="flights").write(file)
    words = ("holdouts", "register", "--evidence", str(file), "--note", "all of November")
    assert "entry 4 of the promotion log" in project.run(*words)
    document = json.loads(project.run("holdouts", "--json")).values()
    assert [item["looks"] for item in document if item["since"] == 4] == [0]
    assert "nothing to register" in project.run("holdouts", "register", code=2)
    assert "both a RUN and --evidence are given" in project.run(*words, "7", code=2)
    make_evidence(GOOD, model="4", rows="december", project="orders").write(file)
    assert "the rows belong to project 'orders'; expected project 'flights'" in project.run(*words, code=2)


def granted(project: Project, gate: str, *, until: str = "2d") -> None:
    project.sign_as("ada")
    project.run("waive", gate, "--run", "3", "--until", until, "--reason", "a strike")
    project.sign_as("ci")


def waivers(project: Project) -> dict[str, str]:
    """Gate → what came of its waiver."""
    return {waiver["gate"]: waiver["status"] for waiver in json.loads(project.run("waivers", "--json"))}


def test_waivers_are_listed_with_what_came_of_them(prompted: Callable[..., Project]) -> None:
    project = prompted(signed=True)
    assert project.run("waivers").strip() == "no gate was waived"
    granted(project, "log_loss")
    assert waivers(project) == {"log_loss": "waiting"}
    output = project.run("waivers")
    assert "no judgement of EvaluateNewModel/3 was recorded since" in output
    assert "a strike" in output
    assert project.run("waivers", "--run", "2").strip() == "no gate was waived for this run"
    again = make_evidence(BAD, model="3", rows="3", champion_scores=BETTER, champion="2", **FACTS)
    commit(POLICY, again, project.log, actor="grace", clock=lambda: datetime.now(UTC))
    assert waivers(project) == {"log_loss": "used"}
    assert "lifted it in entry 5" in project.run("waivers", "--run", "3")
