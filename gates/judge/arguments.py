"""The arguments of `judge`, checked before anything is read of them."""

from __future__ import annotations

from datetime import datetime

from lockgate.gates.errors import LockgateError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.state import State

_MADE_BY = {
    Policy: "Policy.parse or Policy.read",
    Evidence: "Evidence.from_arrays or Evidence.read",
    State: "State.parse",
}


def check_arguments(
    policy: object, evidence: object, state: object, *, now: object, uncompared: object, claimed: object
) -> None:
    """Raise LockgateError unless every argument of `judge` is of its type, and `now` has a time zone."""
    for name, value, kind in (("policy", policy, Policy), ("evidence", evidence, Evidence), ("state", state, State)):
        if not isinstance(value, kind) and not (value is None and kind is State):
            raise LockgateError(
                f"{name} is a {type(value).__name__}",
                expected=f"a {kind.__name__}, which {_MADE_BY[kind]} makes",
                where="judge",
            )
    for name, text in (("uncompared", uncompared), ("claimed", claimed)):
        if not isinstance(text, str):
            raise LockgateError(f"{name} is a {type(text).__name__}", expected="the reason in words", where="judge")
    if now is not None and (not isinstance(now, datetime) or now.tzinfo is None):
        raise LockgateError("`now` has no time zone", expected="an aware datetime, as datetime.now(UTC)")
