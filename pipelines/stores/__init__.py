"""Prediction stores by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gates.errors import StoreError
from pipelines.stores.sqlite import SqliteStore
from pipelines.stores.store import Batch, Prediction, Store, Version, check

if TYPE_CHECKING:
    from pipelines.settings import StoreSettings

STORES: dict[str, Callable[[Path], Store]] = {"sqlite": SqliteStore}

__all__ = ["STORES", "Batch", "Prediction", "Store", "Version", "check", "open_store"]


def open_store(settings: StoreSettings, *, home: Path) -> Store:
    """The declared store; a relative path starts at `home`. Raises StoreError for an unknown kind."""
    if settings.kind not in STORES:
        raise StoreError(f"unknown store {settings.kind!r}", expected=f"one of {', '.join(STORES)}", where="store.kind")
    return STORES[settings.kind](home / settings.path)
