"""Prediction stores by name: a store is one file here and one line in `STORES`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import dynamodb, parquet, postgres, redis, sqlite
from lockgate.pipelines.stores.publishing import Spool, publish_draft, spool_rows
from lockgate.pipelines.stores.store import (
    Draft,
    Prediction,
    PublishedVersion,
    Store,
    StoreKind,
    VersionRows,
    find_model_versions,
)
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    from lockgate.pipelines.stores.settings import StoreSettings

STORES: dict[str, StoreKind] = {
    "sqlite": sqlite,
    "parquet": parquet,
    "dynamodb": dynamodb,
    "postgres": postgres,
    "redis": redis,
}

__all__ = [
    "STORES",
    "Draft",
    "Prediction",
    "PublishedVersion",
    "Spool",
    "Store",
    "StoreKind",
    "Tally",
    "VersionRows",
    "find_model_versions",
    "open_store",
    "publish_draft",
    "spool_rows",
]


def open_store(settings: StoreSettings, *, home: Path) -> Store:
    """The declared store; a relative path starts at `home`. Raises StoreError for an unknown kind."""
    if settings.kind not in STORES:
        raise StoreError(f"unknown store {settings.kind!r}", expected=f"one of {', '.join(STORES)}", where="store.kind")
    return STORES[settings.kind].open_store(settings.params, home)
