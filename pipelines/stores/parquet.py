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
from lockgate.pipelines.stores.bulk import check_unique, chunks, in_order, overlapping, text
from lockgate.pipelines.stores.ledger import Part, damaged
from lockgate.pipelines.stores.objects import Objects
from lockgate.pipelines.stores.paged import PagedStore
from lockgate.pipelines.stores.store import PARAMS

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from obstore.store import ObjectStore

_GROUP_ROWS = 16_384  # what a get of one key reads of a file
_SOME_GROUPS = 6  # read at once where all are read
_FOOTERS_HELD = 200


class Params(BaseModel):
    model_config = PARAMS
    root: str = Field(min_length=1)  # `datastore`: Metaflow's; or an address: s3://…, gs://…, az://…, file://…
    folder: str = Field(min_length=1)  # in it
    endpoint: str | None  # of an S3 server; null: as Metaflow's own client has it
    seconds: float = Field(gt=0, le=3600)  # that a request has, tries and all


def open_store(params: Params, home: Path) -> PagedStore:  # noqa: ARG001 (an address is whole)
    """The store in the folder that `params` names. Metaflow's client gives credentials and region of S3."""

    def opened() -> ObjectStore:
        from lockgate.gates import runs

        return runs.object_store(
            params.folder, root=params.root, error=StoreError, seconds=params.seconds, endpoint=params.endpoint
        )

    objects = Objects(opened, where=f"{params.root}/{params.folder}")
    return PagedStore(objects, ParquetParts(objects))


class ParquetParts:
    """Files that any Parquet reader reads. Which they are says the last page of the project:

    `page = json.loads(max(Path(folder, project, "ledger").glob("*.json")).read_bytes())`, then
    `pyarrow.parquet.read_table([f"{folder}/{part['path']}" for part in page["current"]["parts"]], filters=[…])`.
    Rows ascend by key within a file, in small row groups, so that a filter by key reads few of them.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._footers: dict[str, _Footer] = {}

    def write(self, folder: str, shard: int, rows: pa.RecordBatchReader) -> list[Part]:
        name, written = f"{folder}/{shard:06d}-{secrets.token_hex(4)}", list[Part]()
        for number, chunk in enumerate(chunks(rows)):
            held = in_order(chunk)
            path, blob = f"{name}-{number:04d}.parquet", _encoded(held)
            self._objects.put(path, blob)
            written.append({"path": path, "rows": held.num_rows, "bytes": blob.size})
        return written

    def remove(self, folder: str, parts: Sequence[Part] | None) -> None:
        if parts is not None:
            self._objects.remove(folder, [part["path"].removeprefix(f"{folder}/") for part in parts])

    def check(self, parts: Sequence[Part]) -> None:
        ends = [self._footer(part).ends for part in parts]
        for some in overlapping(ends):
            check_unique([self._keys(parts[at]) for at in some])

    def find(self, parts: Sequence[Part], key: str) -> float | None:
        import pyarrow.compute as pc

        wanted = text([key], where=self._objects.where)[0]
        for part in parts:
            groups = self._footer(part).groups([key])
            if groups:
                table = self._table(part, groups)
                place = pc.index(table["key"], wanted).as_py()
                if place >= 0:
                    return float(table["score"][place].as_py())
        return None

    def read(self, parts: Sequence[Part], keys: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        wanted = None if keys is None else text(sorted(set(keys)), where=self._objects.where)
        for part in parts:
            footer = self._footer(part)
            groups = range(footer.count) if wanted is None else footer.groups(wanted.to_pylist())
            for at in range(0, len(groups), _SOME_GROUPS):
                table = self._table(part, groups[at : at + _SOME_GROUPS])
                if wanted is not None:
                    table = table.filter(pc.is_in(table["key"], wanted))
                yield from table.combine_chunks().to_batches(_GROUP_ROWS * _SOME_GROUPS)

    def _keys(self, part: Part) -> Iterator[pa.Array]:
        """The keys of a part, ascending."""
        groups = range(self._footer(part).count)
        for at in range(0, len(groups), _SOME_GROUPS):
            yield self._table(part, groups[at : at + _SOME_GROUPS], columns=("key",))["key"].combine_chunks()

    def _footer(self, part: Part) -> _Footer:
        """Which row groups there are; those of files that were asked for lately are held."""
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
            raise damaged(f"{self._objects.where}/{part['path']}") from err

    def _file(self, part: Part, metadata: pq.FileMetaData | None) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = pa.PythonFile(_Remote(self._objects, part["path"], part["bytes"]), mode="r")
        try:
            return pq.ParquetFile(source, metadata=metadata, page_checksum_verification=True, pre_buffer=True)
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as err:
            raise damaged(f"{self._objects.where}/{part['path']}") from err


class _Footer:
    """The row groups of a file, and from which key to which they go."""

    def __init__(self, metadata: pq.FileMetaData) -> None:
        self.metadata = metadata
        self.count = metadata.num_row_groups
        told = [metadata.row_group(group).column(0).statistics for group in range(self.count)]
        # statistics of long keys are left out
        self._ranges = [(one.min, one.max) if one is not None and one.has_min_max else None for one in told]

    @property
    def ends(self) -> tuple[str, str] | None:
        """The first key and the last one; None where they are not told."""
        first, last = self._ranges[0], self._ranges[-1]
        return None if first is None or last is None else (first[0], last[1])

    def groups(self, keys: Sequence[str]) -> list[int]:
        """Those that may have one of these keys, which ascend."""
        found = []
        for group, ends in enumerate(self._ranges):
            at = 0 if ends is None else bisect_left(keys, ends[0])
            if at < len(keys) and (ends is None or keys[at] <= ends[1]):
                found.append(group)
        return found


class _Remote(io.RawIOBase):
    """An object as a file of which only what is asked for is read."""

    def __init__(self, objects: Objects, path: str, size: int) -> None:
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


def _encoded(table: pa.Table) -> pa.Buffer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(table, out, row_group_size=_GROUP_ROWS, use_dictionary=False, write_page_checksum=True)
    return out.getvalue()
