"""What the judge's side saw of a run with its own eyes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A run that was found finished, under this name, when its artifacts were read.

    Only `gates.runs` makes one. It is no part of an evidence file: nothing that a run writes can stand for it.
    """

    run: str  # Metaflow pathspec
    model_sha256: str | None  # of the artifact `model`, as it was read; None where the run has none
