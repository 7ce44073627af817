"""Columns of an evidence file: from any kind of array to NumPy and Arrow, and to bytes and back."""

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

from lockgate.gates.documents import parse_json
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.compression import is_compressed
from lockgate.gates.evidence.foreign_columns import read_column

MAX_SLICE_VALUES = 10_000
"""Distinct values that one slice column may have."""

FIRST_PERIOD = ""
"""A name that is ascending before every period's, for training rows of the first period's model."""

_META, _HASHES = b"lockgate", b"lockgate.train_row_hashes"
_LATER_HASHES = _HASHES + b":"
_FIRST_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """A column of names: `codes` intp (n,) into `values`, which are distinct and ascending."""

    codes: NDArray[np.intp]
    values: tuple[str, ...]

    def __len__(self) -> int:
        return self.codes.size

    def __bool__(self) -> bool:
        return True  # a column without rows is still a column

    def take(self, order: NDArray[np.intp]) -> CodedColumn:
        return CodedColumn(self.codes[order], self.values)

    def to_arrow(self) -> pa.Array:
        return pa.DictionaryArray.from_arrays(to_arrow(self.codes.astype(np.int32)), pa.array(self.values, pa.string()))


def to_arrow(values: Any) -> pa.Array:
    """Values of our own as one Arrow array. What callers give goes through `read_column`."""
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


_NUMBERS = "one number for every row"
_NAMES = "UTF-8 strings, integers or dates"


def parse_numbers(name: str, values: Any) -> NDArray[np.float64]:
    """float64 (n,); missing values become NaN. Raises EvidenceError for anything but numbers and booleans."""
    if isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray):
        array = values
    else:
        column = read_column(name, values, noun="numbers", expected=_NUMBERS)
        try:
            if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
                column = column.cast(pa.float64())
            array = column.to_numpy(zero_copy_only=False)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
            raise EvidenceError(f"{name} is not a column of numbers", expected=_NUMBERS) from err
    if array.dtype.kind not in "biuf" or array.ndim != 1:
        raise EvidenceError(
            f"{name} has dtype {array.dtype} and {array.ndim} dimensions", expected="one dimension of numbers"
        )
    return np.ascontiguousarray(array, dtype=np.float64)


def parse_texts(name: str, values: Any) -> pa.Array:
    """Strings (n,) from strings, integers, booleans, dates or timestamps. EvidenceError for others and nulls."""
    column = read_column(name, values, noun="names", expected=_NAMES)
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_floating(column.type) or pa.types.is_duration(column.type):
            raise EvidenceError(f"{name} has type {column.type}", expected="strings, integers, booleans or dates")
        column = column.cast(pa.string())
        column.validate(full=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
        raise EvidenceError(f"{name} is not a column of names", expected=_NAMES) from err
    if column.null_count:
        raise EvidenceError(f"{name} is missing in {column.null_count} rows", expected="a value for every row")
    return column


def encode_names(name: str, values: Any, *, max_values: int | None = MAX_SLICE_VALUES) -> CodedColumn:
    """A column of names as codes. More than `max_values` distinct ones are refused before all of them are collected."""
    if isinstance(values, CodedColumn):
        return values
    codes, names = _encode_dictionary(name, values, max_values)
    present = np.bincount(codes, minlength=len(names)) > 0
    used = names.filter(pa.array(present))
    _check_few(name, used, max_values)
    order = pc.sort_indices(used)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order.to_numpy()] = np.arange(len(order))
    return CodedColumn(rank[(np.cumsum(present) - 1)[codes]], tuple(used.take(order).to_pylist()))


def _encode_dictionary(name: str, values: Any, max_values: int | None) -> tuple[NDArray[np.intp], pa.Array]:
    """Codes and distinct names. A dictionary is never decoded, because few bytes of codes can stand for long names."""
    column = read_column(name, values, noun="names", expected=_NAMES)
    if not pa.types.is_dictionary(column.type):
        _check_few(name, parse_texts(name, column.slice(0, _FIRST_ROWS)).unique(), max_values)
        encoded = parse_texts(name, column).dictionary_encode()
        return encoded.indices.to_numpy().astype(np.intp), encoded.dictionary
    if column.null_count:
        raise EvidenceError(f"{name} is missing in {column.null_count} rows", expected="a value for every row")
    encoded = parse_texts(name, column.dictionary).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.intp)[column.indices.to_numpy()], encoded.dictionary


