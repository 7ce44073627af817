"""How many rows a policy needs before a holdout is worth judging on: `plan(policy, power=…) -> RowPlan`. Pure."""

from __future__ import annotations

from lockgate.gates.planning.planner import plan
from lockgate.gates.planning.record import Need, RowPlan

__all__ = ["Need", "RowPlan", "plan"]
