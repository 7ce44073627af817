"""Read a text file of rows and cells: which character separates them, what the columns are called, every cell as text.

What is wrong with a file is refused, with the line where it is. The quick reader notices that something is wrong, and
`delimited_faults` finds out what.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.delimited_faults import find_fault, find_lines, split_rows
from lockgate.pipelines.data.schema import Place
from lockgate.pipelines.data.text_stream import CheckedStream, NulError, Progress, Report, archive_error, open_text

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = tuple(f"{kind}{packed}" for kind in (".csv", ".tsv") for packed in ("", ".gz", ".zst"))
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}

_HEAD_BYTES = 2**20
_BLOCK_BYTES = 2**22  # a row must be shorter than a block
_COMPARED_ROWS = 100
_LAST_CELL = "\x02end of the table\x03"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Open = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is laid out."""

    names: tuple[str, ...]  # of its columns, as the header has them
    delimiter: str
    header_rows: int  # rows up to and with the header: it may follow empty lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimited:
    """A file of rows and cells, of which nothing is read but the beginning."""

    path: str
    open: Open
    layout: Layout

    @property
    def place(self) -> Place:
        """How errors name rows of this file: by line, for which the file is read once more."""
        return Place(path=self.path, locate=self._locate)

    def read_columns(self, names: Collection[str], *, nulls: Sequence[str], report: Report) -> pa.Table:
        """These columns as strings (n,), as written; null where a cell is one of the words `nulls`.

        Raises:
            DataError: a row has too few or too many cells, a quote does not end, a character is no UTF-8, or the
                archive is damaged.
        """
        import pyarrow as pa
        import pyarrow.csv

        layout = self.layout
        chosen = [name for name in layout.names if name in names]
        tail = layout.delimiter.join([_LAST_CELL] * len(layout.names)) + "\n"
        is_ragged = False

        def skip_ragged(_: object) -> str:
            nonlocal is_ragged
            is_ragged = True
            return "skip"

        progress = Progress(self.path, "MB", report)
        try:
            with self.open() as file:
                stream = CheckedStream(
                    open_text(file, self.path), path=self.path, tail=tail.encode(), progress=progress
                )
                table = pa.csv.read_csv(
                    pa.PythonFile(stream, mode="r"),
                    read_options=pa.csv.ReadOptions(
                        column_names=layout.names, skip_rows_after_names=layout.header_rows, block_size=_BLOCK_BYTES
                    ),
                    parse_options=pa.csv.ParseOptions(
                        delimiter=layout.delimiter, newlines_in_values=True, invalid_row_handler=skip_ragged
                    ),
                    convert_options=pa.csv.ConvertOptions(
                        column_types=dict.fromkeys(chosen, pa.string()),
                        include_columns=chosen,
                        null_values=list(nulls),
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=True,
                    ),
                )
        except (pa.ArrowInvalid, NulError) as err:
            raise self._explain(str(err)) from err
        rows = len(table) - 1
        if is_ragged or rows < 0 or any(column[rows].as_py() != _LAST_CELL for column in table.columns):
            raise self._explain("its rows do not fit its header")
        return table.slice(0, rows)

    def _explain(self, otherwise: str) -> DataError:
        """The error for a file that the quick reader refuses."""
        with self.open() as file:
            fault = find_fault(open_text(file, self.path), self.path, self.layout.delimiter, self.layout.names)
        return fault or DataError(f"{self.path} cannot be read: {otherwise}", where="data.path")

    def _locate(self, rows: Sequence[int]) -> list[str]:
        with self.open() as file:
            lines = find_lines(open_text(file, self.path), rows, self.layout.delimiter)
        return [f"line {line:,}" for line in lines]


def open_delimited(path: str, open_file: Open) -> Delimited:
    """The file at `path`, whose beginning says how it is laid out.

    Raises:
        DataError: it is empty, not UTF-8 or damaged, or its cells could be separated in two ways.
    """
    with open_file() as file:
        try:
            stream = open_text(file, path)
            head = b""
            while len(head) <= _HEAD_BYTES and (part := stream.read(_HEAD_BYTES)):
                head += part
        except OSError as err:
            raise archive_error(path, err) from err
    if head.startswith(_UTF16):
        raise DataError(f"{path} is UTF-16", expected="UTF-8", where="data.path", hint="save it as CSV UTF-8")
    is_whole = len(head) <= _HEAD_BYTES
    try:
        text = (head if is_whole else head[: head.rfind(b"\n") + 1]).decode("utf-8-sig")
        if "\0" in text:
            raise NulError
    except (UnicodeDecodeError, NulError) as err:
        raise find_fault(io.BytesIO(head), path, None, ()) or DataError(
            f"{path} is no text", where="data.path"
        ) from err
    if not text.strip():
        why = "is empty" if is_whole else "has no header in its first megabyte"
        raise DataError(f"{path} {why}", expected="a line with the names of the columns", where="data.path")
    delimiter = _find_delimiter(path, text)
    rows = split_rows(io.StringIO(text, newline=""), delimiter)
    header_rows, names = next((number, row) for number, row in enumerate(rows, start=1) if row)
    return Delimited(
        path=path, open=open_file, layout=Layout(names=tuple(names), delimiter=delimiter, header_rows=header_rows)
    )


def _find_delimiter(path: str, text: str) -> str:
    """The one character that divides the header, and, if several do, every row at the beginning as it divides that."""
    if ".tsv" in path.lower():
        return "\t"
    dividing = {delimiter: rows for delimiter in DELIMITERS if len((rows := _split(text, delimiter))[0]) > 1}
    if len(dividing) < 2:
        return next(iter(dividing), ",")
    regular = [delimiter for delimiter, rows in dividing.items() if all(len(row) == len(rows[0]) for row in rows)]
    if len(regular) == 1:
        return regular[0]
    ways = " or ".join(f"{len(dividing[delimiter][0])} by {DELIMITERS[delimiter]}" for delimiter in regular or dividing)
    raise DataError(
        f"the header of {path} can be divided into columns in several ways: {ways}",
        expected="only one of these characters in the header, or the same number of cells in every row for one alone",
        where=f"{path}, line 1",
        hint="put the names in double quotes, rename the columns, or write tabs and call the file .tsv",
    )


def _split(text: str, delimiter: str) -> list[list[str]]:
    """The header and the first rows."""
    rows = (row for row in split_rows(io.StringIO(text, newline=""), delimiter) if row)
    return [*itertools.islice(rows, _COMPARED_ROWS + 1)]
