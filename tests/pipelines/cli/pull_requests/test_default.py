"""What merging would make the champion is judged: conf/ as it stands, also where a pull request names candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.cli.pull_requests.forging import Desk

DEEP = {"deep": "model.trees=60"}
FEWER = {"trees: 20": "trees: 1", "max_depth: 4": "max_depth: 1"}


@pytest.fixture
def deep(desk: Desk) -> Desk:
    """The pull request's job handed in a candidate that passes, and conf/ as it stands, which is the champion's."""
    desk.hand_in("deep", "xgb", "xgboost-ubj", desk.fitted("xgb", trees=60))
    desk.hand_in("default", "xgb", "xgboost-ubj", desk.fitted("xgb", trees=1, max_depth=1))
    return desk


def test_a_default_that_differs_is_judged_first_and_said(deep: Desk) -> None:
    deep.change("model/xgb.yaml", FEWER)
    completed, summary, text = deep.review(DEEP, extra=["default"])
    assert (completed.returncode, summary["verdict"], summary["chosen"]) == (0, "PROMOTE", "deep")
    assert [(candidate["name"], candidate["overrides"]) for candidate in summary["candidates"]] == [
        ("default", []),
        ("deep", ["model.trees=60"]),
    ]
    assert {candidate["decision"]["confidence"] for candidate in summary["candidates"]} == {
        0.975
    }  # two share the error rate
    assert "| default | conf/ as it stands | " in text
    assert "Merged as it is, `default` is what is trained and judged: ALREADY CHAMPION here." in text


@pytest.mark.nightly
def test_a_default_that_differs_and_was_not_handed_in_is_said(deep: Desk) -> None:
    deep.change("model/xgb.yaml", FEWER)
    completed, summary, text = deep.review(DEEP)
    assert (summary["chosen"], summary["candidates"][0]["name"]) == ("deep", "default")
    assert summary["candidates"][0]["error"] == "it was not evaluated"
    assert "not judged: default: it was not evaluated\n" in completed.stderr
    assert "- **default** it was not evaluated" in text
    assert "Merged as it is, `default` is what is trained and judged: not judged here." in text


@pytest.mark.nightly
def test_a_default_that_is_the_base_s_is_not_judged(deep: Desk) -> None:
    """Whether it was handed in or not."""
    deep.change("gate/default.yaml", {"min: 0.60": "min: 0.10"})
    for extra in ([], ["default"]):
        completed, summary, text = deep.review(DEEP, extra=extra)
        assert (completed.returncode, [candidate["name"] for candidate in summary["candidates"]]) == (0, ["deep"])
        assert summary["candidates"][0]["decision"]["confidence"] == 0.95
        assert "`default`" not in text
        (deep.project.home / "out").rename(deep.project.home / f"out{len(extra)}")


@pytest.mark.nightly
def test_a_candidate_that_is_the_default_is_judged_once(deep: Desk) -> None:
    deep.change("model/xgb.yaml", FEWER)
    deep.hand_in("same", "xgb", "xgboost-ubj", deep.fitted("xgb", trees=1, max_depth=1))
    _, summary, _ = deep.review({"same": "model.trees=1", **DEEP}, extra=["default"])
    errors = {candidate["name"]: candidate["error"] for candidate in summary["candidates"]}
    assert list(errors) == ["default", "same", "deep"]
    assert errors == {"default": "", "same": "it is conf/ as it stands, which is judged as default", "deep": ""}
    assert summary["candidates"][0]["decision"]["confidence"] == 0.975


@pytest.mark.nightly
def test_a_default_that_does_not_compose_is_not_judged(deep: Desk) -> None:
    (deep.head / "conf" / "model" / "xgb.yaml").write_text("defaults: [nowhere]\n", encoding="utf-8")
    (deep.head / "conf" / "model" / "other.yaml").write_bytes(Path(deep.project.conf, "model/xgb.yaml").read_bytes())
    deep.hand_in("other", "xgb", "xgboost-ubj", deep.fitted("xgb", trees=60))
    _, summary, _ = deep.review({"other": "model=other"}, extra=["default"])
    assert [candidate["name"] for candidate in summary["candidates"]] == ["default", "other"]
    assert "does not compose" in summary["candidates"][0]["error"]
    assert "/tmp" not in summary["candidates"][0]["error"]
    assert summary["chosen"] == "other"
