"""Kinds of gate by name: the one dict that the policy's schema and the docs take their names from."""

from __future__ import annotations

from gates.kinds.calibration import Calibration
from gates.kinds.check import Check
from gates.kinds.improvement import Improvement
from gates.kinds.leakage import Leakage
from gates.kinds.slices import Slices
from gates.kinds.threshold import Threshold

AnyCheck = Threshold | Improvement | Slices | Calibration | Leakage

KINDS: dict[str, type[AnyCheck]] = {
    "threshold": Threshold,
    "improvement": Improvement,
    "slices": Slices,
    "calibration": Calibration,
    "leakage": Leakage,
}

__all__ = ["KINDS", "AnyCheck", "Check"]
