"""The places at which a process may die while it commits: what tests of crashes go through, one by one."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """Where a commit is, in the order of the code."""

    HEAD_READ = "the head of the log was read"
    JUDGED = "the challenger was judged"
    PROBE_CREATED = "the store holds the probe that it is asked to create again"
    PROBED = "the store was seen to refuse that"
    POLICY_KEPT = "the policy lies beside the log"
    ENTRY_SIGNED = "the entry is about to be created"
    ENTRY_CREATED = "the entry is created, which is the commit"
    HINTED = "the hint names the entry"
    TAGGING = "the candidate's tag is about to be put on the run"
    TAG_PUT = "the tag was put, and is about to be read back"
    TAGGED = "the tag was read back"
    COMMITTING = "the shards are staged, and are about to become the current version of predictions"
    PUBLISHED = "they are, and older versions are about to be pruned"
    WITHDRAWING = "versions of revoked models are about to be withdrawn without a successor"
    WITHDRAWN = "they are"


hook: Callable[[Step], None] | None = None
"""What is told of every step; None in production."""


def report_step(step: Step) -> None:
    """Tell the hook, if there is one."""
    if hook is not None:
        hook(step)
