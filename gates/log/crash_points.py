"""The points at which a process may die while it commits, tags or publishes. `tests/crashes` kills commands at each."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """How far a command has come, in the order of the code."""

    HEAD_READ = "the head of the log was read"
    JUDGED = "the challenger was judged"
    PROBE_CREATED = "the probe exists, and the store is about to be asked to create it again"
    PROBED = "the store refused to create the probe twice"
    POLICY_KEPT = "the policy is stored beside the log"
    ENTRY_SIGNED = "the entry is about to be created"
    ENTRY_CREATED = "the entry is created, which is the commit"
    HINTED = "the hint names the entry"
    TAGGING = "the run's tags are about to be changed"
    TAG_PUT = "the tags were changed, and are about to be read back"
    TAGGED = "the tags were read back"
    COMMITTING = "the shards are staged, and are about to become the current version of predictions"
    PUBLISHED = "the version is current, and older versions are about to be pruned"
    WITHDRAWING = "versions of revoked models are about to be withdrawn without a successor"
    WITHDRAWN = "versions of revoked models were withdrawn"


hook: Callable[[Step], None] | None = None
"""Called with every step. Only tests set it; None in production."""


def report_step(step: Step) -> None:
    """Call the hook with `step`, if there is a hook."""
    if hook is not None:
        hook(step)
