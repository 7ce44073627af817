from __future__ import annotations

import math
from typing import get_args

import pytest

from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS
from lockgate.gates.metrics.metric import Family, Method, Metric
from lockgate.gates.report import reference

ALL = [pytest.param(one, id=f"{task}-{name}") for task, held in METRICS.items() for name, one in held.items()]


def test_every_method_says_its_interval() -> None:
    assert set(reference.INTERVALS) == set(get_args(Method))


@pytest.mark.parametrize("found", ALL)
def test_every_metric_says_what_it_is(found: Metric | Family) -> None:
    metric = reference.shown(found)
    assert reference.first_sentence(metric)
    assert reference.direction(metric) in ("higher is better", "lower is better")
    assert " … " in reference.extent(metric)
    assert reference.written(found).startswith(found.name)
    assert metric.unit


def family(default: float | None) -> Family:
    metric = next(one for one in METRICS["binary"].values() if isinstance(one, Metric))
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
    assert reference.written(family(0.5)) == "recall[@…]"
    assert reference.written(family(None)) == "recall@…"
    assert reference.number_of(family(0.5)) == "cutoff: a number from 0.25 to 1; 0.5 where none is written"
    assert reference.number_of(family(None)) == "cutoff: a number from 0.25 to 1"
    assert reference.number_of(family(0.0)) == "cutoff: a number from 0.25 to 1; it may be left out"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_type(kind: str) -> None:
    keys = reference.keys(KINDS[kind])
    assert [key.name for key in keys] == list(KINDS[kind].model_fields)
    for key in keys:
        assert key.type
        assert "value" not in key.type
        assert (key.default == "") == KINDS[kind].model_fields[key.name].is_required()


def test_types_in_words() -> None:
    said = {key.name: (key.type, key.default) for key in reference.keys(KINDS["slices"])}
    assert said["kind"] == ("slices", "")
    assert said["severity"] == ("block | warn", "optional: block")
    assert said["owner"] == ("text", "optional")
    assert said["by"] == ("text or list of text", "")
    assert said["min_rows"] == ("whole number >= 1", "")
    assert said["margin"] == ("number", "")
    said = {
        key.name: (key.type, key.default)
        for kind in ("calibration", "threshold", "any_of", "disagreement")
        for key in reference.keys(KINDS[kind])
    }
    assert said["min"] == ("number", "optional")
    assert said["checks"] == ("mapping of name to check", "")
    assert said["max"] == ("number >= 0 and < 1", "")


def test_an_infinite_range_is_said() -> None:
    assert reference.extent(reference.shown(METRICS["regression"]["mae"])) == "0 … ∞"
    assert math.isinf(reference.shown(METRICS["regression"]["mae"]).high)
