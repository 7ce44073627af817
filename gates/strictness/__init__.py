"""What makes a setting weaker or stricter: a rule beside each field, applied to two versions of the same settings.

The rule is part of the field's annotation, as in `min: Annotated[float, higher(Category.FLOOR)]`. A field without a
rule never counts as harmless: every change of it needs review.
"""

from __future__ import annotations

from lockgate.gates.strictness.findings import Category, Changes, Direction, Finding, make_finding
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
from lockgate.gates.strictness.walk import compare_records, declared_rules, undeclared_fields

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
    "compare_records",
    "declared_rules",
    "higher",
    "lower",
    "make_finding",
    "undeclared_fields",
]
