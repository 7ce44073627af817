"""Row ids as an Arrow column, and their 8-byte hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.columns import FIRST_PERIOD, CodedColumn, to_arrow
from lockgate.gates.evidence.foreign_columns import read_column
from lockgate.gates.foreign import convert_foreign

MAX_ID_BYTES = 512
# SplitMix64's increment and the two multipliers of its finaliser
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_FIRST_BYTES = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)
_BLOCK_ROWS = 1 << 14


class RowHashes(np.ndarray[tuple[int], np.dtype[np.uint64]]):
    """8-byte hashes of row ids, uint64 (n,), with the type of the ids that they were made from.

    An array of NumPy's in all else. Slices and copies keep the type; where it is lost, as in `np.concatenate`, it is
    None, which says that nobody knows.
    """

    id_type: str | None  # a key of ID_TYPES

    def __new__(cls, hashes: NDArray[np.uint64], id_type: str | None) -> Self:
        made = np.asarray(hashes).view(cls)
        made.id_type = id_type
        return made

    def __array_finalize__(self, parent: object) -> None:
        self.id_type = getattr(parent, "id_type", None)


ID_TYPES: Mapping[str, str] = {"int64": "integers", "string": "texts"}
"""The types that row ids have, by Arrow's name, and what people call them."""


def parse_row_ids(values: Any, n: int) -> pa.Array:
    """Row ids as int64 or string (n,); row numbers for None. Raises EvidenceError for nulls and other types."""
    if values is None:
        return to_arrow(np.arange(n, dtype=np.int64))
    ids = read_column("row_id", values, noun="ids", expected=_IDS)
    try:
        if pa.types.is_integer(ids.type):
            ids = ids.cast(pa.int64())
        elif any(is_text(ids.type) for is_text in _TEXTS):
            ids = ids.cast(pa.string())
        else:
            raise EvidenceError(f"row_id has type {str(ids.type)[:80]}", expected="integers or strings")
        ids.validate(full=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
        raise EvidenceError("row_id is not a column of ids", expected=_IDS) from err
    if ids.null_count:
        raise EvidenceError(f"row_id is missing in {ids.null_count} rows", expected="an id for every row")
    return ids


_IDS = "integers or UTF-8 strings"
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary)


def hash_row_ids(values: Any) -> RowHashes:
    """8-byte hashes of row ids, in their order: uint64 (n,), with the type of the ids (`RowHashes`).

    The same id has the same hash on every machine; an integer and its decimal string have different ones. The hash is
    built on the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), one pass over 8-byte words for all rows
    at once. It tells rows apart, but does not hide their ids: it has no secret.

    Raises:
        EvidenceError: values that are not ids, or an id of more than 512 bytes.
    """
    if values is None:
        raise EvidenceError("there are no row ids to hash", expected=_IDS)
    ids = parse_row_ids(values, 0)
    out = np.empty(len(ids), dtype=np.uint64)
    if pa.types.is_integer(ids.type):
        numbers = ids.to_numpy().view(np.uint64)
        for first in range(0, len(ids), _BLOCK_ROWS):
            out[first : first + _BLOCK_ROWS] = _mix(numbers[first : first + _BLOCK_ROWS] + _INCREMENT)
    elif len(ids):
        text, offsets = _text(ids)
        for first in range(0, len(ids), _BLOCK_ROWS):
            out[first : first + _BLOCK_ROWS] = _hash_texts(
                text, offsets[first : first + _BLOCK_ROWS + 1].astype(np.intp)
            )
    return RowHashes(out, str(ids.type))


def parse_hashes(values: Any) -> RowHashes:
    """Hashes of training rows, uint64 (k,), sorted and distinct. Raises EvidenceError for anything else."""
    expected = "uint64, from hash_row_ids"
    array = convert_foreign(
        lambda: np.asanyarray(values), lambda _: EvidenceError("train_row_hashes is not an array", expected=expected)
    )
    if isinstance(array, np.ma.MaskedArray) or array.ndim != 1 or (array.size and array.dtype != np.uint64):
        raise EvidenceError(f"train_row_hashes has dtype {array.dtype} and {array.ndim} dimensions", expected=expected)
    return RowHashes(np.unique(np.asarray(array).astype(np.uint64)), getattr(array, "id_type", None))


def name_id_type(hashes: Any, id_type: str | None) -> Any:
    """Hashes as a file has them, which knows the type of the ids that they are of: None, an array, or by period."""
    if isinstance(hashes, Mapping):
        return {**hashes, FIRST_PERIOD: RowHashes(hashes[FIRST_PERIOD], id_type)}
    return None if hashes is None else RowHashes(hashes, id_type)


