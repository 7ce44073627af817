"""A text file is read as it is written, or refused with the line where it is not as it should be.

Tests of pipelines/data/delimited_faults.py
Tests of pipelines/data/text_stream.py
"""

# ruff: noqa: E501 - error lines are written out as users see them
from __future__ import annotations

import csv
import gzip
import io
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import load
from lockgate.pipelines.data.delimited import open_delimited
from lockgate.pipelines.data.text_stream import Progress

ROWS = [["ann", "1.5", "0"], ["b,b", "2", "1"], ["c|c;c", "", "0"]]


def read_file(
    content: bytes | str, path: str = "t.csv", *, nulls: tuple[str, ...] = ("",)
) -> tuple[tuple[str, ...], pa.Table]:
    blob = content.encode() if isinstance(content, str) else content

    @contextmanager
    def open_file():
        yield io.BytesIO(blob)

    table = open_delimited(path, open_file)
    return table.layout.names, table.read_columns(table.layout.names, nulls=nulls, report=lambda _: None)


def write(rows: list[list[str]], delimiter: str, **options: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, **options).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_divides_the_cells_is_seen_in_the_header(delimiter, line_end) -> None:
    text = write([["name", "x", "y"], *ROWS], delimiter, lineterminator=line_end)
    for content in (text, "\ufeff" + text, "\n\n" + text, text.rstrip("\r\n")):
        names, table = read_file(content)
        assert names == ("name", "x", "y")
        assert [list(row.values()) for row in table.to_pylist()] == [[cell or None for cell in row] for row in ROWS]


def test_a_tsv_is_divided_by_tabs_whatever_its_header_holds() -> None:
    names, table = read_file("a,b\tc;d\n1,5\t2\n", "T.TSV")
    assert (names, table.to_pylist()) == (("a,b", "c;d"), [{"a,b": "1,5", "c;d": "2"}])


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ('"a;b";c|d\n1;2\n', ("a;b", "c|d")),
        ("a,b;c\n1;2\n3;4\n", ("a,b", "c")),
        ("only\n1\n2\n", ("only",)),
        ('"two\nlines",b\n1,2\n', ("two\nlines", "b")),
        ('\ufeff"two\nlines",b\n1,2\n', ("two\nlines", "b")),
    ],
)
def test_a_delimiter_inside_a_name_is_a_character(content, names) -> None:
    header, table = read_file(content)
    assert header == names
    assert table[names[0]][0].as_py() == "1"


