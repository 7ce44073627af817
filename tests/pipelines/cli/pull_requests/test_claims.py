"""What `lockgate review` makes of a model that this branch cannot score: a claim, or none of what was asked."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lockgate import Evidence, hash_row_ids
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.pull_requests.rescore import Basis
from lockgate.pipelines.settings.settings import compose
from tests.conftest import Project

CLAIM = "claim: advice only"
TEXT = b"trust me, it is"


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory, project_at: Any, orders_conf: Path) -> Path:
    """A bundle of a champion that is easily beaten."""
    project = project_at(home=tmp_path_factory.mktemp("weak"), conf=orders_conf)
    assert project.run("evaluate", "model.trees=1", "model.max_depth=1").returncode == 0
    assert project.run("bundle", "--out", "champion.tar").returncode == 0
    return Path(project.home / "champion.tar")


@dataclass(frozen=True)
class Desk:
    """Where a proposal is forged, and reviewed."""

    project: Project
    head: Path
    weak: Path
    basis: Basis

    @property
    def folder(self) -> Path:
        return self.project.home / "proposal"

    def hand_in(self, name: str, kind: str, format: str, blob: bytes | None) -> None:  # noqa: A002 - as the facts have it
        """A candidate's files: without bytes, of an honest xgb; with them, those, and labels for scores."""
        split = self.basis.split
        scores = split.labels
        if blob is None:
            settings = self.basis.settings
            params = MODELS["xgb"].Params.model_validate({**(settings.model.model_extra or {}), "trees": 60})
            fitted = MODELS["xgb"].fit(
                split.train, split.train_labels, params=params, task=settings.data.task, seed=settings.seed
            )
            blob, scores = fitted.to_bytes(), fitted.score(split.holdout)
        told = {
            "run": "EvaluateNewModel/7",
            "model": kind,
            "format": format,
            "sha256": hashlib.sha256(blob).hexdigest(),
        }
        facts = {"challenger": told, "train_row_hashes": hash_row_ids(split.train_row_ids)}
        self.folder.mkdir(exist_ok=True)
        Evidence.from_arrays(label=split.labels, challenger=scores, row_id=split.row_ids, facts=facts).write(
            self.folder / f"{name}.arrow"
        )
        (self.folder / f"{name}.model").write_bytes(blob)

    def review(self, candidates: dict[str, str], *words: str, **env: str) -> tuple[Any, dict[str, Any], str]:
        """What the command did of candidates, each with one override; its JSON, and the report."""
        listed = "".join(f"{name}: [{override}]\n" for name, override in candidates.items())
        (self.head / "conf" / "candidates.yaml").write_text(listed, encoding="utf-8")
        proposed = [
            {"name": name, "overrides": [override], "run": "EvaluateNewModel/7", "error": ""}
            for name, override in candidates.items()
        ]
        (self.folder / "proposal.json").write_text(json.dumps({"format": 1, "candidates": proposed}), encoding="utf-8")
        given = ("--bundle", str(self.weak), "--head", str(self.head), "--out", "out", "--output", "outputs")
        done = self.project.run("review", "proposal", *given, *words, **env)
        assert "Traceback" not in done.stderr
        out = self.project.home / "out"
        told = json.loads((out / "review.json").read_text(encoding="utf-8"))
        return done, told, (out / "report.md").read_text(encoding="utf-8").replace("&#58;", ":").replace("&#95;", "_")


@pytest.fixture
def desk(project: Project, weak: Path) -> Desk:
    """The pull request adds a kind of model, `zzz`, that this branch does not know."""
    head = project.home / "head"
    shutil.copytree(project.conf, head / "conf")
    (head / "conf" / "model" / "zzz.yaml").write_text("name: zzz\nfaith: 1\n", encoding="utf-8")
    return Desk(project, head, weak, Basis(settings=compose(conf=project.conf).settings, reigning=None))


