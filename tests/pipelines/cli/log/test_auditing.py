"""why, history, holdouts, waivers and champion --all, as an auditor types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from lockgate.gates.lifecycle.commit import commit
from tests.builders import BAD, BETTER, GOOD, ROWS, make_evidence
from tests.pipelines.cli.prompted import FACTS, POLICY, Project


def test_history_is_filtered(prompted: Callable[..., Project]) -> None:
    here = prompted()

    def seqs(*words: str) -> list[int]:
        return [one["seq"] for one in json.loads(here.run("history", "--json", *words))]

    assert seqs() == [1, 2, 3]
    assert seqs("--run", "2") == [2]
    assert seqs("--verdict", "promote") == [1, 2]
    assert seqs("--by", "ada") == []
    assert seqs("--since", "2026-11-01T12:01") == [2, 3]
    assert seqs("--until", "2026-10-31") == []
    assert seqs("--last", "1") == [3]
    assert "no entry matches" in here.run("history", "--by", "ada")
    assert "unknown event" in here.run("history", "--event", "sung", code=2)
    assert "is not a time" in here.run("history", "--since", "soon", code=2)


def test_why_says_who_was_live_and_what_became_of_a_run(prompted: Callable[..., Project]) -> None:
    here = prompted()
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


def test_the_ledger_of_holdouts_is_shown(prompted: Callable[..., Project]) -> None:
    here = prompted()
    told = json.loads(here.run("holdouts", "--json"))
    assert [(one["rows"], one["looks"], one["retired"]) for one in told.values()] == [
        (ROWS, 1, False),
        (ROWS, 1, True),
    ]
    assert "retired" in here.run("holdouts")


def test_why_follows_a_champion_through_rollbacks(prompted: Callable[..., Project]) -> None:
    here = prompted()
    here.run("rollback", "--reason", "missed the storm")
    said = here.run("why", "--on", f"{datetime.now(UTC):%Y-%m-%d}")
    assert "EvaluateNewModel/1 reigned" in said
    assert "promoted by entry 1, again since entry 4" in said
    assert "missed the storm" in said
    assert "EvaluateNewModel/2 reigned before, and may reign again" in here.run("why", "2")
    here.run("retract", "--entry", "2", "--reason", "made by hand")
    assert "EvaluateNewModel/2 reigned before, and may not reign again: EvaluateNewModel/2 is suspect" in here.run("why", "2")
    here.run("revoke", "2", "--reason", "leaks")
    assert "EvaluateNewModel/2 does not reign: entry 6 says REVOKED" in here.run("why", "2")
    assert "is in the future" in here.run("why", "--on", "2099-01-01", code=2)


def test_who_was_revoked_is_among_all_champions(prompted: Callable[..., Project]) -> None:
    here = prompted()
    for run in ("1", "2"):
        here.run("revoke", run, "--reason", "leaks")
    said = here.run("champion", "--all")
    assert "no model reigns" in said
    assert "EvaluateNewModel/2, revoked by entry 5: leaks" in said
    told = json.loads(here.run("champion", "--all", "--json"))
    assert not any(one["reigns"] for one in told)
    assert "--all` says why" in here.run("champion", code=2)


def test_rows_of_a_file_are_registered_before_anything_is_judged_on_them(prompted: Callable[..., Project]) -> None:
    here = prompted()
    file = here.where / "rows.arrow"
    make_evidence(GOOD, model="4", rows="november", project="flights").write(file)
    words = ("holdouts", "register", "--evidence", str(file), "--note", "all of November")
    assert "entry 4 of the promotion log" in here.run(*words)
    told = json.loads(here.run("holdouts", "--json")).values()
    assert [one["looks"] for one in told if one["since"] == 4] == [0]
    assert "nothing to register" in here.run("holdouts", "register", code=2)
    assert "both a RUN and --evidence are given" in here.run(*words, "7", code=2)
    make_evidence(GOOD, model="4", rows="december", project="orders").write(file)
    assert "the rows belong to project 'orders'; expected project 'flights'" in here.run(*words, code=2)


def granted(here: Project, gate: str, *, until: str = "2d") -> None:
    here.sign_as("ada")
    here.run("waive", gate, "--run", "3", "--until", until, "--reason", "a strike")
    here.sign_as("ci")


def waivers(here: Project) -> dict[str, str]:
    """Gate → what came of its waiver."""
    return {one["gate"]: one["status"] for one in json.loads(here.run("waivers", "--json"))}


def test_waivers_are_listed_with_what_came_of_them(prompted: Callable[..., Project]) -> None:
    here = prompted(signed=True)
    assert here.run("waivers").strip() == "no gate was waived"
    granted(here, "log_loss")
    assert waivers(here) == {"log_loss": "waiting"}
    said = here.run("waivers")
    assert "no judgement of EvaluateNewModel/3 was recorded since" in said
    assert "a strike" in said
    assert here.run("waivers", "--run", "2").strip() == "no gate was waived for this run"
    again = make_evidence(BAD, model="3", rows="3", beside=BETTER, champion="2", **FACTS)
    commit(POLICY, again, here.log, actor="grace", clock=lambda: datetime.now(UTC))
    assert waivers(here) == {"log_loss": "used"}
    assert "lifted it in entry 5" in here.run("waivers", "--run", "3")
