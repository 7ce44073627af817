"""Logs that Inspect wrote (fixtures/README.md), what they become, and damaged and foreign ones."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lockgate import Evidence
from lockgate.gates.errors import EvidenceError
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import measure_uncertainty
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.pipelines.results import Selection, inspect_logs
from lockgate.pipelines.results.inspect_logs import read_inspect
from lockgate.pipelines.results.pairing import pair_results

FIXTURES = Path(__file__).with_name("fixtures")
CHALLENGER, CHAMPION = FIXTURES / "inspect-challenger.eval", FIXTURES / "inspect-champion.eval"
TWO_SCORERS, ERRORS = FIXTURES / "inspect-two-scorers.json", FIXTURES / "inspect-errors.json"


def make_evidence(selection: Selection) -> Evidence:
    results = [read_inspect(path, selection) for path in (CHALLENGER, CHAMPION)]
    return pair_results(*results, task="score", slices=selection.slices, missing=None)


def read_own_results(path: Path) -> dict[str, float]:
    """What Inspect itself says in a log: its metrics by name."""
    with zipfile.ZipFile(path) as archive:
        header = inspect_logs._read_member(archive, "header.json", where=str(path))
    return {name: metric["value"] for name, metric in header["results"]["scores"][0]["metrics"].items()}


def test_epochs_are_tries_of_their_sample() -> None:
    evidence = make_evidence(Selection(slices=("topic", "hard")))
    assert (evidence.task, evidence.n, evidence.cluster) == ("score", 48, None)
    assert evidence.row_id.to_pylist()[:3] == ["1#1", "1#2", "10#1"]
    assert len(evidence.query.values) == 24
    assert set(np.unique(evidence.challenger)) == {0.0, 1.0}
    assert {name: column.values for name, column in evidence.slices.items()} == {
        "hard": ("false", "true"),
        "topic": ("arithmetic", "geography", "history"),
    }
    assert evidence.facts["results"]["champion"]["score"] == "clustered_match"


@pytest.mark.parametrize("side", ["challenger", "champion"])
def test_mean_and_clustered_error_are_those_that_inspect_itself_wrote_into_the_log(side: str) -> None:
    """Documents of one to three samples: Inspect's error is CR1, ours CR2, both from the same scores and clusters."""
    evidence = make_evidence(Selection(cluster="source"))
    score, cluster = getattr(evidence, side), evidence.cluster.codes
    metric = find_metric("mean_score", "score")
    split = GroupedRows(rows=Rows(label=evidence.label, challenger=score, cluster=cluster))
    linear = split.linear(metric)
    theirs = read_own_results(CHALLENGER if side == "challenger" else CHAMPION)
    assert linear.value[0] == pytest.approx(theirs["mean"], rel=1e-9)
    sums, size = np.bincount(cluster, weights=linear.influence), np.bincount(cluster)
    groups = size.size
    cr1 = np.sqrt((sums**2).sum() * groups / (groups - 1)) / evidence.n
    cr2 = np.sqrt((sums**2 / (1 - size / evidence.n)).sum()) / evidence.n
    assert cr1 == pytest.approx(theirs["stderr"], rel=1e-9)
    assert measure_uncertainty(metric, linear, split).error[0] == pytest.approx(cr2, rel=1e-9)


def test_scores_are_chosen_by_name_and_one_alone_needs_none() -> None:
    with pytest.raises(EvidenceError) as refused:
        read_inspect(TWO_SCORERS, Selection())
    assert str(refused.value).startswith(
        "the samples have 3 scores; expected --score with one of match, brevity/short, brevity/polite @ "
    )
    with pytest.raises(EvidenceError, match=r"there is no score 'brevity/shrt'; .* \(did you mean 'brevity/short'\?\)"):
        read_inspect(TWO_SCORERS, Selection(score="brevity/shrt"))
    expected = {"match": {0.0, 1.0}, "brevity/short": {1 / 7, 1 / 8}, "brevity/polite": {1.0}}
    for name, values in expected.items():
        results = read_inspect(TWO_SCORERS, Selection(score=name))
        assert (results.score, {row.score for row in results.rows}) == (name, values)


def test_samples_that_ended_in_an_error_have_no_score() -> None:
    results = read_inspect(ERRORS, Selection())
    gaps = [row for row in results.rows if math.isnan(row.score)]
    assert [(row.sample, row.epoch, row.problem) for row in gaps] == [("4", "1", "an error"), ("4", "2", "an error")]
    with pytest.raises(EvidenceError) as refused:
        pair_results(results, None, task="score", slices=(), missing=None)
    assert str(refused.value).startswith(
        "2 of 12 results have no score, 2 of them because of an error (first: '4' try 1); expected a score for every"
    )
    evidence = pair_results(results, None, task="score", slices=(), missing=0.0)
    assert evidence.challenger[evidence.row_id.index("4#2").as_py()] == 0
    assert evidence.facts["results"]["challenger"]["missing"] == 2


