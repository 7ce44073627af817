"""What kind of values an Arrow column holds, and each of its values as text.

| kind | Arrow's types | a value as text |
|---|---|---|
| `text` | string, large_string, string_view | itself |
| `integer` | int8 … uint64 | every digit |
| `decimal` | decimal32 … decimal256, float16 … float64 | with the digits of its type; the shortest that reads back as the same float |
| `boolean` | bool | `true` or `false` |
| `date` | date32, date64 | 2013-10-05 |
| `timestamp` | timestamp | 2013-10-05T12:30:00.5 with the digits that matter, and -04:00 if it has a zone; a midnight without a zone is a date |
| `time` | time32, time64 | 12:30:00 |
| `nothing` | null | |

A dictionary is what its values are. Other types (lists, structs, bytes, durations, extensions) have no kind.
"""  # noqa: E501 (table rows)

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lockgate.gates.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Kind = Literal["text", "integer", "decimal", "boolean", "date", "timestamp", "time", "nothing"]

MAX_EXACT = 2**53
"""Floats from here on cannot tell neighbouring integers apart."""


def classify_type(arrow_type: pa.DataType) -> Kind | None:
    """The kind of a column of this type; None for types that no role takes."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(arrow_type):
        return classify_type(arrow_type.value_type)
    if types.is_string(arrow_type) or types.is_large_string(arrow_type) or types.is_string_view(arrow_type):
        return "text"
    if types.is_integer(arrow_type):
        return "integer"
    if types.is_floating(arrow_type) or types.is_decimal(arrow_type):
        return "decimal"
    for holds, kind in (
        (types.is_boolean, "boolean"),
        (types.is_date, "date"),
        (types.is_timestamp, "timestamp"),
        (types.is_time, "time"),
        (types.is_null, "nothing"),
    ):
        if holds(arrow_type):
            return kind  # type: ignore[return-value]
    return None


def decode(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without a dictionary and without views: one of Arrow's plain types. NaN becomes missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    if pa.types.is_floating(column.type):
        is_nan = pc.is_nan(column)
        if pc.any(is_nan).as_py():
            column = pc.if_else(is_nan, None, column)
    return column


def format_values(column: pa.ChunkedArray, *, name: str, where: str) -> pa.ChunkedArray:
    """Each value of a decoded column as text (n,): large_string, null where it is missing.

    The text of a value does not depend on the others.

    Raises:
        DataError: the type has no kind, or floats cannot tell the values apart.
    """
    import pyarrow as pa

    kind = classify_type(column.type)
    if kind is None:
        raise unreadable_type(name, column.type, where=where, hint="store it as text or as a number")
    if kind in ("timestamp", "decimal") and not pa.types.is_decimal(column.type):
        encoded = column.combine_chunks().dictionary_encode()  # a formatted value is dear, and most values repeat
        values = encoded.dictionary
        text = _format_floats(values, name, where) if kind == "decimal" else _format_timestamps(values)
        return pa.chunked_array([text.take(encoded.indices)])
    text = column.cast(pa.large_string())
    return _trim_fraction(text) if kind == "time" else text


def unreadable_type(name: str, arrow_type: pa.DataType, *, where: str, expected: str = "", hint: str = "") -> DataError:
    """The error for a column of a type that its role does not take."""
    kind = classify_type(arrow_type)
    description = f"{arrow_type}" if kind in (None, str(arrow_type)) else f"{kind} ({arrow_type})"
    return DataError(
        f"column {name!r} holds {description[:200]}",
        expected=expected or "text, numbers, dates or times",
        where=where,
        hint=hint,
    )


def _format_floats(values: pa.Array, name: str, where: str) -> pa.Array:
    """Whole numbers without a point, others by the shortest digits that read back as the same number."""
    import numpy as np
    import pyarrow as pa

    numbers = values.to_numpy(zero_copy_only=False)
    if (np.abs(numbers) >= MAX_EXACT).any():
        example = numbers[np.abs(numbers) >= MAX_EXACT][0]
        raise DataError(
            f"column {name!r} holds floats, which do not tell names such as {example:.0f} from their neighbours",
            expected="integers or text",
            where=where,
            hint="store the column as integers or as text where the file is written",
        )
    # NumPy's text of a scalar is the shortest of its precision, so that .1 stays 0.1 in 32 bits as in 64
    return pa.array([str(int(number)) if number % 1 == 0 else str(number) for number in numbers], pa.large_string())


def _format_timestamps(values: pa.Array) -> pa.Array:
    """ISO 8601 by the clock of the column's zone, with the zone's offset at that instant."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    series = values.to_pandas()
    zone = series.dt.tz
    wall = (series if zone is None else series.dt.tz_localize(None)).to_numpy()
    text = pa.array(np.datetime_as_string(wall).astype(object), pa.large_string())
    text = _trim_fraction(text)
    if zone is None:
        return pc.replace_substring_regex(text, "T00:00:00$", "")
    offsets = (wall - series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()).astype("timedelta64[s]")
    return pc.binary_join_element_wise(
        text, pa.array(_format_offsets(offsets), pa.large_string()), pa.scalar("", pa.large_string())
    )


def _trim_fraction(text: pa.Array) -> pa.Array:
    """Times without the zeros at the end of their fractions of a second."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(pc.replace_substring_regex(text, r"(\.[0-9]*?)0+$", r"\1"), r"\.$", "")


def _format_offsets(offsets: NDArray[np.timedelta64]) -> list[str]:
    import numpy as np

    distinct, codes = np.unique(offsets.astype(np.int64), return_inverse=True)
    texts = []
    for seconds in distinct.tolist():
        minutes, rest = divmod(abs(seconds), 60)
        sign = "-" if seconds < 0 else "+"
        texts.append(f"{sign}{minutes // 60:02d}:{minutes % 60:02d}" + (f":{rest:02d}" if rest else ""))
    return [texts[code] for code in codes]
