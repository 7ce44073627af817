"""Objects that are no plain array, wherever the API takes one: the right values, or one line that says why not.

Tests of gates/foreign.py.
"""

from __future__ import annotations

import array
import datetime
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lockgate import Evidence, hash_row_ids
from lockgate.gates.errors import EvidenceError
from lockgate.gates.foreign import convert_foreign, show_foreign
from tests.hostile.objects import REFUSED, OnlyArray, OnlyStream, RaisesInRepr, check_all, refused_line

NUL = ["a\0b", "a\0c", "a"]


NUMBERS: dict[str, Callable[[], Any]] = {
    "a list": lambda: [1, 2, 3],
    "a tuple": lambda: (1, 2, 3),
    "a range": lambda: range(1, 4),
    "an array of objects": lambda: np.array([1, 2, 3], object),
    "the other byte order": lambda: np.array([1, 2, 3], ">i4"),
    "strides": lambda: np.arange(7)[1::2][:3] // 2 + 1,
    "a memoryview": lambda: memoryview(bytes([1, 2, 3])),
    "array.array": lambda: array.array("i", [1, 2, 3]),
    "a Series with an odd index": lambda: pd.Series([1, 2, 3], index=[2, 0, 1]),
    "a Series with a MultiIndex": lambda: pd.Series([1, 2, 3], index=pd.MultiIndex.from_arrays([[2, 1, 0], [0, 0, 0]])),
    "a Series with one label": lambda: pd.Series([1, 2, 3], index=[0, 0, 0]),
    "an Index": lambda: pd.Index([1, 2, 3]),
    "Int64": lambda: pd.array([1, 2, 3], dtype="Int64"),
    "chunks": lambda: pa.chunked_array([[1, 2], [3]]),
    "scalars of Arrow": lambda: [pa.scalar(number) for number in (1, 2, 3)],
    "only __array__": lambda: OnlyArray([1, 2, 3]),
    "only a stream": lambda: OnlyStream(pa.chunked_array([[1], [2, 3]])),
}
"""1, 2 and 3, as ids or as names."""

TEXTS: dict[str, Callable[[], Any]] = {
    "a list": lambda: NUL,
    "texts of NumPy": lambda: [np.str_(text) for text in NUL],
    "fixed-width text": lambda: np.array(NUL),
    "bytes": lambda: np.array([text.encode() for text in NUL]),
    "StringDType": lambda: np.array(NUL, np.dtypes.StringDType()),
    "objects": lambda: np.array(NUL, object),
    "a Series": lambda: pd.Series(NUL, index=[2, 0, 1]),
    "a Series of objects": lambda: pd.Series(NUL, dtype=object),
    "pandas' own text": lambda: pd.array(NUL, dtype="string"),
    "Arrow": lambda: pa.array(NUL),
    "large text": lambda: pa.array(NUL, pa.large_string()),
    "a view": lambda: pa.array(NUL, pa.string_view()),
    "binary": lambda: pa.array([text.encode() for text in NUL]),
    "chunks": lambda: pa.chunked_array([NUL[:1], NUL[1:]]),
    "only __array__": lambda: OnlyArray(NUL),
    "only a stream": lambda: OnlyStream(pa.chunked_array([NUL])),
}
"""Three texts that begin alike up to a NUL, as ids or as names."""

NAMES: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "unused categories": (lambda: pd.Categorical(["a", "b", "a"], categories=["z", "b", "a"]), ["a", "b", "a"]),
    "categories of numbers": (lambda: pd.Series([3, 1, 3], dtype="category"), ["3", "1", "3"]),
    "a dictionary with one value twice": (
        lambda: pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["a", "a"])),
        ["a", "a", "a"],
    ),
    "chunks with other dictionaries": (
        lambda: pa.chunked_array([pa.array(["b"]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]),
        ["b", "a", "b"],
    ),
    "categories with a NUL": (lambda: pd.Categorical(NUL), NUL),
    "binary views": (lambda: pa.array([b"a", b"b", b"c"], pa.binary_view()), ["a", "b", "c"]),
    "booleans": (lambda: [True, False, True], ["true", "false", "true"]),
    "decimals": (lambda: [decimal.Decimal("1.0"), decimal.Decimal("2"), decimal.Decimal("3")], ["1.0", "2.0", "3.0"]),
    "dates": (lambda: [datetime.date(2020, 1, day) for day in (1, 2, 3)], ["2020-01-01", "2020-01-02", "2020-01-03"]),
}
"""Accepted as names only."""

