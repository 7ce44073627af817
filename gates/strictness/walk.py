"""What changed between two records of the same kind, field by field, classified by the rules of the fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from lockgate.gates.strictness.findings import Category, Direction, Finding, make_finding
from lockgate.gates.strictness.rules import Changed, Place, Rule

_UNKNOWN = Changed(Category.DEFAULT, why="no rule says whether this is weaker or stricter")


def declared_rules(kind: type[BaseModel]) -> dict[str, Rule]:
    """The rules of a record's fields, for those that declare one."""
    rules = {
        name: next((item for item in field.metadata if isinstance(item, Rule)), None)
        for name, field in kind.model_fields.items()
    }
    return {name: rule for name, rule in rules.items() if rule is not None}


def undeclared_fields(kind: type[BaseModel]) -> tuple[str, ...]:
    """The fields without a rule, except those that have only one possible value."""
    rules = declared_rules(kind)
    return tuple(
        name for name, field in kind.model_fields.items() if name not in rules and not _is_constant(field.annotation)
    )


def _is_constant(annotation: object) -> bool:
    return annotation is type(None) or (get_origin(annotation) is Literal and len(get_args(annotation)) == 1)


def compare_records(before: BaseModel, after: BaseModel, where: str) -> Iterator[Finding]:
    """What changed from one record to the other; nothing if they mean the same.

    Records of different kinds are one change, which needs review. If a field changes that decides what is measured
    (`Changed` with `identity`), limits apply to something else: all other changes then need review too, except those of
    the severity.
    """
    if type(before) is not type(after):
        yield make_finding(
            Category.GATES, Direction.REVIEW, where, before, after, "a gate of another kind checks something else"
        )
        return
    rules = declared_rules(type(before))
    names = [*type(before).model_fields, *sorted({*(before.model_extra or {}), *(after.model_extra or {})})]
    changed = {}
    for name in names:
        old, new = (getattr(record, name, None) for record in (before, after))
        if old != new or _key_order(old) != _key_order(new):
            changed[name] = old, new
    other_measure = any(isinstance(rule := rules.get(name), Changed) and rule.identity for name in changed)
    for name, (old, new) in changed.items():
        place = Place(where=f"{where}.{name}" if where else name, before=before, after=after, walk=compare_records)
        for finding in rules.get(name, _UNKNOWN).compare(old, new, place):
            yield _for_review(finding) if other_measure else finding


def _key_order(value: object) -> object:
    """The keys of a mapping in order: mappings with the same items in another order are equal, but count as changed."""
    return list(value) if isinstance(value, Mapping) else None


def _for_review(finding: Finding) -> Finding:
    if finding.category is Category.SEVERITY or finding.direction in (Direction.REVIEW, Direction.NEUTRAL):
        return finding
    why = "what is measured changes too, so the two values cannot be compared"
    return replace(finding, direction=Direction.REVIEW, why=why)
