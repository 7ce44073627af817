from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from lockgate.pipelines.data import DataSettings, Table, load
from tests.configuration import CONF

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def conf() -> Callable[[str], dict[str, Any]]:
    return lambda name: yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def flights_settings(conf: Callable[[str], dict[str, Any]]) -> DataSettings:
    return DataSettings.model_validate(conf("data/flights"))


@pytest.fixture(scope="session")
def flights(flights_settings: DataSettings) -> Table:
    return load(flights_settings, root=ROOT)


@pytest.fixture
def declared(conf: Callable[[str], dict[str, Any]]) -> Callable[..., DataSettings]:
    """conf/data/table.yaml with its ??? filled in, and whatever else a test changes."""

    def make(**changes: Any) -> DataSettings:
        filled = {"project": "mine", "path": "mine.csv", "target": "y"}
        return DataSettings.model_validate(conf("data/table") | filled | changes)

    return make


@pytest.fixture
def loaded(tmp_path: Path, declared: Callable[..., DataSettings]) -> Callable[..., Table]:
    """The table made of these columns, written as Parquet and loaded as conf/data/table.yaml declares it."""

    def make(columns: dict[str, Any], **changes: Any) -> Table:
        pd.DataFrame(columns).to_parquet(tmp_path / "mine.parquet", index=False)
        return load(declared(path="mine.parquet", **changes), root=tmp_path)

    return make
