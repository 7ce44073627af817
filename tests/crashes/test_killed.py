"""A command that is killed between any two of its steps: the next one finds the old state or the new one, never
something between, and the same command, run again, brings it to its end. Tags that are behind are put right by the
next command that writes, which says so.

Tests of gates/log/crash_points.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore

from lockgate.gates.log import Log, LogEntry
from lockgate.gates.log.crash_points import Step
from tests.crashes.conftest import KILLED


@dataclass(frozen=True, slots=True, kw_only=True)
class KillStory:
    """A command on a project of two runs, and what it changes. Runs are told by their number."""

    words: tuple[str | int, ...]
    old: int | None  # who reigns before
    new: int | None
    again: str  # what it says when it is run again although it had committed
    judged: tuple[int, ...] = ()  # before


STORIES = {
    "first promotion": KillStory(words=("judge", 0, "--json"), old=None, new=0, again="recorded before as entry 1"),
    "second promotion": KillStory(
        words=("judge", 1, "--json"), judged=(0,), old=0, new=1, again="recorded before as entry 2"
    ),
    "revocation": KillStory(
        words=("revoke", 0, "--reason=x"), judged=(0,), old=0, new=None, again="was revoked before, by entry 2"
    ),
    "rollback": KillStory(
        words=("rollback", "--reason=x", "--to", 0), judged=(0, 1), old=1, new=0, again="reigns already"
    ),
}


def lay_story(story: KillStory, place: Any, trained_pair: Any, copy_folder: Path) -> Any:
    """A project at the start of the story, kept to be laid again and again."""
    project = place.lay(trained_pair, judged=bool(story.judged))
    for run in story.judged[1:]:
        assert place.run("judge", project.runs()[run]).code == 0
    return project.copy(copy_folder)


def reigning(place: Any) -> str | None:
    """By `lockgate champion`, which must know, or say that there is none."""
    result = place.run("champion", "--json")
    if result.code:
        assert "champion" in result.err, result
        return None
    return json.loads(result.out)["run"]


def entries(project: Any) -> list[LogEntry]:
    """Of the log, each checked against the one before."""
    return list(Log(LocalStore(project.home / ".metaflow" / "lockgate" / "orders"), project="orders").entries())


def tags_by_run(project: Any) -> dict[str, set[str]]:
    """The tags of the runs."""
    return {run: set(project.tags(run)) for run in project.runs()}


def judgement(out: str) -> dict[str, Any]:
    """The decision, without what depends on when it was made."""
    return {name: value for name, value in json.loads(out)["decision"].items() if name not in ("state", "look")}


OF_PREDICTIONS = {Step.COMMITTING, Step.PUBLISHED, Step.WITHDRAWING, Step.WITHDRAWN}
"""Steps on no way to a promotion: test_withdrawn.py goes through them."""

EVERY_STEP = [pytest.param(name, 1, marks=pytest.mark.nightly) for name in STORIES]


@pytest.mark.parametrize(("name", "stride"), [("first promotion", 6), *EVERY_STEP])
def test_a_command_killed_at_any_step_is_finished_by_running_it_again(
    name: str, stride: int, place: Any, trained_pair: Any, tmp_path: Path
) -> None:
    story, runs = STORIES[name], dict(enumerate(trained_pair.runs()))
    words = [runs[word] if isinstance(word, int) else word for word in story.words]
    start = lay_story(story, place, trained_pair, tmp_path)
    before = tags_by_run(start)
    whole = place.run(*words)
    assert whole.code == 0, whole.err
    after = tags_by_run(place.project)
    assert after != before
    steps = [Step[name] for name in whole.steps]
    for index, step in list(enumerate(steps))[::stride]:
        project = place.lay(start)
        assert place.run(*words, die_at=index).code == KILLED
        committed = Step.ENTRY_CREATED in steps[: index + 1]

        assert reigning(place) == runs.get(story.new if committed else story.old), step
        assert len(entries(project)) == len(story.judged) + committed
        tags_left = tags_by_run(project)
        assert all(before[run] & after[run] <= tags <= before[run] | after[run] for run, tags in tags_left.items())
        if not committed:
            assert tags_left == before

        again = place.run(*words)
        assert (story.again in again.out + again.err) == committed, again
        assert len(entries(project)) == len(story.judged) + 1
        assert reigning(place) == runs.get(story.new)
        if story.words[0] == "judge":
            assert again.code == 0
            assert judgement(again.out) == judgement(whole.out)
        else:
            assert again.code == (2 if committed else 0)
        assert ("put right" in again.out + again.err) == (committed and tags_left != after), again
        assert tags_by_run(project) == after


def test_every_step_is_on_the_way_to_a_first_promotion(place: Any, trained_pair: Any) -> None:
    project = place.lay(trained_pair, judged=False)
    result = place.run("judge", project.runs()[0])
    assert (result.code, set(result.steps)) == (0, {step.name for step in Step if step not in OF_PREDICTIONS})
