"""Trials of a policy on a holdout with equal models, planted gains and planted regressions. Pure and seeded."""

from __future__ import annotations

from lockgate.gates.selftest.drawn import Drawn, Sign
from lockgate.gates.selftest.rates import Rate
from lockgate.gates.selftest.record import Selftest, Trials
from lockgate.gates.selftest.trials import selftest

__all__ = ["Drawn", "Rate", "Selftest", "Sign", "Trials", "selftest"]
