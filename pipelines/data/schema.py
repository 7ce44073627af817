"""The types of columns: declared in conf/data, or inferred from every cell, and recorded with the model.

Text files have cells, whose types this file finds out. An undeclared column is

- `integer` if every cell is one as it would be written (no leading zero, no sign but -, within 64 bits),
- else `boolean` if every cell is true or false,
- else `decimal` if every cell is a finite number, and none is an integer with a leading zero, as only codes have,
- else `text`; but if at least half of the cells, and at least ten, are numbers, it is refused: what is not a number
  there is a word for a missing value or a fault, and nobody wants a category for each amount of money. Codes are no
  such numbers: `A7` among `12` and `30`, where all numbers are integers and all others a letter first, then a digit.

Missing cells do not count. A column that has no other is `decimal`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError, count_noun
from lockgate.pipelines.data.arrow_types import classify_type, decode, format_values, unreadable_type

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.pipelines.data.settings import TypeName

MIN_NUMBERS = 10
MAX_EXAMPLES = 3
NUMBERS: frozenset[str] = frozenset(("integer", "decimal", "boolean"))
"""The types that models get as float64."""

NAMES: frozenset[str] = frozenset(("text", "category"))
"""The types that are names, and the same to a model."""

TRUE_WORDS, FALSE_WORDS = ("true", "True", "TRUE"), ("false", "False", "FALSE")

_FIRST_CELLS = 100
_SPACES = " \t\n\v\f\r"
_INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_COMMA_NUMBER = r"^[+-]?[0-9][0-9.,]*,[0-9][0-9.]*$"
_CODE = r"^[A-Za-z][A-Za-z_-]*[0-9][0-9A-Za-z_-]*$"
_PADDED = r"^0[0-9]+$"
_STARTS = [*"0123456789+-. \t"]
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_DESCRIPTIONS = {
    "integer": "integers of at most 64 bits",
    "decimal": "finite numbers with a decimal point",
    "boolean": "true or false",
    "date": "dates such as 2013-10-05",
    "timestamp": "ISO 8601, such as 2013-10-05T12:30:00",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How errors name a table and its rows."""

    path: str
    locate: Callable[[Sequence[int]], list[str]]  # rows, counted from 0, in words such as `line 5`


def infer_type(cells: pa.ChunkedArray, *, name: str, place: Place) -> tuple[TypeName, pa.ChunkedArray]:
    """The type of an undeclared column of text, found out from all of its cells, and the cells as values of it.

    A null is a missing cell.

    Raises:
        DataError: most cells are numbers, but not all: see above.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if cells.null_count == len(cells):
        return "decimal", cells.cast(pa.float64())
    if (integers := _read_plain_integers(cells)) is not None:
        return "integer", integers
    if (booleans := _read_booleans(cells)) is not None:
        return "boolean", booleans
    if (floats := read_numbers(cells)) is not None:
        is_code = pc.any(pc.match_substring_regex(cells.filter(_begins_with_zero(cells)), _PADDED)).as_py()
        return ("text", cells) if is_code else ("decimal", floats)
    _refuse_mixed_cells(cells, name=name, place=place)
    return "text", cells


def _refuse_mixed_cells(cells: pa.ChunkedArray, *, name: str, place: Place) -> None:
    """Raise DataError if most cells are numbers: not all are, as the caller knows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    present = len(cells) - cells.null_count
    starts = pc.is_in(pc.utf8_slice_codeunits(cells, 0, 1), value_set=pa.array(_STARTS, cells.type))
    if 2 * pc.sum(starts).as_py() < present:  # quick, and true of most names
        return
    if any(_cast(cells, time_type) is not None for time_type in (pa.date32(), pa.timestamp("ns"))):
        return  # so is this, of most columns of times
    trimmed = pc.ascii_trim_whitespace(cells)
    is_number, has_comma = (pc.match_substring_regex(trimmed, pattern) for pattern in (_NUMBER, _COMMA_NUMBER))
    numbers, commas = pc.sum(is_number).as_py(), pc.sum(has_comma).as_py()
    if numbers + commas < MIN_NUMBERS or 2 * (numbers + commas) < present:
        return
    if commas:
        examples = _list_examples(cells, has_comma, place)
        raise DataError(
            f"column {name!r} of {place.path} holds {count_noun(commas, 'number')} with a comma: {examples}",
            expected="a decimal point, and nothing between thousands",
            where="data.types",
            hint=f"write the file so, or keep the cells as they are by types: {write_types({name: 'text'})}",
        )
    others = pc.invert(is_number)
    if _are_codes(cells.filter(is_number), cells.filter(others)):
        return
    if (count := pc.sum(others).as_py()) == 0:
        raise DataError(
            f"column {name!r} of {place.path} holds numbers too large for a float",
            expected="at most 1.8e308",
            where="data.types",
            hint=f"exclude it, or keep it as text by types: {write_types({name: 'text'})}",
        )
    raise DataError(
        f"column {name!r} of {place.path} holds {numbers:,} numbers and {count_noun(count, 'other cell')}:"
        f" {_list_examples(cells, others, place)}",
        expected="all numbers, or a declared type",
        where="data.types",
        hint=_advise(name, pc.unique(cells.filter(others))),
    )


