"""The whole promotion log held against itself and against what it points to: every deviation, not the first."""

from lockgate.gates.verification.entries import Walked, walked
from lockgate.gates.verification.findings import Deviation, Findings
from lockgate.gates.verification.runs import Mistagged, check_promotions, check_revoked, check_versions, mistagged

__all__ = [
    "Deviation",
    "Findings",
    "Mistagged",
    "Walked",
    "check_promotions",
    "check_revoked",
    "check_versions",
    "mistagged",
    "walked",
]
