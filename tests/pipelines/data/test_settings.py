"""What conf/data may say.

Tests of pipelines/data/breast_cancer.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from lockgate.pipelines.data import SOURCES, DataSettings, TrainSettings


@pytest.mark.parametrize("name", ["flights", "breast_cancer"])
def test_shipped_settings_are_valid(conf, name) -> None:
    assert DataSettings.model_validate(conf(f"data/{name}")).source in SOURCES


@pytest.mark.parametrize("name", ["all", "recent"])
def test_shipped_windows_are_valid(conf, name) -> None:
    TrainSettings.model_validate(conf(f"train/{name}"))


def test_the_template_lists_every_key_and_asks_for_three(conf) -> None:
    template = conf("data/table")
    assert list(template) == list(DataSettings.model_fields)
    assert [key for key, value in template.items() if value == "???"] == ["project", "path", "target"]


@pytest.mark.parametrize("record", [DataSettings, TrainSettings])
def test_no_key_has_a_default_in_python(record) -> None:
    assert all(field.is_required() for field in record.model_fields.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"project": "My Flights"}, "should match pattern"),
        ({"project": "mine\n"}, "should match pattern"),
        ({"task": "ranking"}, "'binary' or 'regression'"),
        ({"tagret": "y"}, "Extra inputs are not permitted"),
        ({"slices": "carrier"}, "valid tuple"),
        ({"slices": ["a", 1]}, "valid string"),
        ({"features": []}, "at least 1"),
        ({"features": ["a", "a"]}, "names a column twice: a"),
        ({"features": ["y", "a"]}, "features contain the target 'y'"),
        ({"features": ["a"], "exclude": ["a"]}, "features and exclude both name a"),
        ({"holdout": {"kind": "period"}}, "needs time"),
        ({"holdout": {"kind": "rolling", "periods": 3}}, r"holdout \{kind: rolling\} needs time"),
        ({"time": "t", "holdout": {"kind": "rolling"}}, "Field required"),
        ({"time": "t", "holdout": {"kind": "rolling", "periods": 1}}, "greater than or equal to 2"),
        ({"time": "t", "holdout": {"kind": "rolling", "periods": 1001}}, "less than or equal to 1000"),
        ({"time": "t", "holdout": {"kind": "rolling", "periods": 3.0}}, "valid integer"),
        ({"time": "t", "holdout": {"kind": "period", "periods": 3}}, "Extra inputs are not permitted"),
        ({"holdout": {"kind": "year"}}, "'period', 'rolling', 'cutoff', 'column', 'fraction', 'fresh'"),
        ({"holdout": {"kind": "fraction", "share": 0.0}}, "greater than 0"),
        ({"holdout": {"kind": "fraction", "share": 1.0}}, "less than 1"),
        ({"holdout": {"kind": "fraction", "share": float("nan")}}, "finite"),
        ({"holdout": {"kind": "fraction", "share": "0.3"}}, "valid number"),
        ({"holdout": {"kind": "cutoff", "from": "2013-05-01"}}, r"holdout \{kind: cutoff\} needs time"),
        ({"time": "t", "holdout": {"kind": "cutoff", "start": "2013-05-01"}}, "Field required"),
        ({"time": "t", "holdout": {"kind": "cutoff", "from": "banana"}}, "holdout.from is no time: 'banana'"),
        ({"holdout": {"kind": "column", "column": "", "holdout": "test"}}, "at least 1 character"),
        ({"holdout": {"kind": "fresh", "share": 0.5}}, "Field required"),
        ({"holdout": {"kind": "fresh", "share": 1.0, "by": None}}, "less than 1"),
        ({"as_of": "2013-13"}, "got '2013-13'; expected a month, as in 2013-10, or latest"),
        ({"as_of": "2013-10", "period": "week"}, "got '2013-10'; expected a week, as in 2013-W40, or latest"),
        ({"period": "year"}, "'day', 'week', 'month' or 'quarter'"),
        ({"score": {"file": "x.csv"}}, "Field required"),
        ({"task": "regression", "positive": 1}, "positive is for task binary"),
        ({"types": {"x": "float"}}, "'text', 'integer', 'decimal', 'timestamp', 'date', 'boolean' or 'category'"),
        ({"types": {"x": {"type": "text"}}}, "Field required"),
        ({"types": {"x": {"type": "text", "nulls": "NA"}}}, "valid tuple"),
        ({"types": {7: "text"}}, "valid string"),
        ({"types": ["text"]}, "valid dictionary"),
        ({"nulls": [None]}, "valid string"),
        ({"nulls": "NA"}, "valid tuple"),
    ],
)
def test_what_is_refused(declared, change, message) -> None:
    with pytest.raises(ValidationError, match=message):
        declared(**change)


def test_types_survive_the_way_to_a_pod(declared) -> None:
    data = declared(types={"age": {"type": "integer", "nulls": ["", "?"]}, "no": "category"}, nulls=["", "NA"])
    assert data.types is not None
    assert (data.types["no"].type, data.types["no"].nulls) == ("category", None)
    assert DataSettings.model_validate(json.loads(data.model_dump_json())) == data


def test_types_that_the_page_shows_are_valid(declared) -> None:
    page = (Path(__file__).parents[3] / "docs" / "own-data.md").read_text(encoding="utf-8")
    examples = re.findall(r"^    types of .*(types: \{.*\})$|`(types: \{.*?\}\})`", page, re.MULTILINE)
    assert len(examples) == 2
    for example in examples:
        assert declared(**yaml.safe_load("".join(example))).types


@pytest.mark.parametrize("periods", [0, -1, 100_001, 2.5, "3", True])
def test_a_window_is_a_number_of_periods(periods) -> None:
    with pytest.raises(ValidationError):
        TrainSettings.model_validate({"periods": periods, "columns": None})


def test_settings_are_frozen(declared) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        declared().target = "z"
