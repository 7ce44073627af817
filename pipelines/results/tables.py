"""Results in tables: CSV, Parquet, and a JSON object on each line. One row is one try of one sample."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lockgate.gates.documents import parse_json
from lockgate.gates.errors import EvidenceError
from lockgate.gates.foreign import show_foreign
from lockgate.pipelines.results.results import (
    MAX_NAME_BYTES,
    MAX_ROWS,
    Result,
    Results,
    Selection,
    cannot_read,
    check_size,
    digest_file,
    parse_name,
    parse_score,
    unknown_name,
)

MAX_CELL_BYTES = 16 * 1024**2
"""The longest cell of a CSV file, and the longest line of JSON: an answer of a model may be long."""

_BATCH_ROWS = 1 << 14
Record = tuple[str, Mapping[str, Any]]  # where it is in the file, and its values by column


def read_csv(path: Path, selection: Selection) -> Results:
    """Results in a CSV file with a header, separated by commas, in UTF-8. Raises EvidenceError."""
    with _open_file(path) as file:
        lines = (_decode(line, number, path) for number, line in enumerate(file, 1))
        limit = csv.field_size_limit(MAX_CELL_BYTES)
        try:
            rows = csv.reader(lines, strict=True)
            header = [name.removeprefix("\ufeff") for name in next(rows, [])]
            return _read_records(path, header, _csv_records(rows, header, path), selection)
        except csv.Error as err:
            raise EvidenceError(
                f"line {rows.line_num} is not CSV: {err}", expected="a CSV file", where=str(path)
            ) from err
        finally:
            csv.field_size_limit(limit)


def read_parquet(path: Path, selection: Selection) -> Results:
    """Results in a Parquet file. Raises EvidenceError."""
    try:
        with _open_file(path) as file, pq.ParquetFile(file) as table:
            header = table.schema_arrow.names
            if table.metadata.num_rows > MAX_ROWS:
                raise EvidenceError(
                    f"there are {table.metadata.num_rows:,} results", expected=f"at most {MAX_ROWS:,}", where=str(path)
                )
            needed = _choose_columns(header, selection, where=str(path))
            names = sorted(set(needed.values()))
        # text as dictionaries: a small file can stand for many copies of a long text
        with pq.ParquetFile(path, read_dictionary=names) as table:
            return _read_records(path, header, _parquet_records(table, names, path), selection)
    except OSError as err:
        raise cannot_read(path, err) if err.strerror else _not_parquet(path) from err
    except (pa.ArrowException, ValueError) as err:
        raise _not_parquet(path) from err


def read_jsonl(path: Path, selection: Selection) -> Results:
    """Results in a file with a JSON object on each line. Raises EvidenceError."""
    with _open_file(path) as file:
        records = list(_json_records(file, path))
    header = list(dict.fromkeys(name for _, record in records[:1000] for name in record))
    return _read_records(path, header, iter(records), selection)


@contextmanager
def _open_file(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as err:
        if err.strerror is None:  # Arrow's own, about what is in the file
            raise
        raise cannot_read(path, err) from err


def _not_parquet(path: Path) -> EvidenceError:
    return EvidenceError("the file is not Parquet, or is cut off", expected="an intact Parquet file", where=str(path))


def _decode(line: bytes, number: int, path: Path) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as err:
        raise EvidenceError(f"line {number} is not UTF-8", expected="a CSV file in UTF-8", where=str(path)) from err


def _csv_records(rows: Any, header: Sequence[str], path: Path) -> Iterator[Record]:
    for row in rows:
        if not row:  # an empty line
            continue
        if len(row) != len(header):
            raise EvidenceError(
                f"line {rows.line_num} has {len(row)} cells; the header has {len(header)}",
                expected="the same number in every line",
                where=str(path),
                hint="the file may be cut off, or a comma may not be quoted",
            )
        yield f"line {rows.line_num}", dict(zip(header, row, strict=True))


def _parquet_records(table: Any, names: Sequence[str], path: Path) -> Iterator[Record]:
    number = 0
    for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=names):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            values = column.dictionary if pa.types.is_dictionary(column.type) else column
            if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
                longest = pc.max(pc.binary_length(values)).as_py() or 0
                if longest > MAX_NAME_BYTES:
                    raise EvidenceError(
                        f"column {name[:60]!r} has a text of {longest:,} bytes",
                        expected=f"at most {MAX_NAME_BYTES}",
                        where=str(path),
                    )
        for record in batch.to_pylist():
            number += 1
            yield f"row {number}", record


def _json_records(file: Any, path: Path) -> Iterator[Record]:
    number = 0
    while line := file.readline(MAX_CELL_BYTES + 1):
        number += 1
        if len(line) > MAX_CELL_BYTES:
            raise EvidenceError(
                f"line {number} is too long", expected=f"at most {MAX_CELL_BYTES:,} bytes", where=str(path)
            )
        if not line.strip():
            continue
        try:
            record = parse_json(line, finite=False)
        except (ValueError, RecursionError) as err:
            raise EvidenceError(
                f"line {number} is not JSON",
                expected="a JSON object on each line, without a key that occurs twice",
                where=str(path),
                hint="the file may be cut off",
            ) from err
        if not isinstance(record, dict):
            raise EvidenceError(f"line {number} is no object", expected="a JSON object on each line", where=str(path))
        if number > MAX_ROWS:
            raise EvidenceError("there are too many results", expected=f"at most {MAX_ROWS:,}", where=str(path))
        yield f"line {number}", record


def _choose_columns(header: Sequence[str], selection: Selection, *, where: str) -> dict[str, str]:
    """The column of each part of a result: `id`, `score`, and `epoch`, `label`, `weight`, `cluster`, slices if any."""
    if repeated := [name for name in header if header.count(name) > 1]:
        raise EvidenceError(f"column {repeated[0][:60]!r} occurs twice", expected="each name once", where=where)
    parts = ("id", "score", "epoch", "weight", "cluster", *(["label"] if selection.labelled else []))
    chosen = {part: getattr(selection, part) or part for part in parts}
    by_default = {part for part in chosen if getattr(selection, part) is None} - {"id", "score"}
    chosen |= {f"slice {name}": name for name in selection.slices}
    for part, name in list(chosen.items()):
        if name not in header:
            if part in by_default:
                del chosen[part]
                continue
            raise unknown_name(name, header, noun="column", option=f"--{part.split()[0]}", where=where)
    return chosen


def _read_records(path: Path, header: Sequence[str], records: Iterator[Record], selection: Selection) -> Results:
    chosen = _choose_columns(header, selection, where=str(path))
    rows: list[Result] = []
    for line, record in records:
        rows.append(_read_record(record, chosen, where=f"{path}, {line}"))
        if len(rows) > MAX_ROWS:
            break
    check_size(rows, where=str(path))
    return Results(
        where=str(path),
        sha256=digest_file(path),
        score=chosen["score"],
        rows=tuple(rows),
        cluster=chosen.get("cluster"),
        unread=tuple(name for name in header if name not in chosen.values()),
    )


def _read_record(record: Mapping[str, Any], chosen: Mapping[str, str], *, where: str) -> Result:
    def read_name(part: str) -> str:
        name = chosen[part]
        value = record.get(name)
        if part == "id" and isinstance(value, float):
            raise EvidenceError(f"the id is {value!r}", expected="a text or a whole number", where=where)
        text = parse_name(value, what=f"{name[:60]!r}", where=where)
        if value is None or (not text and part in ("id", "epoch")):
            raise EvidenceError(f"{name[:60]!r} is missing", expected="a value for every row", where=where)
        return text

    def read_number(part: str) -> float:
        value = record.get(chosen[part])
        number = parse_score(value)
        if number is None or (number != number and part != "score"):  # noqa: PLR0124 (NaN: nothing there)
            shown = "missing" if number is not None else show_foreign(value, max_chars=60)
            hint = "with --task score no label is read" if part == "label" else ""
            raise EvidenceError(
                f"{chosen[part][:60]!r} is {shown}", expected="a number for every row", where=where, hint=hint
            )
        return number

    names = [part for part in chosen if part == "cluster" or part.startswith("slice ")]
    return Result(
        sample=read_name("id"),
        epoch=read_name("epoch") if "epoch" in chosen else "",
        score=read_number("score"),
        problem="no score",
        names={chosen[part]: read_name(part) for part in names},
        numbers={part: read_number(part) for part in ("label", "weight") if part in chosen},
    )
