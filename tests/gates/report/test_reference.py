from __future__ import annotations

import math
from typing import get_args

import pytest

from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS
from lockgate.gates.metrics.metric import Family, Method, Metric
from lockgate.gates.report import reference

ALL = [
    pytest.param(metric, id=f"{task}-{name}") for task, metrics in METRICS.items() for name, metric in metrics.items()
]


def test_every_method_says_its_interval() -> None:
    assert set(reference.INTERVALS) == set(get_args(Method))


@pytest.mark.parametrize("metric", ALL)
def test_every_metric_says_what_it_is(metric: Metric | Family) -> None:
    resolved = reference.resolve_family(metric)
    assert reference.summarise_formula(resolved)
    assert reference.describe_direction(resolved) in ("higher is better", "lower is better")
    assert " … " in reference.format_range(resolved)
    assert reference.format_name(metric).startswith(metric.name)
    assert resolved.unit


def family(default: float | None) -> Family:
    metric = next(entry for entry in METRICS["binary"].values() if isinstance(entry, Metric))
    return Family(
        name="recall",
        task="binary",
        parameter="cutoff",
        default=default,
        low=0.25,
        high=1.0,
        whole=False,
        make=lambda number: metric,
    )


def test_families() -> None:
    assert reference.format_name(family(0.5)) == "recall[@…]"
    assert reference.format_name(family(None)) == "recall@…"
    assert reference.describe_parameter(family(0.5)) == "cutoff: a number from 0.25 to 1; 0.5 by default"
    assert reference.describe_parameter(family(None)) == "cutoff: a number from 0.25 to 1"
    assert reference.describe_parameter(family(0.0)) == "cutoff: a number from 0.25 to 1; optional"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_type(kind: str) -> None:
    keys = reference.list_keys(KINDS[kind])
    assert [key.name for key in keys] == list(KINDS[kind].model_fields)
    for key in keys:
        assert key.type
        assert "value" not in key.type
        assert (key.default == "") == KINDS[kind].model_fields[key.name].is_required()


def test_types_in_words() -> None:
    keys = {key.name: (key.type, key.default) for key in reference.list_keys(KINDS["slices"])}
    assert keys["kind"] == ("slices", "")
    assert keys["severity"] == ("block | warn", "optional: block")
    assert keys["owner"] == ("text", "optional")
    assert keys["by"] == ("text or list of text", "")
    assert keys["min_rows"] == ("whole number >= 1", "")
    assert keys["margin"] == ("number", "")
    keys = {
        key.name: (key.type, key.default)
        for kind in ("calibration", "threshold", "any_of", "disagreement")
        for key in reference.list_keys(KINDS[kind])
    }
    assert keys["min"] == ("number", "optional")
    assert keys["checks"] == ("mapping of name to check", "")
    assert keys["max"] == ("number >= 0 and < 1", "")


def test_an_infinite_range_is_said() -> None:
    assert reference.format_range(reference.resolve_family(METRICS["regression"]["mae"])) == "0 … ∞"
    assert math.isinf(reference.resolve_family(METRICS["regression"]["mae"]).high)
