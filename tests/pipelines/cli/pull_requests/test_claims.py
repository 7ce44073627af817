"""What `lockgate review` makes of a model that this branch cannot score: a claim, or none of what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from zipfile import ZIP_DEFLATED

import numpy as np
import pytest

from lockgate.pipelines.models import ubj
from tests.pipelines.cli.pull_requests.forging import Desk
from tests.pipelines.models.archives import read_members, write_members
from tests.pipelines.models.ubj_documents import write_value

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


def test_a_claim_of_another_task_is_not_judged_and_the_others_are(adding: Desk) -> None:
    """Rows and labels are those of the holdout whatever the task: two columns of scores fit them, too."""
    both = np.column_stack([1 - adding.basis.split.labels, adding.basis.split.labels])
    adding.hand_in("wide", "zzz", "text", TEXT, challenger=both, task="multiclass", classes=["a", "b"])
    adding.hand_in("new", "zzz", "text", TEXT)
    completed, summary, _ = adding.review({"wide": "model=zzz", "new": "model.name=zzz"})
    wide, new = summary["candidates"]
    assert "it was scored for task multiclass; expected task binary" in wide["error"]
    assert (completed.returncode, new["decision"]["verdict"]) == (3, "INCONCLUSIVE")


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


def point_elsewhere(blob: bytes) -> bytes:
    """A tree's node gets a child far outside of the tree."""
    document = ubj.parse_object(blob)
    tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["left_children"] = tree["left_children"].copy()
    tree["left_children"][0] = 2**30
    return write_value(document)


def promise_more(blob: bytes) -> bytes:
    """An array says that it has 80 GB."""
    members = read_members(blob)
    name = next(name for name in members if name.endswith(".npy"))
    shape = b"'shape': (2,), "
    assert shape in members[name]
    promised = members[name].replace(shape, b"'shape': (10000000000,), ")
    members[name] = promised.replace(b" " * 10 + b"\n", b"\n", 1)  # the header stays as long as it was
    return write_members(members)


@pytest.mark.nightly
def test_models_that_do_harm_are_not_judged_and_the_others_are(desk: Desk) -> None:
    honest = desk.fitted("xgb", trees=60)
    desk.hand_in("wild", "xgb", "xgboost-ubj", point_elsewhere(honest))
    desk.hand_in("large", "baseline", "skops", promise_more(baseline(desk)))
    desk.hand_in("packed", "baseline", "skops", write_members(read_members(baseline(desk)), compression=ZIP_DEFLATED))
    desk.hand_in("deep", "xgb", "xgboost-ubj", honest)
    names = {
        "wild": "model.max_depth=3",
        "large": "model=baseline",
        "packed": "model=baseline",
        "deep": "model.trees=60",
    }
    completed, summary, text = desk.review(names)
    assert (completed.returncode, summary["verdict"], summary["chosen"]) == (0, "PROMOTE", "deep")
    errors = {candidate["name"]: candidate["error"] for candidate in summary["candidates"]}
    assert errors.pop("deep") == ""
    assert "tree 0: a child is outside of the tree" in errors["wild"]
    assert "it needs more memory than a model may have" in errors["large"]
    assert "is compressed; expected none that is" in errors["packed"]
    assert all(f"- **{name}** " in text for name in errors)
