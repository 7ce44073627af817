"""Apply a plan: exactly what was shown, to exactly the objects that were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockgate.gates.errors import DeployError
from lockgate.pipelines.deployment.cluster import Cluster
from lockgate.pipelines.deployment.normal import DEPLOYED_AT, OURS, add_commit, comparable_form
from lockgate.pipelines.deployment.objects import Document
from lockgate.pipelines.deployment.plan import DeployPlan, ObjectChange

COMMIT_ANNOTATION = f"{OURS}commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployStamp:
    """What is noted on every written object. It is never compared."""

    commit: str  # of this checkout
    time: str  # ISO 8601, UTC

    def on(self, document: Document) -> Document:
        metadata = dict(document["metadata"])
        noted = {DEPLOYED_AT: self.time} | ({COMMIT_ANNOTATION: self.commit} if self.commit else {})
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **noted}
        noted_on: Document = {**document, "metadata": metadata}
        return dict(add_commit(noted_on, self.commit)) if self.commit else noted_on


def apply_plan(plan: DeployPlan, cluster: Cluster, stamp: DeployStamp, *, report: Callable[[str], object]) -> None:
    """Apply the needed changes, object by object, and read each object back.

    These are Metaflow's own documents in Metaflow's order. They are not created by Metaflow a second time, because it
    reads an object's version just before it writes: what somebody else deployed since the plan would be lost.

    Raises DeployError, which lists what was applied and what was not. Running the command again applies the rest.
    """
    applied: list[ObjectChange] = []
    for change in plan.needed_changes:
        try:
            _apply_change(change, cluster, stamp)
        except DeployError as err:
            if _is_there(change, cluster):  # the answer was lost, not the write
                applied.append(change)
                report(f"{change.action:<9}  {change.key}")
                continue
            raise _interruption_error(err, applied, plan.needed_changes[len(applied) :]) from err
        applied.append(change)
        report(f"{change.action:<9}  {change.key}")


def _apply_change(change: ObjectChange, cluster: Cluster, stamp: DeployStamp) -> None:
    key, before, after = change.key, change.before, change.after
    if after is None:
        cluster.delete(key)
    elif before is None:
        cluster.create(key, stamp.on(after))
    else:
        cluster.replace(key, stamp.on(after), version=str(before["metadata"]["resourceVersion"]))
    if not _as_planned(change, cluster.get(key)):
        raise DeployError(f"{key} was {change.action}, but reads back differently")


def _is_there(change: ObjectChange, cluster: Cluster) -> bool:
    """Whether the object is as planned despite the error. If it cannot be read, it counts as not applied."""
    try:
        return _as_planned(change, cluster.get(change.key))
    except DeployError:
        return False


def _as_planned(change: ObjectChange, current: Document | None) -> bool:
    if change.after is None:
        return current is None or bool(current["metadata"].get("deletionTimestamp"))
    return current is not None and comparable_form(change.key, current) == comparable_form(change.key, change.after)


def _interruption_error(
    err: DeployError, applied: list[ObjectChange], remaining: tuple[ObjectChange, ...]
) -> DeployError:
    def names(changes: list[ObjectChange] | tuple[ObjectChange, ...]) -> str:
        return ", ".join(str(change.key) for change in changes) or "nothing"

    return DeployError(
        f"{err}; applied: {names(applied)}; not applied: {names(remaining)}", hint="run it again to apply the rest"
    )