def test_a_claim_is_advice_in_all_that_is_said(desk: Desk) -> None:
    desk.hand_in("new", "zzz", "text", TEXT)
    done, told, text = desk.review({"new": "model=zzz"})
    assert (done.returncode, told["verdict"], told["chosen"]) == (3, "INCONCLUSIVE", "new")
    assert done.stdout == f"INCONCLUSIVE ({CLAIM}): out/report.md\n"
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"{CLAIM}: new: ")]
    assert "this branch does not know models of the kind 'zzz'" in line
    assert told["claim"] == told["candidates"][0]["claimed"] != ""
    (decision,) = [one["decision"] for one in told["candidates"]]
    assert decision["reason"].startswith(CLAIM)
    assert {one["verdict"] for one in decision["outcomes"] if one["severity"] == "block"} == {"PASS"}
    assert text.startswith(f"## 🟡 lockgate: INCONCLUSIVE ({CLAIM})\n\n**Its scores are the pull request's own claim")
    assert "### Gates, by the pull request's own claim\n" in text
    assert "PROMOTE" not in text
    out = desk.project.home / "out"
    assert f"<title>lockgate: INCONCLUSIVE ({CLAIM})</title>" in (out / "report.html").read_text(encoding="utf-8")
    assert json.loads((out / "new.json").read_text())["verdict"] == "INCONCLUSIVE"
    predicate = json.loads((out / "new.vsa.json").read_text())["predicate"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])
    outputs = (desk.project.home / "outputs").read_text().splitlines()
    assert (outputs[0], outputs[-1]) == ("verdict=INCONCLUSIVE", "claim=true")


def test_a_claim_is_an_annotation_and_stays_behind_what_was_scored_again(desk: Desk) -> None:
    desk.hand_in("new", "zzz", "text", TEXT)
    desk.hand_in("deep", "xgb", "xgboost-ubj", None)
    done, told, text = desk.review({"new": "model=zzz", "deep": "model.trees=60"}, GITHUB_ACTIONS="true")
    assert (done.returncode, told["verdict"], told["chosen"], "claim" in told) == (0, "PROMOTE", "deep", False)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("::warning title=claim%3A advice only::")]
    assert "new: this branch does not know" in line
    assert f"| new | model=zzz | 🟡 INCONCLUSIVE ({CLAIM}) |" in text
    assert "| **deep** | model.trees=60 | 🟢 PROMOTE |" in text
    assert "claim=true" not in (desk.project.home / "outputs").read_text()


def test_a_claim_stays_behind_what_was_scored_again_and_failed(desk: Desk) -> None:
    desk.hand_in("new", "zzz", "text", TEXT)
    desk.hand_in("flat", "baseline", "skops", fitted_baseline(desk))
    done, told, _ = desk.review({"new": "model=zzz", "flat": "model=baseline"})
    assert (done.returncode, told["verdict"], told["chosen"]) == (1, "HOLD", "flat")


def fitted_baseline(desk: Desk) -> bytes:
    split = desk.basis.split
    model = MODELS["baseline"]
    return model.fit(
        split.train, split.train_labels, params=model.Params(), task=desk.basis.settings.data.task, seed=0
    ).to_bytes()


OTHERS: dict[str, tuple[str, str, str, Callable[[Desk], bytes], str]] = {
    "unknown": ("model=xgb", "zzz", "text", lambda _: TEXT, "the model is of the kind 'zzz'; expected 'xgb'"),
    "known": ("model=zzz", "baseline", "skops", fitted_baseline, "the model is of the kind 'baseline'; expected 'zzz'"),
    "other": ("model=xgb", "baseline", "skops", fitted_baseline, "the model is of the kind 'baseline'; expected 'xgb'"),
    "packed": ("model=xgb", "xgb", "text", lambda _: TEXT, "its format is 'text'; expected 'xgboost-ubj'"),
    "swapped": ("model=xgb", "xgb", "skops", fitted_baseline, "its format is 'skops'; expected 'xgboost-ubj'"),
    "garbage": ("model=xgb", "xgb", "xgboost-ubj", lambda _: TEXT, "these bytes are no xgboost-ubj"),
    "cut": ("model=baseline", "baseline", "skops", lambda desk: fitted_baseline(desk)[:-9], "these bytes are no skops"),
}
"""Of each: the override, the kind and format that its files claim, their bytes, and what is said of it."""


def test_a_model_of_another_kind_than_conf_composes_is_not_judged(desk: Desk) -> None:
    for name, (_, kind, format_, made, _) in OTHERS.items():
        desk.hand_in(name, kind, format_, made(desk))
    done, told, text = desk.review({name: override for name, (override, *_) in OTHERS.items()})
    assert (done.returncode, told["verdict"], told["chosen"]) == (2, "ERROR", None)
    errors = {one["name"]: one["error"] for one in told["candidates"]}
    for name, (*_, said) in OTHERS.items():
        assert said in errors[name]
        assert len(errors[name].splitlines()) == 1
        assert f"- **{name}** " in text
    assert text.startswith("## 🟣 lockgate: ERROR")
