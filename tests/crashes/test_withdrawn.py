"""Predictions of a revoked model, and a command that is killed between any two of its steps: applications read the old
version or the new one, and never nothing unless somebody said withdraw; the next command brings it to its end.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.log.crash_points import Step
from tests.crashes.conftest import KILLED


def marks(project: Any) -> dict[int, str]:
    """Of each version whether it is what applications read, and withdrawn."""
    with closing(sqlite3.connect(project.home / "predictions.db")) as db:
        rows = db.execute("SELECT version, id IN (SELECT id FROM current), withdrawn FROM versions").fetchall()
        (row_count,) = db.execute("SELECT count(*) FROM current_predictions").fetchone()
    mark_by_version = {
        version: "*" * current + "w" * withdrawn for version, current, withdrawn in rows if version is not None
    }
    assert (row_count > 0) == ("*" in mark_by_version.values())
    return mark_by_version


@pytest.fixture
def two_versions(place: Any, trained_pair: Any, tmp_path: Path) -> Any:
    """Version 1 is of the first model, and version 2, which is served, of the second, which reigns. For copying."""
    project = place.lay(trained_pair)
    assert place.run("serve").code == 0
    assert place.run("judge", project.runs()[1]).code == 0
    assert place.run("serve").code == 0
    assert marks(project) == {1: "", 2: "*"}
    return project.copy(tmp_path)


@pytest.mark.nightly
def test_predict_for_a_revoked_model(place: Any, two_versions: Any, tmp_path: Path) -> None:
    place.lay(two_versions)
    assert place.run("revoke", two_versions.runs()[1], "--reason=x").code == 0
    start = place.project.copy(tmp_path / "revoked")
    whole = place.run("serve")
    assert (whole.code, marks(place.project)) == (0, {1: "", 2: "w", 3: "*"})
    assert whole.steps[-2:] == ["COMMITTING", "PUBLISHED"]
    for index, name in enumerate(whole.steps):
        project = place.lay(start)
        assert place.run("serve", die_at=index).code == KILLED
        published = Step[name] is Step.PUBLISHED
        assert marks(project) == ({1: "", 2: "w", 3: "*"} if published else {1: "", 2: "*"})
        assert place.run("serve").code == 0
        assert {number for number, mark in marks(project).items() if "w" in mark} == {2}


def test_revoke_and_withdraw(place: Any, two_versions: Any) -> None:
    place.lay(two_versions)
    words = ("revoke", two_versions.runs()[1], "--reason=x", "--withdraw")
    whole = place.run(*words)
    assert (whole.code, marks(place.project)) == (0, {1: "*", 2: "w"}), whole
    assert {"ENTRY_CREATED", "WITHDRAWING", "WITHDRAWN", "TAGGED"} <= set(whole.steps)
    for index in range(len(whole.steps)):
        project, steps = place.lay(two_versions), [Step[name] for name in whole.steps[: index + 1]]
        assert place.run(*words, die_at=index).code == KILLED
        assert marks(project) == ({1: "*", 2: "w"} if Step.WITHDRAWN in steps else {1: "", 2: "*"})
        again = place.run(*words)
        if Step.ENTRY_CREATED in steps:
            assert again.code == 2
            assert "was revoked before, by entry 3" in again.err
            assert "`lockgate predictions withdraw` withdraws them" in again.err
        assert place.run("predictions", "withdraw").code == 0
        assert marks(project) == {1: "*", 2: "w"}
        assert json.loads(place.run("champion", "--json").out)["run"] == two_versions.runs()[0]
