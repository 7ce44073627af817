"""Evidence of several classes and of ranked lists: what is stored, what is refused, and what is a defect.

Tests of gates/evidence/scores.py and gates/evidence/defects.py.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lockgate import Evidence
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.defects import find_defects

CLASSES = ["cat", "dog", "eel"]
GOOD = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def multiclass(**options) -> Evidence:
    base = {"label": [0, 1, 2, 0], "challenger": GOOD, "champion": GOOD[::-1], "classes": CLASSES}
    return Evidence.from_arrays(task="multiclass", **{**base, **options})


def ranking(**options) -> Evidence:
    base = {"label": [0, 3, 1, 0], "challenger": [0.5, -2, 7, 7], "query": ["a", "a", "b", "b"]}
    return Evidence.from_arrays(task="ranking", **{**base, **options})


def lists(values: object, size: int = 3, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, pa.list_(kind or pa.float64(), size))


def file(columns: dict, **meta: object) -> bytes:
    """An Arrow IPC file that says it is evidence of three classes."""
    actual = {"version": 1, "task": "multiclass", "classes": CLASSES, "facts": {}, **meta}
    table = pa.table({"row_id": [0, 1, 2, 3], "label": [0.0, 1, 2, 0], "challenger": lists(GOOD), **columns})
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata({b"lockgate": json.dumps(actual).encode()})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def list_defects(evidence: Evidence, *, clusters_required: bool = False) -> list[str]:
    return find_defects(evidence, clusters_required=clusters_required)


@pytest.mark.parametrize("created", [multiclass, ranking])
def test_round_trip_is_bit_identical_in_any_order(created) -> None:
    item = created()
    again = Evidence.from_bytes(item.to_bytes())
    assert again.to_bytes() == item.to_bytes()
    assert (again.task, again.classes, again.holdout) == (item.task, item.classes, item.holdout)
    assert again.challenger.tobytes() == item.challenger.tobytes()
    assert again.scores_digest(again.challenger) == item.scores_digest(item.challenger)
    assert list_defects(item) == []
    order = [2, 0, 3, 1]
    names = ["label", "challenger", *(["champion"] if item.champion is not None else [])]
    shuffled = {name: getattr(item, name)[order] for name in names}
    if item.query is not None:
        shuffled["query"] = np.array(["a", "a", "b", "b"])[order]
    assert created(row_id=order, **shuffled).to_bytes() == item.to_bytes()


def test_scores_of_classes_differ_by_their_digest_and_not_by_the_holdout() -> None:
    item, other = multiclass(), multiclass(challenger=np.roll(GOOD, 1, axis=1))
    assert item.scores_digest(item.challenger) != other.scores_digest(other.challenger)
    assert item.holdout == other.holdout


MADE = {
    "lists": lambda: GOOD,
    "numpy": lambda: np.array(GOOD),
    "columns in Fortran's order": lambda: np.asfortranarray(GOOD),
    "float32": lambda: np.array(GOOD, dtype=np.float32),
    "pandas": lambda: pd.DataFrame(GOOD, columns=CLASSES),
    "arrow": lambda: lists(GOOD),
    "arrow float32": lambda: lists(GOOD, kind=pa.float32()),
    "a slice": lambda: lists([[9, 9, 9], *GOOD, [9, 9, 9]]).slice(1, 4),
    "chunks": lambda: pa.chunked_array([lists(GOOD[:1]), lists([[9, 9, 9], *GOOD[1:]]).slice(1)]),
}


@pytest.mark.parametrize("case", MADE)
def test_anything_that_is_a_matrix(case: str) -> None:
    value = multiclass(challenger=MADE[case]()).challenger
    assert value.flags.c_contiguous
    assert (value.dtype, value.tolist()) == (np.float64, GOOD)


def test_float64_lists_are_not_copied() -> None:
    column = lists(GOOD)
    value = multiclass(challenger=column).challenger
    assert value.__array_interface__["data"][0] == column.values.buffers()[1].address


def test_missing_rows_and_numbers_are_defects() -> None:
    for values in ([*GOOD[:3], None], [*GOOD[:3], [1.0, None, 0.0]]):
        assert list_defects(multiclass(challenger=lists(values))) == [
            "1 rows have a challenger probability outside 0 … 1, or none (first rows, ids hashed: 4e07408562be)"
        ]


WIDE = 10_001
REFUSED = {
    "no classes": ({"classes": None}, "task multiclass lists no classes"),
    "one class": ({"classes": ["cat"], "challenger": [[1.0]] * 4}, "there are 1 classes; expected from 2 to 10,000"),
    "too many": ({"classes": range(WIDE), "challenger": np.zeros((4, WIDE))}, "there are 10,001 classes"),
    "repeated class": ({"classes": ["cat", "dog", "cat"]}, "class name 'cat' is empty or repeated"),
    "empty class": ({"classes": ["cat", "", "eel"]}, "class name '' is empty or repeated"),
    "text for classes": ({"classes": "cde"}, "task multiclass lists no classes"),
    "a mapping": ({"classes": {"cat": 1}}, "task multiclass lists no classes"),
    "missing class": ({"classes": ["cat", None, "eel"]}, "classes is missing in 1 rows"),
    "mangled class": ({"classes": ["cat", "\ud800", "eel"]}, "classes is not a column of names"),
    "fewer classes": ({"classes": ["cat", "dog"]}, "challenger has dtype float64 and shape (4, 3); expected 2"),
    "one dimension": ({"challenger": [0.1, 0.2, 0.3, 0.4]}, "shape (4,); expected 3 probabilities for every row"),
    "cube": ({"challenger": np.zeros((4, 3, 1))}, "shape (4, 3, 1)"),
    "ragged": ({"challenger": [[1.0], [0.5, 0.5], [1.0, 0, 0], [1.0]]}, "challenger is not a matrix of numbers"),
    "objects": ({"challenger": [["a"] * 3] * 4}, "dtype <U1"),
    "masked": ({"challenger": np.ma.array(GOOD, mask=False)}, "masked"),
    "ragged lists": ({"challenger": pa.array(GOOD)}, "challenger has type list<item: double>"),
    "lists of another length": ({"challenger": lists([[0.5, 0.5]] * 4, 2)}, "has type fixed_size_list"),
    "lists of text": ({"challenger": lists([["a"] * 3] * 4, 3, pa.string())}, "has type fixed_size_list"),
    "lists of nothing": ({"challenger": lists([[None] * 3] * 4, 3, pa.null())}, "has type fixed_size_list"),
    "lists of lists": (
        {"challenger": lists([[[0.1]] * 3] * 4, 3, pa.list_(pa.float64(), 1))},
        "has type fixed_size_list",
    ),
    "numbers of arrow": ({"challenger": pa.array([0.1] * 4)}, "challenger has type double"),
    "short": ({"challenger": GOOD[:2]}, "challenger has 2 rows, label has 4"),
    "short champion": ({"champion": GOOD[:2]}, "champion has 2 rows"),
    "champion of other classes": ({"champion": np.full((4, 2), 0.5)}, "champion has dtype float64 and shape (4, 2)"),
    "classes of another task": ({"task": "binary", "challenger": [0.1] * 4, "champion": None}, "task binary has no"),
    "lists of another task": ({"task": "binary", "classes": None}, "challenger"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_arrays(case: str) -> None:
    options, message = REFUSED[case]
    base = {"label": [0, 1, 2, 0], "challenger": GOOD, "champion": GOOD, "classes": CLASSES, "task": "multiclass"}
    with pytest.raises(EvidenceError, match=re.escape(message)):
        Evidence.from_arrays(**{**base, **options})


REFUSED_FILES = {
    "ragged": (lambda: file({"challenger": pa.array([*GOOD[:3], [1.0]])}), "challenger has type list<item: double>"),
    "uneven champion": (lambda: file({"champion": lists([[0.5, 0.5]] * 4, 2)}), "champion has type fixed_size_list"),
    "wrong classes": (lambda: file({}, classes=["cat", "dog"]), "challenger has type fixed_size_list"),
    "classes are a number": (lambda: file({}, classes=3), "classes is not a column of names"),
    "nested classes": (lambda: file({}, classes=[["cat"], ["dog"], ["eel"]]), "classes is not a column of names"),
    "no classes": (lambda: file({}, classes=None), "task multiclass lists no classes"),
    "another task": (lambda: file({}, task="ranking"), "task ranking has no classes"),
    "labels in lists": (lambda: file({"label": lists(GOOD)}), "label has dtype object"),
    "weights in lists": (lambda: file({"weight": lists(GOOD)}), "weight has dtype object"),
    "no bytes for its numbers": (
        lambda: file({"challenger": lists([None] * 4, 10_000, pa.null())}, classes=[str(i) for i in range(10_000)]),
        "challenger has type fixed_size_list<item: null>[10000]",
    ),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_refused_files(case: str) -> None:
    created, message = REFUSED_FILES[case]
    with pytest.raises(EvidenceError, match=re.escape(message)):
        Evidence.from_bytes(created())


DEFECTS = {
    "label of no class": (multiclass, {"label": [0, 1, 3, 0]}, "1 rows have a label that is not the index of a class"),
    "label between classes": (multiclass, {"label": [0, 1, 0.5, -1]}, "2 rows have a label that is not the index"),
    "label missing": (multiclass, {"label": [0, None, 1, 2]}, "1 rows have a label that is not the index of a class"),
    "sum": (
        multiclass,
        {"challenger": [*GOOD[:3], [1 - 2e-6, 0, 0]]},
        "1 rows have challenger probabilities that do not sum to 1 within 1e-06",
    ),
    "negative": (multiclass, {"champion": [*GOOD[:3], [1.5, -0.5, 0]]}, "1 rows have a champion probability outside"),
    "infinite": (multiclass, {"champion": [*GOOD[:3], [np.inf, -np.inf, 1]]}, "1 rows have a champion probability"),
    "relevance": (ranking, {"label": [0, -1, np.inf, np.nan]}, "3 rows have a label that is no finite relevance of 0"),
    "score": (ranking, {"challenger": [np.inf, 1, 2, 3]}, "1 rows have a challenger score that is no finite number"),
    "no query": (ranking, {"query": None}, "the column `query` is missing"),
    "weights within a query": (
        ranking,
        {"weight": [1, 2, 3, 3]},
        "1 rows have a weight other than that of the first row of their query",
    ),
    "clusters within a query": (
        ranking,
        {"cluster": [1, 1, 2, 1]},
        "1 rows have a cluster other than that of the first row of their query",
    ),
}


@pytest.mark.parametrize("case", DEFECTS)
def test_defects(case: str) -> None:
    created, options, message = DEFECTS[case]
    assert [line for line in list_defects(created(**options)) if line.startswith(message) or message in line]


def test_probabilities_may_miss_1_by_what_float32_leaves() -> None:
    assert list_defects(multiclass(challenger=[*GOOD[:3], [1 - 9e-7, 0, 0]])) == []
    scores = np.random.default_rng(0).normal(size=(500, 1000)).astype(np.float32)
    scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True, dtype=np.float32)
    many = Evidence.from_arrays(
        label=np.arange(500), challenger=scores, task="multiclass", classes=[f"c{i}" for i in range(1000)]
    )
    assert list_defects(many) == []


def test_a_query_is_the_cluster_that_a_policy_requires() -> None:
    assert list_defects(ranking(), clusters_required=True) == []
    assert list_defects(multiclass(), clusters_required=True) != []


PEAK = """
import resource
import numpy as np
from lockgate import Evidence
from lockgate.gates.evidence.defects import find_defects
def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
scores = np.full((100_000, 100), 0.01)
made = Evidence.from_arrays(label=np.zeros(100_000), challenger=scores, task="multiclass",
                            classes=[str(i) for i in range(100)])
