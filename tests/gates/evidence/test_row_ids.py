"""Row ids as columns, and their hashes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate import Evidence, hash_row_ids
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.row_ids import parse_hashes, sort_order

IDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=30, unique=True)


@given(IDS)
def test_an_id_hashes_alike_in_any_company(ids: list[str]) -> None:
    together = hash_row_ids(ids)
    assert [hash_row_ids([row_id])[0] for row_id in ids] == together.tolist()
    assert len(set(together.tolist())) == len(ids)
    assert hash_row_ids(pa.array(["x", *ids]).slice(1)).tolist() == together.tolist()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True))
def test_integers(ids: list[int]) -> None:
    result = hash_row_ids(np.array(ids, dtype=np.int64))
    assert len(set(result.tolist())) == len(ids)


def test_known_answers() -> None:
    """Pinned: evidence files hold these."""
    assert hash_row_ids([0, 1, -1]).tolist() == [16294208416658607535, 10451216379200822465, 16490336266968443936]
    assert hash_row_ids(["", "a", "12345678", "123456789"]).tolist() == [
        0,
        4894558414626762070,
        11016329030837635320,
        12112300195677398705,
    ]


def test_a_number_is_not_its_decimal() -> None:
    assert hash_row_ids([17])[0] != hash_row_ids(["17"])[0]


def test_a_trailing_null_byte_counts() -> None:
    assert len(set(hash_row_ids(["a", "a\0", "a\0\0", "\0a"]).tolist())) == 4


def test_a_million_ids_do_not_meet() -> None:
    assert np.unique(hash_row_ids(np.arange(1_000_000))).size == 1_000_000
    assert np.unique(hash_row_ids([f"{i}-x" for i in range(200_000)])).size == 200_000


@pytest.mark.parametrize("ids", [["x" * 513], [1.5], [None], 5, [b"\xff"], ["a", 1]])
def test_what_is_no_id(ids: object) -> None:
    with pytest.raises(EvidenceError, match="row_id"):
        hash_row_ids(ids)


def test_none_at_all() -> None:
    assert hash_row_ids(pa.array([], pa.string())).size == 0


def test_order() -> None:
    assert sort_order(pa.array([1, 2, 5])) is None
    assert sort_order(pa.array([2, 1, 2])).tolist() == [1, 0, 2]
    assert sort_order(pa.array(["b", "a"])).tolist() == [1, 0]


def test_hashes_know_the_type_of_their_ids_as_long_as_they_are_themselves() -> None:
    assert hash_row_ids([1, 2]).id_type == "int64"
    texts = hash_row_ids(["1", "2"])
    assert (texts.id_type, texts[:1].id_type, texts.copy().id_type) == ("string",) * 3
    assert getattr(np.concatenate([texts, texts]), "id_type", None) is None
    assert parse_hashes(texts).id_type == "string"
    assert parse_hashes(np.asarray(texts)).id_type is None
    with pytest.raises(EvidenceError, match="no row ids to hash"):
        hash_row_ids(None)


def test_the_type_of_training_ids_survives_the_file_and_nothing_else_is_taken_for_one() -> None:
    plain = {"label": [0, 1], "challenger": [0.1, 0.2], "row_id": ["a", "b"]}
    evidence = Evidence.from_arrays(**plain, facts={"train_row_hashes": hash_row_ids(["c"])})
    blob = evidence.to_bytes()
    assert Evidence.from_bytes(blob).train_row_hashes.id_type == "string"
    assert Evidence.from_bytes(blob).to_bytes() == blob
    with pytest.raises(EvidenceError, match=r"ids of the training rows are 'strong'; expected int64 or string"):
        Evidence.from_bytes(blob.replace(b'"train_row_ids":"string"', b'"train_row_ids":"strong"'))
    before = Evidence.from_arrays(**plain, facts={"train_row_hashes": np.asarray(hash_row_ids(["c"]))})
    assert b"train_row_ids" not in before.to_bytes()
    assert Evidence.from_bytes(before.to_bytes()).train_row_hashes.id_type is None
