"""Tags of runs: read, and changed until reading them back agrees."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import RunError
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.gates.runs.metadata import ask_metaflow, find_run, metadata_timeout, retry_pauses
from lockgate.gates.runs.ownership import ForeignRunError, Owner, ownership

if TYPE_CHECKING:
    from metaflow import Run

_SETTLE_S = (0.05, 0.15)
"""Seconds until a tag is read back: another writer to the local metadata takes back what it has not seen."""

_LISTING_FACTOR = 6
"""A list of all runs may take so many times longer than any other answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTags:
    """The tags of one run: those that anybody may change, and those that nobody may."""

    run: str
    user: frozenset[str]
    system: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetagResult:
    """What was changed. `stuck`: tags that should go and cannot, as Metaflow's system tags."""

    added: frozenset[str]
    removed: frozenset[str]
    stuck: frozenset[str]


def retag(
    pathspec: str,
    *,
    project: str,
    logged: bool = True,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    seconds: float | None = None,
) -> RetagResult:
    """Put and drop tags of a run of `project`, again and again until reading them back agrees. What it has it keeps.

    `logged`: the log of the project names the run. Other writers may change other tags meanwhile; the local metadata
    lose changes without a word, the service answers 409.

    Raises:
        ForeignRunError: something is to be changed, and the run is not known to be the project's.
        RunError: the run is not there, the tags do not stay or there are too many, within `seconds`.
    """
    limit = metadata_timeout() if seconds is None else seconds
    until = time.monotonic() + limit
    done: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    for pause in retry_pauses():
        run = find_run(pathspec, seconds=max(0.0, until - time.monotonic()))
        lacking = frozenset(add) - run.user_tags - run.system_tags
        extra = frozenset(remove) & run.user_tags
        if not lacking and not extra:
            report_step(Step.TAGGED)
            return RetagResult(added=done[0], removed=done[1], stuck=frozenset(remove) & run.system_tags)
        if time.monotonic() >= until:
            raise RunError(f"the tags were not kept for {limit:.3g} s", where=pathspec)
        if done == (frozenset(), frozenset()):
            _check_own(run, project, logged=logged)
        done = (done[0] | lacking, done[1] | extra)
        report_step(Step.TAGGING)
        _change(run, lacking, extra, seconds=max(0.0, until - time.monotonic()))
        report_step(Step.TAG_PUT)
        time.sleep(random.uniform(*_SETTLE_S) + (pause if pause > _SETTLE_S[1] else 0))  # noqa: S311 (only a pause)
    raise AssertionError("unreachable")


def _check_own(run: Run, project: str, *, logged: bool) -> None:
    whose = ownership(run.pathspec, run.system_tags, project=project, logged=logged)
    if whose.owner is not Owner.OWN:
        raise ForeignRunError(f"the run {whose.description}", expected=f"project {project}", where=run.pathspec)


def _change(run: Run, add: frozenset[str], remove: frozenset[str], *, seconds: float) -> None:
    ask_metaflow(lambda: run.replace_tags(sorted(remove), sorted(add)), where=run.pathspec, seconds=seconds)


def tagged_runs(flow: str) -> Iterator[RunTags]:
    """Every run of a flow, in whatever namespace; none where there is no such flow. Raises RunError."""
    from metaflow import Flow, namespace
    from metaflow.exception import MetaflowNotFound

    def question() -> list[RunTags]:
        namespace(None)
        try:
            runs = Flow(flow)
        except MetaflowNotFound:
            return []
        return [RunTags(run=run.pathspec, user=run.user_tags, system=run.system_tags) for run in runs]

    yield from ask_metaflow(question, where=flow, seconds=_LISTING_FACTOR * metadata_timeout())
