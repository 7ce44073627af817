"""What makes a setting weaker or stricter: declared beside each field, compared for two versions of the same settings.

A field says so by a rule in its annotation, as in `min: Annotated[float, higher(Category.FLOOR)]`. A field without one
is never taken for harmless: each change of it is to be reviewed.
"""

from __future__ import annotations

from lockgate.gates.strictness.findings import Category, Changes, Direction, Finding, finding
from lockgate.gates.strictness.rules import (
    AUTHOR,
    PARTS,
    RUNNING,
    WORDING,
    Changed,
    Depends,
    Given,
    Keyed,
    Limit,
    Looks,
    Members,
    Named,
    Parts,
    Place,
    Ranked,
    Rule,
    higher,
    lower,
)
from lockgate.gates.strictness.walk import declared, differences, undeclared

__all__ = [
    "AUTHOR",
    "PARTS",
    "RUNNING",
    "WORDING",
    "Category",
    "Changed",
    "Changes",
    "Depends",
    "Direction",
    "Finding",
    "Given",
    "Keyed",
    "Limit",
    "Looks",
    "Members",
    "Named",
    "Parts",
    "Place",
    "Ranked",
    "Rule",
    "declared",
    "differences",
    "finding",
    "higher",
    "lower",
    "undeclared",
]