def test_a_header_that_can_be_divided_in_two_ways_is_refused() -> None:
    with pytest.raises(DataError, match=r"several ways: 3 by a comma or 2 by a bar; expected only one"):
        read_file("a,b|c,d\n1,2|3,4\n5,6|7,8\n")


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_packed_files_are_read_and_broken_ones_are_one_line(codec) -> None:
    suffix = {"gzip": ".csv.gz", "zstd": ".csv.zst"}[codec]
    content = ("x,y\n" + "".join(f"{number},{number * 7919 % 1000}\n" for number in range(9000))).encode()
    packed = gzip.compress(content) if codec == "gzip" else pa.Codec(codec).compress(content, asbytes=True)
    assert len(read_file(packed, f"t{suffix}")[1]) == 9000
    for broken, word in (
        (packed[:-9], "cut off"),
        (b"\1" + packed, "damaged"),
        (packed[: len(packed) // 3], "cut off"),
    ):
        with pytest.raises(DataError, match=rf"^t{suffix} is {word}: .*; expected a whole .\w+ file") as caught:
            read_file(broken, f"t{suffix}")
        assert "\n" not in str(caught.value)


def test_a_packed_file_whose_bytes_changed_is_damaged() -> None:
    packed = bytearray(gzip.compress(("x,y\n" + "1,2\n" * 90_000).encode()))
    packed[-6] ^= 1  # in the checksum: everything else unpacks
    with pytest.raises(DataError, match="is damaged"):
        read_file(bytes(packed), "t.csv.gz")


FAR = "1,2\n" * 300_000
LONG = f"1,{'x' * 500}\n" * 9_000  # more than the quick reader holds at once


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            "a,b\n1,2\n3\n4,5,6\n7,8\n",
            "t.csv has 2 rows with another number of cells than its header: line 3 has 1, line 4 has 3; expected 2 cells: a, b @ data.path (put cells that contain the delimiter or a line break in double quotes)",
        ),
        (
            'a,b\n"1\n1",2\n\n3\n',
            "t.csv has 1 row with another number of cells than its header: line 5 has 1; expected 2 cells: a, b @ data.path (put cells that contain the delimiter or a line break in double quotes)",
        ),
        (
            "a,b\r1,2\r3\r",
            "t.csv has 1 row with another number of cells than its header: line 3 has 1; expected 2 cells: a, b @ data.path (put cells that contain the delimiter or a line break in double quotes)",
        ),
        (
            "a,b\r\n1,2\r\n3,4,5",
            "t.csv has 1 row with another number of cells than its header: line 3 has 3; expected 2 cells: a, b @ data.path (put cells that contain the delimiter or a line break in double quotes)",
        ),
        (
            "Orders of May\nid,x\n1,2\n3\n",
            "t.csv has 2 rows with another number of cells than its header: line 2 has 2, line 3 has 2; expected 1 cell: Orders of May @ data.path (put cells that contain the delimiter or a line break in double quotes)",
        ),
        (
            "a,b\n1,2,\n3,4,\n",
            "t.csv has 2 rows with another number of cells than its header: line 2 has 3, line 3 has 3; expected 2 cells: a, b @ data.path (every such line ends in a delimiter that the header lacks: remove it, or give the last column a name)",
        ),
        (
            'a,b\n1,2\n3,"4\n5,6\n',
            "t.csv has a quote that never ends, in the row that begins in line 3; expected a closing double quote @ data.path (write a quote inside a quoted cell twice)",
        ),
        (
            'a,b\n1,"',
            "t.csv has a quote that never ends, in the row that begins in line 2; expected a closing double quote @ data.path (write a quote inside a quoted cell twice)",
        ),
        (
            f'a,b\n1,"2\n{LONG}',
            "t.csv has a quote that never ends, in the row that begins in line 2; expected a closing double quote @ data.path (write a quote inside a quoted cell twice)",
        ),
        (
            f"a,b\n{FAR}1,\0\n\0,2\n",
            "t.csv holds NUL characters, which no text has: the first in line 300,002, byte 3, in 2 lines; expected UTF-8 @ data.path (write the file again; Excel calls the format CSV UTF-8)",
        ),
        (
            f"a,b\n{FAR}1,é\n".encode("latin-1"),
            "t.csv is not UTF-8: the first is byte 0xe9 in line 300,002, byte 3, in 1 line; expected UTF-8 @ data.path (convert it: iconv -f LATIN1 -t UTF-8, or CP1252 from Windows)",
        ),
        ("a,é\n1,2\n".encode("latin-1"), "t.csv is not UTF-8: the first is byte 0xe9 in line 1, byte 3, in 1 line;"),
        ("a,b\n1,2\n".encode("utf-16"), "t.csv is UTF-16; expected UTF-8 @ data.path (save it as CSV UTF-8)"),
        ("", "t.csv is empty; expected a line with the names of the columns @ data.path"),
        ("\n \n", "t.csv is empty; expected a line with the names of the columns @ data.path"),
        (",".join("x" * 99 for _ in range(20_000)), "t.csv has no header in its first megabyte; expected"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(content, line) -> None:
    with pytest.raises(DataError) as caught:
        read_file(content)
    assert str(caught.value).startswith(line)
    assert line.endswith((";", "expected")) or str(caught.value) == line


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=5),
            min_size=2,
            max_size=2,
        ),
        max_size=5,
    ),
    st.sampled_from(",;\t|"),
)
def test_text_comes_back_as_it_was_written(rows: list[list[str]], delimiter: str) -> None:
    """All quoted, as what is not may be a line end to one reader and a character to another."""
    content = write([["first", "second"], *rows], delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    names, table = read_file(content, nulls=("NA",))
    assert names == ("first", "second")
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        tuple(None if cell == "NA" else cell for cell in row) for row in rows
    ]


def test_every_bad_cell_is_counted_and_the_lines_are_those_of_an_editor(tmp_path, declared) -> None:
    content = (
        'note,x,y\n"two\nlines",1,0\n\nplain,oops,1\n' + "".join(f"n,{number},0\n" for number in range(20)) + "n,-,1\n"
    )
    (tmp_path / "mine.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="holds 21 numbers and 2 other cells: 'oops' in line 5, '-' in line 26;"):
        load(declared(), root=tmp_path)


def test_progress_is_told_where_reading_takes_long() -> None:
    lines: list[str] = []
    Progress("a.csv", "MB", lines.append, seconds=1000).show(1)
    assert lines == []
    Progress("a.csv", "MB", lines.append, seconds=0).show(1234.4)
    assert lines == ["reading a.csv: 1,234 MB"]


def test_the_columns_that_have_no_role_are_not_read(tmp_path: Path, declared) -> None:
    content = "x,notes,y\n" + "".join(f"{number},{'?' if number else 'a'},{number % 2}\n" for number in range(30))
    (tmp_path / "mine.csv").write_text(content, encoding="utf-8")
    assert [*load(declared(exclude=["notes"]), root=tmp_path).frame] == ["x"]
    assert [*load(declared(features=["x"]), root=tmp_path).frame] == ["x"]
