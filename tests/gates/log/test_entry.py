"""The bytes of one entry: canonical JSON that lockgate wrote, or refused in one line."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from lockgate.gates.errors import LogError
from lockgate.gates.log import Log, LogEntry
from tests.builders import DECISION, NOON, judged_event

WHERE = "log/00000001.json"


def _make_entry() -> bytes:
    """An entry as the log writes it."""
    log = Log(MemoryStore(), project="orders")
    return log.append(judged_event(DECISION), DECISION.state, after=None, actor="ada", now=NOON).to_bytes()


ENTRY_BYTES = _make_entry()


def assert_no_entry(blob: bytes, message: str) -> None:
    with pytest.raises(LogError, match=message) as caught:
        LogEntry.from_bytes(blob, where=WHERE)
    assert "\n" not in str(caught.value)
    assert WHERE in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_entry_is_the_same_bytes_again() -> None:
    assert LogEntry.from_bytes(ENTRY_BYTES, where=WHERE).to_bytes() == ENTRY_BYTES


@pytest.mark.parametrize("change", [b" ", b"\n", b"\x00"])
def test_bytes_that_lockgate_did_not_write_are_refused(change: bytes) -> None:
    assert_no_entry(ENTRY_BYTES + change, r"not in canonical form|not an entry")


def test_the_same_value_in_other_bytes_is_refused() -> None:
    assert_no_entry(json.dumps(json.loads(ENTRY_BYTES)).encode(), "not in canonical form")
    assert_no_entry(json.dumps(json.loads(ENTRY_BYTES), indent=1, sort_keys=True).encode(), "not in canonical form")


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{" * 100_000,
        b'{"format":1e400}',
        b"\x80\x04\x88.",
        b'"' + b"a" * 1_000_000 + b'"',
    ],
    ids=lambda garbage: ascii(garbage[:20]),
)
def test_garbage_is_refused_in_one_line(garbage: bytes) -> None:
    assert_no_entry(garbage, "not an entry")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":1', b'"seq":99999999999999999999999999'),
        (b'"confidence":0.95', b'"confidence":NaN'),
        (b'"confidence":0.95', b'"confidence":1e999'),
        (b'"confidence":0.95', b'"confidence":12345678901234567890123'),
        (b'"actor":"ada"', b'"actor":"\\ud800"'),
    ],
)
def test_values_that_have_no_canonical_form_are_refused(old: bytes, new: bytes) -> None:
    assert old in ENTRY_BYTES
    assert_no_entry(ENTRY_BYTES.replace(old, new), r"not in canonical form|not an entry")


def test_a_recorded_decision_that_is_none_is_refused() -> None:
    forged: dict[str, Any] = json.loads(ENTRY_BYTES)
    forged["event"]["decision"] = {"verdict": "PROMOTE"}
    with pytest.raises(LogError, match="this is not a decision: Field required") as caught:
        LogEntry.from_bytes(rfc8785.dumps(forged), where=WHERE).read_decision()
    assert WHERE in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 5000), st.integers(0, 5000))
def test_no_damage_to_an_entry_raises_anything_else(noise: bytes, first: int, last: int) -> None:
    damaged = ENTRY_BYTES[: first % len(ENTRY_BYTES)] + noise + ENTRY_BYTES[last % len(ENTRY_BYTES) :]
    with contextlib.suppress(LogError):
        assert LogEntry.from_bytes(damaged, where=WHERE).to_bytes() == damaged
