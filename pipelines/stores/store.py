"""What a prediction store does, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gates.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Predictions that become one version: all of them or none.

    keys: str (n,), unique row ids. scores: float64 (n,), probabilities for binary, predictions otherwise.
    `source` names what produced the batch; publishing the same source again changes nothing. `log_seq` is the head of
    the promotion log under which its model was admitted.
    """

    source: str
    project: str
    keys: Sequence[str]
    scores: NDArray[np.float64]
    window: str
    champion_run: str
    model_sha256: str
    log_seq: int
    log_sha256: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A published batch, without its rows."""

    version: int
    current: bool
    project: str
    rows: int
    window: str
    champion_run: str
    model_sha256: str
    log_seq: int
    log_sha256: str
    source: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One score and where it comes from."""

    key: str
    score: float
    version: int
    window: str
    champion_run: str
    model_sha256: str
    time: datetime


class Store(Protocol):
    """Versions of predictions, one project each. Readers see one version whole, or the one before it, never a mix."""

    def publish(self, batch: Batch) -> Version:
        """Make `batch` the current version, atomically; the earlier ones stay.

        Raises StoreError for one that was admitted under an earlier head of the log than a version that is kept.
        """

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        """The prediction of `key` in the current version, or in `version`; None where it has none."""

    def versions(self, project: str) -> list[Version]:
        """Every version kept, latest first; none before anything was published."""

    def rollback(self, project: str, *, to: int | None) -> Version:
        """Make an earlier version current again: the one before the current one, or `to`."""


def check_order(batch: Batch, last: int | None, *, where: str) -> None:
    """Refuse a batch that was admitted before `last`, the latest head of the log that a version was admitted under."""
    if last is not None and batch.log_seq < last:
        raise StoreError(
            f"{batch.source} was admitted under entry {batch.log_seq} of the promotion log, and a version was published"
            f" under entry {last} meanwhile",
            expected=f"entry {last} or a later one", where=where, hint="nothing was published; run Predict again",
        )  # fmt: skip


def check(batch: Batch, *, expected_rows: int, task: str) -> None:
    """Refuse a batch that must not be served; the last version then stays.

    Raises:
        StoreError: no rows, another count than the window has, repeated keys, scores that are not finite or, for
            binary, outside 0 … 1.
    """
    where = f"predictions of {batch.window}"
    hint = "nothing was published; the last version stays"
    n = batch.scores.size
    if n == 0 or n != expected_rows or len(batch.keys) != n:
        raise StoreError(
            f"the batch has {n:,} scores for {len(batch.keys):,} keys",
            expected=f"{expected_rows:,} of each, and at least one",
            where=where,
            hint=hint,
        )
    if len(set(batch.keys)) != n:
        raise StoreError(
            f"{n - len(set(batch.keys)):,} keys are repeated", expected="unique keys", where=where, hint=hint
        )
    good = (batch.scores >= 0) & (batch.scores <= 1) if task == "binary" else np.isfinite(batch.scores)
    if not good.all():
        raise StoreError(
            f"{n - int(good.sum()):,} of {n:,} scores are missing or out of range",
            expected="0 … 1" if task == "binary" else "finite numbers",
            where=where,
            hint=hint,
        )
