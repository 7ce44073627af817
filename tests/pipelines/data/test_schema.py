"""Columns have the types that are declared, or those that all of their cells show, or they are refused.

Tests of pipelines/data/typing_columns.py
"""

# ruff: noqa: E501 - error lines are written out as users see them
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import load
from lockgate.pipelines.data.schema import Place, convert_column, infer_type, read_cells, write_types

PLACE = Place(path="t.csv", locate=lambda rows: [f"line {row + 2}" for row in rows])
NUMBERS = [f"{number}.5" for number in range(30)]
INTEGERS = [str(number) for number in range(30)]


def cells(words: Sequence[str | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(words, pa.string())])


def infer(words: Sequence[str | None]) -> tuple[str, list[Any]]:
    type_name, values = infer_type(cells(words), name="x", place=PLACE)
    return type_name, values.to_pylist()


@pytest.mark.parametrize(
    ("words", "type_name", "values"),
    [
        (["1", None, "-20", "0"], "integer", [1, None, -20, 0]),
        (["9223372036854775807"], "integer", [2**63 - 1]),
        (["9223372036854775808", "1"], "decimal", [2.0**63, 1.0]),
        (["1", "2.", ".5", "+3", " 4 ", "1E5", "-0"], "decimal", [1, 2, 0.5, 3, 4, 1e5, 0]),
        (["true", "FALSE", None, "True"], "boolean", [True, False, None, True]),
        (["true", "1"], "text", ["true", "1"]),
        (["007", "12"], "text", ["007", "12"]),
        (["00", "1.5"], "text", ["00", "1.5"]),
        (["0", "0.5"], "decimal", [0, 0.5]),
        (["0x1F", "12"], "text", ["0x1F", "12"]),
        (["1_000"], "text", ["1_000"]),
        (["NA", "None", "nan", "null"], "text", ["NA", "None", "nan", "null"]),
        (["2020-01-01", "2020-01-02"], "text", ["2020-01-01", "2020-01-02"]),
        ([None, None], "decimal", [None, None]),
        ([], "decimal", []),
        ([*INTEGERS, "B12", "x-7"], "text", [*INTEGERS, "B12", "x-7"]),
        ([*INTEGERS[:9], "?"], "text", [*INTEGERS[:9], "?"]),
        ([*INTEGERS, *["a", "b", "c"] * 11], "text", [*INTEGERS, *["a", "b", "c"] * 11]),
    ],
)
def test_the_type_that_all_cells_show(words, type_name, values) -> None:
    assert infer(words) == (type_name, values)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            [*NUMBERS, None, "n/a", "n/a"],
            "column 'x' of t.csv holds 30 numbers and 2 other cells: 'n/a' in line 33, 'n/a' in line 34; expected all numbers, or a declared type @ data.types (add \"n/a\" to data.nulls if that means missing, or keep the column as text by types: {x: text})",
        ),
        (
            [*INTEGERS[:10], "NaN"],
            "column 'x' of t.csv holds 10 numbers and 1 other cell: 'NaN' in line 12; expected all numbers, or a declared type @ data.types (add \"NaN\" to data.nulls if that means missing, or keep the column as text by types: {x: text})",
        ),
        (
            [*INTEGERS, "a", "b", "c", "d"],
            "column 'x' of t.csv holds 30 numbers and 4 other cells: 'a' in line 32, 'b' in line 33, 'c' in line 34; expected all numbers, or a declared type @ data.types (keep the column as text by types: {x: text})",
        ),
        (
            [*INTEGERS, "12kg"],
            "column 'x' of t.csv holds 30 numbers and 1 other cell: '12kg' in line 32; expected all numbers, or a declared type @ data.types (add \"12kg\" to data.nulls if that means missing, or keep the column as text by types: {x: text})",
        ),
        (
            [*INTEGERS[:7], "2,5", "1.000,25", "1,000.25"],
            "column 'x' of t.csv holds 3 numbers with a comma: '2,5' in line 9, '1.000,25' in line 10, '1,000.25' in line 11; expected a decimal point, and nothing between thousands @ data.types (write the file so, or keep the cells as they are by types: {x: text})",
        ),
        (
            [*NUMBERS, "1e400"],
            "column 'x' of t.csv holds numbers too large for a float; expected at most 1.8e308 @ data.types (exclude it, or keep it as text by types: {x: text})",
        ),
    ],
)
def test_numbers_among_which_something_else_hides_are_refused(words, line) -> None:
    with pytest.raises(DataError) as caught:
        infer(words)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("words", "type_name", "values"),
    [
        (["007", "+8", " 9 ", None], "integer", [7, 8, 9, None]),
        (["18446744073709551615", "0"], "integer", [2**64 - 1, 0]),
        (["1", "true"], "text", ["1", "true"]),
        (["2020-02-29", None], "date", ["2020-02-29", None]),
        (["2020-02-29T12:00:00.000000001+02:00", "2020-03-01"], "timestamp", None),
        ([], "timestamp", []),
        ([None], "boolean", [None]),
    ],
)
def test_cells_of_a_declared_type(words, type_name, values) -> None:
    converted = read_cells(cells(words), type_name, name="x", place=PLACE)
    assert converted.to_pylist() == (words if values is None else values)


