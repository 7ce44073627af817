"""Columns of an evidence file: from anything that is an array to NumPy and Arrow, and to bytes and back."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.compression import compressed

MAX_VALUES = 10_000
"""Distinct values that one slice column may have."""

_META, _HASHES = b"lockgate", b"lockgate.train_row_hashes"
_PEEK = 1 << 18


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of names: `codes` intp (n,) into `values`, which are distinct and ascending."""

    codes: NDArray[np.intp]
    values: tuple[str, ...]

    def __len__(self) -> int:
        return self.codes.size

    def __bool__(self) -> bool:
        return True

    def take(self, order: NDArray[np.intp]) -> Coded:
        return Coded(self.codes[order], self.values)

    def to_arrow(self) -> pa.Array:
        return pa.DictionaryArray.from_arrays(arrow(self.codes.astype(np.int32)), pa.array(self.values, pa.string()))


def arrow(values: Any) -> pa.Array:
    """`values` as one Arrow array."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "US":
        values = values.astype(object)  # as Arrow takes NumPy's own text up to its first NUL
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def numbers(name: str, values: Any) -> NDArray[np.float64]:
    """float64 (n,); a missing value becomes NaN. Raises EvidenceError for anything but numbers and booleans."""
    if isinstance(values, np.ma.MaskedArray):
        raise EvidenceError(f"{name} is a masked array", expected="NaN where a value is missing")
    if isinstance(values, np.ndarray):
        array = values
    else:
        try:
            column = arrow(values)
            if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
                column = column.cast(pa.float64())
            array = column.to_numpy(zero_copy_only=False)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
            raise EvidenceError(f"{name} is no column of numbers", expected="numbers, one for every row") from err
    if array.dtype.kind not in "biuf" or array.ndim != 1:
        raise EvidenceError(
            f"{name} has dtype {array.dtype} and {array.ndim} dimensions", expected="one dimension of numbers"
        )
    return np.ascontiguousarray(array, dtype=np.float64)


def texts(name: str, values: Any) -> pa.Array:
    """Strings (n,), from strings, integers, booleans, dates or timestamps. Nulls are refused."""
    try:
        column = arrow(values)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_floating(column.type):
            raise EvidenceError(f"{name} has type {column.type}", expected="strings, integers, booleans or dates")
        column = column.cast(pa.string())
        column.validate(full=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
        raise EvidenceError(f"{name} is no column of names", expected="UTF-8 strings, integers or dates") from err
    if column.null_count:
        raise EvidenceError(f"{name} is missing in {column.null_count} rows", expected="a value for every row")
    return column


def coded(name: str, values: Any, *, most: int | None = MAX_VALUES) -> Coded:
    """A column of names as codes; more than `most` distinct values are refused before they are all gathered."""
    if isinstance(values, Coded):
        return values
    codes, names = _encoded(name, values, most)
    present = np.bincount(codes, minlength=len(names)) > 0
    used = names.filter(pa.array(present))
    _check_few(name, used, most)
    order = pc.sort_indices(used)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order.to_numpy()] = np.arange(len(order))
    return Coded(rank[(np.cumsum(present) - 1)[codes]], tuple(used.take(order).to_pylist()))


def _encoded(name: str, values: Any, most: int | None) -> tuple[NDArray[np.intp], pa.Array]:
    """Codes and distinct names. A dictionary is never decoded: a few bytes of codes may stand for long names."""
    try:
        column = arrow(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
        raise EvidenceError(f"{name} is no column of names", expected="UTF-8 strings, integers or dates") from err
    if not pa.types.is_dictionary(column.type):
        _check_few(name, texts(name, column.slice(0, _PEEK)).unique(), most)
        encoded = texts(name, column).dictionary_encode()
        return encoded.indices.to_numpy().astype(np.intp), encoded.dictionary
    if column.null_count:
        raise EvidenceError(f"{name} is missing in {column.null_count} rows", expected="a value for every row")
    encoded = texts(name, column.dictionary).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.intp)[column.indices.to_numpy()], encoded.dictionary


def _check_few(name: str, distinct: pa.Array, most: int | None) -> None:
    if most is not None and len(distinct) > most:
        raise EvidenceError(
            f"{name} has {len(distinct):,} distinct values or more",
            expected=f"at most {most:,}",
            hint="group rare values before slicing by them",
        )


def hashes(values: Any) -> NDArray[np.uint64]:
    """uint64 (k,), sorted and distinct."""
    try:
        array = np.asarray(values)
    except ValueError as err:
        raise EvidenceError("train_row_hashes is no array", expected="uint64, as hash_row_ids gives") from err
    if array.ndim != 1 or (array.size and array.dtype != np.uint64):
        raise EvidenceError(f"train_row_hashes has dtype {array.dtype}", expected="uint64, as hash_row_ids gives")
    return np.unique(array.astype(np.uint64))


def digest(ids: pa.Array, label: NDArray[np.float64]) -> str:
    """SHA-256 over ids and labels: of their type, their values, and nothing of how they are laid out."""
    sha = hashlib.sha256(f"{ids.type}:{len(ids)}:".encode())
    if pa.types.is_integer(ids.type):
        sha.update(np.ascontiguousarray(ids.to_numpy(), "<i8").tobytes())
    else:
        sha.update(np.asarray(pc.binary_length(ids), dtype="<i4").tobytes())
        sha.update("".join(ids.to_pylist()).encode())
    sha.update(np.ascontiguousarray(label + 0.0, "<f8").tobytes())  # a label of -0 is a 0
    return sha.hexdigest()


def file_bytes(
    held: Mapping[str, pa.Array], meta: Mapping[str, Any], train_row_hashes: NDArray[np.uint64] | None
) -> bytes:
    """One Arrow IPC file with `meta` as JSON in its schema metadata."""
    metadata = {_META: json.dumps(meta, sort_keys=True, separators=(",", ":")).encode()}
    if train_row_hashes is not None:
        metadata[_HASHES] = train_row_hashes.astype("<u8").tobytes()
    table = pa.table(dict(held)).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def open_table(blob: bytes, *, where: str, version: int) -> tuple[pa.Table, dict[str, Any], NDArray[np.uint64] | None]:
    """The table in `blob`, its metadata and its training hashes; refused unless every buffer is valid."""
    try:
        if compressed(blob):
            raise EvidenceError(
                "the evidence file is compressed", expected="an Arrow IPC file without compression", where=where
            )
        table = pa.ipc.open_file(pa.BufferReader(blob)).read_all()
        table.validate(full=True)
        names = table.column_names
    except (pa.ArrowException, OSError, ValueError, KeyError, struct.error) as err:
        raise EvidenceError("not an evidence file", expected="an intact Arrow IPC file", where=where) from err
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise EvidenceError(f"column {twice!r} is there more than once", expected="one of each", where=where)
    if table.num_rows > len(blob):
        raise EvidenceError(f"{table.num_rows:,} rows in {len(blob):,} bytes", expected="ids for all rows", where=where)
    metadata = table.schema.metadata or {}
    try:
        meta = json.loads(metadata.get(_META, b"null"))
    except (ValueError, RecursionError) as err:
        raise EvidenceError("the metadata is not JSON", where=where) from err
    if not isinstance(meta, dict) or meta.get("version") != version:
        raise EvidenceError(
            "no evidence metadata of this version",
            expected=f"schema metadata 'lockgate', version {version}",
            where=where,
        )
    raw = metadata.get(_HASHES)
    if raw is None:
        return table, meta, None
    if len(raw) % 8:
        raise EvidenceError("the training hashes are cut short", expected="8 bytes a row", where=where)
    return table, meta, np.frombuffer(raw, dtype="<u8").astype(np.uint64)


def whole(table: pa.Table, name: str) -> pa.Array:
    """A column in one piece."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
