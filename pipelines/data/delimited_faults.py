"""What is wrong with a text file of rows and cells, and in which line: a slow look, taken only after a quick one."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from lockgate.gates.errors import DataError, count_noun

_MAX_CELL = 2**31 - 1
_END = "\x02end\x03"


class _Lines:
    """The lines of a file as text, each with what is wrong with its bytes noted."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.nul = self.encoding = ""  # where the first one is
        self.nuls = self.misencoded = 0  # how many lines have one

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(_read_lines(self._file), start=1):
            if (place := line.find(b"\0")) >= 0:
                self.nuls += 1
                self.nul = self.nul or f"line {number:,}, byte {place + 1:,}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as err:
                self.misencoded += 1
                self.encoding = self.encoding or f"{line[err.start]:#04x} in line {number:,}, byte {err.start + 1:,}"
                text = line.decode("utf-8", errors="replace")
            yield text


def _read_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends, from a file that may only have `read`."""
    rest = b""
    while part := file.read(2**20):
        *lines, rest = (rest + part).splitlines(keepends=True)  # \n, \r\n, or \r as old Macs wrote
        yield from lines
    if rest:
        yield rest


def _read_rows(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty, with the line that it begins in. One row of `_END` follows the last one."""

    def with_end() -> Iterator[str]:
        yield from lines
        yield f"{_END}\n"

    first = 1
    for row, last in _split_lines(with_end(), delimiter):
        if row:
            yield first, row
        first = last + 1


def split_rows(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The cells of every row; none of an empty line. A cell may be as long as the text."""
    return (row for row, _ in _split_lines(lines, delimiter))


def _split_lines(lines: Iterable[str], delimiter: str) -> Iterator[tuple[list[str], int]]:
    """The cells of every row, and the line in which it ends."""
    csv.field_size_limit(_MAX_CELL)  # one for all readers of this process, and none is worse off
    reader = csv.reader(lines, delimiter=delimiter)
    for row in reader:
        yield row, reader.line_num


def find_fault(file: IO[bytes], path: str, delimiter: str | None, names: Sequence[str]) -> DataError | None:
    """The error for what is wrong first in the order of: NUL, encoding, quotes, number of cells; None for nothing.

    Without a delimiter only the bytes are looked at.
    """
    lines = _Lines(file)
    ragged: list[tuple[int, int]] = []
    count, quote, is_trailing = 0, 0, True
    if delimiter is None:
        for _ in lines:
            pass
    else:
        for first, row in _read_rows(lines, delimiter):
            if row == [_END]:
                break
            quote = first
            if any(_END in cell for cell in row):
                continue
            if len(row) != len(names):
                count += 1
                ragged.append((first, len(row))) if len(ragged) < 3 else None
                is_trailing = is_trailing and len(row) == len(names) + 1 and row[-1] == ""
        else:
            return _quote_error(path, quote)
    if lines.nul:
        return DataError(
            f"{path} holds NUL characters, which no text has: the first in {lines.nul}, in {_count_lines(lines.nuls)}",
            expected="UTF-8",
            where="data.path",
            hint="write the file again; Excel calls the format CSV UTF-8",
        )
    if lines.encoding:
        return DataError(
            f"{path} is not UTF-8: the first is byte {lines.encoding}, in {_count_lines(lines.misencoded)}",
            expected="UTF-8",
            where="data.path",
            hint="convert it: iconv -f LATIN1 -t UTF-8, or CP1252 from Windows",
        )
    return _ragged_error(path, names, ragged, count, is_trailing=is_trailing) if ragged else None


def _ragged_error(
    path: str, names: Sequence[str], ragged: Sequence[tuple[int, int]], count: int, *, is_trailing: bool
) -> DataError:
    listed = ", ".join(f"line {line:,} has {cells:,}" for line, cells in ragged)
    hint = (
        "every such line ends in a delimiter that the header lacks: remove it, or give the last column a name"
        if is_trailing
        else "put cells that contain the delimiter or a line break in double quotes"
    )
    return DataError(
        f"{path} has {count_noun(count, 'row')} with another number of cells than its header: {listed}",
        expected=f"{count_noun(len(names), 'cell')}: {', '.join(names)[:200]}",
        where="data.path",
        hint=hint,
    )


def _quote_error(path: str, line: int) -> DataError:
    return DataError(
        f"{path} has a quote that never ends, in the row that begins in line {line:,}",
        expected="a closing double quote",
        where="data.path",
        hint="write a quote inside a quoted cell twice",
    )


def find_lines(file: IO[bytes], rows: Sequence[int], delimiter: str) -> list[int]:
    """The lines in which these rows begin; rows count from 0, after the header."""
    wanted = set(rows)
    found_lines: dict[int, int] = {}
    for number, (line, _) in enumerate(_read_rows(_Lines(file), delimiter), start=-1):
        if number in wanted:
            found_lines[number] = line
            if len(found_lines) == len(wanted):
                break
    return [found_lines[row] for row in rows]


def _count_lines(count: int) -> str:
    return count_noun(count, "line")
