"""`lockgate bundle --published`: the champion that the protected branch last published, checked and then written."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.github.api import BOT, REPOSITORY, State, served

TOKEN = "ghs_s3cr3t-c4n4ry"
RUN = {"file": "promote.yml", "branch": "main", "event": "push", "status": "success"}


def zipped(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blob in files:
            archive.writestr(name, blob)
    return out.getvalue()


@pytest.fixture
def api() -> Iterator[State]:
    with served() as state:
        state.tokens = {TOKEN: (BOT, {"actions": "read"})}
        yield state


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory, promoted_project: Any) -> bytes:
    out = tmp_path_factory.mktemp("bundle") / "champion.tar"
    assert promoted_project.run("bundle", "--out", str(out)).returncode == 0
    return bytes(out.read_bytes())


def fetched(project: Any, api: State, *words: str, **env: str) -> Any:
    given = {"GITHUB_API_URL": api.url, "GITHUB_TOKEN": TOKEN, "LOCKGATE_GITHUB_WAIT_SECONDS": "0.1", **env}
    done = project.run("bundle", "--published", REPOSITORY, "--out", "champion.tar", *words, **given)
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_newest_that_a_push_to_main_published_is_taken(project: Any, api: State, champion: bytes) -> None:
    """Not that of a pull request, of another branch or workflow, of a run that failed, or one that has expired."""
    bad = {"champion": zipped(("champion.tar", b"not this"))}
    api.runs = [
        {**RUN, "event": "pull_request", "artifacts": bad},
        {**RUN, "branch": "mine", "artifacts": bad},
        {**RUN, "file": "evaluate.yml", "artifacts": bad},
        {**RUN, "status": "failure", "artifacts": bad},
        {**RUN, "artifacts": {"decision": b"x"}},
        {**RUN, "artifacts": {"champion": None}},
        {**RUN, "artifacts": {"champion": zipped(("champion.tar", champion))}},
        {**RUN, "artifacts": bad},
    ]
    done = fetched(project, api, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["entry"] == 1
    assert (project.home / "champion.tar").read_bytes() == champion


def test_where_nothing_was_published_nothing_is_written(project: Any, api: State) -> None:
    done = fetched(project, api)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{REPOSITORY} has published no champion\n", "")
    assert not (project.home / "champion.tar").exists()


def test_that_there_never_was_a_champion_is_taken_of_the_last_run_alone(
    project: Any, api: State, project_at: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A later run may have promoted one, and failed to publish it."""
    held = project_at(home=tmp_path_factory.mktemp("held"), conf=project.conf)
    assert held.run("evaluate", "model=baseline").returncode == 1
    assert held.run("bundle", "--out", "champion.tar").returncode == 0
    blob = (held.home / "champion.tar").read_bytes()
    api.runs = [{**RUN, "artifacts": {"champion": zipped(("champion.tar", blob))}}]
    done = fetched(project, api)
    assert (done.returncode, done.stderr) == (0, "")
    assert "champion.tar: there never was a champion, as of entry 1 of the promotion log of" in done.stdout
    assert (project.home / "champion.tar").read_bytes() == blob
    (project.home / "champion.tar").unlink()
    api.runs.insert(0, {**RUN, "artifacts": {"decision": b"x"}})
    done = fetched(project, api)
    assert (done.returncode, "its last run published nothing" in done.stdout) == (0, True)
    assert not (project.home / "champion.tar").exists()


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"no zip", "it is not an archive with one file"),
        (zipped(("champion.tar", b"no tar")), "not a tar archive"),
        (zipped(("../champion.tar", b"x")), "it holds '../champion.tar', 1 bytes"),
        (zipped(("champion.tar", b"x"), ("more", b"y")), "it is not an archive with one file"),
    ],
    ids=["zip", "tar", "path", "two"],
)
def test_what_is_no_champion_is_one_line(project: Any, api: State, blob: bytes, said: str) -> None:
    api.runs = [{**RUN, "artifacts": {"champion": blob}}]
    done = fetched(project, api)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said in done.stderr
    assert list(Path(project.home).glob("*.tar*")) == []


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        ([], {"GITHUB_TOKEN": "wrong"}, "GitHub answers 401: Bad credentials"),
        ([], {"GITHUB_TOKEN": ""}, "no token is set"),
        (["--published", "acme/../x"], {}, "is not a repository; expected OWNER/NAME"),
        (["--out", "folder"], {}, "expected FILE.tar"),
    ],
)
def test_what_it_may_not_is_one_line(
    project: Any, api: State, words: list[str], env: dict[str, str], said: str
) -> None:
    done = fetched(project, api, *words, **env)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said in done.stderr
