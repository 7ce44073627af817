"""What `any_of` asks of a sample: every alternative at its share of the error rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gates.case import Case
from gates.kinds import Single
from gates.kinds.any_of import AnyOf
from gates.planning.several import Asked, Part, Several


def any_of(check: AnyOf, case: Case, of: Callable[[Single, Case], Asked], *, facts: frozenset[str]) -> Several:
    """One check is enough, at alpha over as many as decide by an interval; `facts`: kinds that estimate nothing.

    The level is that of a scheduled look where one of them asks for a gain: a plan supposes that there is a champion.
    """
    whole = replace(case, confidence=case.scheduled_confidence) if check.scheduled else case
    sharing = sum(
        one.kind not in facts and getattr(one, "decide", "") != "point" for one in check.checks.values()
    )  # fmt: skip
    shared = whole.shared(max(sharing, 1))
    parts = {name: Part(kind=one.kind, rule=one.rule, asked=of(one, shared)) for name, one in check.checks.items()}
    return Several(parts=parts, one=True)
