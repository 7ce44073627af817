"""Where nothing was compared with a champion: what `lockgate review`, and other advice, make of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project

ABSOLUTE = {"auc_floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"}}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, project_at: Any, orders_conf: Path) -> Path:
    """A proposal of the default model, beside nothing. For reading only."""
    project = project_at(home=tmp_path_factory.mktemp("alone"), conf=orders_conf)
    completed = project.run("propose", "--out", "proposal")
    assert completed.returncode == 0, completed.stderr
    return Path(project.home / "proposal")


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory, project_at: Any, orders_conf: Path) -> Project:
    """A project whose log has one entry, which promotes nothing. For reading only."""
    project = project_at(home=tmp_path_factory.mktemp("weighed"), conf=orders_conf)
    assert project.run("evaluate", "model=baseline").returncode == 1
    assert len(project.history()) == 1
    return Project(home=project.home, conf=project.conf)


def reviewed(project: Any, proposal: Path, *words: str) -> tuple[Any, dict[str, Any], str]:
    """What the command did, its JSON, and the report; the pull request changes nothing of conf/."""
    head = project.conf.parent
    completed = project.run("review", str(proposal), "--head", str(head), "--out", "out", "--output", "outputs", *words)
    document = json.loads((project.home / "out" / "review.json").read_text(encoding="utf-8"))
    return completed, document, (project.home / "out" / "report.md").read_text(encoding="utf-8")


def check_not_green(project: Any, proposal: Path, why: str) -> None:
    """What needs no champion is judged; that nothing was compared is in all that is said, and nothing is green."""
    completed, report, text = reviewed(project, proposal)
    assert (completed.returncode, report["verdict"]) == (3, "INCONCLUSIVE")
    assert completed.stdout == "INCONCLUSIVE (nothing was compared): out/report.md\n"
    assert why in report["not_compared"]
    assert [line for line in completed.stderr.splitlines() if line.startswith("not compared: ")]
    assert "`lockgate bundle`" in completed.stderr
    verdicts = {outcome["name"]: outcome["verdict"] for outcome in report["candidates"][0]["decision"]["outcomes"]}
    assert {"auc_floor": "PASS", "log_loss": "INCONCLUSIVE", "carriers": "INCONCLUSIVE"}.items() <= verdicts.items()
    assert text.startswith("## 🟡 lockgate: INCONCLUSIVE (nothing was compared)\n")
    assert "PROMOTE" not in text
    assert "<title>lockgate: INCONCLUSIVE (nothing was compared)</title>" in (
        project.home / "out" / "report.html"
    ).read_text(encoding="utf-8")
    assert (project.home / "outputs").read_text().splitlines()[0] == "verdict=INCONCLUSIVE"
    statement = json.loads((project.home / "out" / "default.vsa.json").read_text())
    assert statement["predicate"]["verificationResult"] == "FAILED"


@pytest.mark.nightly
def test_a_log_without_an_entry_shows_nothing(project: Any, alone: Path) -> None:
    """The machine of a workflow, which reaches no log, has one too."""
    check_not_green(project, alone, "has no entry, which shows nothing")


@pytest.mark.nightly
def test_a_log_that_cannot_be_read_shows_nothing(weighed: Project, alone: Path, tmp_path: Path) -> None:
    project = weighed.copy(tmp_path)
    (entry,) = (project.home / ".metaflow" / "lockgate").glob("*/log/*.json")
    entry.write_text("{}", encoding="utf-8")
    check_not_green(project, alone, "the promotion log cannot be read: ")


@pytest.mark.nightly
def test_a_log_whose_champion_was_revoked_shows_that_there_was_one(
    promoted: Project, alone: Path, tmp_path: Path
) -> None:
    (run,) = promoted.runs()
    assert promoted.run("revoke", run, "--reason", "it leaks").returncode == 0
    check_not_green(promoted, alone, "no model reigns since one was revoked")
    completed = promoted.run("evaluate", "--advisory", "model.trees=25", "--json")
    decision = json.loads(completed.stdout)["decision"]
    assert (completed.returncode, decision["verdict"]) == (3, "INCONCLUSIVE")
    assert "no model reigns since one was revoked" in decision["outcomes"][1]["message"]


def test_a_champion_that_reigns_by_the_log_is_to_be_handed_in(promoted: Project, alone: Path) -> None:
    (run,) = promoted.runs()
    completed = promoted.run("review", str(alone), "--head", str(promoted.conf.parent), "--out", "out")
    assert (completed.returncode, completed.stdout, len(completed.stderr.splitlines())) == (2, "", 1)
    assert f"{run} is the champion, but nothing would be compared with it; expected --bundle FILE" in completed.stderr
    assert "`lockgate bundle --out champion.tar` writes it" in completed.stderr
    assert not (promoted.home / "out").exists()


@pytest.mark.nightly
def test_a_log_that_never_had_a_champion_shows_it_here_and_in_a_bundle(
    weighed: Project, alone: Path, tmp_path: Path
) -> None:
    """The bundle is all that a machine has that reaches no log."""
    folder, other = weighed.copy(tmp_path / "here"), Project(home=tmp_path / "there", conf=weighed.conf)
    other.home.mkdir()
    bundle = tmp_path / "champion.tar"
    completed = folder.run("bundle", "--out", str(bundle))
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout == f"{bundle}: there never was a champion, as of entry 1 of the promotion log\n"
    for project, words in ((folder, ()), (other, ("--bundle", str(bundle)))):
        completed, report, text = reviewed(project, alone, *words)
        assert (completed.returncode, report["verdict"], "not_compared" in report) == (0, "PROMOTE", False)
        assert "It was scored alone, as there never was a champion as of 20" in text
        skipped = {outcome["name"]: outcome["verdict"] for outcome in report["candidates"][0]["decision"]["outcomes"]}
        assert skipped["log_loss"] == "SKIP"
        assert "champion.tar" not in text
    completed = other.run("evaluate", "--bundle", str(bundle), "--json")
    assert (completed.returncode, json.loads(completed.stdout)["decision"]["verdict"]) == (0, "PROMOTE"), (
        completed.stderr
    )
    assert "scored alone: there is no champion yet" in completed.stderr


@pytest.mark.parametrize(("checks", "code"), [({}, 3), ({"checks": ABSOLUTE}, 0)], ids=["compared", "absolute"])
def test_evidence_without_a_champion_is_compared_with_nothing(
    project: Any, policy_file: Any, checks: dict[str, Any], code: int
) -> None:
    """No log is asked about evidence from anywhere; a policy that compares nothing has no need of one."""
    from lockgate import Evidence

    label = [0.0, 1.0] * 150
    Evidence.from_arrays(label=label, challenger=[0.2 + item / 2 for item in label]).write(project.home / "e.arrow")
    words = ("--evidence", "e.arrow", "--policy", str(policy_file(**checks)), "--statement", "s.json")
    completed = project.run("judge", *words[:4])
    assert completed.returncode == code, completed.stdout
    assert ("no promotion log was asked for one" in " ".join(completed.stdout.split())) == (code == 3)
