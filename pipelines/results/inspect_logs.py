"""Logs of Inspect (inspect_ai): `.eval` archives, also those compressed with Zstandard, and `.json` files.

Of an archive only the header and the summaries of the samples are unpacked, which have all scores. Epochs are tries.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from lockgate.gates.documents import parse_json
from lockgate.gates.errors import EvidenceError
from lockgate.gates.foreign import show_foreign
from lockgate.pipelines.results.results import (
    MAX_DOCUMENT_BYTES,
    TRUTH_WORDS,
    Result,
    Results,
    Selection,
    cannot_read,
    check_size,
    digest_file,
    list_names,
    parse_name,
    parse_score,
    pick_names,
    unknown_name,
)

WORDS = {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0, **TRUTH_WORDS}
"""Values of scores that are words, as Inspect counts them: correct, incorrect, partial, no answer."""

HEADER, SUMMARIES = "header.json", "summaries.json"
_ZSTANDARD = 93
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, struct.error, pa.ArrowException)
"""What reading a damaged archive raises, beside Arrow's OSError, which has no text of the operating system."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")


def read_inspect(path: Path, selection: Selection) -> Results:
    """Results in a log of Inspect.

    Raises:
        EvidenceError: not a log of Inspect, one of an evaluation that did not finish, or a selection that does not fit.
    """
    where = str(path)
    header, samples = _read_log(path)
    _check_finished(header, samples, where=where)
    check_size(samples, where=where)
    scored = [sample for sample in samples if _read_map(sample, "scores")]
    if not scored:
        raise EvidenceError("no sample has a score", expected="a log with scores", where=where, hint="`inspect score`")
    names = list(dict.fromkeys(name for sample in scored for name in _list_scores(sample)))
    score = _choose_score(names, selection.score, where=where)
    rows = tuple(_read_sample(sample, score, selection, where=where) for sample in samples)
    return Results(where=where, sha256=digest_file(path), score=score, rows=rows, cluster=selection.cluster)


def _read_log(path: Path) -> tuple[Mapping[str, Any], list[Any]]:
    """The header, and the samples or their summaries."""
    try:
        with path.open("rb") as file:
            is_archive = file.read(2) == b"PK"
        if is_archive:
            with zipfile.ZipFile(path) as archive:
                header, samples = (_read_member(archive, name, where=str(path)) for name in (HEADER, SUMMARIES))
        else:
            with path.open("rb") as file:
                blob = file.read(MAX_DOCUMENT_BYTES + 1)
            header = _parse(blob, "the file", where=str(path))
            samples = header.get("samples") if isinstance(header, dict) else None
    except (OSError, *_DAMAGED) as err:
        if isinstance(err, OSError) and err.strerror is not None:
            raise cannot_read(path, err) from err
        raise EvidenceError(
            "the archive is damaged or cut off", expected="an intact .eval log of Inspect", where=str(path)
        ) from err
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict) or "status" not in header:
        raise EvidenceError("the file is no log of Inspect", expected="an .eval or .json log", where=str(path))
    if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
        raise EvidenceError(
            "the log has no samples", expected="a log that was written with its samples", where=str(path)
        )
    return header, samples


def _read_member(archive: zipfile.ZipFile, name: str, *, where: str) -> Any:
    try:
        member = archive.getinfo(name)
    except KeyError as err:
        raise EvidenceError(
            f"the archive has no {name}",
            expected="the log of a finished evaluation",
            where=where,
            hint="an evaluation that was interrupted is completed by `inspect eval-retry`",
        ) from err
    if member.compress_type == _ZSTANDARD:
        blob = _unpack_zstandard(archive, member)
    else:
        with archive.open(member) as file:
            blob = file.read(MAX_DOCUMENT_BYTES + 1)
    return _parse(blob, name, where=where)


