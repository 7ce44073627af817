"""A field that was added later changes no record that does not use it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lockgate.gates.records.added import ADDED_LATER
from lockgate.gates.records.outcome import Number


class Before(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str


class After(Before):
    information: Number = ADDED_LATER


def test_an_absent_field_is_left_out_and_a_value_is_kept_and_rounded() -> None:
    old = Before(name="auc").model_dump_json()
    assert After.model_validate_json(old).information is None
    assert After.model_validate_json(old).model_dump_json() == old
    assert After(name="auc", information=1 / 3).model_dump(mode="json") == {
        "name": "auc",
        "information": 0.333333333333,
    }
    assert After(name="auc", information=float("nan")).model_dump(mode="json") == {"name": "auc"}