def parse_period_hashes(
    values: Any, periods: CodedColumn | None
) -> tuple[NDArray[np.uint64], dict[str, NDArray[np.uint64]]]:
    """Hashes of the rows that the first model was trained on, and by period those that came in later.

    A row that one period's model was trained on counts as known to the models of all later periods.

    Args:
        values: as `parse_hashes` takes them, where one model scored every row; or period → such an array, the rows
            that the model of that period was trained on. Periods are in the order of their names.
        periods: of the scored rows.

    Raises:
        EvidenceError: no hashes, those of a period without scored rows, or none of a period with scored rows.
    """
    if not isinstance(values, Mapping):
        return parse_hashes(values), {}
    values = convert_foreign(
        lambda: dict(values),
        lambda _: EvidenceError("train_row_hashes cannot be read", expected="a dict of arrays from hash_row_ids"),
    )
    known = periods.values if periods else ()
    if stray := [name for name in values if name not in (FIRST_PERIOD, *known)]:
        raise EvidenceError(
            f"training rows of period {str(stray[0])[:80]!r}, in which no row was scored",
            expected=f"one of {', '.join(known)}" if known else "a column `period`",
            where="train_row_hashes",
        )
    if FIRST_PERIOD not in values and (missing := [name for name in known if name not in values]):
        raise EvidenceError(
            f"no training rows of period {missing[0][:80]!r}",
            expected="those of the model of every period",
            where="train_row_hashes",
        )
    names = sorted(values)
    first = parse_hashes(values[names[0]] if names else np.empty(0, np.uint64))
    so_far: NDArray[np.uint64] = first
    later = {}
    for name in names[1:]:
        added = np.setdiff1d(parse_hashes(values[name]), so_far, assume_unique=True)
        if added.size:
            later[name] = added
            so_far = np.union1d(so_far, added)
    return first, later


def explain_other_ids(ids: pa.Array, trained: NDArray[np.uint64]) -> str:
    """Why hashes of training rows cannot match these ids, whatever the rows are, in words; empty where they can.

    Integers never have the hash of their decimal texts, nor does the text of a float (`17.0`). Where the type of the
    training rows' ids is not known, as in evidence that was written before it was kept, they count as of another type
    if ids match once they are converted.

    Args:
        ids: int64 or string (n,).
        trained: uint64 (k,), ascending, as `parse_hashes` returns them.
    """
    held_out, other = str(ids.type), next(name for name in ID_TYPES if name != str(ids.type))
    known = getattr(trained, "id_type", None)
    if held_out == "string" and known in (held_out, None) and _count_known(_float_texts(ids), trained):
        return "ids of training rows or of the holdout end in `.0`, and are the same without it"
    if known == held_out or (known is None and not _count_known(_convert_ids(ids), trained)):
        return ""
    return f"the training rows have {ID_TYPES[other]} as ids, and the holdout has {ID_TYPES[held_out]}"


def _convert_ids(ids: pa.Array) -> pa.Array:
    """Integers as decimal texts, and those texts that are decimal integers as these."""
    if pa.types.is_integer(ids.type):
        return ids.cast(pa.string())
    return ids.filter(pc.match_substring_regex(ids, r"^(0|-?[1-9][0-9]{0,17})$")).cast(pa.int64())


def _float_texts(ids: pa.Array) -> pa.Array:
    """Texts of integers as those of floats, and the other way round: what other texts say is left out."""
    integers = pc.binary_join_element_wise(ids.filter(pc.match_substring_regex(ids, r"^-?[0-9]+$")), "0", ".")
    floats = pc.replace_substring_regex(ids.filter(pc.match_substring_regex(ids, r"^-?[0-9]+\.0$")), r"\.0$", "")
    return pa.concat_arrays([integers, floats])


def _count_known(ids: pa.Array, trained: NDArray[np.uint64]) -> int:
    return int(np.isin(np.asarray(hash_row_ids(ids)), np.asarray(trained)).sum())


def rekey_hashes(hashes: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Different hashes of the same ids, by a 64-bit key: uint64 (n,), in the same order."""
    out = np.empty_like(hashes)
    for first in range(0, hashes.size, _BLOCK_ROWS):
        out[first : first + _BLOCK_ROWS] = _mix((hashes[first : first + _BLOCK_ROWS] ^ np.uint64(key)) + _INCREMENT)
    return out


def _text(ids: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of all ids followed by eight zeros, and the offset of each id."""
    _, offset_buffer, data = ids.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1]
    longest = int(np.diff(offsets).max())
    if longest > MAX_ID_BYTES:
        raise EvidenceError(f"a row_id is {longest} bytes long", expected=f"at most {MAX_ID_BYTES} bytes")
    text = np.zeros(int(offsets[-1] - offsets[0]) + 8, dtype=np.uint8)
    if data:
        text[:-8] = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return text, offsets - offsets[0]


def _hash_texts(text: NDArray[np.uint8], offsets: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hashes of one block of ids, which is small enough to stay in the processor's cache."""
    words = np.ndarray((text.size - 7,), dtype="<u8", buffer=text, strides=(1,))  # the eight bytes from each byte on
    start, size = offsets[:-1], np.diff(offsets)
    shortest = int(size.min())
    hashed = _mix(size.astype(np.uint64))
    for offset in range(0, int(size.max()), 8):
        word = words[np.minimum(start + offset, text.size - 8)]
        remaining = size - offset
        if offset + 8 > shortest:
            word &= _FIRST_BYTES.take(remaining, mode="clip")  # the bytes after it belong to the next id
        word ^= hashed
        word += _INCREMENT
        mixed = _mix(word)
        # an id's hash must not depend on how long the others are
        hashed = mixed if offset < shortest else np.where(remaining > 0, mixed, hashed)
    return hashed


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, in place."""
    value ^= value >> np.uint64(30)
    value *= _FIRST_FACTOR
    value ^= value >> np.uint64(27)
    value *= _SECOND_FACTOR
    value ^= value >> np.uint64(31)
    return value


def sort_order(ids: pa.Array) -> NDArray[np.intp] | None:
    """The order that sorts `ids`; None if they are strictly ascending already."""
    if len(ids) < 2 or pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        return None
    order: NDArray[np.intp] = pc.sort_indices(ids).to_numpy().astype(np.intp)
    return order
