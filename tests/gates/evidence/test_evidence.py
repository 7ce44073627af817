"""Evidence from arrays and files: what is stored, what is refused, and in how much memory.

Tests of gates/evidence/evidence.py, gates/evidence/columns.py and gates/evidence/compression.py.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lockgate import Evidence, hash_row_ids
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.evidence import MAX_EVIDENCE_BYTES

ROWS = {"label": [0, 1, 1, 0], "challenger": [0.1, 0.7, 0.9, 0.3]}
META = {"version": 1, "task": "binary", "facts": {}}


def full(order: np.ndarray | None = None, *, text_ids: bool = False) -> Evidence:
    n = 50
    order = np.arange(n) if order is None else order
    rng = np.random.default_rng(0)
    ids = np.array([f"é{i:03}-{'x' * (i % 9)}" for i in range(n)]) if text_ids else np.arange(n) * 7 - 20
    score = rng.random((n, 2))
    score[0] = [np.nextafter(0, 1), 1 - 2**-53]
    columns = {
        "row_id": ids,
        "label": rng.integers(0, 2, n),
        "challenger": score[:, 0],
        "champion": score[:, 1],
        "weight": rng.random(n),
        "cluster": rng.integers(0, 9, n),
        "time": np.array(["2024-05-01"] * n),
        "query": rng.integers(0, 4, n),
    }
    slices = {"b": rng.integers(0, 3, n) == 1, "a": np.array(["ü", "<script>", "|"])[rng.integers(0, 3, n)]}
    return Evidence.from_arrays(
        **{name: values[order] for name, values in columns.items()},
        slices={name: values[order] for name, values in slices.items()},
        facts={"challenger": {"run": "flow/1"}, "π": [1, 2.5, None], "train_row_hashes": hash_row_ids([3, 1, 2, 3])},
    )


def file(columns: dict, meta: object = None, extra: dict[bytes, bytes] | None = None, **options) -> bytes:
    """An Arrow IPC file that says it is evidence."""
    text = json.dumps(META if meta is None else meta).encode() if not isinstance(meta, bytes) else meta
    table = pa.table({"row_id": pa.array([0, 1]), "label": [0.0, 1.0], "challenger": [0.1, 0.9], **columns})
    return write_table(table.replace_schema_metadata({b"lockgate": text, **(extra or {})}), **options)


def write_table(table: pa.Table, **options) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("text_ids", [False, True])
def test_round_trip_is_bit_identical(tmp_path: Path, text_ids: bool) -> None:
    created = full(text_ids=text_ids)
    created.write(tmp_path / "evidence.arrow")
    blob = (tmp_path / "evidence.arrow").read_bytes()
    contents = Evidence.read(tmp_path / "evidence.arrow")
    assert blob == created.to_bytes() == contents.to_bytes() == Evidence.from_bytes(blob).to_bytes()
    for name in ("label", "challenger", "champion", "weight"):
        assert getattr(contents, name).tobytes() == getattr(created, name).tobytes()
    assert (contents.facts, contents.task, contents.holdout) == (created.facts, created.task, created.holdout)
    assert contents.row_id.equals(created.row_id)
    assert contents.time.equals(created.time)
    assert list(contents.slices) == ["a", "b"]
    assert {k: v.values for k, v in contents.slices.items()} == {"a": ("<script>", "|", "ü"), "b": ("false", "true")}
    assert contents.train_row_hashes.tolist() == sorted(hash_row_ids([1, 2, 3]).tolist())
    assert [file.name for file in tmp_path.iterdir()] == ["evidence.arrow"]


@pytest.mark.parametrize("text_ids", [False, True])
def test_rows_are_sorted_whatever_order_they_came_in(text_ids: bool) -> None:
    order = np.random.default_rng(1).permutation(50)
    once, again = full(text_ids=text_ids), full(order, text_ids=text_ids)
    assert once.to_bytes() == again.to_bytes()
    assert once.holdout == again.holdout
    ids = again.row_id.to_pylist()
    assert ids == sorted(ids)


def test_the_holdout_is_its_rows_and_labels() -> None:
    created = full()
    n, digests = created.n, {created.holdout}
    base = {"row_id": created.row_id, "label": created.label, "challenger": created.challenger}
    assert Evidence.from_arrays(**{**base, "challenger": created.challenger / 2}).holdout in digests
    assert Evidence.from_arrays(**{**base, "label": np.where(created.label == 0, -0.0, 1.0)}).holdout in digests
    flipped = created.label.copy()
    flipped[3] = 1 - flipped[3]
    for change in ({"label": flipped}, {"row_id": np.arange(n)}, {"row_id": [str(i) for i in range(n)]}):
        digests.add(Evidence.from_arrays(**{**base, **change}).holdout)
    assert len(digests) == 4
    ids = ({"row_id": ["ab", "c", "d", "e"]}, {"row_id": ["a", "bc", "d", "e"]})
    assert len({Evidence.from_arrays(**ROWS, **row_id).holdout for row_id in ids}) == 2


@pytest.mark.parametrize(
    "created",
    [list, np.array, np.float32, pd.Series, pa.array, lambda values: pa.chunked_array([values[:1], values[1:]])],
)
def test_anything_that_is_an_array(created) -> None:
    evidence = Evidence.from_arrays(label=created([0, 1, 1, 0]), challenger=created([0.25, 0.5, 0.75, 1.0]))
    assert (evidence.label.tolist(), evidence.challenger.tolist()) == ([0, 1, 1, 0], [0.25, 0.5, 0.75, 1.0])
    assert evidence.row_id.to_pylist() == [0, 1, 2, 3]


def test_missing_numbers_become_nan_and_booleans_numbers() -> None:
    for label in ([True, None, False, True], pd.Series([True, None, False, True], dtype="boolean"), [1, None, 0, 1]):
        evidence = Evidence.from_arrays(label=label, challenger=ROWS["challenger"]).label
        np.testing.assert_array_equal(evidence, [1, math.nan, 0, 1])


@pytest.mark.parametrize("kind", [str, object, bytes])
def test_text_is_not_cut_at_a_nul(kind: type) -> None:
    ids = np.array(["a\0b", "a", "a\0c"]).astype(kind)
    slices = {"s": ids} if kind is not bytes else {}
    evidence = Evidence.from_arrays(label=[0, 1, 0], challenger=[0.1, 0.2, 0.3], row_id=ids, slices=slices)
    assert evidence.row_id.to_pylist() == ["a", "a\0b", "a\0c"]
    assert len(set(evidence.row_hashes.tolist())) == 3
    assert all(value.values == ("a", "a\0b", "a\0c") for value in evidence.slices.values())
    assert Evidence.from_bytes(evidence.to_bytes()).row_id.equals(evidence.row_id)


def test_a_categorical_keeps_only_what_occurs() -> None:
    sites = pd.Categorical(["b", "a", "b", "a"], categories=["z", "b", "a"])
    assert Evidence.from_arrays(**ROWS, slices={"site": sites}).slices["site"].values == ("a", "b")


MANGLED = pa.StringArray.from_buffers(4, pa.py_buffer(np.arange(5, dtype="i4").tobytes()), pa.py_buffer(b"a\xffbc"))
REFUSED = {
    "short challenger": ({"challenger": [0.5]}, "challenger has 1 rows, label has 4"),
    "long champion": ({"champion": [0.5] * 5}, "champion has 5 rows"),
    "short cluster": ({"cluster": ["a"]}, "cluster has 1 rows"),
    "short slice": ({"slices": {"site": ["a"] * 3}}, "slice site has 3 rows"),
    "short ids": ({"row_id": [1]}, "row_id has 1 rows"),
    "object label": ({"label": np.array([0, 1, "x", None], dtype=object)}, "dtype object"),
    "text label": ({"label": ["0", "1", "1", "0"]}, "label"),
    "matrix": ({"challenger": np.zeros((4, 1))}, "2 dimensions"),
    "complex": ({"challenger": np.zeros(4, complex)}, "dtype complex128"),
    "masked": ({"label": np.ma.array([0, 1, 1, 0], mask=[1, 0, 0, 0])}, "masked"),
    "scalar": ({"label": 1}, "label is not a column of numbers"),
    "scalar id": ({"row_id": 5}, "row_id is not a column"),
    "scalar cluster": ({"cluster": 5}, "cluster is not a column"),
    "fractional id": ({"row_id": [0.5, 1, 2, 3]}, "row_id has type double"),
    "missing id": ({"row_id": [0, 1, None, 3]}, "row_id is missing in 1 rows"),
    "huge id": ({"row_id": [0, 1, 2, 2**70]}, "row_id is not a column"),
    "mangled id": ({"row_id": MANGLED}, "row_id is not a column"),
    "mangled slice": ({"slices": {"site": MANGLED}}, "slice site is not a column"),
    "mangled bytes": ({"slices": {"site": [b"a", b"\xff", b"b", b"c"]}}, "slice site is not a column"),
    "surrogate": ({"slices": {"site": ["a", "\ud800", "b", "c"]}}, "slice site is not a column"),
    "missing slice": ({"slices": {"site": ["a", None, "b", "c"]}}, "missing in 1 rows"),
    "missing category": ({"slices": {"site": pd.Categorical(["a", None, "b", "c"])}}, "missing in 1 rows"),
    "fractional slice": ({"slices": {"site": [0.5, 1, 2, 3]}}, "slice site has type double"),
    "no mapping": ({"slices": [1]}, "slices is not a mapping"),
    "odd slice name": ({"slices": {1: ["a"] * 4}}, "slices is not a mapping"),
    "task": ({"task": "clustering"}, "unknown task 'clustering'"),
    "facts nan": ({"facts": {"a": math.nan}}, "facts are not JSON"),
    "facts object": ({"facts": {"a": object()}}, "facts are not JSON"),
    "facts surrogate": ({"facts": {"a": "\ud800"}}, "facts are not JSON"),
    "facts list": ({"facts": [1]}, "facts is not a mapping"),
    "hashes": ({"facts": {"train_row_hashes": [0.5]}}, "train_row_hashes"),
    "ragged hashes": ({"facts": {"train_row_hashes": [[1], [2, 3]]}}, "train_row_hashes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_arrays(case: str) -> None:
    options, message = REFUSED[case]
    with pytest.raises(EvidenceError, match=re.escape(message)):
        Evidence.from_arrays(**{**ROWS, **options})


def test_facts_that_contain_themselves() -> None:
    facts: dict[str, object] = {}
    facts["self"] = facts
    with pytest.raises(EvidenceError, match="not JSON"):
        Evidence.from_arrays(**ROWS, facts=facts)


REFUSED_FILES = {
    "stray column": (lambda: file({"colour": ["a", "b"]}), "unknown column 'colour'"),
    "version": (lambda: file({}, {**META, "version": 2}), "no evidence metadata of this version"),
    "no version": (lambda: file({}, {"task": "binary"}), "no evidence metadata of this version"),
    "no metadata": (lambda: write_table(pa.table({"row_id": [1]})), "no evidence metadata of this version"),
    "not JSON": (lambda: file({}, b"{"), "metadata is not JSON"),
    "nested JSON": (lambda: file({}, b"[" * 100_000), "metadata is not JSON"),
    "facts": (lambda: file({}, {**META, "facts": [1]}), "facts are not an object"),
    "infinite facts": (
        lambda: file({}, b'{"version":1,"task":"binary","facts":{"a":Infinity}}'),
        "metadata is not JSON",
    ),
    "facts twice": (
        lambda: file({}, b'{"version":1,"task":"binary","facts":{},"facts":{"a":1}}'),
        "metadata is not JSON",
    ),
    "task": (lambda: file({}, {**META, "task": None}), "unknown task"),
    "hashes": (lambda: file({}, extra={b"lockgate.train_row_hashes": b"1234567"}), "training hashes are truncated"),
    "compressed": (lambda: file({"weight": np.zeros(2)}, compression="zstd"), "is compressed"),
    "lz4": (lambda: file({"weight": np.zeros(2)}, compression="lz4"), "is compressed"),
    "no label": (
        lambda: write_table(
            pa.table({"row_id": [1]}).replace_schema_metadata({b"lockgate": json.dumps(META).encode()})
        ),
        "no column 'label'",
    ),
    "twice": (
        lambda: write_table(pa.Table.from_arrays([pa.array([1])] * 3, names=["row_id", "label", "label"])),
        "column 'label' occurs more than once",
    ),
    "no bytes for its rows": (
        lambda: write_table(pa.table({"row_id": pa.nulls(10**9), "label": pa.nulls(10**9)})),
        "1,000,000,000 rows in",
    ),
    "empty": (lambda: b"", "not an evidence file"),
    "text": (lambda: b"ARROW1" * 99, "not an evidence file"),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_refused_files(case: str) -> None:
    created, message = REFUSED_FILES[case]
    with pytest.raises(EvidenceError, match=re.escape(message)):
        Evidence.from_bytes(created())


def test_files_by_path(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none", "No such file"), (tmp_path, "directory")):
        with pytest.raises(EvidenceError, match=f"cannot read the evidence file: .*{message}"):
            Evidence.read(path)
    big = tmp_path / "big"
    with big.open("wb") as sparse:
        sparse.truncate(MAX_EVIDENCE_BYTES + 1)
    with pytest.raises(EvidenceError, match="too large"):
        Evidence.read(big)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "evidence.arrow"
    target.mkdir()
    (target / "kept").touch()
    for path in (target, tmp_path / "nowhere" / "evidence.arrow"):
        with pytest.raises(EvidenceError, match="cannot write the evidence"):
            full().write(path)
    assert sorted(tmp_path.rglob("*")) == [target, target / "kept"]


def test_overwriting_replaces_the_file_whole(tmp_path: Path) -> None:
    target = tmp_path / "evidence.arrow"
    full().write(target)
    with target.open("rb") as reader:
        Evidence.from_arrays(**ROWS).write(target)
        assert Evidence.from_bytes(reader.read()).n == 50  # a reader keeps the file that it opened
    assert Evidence.read(target).n == 4


PEAK = """
import resource, sys
import numpy as np, pyarrow as pa
from lockgate import Evidence, LockgateError
n = 3_000_000
def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
{make}
before = used()
try:
    Evidence.from_arrays(label=label, challenger=label, slices={{"site": sites}})
except LockgateError as err:
    assert "distinct values" in str(err), err
    print(used() - before)
"""
MANY = {
    "text": "sites = pa.array(np.arange(n)).cast(pa.string())",
    "late": "sites = pa.array(np.where(np.arange(n) < 300_000, 0, np.arange(n))).cast(pa.string())",
    "numbers": "sites = np.arange(n)",
    "long names behind short codes": (
        "sites = pa.DictionaryArray.from_arrays(np.arange(n, dtype='i4') % 10_001, "
        "pa.array([str(i) * 2000 for i in range(10_001)]))"
    ),
}


@pytest.mark.parametrize("case", MANY)
def test_too_many_slice_values_are_refused_in_bounded_memory(case: str) -> None:
    code = PEAK.format(make=f"label = np.zeros(n)\n{MANY[case]}")
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(completed.stdout) < 500, completed.stdout  # MB; decoding the last one would take 24 GB
