"""Where the rows of a version lie, of which a ledger says what is published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from pipelines.stores.ledger import Part

if TYPE_CHECKING:
    import pyarrow as pa


class Parts(Protocol):
    """Where rows lie. Reading raises FileNotFoundError where a part is not there any more."""

    def write(self, folder: str, shard: int, rows: pa.RecordBatchReader) -> list[Part]:
        """Write the rows of a shard into `folder`, where nothing refers to them yet. RepeatError as in `check`."""

    def remove(self, folder: str, parts: Sequence[Part] | None) -> None:
        """Delete these parts; None: whatever there is in the folder, also what was never finished."""

    def check(self, parts: Sequence[Part]) -> None:
        """Raise RepeatError where a key is in two parts, StoreError where a part has other rows than it should."""

    def find(self, parts: Sequence[Part], key: str) -> float | None:
        """The score of a key; None where no part has it."""

    def read(self, parts: Sequence[Part], keys: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        """The rows of `keys` that there are, or all, a bounded number at a time."""