def _unpack_zstandard(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """At most one byte more than is allowed; before Python 3.14 `zipfile` cannot unpack Zstandard, but Arrow can."""
    file = archive.fp
    if file is None:
        raise zipfile.BadZipFile
    file.seek(member.header_offset)
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    file.seek(name_bytes + extra_bytes, 1)
    packed = file.read(min(member.compress_size, MAX_DOCUMENT_BYTES))
    with pa.input_stream(pa.py_buffer(packed), compression="zstd") as stream:
        blob = bytes(stream.read(MAX_DOCUMENT_BYTES + 1))
    if len(blob) <= MAX_DOCUMENT_BYTES and zlib.crc32(blob) != member.CRC:
        raise zipfile.BadZipFile
    return blob


def _parse(blob: bytes, name: str, *, where: str) -> Any:
    if len(blob) > MAX_DOCUMENT_BYTES:
        raise EvidenceError(
            f"{name} is too large",
            expected=f"at most {MAX_DOCUMENT_BYTES:,} bytes",
            where=where,
            hint="an .eval log has the scores apart from the transcripts",
        )
    try:
        return parse_json(blob, finite=False)
    except (ValueError, RecursionError) as err:
        raise EvidenceError(
            f"{name} is not JSON, or is cut off", expected="an intact log of Inspect", where=where
        ) from err


def _check_finished(header: Mapping[str, Any], samples: list[Any], *, where: str) -> None:
    if header["status"] != "success":
        raise EvidenceError(
            f"the evaluation did not finish: its status is {show_foreign(header['status'], max_chars=40)}",
            expected="success",
            where=where,
            hint="`inspect eval-retry` completes it",
        )
    if header.get("invalidated"):
        raise EvidenceError("the log is marked as invalid", expected="a log that still holds", where=where)
    total = _read_map(header, "results").get("total_samples")
    if isinstance(total, int) and total != len(samples):
        raise EvidenceError(f"the log has {len(samples):,} of {total:,} samples", expected="all samples", where=where)


def _read_map(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _list_scores(sample: Mapping[str, Any]) -> list[str]:
    """The scorers of a sample; of one whose value has several numbers, each as SCORER/NAME."""
    names = []
    for scorer, score in _read_map(sample, "scores").items():
        value = score.get("value") if isinstance(score, dict) else None
        names += [f"{scorer}/{name}" for name in value] if isinstance(value, dict) else [scorer]
    return names


def _choose_score(names: list[str], asked: str | None, *, where: str) -> str:
    if asked is not None:
        if asked not in names:
            raise unknown_name(asked, names, noun="score", option="--score", where=where)
        return asked
    if len(names) > 1:
        raise EvidenceError(
            f"the samples have {len(names)} scores", expected=f"--score with one of {list_names(names)}", where=where
        )
    return names[0]


def _read_sample(sample: Mapping[str, Any], score: str, selection: Selection, *, where: str) -> Result:
    result = Result(
        sample=parse_name(sample.get("id"), what="the id of a sample", where=where),
        epoch=parse_name(sample.get("epoch"), what="the epoch of a sample", where=where),
        score=math.nan,
        names={},
        numbers={},
    )
    if not result.sample:
        raise EvidenceError("a sample has no id", expected="a log of Inspect", where=where)
    value = _find_value(sample, score)
    number = parse_score(value, WORDS)
    if number is None:
        raise EvidenceError(
            f"the score of {result.title} is {show_foreign(value, max_chars=60)}",
            expected="a number, or C, I, P or N",
            where=where,
        )
    names = pick_names(_read_map(sample, "metadata"), selection, title=result.title, where=where)
    problem = "an error" if sample.get("error") else "no score"
    return Result(sample=result.sample, epoch=result.epoch, score=number, problem=problem, names=names, numbers={})


def _find_value(sample: Mapping[str, Any], score: str) -> Any:
    scores = _read_map(sample, "scores")
    if score in scores:
        return _read_map(scores, score).get("value")
    scorer, _, name = score.rpartition("/")
    return _read_map(_read_map(scores, scorer), "value").get(name)
