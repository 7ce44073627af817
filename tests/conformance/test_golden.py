"""What every gate says, word by word and number by number, is what is on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance import recording


def same(result: Any, recorded: Any) -> bool:
    """Equal, but for the last digits of numbers: those are the machine's."""
    if isinstance(result, dict) and isinstance(recorded, dict):
        return result.keys() == recorded.keys() and all(same(result[key], recorded[key]) for key in result)
    if isinstance(result, list) and isinstance(recorded, list):
        return len(result) == len(recorded) and all(map(same, result, recorded))
    if isinstance(result, float) and isinstance(recorded, int | float):
        return bool(result == pytest.approx(recorded, rel=1e-9, abs=1e-12))
    return bool(result == recorded)


@pytest.mark.parametrize("topic", recording.TOPICS)
def test_it_says_what_is_on_record(topic: str) -> None:
    record = recording.FOLDER / f"{topic}.jsonl"
    if not record.exists():
        pytest.fail(
            f"run `python -m tests.conformance.recording {topic}`, and review tests/conformance/golden/{record.name}"
        )
    recorded = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    said_now = [json.loads(line) for line in recording.lines(topic)]
    assert [entry["case"] for entry in said_now] == [entry["case"] for entry in recorded]
    assert [pair for pair in zip(said_now, recorded, strict=True) if not same(*pair)] == []
