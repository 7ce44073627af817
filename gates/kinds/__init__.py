"""The kinds of gate: one tuple of classes, from which everything else that names kinds is made."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, TypeAlias, get_args

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
from lockgate.gates.kinds.periods import Periods
from lockgate.gates.kinds.provenance import Provenance
from lockgate.gates.kinds.resource import Resource
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.kinds.threshold import Threshold

CLASSES: tuple[type[Check], ...] = (
    Threshold,
    Improvement,
    Slices,
    Periods,
    Fairness,
    Disagreement,
    Calibration,
    Leakage,
    Condition,
    Drift,
    Data,
    Resource,
    Provenance,
    Parity,
    AnyOf,
)
"""A new kind is imported above and listed here, in the order of the docs."""

if TYPE_CHECKING:  # a type checker cannot read a union out of a tuple, and needs no more than what all kinds share
    AnyCheck: TypeAlias = Check
    SingleCheck: TypeAlias = Check
else:  # pydantic reads the classes: a policy's `kind` chooses one of them
    AnyCheck = reduce(or_, CLASSES)
    SingleCheck = reduce(or_, (kind for kind in CLASSES if kind is not AnyOf))

AnyOf.model_rebuild(_types_namespace={"SingleCheck": SingleCheck})  # the checks that it may hold: those that hold none


def _name(kind: type[Check]) -> str:
    """What a policy writes under `kind`."""
    (name,) = get_args(kind.model_fields["kind"].annotation)
    return str(name)


KINDS: dict[str, type[Check]] = {_name(kind): kind for kind in CLASSES}
PART_NOUNS: dict[str, str] = {name: kind.part_noun for name, kind in KINDS.items()}
"""What reports call the parts of a gate, by its kind."""

__all__ = ["CLASSES", "KINDS", "PART_NOUNS", "AnyCheck", "Check", "SingleCheck"]
