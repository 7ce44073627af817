"""Compare two policies: every change from one to the other, as findings. Pure: reads no files."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import Category, Direction, Finding, compare_records, make_finding


def compare_policies(before: Policy, after: Policy, *, where: str = "gate") -> tuple[Finding, ...]:
    """Every change, in the order of the policy's keys; nothing where both policies are equal."""
    return (*compare_records(before, after, where), *_find_weaker_proof(before, after, where))


def _find_weaker_proof(before: Policy, after: Policy, where: str) -> Iterator[Finding]:
    """Gates that pass unless harm is proven: asking for more proof is stricter in every other gate but weaker here."""
    old, new = dict(_harm_levels(before, where)), dict(_harm_levels(after, where))
    wider = before.clusters == "ignore" and after.clusters != "ignore"
    for name, old_level in old.items():
        new_level = new.get(name)  # None: the gate is gone or of another kind, which is a finding of its own
        if new_level is None or not (new_level > old_level or wider):
            continue
        if new_level > old_level:
            how = f"at {new_level:.6g} instead of {old_level:.6g}"
        else:
            how = "by cluster, in wider intervals"
        why = f"this gate passes unless harm is proven, and harm must now be proven {how}"
        levels = (_describe_level(before, old_level), _describe_level(after, new_level))
        yield make_finding(Category.CONFIDENCE, Direction.REVIEW, name, *levels, why)


def _harm_levels(policy: Policy, where: str) -> Iterator[tuple[str, float]]:
    """The paths of gates that pass unless harm is proven, and the confidence level at which each proves it."""
    scheduled = 1 - policy.scheduled_alpha
    for name, check in policy.checks.items():
        path = f"{where}.checks.{name}"
        checks: dict[str, object] = {path: check}
        level = policy.confidence
        if isinstance(check, AnyOf):
            checks = {f"{path}.checks.{inner}": candidate for inner, candidate in check.checks.items()}
            level = scheduled if check.is_scheduled else level
        for place, candidate in checks.items():
            if isinstance(candidate, Slices) and candidate.require == "no_proven_harm":
                yield place, level


def _describe_level(policy: Policy, level: float) -> str:
    return f"{level:.6g}, clusters: {policy.clusters}"
