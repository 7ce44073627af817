"""Revoking and rolling back: one entry each, or a refusal in one line and nothing written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from obstore.store import MemoryStore

from lockgate import Evidence
from lockgate.gates.errors import LogError, StaleError
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Log
from tests.builders import (
    BAD,
    BETTER,
    FIRST_MODEL,
    GOOD,
    HOPELESS,
    LABEL,
    LENIENT_POLICY,
    assert_one_line,
    assert_refused,
    clock_at,
    commit_evidence,
    make_evidence,
    promote_model,
    run_of,
    sha_of,
)


@pytest.fixture
def log() -> Log:
    """Models 0, 1 and 2 were promoted, one after the other, by entries 1, 2 and 3."""
    created = Log(MemoryStore(), project="orders")
    for model in "012":
        promote_model(created, model)
    return created


class Overtaken:
    """The store of a log, in which another writer is faster once: before the first entry that is put here."""

    def __init__(self, log: Log, other: str) -> None:
        self._log, self._other = log, other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log.store, name)

    def put(self, path: str, blob: bytes, **options: Any) -> Any:
        if path.startswith("log/") and self._other:
            other, self._other = self._other, ""
            if other == "a rollback":
                actions.rollback(self._log, to=None, **says(reason="faster"))
            elif other == "a promotion":
                promote_model(self._log, "3")
            else:
                actions.revoke(self._log, "0", **says())
        return self._log.store.put(path, blob, **options)


def says(minute: float = 1, *, reason: str = "it leaks") -> dict[str, Any]:
    return {"reason": reason, "actor": "bob", "clock": clock_at(minute)}


def reigning_letters(log: Log) -> tuple[str | None, list[str]]:
    """The champion and its predecessors, by the letters of their models."""
    state = log.state()
    letters = [str(champion.sha256)[0] for champion in (state.champion, *state.predecessors) if champion]
    return (letters[0], letters[1:]) if state.champion else (None, letters)


# --- revoke ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2", run_of("2")])
def test_the_predecessor_of_a_revoked_champion_reigns(log: Log, name: str) -> None:
    entry = actions.revoke(log, name, **says())
    assert (entry.event.run, entry.event.model, entry.event.successor) == (run_of("2"), sha_of("2"), 2)
    assert (entry.actor, entry.time, entry.event.reason) == ("bob", clock_at(1)(), "it leaks")
    assert reigning_letters(log) == ("1", ["0"])
    assert log.state().revoked == {sha_of("2"): 4}


def test_a_revoked_predecessor_is_gone_and_the_champion_stays(log: Log) -> None:
    actions.revoke(log, "1", **says())
    assert reigning_letters(log) == ("2", ["0"])
    actions.revoke(log, "2", **says(2))
    assert reigning_letters(log) == ("0", [])


def test_where_none_is_left_nobody_reigns_and_the_next_is_judged_alone(log: Log) -> None:
    for model in "012":
        actions.revoke(log, model, **says())
    assert reigning_letters(log) == (None, [])
    assert promote_model(log, "3", minute=2).seq == 7
    assert reigning_letters(log) == ("3", [])


def test_a_run_that_was_only_judged_is_revoked_too() -> None:
    log = Log(MemoryStore(), project="orders")
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    entry = actions.revoke(log, "1", **says())
    assert (entry.event.of, entry.event.successor) == (run_of("1"), 1)
    assert reigning_letters(log) == ("0", [])
    assert log.state().revoked == {sha_of("1"): 3}


def test_a_model_is_revoked_once_and_only_one_that_was_judged(log: Log) -> None:
    actions.revoke(log, "1", **says())
    assert_refused(
        log, lambda: actions.revoke(log, "1", **says(2)), r"EvaluateNewModel/1 was revoked before, by entry 4"
    )
    assert_refused(log, lambda: actions.revoke(log, "7", **says(2)), r"no model of run '7' was ever judged")
    assert_refused(log, lambda: actions.revoke(log, "", **says(2)), r"no model of run '' was ever judged")
    empty = Log(MemoryStore(), project="orders")
    assert_refused(empty, lambda: actions.revoke(empty, "7", **says()), "was ever judged")


def test_a_judgement_without_a_model_leaves_nothing_to_revoke() -> None:
    log = Log(MemoryStore(), project="orders")
    scores = Evidence.from_arrays(label=LABEL, challenger=GOOD, facts={"challenger": {"run": run_of("0")}})
    commit_evidence(log, scores)
    assert_refused(log, lambda: actions.revoke(log, "0", **says()), "EvaluateNewModel/0 was judged without a model")


def test_a_revoked_model_is_an_error_when_it_is_judged_again(log: Log) -> None:
    actions.revoke(log, "1", **says())
    again = make_evidence(BETTER, model="1", champion_scores=GOOD, champion="2", rows="fresh")
    evidence = commit_evidence(log, again, minute=2, policy=LENIENT_POLICY)
    assert (evidence.decision.verdict, evidence.entry) == ("ERROR", None)
    assert "this model was revoked by entry 4" in evidence.decision.outcomes[0].message
    assert log.head().seq == 4


@pytest.mark.parametrize("remaining", [True, False])
def test_a_challenger_that_was_scored_beside_a_model_revoked_meanwhile_is_stale(*, remaining: bool) -> None:
    log = Log(MemoryStore(), project="orders")
    models = "01" if remaining else "1"
    for model in models:
        promote_model(log, model)
    evidence = make_evidence(BETTER, model="2", champion_scores=GOOD, champion="1")
    actions.revoke(log, "1", **says())
    with pytest.raises(
        StaleError, match="EvaluateNewModel/0' reigns now" if remaining else "revoked; no model reigns now"
    ):
        commit_evidence(log, evidence, minute=2)
    assert log.head().seq == len(models) + 1


# --- rollback --------------------------------------------------------------------------------------------------------


def test_the_last_model_promoted_before_the_champion_reigns_again(log: Log) -> None:
    entry = actions.rollback(log, to=None, **says())
    assert (entry.event.to, entry.event.promoted_by) == (run_of("1"), 2)
    assert reigning_letters(log) == ("1", ["2", "0"])
    actions.rollback(log, to=None, **says(reason="that one too"))
    assert reigning_letters(log) == ("0", ["1", "2"])
    assert_refused(
        log,
        lambda: actions.rollback(log, to=None, **says(reason="and this")),
        "no model that was promoted before EvaluateNewMode",
    )


def test_a_rollback_that_is_repeated_goes_back_once(log: Log) -> None:
    actions.rollback(log, to=None, **says())
    assert_refused(
        log,
        lambda: actions.rollback(log, to=None, **says()),
        "entry 4 already rolled back to EvaluateNewModel/1, for the same reason",
    )
    assert reigning_letters(log) == ("1", ["2", "0"])


@pytest.mark.parametrize("other", ["a rollback", "a promotion"])
def test_a_rollback_is_away_from_who_reigned_when_it_began(log: Log, other: str) -> None:
    """Somebody else is faster, between its reading the head and its writing."""
    late = Log(Overtaken(log, other), project=log.project, keyring=log.keyring, signer=log.signer)
    with pytest.raises(LogError, match="reigns by now, promoted by entry") as caught:
        actions.rollback(late, to=None, **says(reason="slow"))
    assert_one_line(caught)
    assert log.head().seq == 4
    assert reigning_letters(log)[0] == {"a rollback": "1", "a promotion": "3"}[other]


def test_another_kind_of_entry_meanwhile_does_not_keep_it_from_going_back(log: Log) -> None:
    late = Log(Overtaken(log, "a revocation"), project=log.project, keyring=log.keyring, signer=log.signer)
    assert actions.rollback(late, to=None, **says(reason="slow")).seq == 5
    assert reigning_letters(log) == ("1", ["2"])


@pytest.mark.parametrize("name", ["2", run_of("2")])
def test_back_to_what_was_left_is_as_before(log: Log, name: str) -> None:
    before = log.state()
    actions.rollback(log, to=None, **says())
    actions.rollback(log, to=name, **says())
    result = log.state()
    assert result.champion == before.champion
    assert set(result.predecessors) == set(before.predecessors)


def test_the_default_passes_over_what_may_not_be_served(log: Log) -> None:
    actions.retract(log, entry=2, **says())  # models 1, and 2 which was judged beside it, are suspect
    assert [champion.suspect for champion in (log.state().champion, *log.state().predecessors)] == [4, 4, None]
    actions.rollback(log, to=None, **says())
    assert reigning_letters(log) == ("0", ["2", "1"])


def test_who_never_reigned_reigns_already_or_may_not_be_served_does_not_come_back(log: Log) -> None:
    actions.revoke(log, "0", **says())
    actions.retract(log, entry=2, **says())
    for to, message in (
        ("7", r"run '7' never reigned; expected one of EvaluateNewModel/1"),
        ("0", r"EvaluateNewModel/0 was revoked by entry 4; expected a model that may be served"),
        ("1", r"EvaluateNewModel/1 is suspect since entry 5"),
        ("2", r"EvaluateNewModel/2 reigns already"),
    ):
        assert_refused(log, lambda to=to: actions.rollback(log, to=to, **says()), message)
    late = 91 * 24 * 60
    fresh = Log(MemoryStore(), project="orders")
    promote_model(fresh, "0")
    promote_model(fresh, "1", minute=late)
    assert_refused(
        fresh, lambda: actions.rollback(fresh, to="0", **says(late)), r"the promotion of EvaluateNewModel/0 expired"
    )
    assert_refused(fresh, lambda: actions.rollback(fresh, to=None, **says(late)), "no model that was promoted before")


def test_nobody_is_rolled_back_where_nobody_reigns_but_a_named_one_may_come_back(log: Log) -> None:
    empty = Log(MemoryStore(), project="orders")
    assert_refused(empty, lambda: actions.rollback(empty, to=None, **says()), "no model reigns")
    assert_refused(empty, lambda: actions.rollback(empty, to="1", **says()), "never reigned; expected one of none")
    actions.rollback(log, to="0", **says())
    actions.revoke(log, "0", **says())
    assert reigning_letters(log) == (None, ["2", "1"])
    assert_refused(log, lambda: actions.rollback(log, to=None, **says()), "no model reigns")
    actions.rollback(log, to="1", **says())
    assert reigning_letters(log) == ("1", ["2"])


def test_a_challenger_that_was_scored_beside_a_model_rolled_back_from_is_stale(log: Log) -> None:
    evidence = make_evidence(BAD, model="3", champion_scores=GOOD, champion="2")
    actions.rollback(log, to=None, **says())
    with pytest.raises(StaleError, match="EvaluateNewModel/1' reigns now"):
        commit_evidence(log, evidence, minute=2)


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_behind_by_what_clocks_may_is_right_by_the_head_and_no_other(log: Log) -> None:
    assert_refused(log, lambda: actions.revoke(log, "2", **says(-5.1)), "before its predecessor")
    for minute, model in ((0, "2"), (-5, "1")):
        assert actions.revoke(log, model, **says(minute)).time == log.entry(3).time
    assert log.head().time - log.entry(1).time == timedelta(0)
