"""What a run claims, as arrays and facts: `Evidence`, its file format and its digests.

An evidence file is one Arrow IPC file, sorted by `row_id`. Anything that writes Arrow can produce one:

| column | type | |
|---|---|---|
| `row_id` | int64 or string | identifies the row; unique, also across holdouts |
| `label` | float64 | the outcome, by task (below); absent for task score |
| `challenger` | float64, or a list of k | its score, by task |
| `champion` | as `challenger` | the champion's score on the same row; absent if there is no champion |
| `weight` | float64 | optional sampling weight, not negative; only ratios count |
| `cluster` | string, dictionary | optional; rows that share one are not independent |
| `period` | string, dictionary | optional; the period that the row belongs to, such as its month; see below |
| `query` | string, dictionary | task ranking: the list that the row is ranked in; task score: the sample it tries |
| `time` | string | optional |
| `slice:NAME` | string, dictionary | optional slice columns |

| task | label | score |
|---|---|---|
| `binary` | 0 or 1 | the probability of 1 |
| `multiclass` | index of a class, 0 … k − 1 | FixedSizeList<float64>[k]: the classes' probabilities, which sum to 1 |
| `regression` | a number | the prediction of the mean, or of a quantile |
| `ranking` | relevance, not negative | a number; higher ranks first |
| `score` | none | a number that says how good the row is; higher is better |

The rows of one query depend on each other: for tasks ranking and score without a `cluster` column, the queries are the
clusters.

Schema metadata: `lockgate` = JSON {"version": 1, "task": …, "facts": {…}}, for task multiclass also with
"classes": [k distinct names]; and optionally `lockgate.train_row_hashes` = 8-byte little-endian hashes of the ids of
the training rows (`hash_row_ids`). "train_row_ids" of the JSON is then the type of these ids, "int64" or "string";
where it is missing, as in files of lockgate 0.1, nobody knows.

With rolling origins, the rows of each period are scored by a model of their own that was trained before it. Periods are
in the order of their names, as the months 2013-09 and 2013-10 are. A row of one period may be trained on for the next:
`lockgate.train_row_hashes` are then the training rows of the first period's model, and
`lockgate.train_row_hashes:PERIOD` those rows that are new to the model of that period.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lockgate.gates.documents import parse_path
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence import columns
from lockgate.gates.evidence.facts import Witness
from lockgate.gates.evidence.row_ids import (
    ID_TYPES,
    hash_row_ids,
    name_id_type,
    parse_period_hashes,
    parse_row_ids,
    sort_order,
)
from lockgate.gates.evidence.scores import parse_class_names, parse_scores, scores_to_arrow
from lockgate.gates.evidence.task import TASKS, Task
from lockgate.gates.foreign import convert_foreign
from lockgate.gates.stats.scored import Floats

MAX_EVIDENCE_BYTES = 2 * 1024**3
"""A larger evidence file, or unpacked artifact, is refused."""

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Scored holdout rows, sorted by row id, and the facts of the run that scored them.

    Created by `from_arrays`, `read` or `from_bytes`. All arrays are aligned and (n,). Scores of task multiclass are (n,
    k), one column for each of the k `classes`, which are empty for other tasks.
    """

    task: Task
    row_id: pa.Array
    label: Floats
    challenger: Floats
    champion: Floats | None = None
    weight: Floats | None = None
    cluster: columns.CodedColumn | None = None
    time: pa.Array | None = None
    query: columns.CodedColumn | None = None
    period: columns.CodedColumn | None = None
    classes: tuple[str, ...] = ()
    slices: Mapping[str, columns.CodedColumn] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    train_row_hashes: NDArray[np.uint64] | None = None  # of the first period's model; of the model without periods
    later_train_hashes: Mapping[str, NDArray[np.uint64]] = field(default_factory=dict)  # period → new to its model
    witness: Witness | None = None  # of the run that it was read from; never part of the bytes

    @classmethod
    def from_arrays(
        cls,
        *,
        challenger: Any,
        label: Any = None,
        champion: Any = None,
        row_id: Any = None,
        cluster: Any = None,
        weight: Any = None,
        time: Any = None,
        query: Any = None,
        period: Any = None,
        slices: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        task: str = "binary",
        classes: Any = None,
    ) -> Self:
        """Evidence from anything that is an array: NumPy, pandas, Arrow, or a list.

        Args:
            label: numbers or booleans (n,). Missing values become NaN, which is judged as an ERROR. None for task
                score, which has none: `Evidence.label` is then 0 for every row.
            challenger, champion: numbers (n,); for multiclass (n, k), or an Arrow FixedSizeList of k numbers.
            row_id: unique integers or strings (n,); None numbers the rows.
            cluster, query: strings, integers or dates (n,).
            period: names (n,), at most 10,000 distinct ones, whose order is that of the periods: 2013-09, 2013-10.
            weight: non-negative numbers (n,).
            time: strings or timestamps (n,).
            slices: name → strings, integers or booleans (n,), at most 10,000 distinct values each.
            facts: JSON values. `train_row_hashes` may be a uint64 array from `hash_row_ids`, which the leakage gate
                reads and which is stored beside the facts. If each period was scored by a model of its own, it maps
                each period to the array of that model.
            task: "binary", "multiclass", "regression", "ranking" or "score". Labels and scores that do not fit the task
                are not refused here, but judged as an ERROR (`lockgate.gates.evidence.defects`).
            classes: for multiclass the names of 2 to 10,000 classes, distinct, in the order of the scores' columns.

        Raises:
            EvidenceError: different lengths, dtype object instead of numbers, text that is not UTF-8,
                facts that are not JSON, an unknown task, classes that do not fit the scores.
        """
        if not isinstance(task, str) or task not in TASKS:
            raise EvidenceError(f"unknown task {str(task)[:40]!r}", expected=" or ".join(TASKS), where="task")
        names = _check_classes(classes, task)
        challenger_scores = parse_scores("challenger", challenger, width=len(names))
        if task == "score" and label is not None:
            raise EvidenceError("task score has no label", expected="scores alone, of which higher is better")
        labels = np.zeros(len(challenger_scores)) if task == "score" else columns.parse_numbers("label", label)
        n = labels.size
        named_slices, json_facts = _copy_mapping("slices", slices), _copy_mapping("facts", facts)
        hashes = json_facts.pop("train_row_hashes", None)
        ids = parse_row_ids(row_id, n)
        periods = None if period is None else columns.encode_names("period", period)
        first, later = (None, {}) if hashes is None else parse_period_hashes(hashes, periods)
        built = cls(
            task=task,
            row_id=ids,
            label=labels,
            classes=names,
            challenger=challenger_scores,
            champion=None if champion is None else parse_scores("champion", champion, width=len(names)),
            weight=None if weight is None else columns.parse_numbers("weight", weight),
            cluster=None if cluster is None else columns.encode_names("cluster", cluster, max_values=None),
            time=None if time is None else columns.parse_texts("time", time),
            query=None if query is None else columns.encode_names("query", query, max_values=None),
            period=periods,
            slices={name: columns.encode_names(f"slice {name}", named_slices[name]) for name in sorted(named_slices)},
            facts=_copy_facts(json_facts),
            train_row_hashes=first,
            later_train_hashes=later,
        )
        built._check_lengths()
        order = sort_order(ids)
        return built if order is None else built._take(order)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Evidence from an Arrow IPC file. Raises EvidenceError if it is missing, too large or not evidence."""
        file = parse_path(path, EvidenceError)
        try:
            if file.stat().st_size > MAX_EVIDENCE_BYTES:
                raise EvidenceError(
                    "the evidence file is too large", expected=f"at most {MAX_EVIDENCE_BYTES:,} bytes", where=str(file)
                )
            blob = file.read_bytes()
        except OSError as err:
            raise EvidenceError(
                f"cannot read the evidence file: {err.strerror}", expected="an Arrow IPC file", where=str(file)
            ) from err
        return cls.from_bytes(blob, where=str(file))

    @classmethod
    def from_bytes(cls, blob: bytes, *, where: str = "evidence") -> Self:
        """Evidence from the bytes of an Arrow IPC file; every buffer is validated before it is used."""
        if not isinstance(blob, bytes | bytearray | memoryview):
            raise EvidenceError(f"{type(blob).__name__} is not an evidence file", expected="its bytes", where=where)
        table, meta, hashes = columns.open_table(blob, where=where, version=FORMAT_VERSION)
        in_file = {name: columns.combined_column(table, name) for name in table.column_names}
        prefix = "slice:"
        expected = {"row_id", "label", "challenger", "champion", "weight", "cluster", "time", "query", "period"}
        stray = [name for name in in_file if name not in expected and not name.startswith(prefix)]
        if stray:
            raise EvidenceError(
                f"unknown column {stray[0]!r}",
                expected=f"one of {', '.join(sorted(expected))} or slice:NAME",
                where=where,
            )
        required = ("row_id", "challenger") if meta.get("task") == "score" else ("row_id", "label", "challenger")
        missing = [name for name in required if name not in in_file]
        if missing:
            raise EvidenceError(f"no column {missing[0]!r}", expected=", ".join(required), where=where)
        facts = meta.get("facts")
        if not isinstance(facts, dict):
            raise EvidenceError("the facts are not an object", expected="a JSON object", where=where)
        id_type = meta.get("train_row_ids")
        if id_type is not None and id_type not in tuple(ID_TYPES):
            raise EvidenceError(
                f"the ids of the training rows are {str(id_type)[:80]!r}", expected=" or ".join(ID_TYPES), where=where
            )
        slices = {name.removeprefix(prefix): values for name, values in in_file.items() if name.startswith(prefix)}
        arrays = {name: in_file.get(name) for name in expected}
        return cls.from_arrays(
            **arrays,
            slices=slices,
            task=str(meta.get("task")),
            classes=meta.get("classes"),
            facts={**facts, "train_row_hashes": name_id_type(hashes, id_type)},
        )

    def to_bytes(self) -> bytes:
        """The Arrow IPC file as bytes. The same evidence always gives the same bytes."""
        arrays: dict[str, pa.Array] = {
            "row_id": self.row_id,
            **({} if self.task == "score" else {"label": columns.to_arrow(self.label)}),
            "challenger": scores_to_arrow(self.challenger),
        }
        if self.champion is not None:
            arrays["champion"] = scores_to_arrow(self.champion)
        if self.weight is not None:
            arrays["weight"] = columns.to_arrow(self.weight)
        if self.cluster is not None:
            arrays["cluster"] = self.cluster.to_arrow()
        if self.time is not None:
            arrays["time"] = self.time
        if self.query is not None:
            arrays["query"] = self.query.to_arrow()
        if self.period is not None:
            arrays["period"] = self.period.to_arrow()
        arrays |= {f"slice:{name}": values.to_arrow() for name, values in self.slices.items()}
        meta: dict[str, Any] = {"version": FORMAT_VERSION, "task": self.task, "facts": dict(self.facts)}
        if self.classes:
            meta["classes"] = list(self.classes)
        if (id_type := getattr(self.train_row_hashes, "id_type", None)) is not None:
            meta["train_row_ids"] = id_type
        return columns.file_bytes(arrays, meta, self.train_row_hashes, self.later_train_hashes)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the Arrow IPC file atomically: a reader sees the old file or the whole new one."""
        file, blob = parse_path(path, EvidenceError), self.to_bytes()
        try:
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:
                draft = Path(folder) / file.name
                draft.write_bytes(blob)
                draft.replace(file)
        except OSError as err:
            raise EvidenceError(f"cannot write the evidence: {err.strerror}", where=str(file)) from err

    @property
    def n(self) -> int:
        return self.label.size

    @cached_property
    def row_hashes(self) -> NDArray[np.uint64]:
        """8-byte hashes of the row ids, in their order: uint64 (n,). See `lockgate.gates.evidence.row_ids`."""
        return np.asarray(hash_row_ids(self.row_id))

    @cached_property
    def holdout(self) -> str:
        """SHA-256 of row ids and labels, in order of row id: it identifies the holdout."""
        return columns.digest_rows(self.row_id, self.label)

    @cached_property
    def train_digest(self) -> str | None:
        """SHA-256 of the training rows' hashes, period by period; None if the evidence does not have them."""
        if self.train_row_hashes is None:
            return None
        sha = hashlib.sha256(self.train_row_hashes.astype("<u8").tobytes())
        for period, hashes in self.later_train_hashes.items():
            sha.update(json.dumps([period, hashes.size]).encode() + hashes.astype("<u8").tobytes())
        return sha.hexdigest()

    @property
    def all_train_hashes(self) -> NDArray[np.uint64] | None:
        """Hashes of the rows that any period's model was trained on, uint64 (k,), sorted; None if not recorded."""
        if self.train_row_hashes is None:
            return None
        return np.unique(np.concatenate([self.train_row_hashes, *self.later_train_hashes.values()]))

    def scores_digest(self, scores: Floats | None) -> str | None:
        """SHA-256 of a score column in order of row id; None for None."""
        return None if scores is None else hashlib.sha256(np.ascontiguousarray(scores, "<f8").ravel().data).hexdigest()

    def _check_lengths(self) -> None:
        n = self.n
        arrays = {
            "row_id": self.row_id,
            "challenger": self.challenger,
            "champion": self.champion,
            "weight": self.weight,
            "cluster": self.cluster,
            "time": self.time,
            "query": self.query,
            "period": self.period,
        }
        arrays |= {f"slice {name}": values for name, values in self.slices.items()}
        for name, values in arrays.items():
            if values is not None and len(values) != n:
                raise EvidenceError(
                    f"{name} has {len(values):,} rows, label has {n:,}", expected="one value for every row"
                )

    def _take(self, order: NDArray[np.intp]) -> Self:
        def reorder(values: Floats | None) -> Floats | None:
            return None if values is None else values[order]

        return type(self)(
            task=self.task,
            row_id=self.row_id.take(columns.to_arrow(order)),
            label=self.label[order],
            challenger=self.challenger[order],
            champion=reorder(self.champion),
            weight=reorder(self.weight),
            cluster=self.cluster and self.cluster.take(order),
            time=None if self.time is None else self.time.take(columns.to_arrow(order)),
            query=self.query and self.query.take(order),
            period=self.period and self.period.take(order),
            classes=self.classes,
            slices={name: values.take(order) for name, values in self.slices.items()},
            facts=self.facts,
            train_row_hashes=self.train_row_hashes,
            later_train_hashes=self.later_train_hashes,
        )


