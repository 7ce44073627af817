"""The whole promotion log held against itself and against what it points to: every deviation, not the first."""

from lockgate.gates.verification.entries import LogWalk, walk_log
from lockgate.gates.verification.findings import Deviation, Findings
from lockgate.gates.verification.runs import (
    TagMismatch,
    check_promotions,
    check_revoked,
    check_versions,
    find_tag_mismatches,
)

__all__ = [
    "Deviation",
    "Findings",
    "LogWalk",
    "TagMismatch",
    "check_promotions",
    "check_revoked",
    "check_versions",
    "find_tag_mismatches",
    "walk_log",
]
