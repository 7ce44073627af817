"""The builders of tests/gates, for conformance tests too."""

from __future__ import annotations

from tests.gates.conftest import make

__all__ = ["make"]
