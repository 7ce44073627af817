"""Every setting that a change of can weaken says which way is weaker; and the rules, one by one.

Tests of gates/strictness/rules.py, gates/strictness/walk.py and gates/strictness/findings.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel

from lockgate.gates.kinds import KINDS
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import (
    Category,
    Direction,
    Limit,
    Rule,
    compare_records,
    declared_rules,
    higher,
    lower,
    undeclared_fields,
)
from lockgate.gates.strictness.findings import CHANGE_NAMES, CHANGE_REASONS, format_value
from lockgate.pipelines.settings.settings import Settings
from lockgate.pipelines.stores import STORES


def records(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A record, and the records in its fields, however deep."""
    yield kind
    for value in kind.model_fields.values():
        yield from (inner for record in _models(value.annotation) for inner in records(record))


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


WHOLE = {"ModelSettings", "TrainSettings", "FixedSchedule", "SingleSchedule", "OpenSchedule"}
"""What is compared as a whole, by the rule of the field that holds it."""

COMPARED = sorted(
    {record for kind in (Policy, Settings) for record in records(kind)} - set(), key=lambda record: record.__qualname__
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_kind_says_which_way_is_weaker(kind: str) -> None:
    assert undeclared_fields(KINDS[kind]) == ()


@pytest.mark.parametrize("record", COMPARED, ids=lambda item: item.__qualname__)
def test_every_setting_says_which_way_is_weaker(record: type[BaseModel]) -> None:
    if record.__qualname__ not in WHOLE:
        assert undeclared_fields(record) == ()


def test_settings_of_every_group_are_among_them() -> None:
    names = {item.__qualname__ for item in COMPARED}
    assert {"Policy", "Slices", "AnyOf", "DataSettings", "FractionHoldout", "PlatformSettings", "TrustedKey"} <= names
    assert {"Secrets", "KeySettings", "StoreSettings"} <= names
    assert len(STORES) > 1  # their parameters have no rules: each change of one is to be reviewed


class Plain(BaseModel):
    limit: Annotated[float, higher(Category.FLOOR)]
    silent: float = 0.0


def test_a_field_that_says_nothing_is_found_and_to_be_reviewed() -> None:
    assert undeclared_fields(Plain) == ("silent",)
    assert list(declared_rules(Plain)) == ["limit"]
    (item,) = compare_records(Plain(limit=1), Plain(limit=1, silent=2), "it")
    assert (item.direction, item.where) == (Direction.REVIEW, "it.silent")


def test_records_of_two_kinds_are_one_change() -> None:
    class Other(BaseModel):
        limit: Annotated[float, higher(Category.FLOOR)]

    (item,) = compare_records(Plain(limit=1), Other(limit=0), "it")
    assert (item.direction, item.where) == (Direction.REVIEW, "it")
    assert list(compare_records(Plain(limit=1), Plain(limit=1), "it")) == []


def directions_of_change(rule: Limit, before: Any, after: Any) -> list[str]:
    created = type("Made", (BaseModel,), {"__annotations__": {"x": Annotated[Any, rule]}})
    return [str(difference.direction) for difference in compare_records(created(x=before), created(x=after), "")]


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        (1.0, 2.0, "tighter"),
        (2.0, 1.0, "weaker"),
        (None, 1.0, "tighter"),
        (1.0, None, "weaker"),
        (-1.0, 0.0, "tighter"),
        (0.1, 0.1 + 1e-12, "tighter"),
    ],
)
def test_a_limit_below_at_and_above(before: Any, after: Any, result: str) -> None:
    other = {"tighter": "weaker", "weaker": "tighter"}[result] if None not in (before, after) else result
    assert directions_of_change(higher(Category.FLOOR), before, after) == [result]
    assert directions_of_change(lower(Category.FLOOR), before, after) == [other]
    assert directions_of_change(higher(Category.FLOOR), before, before) == []


def test_a_rule_is_known_by_what_it_does() -> None:
    assert isinstance(higher(Category.FLOOR), Rule)
    assert not isinstance(object(), Rule)


def test_every_category_has_names_and_reasons() -> None:
    assert set(CHANGE_NAMES) == set(CHANGE_REASONS) == set(Category)
    names = [name for value in CHANGE_NAMES.values() for name in set(value)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "–"),
        (0.1, "0.1"),
        (1e-9, "1e-09"),
        (True, "true"),
        (("a", "b"), '["a", "b"]'),
        ("90d", "90d"),
        (20, "20"),
    ],
)
def test_values_are_said_as_a_policy_writes_them(value: Any, message: str) -> None:
    assert format_value(value) == message
    assert len(format_value("x" * 10_000)) == 240
