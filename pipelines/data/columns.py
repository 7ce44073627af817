"""Check one column of a table and convert it to the type that its role needs.

Each function raises DataError for a column that cannot have its role, with the name of the column and `where`, the key
of the settings that declares it. Columns are of Arrow, as `arrow_types.decode` leaves them, but for times.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.arrow_types import classify_type, format_values
from lockgate.pipelines.data.schema import NUMBERS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.settings import DataSettings

MAX_LISTED_NAMES = 12


def list_options(names: Iterable[object]) -> str:
    """`one of a, b, c`; after twelve names, how many more there are."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - MAX_LISTED_NAMES} more" if len(listed) > MAX_LISTED_NAMES else ""
    return f"one of {', '.join(listed[:MAX_LISTED_NAMES])}{more}" if listed else "none, as there is none"


def suggest_name(name: object, names: Iterable[object]) -> str:
    """`did you mean 'late'?` for the most similar name; "" if none is similar."""
    near = difflib.get_close_matches(str(name), [str(other) for other in names], n=1)
    return f"did you mean {near[0]!r}?" if near else ""


MISSING = "(missing)"
MAX_NUMBER = 3.4e38  # of targets and weights, which some models take as 32-bit floats; of features each says its own


def to_feature(column: pa.ChunkedArray, *, name: str, where: str, categories: bool = False) -> pd.Series:
    """Text as pandas' `str`, numbers and columns without a value as float64; NaN where a value is missing.

    With `categories`, text is a categorical column, which saves memory where values repeat.
    """
    import pandas as pd

    kind = classify_type(column.type)
    if kind == "text" and column.null_count < len(column):
        values = column.dictionary_encode() if categories else column
        return pd.Series(values.to_pandas(), name=name)
    if kind in NUMBERS or column.null_count == len(column):
        return pd.Series(_to_finite(column, name=name, where=where), name=name)
    raise no_feature(name, kind or str(column.type), where=where)


def no_feature(name: str, kind: str, *, where: str) -> DataError:
    """The error for a column that holds what no model reads."""
    return DataError(
        f"column {name!r} holds {kind[:200]}",
        expected="numbers, booleans or text",
        where=where,
        hint=f"add {name} to data.exclude, or store what a model should learn from it as numbers",
    )


def to_numbers(column: pa.ChunkedArray, *, name: str, where: str) -> NDArray[np.float64]:
    """float64 (n,), finite; NaN where a value is missing."""
    if classify_type(column.type) not in NUMBERS and column.null_count < len(column):
        kind = classify_type(column.type) or column.type
        example = column.drop_null()[0].as_py()
        raise DataError(f"column {name!r} holds {kind}, such as {example!r}", expected="numbers", where=where)
    return _to_finite(column, name=name, where=where, largest=MAX_NUMBER)


def to_names(column: pa.ChunkedArray, *, name: str, where: str, missing: str | None = None) -> NDArray[np.object_]:
    """str (n,): every value as `arrow_types.format_values` writes it.

    Missing values become `missing`; without it they are an error.
    """
    import numpy as np

    encoded = format_values(column, name=name, where=where).combine_chunks().dictionary_encode()
    text, absent = encoded.dictionary.to_pylist(), encoded.null_count
    _check_present(absent, len(column), name=name, where=where, missing=missing)
    if absent and missing in text:
        raise DataError(
            f"column {name!r} holds the text {missing!r}, and is missing in {absent:,} of {len(column):,} rows, which"
            " is called so",
            expected="another text for one of the two",
            where=where,
        )
    codes: NDArray[np.int64] = encoded.indices.fill_null(len(text)).to_numpy()
    return np.asarray(np.array([*text, missing], dtype=object)[codes])


def to_strings(column: pa.ChunkedArray, *, name: str, where: str) -> pa.ChunkedArray:
    """As `to_names`, as Arrow strings (n,). Raises DataError for a missing value."""
    text = format_values(column, name=name, where=where)
    _check_present(text.null_count, len(text), name=name, where=where, missing=None)
    return text


def _check_present(absent: int, rows: int, *, name: str, where: str, missing: str | None) -> None:
    if absent and missing is None:
        raise DataError(
            f"column {name!r} is missing in {absent:,} of {rows:,} rows", expected="a value in every row", where=where
        )


def to_labels(column: pa.ChunkedArray, data: DataSettings) -> NDArray[np.float64]:
    """float64 (n,): 0 or 1 for task binary, a finite number for regression, NaN where the outcome is missing."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    where, name = "data.target", data.target
    if data.positive is not None:
        hit = _is_positive(column, data.positive, name)
        if not pc.any(hit).as_py():
            texts = sorted(format_values(column, name=name, where=where).unique().drop_null().to_pylist())
            raise DataError(
                f"no row of target {name!r} is {data.positive!r}",
                expected=list_options(texts),
                where="data.positive",
                hint=f"put the word in quotes: YAML reads a bare yes, no, on or off as {data.positive}"
                if isinstance(data.positive, bool)
                else suggest_name(data.positive, texts),
            )
        return np.asarray(hit.cast(pa.float64()).to_numpy(), dtype=np.float64)
    if classify_type(column.type) == "text" and data.task == "binary" and column.null_count < len(column):
        texts = sorted(column.unique().drop_null().to_pylist())
        raise DataError(
            f"target {name!r} holds text: {', '.join(texts[:5])}",
            expected="0, 1, true or false",
            where=where,
            hint=f"set data.positive={texts[0]}, or the value that counts as 1",
        )
    values = to_numbers(column, name=name, where=where)
    if data.task == "binary" and (other := sorted({*values[~np.isnan(values)]} - {0.0, 1.0})):
        raise DataError(
            f"target {name!r} holds {', '.join(f'{value:g}' for value in other[:5])}",
            expected="0 or 1",
            where=where,
            hint="set data.positive to the value that counts as 1, or data.task=regression",
        )
    return values


def _is_positive(column: pa.ChunkedArray, positive: bool | int | float | str, name: str) -> pa.ChunkedArray:
    """Whether a value is the one that counts as 1; null where it is missing.

    Numbers are compared as numbers, also with a word that is one, and everything else as text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if classify_type(column.type) in NUMBERS:
        word = str(positive).strip().lower()
        number = {"true": 1.0, "false": 0.0}.get(word) if pa.types.is_boolean(column.type) else _parse_number(positive)
        return pc.equal(_to_floats(column), number if number is not None else pa.scalar(None, pa.float64()))
    text = str(positive).lower() if isinstance(positive, bool) else str(positive)
    return pc.equal(format_values(column, name=name, where="data.target"), text)


def _parse_number(word: float | str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _to_floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(pa.float64(), safe=False)  # the nearest float of an integer beyond 2^53 is good enough to learn


def _to_finite(
    column: pa.ChunkedArray, *, name: str, where: str, largest: float = sys.float_info.max
) -> NDArray[np.float64]:
    import numpy as np
    import pyarrow as pa

    if column.null_count == len(column):
        return np.full(len(column), np.nan)
    values: NDArray[np.float64] = _to_floats(column).cast(pa.float64()).to_numpy()
    beyond = np.abs(values) > largest
    if beyond.any():
        infinite = int(np.isinf(values).sum())
        problem = f"infinite in {infinite:,}" if infinite else f"beyond ±{largest:.1e} in {int(beyond.sum()):,}"
        raise DataError(
            f"column {name!r} is {problem} rows",
            expected="finite numbers or nothing" if infinite else "numbers that fit in 32-bit floats, as models need",
            where=where,
        )
    return values
