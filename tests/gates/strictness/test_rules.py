"""Every setting that a change of can weaken says which way is weaker; and the rules, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel

from lockgate.gates.kinds import KINDS
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import Category, Direction, Limit, Rule, declared, differences, higher, lower, undeclared
from lockgate.gates.strictness.findings import NAMES, WHY, text
from lockgate.pipelines.settings.settings import Settings
from lockgate.pipelines.stores import STORES


def records(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A record, and the records in its fields, however deep."""
    yield kind
    for held in kind.model_fields.values():
        yield from (inner for one in _models(held.annotation) for inner in records(one))


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


WHOLE = {"ModelSettings", "TrainSettings", "Fixed", "Single", "Open"}
"""What is compared as a whole, by the rule of the field that holds it."""

COMPARED = sorted(
    {one for kind in (Policy, Settings) for one in records(kind)} - set(), key=lambda one: one.__qualname__
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_kind_says_which_way_is_weaker(kind: str) -> None:
    assert undeclared(KINDS[kind]) == ()


@pytest.mark.parametrize("record", COMPARED, ids=lambda one: one.__qualname__)
def test_every_setting_says_which_way_is_weaker(record: type[BaseModel]) -> None:
    if record.__qualname__ not in WHOLE:
        assert undeclared(record) == ()


def test_settings_of_every_group_are_among_them() -> None:
    names = {one.__qualname__ for one in COMPARED}
    assert {"Policy", "Slices", "AnyOf", "DataSettings", "FractionHoldout", "PlatformSettings", "TrustedKey"} <= names
    assert {"Secrets", "KeySettings", "StoreSettings"} <= names
    assert len(STORES) > 1  # their parameters have no rules: each change of one is to be reviewed


class Plain(BaseModel):
    told: Annotated[float, higher(Category.FLOOR)]
    silent: float = 0.0


def test_a_field_that_says_nothing_is_found_and_to_be_reviewed() -> None:
    assert undeclared(Plain) == ("silent",)
    assert list(declared(Plain)) == ["told"]
    (one,) = differences(Plain(told=1), Plain(told=1, silent=2), "it")
    assert (one.direction, one.where) == (Direction.REVIEW, "it.silent")


def test_records_of_two_kinds_are_one_change() -> None:
    class Other(BaseModel):
        told: Annotated[float, higher(Category.FLOOR)]

    (one,) = differences(Plain(told=1), Other(told=0), "it")
    assert (one.direction, one.where) == (Direction.REVIEW, "it")
    assert list(differences(Plain(told=1), Plain(told=1), "it")) == []


def compared(rule: Limit, before: Any, after: Any) -> list[str]:
    made = type("Made", (BaseModel,), {"__annotations__": {"x": Annotated[Any, rule]}})
    return [str(one.direction) for one in differences(made(x=before), made(x=after), "")]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (1.0, 2.0, "tighter"),
        (2.0, 1.0, "weaker"),
        (None, 1.0, "tighter"),
        (1.0, None, "weaker"),
        (-1.0, 0.0, "tighter"),
        (0.1, 0.1 + 1e-12, "tighter"),
    ],
)
def test_a_limit_below_at_and_above(before: Any, after: Any, found: str) -> None:
    other = {"tighter": "weaker", "weaker": "tighter"}[found] if None not in (before, after) else found
    assert compared(higher(Category.FLOOR), before, after) == [found]
    assert compared(lower(Category.FLOOR), before, after) == [other]
    assert compared(higher(Category.FLOOR), before, before) == []


def test_a_rule_is_known_by_what_it_does() -> None:
    assert isinstance(higher(Category.FLOOR), Rule)
    assert not isinstance(object(), Rule)


def test_every_category_has_names_and_reasons() -> None:
    assert set(NAMES) == set(WHY) == set(Category)
    names = [name for told in NAMES.values() for name in set(told)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("value", "said"),
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
def test_values_are_said_as_a_policy_writes_them(value: Any, said: str) -> None:
    assert text(value) == said
    assert len(text("x" * 10_000)) == 240
