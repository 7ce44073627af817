"""The builders of tests/gates, for conformance tests too."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

BUILDERS = Path(__file__).parents[1] / "gates/conftest.py"


@pytest.fixture(scope="session")
def make() -> Any:
    spec = importlib.util.spec_from_file_location("builders", BUILDERS)
    builders = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builders)
    return builders.Make