before = used()
assert find_defects(made, clusters_required=False) == []
print(used() - before)
"""


def test_defects_of_many_classes_are_found_in_little_memory() -> None:
    completed = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(completed.stdout) < 30, completed.stdout  # MB; the scores are 80


def tries(**options) -> Evidence:
    base = {"challenger": [1, 0.5, 0, 1], "champion": [0, 0, 0, 1], "query": ["a", "a", "b", "b"]}
    return Evidence.from_arrays(task="score", **{**base, **options})


def test_task_score_has_no_label_in_memory_nor_in_the_file() -> None:
    item = tries()
    blob = item.to_bytes()
    assert "label" not in pa.ipc.open_file(blob).schema.names
    again = Evidence.from_bytes(blob)
    assert again.to_bytes() == blob
    assert item.label.tolist() == again.label.tolist() == [0, 0, 0, 0]
    assert again.holdout == item.holdout
    with pytest.raises(EvidenceError, match="task score has no label; expected scores alone"):
        tries(label=[0, 1, 0, 1])
    with pytest.raises(EvidenceError, match="label is not a column of numbers"):
        Evidence.from_arrays(challenger=[1, 0])


def test_the_samples_of_task_score_are_the_clusters_that_a_policy_requires() -> None:
    assert list_defects(tries(), clusters_required=True) == []
    (problem,) = list_defects(tries(query=None), clusters_required=True)
    assert problem == "the policy requires clusters, but the column `cluster` is missing"
    (problem,) = list_defects(tries(weight=[1, 2, 1, 1]))
    assert problem.startswith("1 rows have a weight other than that of the first row of their query")
