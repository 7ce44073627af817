"""Kinds of gate by name: the one dict that the policy's schema and the docs take their names from."""

from __future__ import annotations

from gates.kinds.any_of import AnyOf
from gates.kinds.calibration import Calibration
from gates.kinds.check import Check
from gates.kinds.condition import Condition
from gates.kinds.data import Data
from gates.kinds.disagreement import Disagreement
from gates.kinds.drift import Drift
from gates.kinds.fairness import Fairness
from gates.kinds.improvement import Improvement
from gates.kinds.leakage import Leakage
from gates.kinds.parity import Parity
from gates.kinds.provenance import Provenance
from gates.kinds.resource import Resource
from gates.kinds.slices import Slices
from gates.kinds.threshold import Threshold

Single = (
    Threshold | Improvement | Slices | Fairness | Disagreement | Calibration | Leakage | Condition
    | Drift | Data | Resource | Provenance | Parity
)  # fmt: skip
AnyCheck = Single | AnyOf

AnyOf.model_rebuild(_types_namespace={"Single": Single})  # the checks that it may hold: those that hold none

KINDS: dict[str, type[AnyCheck]] = {
    "threshold": Threshold,
    "improvement": Improvement,
    "slices": Slices,
    "fairness": Fairness,
    "disagreement": Disagreement,
    "calibration": Calibration,
    "leakage": Leakage,
    "condition": Condition,
    "drift": Drift,
    "data": Data,
    "resource": Resource,
    "provenance": Provenance,
    "parity": Parity,
    "any_of": AnyOf,
}

__all__ = ["KINDS", "AnyCheck", "Check", "Single"]
