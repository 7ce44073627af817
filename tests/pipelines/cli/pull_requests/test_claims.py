"""What `lockgate review` makes of a model that this branch cannot score: a claim, or none of what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.pipelines.cli.pull_requests.forging import Desk

CLAIM = "claim: advice only"
TEXT = b"trust me, it is"


@pytest.fixture
def adding(desk: Desk) -> Desk:
    """The pull request adds a kind of model, `zzz`, that this branch does not know."""
    (desk.head / "conf" / "model" / "zzz.yaml").write_text("name: zzz\nfaith: 1\n", encoding="utf-8")
    return desk


def test_a_claim_is_advice_in_all_that_is_said(adding: Desk) -> None:
    adding.hand_in("new", "zzz", "text", TEXT)
    completed, summary, text = adding.review({"new": "model=zzz"})
    assert (completed.returncode, summary["verdict"], summary["chosen"]) == (3, "INCONCLUSIVE", "new")
    assert completed.stdout == f"INCONCLUSIVE ({CLAIM}): out/report.md\n"
    (line,) = [line for line in completed.stderr.splitlines() if line.startswith(f"{CLAIM}: new: ")]
    assert "this branch does not know models of the kind 'zzz'" in line
    assert summary["claim"] == summary["candidates"][0]["claimed"] != ""
    (decision,) = [candidate["decision"] for candidate in summary["candidates"]]
    assert decision["reason"].startswith(CLAIM)
    assert {outcome["verdict"] for outcome in decision["outcomes"] if outcome["severity"] == "block"} == {"PASS"}
    assert text.startswith(f"## 🟡 lockgate: INCONCLUSIVE ({CLAIM})\n\n**Its scores are the pull request's own claim")
    assert "### Gates, by the pull request's own claim\n" in text
    assert "PROMOTE" not in text
    out = adding.project.home / "out"
    assert f"<title>lockgate: INCONCLUSIVE ({CLAIM})</title>" in (out / "report.html").read_text(encoding="utf-8")
    assert json.loads((out / "new.json").read_text())["verdict"] == "INCONCLUSIVE"
    predicate = json.loads((out / "new.vsa.json").read_text())["predicate"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])
    outputs = (adding.project.home / "outputs").read_text().splitlines()
    assert (outputs[0], outputs[-1]) == ("verdict=INCONCLUSIVE", "claim=true")


@pytest.mark.nightly
def test_a_claim_is_an_annotation_and_stays_behind_what_was_scored_again(adding: Desk) -> None:
    adding.hand_in("new", "zzz", "text", TEXT)
    adding.hand_in("deep", "xgb", "xgboost-ubj", adding.fitted("xgb", trees=60))
    completed, summary, text = adding.review({"new": "model=zzz", "deep": "model.trees=60"}, GITHUB_ACTIONS="true")
    assert (completed.returncode, summary["verdict"], summary["chosen"], "claim" in summary) == (
        0,
        "PROMOTE",
        "deep",
        False,
    )
    (line,) = [
        line for line in completed.stderr.splitlines() if line.startswith("::warning title=claim%3A advice only::")
    ]
    assert "new: this branch does not know" in line
    assert f"| new | model=zzz | 🟡 INCONCLUSIVE ({CLAIM}) |" in text
    assert "| **deep** | model.trees=60 | 🟢 PROMOTE |" in text
    assert "claim=true" not in (adding.project.home / "outputs").read_text()


@pytest.mark.nightly
def test_a_claim_stays_behind_what_was_scored_again_and_failed(adding: Desk) -> None:
    adding.hand_in("new", "zzz", "text", TEXT)
    adding.hand_in("flat", "baseline", "skops", baseline(adding))
    completed, summary, _ = adding.review({"new": "model=zzz", "flat": "model=baseline"})
    assert (completed.returncode, summary["verdict"], summary["chosen"]) == (1, "HOLD", "flat")


def baseline(desk: Desk) -> bytes:
    return desk.fitted("baseline")


OTHERS: dict[str, tuple[str, str, str, Callable[[Desk], bytes], str]] = {
    "unknown": ("model=xgb", "zzz", "text", lambda _: TEXT, "the model is of the kind 'zzz'; expected 'xgb'"),
    "known": ("model=zzz", "baseline", "skops", baseline, "the model is of the kind 'baseline'; expected 'zzz'"),
    "other": ("model=xgb", "baseline", "skops", baseline, "the model is of the kind 'baseline'; expected 'xgb'"),
    "packed": ("model=xgb", "xgb", "text", lambda _: TEXT, "its format is 'text'; expected 'xgboost-ubj'"),
    "swapped": ("model=xgb", "xgb", "skops", baseline, "its format is 'skops'; expected 'xgboost-ubj'"),
    "garbage": ("model=xgb", "xgb", "xgboost-ubj", lambda _: TEXT, "these bytes are not xgboost-ubj"),
    "cut": ("model=baseline", "baseline", "skops", lambda desk: baseline(desk)[:-9], "these bytes are not skops"),
}
"""Of each: the override, the kind and format that its files claim, their bytes, and what is said of it."""


@pytest.mark.nightly
def test_a_model_of_another_kind_than_conf_composes_is_not_judged(adding: Desk) -> None:
    for name, (_, kind, format_, make, _) in OTHERS.items():
        adding.hand_in(name, kind, format_, make(adding))
    completed, summary, text = adding.review({name: override for name, (override, *_) in OTHERS.items()})
    assert (completed.returncode, summary["verdict"], summary["chosen"]) == (2, "ERROR", None)
    errors = {candidate["name"]: candidate["error"] for candidate in summary["candidates"]}
    for name, (*_, message) in OTHERS.items():
        assert message in errors[name]
        assert len(errors[name].splitlines()) == 1
        assert f"- **{name}** " in text
    assert text.startswith("## 🟣 lockgate: ERROR")
