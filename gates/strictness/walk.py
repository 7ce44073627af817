"""Two records of the same kind → what changed between them, field by field, by the rules that the fields declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from lockgate.gates.strictness.findings import Category, Direction, Finding, finding
from lockgate.gates.strictness.rules import Changed, Place, Rule

_UNKNOWN = Changed(Category.DEFAULT, why="nobody declared which way this goes")


def declared(kind: type[BaseModel]) -> dict[str, Rule]:
    """The rule of each field of a record that declares one."""
    found = {
        name: next((one for one in held.metadata if isinstance(one, Rule)), None)
        for name, held in kind.model_fields.items()
    }
    return {name: rule for name, rule in found.items() if rule is not None}


def undeclared(kind: type[BaseModel]) -> tuple[str, ...]:
    """The fields that declare no rule, but for those that have one possible value."""
    known = declared(kind)
    return tuple(
        name for name, held in kind.model_fields.items() if name not in known and not _constant(held.annotation)
    )


def _constant(annotation: object) -> bool:
    return annotation is type(None) or (get_origin(annotation) is Literal and len(get_args(annotation)) == 1)


def differences(before: BaseModel, after: BaseModel, where: str) -> Iterator[Finding]:
    """What changed from one record to the other; nothing for records that say the same.

    Records of two kinds are one change, to be reviewed. Where a field changes that says what is asked, limits beside it
    are of something else: whatever else changed is then to be reviewed too, except that a gate no longer blocks.
    """
    if type(before) is not type(after):
        yield finding(
            Category.GATES, Direction.REVIEW, where, before, after, "a gate of another kind asks another thing"
        )
        return
    rules = declared(type(before))
    names = [*type(before).model_fields, *sorted({*(before.model_extra or {}), *(after.model_extra or {})})]
    changed = {}
    for name in names:
        old, new = (getattr(one, name, None) for one in (before, after))
        if old != new or _ordered(old) != _ordered(new):
            changed[name] = old, new
    moved = any(isinstance(rule := rules.get(name), Changed) and rule.identity for name in changed)
    for name, (old, new) in changed.items():
        place = Place(where=f"{where}.{name}" if where else name, before=before, after=after, walk=differences)
        for found in rules.get(name, _UNKNOWN).compare(old, new, place):
            yield _in_doubt(found) if moved else found


def _ordered(value: object) -> object:
    """What tells two mappings apart that hold the same in another order."""
    return list(value) if isinstance(value, Mapping) else None


def _in_doubt(found: Finding) -> Finding:
    if found.category is Category.SEVERITY or found.direction in (Direction.REVIEW, Direction.NEUTRAL):
        return found
    why = "what is asked changes too, so that the two values cannot be compared"
    return replace(found, direction=Direction.REVIEW, why=why)
