"""With LOCKGATE_LOG=json everything that is said while work goes on is one JSON object a line."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any


def parse_lines(text: str) -> list[dict[str, Any]]:
    """Every line, as JSON."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["logger"] for line in lines} == {"lockgate"}
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    return lines


def test_a_prediction_in_json_lines(promoted: Any) -> None:
    completed = promoted.run("predict", "--json", LOCKGATE_LOG="json")
    assert completed.returncode == 0, completed.stderr
    version = json.loads(completed.stdout)
    admitted, staged, published = parse_lines(completed.stderr)
    assert (admitted["event"], admitted["level"], admitted["rows"]) == ("admitted", "info", 666)
    assert (staged["event"], staged["shard"], staged["rows"]) == ("shard_staged", 0, 666)
    assert (published["event"], published["version"], published["run"]) == ("published", 1, version["champion_run"])
    assert published["task"].startswith(f"{version['source']}/publish/")


def test_what_is_refused_says_what_and_where(project: Any) -> None:
    completed = project.run("predict", LOCKGATE_LOG="json")
    assert completed.returncode == 2
    first, last = parse_lines(completed.stderr)
    assert (first["event"], first["error"]) == ("refused", "AdmissionError")
    assert first["problem"] == "no model has been promoted yet"
    assert first["task"].startswith("Predict/")
    assert (last["event"], last["error"], "task" in last) == ("refused", "RunError", False)
    assert "no model has been promoted yet" in last["message"]


def test_a_policy_with_many_mistakes_is_one_line(project: Any) -> None:
    completed = project.run("evaluate", "model.max_depth=many", LOCKGATE_LOG="json")
    assert completed.returncode == 2
    (line,) = parse_lines(completed.stderr)
    assert line["error"] == "SettingsError"
