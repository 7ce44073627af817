"""What goes from one job of evaluate.yml to the next: the protected branch's commit, and files by their SHA-256."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.configuration import ROOT
from tests.harness.github.hub import Hub, Run, hub
from tests.harness.github.image import image

COMMAND = """#!/bin/bash
# lockgate, as far as the jobs see it: each command says which commit it is of, and what it got.
echo "$1 by $(git -C "$(dirname "$0")/../.." log -1 --format=%s)"
case $1 in
    bundle) echo "the champion" > champion.tar ;;
    propose) mkdir proposal; echo '{}' > proposal/proposal.json; echo scores > proposal/default.arrow ;;
    review) mkdir ../review; cat ../champion/champion.tar ../proposal/* > ../review/report.md
            echo "report_sha256=$(sha256sum < ../review/report.md | cut -c-64)" >> "$GITHUB_OUTPUT" ;;
    comment) sha256sum --check --quiet <<< "$4  $2" ;;
esac
"""


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Hub]:
    """The repository as it is, whose commands are quick."""
    with hub(tmp_path / "github", ROOT) as repository:
        repository.image = image(tmp_path / "image", lockgate=COMMAND)
        quicker: dict[str, str | bytes | None] = {".github/workflows/ci.yml": None}  # it hands nothing on
        repository.repository.commit("main", quicker, message="first", author="ada", branch="main")
        yield repository


def swap_artifact(name: str, files: dict[str, str]) -> Callable[[Run], None]:
    """Put other files in the place of an artifact, as whoever has a token of the run's jobs can."""

    def swap(run: Run) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for member, text in {
                **{key: blob.decode() for key, blob in run.artifacts.members(name).items()},
                **files,
            }.items():
                archive.writestr(member, text)
        run.artifacts.archives[name] = packed.getvalue()

    return swap


def test_all_jobs_take_the_commit_that_the_first_one_took(github: Hub) -> None:
    def move_main(_: Run) -> None:
        github.repository.commit("main", {"README.md": "b"}, message="second", author="eve", branch="main")

    github.before_jobs = {"propose": move_main, "review": move_main, "comment": move_main}
    _, runs = github.open_pull("b", {"a": ""}, author="ada")
    jobs = runs["evaluate"].jobs
    assert {name: job.result for name, job in jobs.items()} == dict.fromkeys(jobs, "success")
    for name, command in (("champion", "bundle"), ("review", "review"), ("comment", "comment")):
        assert f"{command} by first\n" in jobs[name].out
    assert github.repository.git("log", "-1", "--format=%s", "main") == "second"


@pytest.mark.parametrize(
    ("artifact", "files", "before", "line"),
    [
        ("champion", {"champion.tar": "a weaker one"}, "propose", "champion.tar is not what the job champion fetched"),
        ("champion", {"champion.tar": "a weaker one"}, "review", "champion.tar is not what the job champion fetched"),
        ("proposal", {"default.arrow": "better scores"}, "review", "the proposal is not what the job propose wrote"),
        ("proposal", {"other.arrow": "better scores"}, "review", "the proposal is not what the job propose wrote"),
    ],
    ids=["the champion, to propose", "the champion, to review", "a file of the proposal", "one more file"],
)
def test_an_artifact_that_was_swapped_is_refused_in_one_line(
    github: Hub, artifact: str, files: dict[str, str], before: str, line: str
) -> None:
    github.before_jobs = {before: swap_artifact(artifact, files)}
    pull, runs = github.open_pull("b", {"a": ""}, author="ada")
    job = runs["evaluate"].jobs[before]
    assert job.result == "failure"
    assert [annotation.message for annotation in job.annotations] == [line]
    assert f"{before} by" not in job.out  # lockgate was not started
    assert "report_sha256" not in {key for key, value in runs["evaluate"].jobs["review"].outputs.items() if value}
    assert github.api.comments_of(pull.number) == []


def test_a_report_that_was_swapped_is_not_commented(github: Hub) -> None:
    github.before_jobs = {"comment": swap_artifact("review", {"report.md": "PROMOTE"})}
    _, runs = github.open_pull("b", {"a": ""}, author="ada")
    assert {name: job.result for name, job in runs["evaluate"].jobs.items()} == {
        "champion": "success",
        "propose": "success",
        "review": "success",
        "comment": "failure",
    }


def test_without_the_commit_of_the_base_nothing_of_the_pull_request_judges(github: Hub) -> None:
    """Where the first job fails before it can say which one that is."""
    broken = (ROOT / ".github" / "workflows" / "evaluate.yml").read_text(encoding="utf-8")
    broken = broken.replace('echo "sha=$(git rev-parse HEAD)"', 'exit 1; echo "sha="')
    github.repository.commit(
        "main", {".github/workflows/evaluate.yml": broken}, message="broken", author="ada", branch="main"
    )
    _, runs = github.open_pull("b", {"a": ""}, author="ada")
    review = runs["evaluate"].jobs["review"]
    assert review.result == "failure"
    assert [annotation.message for annotation in review.annotations] == [
        "the job champion did not say which commit judges"
    ]
    assert "review by" not in review.out