@pytest.mark.parametrize(
    ("words", "type_name", "line"),
    [
        (["1", "2.0", "0x1F"], "integer", "2 cells that are no integer: '2.0' in line 3, '0x1F' in line 4"),
        (["1", "18446744073709551616"], "integer", "1 cell that is no integer: '18446744073709551616' in line 3"),
        (["-1", "18446744073709551615"], "integer", "negative integers, and some that need all 64 bits"),
        (["1", "inf", "nan", "1,5"], "decimal", "3 cells that are no decimal: 'inf' in line 3, 'nan' in line 4"),
        (["true", "yes"], "boolean", "1 cell that is no boolean: 'yes' in line 3"),
        (["2021-02-29", "2020-02-29"], "date", "1 cell that is no date: '2021-02-29' in line 2"),
        (["2020-02-29T10:00"], "date", "1 cell that is no date: '2020-02-29T10:00' in line 2"),
        (["yesterday"], "timestamp", "1 cell that is no timestamp: 'yesterday' in line 2"),
    ],
)
def test_a_cell_of_another_type_than_declared_is_named(words, type_name, line) -> None:
    with pytest.raises(DataError, match=f"^column 'x' of t.csv holds {line}.*@ data.types") as caught:
        read_cells(cells(words), type_name, name="x", place=PLACE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "type_name", "values"),
    [
        (pa.array([1, 2]), "text", ["1", "2"]),
        (pa.array([1, 2]), "category", ["1", "2"]),
        (pa.array([1.0, None, 3.0]), "integer", [1, None, 3]),
        (pa.array([1, 2]), "decimal", [1, 2]),
        (pa.array(["1", "2"]), "integer", [1, 2]),
        (pa.array(["true", "false"]).dictionary_encode(), "boolean", [True, False]),
        (pa.nulls(2), "text", [None, None]),
        (pa.nulls(2), "boolean", [None, None]),
    ],
)
def test_a_column_that_has_a_type_may_be_declared_as_one_like_it(column, type_name, values) -> None:
    assert convert_column(pa.chunked_array([column]), type_name, name="x", place=PLACE).to_pylist() == values


@pytest.mark.parametrize(
    ("column", "type_name", "line"),
    [
        (pa.array([1.5]), "integer", r"holds decimal \(double\); expected integer"),
        (pa.array([2.0**70]), "integer", r"holds decimal \(double\); expected integer"),
        (pa.array([1]), "boolean", r"holds integer \(int64\); expected boolean"),
        (pa.array([True]), "integer", r"holds boolean \(bool\); expected integer"),
        (pa.array([1]), "date", r"holds integer \(int64\); expected date"),
        (pa.array([[1]]), "text", r"holds list<item: int64>; expected text, numbers"),
        (pa.array(["1", "z"]), "decimal", "of t.csv holds 1 cell that is no decimal: 'z' in line 3"),
    ],
)
def test_a_column_of_another_kind_than_declared_is_refused(column, type_name, line) -> None:
    with pytest.raises(DataError, match=f"^column 'x' {line}.* @ data.types"):
        convert_column(pa.chunked_array([column]), type_name, name="x", place=PLACE)


