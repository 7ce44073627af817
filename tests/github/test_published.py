"""`lockgate bundle --published`: the champion that the protected branch last published, checked and then written.

Tests of pipelines/github/published.py
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.github.api import BOT, REPOSITORY, State, serve_github

TOKEN = "ghs_s3cr3t-c4n4ry"
RUN = {"file": "promote.yml", "branch": "main", "event": "push", "status": "success"}


def zip_files(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blob in files:
            archive.writestr(name, blob)
    return out.getvalue()


@pytest.fixture
def api() -> Iterator[State]:
    with serve_github() as state:
        state.tokens = {TOKEN: (BOT, {"actions": "read"})}
        yield state


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory, promoted_project: Any) -> bytes:
    out = tmp_path_factory.mktemp("bundle") / "champion.tar"
    assert promoted_project.run("bundle", "--out", str(out)).returncode == 0
    return bytes(out.read_bytes())


def fetch_champion(project: Any, api: State, *words: str, **env: str) -> Any:
    variables = {"GITHUB_API_URL": api.url, "GITHUB_TOKEN": TOKEN, "LOCKGATE_GITHUB_WAIT_SECONDS": "0.1", **env}
    process = project.run("bundle", "--published", REPOSITORY, "--out", "champion.tar", *words, **variables)
    assert TOKEN not in process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    return process


def test_the_newest_that_a_push_to_main_published_is_taken(project: Any, api: State, champion: bytes) -> None:
    """Not that of a pull request, of another branch or workflow, of a run that failed, or one that has expired."""
    bad = {"champion": zip_files(("champion.tar", b"not this"))}
    api.runs = [
        {**RUN, "event": "pull_request", "artifacts": bad},
        {**RUN, "branch": "mine", "artifacts": bad},
        {**RUN, "file": "evaluate.yml", "artifacts": bad},
        {**RUN, "status": "failure", "artifacts": bad},
        {**RUN, "artifacts": {"decision": b"x"}},
        {**RUN, "artifacts": {"champion": None}},
        {**RUN, "artifacts": {"champion": zip_files(("champion.tar", champion))}},
        {**RUN, "artifacts": bad},
    ]
    process = fetch_champion(project, api, "--json")
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["entry"] == 1
    assert (project.home / "champion.tar").read_bytes() == champion


def test_where_nothing_was_published_nothing_is_written(project: Any, api: State) -> None:
    process = fetch_champion(project, api)
    assert (process.returncode, process.stdout, process.stderr) == (0, f"{REPOSITORY} has published no champion\n", "")
    assert not (project.home / "champion.tar").exists()


@pytest.mark.nightly
def test_that_there_never_was_a_champion_is_taken_of_the_last_run_alone(
    project: Any, api: State, project_at: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A later run may have promoted one, and failed to publish it."""
    never_promoted = project_at(home=tmp_path_factory.mktemp("held"), conf=project.conf)
    assert never_promoted.run("evaluate", "model=baseline").returncode == 1
    assert never_promoted.run("bundle", "--out", "champion.tar").returncode == 0
    blob = (never_promoted.home / "champion.tar").read_bytes()
    api.runs = [{**RUN, "artifacts": {"champion": zip_files(("champion.tar", blob))}}]
    process = fetch_champion(project, api)
    assert (process.returncode, process.stderr) == (0, "")
    assert "champion.tar: there never was a champion, as of entry 1 of the promotion log of" in process.stdout
    assert (project.home / "champion.tar").read_bytes() == blob
    (project.home / "champion.tar").unlink()
    api.runs.insert(0, {**RUN, "artifacts": {"decision": b"x"}})
    process = fetch_champion(project, api)
    assert (process.returncode, "its last run published nothing" in process.stdout) == (0, True)
    assert not (project.home / "champion.tar").exists()


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"no zip", "it is not an archive with one file"),
        (zip_files(("champion.tar", b"no tar")), "not a tar archive"),
        (zip_files(("../champion.tar", b"x")), "it holds '../champion.tar', 1 bytes"),
        (zip_files(("champion.tar", b"x"), ("more", b"y")), "it is not an archive with one file"),
    ],
    ids=["zip", "tar", "path", "two"],
)
def test_what_is_no_champion_is_one_line(project: Any, api: State, blob: bytes, message: str) -> None:
    api.runs = [{**RUN, "artifacts": {"champion": blob}}]
    process = fetch_champion(project, api)
    assert (process.returncode, process.stdout, len(process.stderr.splitlines())) == (2, "", 1)
    assert message in process.stderr
    assert list(Path(project.home).glob("*.tar*")) == []


@pytest.mark.parametrize(
    ("words", "env", "message"),
    [
        ([], {"GITHUB_TOKEN": "wrong"}, "GitHub answers 401: Bad credentials"),
        ([], {"GITHUB_TOKEN": ""}, "no token is set"),
        (["--published", "acme/../x"], {}, "is not a repository; expected OWNER/NAME"),
        (["--out", "folder"], {}, "expected FILE.tar"),
    ],
)
def test_what_it_may_not_fetch_is_one_line(
    project: Any, api: State, words: list[str], env: dict[str, str], message: str
) -> None:
    process = fetch_champion(project, api, *words, **env)
    assert (process.returncode, process.stdout, len(process.stderr.splitlines())) == (2, "", 1)
    assert message in process.stderr