def read_cells(cells: pa.ChunkedArray, type_name: TypeName, *, name: str, place: Place) -> pa.ChunkedArray:
    """Cells of text as values of a declared or inferred type: int64 or uint64, float64, bool, or text.

    Dates and timestamps are checked, and stay as they are written.

    Raises:
        DataError: there are cells that are none of that type; names the first of them.
    """
    import pyarrow.compute as pc

    if type_name in NAMES:
        return cells
    readers = {"integer": _read_integers, "decimal": read_numbers, "boolean": _read_booleans}
    values = readers[type_name](cells) if type_name in readers else None
    if values is not None:
        return values
    bad = _find_bad(cells, type_name)
    count = pc.sum(bad).as_py() or 0
    if not count and type_name not in readers:
        return cells  # dates and timestamps are checked, and that is all
    if not count:
        raise DataError(
            f"column {name!r} of {place.path} holds negative integers, and some that need all 64 bits",
            expected=_DESCRIPTIONS[type_name],
            where="data.types",
            hint=f"keep the column as text by types: {write_types({name: 'text'})}",
        )
    raise DataError(
        f"column {name!r} of {place.path} holds {count_noun(count, 'cell')} that {'is' if count == 1 else 'are'} no"
        f" {type_name}: {_list_examples(cells, bad, place)}",
        expected=_DESCRIPTIONS[type_name],
        where="data.types",
        hint=_advise(name, pc.unique(cells.filter(bad))),
    )


def convert_column(column: pa.ChunkedArray, type_name: TypeName, *, name: str, place: Place) -> pa.ChunkedArray:
    """A column that the source has typed itself, as values of the declared type.

    Names can be made of numbers, booleans and dates, and numbers of text; a number is an integer where it is whole.

    Raises:
        DataError: the values are not of that type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = decode(column)
    kind = classify_type(column.type)
    if kind == "nothing":
        empty = {"integer": pa.int64(), "decimal": pa.float64(), "boolean": pa.bool_()}
        return column.cast(empty.get(type_name, pa.large_string()))
    if kind == "text":
        return read_cells(column, type_name, name=name, place=place)
    if type_name in NAMES:
        return format_values(column, name=name, where="data.types")
    if kind == type_name or (kind, type_name) == ("integer", "decimal"):
        return column
    if (kind, type_name) == ("decimal", "integer"):
        whole = pc.equal(pc.round(column), column)
        if pc.all(whole).as_py() is not False:
            try:
                return column.cast(pa.int64())
            except pa.ArrowInvalid:
                pass  # beyond 64 bits, or a float too large to be exact
    raise unreadable_type(
        name, column.type, where="data.types", expected=type_name, hint=f"{place.path} is where its type is from"
    )


def implied_type(arrow_type: pa.DataType) -> TypeName | None:
    """The type of a column that the source has typed itself; None where no declared type is like it."""
    kind = classify_type(arrow_type)
    return "decimal" if kind == "nothing" else None if kind == "time" else kind


def write_types(types: Mapping[str, str]) -> str:
    """`{amount: decimal, region: text}`: YAML, and an override."""
    import yaml

    return yaml.safe_dump(
        dict(types), default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True
    ).strip()


def _read_plain_integers(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The cells as int64; None unless each is written as an integer of 64 bits is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = _cast(cells, pa.int64())
    if values is None:
        return None
    is_padded = pc.any(pc.or_(_begins_with_zero(cells), pc.starts_with(cells, "-0"))).as_py()  # 0x1F is read, too
    return None if is_padded else values


def _begins_with_zero(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether a cell begins with a 0 and goes on."""
    import pyarrow.compute as pc

    return pc.and_(pc.starts_with(cells, "0"), pc.greater(pc.binary_length(cells), 1))