WORDS = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=6)


@settings(max_examples=50)
@given(st.lists(st.one_of(st.none(), WORDS, st.integers().map(str), st.floats().map(repr)), max_size=9))
def test_up_to_nine_cells_are_read_or_stay_text_and_never_change(words: list[str | None]) -> None:
    """With ten there may be a refusal. What is called an integer is written as it was; a float reads back as itself."""
    type_name, values = infer(words)
    assert len(values) == len(words)
    for word, value in zip(words, values, strict=True):
        if word is None or value is None:
            assert word is value
        elif type_name == "decimal":
            assert value == float(word)
        else:
            assert (str(value).lower() if type_name == "boolean" else str(value)) == (
                word.lower() if type_name == "boolean" else word
            )


@settings(max_examples=20)
@given(st.permutations([*NUMBERS, "-"]), st.integers(1, 31))
def test_the_place_of_a_faulty_cell_does_not_matter(words: list[str], chunk: int) -> None:
    column = pa.chunked_array([pa.array(words[:chunk], pa.string()), pa.array(words[chunk:], pa.string())])
    with pytest.raises(DataError, match=rf"30 numbers and 1 other cell: '-' in line {words.index('-') + 2};"):
        infer_type(column, name="x", place=PLACE)


def test_types_are_written_as_yaml_that_reads_back() -> None:
    types = {"a b": "text", "no": "integer", "x: y": "date", "né": "decimal", "1": "boolean"}
    assert yaml.safe_load(write_types(types)) == types
    assert "\n" not in write_types({f"column {number}": "text" for number in range(200)})


CSV = "account,country,amount,flag,y\n" + "".join(
    f"{number:05d},{['NA', 'DE', ''][number % 3]},{number}.5,{['True', 'False'][number % 2]},{number % 2}\n"
    for number in range(12)
)


def test_inferred_types_are_told_once_and_kept_with_the_table(tmp_path, declared) -> None:
    (tmp_path / "mine.csv").write_text(CSV, encoding="utf-8")
    lines: list[str] = []
    table = load(declared(key=["account"], slices=["flag", "country"]), root=tmp_path, report=lines.append)
    types = {"country": "text", "amount": "decimal", "flag": "boolean"}
    assert table.types == types
    (line,) = lines
    assert line.startswith("types of the columns, as conf/data would declare them: types: {country: text, amount: dec")
    assert (table.row_ids[7], list(table.slices["flag"][:2])) == ("00007", ["True", "False"])
    assert list(table.slices["country"][:3]) == ["NA", "DE", "(missing)"]
    np.testing.assert_array_equal(table.frame["flag"][:2], [1, 0])
    pasted = yaml.safe_load(lines[0].partition("declare them: ")[2])
    again = load(declared(key=["account"], types=pasted["types"]), root=tmp_path, report=lines.append)
    assert (again.types, len(lines)) == (types, 1)
    assert again.frame.equals(table.frame)


