"""Trials of a policy on a holdout with equal models, planted gains and planted regressions. Pure and seeded."""

from __future__ import annotations

from lockgate.gates.selftest.record import Rate, Selftest, Trials
from lockgate.gates.selftest.trials import selftest

__all__ = ["Rate", "Selftest", "Trials", "selftest"]
