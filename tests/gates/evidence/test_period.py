"""The period of each row, and what the model of each period was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate import Evidence, hash_row_ids
from lockgate.gates.errors import EvidenceError

MONTHS = ["2013-09", "2013-10", "2013-09", "2013-08"]
TRAINED = {
    "2013-08": hash_row_ids(np.array([7, 8, 9])),
    "2013-09": hash_row_ids(np.array([3, 8, 9])),
    "2013-10": hash_row_ids(np.array([0, 2, 3, 9])),
}


def made(**options: Any) -> Evidence:
    arrays = {"label": [0, 1, 0, 1], "challenger": [0.1] * 4, "period": MONTHS, "row_id": [3, 2, 1, 0]}
    return Evidence.from_arrays(**{**arrays, "facts": {"train_row_hashes": TRAINED}, **options})


def test_periods_are_sorted_with_their_rows() -> None:
    evidence = made()
    assert evidence.period is not None
    assert evidence.period.values == ("2013-08", "2013-09", "2013-10")
    assert [evidence.period.values[code] for code in evidence.period.codes] == MONTHS[::-1]


def test_what_is_new_to_each_model_is_kept_once() -> None:
    evidence = made()
    first = set(evidence.train_row_hashes.tolist())
    later = {name: set(hashes.tolist()) for name, hashes in evidence.later_train_hashes.items()}
    rows = {row: int(hash_row_ids(np.array([row]))[0]) for row in range(10)}
    assert first == {rows[7], rows[8], rows[9]}
    assert later == {"2013-09": {rows[3]}, "2013-10": {rows[0], rows[2]}}
    assert set(evidence.all_train_hashes.tolist()) == {rows[row] for row in (0, 2, 3, 7, 8, 9)}


def test_round_trip_is_bit_identical() -> None:
    evidence = made()
    read = Evidence.from_bytes(evidence.to_bytes())
    assert read.to_bytes() == evidence.to_bytes()
    assert (read.train_digest, read.later_train_hashes.keys()) == (
        evidence.train_digest,
        evidence.later_train_hashes.keys(),
    )


def test_the_digest_says_which_model_learned_from_which_rows() -> None:
    moved = {**TRAINED, "2013-08": hash_row_ids(np.array([3, 7, 8, 9]))}
    one_model = Evidence.from_arrays(label=[0], challenger=[0.1], facts={"train_row_hashes": made().all_train_hashes})
    digests = {made().train_digest, made(facts={"train_row_hashes": moved}).train_digest, one_model.train_digest}
    assert len(digests) == 3
    assert made(facts={}).train_digest is made(facts={}).all_train_hashes is None


def test_one_model_for_all_periods() -> None:
    evidence = made(facts={"train_row_hashes": TRAINED["2013-08"]})
    assert not evidence.later_train_hashes
    assert evidence.train_digest == made(period=None, facts={"train_row_hashes": TRAINED["2013-08"]}).train_digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"period": ["2013-08", "2013-09", "2013-10"]}, "period has 3 rows, label has 4"),
        ({"period": [*MONTHS[:3], None]}, "period is missing in 1 rows"),
        (
            {"period": None},
            r"training rows of period '2013-08', in which no row was scored; expected a column `period`",
        ),
        (
            {"period": ["2013-08"] * 4},
            r"training rows of period '2013-09', in which no row was scored; expected one of",
        ),
        ({"facts": {"train_row_hashes": {"2013-08": TRAINED["2013-08"]}}}, "no training rows of period '2013-09'"),
        ({"facts": {"train_row_hashes": dict.fromkeys(TRAINED, "x")}}, "expected uint64, from hash_row_ids"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        made(**options)


def test_truncated_hashes_of_a_later_period_are_refused() -> None:
    import pyarrow as pa

    table = pa.ipc.open_file(pa.BufferReader(made().to_bytes())).read_all()
    key = b"lockgate.train_row_hashes:2013-10"
    for change in ({key: table.schema.metadata[key][:-1]}, {b"lockgate.train_row_hashes:\xff": b"12345678"}):
        broken = table.replace_schema_metadata({**table.schema.metadata, **change})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, broken.schema) as writer:
            writer.write_table(broken)
        with pytest.raises(EvidenceError, match=r"training hashes (are truncated|name no period)"):
            Evidence.from_bytes(bytes(sink.getvalue()))
