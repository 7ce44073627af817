"""Judging and committing, one after the other, with many at once, and with some killed."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from obstore.store import MemoryStore

from lockgate import Evidence
from lockgate.gates.errors import LogError, StaleError
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Log
from tests.builders import (
    BETTER,
    FIRST_MODEL,
    GOOD,
    LABEL,
    NOON,
    ROWS,
    SEALING_POLICY,
    clock_at,
    commit_evidence,
    draw_scores,
    make_evidence,
    sha_of,
)

FIRST = sha_of("0")


@pytest.fixture
def log() -> Log:
    """A log in which model 0 was promoted."""
    created = Log(MemoryStore(), project="race")
    assert commit_evidence(created, FIRST_MODEL).decision.verdict == "PROMOTE"
    return created


def test_the_first_promotion_is_one_entry_that_carries_the_champion(log: Log) -> None:
    (entry,) = log.entries()
    assert (entry.event.verdict, entry.event.run, entry.actor) == ("PROMOTE", "EvaluateNewModel/0", "ada")
    reigning = log.state().champion
    assert (reigning.sha256, reigning.seq, reigning.valid_until) == (FIRST, 1, NOON + timedelta(days=90))
    assert log.state().predecessors == ()


def test_a_better_model_replaces_the_champion_and_retires_the_holdout(log: Log) -> None:
    evidence = commit_evidence(log, make_evidence(BETTER, model="1", champion_scores=GOOD, champion="0"))
    assert evidence.decision.verdict == "PROMOTE"
    state = log.state()
    assert state.champion.run == "EvaluateNewModel/1"
    assert [champion.run for champion in state.predecessors] == ["EvaluateNewModel/0"]
    assert state.holdouts[evidence.decision.binding.holdout].retired
    third = commit_evidence(log, make_evidence(draw_scores(0.7), model="2", champion_scores=BETTER, champion="1"))
    assert third.decision.verdict == "INCONCLUSIVE"
    assert "retired" in third.decision.to_json()


def test_what_is_not_better_is_recorded_and_leaves_the_champion(log: Log) -> None:
    evidence = commit_evidence(log, make_evidence(draw_scores(0.1), model="1", champion_scores=GOOD, champion="0"))
    assert (evidence.decision.verdict, evidence.entry.seq, evidence.was_recorded) == ("HOLD", 2, False)
    assert log.state().champion.run == "EvaluateNewModel/0"


def test_a_repeated_look_is_the_recorded_decision_and_costs_nothing(log: Log) -> None:
    evidence = make_evidence(draw_scores(0.1), model="1", champion_scores=GOOD, champion="0")
    first = commit_evidence(log, evidence)
    again = commit_evidence(log, evidence, minute=7)
    assert again.was_recorded
    assert again.entry == first.entry
    assert again.decision == first.decision
    assert log.head().seq == 2
    assert len(log.state().holdouts[evidence.holdout].looks) == 1


def test_an_older_look_is_found_behind_later_entries(log: Log) -> None:
    evidence = [
        make_evidence(draw_scores(0.1, seed=seed), model=str(seed), champion_scores=GOOD, champion="0")
        for seed in (3, 4, 5)
    ]
    results = [commit_evidence(log, item) for item in evidence]
    assert [commit_evidence(log, item).entry for item in evidence] == [item.entry for item in results]
    assert log.head().seq == 4


def test_an_error_appends_nothing(log: Log) -> None:
    broken = make_evidence(np.where(np.arange(ROWS) == 5, np.nan, GOOD), model="1", champion_scores=GOOD, champion="0")
    evidence = commit_evidence(log, broken)
    assert (evidence.decision.verdict, evidence.entry) == ("ERROR", None)
    assert log.head().seq == 1


def test_the_model_that_reigns_appends_nothing(log: Log) -> None:
    evidence = commit_evidence(log, make_evidence(GOOD, model="0", champion_scores=GOOD, champion="0"))
    assert evidence.decision.already_champion
    assert (evidence.decision.exit_code, evidence.entry) == (0, None)
    assert log.head().seq == 1


def test_the_run_that_was_promoted_judged_again_is_its_promotion(log: Log) -> None:
    """So that a command that died between its entry and the tag can be repeated."""
    again = commit_evidence(log, FIRST_MODEL, minute=3)
    assert (again.decision.verdict, again.decision.exit_code) == ("PROMOTE", 0)
    assert again.was_recorded
    assert again.entry.seq == 1
    second = make_evidence(BETTER, model="1", champion_scores=GOOD, champion="0")
    commit_evidence(log, second)
    assert commit_evidence(log, second, minute=5).entry.seq == 2
    with pytest.raises(StaleError):
        commit_evidence(log, FIRST_MODEL, minute=6)  # it reigned once, but no longer


@pytest.mark.parametrize("forged", [make_evidence(BETTER, model="0"), make_evidence(GOOD, model="7")])
def test_only_the_very_evidence_that_was_promoted_counts_as_it(log: Log, forged: Evidence) -> None:
    with pytest.raises(StaleError):
        commit_evidence(log, forged)
    assert log.head().seq == 1


def test_a_challenger_scored_beside_a_former_champion_is_stale(log: Log) -> None:
    commit_evidence(log, make_evidence(BETTER, model="1", champion_scores=GOOD, champion="0"))
    with pytest.raises(StaleError, match="evaluate again") as caught:
        commit_evidence(log, make_evidence(draw_scores(0.7), model="2", champion_scores=GOOD, champion="0"))
    assert "\n" not in str(caught.value)
    assert log.head().seq == 2


def test_an_entry_dated_before_its_predecessor_is_refused_but_for_what_clocks_may_differ(log: Log) -> None:
    evidence = make_evidence(draw_scores(0.1), model="1", champion_scores=GOOD, champion="0")
    with pytest.raises(LogError, match="before its predecessor"):
        commit_evidence(log, evidence, minute=-5.1)
    assert log.head().seq == 1
    assert commit_evidence(log, evidence, minute=-4.9).entry.time == log.entry(1).time


def test_what_was_promoted_and_rolled_back_is_not_said_to_be_promoted(log: Log) -> None:
    evidence = make_evidence(BETTER, model="1", champion_scores=GOOD, champion="0")
    assert commit_evidence(log, evidence).entry.promotes
    assert commit_evidence(log, evidence).was_recorded
    actions.rollback(log, to=None, reason="slow", actor="ada", clock=clock_at(1))
    with pytest.raises(LogError, match="entry 2 promoted EvaluateNewModel/1, and EvaluateNewModel/0 reigns now"):
        commit_evidence(log, evidence, minute=2)
    assert log.head().seq == 3


def test_a_policy_that_discloses_promotions_only_keeps_numbers_out_of_the_log() -> None:
    store = MemoryStore()
    log = Log(store, project="race")
    commit_evidence(log, FIRST_MODEL, policy=SEALING_POLICY)
    bad = commit_evidence(
        log, make_evidence(draw_scores(0.1), model="1", champion_scores=GOOD, champion="0"), policy=SEALING_POLICY
    )
    assert bad.decision.outcomes != ()
    for seq in (1, 2):
        document = json.loads(bytes(store.get(f"log/{seq:08d}.json").bytes()))
        assert document["event"]["decision"]["sealed"]
        assert document["event"]["decision"]["outcomes"] == []
        assert '"observed"' not in json.dumps(document)
    assert [entry.event.verdict for entry in log.entries()] == ["PROMOTE", "HOLD"]


@pytest.mark.parametrize(("strength", "verdict"), [(0.301, "INCONCLUSIVE"), (0.1, "HOLD")])
def test_a_sealed_log_does_not_tell_inconclusive_from_hold(strength: float, verdict: str) -> None:
    log = Log(MemoryStore(), project="race")
    commit_evidence(log, FIRST_MODEL, policy=SEALING_POLICY)
    evidence = commit_evidence(
        log,
        make_evidence(draw_scores(strength, seed=4), model="1", champion_scores=GOOD, champion="0"),
        policy=SEALING_POLICY,
    )
    assert evidence.decision.verdict == verdict
    assert log.head().event.verdict == log.head().judgement.decision["verdict"] == "HOLD"
    assert verdict == "HOLD" or verdict.encode() not in log.head().to_bytes()
    again = commit_evidence(
        log,
        make_evidence(draw_scores(strength, seed=4), model="1", champion_scores=GOOD, champion="0"),
        policy=SEALING_POLICY,
    )
    for item in (evidence.entry.read_decision(), again.decision):
        assert (item.exit_code, item.sealed, item.outcomes, item.state.holdouts) == (1, True, (), {})


def test_every_log_keys_its_hashes_by_a_salt_of_its_own() -> None:
    salts = []
    for _ in range(2):
        log = Log(MemoryStore(), project="race")
        for model, strength in (("0", 0.3), ("1", 0.1)):
            champion = {"champion_scores": GOOD, "champion": "0"} if model == "1" else {}
            commit_evidence(log, make_evidence(draw_scores(strength), model=model, **champion))
        first, second = log.entries()
        assert first.state.salt == second.state.salt
        assert len(first.state.salt) == 32
        salts.append(first.state.salt)
    assert salts[0] != salts[1]


def test_a_repeated_look_at_part_of_a_holdout_is_found_too(log: Log) -> None:
    """Part of a holdout has no ledger of its own."""

    def part(rows: int) -> Evidence:
        actual = {"run": "EvaluateNewModel/1", "sha256": "1" * 64}
        return Evidence.from_arrays(
            row_id=[f"order {row}" for row in range(rows)],
            label=LABEL[:rows],
            challenger=draw_scores(0.1)[:rows],
            champion=GOOD[:rows],
            facts={"challenger": actual, "champion": {"sha256": FIRST}},
        )

    whole, cut = commit_evidence(log, part(ROWS)), commit_evidence(log, part(ROWS - 1))
    assert [len(value.looks) for value in log.state().holdouts.values()] == [2]
    assert commit_evidence(log, part(ROWS - 1)).entry == cut.entry != whole.entry
    assert log.head().seq == 3
