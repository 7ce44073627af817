"""Bytes that somebody changed, and arrays of any kind: evidence, or an EvidenceError."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate import Evidence
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.defects import find_defects

RELAXED = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
ANY = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=3), st.binary(max_size=3)), max_size=5),
    st.lists(st.integers(-3, 3), min_size=4, max_size=4),
    st.lists(st.text(max_size=3), min_size=4, max_size=4),
    st.lists(st.lists(st.integers(), max_size=2), max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers()),
    st.sampled_from([np.zeros(4, "M8[s]"), np.zeros((2, 2)), np.array(["a"] * 4), np.zeros(4, "V3"), np.float64(2)]),
)


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "label",
                "challenger",
                "champion",
                "row_id",
                "cluster",
                "weight",
                "time",
                "query",
                "slices",
                "facts",
                "task",
                "classes",
            ]
        ),
        ANY,
        max_size=3,
    ),
    st.booleans(),
    st.booleans(),
)
def test_from_arrays(options: dict, sliced: bool, many: bool) -> None:
    if sliced and "slices" in options:
        options = {**options, "slices": {"site": options["slices"]}}
    base = {"label": [0, 1, 0, 1], "challenger": [0.1, 0.9, 0.2, 0.8]}
    if many:
        base |= {"challenger": np.full((4, 2), 0.5), "task": "multiclass", "classes": ["a", "b"]}
    with suppress(EvidenceError):
        evidence = Evidence.from_arrays(**{**base, **options})
        assert Evidence.from_bytes(evidence.to_bytes()).to_bytes() == evidence.to_bytes()


@RELAXED
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes(make, changes: list[tuple[int, int]]) -> None:
    blob = bytearray(make.evidence(40, cluster=np.arange(40) % 7).to_bytes())
    for index, value in changes:
        blob[index % len(blob)] = value
    with suppress(EvidenceError):
        assert Evidence.from_bytes(bytes(blob)).n >= 0


@RELAXED
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_of_lists(changes: list[tuple[int, int]]) -> None:
    evidence = Evidence.from_arrays(
        label=np.arange(30) % 3,
        challenger=np.full((30, 3), 1 / 3),
        champion=np.eye(3)[np.arange(30) % 3],
        task="multiclass",
        classes=["a", "b", "c"],
    )
    blob = bytearray(evidence.to_bytes())
    for index, value in changes:
        blob[index % len(blob)] = value
    with suppress(EvidenceError):
        result = Evidence.from_bytes(bytes(blob))
        assert result.challenger.shape == (result.n, len(result.classes))
        assert isinstance(find_defects(result, clusters_required=False), list)


@RELAXED
@given(cut=st.integers(0, 1 << 20), junk=st.binary(max_size=12))
def test_truncated_files(make, cut: int, junk: bytes) -> None:
    blob = make.evidence(40).to_bytes()
    with suppress(EvidenceError):
        assert Evidence.from_bytes(blob[: cut % len(blob)] + junk).n == 40


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_junk(blob: bytes) -> None:
    for item in (blob, b"ARROW1\x00\x00" + blob + b"ARROW1"):
        with suppress(EvidenceError):
            Evidence.from_bytes(item)
            raise AssertionError("junk was taken for evidence")
