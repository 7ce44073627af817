"""Two policies → every change from one to the other, as findings. Pure: nothing is read."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import Category, Direction, Finding, differences, finding


def policy_diff(before: Policy, after: Policy, *, where: str = "gate") -> tuple[Finding, ...]:
    """What changed, in the order of the policy's keys; nothing where both ask the same in the same words."""
    return (*differences(before, after, where), *_wanting_proof(before, after, where))


def _wanting_proof(before: Policy, after: Policy, where: str) -> Iterator[Finding]:
    """Gates that pass unless harm is proven: what asks for more proof everywhere else lets more harm through them."""
    old, new = dict(_unless_harmed(before, where)), dict(_unless_harmed(after, where))
    wider = before.clusters == "ignore" and after.clusters != "ignore"
    for name, level in old.items():
        asked = new.get(name)  # None: it is no such gate any more, which is a change of its own
        if asked is not None and (asked > level or wider):
            changed = f"at {asked:.6g} instead of {level:.6g}" if asked > level else "by cluster, in wider intervals"
            why = f"this gate passes unless harm is proven, which is now asked {changed}"
            yield finding(Category.CONFIDENCE, Direction.REVIEW, name, _told(before, level), _told(after, asked), why)


def _unless_harmed(policy: Policy, where: str) -> Iterator[tuple[str, float]]:
    """Where such gates are, and the level at which each proves harm."""
    scheduled = 1 - policy.scheduled_alpha
    for name, check in policy.checks.items():
        path = f"{where}.checks.{name}"
        held: dict[str, object] = {path: check}
        level = policy.confidence
        if isinstance(check, AnyOf):
            held = {f"{path}.checks.{inner}": one for inner, one in check.checks.items()}
            level = scheduled if check.scheduled else level
        for at, one in held.items():
            if isinstance(one, Slices) and one.require == "no_proven_harm":
                yield at, level


def _told(policy: Policy, level: float) -> str:
    return f"{level:.6g}, clusters: {policy.clusters}"
