"""Results that other tools wrote, a file per tool: the one dict where `lockgate import` looks formats up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lockgate.pipelines.results.inspect_logs import read_inspect
from lockgate.pipelines.results.promptfoo import read_promptfoo
from lockgate.pipelines.results.results import Results, Selection
from lockgate.pipelines.results.tables import read_csv, read_jsonl, read_parquet

TABLES = ("csv", "parquet", "jsonl")
"""Formats that are tables, whose columns options name."""

READERS: Mapping[str, Callable[[Path, Selection], Results]] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "jsonl": read_jsonl,
    "inspect": read_inspect,
    "promptfoo": read_promptfoo,
}

__all__ = ["READERS", "TABLES", "Results", "Selection"]
