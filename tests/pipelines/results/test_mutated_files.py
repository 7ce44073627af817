"""Whatever is in a file, it becomes evidence or is refused in one line."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lockgate.gates.errors import LockgateError
from lockgate.pipelines.results import READERS, Selection
from lockgate.pipelines.results.pairing import pair_results

FIXTURES = Path(__file__).with_name("fixtures")
LOGS = {
    "inspect": (FIXTURES / "inspect-errors.json", Selection(cluster="source")),
    "promptfoo": (FIXTURES / "promptfoo-errors.json", Selection(variant="new / Is it {{item}}?")),
}
ODD = (None, True, -1, 1.5, float("nan"), 10**400, "", "x", "\ud800", [], [1], {}, {"a": 1}, "C", 1e308)
PIECES = (b"null", b"[1]", b"{}", b'"', b"\\ud800", b"\0", b"-1e999", b"NaN", b",", b"\n")
COUNTS = [60, pytest.param(3_000, marks=pytest.mark.nightly)]


def import_file(kind: str, file: Path, selection: Selection) -> bool:
    """Whether the file became evidence, beside itself; anything but a refusal in one line is raised."""
    try:
        results = READERS[kind](file, selection)
        pair_results(results, results, task="score", slices=(), missing=0.0)
    except LockgateError as err:
        line = str(err)
    else:
        return True
    assert "\n" not in line
    return False


def list_places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document, as its container and key; of a log without what no reader looks at."""
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else [])
    )
    for key, value in inside:
        if key not in ("plan", "stats", "config", "model_usage", "response", "tokenUsage", "messages", "output"):
            yield document, key
            yield from list_places(value)


@pytest.mark.parametrize("count", COUNTS)
def test_documents_with_odd_values(tmp_path: Path, count: int) -> None:
    rng, file = random.Random(1), tmp_path / "log.json"
    documents = {kind: path.read_bytes() for kind, (path, _) in LOGS.items()}
    outcomes = set()
    for _ in range(count):
        kind = rng.choice(list(LOGS))
        document = json.loads(documents[kind])
        for container, key in rng.sample(list(list_places(document)), rng.choice([1, 2, 5])):
            container[key] = rng.choice(ODD)
        file.write_text(json.dumps(document), encoding="utf-8")
        outcomes.add((kind, import_file(kind, file, LOGS[kind][1])))
    assert len(outcomes) == 4


@pytest.mark.parametrize("count", COUNTS)
def test_files_with_odd_bytes(tmp_path: Path, count: int) -> None:
    rows = [{"id": str(number), "score": number / 9, "topic": "ab"[number % 2]} for number in range(30)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "whole.parquet")
    (tmp_path / "whole.csv").write_text(
        "id,score,topic\n" + "".join('"{id}",{score},{topic}\n'.format(**row) for row in rows)
    )
    (tmp_path / "whole.jsonl").write_text("\n".join(map(json.dumps, rows)))
    whole = {kind: (tmp_path / f"whole.{kind}").read_bytes() for kind in ("parquet", "csv", "jsonl")}
    whole["inspect"] = (FIXTURES / "inspect-champion.eval").read_bytes()
    rng, file = random.Random(2), tmp_path / "file"
    outcomes = set()
    for _ in range(count):
        kind = rng.choice(list(whole))
        blob = bytearray(whole[kind])
        for _ in range(rng.choice([1, 1, 1, 10])):
            place = rng.randrange(len(blob) * 3 // 4 if kind == "inspect" else 0, len(blob))
            if rng.random() < 0.6:
                blob[place] = rng.randrange(256)
            else:
                blob[place : place + rng.choice([0, 1, 20])] = rng.choice(PIECES)
        file.write_bytes(blob)
        selection = Selection() if kind == "inspect" else Selection(slices=("topic",))
        outcomes.add((kind, import_file(kind, file, selection)))
    assert outcomes > {(kind, False) for kind in whole}  # and some are evidence all the same
