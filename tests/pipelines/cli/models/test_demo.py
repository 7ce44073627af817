"""`lockgate demo`: the story of flights, in a directory of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockgate.pipelines.cli.models.demo import STORY
from tests.configuration import CONF


@pytest.mark.nightly
def test_every_month_is_judged_and_nothing_else_is_touched(tmp_path: Path, project_at: Any) -> None:
    project = project_at(home=tmp_path, conf=CONF)
    done = project.run("demo", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert [month.trained_on for month in STORY if month.trained_on not in done.stdout] == []
    assert "PROMOTE" in done.stdout
    assert "min_periods: 3} would have said" in done.stdout
    assert "05: +0.0" in done.stdout
    (folder,) = (tmp_path / ".lockgate" / "demo").iterdir()
    assert f"The runs, the log and the models are in {folder}" in done.stdout
    assert (project.history(), project.runs()) == ([], [])
