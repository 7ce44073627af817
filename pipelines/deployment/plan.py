"""What a deployment would change, object by object."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lockgate.pipelines.deployment.normal import comparable_form, to_yaml
from lockgate.pipelines.deployment.objects import PLURALS, Document, ObjectKey
from lockgate.pipelines.deployment.recording import CompiledObjects

_MAX_DIFF_LINES = 60
"""Lines shown of one object's difference, unless all are requested."""


class Action(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One object before and after. None: it does not exist."""

    key: ObjectKey
    before: Document | None
    after: Document | None

    @property
    def action(self) -> Action:
        if self.before is None:
            return Action.CREATED
        if self.after is None:
            return Action.DELETED
        same = comparable_form(self.key, self.before) == comparable_form(self.key, self.after)
        return Action.UNCHANGED if same else Action.CHANGED

    def difference(self, *, whole: bool = False) -> list[str]:
        """The lines of YAML that change, as a unified difference; shortened unless `whole`."""
        before, after = (
            [] if document is None else to_yaml(comparable_form(self.key, document)).splitlines()
            for document in (self.before, self.after)
        )
        lines = list(difflib.unified_diff(before, after, "deployed", "this checkout", lineterm="", n=2))
        if whole or len(lines) <= _MAX_DIFF_LINES:
            return lines
        return [*lines[:_MAX_DIFF_LINES], f"… and {len(lines) - _MAX_DIFF_LINES} lines more"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan:
    """Every existing or desired object, in the order in which they are applied."""

    changes: tuple[ObjectChange, ...]

    @property
    def needed_changes(self) -> tuple[ObjectChange, ...]:
        return tuple(change for change in self.changes if change.action is not Action.UNCHANGED)

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.changes)


def plan_changes(deployed: Mapping[ObjectKey, Document], desired: CompiledObjects) -> DeployPlan:
    """The changes from what is deployed to what is desired. Objects that are no longer desired are deleted."""
    keys = {*deployed, *desired.objects}
    changes = [ObjectChange(key=key, before=deployed.get(key), after=desired.objects.get(key)) for key in keys]
    return DeployPlan(changes=tuple(sorted(changes, key=_apply_order)))


def plan_removal(deployed: Mapping[ObjectKey, Document]) -> DeployPlan:
    """The changes that delete everything."""
    return plan_changes(deployed, CompiledObjects(objects={}))


def describe_plan(plan: DeployPlan, *, whole: bool = False) -> Iterator[str]:
    """The plan for people: one line per object, and what changes in it."""
    for change in sorted(plan.changes, key=lambda listed: (listed.key.name.replace(".", "-"), _apply_order(listed))):
        yield f"{change.action:<9}  {change.key}"
        if change.action is Action.CHANGED:
            yield from (f"    {line}" for line in change.difference(whole=whole)[2:])
    counts = ", ".join(f"{plan.count(action)} {action}" for action in Action if plan.count(action))
    yield counts or "nothing is deployed"


_ORDER = tuple(PLURALS.values())


def _apply_order(change: ObjectChange) -> tuple[int, int, ObjectKey]:
    """Delete what may start a flow first, then write templates before what starts them, then delete templates."""
    template = change.key.plural == PLURALS["WorkflowTemplate"]
    if change.after is None:
        return (3 if template else 0, _ORDER.index(change.key.plural), change.key)
    return (1, _ORDER.index(change.key.plural), change.key)
