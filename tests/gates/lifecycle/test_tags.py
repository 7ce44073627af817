"""The tags that runs should have according to the log: every run's, and those that the last entry alone changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from lockgate.gates.lifecycle import actions, tags
from lockgate.gates.log import Log, LogEntry
from tests.builders import (
    GOOD,
    HOPELESS,
    SEALING_POLICY,
    clock_at,
    commit_evidence,
    make_evidence,
    new_log,
    promote_model,
    run_of,
    sha_of,
)

CANDIDATE, CHAMPION, HELD, REVOKED = tags.CANDIDATE, tags.CHAMPION, tags.HELD, tags.REVOKED


def expected_tags(entries: Iterable[LogEntry]) -> dict[str, frozenset[str]]:
    """What the whole log says."""
    book = tags.TagBook()
    for entry in entries:
        book.add(entry)
    return book.expected_tags()


def history() -> list[LogEntry]:
    """0 reigns, 1 fails, 2 reigns, 0 again, 0 is revoked, 1 is revoked without having reigned, 3 reigns."""
    log = new_log()
    promote_model(log, "0")
    assert commit_evidence(log, HOPELESS, minute=1).decision.verdict == "HOLD"
    promote_model(log, "2", minute=2)
    actions.rollback(log, to=run_of("0"), reason="x", actor="ada", clock=clock_at(3))
    actions.revoke(log, run_of("0"), reason="x", actor="ada", clock=clock_at(4))
    actions.revoke(log, run_of("1"), reason="x", actor="ada", clock=clock_at(5))
    promote_model(log, "3", minute=6, rows="others")
    return list(log.entries())


@pytest.fixture(scope="module")
def entries() -> list[LogEntry]:
    return history()


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, {}),
        (1, {"0": {CANDIDATE, CHAMPION}}),
        (2, {"0": {CANDIDATE, CHAMPION}, "1": {HELD}}),
        (3, {"0": {CANDIDATE}, "1": {HELD}, "2": {CANDIDATE, CHAMPION}}),
        (4, {"0": {CANDIDATE, CHAMPION}, "1": {HELD}, "2": {CANDIDATE}}),
        (5, {"0": {REVOKED}, "1": {HELD}, "2": {CANDIDATE}}),
        (6, {"0": {REVOKED}, "1": {HELD, REVOKED}, "2": {CANDIDATE}}),
        (7, {"0": {REVOKED}, "1": {HELD, REVOKED}, "2": {CANDIDATE}, "3": {CANDIDATE, CHAMPION}}),
    ],
)
def test_the_tags_after_each_entry(entries: list[LogEntry], count: int, expected: dict[str, Any]) -> None:
    assert expected_tags(entries[:count]) == {run_of(run): frozenset(of_run) for run, of_run in expected.items()}


def test_what_the_last_entry_says_is_what_the_whole_log_says(entries: list[LogEntry]) -> None:
    for count, head in enumerate(entries, start=1):
        expected = expected_tags(entries[:count])
        for change in tags.list_tag_changes(head):
            assert change.add <= expected[change.run]
            assert not change.remove & expected[change.run]
            assert change.add | change.remove <= tags.LOG_TAGS


def test_following_each_entry_keeps_every_run_as_the_log_says(entries: list[LogEntry]) -> None:
    """No entry changes the tags of a run that it does not touch."""
    tagged: dict[str, frozenset[str]] = {}
    for count, head in enumerate(entries, start=1):
        for change in tags.list_tag_changes(head):
            tagged[change.run] = (tagged.get(change.run, frozenset()) | change.add) - change.remove
        assert {run: of_run for run, of_run in tagged.items() if of_run} == expected_tags(entries[:count])


def test_the_champion_is_tagged_before_another_is_untagged(entries: list[LogEntry]) -> None:
    for head in entries:
        if head.state.champion:
            assert tags.list_tag_changes(head)[0].run == head.state.champion.run


def test_few_runs_are_touched(entries: list[LogEntry]) -> None:
    assert max(len(tags.list_tag_changes(head)) for head in entries) <= 3


def test_a_model_that_is_judged_better_than_before_is_no_longer_held() -> None:
    log = new_log()
    promote_model(log, "0")
    commit_evidence(log, HOPELESS, minute=1)
    promote_model(log, "1", minute=2, rows="others")
    assert expected_tags(log.entries())[run_of("1")] == {CANDIDATE, CHAMPION}
    (first, *_) = tags.list_tag_changes(log.head())
    assert (first.run, HELD in first.remove) == (run_of("1"), True)


def test_a_sealed_judgement_puts_no_tag_that_tells_it_from_an_error() -> None:
    log = new_log()
    promote_model(log, "0")
    sealed = commit_evidence(log, HOPELESS, minute=1, policy=SEALING_POLICY)
    assert sealed.entry is not None
    assert expected_tags(log.entries()).get(run_of("1"), frozenset()) == frozenset()
    assert all(HELD not in change.add | change.remove for change in tags.list_tag_changes(sealed.entry))


def test_each_run_of_a_revoked_model_is_revoked() -> None:
    """The same bytes, trained again."""
    log: Log = new_log()
    promote_model(log, "0")
    twin = make_evidence(
        GOOD, model="1", champion_scores=GOOD, champion="0", challenger={"run": "Other/9", "sha256": sha_of("1")}
    )
    commit_evidence(log, HOPELESS, minute=1)
    commit_evidence(log, twin, minute=2)
    actions.revoke(log, run_of("1"), reason="x", actor="ada", clock=clock_at(3))
    revoked = {run for run, of_run in expected_tags(log.entries()).items() if REVOKED in of_run}
    assert revoked == {run_of("1"), "Other/9"}


@pytest.mark.parametrize("tag", ["production:token", "project:lockgate", "project_branch:prod"])
def test_tags_that_pretend_to_be_metaflows_are_known(tag: str) -> None:
    assert tags.find_forged_tags([tag, "mine", "user:ada"]) == {tag}