def write_log(path: Path, **changes: Any) -> Path:
    """The log with errors, changed."""
    document = json.loads(ERRORS.read_text(encoding="utf-8"))
    for name, value in changes.items():
        place = document["samples"][0] if name in document["samples"][0] and name != "metadata" else document
        place[name] = value
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("value", "score"),
    [("C", 1), ("I", 0), ("P", 0.5), ("N", 0), ("yes", 1), ("0.25", 0.25), (True, 1), (3, 3), (math.nan, math.nan)],
)
def test_values_of_scores_count_as_inspect_counts_them(tmp_path: Path, value: Any, score: float) -> None:
    log = write_log(tmp_path / "log.json", scores={"clustered_match": {"value": value}})
    assert read_inspect(log, Selection()).rows[0].score == pytest.approx(score, nan_ok=True)


@pytest.mark.parametrize(
    ("changes", "selection", "problem"),
    [
        (
            {"status": "cancelled"},
            Selection(),
            "the evaluation did not finish: its status is 'cancelled'; expected suc",
        ),
        ({"invalidated": True}, Selection(), "the log is marked as invalid"),
        ({"samples": None}, Selection(), "the log has no samples"),
        ({"samples": []}, Selection(), "the log has 0 of 12 samples; expected all samples"),
        ({"eval": None}, Selection(), "the file is no log of Inspect"),
        (
            {"scores": {"clustered_match": {"value": [1, 2]}}},
            Selection(),
            "the score of '1' try 1 is [1, 2]; expected a",
        ),
        (
            {"scores": {"clustered_match": {"value": "good"}}},
            Selection(),
            "the score of '1' try 1 is 'good'; expected a",
        ),
        ({}, Selection(cluster="sourc"), "'1' try 1 has no metadata 'sourc'; expected one of topic, source, hard"),
        ({"id": None}, Selection(), "a sample has no id"),
    ],
)
def test_a_log_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], selection: Selection, problem: str
) -> None:
    with pytest.raises(EvidenceError) as refused:
        read_inspect(write_log(tmp_path / "log.json", **changes), selection)
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def repack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, blob in members.items():
            archive.writestr(name, blob)
    return path


def unpack_champion() -> dict[str, bytes]:
    with zipfile.ZipFile(CHAMPION) as archive:
        return {
            name: json.dumps(inspect_logs._read_member(archive, name, where="")).encode()
            for name in ("header.json", "summaries.json")
        }


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_archives_of_older_versions_say_the_same(tmp_path: Path, method: int) -> None:
    log = repack(tmp_path / "log.eval", unpack_champion(), method)
    assert read_inspect(log, Selection()).rows == read_inspect(CHAMPION, Selection()).rows


def test_an_archive_of_an_interrupted_evaluation_is_refused(tmp_path: Path) -> None:
    log = repack(tmp_path / "log.eval", {"_journal/start.json": b"{}"})
    with pytest.raises(EvidenceError, match=r"the archive has no header.json; .*inspect eval-retry"):
        read_inspect(log, Selection())


def test_an_archive_that_is_cut_off_or_damaged_is_refused(tmp_path: Path) -> None:
    whole, log = CHAMPION.read_bytes(), tmp_path / "log.eval"
    with zipfile.ZipFile(CHAMPION) as archive:
        place = archive.getinfo("summaries.json").header_offset
    for damaged in (
        whole[:-500],
        whole[: len(whole) // 2],
        whole[: place + 100] + bytes(40) + whole[place + 140 :],
        b"PK\3\4",
    ):
        log.write_bytes(damaged)
        with pytest.raises(EvidenceError, match="the archive is damaged or cut off"):
            read_inspect(log, Selection())
    log.write_bytes(ERRORS.read_bytes()[:-100])
    with pytest.raises(EvidenceError, match="the file is not JSON, or is cut off"):
        read_inspect(log, Selection())


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_an_archive_that_unpacks_to_much_is_refused(tmp_path: Path, method: int) -> None:
    """Zeros, packed by Deflate, and by Zstandard into what the directory of the archive calls small."""
    zeros, log = bytes(inspect_logs.MAX_DOCUMENT_BYTES + 1), tmp_path / "log.eval"
    if method == zipfile.ZIP_DEFLATED:
        with zipfile.ZipFile(log, "w", method, compresslevel=1) as archive:
            archive.writestr("header.json", zeros)
    else:
        packed = pa.compress(zeros, codec="zstd", asbytes=True)
        repack(log, {"header.json": packed}, zipfile.ZIP_STORED)
        blob = bytearray(log.read_bytes())
        place = blob.index(b"PK\1\2")
        blob[place + 10 : place + 12] = (93).to_bytes(2, "little")  # the method, in the directory
        log.write_bytes(blob)
    assert log.stat().st_size < 2 * 1024**2
    with pytest.raises(EvidenceError, match=r"header.json is too large; expected at most 268,435,456 bytes"):
        read_inspect(log, Selection())
