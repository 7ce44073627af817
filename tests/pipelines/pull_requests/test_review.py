"""Whose rules judge a pull request. Whole commands: tests/pipelines/cli/pull_requests/test_review.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.pull_requests.review import this_version
from tests.configuration import ROOT, SHIPPED
from tests.pipelines.settings.test_scope import add_conf


def test_the_checkout_that_is_judged_does_not_judge_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The protected branch's code, started in the folder of the pull request."""
    head = add_conf(tmp_path)
    (tmp_path / ".git").mkdir()
    monkeypatch.delenv("LOCKGATE_CONF")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        this_version("main")
    assert str(caught.value).startswith(
        f"another checkout's configuration would judge; expected to be run in {ROOT}, whose code this is @ {head} ("
    )
    monkeypatch.chdir(ROOT / "docs")
    assert this_version("main").conf["conf/config.yaml"] == (SHIPPED / "config.yaml").read_bytes()