MEASURES: dict[str, tuple[Callable[[], Any], list[float]]] = {
    "float16": (lambda: pa.array(np.array([0, 0.5, 1], np.float16)), [0, 0.5, 1]),
    "long double": (lambda: np.array([0, 0.5, 1], np.longdouble), [0, 0.5, 1]),
    "categories": (lambda: pd.Categorical([0.5, 1, 0.5]), [0.5, 1, 0.5]),
    "missing": (lambda: pd.array([1, None, 0], dtype="Int64"), [1, np.nan, 0]),
    "nothing": (lambda: [None, None, None], [np.nan] * 3),
    "run ends": (
        lambda: pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1, 0])),
        [1, 1, 0],
    ),
    "booleans": (lambda: pd.Series([True, False, True]), [1, 0, 1]),
}
"""Accepted as numbers only."""

PLAIN: dict[str, Any] = {"label": [0, 1, 1], "challenger": [0.1, 0.2, 0.3]}


def column(name: str, values: Any) -> list[Any]:
    """A column of evidence, in the order of the rows that were given."""
    if name == "row_id":
        evidence = Evidence.from_arrays(**PLAIN, weight=[1, 2, 3], row_id=values)
        return evidence.row_id.take(pa.array(np.argsort(evidence.weight))).to_pylist()
    if name in ("label", "challenger", "champion", "weight"):
        return list(getattr(Evidence.from_arrays(**{**PLAIN, name: values}), name))
    given = {"slices": {"s": values}} if name == "slice" else {name: values}
    evidence = Evidence.from_arrays(**PLAIN, **given)
    if name == "time":
        return evidence.time.to_pylist()
    coded = evidence.slices["s"] if name == "slice" else getattr(evidence, name)
    return [coded.values[code] for code in coded.codes]


NUMERIC = ("label", "challenger", "champion", "weight")
NAMED = ("cluster", "query", "time", "slice")


def test_numbers_of_every_kind() -> None:
    def check(make: Callable[[], Any]) -> None:
        assert column("row_id", make()) == [1, 2, 3]
        assert hash_row_ids(make()).tolist() == hash_row_ids([1, 2, 3]).tolist()
        for name in NAMED:
            assert column(name, make()) == ["1", "2", "3"]
        if getattr(make(), "dtype", None) != np.dtype(object):  # which is no dtype of numbers
            for name in NUMERIC:
                assert column(name, make()) == [1, 2, 3]

    check_all(NUMBERS, check)


def test_text_of_every_kind_keeps_its_nuls() -> None:
    def check(make: Callable[[], Any]) -> None:
        assert column("row_id", make()) == NUL
        assert hash_row_ids(make()).tolist() == hash_row_ids(NUL).tolist()
        for name in NAMED:
            assert column(name, make()) == NUL
        for name in NUMERIC:
            with pytest.raises(EvidenceError):
                column(name, make())

    check_all(TEXTS, check)
    assert len(set(hash_row_ids(NUL).tolist())) == 3


@pytest.mark.parametrize(
    "make", [lambda texts: texts, lambda texts: np.array(texts, np.dtypes.StringDType()), pa.array, pd.Series]
)
def test_a_nul_at_the_end_stays(make: Callable[[Any], Any]) -> None:
    """But for NumPy's fixed-width text and bytes, which drop it when they are made."""
    texts = ["a", "a\0", "a\0\0"]
    assert column("row_id", make(texts)) == texts
    assert column("cluster", make(texts)) == texts
    assert np.unique(hash_row_ids(make(texts))).size == 3
    evidence = Evidence.from_arrays(**PLAIN, row_id=make(texts), cluster=make(texts))
    again = Evidence.from_bytes(evidence.to_bytes())
    assert again.row_id.to_pylist() == texts
    assert again.cluster.values == tuple(texts)


