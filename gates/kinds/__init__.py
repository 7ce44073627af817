"""Kinds of gate by name: the one dict that the policy's schema and the docs take their names from."""

from __future__ import annotations

from lockgate.gates.gate.check import Check
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.calibration import Calibration
from lockgate.gates.kinds.condition import Condition
from lockgate.gates.kinds.data import Data
from lockgate.gates.kinds.disagreement import Disagreement
from lockgate.gates.kinds.drift import Drift
from lockgate.gates.kinds.fairness import Fairness
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.leakage import Leakage
from lockgate.gates.kinds.parity import Parity
from lockgate.gates.kinds.provenance import Provenance
from lockgate.gates.kinds.resource import Resource
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.kinds.threshold import Threshold

Single = (
    Threshold
    | Improvement
    | Slices
    | Fairness
    | Disagreement
    | Calibration
    | Leakage
    | Condition
    | Drift
    | Data
    | Resource
    | Provenance
    | Parity
)
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