def _check_classes(classes: Any, task: str) -> tuple[str, ...]:
    if task == "multiclass":
        return parse_class_names(classes)
    if classes is not None:
        raise EvidenceError(f"task {task} has no classes", expected="classes for task multiclass only", where="classes")
    return ()


def _copy_mapping(name: str, given: Any) -> dict[str, Any]:
    """A mapping of the caller's as a dict, its keys UTF-8; empty for None. Raises EvidenceError."""
    if given is None:
        return {}
    expected = "a mapping with text keys"
    if not isinstance(given, Mapping):
        raise EvidenceError(f"{name} is not a mapping", expected=expected)
    copy = convert_foreign(
        lambda: dict(given),
        lambda err: EvidenceError(f"{name} cannot be read ({type(err).__name__})", expected=expected),
    )
    if not all(isinstance(key, str) for key in copy):
        raise EvidenceError(f"{name} is not a mapping", expected=expected)
    for key in copy:
        try:
            key.encode()
        except UnicodeEncodeError as err:
            raise EvidenceError(f"{name} has a key that is not UTF-8: {key[:80]!r}", expected=expected) from err
    return copy


def _copy_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    try:
        copy = json.loads(json.dumps(dict(facts), allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError) as err:
        problem = "they are nested too deeply" if isinstance(err, RecursionError) else err
        raise EvidenceError(f"the facts are not JSON: {problem}", expected="JSON with finite numbers") from err
    if not isinstance(copy, dict):
        raise EvidenceError("the facts are not an object", expected="a JSON object")
    return copy