def test_names_of_every_kind() -> None:
    def check(kind: tuple[Callable[[], Any], list[str]]) -> None:
        make, expected = kind
        for name in NAMED:
            assert column(name, make()) == expected

    check_all(NAMES, check)


def test_measures_of_every_kind() -> None:
    def check(kind: tuple[Callable[[], Any], list[float]]) -> None:
        make, expected = kind
        for name in NUMERIC:
            np.testing.assert_array_equal(column(name, make()), expected)

    check_all(MEASURES, check)


def test_what_is_no_column_is_refused_in_one_line() -> None:
    def check(make: Callable[[], Any]) -> None:
        for name in (*NUMERIC, *NAMED, "row_id"):
            assert name in refused_line(lambda name=name: column(name, make()))
        refused_line(lambda: hash_row_ids(make()))
        refused_line(lambda: Evidence.from_arrays(**PLAIN, facts={"train_row_hashes": make()}))

    check_all(REFUSED, check)


def test_what_is_no_matrix_is_refused_in_one_line() -> None:
    classes = ["a", "b", "c"]

    def check(make: Callable[[], Any]) -> None:
        refused_line(
            lambda: Evidence.from_arrays(label=[0, 1, 2], challenger=make(), task="multiclass", classes=classes)
        )

    kinds = {name: make for name, make in REFUSED.items() if name != "a DataFrame whose columns are 0, 1, 2"}
    check_all(kinds, check)
    matrix = Evidence.from_arrays(
        label=[0, 1, 2], challenger=pd.DataFrame(np.eye(3), index=[2, 0, 1]), task="multiclass", classes=classes
    )
    np.testing.assert_array_equal(matrix.challenger, np.eye(3))


def test_what_is_no_list_of_classes_is_refused_in_one_line() -> None:
    def check(make: Callable[[], Any]) -> None:
        refused_line(lambda: Evidence.from_arrays(label=[0], challenger=[[1]], task="multiclass", classes=make()))

    check_all(REFUSED, check)


def test_what_is_no_mapping_is_refused_in_one_line() -> None:
    def check(make: Callable[[], Any]) -> None:
        for name in ("slices", "facts"):
            assert name in refused_line(lambda name=name: Evidence.from_arrays(**PLAIN, **{name: make()}))

    check_all(REFUSED, check)
    refused_line(lambda: Evidence.from_arrays(**PLAIN, slices={"\ud800": ["a", "b", "c"]}))
    refused_line(lambda: Evidence.from_arrays(**PLAIN, facts={"a": {1, 2}}))
    refused_line(lambda: Evidence.from_arrays(**PLAIN, facts={"a": RaisesInRepr()}))


def test_files_that_are_none(tmp_path: Path) -> None:
    evidence = Evidence.from_arrays(**PLAIN)

    def check(make: Callable[[], Any]) -> None:
        for action in (Evidence.read, evidence.write):
            refused_line(lambda action=action: action(make()))

    texts = ("a text", "bytes")
    check_all({name: make for name, make in REFUSED.items() if name not in texts}, check)
    for path in ("a\0b", tmp_path, tmp_path / "missing" / "x.arrow", "x" * 300):
        refused_line(lambda path=path: Evidence.read(path))
        refused_line(lambda path=path: evidence.write(path))

    def check_bytes(make: Callable[[], Any]) -> None:
        refused_line(lambda: Evidence.from_bytes(make()))

    check_all(REFUSED, check_bytes)


def test_errors_of_ours_pass_and_others_are_wrapped() -> None:
    def raise_ours() -> None:
        raise EvidenceError("ours")

    with pytest.raises(EvidenceError, match="ours"):
        convert_foreign(raise_ours, lambda _: EvidenceError("theirs"))
    with pytest.raises(EvidenceError, match="theirs: ZeroDivisionError") as caught:
        convert_foreign(lambda: 1 / 0, lambda err: EvidenceError(f"theirs: {type(err).__name__}"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(KeyboardInterrupt):
        convert_foreign(lambda: (_ for _ in ()).throw(KeyboardInterrupt()), lambda _: EvidenceError("theirs"))
    assert show_foreign(RaisesInRepr(), max_chars=80) == "a RaisesInRepr"
    assert show_foreign([1, 2], max_chars=4) == "[1, "
