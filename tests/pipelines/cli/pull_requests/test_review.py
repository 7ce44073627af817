"""`lockgate propose` and `lockgate review`: what a pull request proposes, judged by the branch it goes into.

Tests of pipelines/cli/pull_requests/propose.py
Tests of pipelines/pull_requests/rescore.py
Tests of pipelines/pull_requests/review.py
Tests of gates/judge/comparison.py
Tests of gates/report/review.py
Tests of gates/report/page.py
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence

ROOT = Path(__file__).parents[4]
CANDIDATES = """
better: [model.trees=60]
worse: [model=baseline]
nosy: [gate.confidence=0.6]
broken: [model.max_depth=-4]
"""


def report(folder: Path) -> str:
    return (folder / "report.md").read_text(encoding="utf-8").replace("&#95;", "_").replace("&#58;", ":")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, orders_conf: Path) -> Path:
    """The pull request's checkout: candidates, and a floor that is lower than it was."""
    folder = tmp_path_factory.mktemp("head")
    for name in ("gates", "lockgate", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(orders_conf, folder / "conf")
    (folder / "conf" / "candidates.yaml").write_text(CANDIDATES, encoding="utf-8")
    gate = folder / "conf" / "gate" / "default.yaml"
    gate.write_text(gate.read_text(encoding="utf-8").replace("min: 0.60", "min: 0.10"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory, project_at: Any, head: Path, weak: Path) -> Path:
    """What its job wrote. For reading only."""
    project = project_at(home=tmp_path_factory.mktemp("proposed"), conf=head / "conf")
    completed = project.run("propose", "--bundle", str(weak), "--out", "proposal")
    assert completed.returncode == 0, completed.stderr
    assert [line.split(":")[0] for line in completed.stdout.splitlines()] == [
        "default",
        "better",
        "worse",
        "nosy",
        "broken",
    ]
    return Path(project.home / "proposal")


@pytest.fixture
def reviewed(project: Any, proposed: Path, head: Path, weak: Path, tmp_path: Path) -> Callable[..., Any]:
    """Reviews a copy of the proposal, changed before; gives the exit code, the JSON and the report."""

    def review(change: Callable[[Path], None] = lambda _: None, **options: Any) -> tuple[int, dict[str, Any], str]:
        folder = tmp_path / "handed"
        shutil.copytree(proposed, folder, dirs_exist_ok=True)
        change(folder)
        words = ["--bundle", str(options.get("bundle", weak))] if options.get("bundle", weak) else []
        words += ["--head", str(options.get("head", head)), "--base", "main", "--out", "out", "--json"]
        words += ["--output", "outputs"]
        shutil.rmtree(project.home / "out", ignore_errors=True)
        completed = project.run("review", str(folder), *words)
        assert "Traceback" not in completed.stderr
        assert completed.stdout, completed.stderr
        document = json.loads(completed.stdout)
        missed = [
            document["problem"],
            *(
                f"{candidate['name']}: {candidate['error']}"
                for candidate in document["candidates"]
                if candidate["error"]
            ),
        ]
        assert [line for line in completed.stderr.splitlines() if line.startswith("not judged: ")] == [
            f"not judged: {item}" for item in [*missed[1:], missed[0]] if item
        ]
        return completed.returncode, document, report(project.home / "out")

    return review


def test_a_pull_request_is_judged_by_the_rules_it_goes_into(reviewed: Any, project: Any) -> None:
    code, report, text = reviewed()
    assert (code, report["verdict"], report["chosen"], report["weaker"]) == (0, "PROMOTE", "better", True)
    verdicts = {candidate["name"]: (candidate["decision"] or {}).get("verdict") for candidate in report["candidates"]}
    assert verdicts == {"better": "PROMOTE", "worse": "HOLD", "nosy": None, "broken": None}
    rules = {outcome["name"]: outcome["rule"] for outcome in report["candidates"][0]["decision"]["outcomes"]}
    assert rules["auc_floor"] == "auc >= 0.6 (bound)"
    assert report["candidates"][0]["decision"]["confidence"] == 0.975  # two were judged
    assert text.startswith("## 🟢 lockgate: PROMOTE\n\n**`better`: it would replace the champion.**")
    assert "**Next:** Make `better` the default of `conf/` (model.trees=60), take it out of" in text
    assert "makes 1 rule weaker. It was judged by the rules of main, not by its own." in text
    assert "| 🔴 weaker | lower floor | gate.checks.auc_floor.min | 0.6 | 0.1 |" in text
    assert "- **nosy** gate belongs to the owners of the gates" in text
    assert "- **broken** " in text
    assert "by the code and on the rows of main" in text
    assert "```sh\nmake evaluate model.trees=60\n```" in text
    assert "```sh\n.venv/bin/lockgate evaluate model.trees=60 --bundle champion.tar\n```" in text
    assert "judged as the only candidate" in text
    outputs = (project.home / "outputs").read_text().splitlines()
    assert outputs == [
        "verdict=PROMOTE",
        "chosen=better",
        "weaker=true",
        f"run={report['run']}",
        f"decision_sha256={report['decision_sha256']}",
        f"report_sha256={report['report_sha256']}",
    ]
    out = project.home / "out"
    assert report["report_sha256"] == hashlib.sha256((out / "report.md").read_bytes()).hexdigest()
    assert sorted(path.name for path in out.iterdir()) == [
        "better.json",
        "better.vsa.json",
        "report.html",
        "report.md",
        "review.json",
        "worse.json",
        "worse.vsa.json",
    ]
    statement = json.loads((out / "better.vsa.json").read_text())
    assert statement["predicate"]["resourceUri"] == "lockgate:orders/advice"
    assert not list((project.home / ".metaflow").glob("lockgate/*/log/*"))


def forged(evidence: Evidence) -> Evidence:
    """The challenger's scores are the labels, the champion's are spoiled, and every row is of one cluster."""
    return Evidence.from_arrays(
        label=evidence.label,
        challenger=np.clip(evidence.label, 0.01, 0.99),
        champion=evidence.label * 0.0 + 0.5,
        row_id=evidence.row_id,
        cluster=np.zeros(evidence.n, dtype=int),
        facts={**evidence.facts, "train_row_hashes": evidence.train_row_hashes},
    )


def relabelled(evidence: Evidence) -> Evidence:
    return Evidence.from_arrays(
        label=1 - evidence.label, challenger=evidence.challenger, row_id=evidence.row_id, facts=evidence.facts
    )


def rewritten(change: Callable[[Evidence], Evidence]) -> Callable[[Path, str], None]:
    def write(folder: Path, name: str) -> None:
        file = folder / f"{name}.arrow"
        file.write_bytes(change(Evidence.from_bytes(file.read_bytes())).to_bytes())

    return write


def linked(folder: Path, name: str) -> None:
    (folder / f"{name}.model").unlink()
    (folder / f"{name}.model").symlink_to("/etc/passwd")


TAMPERED: dict[str, tuple[Callable[[Path, str], object], str]] = {
    "labels": (rewritten(relabelled), "666 other rows or labels were scored; expected the holdout of this branch"),
    "model": (
        lambda folder, name: shutil.copy(folder / "better.model", folder / f"{name}.model"),
        "the model is not the one that was scored",
    ),
    "garbage": (lambda folder, name: (folder / f"{name}.arrow").write_bytes(b"ARROW1 not"), "garbage.arrow"),
    "link": (linked, "there is no file link.model"),
    "gone": (lambda folder, name: (folder / f"{name}.arrow").unlink(), "there is no file gone.arrow"),
    "changed": (lambda _folder, _name: None, "evaluated with other overrides than the pull request lists"),
}
"""What is done to a candidate's files, and what is said of it."""


@pytest.mark.nightly
def test_what_was_tampered_with_is_refused_or_changes_nothing(reviewed: Any, head: Path, tmp_path: Path) -> None:
    names = ["worse", "forged", *TAMPERED]
    shutil.copytree(head, tmp_path / "other", symlinks=True)
    listed = "".join(f"{name}: [model=baseline]\n" for name in names)
    (tmp_path / "other" / "conf" / "candidates.yaml").write_text(listed, encoding="utf-8")

    def tamper(folder: Path) -> None:
        document = json.loads((folder / "proposal.json").read_text())
        (worse,) = [candidate for candidate in document["candidates"] if candidate["name"] == "worse"]
        document["candidates"] = [worse | {"name": name} for name in names]
        document["candidates"][-1]["overrides"] = ["model=logistic"]
        (folder / "proposal.json").write_text(json.dumps(document))
        for name in names[1:]:
            for kind in ("arrow", "model"):
                shutil.copy(folder / f"worse.{kind}", folder / f"{name}.{kind}")
        rewritten(forged)(folder, "forged")
        for name, (change, _) in TAMPERED.items():
            change(folder, name)

    code, report, text = reviewed(tamper, head=tmp_path / "other")
    assert (code, report["verdict"]) == (1, "HOLD")
    actual = {candidate["name"]: candidate for candidate in report["candidates"]}
    honest, forged_ = (actual[name]["decision"] for name in ("worse", "forged"))
    assert honest["outcomes"][:6] == forged_["outcomes"][:6]  # the others measure time
    assert honest["binding"]["scores"] == forged_["binding"]["scores"]
    assert honest["binding"]["champion_scores"] == forged_["binding"]["champion_scores"]
    for name, (_, message) in TAMPERED.items():
        assert message in actual[name]["error"]
        assert len(actual[name]["error"].splitlines()) == 1
        assert f"- **{name}** " in text


def test_a_proposal_that_is_none_is_reported_in_one_line(reviewed: Any) -> None:
    code, report, text = reviewed(lambda folder: (folder / "proposal.json").write_bytes(b'{"format": 2}'))
    assert (code, report["verdict"], report["candidates"]) == (2, "ERROR", [])
    assert report["problem"].startswith("the proposal cannot be read")
    assert len(report["problem"].splitlines()) == 1
    assert text.startswith("## 🟣 lockgate: ERROR")


@pytest.mark.nightly
def test_a_proposal_that_was_made_beside_a_champion_is_refused_without_it(reviewed: Any) -> None:
    code, report, text = reviewed(bundle=None)
    assert (code, report["verdict"], report["chosen"]) == (2, "ERROR", None)
    for candidate in report["candidates"][:2]:
        assert candidate["error"].startswith("it was scored beside a champion (EvaluateNewModel/")
        assert "`lockgate bundle --out champion.tar` writes one; `--published OWNER/NAME`" in candidate["error"]
    assert text.startswith("## 🟣 lockgate: ERROR")
    assert "🟢" not in text


@pytest.mark.nightly
def test_a_pull_request_whose_conf_cannot_be_read_is_judged_no_more(reviewed: Any, head: Path, tmp_path: Path) -> None:
    shutil.copytree(head, tmp_path / "other", symlinks=True)
    (tmp_path / "other" / "conf" / "candidates.yaml").write_text("- a\n- b\n", encoding="utf-8")
    (tmp_path / "other" / "conf" / "gate" / "default.yaml").write_text("checks: {}\n", encoding="utf-8")
    code, report, text = reviewed(head=tmp_path / "other")
    assert (code, report["verdict"], report["rules"]) == (2, "ERROR", None)
    assert "It is unknown what this pull request changes in the rules." in text
    assert "NAME: [model=xgb" in report["problem"]


@pytest.mark.nightly
def test_a_bundle_of_the_wrong_kind_stops_it(project: Any, proposed: Path, head: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(b"no tar")
    completed = project.run("review", str(proposed), "--head", str(head), "--bundle", "bad.tar", "--out", "out")
    assert (completed.returncode, completed.stdout, len(completed.stderr.splitlines())) == (2, "", 1)
    assert not (project.home / "out").exists()