def _read_integers(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The cells as int64, or as uint64 if that is needed; None if a cell is no such integer. 007 is 7."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if (plain := _read_plain_integers(cells)) is not None:
        return plain
    trimmed = pc.ascii_trim_whitespace(cells)
    if pc.all(pc.match_substring_regex(trimmed, _INTEGER)).as_py() is False:
        return None
    digits = pc.replace_substring_regex(trimmed, r"^\+", "")
    values = _cast(digits, pa.int64())
    return _cast(digits, pa.uint64()) if values is None else values


def read_numbers(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The cells as float64; None if a cell is no finite number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = _cast(cells, pa.float64())
    if values is None:
        values = _cast(cells, pa.float64(), trim=True)
    if values is None or pc.all(pc.is_finite(values)).as_py() is False:  # nan and inf are words
        return None
    return values


def _cast(cells: pa.ChunkedArray, arrow_type: pa.DataType, *, trim: bool = False) -> pa.ChunkedArray | None:
    """The cells as values of a type, if all of them are; asks the first ones first, as one that is none is enough."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        for part in (cells[:_FIRST_CELLS], cells):
            values = (pc.ascii_trim_whitespace(part) if trim else part).cast(arrow_type)
    except pa.ArrowInvalid:
        return None
    return values


def _read_booleans(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The cells as bool; None if one is neither true nor false."""
    import pyarrow.compute as pc

    words = (None, *TRUE_WORDS, *FALSE_WORDS)
    if any(cell not in words for cell in cells[:_FIRST_CELLS].to_pylist()):  # as in _cast
        return None
    if pc.all(_is_among(cells, words[1:])).as_py() is False:
        return None
    return _is_among(cells, TRUE_WORDS)


def _find_bad(cells: pa.ChunkedArray, type_name: TypeName) -> pa.ChunkedArray:
    """Whether a cell is none of a type; null where it is missing. Looks at each different cell once."""
    import pyarrow.compute as pc

    if type_name in ("date", "timestamp"):
        return pc.invert(_is_time(cells, only_date=type_name == "date"))
    words = pc.unique(cells).drop_null().to_pylist()
    return _is_among(cells, [word for word in words if not _fits(word, type_name)])


def _fits(word: str, type_name: TypeName) -> bool:
    if type_name == "boolean":
        return word in (*TRUE_WORDS, *FALSE_WORDS)
    if type_name == "integer":
        return bool(re.match(_INTEGER, word.strip(_SPACES))) and -(2**63) <= int(word) < 2**64
    return bool(re.match(_NUMBER, word.strip(_SPACES))) and math.isfinite(float(word))


def _is_time(cells: pa.ChunkedArray, *, only_date: bool) -> pa.ChunkedArray:
    """Whether a cell is an ISO 8601 date or timestamp, with or without a zone; null where it is missing."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = cells.combine_chunks().dictionary_encode()
    words = encoded.dictionary
    parsed = pd.to_datetime(words.to_pandas().astype(object), format="ISO8601", errors="coerce", utc=True)
    valid = pa.array(parsed.notna().to_numpy())
    if only_date:
        valid = pc.and_(valid, pc.match_substring_regex(words, _DATE))
    return pa.chunked_array([valid.take(encoded.indices)])


def _is_among(cells: pa.ChunkedArray, words: Sequence[str]) -> pa.ChunkedArray:
    """Whether a cell is one of the words; null where it is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_null(cells), None, pc.is_in(cells, value_set=pa.array(words, cells.type)))


def _are_codes(numbers: pa.ChunkedArray, others: pa.ChunkedArray) -> bool:
    """Whether all numbers are integers, and all others begin with a letter and have a digit: `A7` among `12`."""
    import pyarrow.compute as pc

    codes = pc.match_substring_regex(others, _CODE)
    return len(others) > 0 and pc.all(codes).as_py() and _read_plain_integers(numbers) is not None


def _list_examples(cells: pa.ChunkedArray, chosen: pa.ChunkedArray, place: Place) -> str:
    """The first chosen cells and where they are: `'#DIV/0!' in line 5, 'x' in line 9`."""
    import pyarrow.compute as pc

    rows = pc.indices_nonzero(pc.fill_null(chosen, fill_value=False))[:MAX_EXAMPLES].to_pylist()
    words = [repr(cells[row].as_py()[:60]) for row in rows]
    return ", ".join(f"{word} in {where}" for word, where in zip(words, place.locate(rows), strict=True))


def _advise(name: str, words: pa.Array) -> str:
    """What to do about cells that do not fit: declare them missing, if they are the same few words, or as text."""
    as_text = f"keep the column as text by types: {write_types({name: 'text'})}"
    if len(words) > MAX_EXAMPLES:
        return as_text
    listed = ", ".join(json.dumps(word, ensure_ascii=False) for word in words.to_pylist())
    return f"add {listed[:200]} to data.nulls if that means missing, or {as_text}"
