"""Tags of runs: read, and changed until reading them back confirms the change."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import RunError
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.gates.runs.metadata import ask_metaflow, find_run, metadata_timeout, retry_pauses
from lockgate.gates.runs.metaflow_api import find_local_metadata
from lockgate.gates.runs.ownership import ForeignRunError, Owner, find_owner

if TYPE_CHECKING:
    from metaflow import Run

_SETTLE_S = (0.05, 0.15)
"""Seconds to wait before reading back, as a writer of local metadata overwrites changes that it has not seen."""

_LOCK_PAUSE_S = 0.02

_LISTING_FACTOR = 6
"""How many times longer a list of all runs may take than any other answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTags:
    """The tags of one run: user tags, which anybody may change, and system tags, which nobody can."""

    run: str
    user: frozenset[str]
    system: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetagResult:
    """What was changed. `stuck` tags should be removed but cannot, as they are system tags."""

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
    """Add and remove tags of a run of `project`, repeatedly, until reading them back confirms it. Other tags stay.

    `logged`: the log of the project names the run. Other processes may change other tags at the same time. Local
    metadata then lose changes silently; the service answers 409.

    Raises:
        ForeignRunError: a change is needed, and the run is not known to be the project's.
        RunError: there is no such run, it has too many tags, or the tags do not stay within `seconds`.
    """
    limit = metadata_timeout() if seconds is None else seconds
    deadline = time.monotonic() + limit
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    for pause in retry_pauses():
        run = find_run(pathspec, seconds=max(0.0, deadline - time.monotonic()))
        lacking = frozenset(add) - run.user_tags - run.system_tags
        extra = frozenset(remove) & run.user_tags
        if not lacking and not extra:
            report_step(Step.TAGGED)
            return RetagResult(added=added, removed=removed, stuck=frozenset(remove) & run.system_tags)
        if time.monotonic() >= deadline:
            raise RunError(f"the tags did not stay for {limit:.3g} s", where=pathspec)
        if not added and not removed:
            _check_ownership(run, project, logged=logged)
        added, removed = added | lacking, removed | extra
        report_step(Step.TAGGING)
        with _lock_tags(pathspec, deadline=deadline):
            _change(run, lacking, extra, seconds=max(0.0, deadline - time.monotonic()))
        report_step(Step.TAG_PUT)
        time.sleep(random.uniform(*_SETTLE_S) + (pause if pause > _SETTLE_S[1] else 0))  # noqa: S311 (only a pause)
    raise AssertionError("unreachable")


@contextmanager
def _lock_tags(pathspec: str, *, deadline: float) -> Iterator[None]:
    """Keep other processes that retag from this run's local metadata meanwhile; behind a service there is no need.

    Metaflow reads, writes and reads back, so that a slow writer overwrites what another has confirmed already. Whoever
    cannot wait any longer goes on, as one does that knows no lock: what is read back counts.
    """
    folder = find_local_metadata(pathspec)
    if folder is None or sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(_LOCK_PAUSE_S)
        yield
    finally:
        os.close(handle)


def _check_ownership(run: Run, project: str, *, logged: bool) -> None:
    ownership = find_owner(run.pathspec, run.system_tags, project=project, logged=logged)
    if ownership.owner is not Owner.OWN:
        raise ForeignRunError(f"the run {ownership.description}", expected=f"project {project}", where=run.pathspec)


def _change(run: Run, add: frozenset[str], remove: frozenset[str], *, seconds: float) -> None:
    ask_metaflow(lambda: run.replace_tags(sorted(remove), sorted(add)), where=run.pathspec, seconds=seconds)


def list_tagged_runs(flow: str) -> Iterator[RunTags]:
    """The tags of every run of a flow, in any namespace; nothing if there is no such flow. Raises RunError."""
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
