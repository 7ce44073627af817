"""Predictions in Parquet files, in an object store or a folder."""

from __future__ import annotations

import io
import os
import secrets
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.bulk import check_unique, chunks, find_overlaps, keys_as_arrow, sort_rows
from lockgate.pipelines.stores.ledger import Part, damaged_error
from lockgate.pipelines.stores.objects import ObjectShelf
from lockgate.pipelines.stores.paged import PagedStore
from lockgate.pipelines.stores.store import PARAMS_CONFIG

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from obstore.store import ObjectStore

_GROUP_ROWS = 16_384  # what `get` reads of a file for one key
_GROUPS_AT_ONCE = 6  # row groups read at once when all rows are read
_FOOTERS_HELD = 200


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    root: str = Field(min_length=1)  # `datastore`: Metaflow's; or an address: s3://…, gs://…, az://…, file://…
    folder: str = Field(min_length=1)  # in it
    endpoint: str | None  # of an S3 server; null: as Metaflow's own client has it
    seconds: float = Field(gt=0, le=3600)  # that a request has, tries and all


def open_store(params: Params, home: Path) -> PagedStore:  # noqa: ARG001 (an address is whole)
    """The store in the folder that `params` names. Metaflow's client gives credentials and region of S3."""

    def open_objects(*, writing: bool) -> ObjectStore:
        from lockgate.gates import runs

        return runs.open_object_store(
            params.folder,
            root=params.root,
            error_type=StoreError,
            seconds=params.seconds,
            endpoint=params.endpoint,
            writing=writing,
        )

    objects = ObjectShelf(open_objects, where=f"{params.root}/{params.folder}")
    return PagedStore(objects, ParquetParts(objects))


class ParquetParts:
    """Files for any Parquet reader. The last page of the project says which files are current:

    `page = json.loads(max(Path(folder, project, "ledger").glob("*.json")).read_bytes())`, then
    `pyarrow.parquet.read_table([f"{folder}/{part['path']}" for part in page["current"]["parts"]], filters=[…])`.
    Rows ascend by key within a file, in small row groups, so that a filter by key reads only a few of these.
    """

    def __init__(self, objects: ObjectShelf) -> None:
        self._objects = objects
        self._footers: dict[str, _Footer] = {}

    def write(self, folder: str, shard: int, rows: pa.RecordBatchReader) -> list[Part]:
        name, written = f"{folder}/{shard:06d}-{secrets.token_hex(4)}", list[Part]()
        for number, chunk in enumerate(chunks(rows)):
            ordered = sort_rows(chunk)
            path, blob = f"{name}-{number:04d}.parquet", _encode(ordered)
            self._objects.put_object(path, blob)
            written.append({"path": path, "rows": ordered.num_rows, "bytes": blob.size})
        return written

    def remove(self, folder: str, parts: Sequence[Part] | None) -> None:
        if parts is not None:
            self._objects.remove(folder, [part["path"].removeprefix(f"{folder}/") for part in parts])

    def check(self, parts: Sequence[Part]) -> None:
        ends = [self._footer(part).ends for part in parts]
        for group in find_overlaps(ends):
            check_unique([self._keys(parts[index]) for index in group])

    def find(self, parts: Sequence[Part], key: str) -> float | None:
        import pyarrow.compute as pc

        value = keys_as_arrow([key], where=self._objects.where)[0]
        for part in parts:
            groups = self._footer(part).groups([key])
            if groups:
                table = self._table(part, groups)
                place = pc.index(table["key"], value).as_py()
                if place >= 0:
                    return float(table["score"][place].as_py())
        return None

    def read_batches(self, parts: Sequence[Part], keys: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        requested = None if keys is None else keys_as_arrow(sorted(set(keys)), where=self._objects.where)
        for part in parts:
            footer = self._footer(part)
            groups = range(footer.count) if requested is None else footer.groups(requested.to_pylist())
            for start in range(0, len(groups), _GROUPS_AT_ONCE):
                table = self._table(part, groups[start : start + _GROUPS_AT_ONCE])
                if requested is not None:
                    table = table.filter(pc.is_in(table["key"], requested))
                yield from table.combine_chunks().to_batches(_GROUP_ROWS * _GROUPS_AT_ONCE)

    def _keys(self, part: Part) -> Iterator[pa.Array]:
        """The keys of a part, ascending."""
        groups = range(self._footer(part).count)
        for start in range(0, len(groups), _GROUPS_AT_ONCE):
            yield self._table(part, groups[start : start + _GROUPS_AT_ONCE], columns=("key",))["key"].combine_chunks()

    def _footer(self, part: Part) -> _Footer:
        """The row groups of a file; footers of recently used files are cached."""
        path = part["path"]
        if path not in self._footers:
            file = self._file(part, None)
            if file.metadata.num_rows != part["rows"]:
                raise StoreError(
                    f"a file has {file.metadata.num_rows:,} rows",
                    expected=f"{part['rows']:,}",
                    where=f"{self._objects.where}/{path}",
                    hint="the store is damaged",
                )
            if len(self._footers) >= _FOOTERS_HELD:
                self._footers.clear()
            self._footers[path] = _Footer(file.metadata)
        return self._footers[path]

    def _table(self, part: Part, groups: Sequence[int], columns: Sequence[str] = ("key", "score")) -> pa.Table:
        import pyarrow as pa

        file = self._file(part, self._footer(part).metadata)
        try:
            return file.read_row_groups(list(groups), columns=list(columns))
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as err:
            raise damaged_error(f"{self._objects.where}/{part['path']}") from err

    def _file(self, part: Part, metadata: pq.FileMetaData | None) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = pa.PythonFile(_Remote(self._objects, part["path"], part["bytes"]), mode="r")
        try:
            return pq.ParquetFile(source, metadata=metadata, page_checksum_verification=True, pre_buffer=True)
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as err:
            raise damaged_error(f"{self._objects.where}/{part['path']}") from err


class _Footer:
    """The row groups of a file, with the first and last key of each."""

    def __init__(self, metadata: pq.FileMetaData) -> None:
        self.metadata = metadata
        self.count = metadata.num_row_groups
        statistics = [metadata.row_group(group).column(0).statistics for group in range(self.count)]
        # Parquet writes no statistics for long keys
        self._ranges = [(keys.min, keys.max) if keys is not None and keys.has_min_max else None for keys in statistics]

    @property
    def ends(self) -> tuple[str, str] | None:
        """The first and the last key of the file; None if its statistics lack them."""
        first, last = self._ranges[0], self._ranges[-1]
        return None if first is None or last is None else (first[0], last[1])

    def groups(self, keys: Sequence[str]) -> list[int]:
        """The row groups that may contain one of these keys, which ascend."""
        groups = []
        for group, ends in enumerate(self._ranges):
            place = 0 if ends is None else bisect_left(keys, ends[0])
            if place < len(keys) and (ends is None or keys[place] <= ends[1]):
                groups.append(group)
        return groups


class _Remote(io.RawIOBase):
    """An object as a file: only the requested ranges are downloaded."""

    def __init__(self, objects: ObjectShelf, path: str, size: int) -> None:
        self._objects, self._path, self._size, self._at = objects, path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        blob = self._objects.range(self._path, self._at, end)
        self._at += len(blob)
        return blob


def _encode(table: pa.Table) -> pa.Buffer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(table, out, row_group_size=_GROUP_ROWS, use_dictionary=False, write_page_checksum=True)
    return out.getvalue()
