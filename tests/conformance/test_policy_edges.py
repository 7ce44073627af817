"""Policies that must not be one, generated from the models of every kind: no key of a new kind escapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import pytest
import yaml

from lockgate import Policy
from lockgate.gates.errors import PolicyError
from lockgate.gates.kinds import KINDS

NO_NUMBERS = [math.nan, math.inf, -math.inf, 1e999, ".nan", "nan", "0.5", True, False, [0.5], [], None]
FROM_YAML = [yaml.safe_load(text) for text in (".nan", ".inf", "-.inf", "'0.5'", "true", "1e999", "0.5.1", "~")]


def inside(annotation: Any) -> Iterator[Any]:
    """Every type in an annotation."""
    yield annotation
    for part in get_args(annotation):
        if get_origin(annotation) is None or not isinstance(part, str):
            yield from inside(part)


def takes_number(annotation: Any) -> bool:
    return any(part in (int, float) for part in inside(annotation))


def is_choice(annotation: Any) -> bool:
    return any(isinstance(part, str) for get_arg in inside(annotation) for part in get_args(get_arg))


FIELDS = [(kind, name) for kind, model in KINDS.items() for name in model.model_fields]
OWN = [(kind, name) for kind, name in FIELDS if name != "kind"]
NUMBERS = [(kind, name) for kind, name in OWN if takes_number(KINDS[kind].model_fields[name].annotation)]
CHOICES = [(kind, name) for kind, name in OWN if is_choice(KINDS[kind].model_fields[name].annotation)]
REQUIRED = [(kind, name) for kind, name in FIELDS if KINDS[kind].model_fields[name].is_required()]


def problems(make: Any, check: Mapping[str, Any]) -> list[str]:
    """What is wrong with a policy of one check: none of it is judged."""
    with pytest.raises(PolicyError) as caught:
        make.policy({"gate": check})
    return list(caught.value.problems)


def bad_values(values: list[object]) -> list[tuple[str, str, object]]:
    """Every number of every kind with every value; None, a key that is not given, only where it must be given."""
    required = set(REQUIRED)
    return [(*field, value) for field in NUMBERS for value in values if value is not None or field in required]


def test_there_are_numbers_to_try() -> None:
    assert {("threshold", "min"), ("improvement", "margin"), ("slices", "min_rows"), ("calibration", "max")} <= set(
        NUMBERS
    )
    assert {("threshold", "decide"), ("slices", "require"), ("improvement", "severity")} <= set(CHOICES)


@pytest.mark.parametrize(("kind", "name", "value"), bad_values(NO_NUMBERS), ids=repr)
def test_what_is_no_finite_number_is_no_limit(make, kind: str, name: str, value: object) -> None:
    result = problems(make, make.check(kind, **{name: value}))
    assert all(f"@ gate.checks.gate.{name}" in line or line.endswith("@ gate.checks.gate") for line in result)
    assert all("; expected" in line for line in result)


@pytest.mark.parametrize(("kind", "name", "value"), bad_values(FROM_YAML), ids=repr)
def test_neither_is_what_yaml_makes_of_it(make, kind: str, name: str, value: object) -> None:
    assert problems(make, make.check(kind, **{name: value}))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in NUMBERS if kind != "any_of"])
def test_nor_inside_of_any_of(make, kind: str, name: str) -> None:
    nested = make.check("any_of", checks={"inner": make.check(kind, **{name: math.nan})})
    assert any("gate.checks.gate.checks.inner" in line for line in problems(make, nested))


@pytest.mark.parametrize(("kind", "name"), CHOICES)
def test_a_word_that_is_no_choice_lists_the_choices(make, kind: str, name: str) -> None:
    (line, *_) = problems(make, make.check(kind, **{name: "perhaps"}))
    assert f"@ gate.checks.gate.{name}" in line
    assert "; expected" in line


@pytest.mark.parametrize(("kind", "name"), REQUIRED)
def test_what_must_be_given_must_be_given(make, kind: str, name: str) -> None:
    check = {key: value for key, value in make.check(kind).items() if key != name}
    (line, *_) = problems(make, check)
    assert line.endswith(f"@ gate.checks.gate.{name}")


@pytest.mark.parametrize(("kind", "name"), OWN)
def test_a_misspelt_key_is_named_beside_the_right_one(make, kind: str, name: str) -> None:
    (line, *_) = problems(make, make.check(kind, **{f"{name}z": 1}))
    assert line.startswith(f"unknown key '{name}z'; expected one of ")
    assert f"@ gate.checks.gate.{name}z (did you mean '" in line
    assert set(KINDS[kind].model_fields) <= set(line.split("expected one of ")[1].split(" @ ")[0].split(", "))


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_kind_lists_the_kinds(make, kind: str) -> None:
    (line,) = problems(make, {**make.check(kind), "kind": f"{kind}z"})
    assert f"did you mean {kind!r}" in line
    assert set(KINDS) <= set(line.split("expected one of ")[1].split(" @ ")[0].split(", "))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "metric" in KINDS[kind].model_fields])
def test_an_unknown_metric_lists_the_metrics(make, kind: str) -> None:
    (line,) = problems(make, make.check(kind, metric="acuracy"))
    assert "did you mean 'accuracy'" in line
    assert "log_loss" in line


@pytest.mark.parametrize("kind", KINDS)
def test_gates_that_only_warn_are_no_policy(make, kind: str) -> None:
    (line,) = problems(make, make.check(kind, severity="warn"))
    assert "every gate only warns" in line


def test_no_gates_are_no_policy(make) -> None:
    with pytest.raises(PolicyError, match="no gates are declared"):
        make.policy({})


def test_a_threshold_without_limits_is_no_policy(make) -> None:
    (line,) = problems(make, {"kind": "threshold", "metric": "auc", "decide": "point"})
    assert line == "neither min nor max is given; expected one of them or both @ gate.checks.gate"


def test_every_mistake_is_told_at_once(make) -> None:
    checks = {kind: {**make.check(kind), "surplus": 1} for kind in KINDS}
    with pytest.raises(PolicyError) as caught:
        Policy.parse({**make.mapping(checks), "confidence": math.nan})
    assert len(caught.value.problems) == len(KINDS) + 1
