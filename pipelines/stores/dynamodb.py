"""Predictions in a DynamoDB table."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.bulk import RepeatError, chunks, keys_as_arrow
from lockgate.pipelines.stores.dynamodb_table import DynamoTable
from lockgate.pipelines.stores.ledger import Part, damaged_error
from lockgate.pipelines.stores.paged import PagedStore
from lockgate.pipelines.stores.store import PARAMS_CONFIG

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_BUCKET_BYTES = 8 * 1024  # about, as JSON: two units of capacity to read, eight to write
_MAX_ITEM_BYTES = 380 * 1024  # an item has at most 400 KB, its name among them
_ROW_BYTES = 26  # of JSON beyond the key
_READ_AT_ONCE = 100  # items; the limit of DynamoDB


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    table: str = Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")
    region: str | None  # null: as the environment says
    endpoint: str | None  # null: as the environment says, else Amazon's
    create: bool  # the table where it is not there, paid by request
    seconds: float = Field(gt=0, le=3600)  # that a request has, tries and all


def open_store(params: Params, home: Path) -> PagedStore:  # noqa: ARG001 (nothing of it is on this machine)
    """The store in the table that `params` names. Credentials are where boto3 looks for them."""
    table = DynamoTable(
        params.table, region=params.region, endpoint=params.endpoint, create=params.create, seconds=params.seconds
    )
    return PagedStore(table, DynamoParts(table))


class DynamoParts:
    """Items of a few hundred rows each, as JSON: `{key: score}`. The last page of the project says which are current:

    `page = json.loads(table.query(KeyConditionExpression=Key("pk").eq("PROJECT/ledger"), ScanIndexForward=False,
    Limit=1)["Items"][0]["document"])`. The row of a key is, for one `part` of `page["current"]["parts"]`, in the item
    `{"pk": f"{part['path']}/{zlib.crc32(key.encode()) % part['buckets']}", "sk": "rows"}`.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def write(self, folder: str, shard: int, rows: pa.RecordBatchReader) -> list[Part]:
        written: list[Part] = []
        name = f"{folder}/{shard:06d}-{secrets.token_hex(4)}"
        for number, chunk in enumerate(chunks(rows)):
            documents = self._buckets(chunk)
            part = {"path": f"{name}-{number:04d}", "rows": chunk.num_rows, "buckets": len(documents)}
            self._table.create(
                f"{part['path']}.part", json.dumps(part).encode()
            )  # first, so that `remove` finds a part that was cut short
            self._table.put_items(zip(_items(part), documents, strict=True))
            written.append(part)
        return written

    def remove(self, folder: str, parts: Sequence[Part] | None) -> None:
        if parts is None:
            names = [name for name in self._table.names(folder) if name.endswith(".part")]
            documents = [self._table.read_document(f"{folder}/{name}") for name in names]
            parts = [json.loads(blob) for blob in documents if blob is not None]
        for part in parts:
            self._table.delete_items(_items(part))

    def check(self, parts: Sequence[Part]) -> None:
        """Compare the buckets that agree modulo the fewest buckets: counts are powers of two, so equal keys meet."""
        if len(parts) < 2:
            return
        fewest, items = min(part["buckets"] for part in parts), sum(part["buckets"] for part in parts)
        step, row_count = max(1, _READ_AT_ONCE * fewest // items), 0
        for first in range(0, fewest, step):
            alike = range(first, min(first + step, fewest))
            names = [
                _item(part, bucket)
                for part in parts
                for residue in alike
                for bucket in range(residue, part["buckets"], fewest)
            ]
            keys = [key for rows in self._table.read_items(names) for key in rows]
            if len(set(keys)) < len(keys):
                raise RepeatError
            row_count += len(keys)
        if row_count != sum(part["rows"] for part in parts):
            raise damaged_error(self._table.where)

    def find(self, parts: Sequence[Part], key: str) -> float | None:
        (key_hash,) = _hashes(keys_as_arrow([key], where=self._table.where))
        names = [_item(part, int(key_hash) % part["buckets"]) for part in parts]
        return next((float(rows[key]) for rows in self._table.read_items(names) if key in rows), None)

    def read_batches(self, parts: Sequence[Part], keys: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        requested = None if keys is None else keys_as_arrow(keys, where=self._table.where)
        hashes = None if requested is None else _hashes(requested)
        for part in parts:
            count = part["buckets"]
            buckets = np.arange(count) if hashes is None else np.unique(hashes % count)
            for start in range(0, len(buckets), _READ_AT_ONCE):
                items = self._table.read_items(
                    [_item(part, bucket) for bucket in buckets[start : start + _READ_AT_ONCE].tolist()]
                )
                item_keys = [key for rows in items for key in rows]
                scores = [score for rows in items for score in rows.values()]
                batch = pa.record_batch(
                    {"key": pa.array(item_keys, pa.string()), "score": pa.array(scores, pa.float64())}
                )
                yield batch if requested is None else batch.filter(pc.is_in(batch["key"], requested))

    def _buckets(self, rows: pa.Table) -> list[str]:
        """The JSON of each bucket; their number is a power of two. Raises RepeatError for a repeated key."""
        import numpy as np

        rows = rows.combine_chunks()
        keys = rows["key"].combine_chunks()
        hashes = _hashes(keys)
        count = _power_of_two(keys.nbytes + _ROW_BYTES * len(keys), _BUCKET_BYTES)
        while True:
            by = np.argsort(hashes % count, kind="stable")
            ends = np.cumsum(np.bincount(hashes % count, minlength=count)).tolist()
            bucket_keys, scores = (rows[name].take(by).to_pylist() for name in ("key", "score"))
            buckets = [
                dict(zip(bucket_keys[a:b], scores[a:b], strict=True)) for a, b in zip([0, *ends], ends, strict=False)
            ]
            if sum(map(len, buckets)) < len(keys):
                raise RepeatError
            documents = [json.dumps(bucket, ensure_ascii=False, separators=(",", ":")) for bucket in buckets]
            longest = max(documents, key=lambda document: len(document.encode()))
            if len(longest.encode()) <= _MAX_ITEM_BYTES:
                return documents
            if len(json.loads(longest)) == 1:
                raise StoreError(
                    f"a key has {len(longest.encode()):,} bytes",
                    expected=f"at most {_MAX_ITEM_BYTES:,}",
                    where=self._table.where,
                    hint="nothing was published",
                )
            count *= 2


def _hashes(keys: pa.Array) -> NDArray[np.int64]:
    """CRC-32 of each key in UTF-8, which every language can compute."""
    import numpy as np
    import pyarrow as pa

    return np.fromiter(map(zlib.crc32, keys.cast(pa.binary()).to_pylist()), np.int64, len(keys))


def _power_of_two(size: int, unit: int) -> int:
    """The smallest power of two that is at least size / unit, and at least 1."""
    return 1 << max(0, -(-size // unit) - 1).bit_length()


def _item(part: Part, bucket: int) -> str:
    return f"{part['path']}/{bucket}"


def _items(part: Part) -> Iterator[str]:
    return (_item(part, bucket) for bucket in range(part["buckets"]))