def test_words_that_mean_missing_are_those_of_the_file_or_of_the_column(tmp_path, declared) -> None:
    rows = "".join(f"{number},-,{number % 2}\n" for number in range(12))
    (tmp_path / "mine.csv").write_text(f"a,b,y\n{rows}?,,0\n-,-,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"'a' of mine.csv holds 12 numbers and 2 other cells: '\?' in line 14, '-' in"):
        load(declared(), root=tmp_path)
    table = load(declared(types={"a": {"type": "integer", "nulls": ["?", "-"]}}), root=tmp_path)
    assert np.isnan(table.frame["a"]).sum() == 2
    assert table.frame["b"].isna().tolist() == [False] * 12 + [True, False]
    everywhere = load(declared(nulls=["", "?", "-"]), root=tmp_path)
    assert np.isnan(everywhere.frame["a"]).sum() == 2
    assert everywhere.types == {"a": "integer", "b": "decimal"}


def test_text_of_parquet_that_is_declared_as_numbers_may_have_words_that_mean_missing(loaded) -> None:
    columns = {"a": ["1", "", "3"], "b": ["", "NA", "-"], "y": [0, 1, 0]}
    table = loaded(columns, types={"a": "integer", "b": {"type": "category", "nulls": ["-"]}})
    assert table.frame["a"].isna().tolist() == [False, True, False]
    assert table.frame["b"].tolist()[:2] == ["", "NA"]
    assert table.frame["b"].isna().tolist() == [False, False, True]
    assert loaded(columns, types={"b": "text"}).frame["b"].tolist() == ["", "NA", "-"]


def test_a_column_can_be_name_and_feature_at_once(tmp_path, declared) -> None:
    (tmp_path / "mine.csv").write_text("k,x,y\n1E5,1,0\n100000,2,1\n1.50,3,0\n", encoding="utf-8")
    table = load(declared(key=["k"], cluster="k", slices=["k"], features=["k", "x"]), root=tmp_path)
    names = ["1E5", "100000", "1.50"]
    assert [*table.row_ids] == [*table.clusters] == [*table.slices["k"]] == names
    np.testing.assert_array_equal(table.frame["k"], [1e5, 1e5, 1.5])
    as_number = load(declared(key=["x"], slices=["k"], types={"k": "decimal"}), root=tmp_path)
    assert [*as_number.slices["k"]] == ["100000", "100000", "1.5"]


@pytest.mark.parametrize(
    ("target", "positive", "labels"),
    [
        (["1", "2", "1"], "1", [1, 0, 1]),
        (["1", "2", "1"], 1, [1, 0, 1]),
        (["1.0", "2", "1"], "1", [1, 0, 1]),
        (["true", "false", ""], True, [1, 0, np.nan]),
        (["true", "false", ""], "True", [1, 0, np.nan]),
        (["NA", "DE", ""], "NA", [1, 0, np.nan]),
        (["01", "1", "2"], "01", [1, 0, 0]),
        (["01", "1", "2"], 1, [0, 1, 0]),
    ],
)
def test_the_value_that_counts_as_1_is_compared_as_numbers_or_as_text(
    tmp_path, declared, target, positive, labels
) -> None:
    rows = "".join(f"{number},{word}\n" for number, word in enumerate(target))
    (tmp_path / "mine.csv").write_text(f"x,y\n{rows}", encoding="utf-8")
    np.testing.assert_array_equal(load(declared(positive=positive), root=tmp_path).labels, labels)


def test_a_bare_yes_of_yaml_is_told(tmp_path, declared) -> None:
    (tmp_path / "mine.csv").write_text("x,y\n1,yes\n2,no\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"no row of target 'y' is True; .* \(put the word in quotes: YAML reads a bare"
    ):
        load(declared(positive=True), root=tmp_path)


def test_decimals_of_arrow_are_targets_and_features(loaded) -> None:
    from decimal import Decimal

    prices = [Decimal("1.25"), None, Decimal("-0.50")]
    table = loaded({"x": prices, "y": prices}, task="regression")
    np.testing.assert_array_equal(table.labels, [1.25, np.nan, -0.5])
    np.testing.assert_array_equal(table.frame["x"], [1.25, np.nan, -0.5])
    assert table.types == {"x": "decimal"}


def test_targets_that_some_model_cannot_calculate_with_are_refused(loaded) -> None:
    with pytest.raises(DataError, match=r"column 'y' is beyond ±3.4e\+38 in 2 rows; expected numbers that fit in 32"):
        loaded({"x": [0, 1, 0], "y": [1.0, 4e38, -1e300]}, task="regression")
    assert loaded({"x": [0, 1, 0], "y": [1.0, 3e38, -3e38]}, task="regression").labels.max() == 3e38


def test_great_features_are_left_to_the_model_as_not_all_calculate_alike(loaded) -> None:
    assert loaded({"x": [1.0, 4e38, -1e300], "y": [0, 1, 0]}).frame["x"].max() == 4e38