def _check_few(name: str, distinct: pa.Array, max_values: int | None) -> None:
    if max_values is not None and len(distinct) > max_values:
        raise EvidenceError(
            f"{name} has {len(distinct):,} distinct values or more",
            expected=f"at most {max_values:,}",
            hint="group rare values before slicing by them",
        )


def digest_rows(ids: pa.Array, label: NDArray[np.float64]) -> str:
    """SHA-256 of ids and labels: of their types and values, not of how they are laid out in memory."""
    sha = hashlib.sha256(f"{ids.type}:{len(ids)}:".encode())
    if pa.types.is_integer(ids.type):
        sha.update(np.ascontiguousarray(ids.to_numpy(), "<i8").tobytes())
    else:
        sha.update(np.asarray(pc.binary_length(ids), dtype="<i4").tobytes())
        sha.update("".join(ids.to_pylist()).encode())
    sha.update(np.ascontiguousarray(label + 0.0, "<f8").tobytes())  # −0 and 0 are the same label
    return sha.hexdigest()


def file_bytes(
    columns: Mapping[str, pa.Array],
    meta: Mapping[str, Any],
    train_row_hashes: NDArray[np.uint64] | None,
    later_train_hashes: Mapping[str, NDArray[np.uint64]],
) -> bytes:
    """One Arrow IPC file with `meta` as JSON in its schema metadata, and the hashes of training rows beside it."""
    metadata = {_META: json.dumps(meta, sort_keys=True, separators=(",", ":")).encode()}
    if train_row_hashes is not None:
        metadata[_HASHES] = train_row_hashes.astype("<u8").tobytes()
    for period, hashes in later_train_hashes.items():
        metadata[_LATER_HASHES + period.encode()] = hashes.astype("<u8").tobytes()
    table = pa.table(dict(columns)).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def open_table(blob: bytes, *, where: str, version: int) -> tuple[pa.Table, dict[str, Any], Any]:
    """The table in `blob`, its metadata, and its training hashes as `parse_period_hashes` takes them, or None.

    Raises EvidenceError unless every buffer is valid.
    """
    try:
        if is_compressed(blob):
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
        raise EvidenceError(f"column {twice!r} occurs more than once", expected="each column once", where=where)
    if table.num_rows > len(blob):
        raise EvidenceError(f"{table.num_rows:,} rows in {len(blob):,} bytes", expected="ids for all rows", where=where)
    metadata = table.schema.metadata or {}
    try:
        meta = parse_json(metadata.get(_META, b"null"))
    except (ValueError, RecursionError) as err:
        raise EvidenceError("the metadata is not JSON", where=where) from err
    if not isinstance(meta, dict) or meta.get("version") != version:
        raise EvidenceError(
            "no evidence metadata of this version",
            expected=f"schema metadata 'lockgate', version {version}",
            where=where,
        )
    if _HASHES not in metadata:
        return table, meta, None
    later = {key for key in metadata if key.startswith(_LATER_HASHES)}
    if any(len(metadata[key]) % 8 for key in (_HASHES, *later)):
        raise EvidenceError("the training hashes are truncated", expected="8 bytes per row", where=where)
    hashes = {key: np.frombuffer(metadata[key], dtype="<u8").astype(np.uint64) for key in (_HASHES, *later)}
    if not later:
        return table, meta, hashes[_HASHES]
    try:
        by_period = {key.removeprefix(_LATER_HASHES).decode(): hashes[key] for key in later}
    except UnicodeDecodeError as err:
        raise EvidenceError("the training hashes name no period", expected="UTF-8", where=where) from err
    return table, meta, {**by_period, FIRST_PERIOD: hashes[_HASHES]}


def combined_column(table: pa.Table, name: str) -> pa.Array:
    """A column as one array rather than in chunks."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
